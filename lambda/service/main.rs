//! The Lambda function with the API, behind an HTTP API of API Gateway.

use std::process::ExitCode;

use doctor::check_service;
use hosting::HostBuilder;
use hosting::config::{self, Host};
use lambda::{host, service::Service};
use restore::queue::WorkerQueue;

fn main() -> ExitCode {
    host::run_function(async || {
        let config = config::ServiceConfig::read(Host::Lambda, &hosting::read_variable)?;
        let telemetry = host::init_telemetry("packages-service", &config.platform);
        let builder = HostBuilder::from_environment(config.platform.clone())?;
        let start = async || {
            let queue = WorkerQueue::Sqs(builder.require_restore_queue(config.restore_queue_url.as_ref())?);
            // In parallel: both wait for AWS, and the start has ten seconds.
            let (db, cdn) = tokio::join!(builder.connect_db(), builder.load_cdn(&config.cdn));
            let (cdn, rotation) = cdn?;
            Ok(Service::new(builder.build_app(config.clone(), db?, cdn, queue)?, rotation))
        };
        let check = async || check_service(&hosting::read_variable, &builder, &config).await;
        let handle = async |service: &Service, event| service.handle_event(event).await;
        Box::pin(host::poll_events(telemetry, check, start, handle)).await
    })
}
