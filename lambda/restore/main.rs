//! The Lambda function with the restore worker, behind the queue of restore orders.

use std::process::ExitCode;

use doctor::check_restore;
use hosting::HostBuilder;
use hosting::config::{self, Host};
use lambda::{
    host,
    restore::{self, Worker},
};

fn main() -> ExitCode {
    host::run_function(async || {
        let config = config::RestoreConfig::read(Host::Lambda, &hosting::read_variable)?;
        let telemetry = host::init_telemetry("packages-restore", &config.platform);
        let builder = HostBuilder::from_environment(config.platform.clone())?;
        let start = async || {
            let db = builder.connect_db().await?;
            let queue = builder.require_restore_queue(config.restore_queue_url.as_ref())?;
            let restorer = builder.build_restorer(config.clone(), db)?;
            Ok(Worker { restorer, queue, stray_max_age: config.stray_max_age })
        };
        let check = async || check_restore(&hosting::read_variable, &builder, &config).await;
        let handle = async |worker: &Worker, event| Box::pin(restore::handle_event(worker, event)).await;
        host::poll_events(telemetry, check, start, handle).await
    })
}
