//! `packages-service dev`: the service and all that it needs, in one process beside Postgres.

mod environment;
mod stack_file;
pub(crate) mod token;
mod welcome;

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use api::{App, ProxyPolicy};
use authorize::Authorizer;
use aws::Clock;
use axum::{Json, Router, middleware::from_fn_with_state, routing::get};
use hosting::{
    HostBuilder, StartupError,
    config::{self, variables::PROXY_ALLOWED_BUCKETS},
};
use local::{
    demo::{self, Demo},
    stack::{Ports, REGION, STORAGE_BUCKET, Stack, VIEWER_ASSETS_BUCKET},
    state::StateDir,
};
use restore::{Restorer, changelog::Changelog, queue::WorkerQueue};
use signing::s3::Bucket;
use tokio::{net::TcpListener, sync::Notify};

use server::{authentication::authenticate, metrics, serve, worker::WorkerThread};
use telemetry::{Host, LogFormat, Telemetry, TelemetryConfig};

use self::stack_file::StackFile;
use crate::{StateDirOption, say, stop::stop};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    state: StateDirOption,
    /// The API's port; 0 for any that is free
    #[arg(long, value_name = "N", default_value_t = 8080)]
    port: u16,
    /// Postgres's port; 0 for any that is free
    #[arg(long, value_name = "N", default_value_t = 0)]
    postgres_port: u16,
    /// S3's port; 0 for any that is free
    #[arg(long, value_name = "N", default_value_t = 0)]
    s3_port: u16,
    /// The edge's port; 0 for any that is free
    #[arg(long, value_name = "N", default_value_t = 0)]
    edge_port: u16,
    /// Forget what earlier runs left in the state directory
    #[arg(long)]
    fresh: bool,
    /// Where Postgres's programs are, if not where they usually are
    #[arg(long, env = "PG_BIN_DIR", value_name = "DIR")]
    postgres: Option<PathBuf>,
    /// Buckets whose presigned URLs the proxy lets through
    #[arg(long, env = "PROXY_ALLOWED_BUCKETS", value_name = "LIST", value_delimiter = ',', default_value = VIEWER_ASSETS_BUCKET)]
    proxy_allowed_buckets: Vec<String>,
    /// What to log, as in `info,packages=debug`
    #[arg(long, env = "RUST_LOG", value_name = "FILTER", default_value = "info")]
    log: String,
}

/// Runs until it is told to stop.
pub(crate) fn run(options: Options) -> io::Result<()> {
    let telemetry = telemetry::init(TelemetryConfig {
        filter: &options.log,
        service: "packages-service",
        environment: "local",
        host: Host::Server(LogFormat::Text),
        xray_daemon: None,
        catalog: &hosting::telemetry_catalog(),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(dev(options, telemetry))
}

async fn dev(options: Options, telemetry: Telemetry) -> io::Result<()> {
    let listener = listen(options.port).await?;
    let state = StateDir::lock(&options.state.state_dir)?;
    if options.fresh {
        state.clear()?;
    }
    let ports = Ports { postgres: options.postgres_port, s3: options.s3_port, edge: options.edge_port };
    let stack = Stack::start(&state, options.postgres.clone(), ports).await?;
    let served = Box::pin(service(&options, (&state, &stack), listener, telemetry)).await;
    stack.stop().await;
    served
}

async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await.map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("port {port} cannot be used ({error}); choose another with --port N"),
        )
    })
}

