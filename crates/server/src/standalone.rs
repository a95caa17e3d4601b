//! `packages-service serve`: the service on a machine or in a container, configured by environment variables.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use api::{App, Cdn};
use aws::Clock;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_credential_types::provider::SharedCredentialsProvider;
use console::AppFiles;
use hosting::HostBuilder;
use hosting::config::{self, PlatformConfig};
use restore::queue::WorkerQueue;
use server::{
    authentication::authenticate,
    console::{
        ConsoleParts, add_console, build_security_headers, check_prefix,
        operations::{Operations, RunDoctor},
        operators::{OperatorGuard, OperatorToken},
        settings::{ConsoleSettings, LoginSettings, Mode},
    },
    metrics::metrics_router,
    serve::{ConnectionLimits, serve},
    worker::WorkerThread,
};
use signing_keys::KeyRotation;
use telemetry::{Host, LogFormat, Telemetry, TelemetryConfig};
use tokio::{net::TcpListener, sync::Notify, task::JoinSet};

use crate::{CommandError, CommandResult, doctor::run_checks, shutdown::shutdown_signal};

/// How often the process checks whether a reload of the signing key is due.
const KEY_CHECK_INTERVAL: Duration = Duration::from_secs(20);

#[derive(clap::Args)]
pub(crate) struct ServeOptions {
    /// The address and port to listen on, in place of the variable `LISTEN_ADDRESS`
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Write the log as text instead of JSON
    #[arg(long)]
    plain_log: bool,
    /// Serve the console, a web app, at `/`, as with the variable `CONSOLE=on`
    #[arg(long)]
    console: bool,
}

/// Runs the service until a signal stops it.
pub(crate) fn run_serve(options: &ServeOptions) -> CommandResult {
    let mut config = config::ServerConfig::read(&hosting::read_variable)?;
    config.console.is_on |= options.console;
    if config.console.is_on {
        // First, so that nothing is connected to when the server cannot start.
        check_prefix(&config.path_prefix)?;
    }
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
    let listen = options.listen.unwrap_or(config.listen);
    runtime.block_on(run_service(listen, config, telemetry))
}

async fn run_service(
    listen: SocketAddr,
    config: config::ServerConfig,
    telemetry: Telemetry,
) -> CommandResult {
    // First, so that an occupied port is reported before the service connects to the database.
    let listener =
        TcpListener::bind(listen).await.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let platform = config.service.platform.clone();
    let builder = HostBuilder::new(platform.clone(), load_credentials(&platform).await)?;
    let db = builder.connect_db().await?;
    // Dropping the set at the end cancels its tasks.
    let mut background = JoinSet::new();
    let (queue, workers) = build_queue(&builder, &config)?;
    let authorizer = builder
        .build_authorizer(&config.authorize, db.clone())?
        .with_decision_cache(config.authorization_cache);
    let (cdn, rotation) = builder.load_cdn(&config.service.cdn).await?;
    let (telemetry, rotation) = (Arc::new(telemetry), Arc::new(rotation));
    let app = builder.build_server_app(&config, db, cdn, queue)?;
    background.spawn(reload_signer_periodically(app.cdn.clone(), app.clock, Arc::clone(&rotation)));
    let mut router =
        api::router(app.clone(), authenticate(authorizer)).merge(metrics_router(Arc::clone(&telemetry)));
    if config.console.is_on {
        let parts = build_console(&config, &app, telemetry, rotation).await?;
        router = add_console(router, &config.path_prefix, parts)?;
    }
    let stop = shutdown_signal();
    tracing::info!(address = %listener.local_addr()?, "ready");
    serve(listener, router, ConnectionLimits::from_config(&config.connections), stop).await;
    drop(workers);
    tracing::info!("stopped");
    Ok(())
}

/// The AWS credentials: from the environment, else from the default chain of the AWS SDK (profile, web identity,
/// container, instance).
pub(crate) async fn load_credentials(platform: &PlatformConfig) -> SharedCredentialsProvider {
    if let Some(credentials) = platform.credentials.clone() {
        return SharedCredentialsProvider::new(credentials);
    }
    let region = aws_config::Region::new(platform.region.to_string());
    SharedCredentialsProvider::new(DefaultCredentialsChain::builder().region(region).build().await)
}

/// The queue of restore orders. Without the URL of an SQS queue, the workers run in this process until the
/// [`WorkerThread`] is dropped.
fn build_queue(
    builder: &HostBuilder,
    config: &config::ServerConfig,
) -> Result<(WorkerQueue, Option<WorkerThread>), CommandError> {
    if let Some(url) = &config.service.restore_queue_url {
        return Ok((WorkerQueue::Sqs(builder.sqs_queue(url.clone())?), None));
    }
    let restore = config.restore.clone();
    let restore = restore.ok_or("restore is not configured")?;
    let stray_max_age = restore.stray_max_age;
    let restorer = builder.build_server_restorer(restore)?;
    let wake = Arc::new(Notify::new());
    let workers = WorkerThread::start(restorer, Arc::clone(&wake), stray_max_age)?;
    Ok((WorkerQueue::Local(wake), Some(workers)))
}

/// What the console is made of. Without a token for operators there is no page for them.
async fn build_console(
    config: &config::ServerConfig,
    app: &App,
    telemetry: Arc<Telemetry>,
    key: Arc<KeyRotation>,
) -> Result<ConsoleParts, CommandError> {
    let doctor: RunDoctor = Arc::new(|| run_checks(&hosting::read_variable));
    let guard = config.console.operator_token.as_ref();
    let guard = guard.map(|token| OperatorGuard::Token(OperatorToken::new(token)));
    let operations = Operations { db: app.db.clone(), telemetry, key, clock: app.clock, doctor };
    let settings = ConsoleSettings {
        api: config.path_prefix.as_str().to_owned(),
        mode: Mode::Serve,
        version: env!("CARGO_PKG_VERSION"),
        login: config.console.login.as_ref().map(LoginSettings::new),
        operator: guard.is_some(),
        demo: None,
    };
    Ok(ConsoleParts {
        files: AppFiles::embedded(),
        headers: build_security_headers(&config.service, &config.console, &app.objects).await?,
        settings,
        operations: guard.map(|guard| (guard, operations)),
    })
}

/// Keeps the signing key up to date. Never returns.
async fn reload_signer_periodically(cdn: Cdn, clock: Clock, rotation: Arc<KeyRotation>) {
    loop {
        cdn.reload_signer(&rotation, clock.now()).await;
        tokio::time::sleep(KEY_CHECK_INTERVAL).await;
    }
}
