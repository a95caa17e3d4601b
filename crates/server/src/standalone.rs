//! `packages-service serve`: the service on a machine or in a container of its own, configured by the environment.

use signing_keys::KeyRotation;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use api::Cdn;
use aws::Clock;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::middleware::from_fn_with_state;
use hosting::HostBuilder;
use hosting::config::{self, PlatformConfig, variables::LISTEN_ADDRESS};
use restore::queue::WorkerQueue;
use server::{authentication::authenticate, metrics, serve, worker::WorkerThread};
use telemetry::{Host, LogFormat, Telemetry, TelemetryConfig};
use tokio::{net::TcpListener, sync::Notify, task::JoinSet};

use crate::stop::stop;

/// How often something is looked at again that may have changed meanwhile.
const TICK: Duration = Duration::from_secs(20);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where to listen
    #[arg(
        long,
        env = LISTEN_ADDRESS.name(),
        value_name = "ADDRESS:PORT",
        default_value = LISTEN_ADDRESS.default_value()
    )]
    listen: SocketAddr,
    /// Write the log for people, and not as JSON
    #[arg(long)]
    plain_log: bool,
}

/// Runs until it is told to stop.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let config = config::ServerConfig::read(&hosting::read_variable).map_err(io::Error::other)?;
    let platform = &config.service.platform;
    let format = if options.plain_log { LogFormat::Text } else { LogFormat::Json };
    let telemetry = telemetry::init(TelemetryConfig {
        filter: &platform.log_filter,
        service: "packages-service",
        environment: &platform.env,
        host: Host::Server(format),
        xray_daemon: platform.xray_address.as_deref(),
        catalog: &hosting::telemetry_catalog(),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run_service(options.listen, config, telemetry))
}

async fn run_service(
    listen: SocketAddr,
    config: config::ServerConfig,
    telemetry: Telemetry,
) -> io::Result<()> {
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("{listen} cannot be listened on: {error}")))?;
    let platform = config.service.platform.clone();
    let builder =
        HostBuilder::new(platform.clone(), credentials(&platform).await).map_err(io::Error::other)?;
    let db = builder.connect_db().await.map_err(io::Error::other)?;
    let mut background = JoinSet::new();
    let (queue, workers) = queue(&builder, &config)?;
    let authorizer = builder.build_authorizer(&config.authorize, db.clone());
    let (cdn, rotation) = builder.load_cdn(&config.service.cdn).await.map_err(io::Error::other)?;
    let app = builder.build_app(config.service, db, cdn, queue).map_err(io::Error::other)?;
    background.spawn(renew(app.cdn.clone(), app.clock, rotation));
    let router = api::router(app, |private| private.layer(from_fn_with_state(authorizer, authenticate)))
        .merge(metrics::route(telemetry));
    tracing::info!(address = %listener.local_addr()?, "ready");
    serve::serve(listener, router, stop()).await;
    drop(workers);
    tracing::info!("stopped");
    Ok(())
}

/// The role of whoever runs this: from the environment, else from where AWS's tools look (profile, web identity,
/// container, instance).
pub(crate) async fn credentials(platform: &PlatformConfig) -> SharedCredentialsProvider {
    if let Some(credentials) = platform.credentials.clone() {
        return SharedCredentialsProvider::new(credentials);
    }
    let region = aws_config::Region::new(platform.region.to_string());
    SharedCredentialsProvider::new(DefaultCredentialsChain::builder().region(region).build().await)
}

/// Workers are woken by SQS; or, where no queue is named, they are in this process, until what stands beside the queue is
/// dropped.
fn queue(
    builder: &HostBuilder,
    config: &config::ServerConfig,
) -> io::Result<(WorkerQueue, Option<WorkerThread>)> {
    if let Some(url) = &config.service.restore_queue_url {
        return Ok((WorkerQueue::Sqs(builder.sqs_queue(url.clone()).map_err(io::Error::other)?), None));
    }
    let restore = config.restore.clone();
    let restore = restore.ok_or_else(|| io::Error::other("restore is not configured"))?;
    let stray_max_age = restore.stray_max_age;
    let restorer = builder.build_server_restorer(restore).map_err(io::Error::other)?;
    let wake = Arc::new(Notify::new());
    let workers = WorkerThread::start(restorer, Arc::clone(&wake), stray_max_age)?;
    Ok((WorkerQueue::Local(wake), Some(workers)))
}

/// Looks for another signing key now and then, for ever.
async fn renew(cdn: Cdn, clock: Clock, rotation: KeyRotation) {
    loop {
        cdn.reload_signer(&rotation, clock.now()).await;
        tokio::time::sleep(TICK).await;
    }
}