async fn service(
    options: &Options,
    (state, stack): (&StateDir, &Stack),
    listener: TcpListener,
    telemetry: Telemetry,
) -> io::Result<()> {
    let demo = demo::ensure_demo(state, stack.connect().await?, &stack.store).await?;
    let file = stack_file(&demo, stack, listener.local_addr()?)?;
    let variables = environment::variables(stack, state.path(), listener.local_addr()?)?;
    let config =
        config::ServerConfig::read(&|name| variables.get(name).cloned()).map_err(io::Error::other)?;
    let builder = HostBuilder::from_environment(config.service.platform.clone()).map_err(io::Error::other)?;
    let wake = Arc::new(Notify::new());
    let queue = WorkerQueue::Local(Arc::clone(&wake));
    let app =
        app(&config, &builder, queue, &options.proxy_allowed_buckets).await.map_err(io::Error::other)?;
    let restore = config.restore.ok_or_else(|| io::Error::other("restore is not configured"))?;
    let stray_max_age = restore.stray_max_age;
    let restorer = restorer(restore, &builder, state).map_err(io::Error::other)?;
    let worker = WorkerThread::start(restorer, wake, stray_max_age)?;
    let authorizer = Authorizer::new(stack.issuer.verifier(), app.db.clone(), app.clock);
    let keys = stack.issuer.jwks().clone();
    let router = api::router(app, |private| private.layer(from_fn_with_state(authorizer, authenticate)))
        .merge(Router::new().route("/{pool}/.well-known/jwks.json", get(async || Json(keys))))
        .merge(metrics::route(telemetry));

    state.write_file(stack_file::NAME, &serde_json::to_string_pretty(&file)?)?;
    state.write_file(environment::NAME, &environment::file(&variables))?;
    write_headers(state, &file)?;
    welcome::print(&file, state.path());
    serve::serve(listener, router, stop()).await;
    say("Stopping.");
    drop(worker);
    Ok(())
}

/// The same service as everywhere, on the stack's own places.
async fn app(
    config: &config::ServerConfig,
    builder: &HostBuilder,
    queue: WorkerQueue,
    proxy: &[String],
) -> Result<App, StartupError> {
    let (db, (cdn, _)) = (builder.connect_db().await?, builder.load_cdn(&config.service.cdn).await?);
    let app = builder.build_app(config.service.clone(), db, cdn, queue)?;
    let bucket = |name: &String| {
        Bucket::new(name.trim()).map_err(|_| StartupError::InvalidVariable(PROXY_ALLOWED_BUCKETS.name()))
    };
    let named = proxy.iter().filter(|name| !name.trim().is_empty());
    let buckets = named.map(bucket).collect::<Result<_, _>>()?;
    let endpoint = config.service.platform.endpoints.s3.clone();
    Ok(App { proxy: ProxyPolicy::new(buckets, endpoint), ..app })
}

/// The worker's part, which tells a file what it would tell a queue.
fn restorer(
    config: config::RestoreConfig,
    builder: &HostBuilder,
    state: &StateDir,
) -> Result<Restorer, StartupError> {
    let changelog = Changelog::file(state.path().join("changelog.jsonl"));
    Ok(Restorer { changelog, ..builder.build_server_restorer(config)? })
}

fn stack_file(demo: &Demo, stack: &Stack, api: SocketAddr) -> io::Result<StackFile> {
    let now = Clock::System.now();
    let user = |person: &demo::DemoUser| {
        Ok(stack_file::User {
            email: person.email.clone(),
            node_id: person.node_id.clone(),
            workspace_id: person.workspace.0,
            role: person.role.clone(),
            cognito_id: person.cognito_id,
            token: stack
                .issuer
                .issue_user_token(person.cognito_id, now, token::LIFE)
                .map_err(io::Error::other)?,
        })
    };
    let keys = local::s3::Credentials::local();
    Ok(StackFile {
        api: format!("http://{api}/packages"),
        edge: stack.edge.endpoint(),
        s3: stack_file::S3 {
            endpoint: stack.s3.endpoint(),
            region: REGION.to_owned(),
            access_key_id: keys.access_key,
            secret_access_key: keys.secret_key,
            storage_bucket: STORAGE_BUCKET.to_owned(),
            viewer_assets_bucket: VIEWER_ASSETS_BUCKET.to_owned(),
        },
        database_url: stack.postgres.url(),
        users: demo.users.iter().map(user).collect::<io::Result<_>>()?,
        demo: stack_file::Demo {
            workspace_id: demo.workspace.0,
            dataset_node_id: demo.dataset.to_string(),
            other_dataset_node_id: demo.other_dataset.to_string(),
            packages: demo.packages.clone(),
        },
    })
}

/// A header file for curl (`-H @FILE`) for each user, so that command lines stay short and free of tokens.
fn write_headers(state: &StateDir, file: &StackFile) -> io::Result<()> {
    for user in &file.users {
        let name = user.email.split('@').next().unwrap_or_default();
        state.write_file(&format!("tokens/{name}"), &format!("Authorization: Bearer {}\n", user.token))?;
    }
    Ok(())
}
