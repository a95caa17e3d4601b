//! `packages-service dev`: the service and its local stack, in one process next to Postgres.

mod console;
mod environment;
mod stack_file;
pub(crate) mod token;
mod welcome;

use std::{ffi::OsString, io, net::SocketAddr, path::PathBuf, sync::Arc};

use authorize::Authorizer;
use aws::Clock;
use axum::{Json, Router, routing::get};
use hosting::{
    HostBuilder,
    config::{self, variables::PROXY_ALLOWED_BUCKETS},
};
use local::{
    demo::{self, Demo},
    stack::{Ports, REGION, STORAGE_BUCKET, Stack, VIEWER_ASSETS_BUCKET},
    state::StateDir,
};
use restore::{Restorer, changelog::Changelog, queue::WorkerQueue};
use tokio::{net::TcpListener, sync::Notify};

use server::{
    authentication::authenticate,
    metrics::metrics_router,
    serve::{ConnectionLimits, serve},
    worker::WorkerThread,
};
use telemetry::{Host, LogFormat, Telemetry, TelemetryConfig};

use self::{
    console::ConsoleSource,
    environment::{ENV_FILE_NAME, format_env_file, stack_variables},
    stack_file::{STACK_FILE_NAME, StackFile},
    token::TOKEN_LIFETIME_SECONDS,
    welcome::print_welcome,
};
use crate::{CommandError, CommandResult, StateDirOption, print_line, shutdown::shutdown_signal};

#[derive(clap::Args)]
pub(crate) struct DevOptions {
    #[command(flatten)]
    state: StateDirOption,
    /// The API's port; 0 for any free port
    #[arg(long, value_name = "N", default_value_t = 8080)]
    port: u16,
    /// Postgres's port; 0 for any free port
    #[arg(long, value_name = "N", default_value_t = 0)]
    postgres_port: u16,
    /// S3's port; 0 for any free port
    #[arg(long, value_name = "N", default_value_t = 0)]
    s3_port: u16,
    /// The edge's port; 0 for any free port
    #[arg(long, value_name = "N", default_value_t = 0)]
    edge_port: u16,
    /// Delete the state of earlier runs first
    #[arg(long)]
    fresh: bool,
    /// The directory with Postgres's programs, if it is not a usual one
    // Not a path, of which clap refuses an empty one: an empty variable counts as not set.
    #[arg(long, env = "PG_BIN_DIR", value_name = "DIR")]
    postgres: Option<OsString>,
    /// The buckets whose presigned URLs the proxy accepts, if not both; a comma for none
    #[arg(long, env = PROXY_ALLOWED_BUCKETS.name(), value_name = "LIST")]
    proxy_allowed_buckets: Option<String>,
    /// Do not serve the console, the web app at `/`
    #[arg(long)]
    no_console: bool,
    /// A directory with the built console, which is read at each request, in place of the one in the program
    #[arg(long, value_name = "DIR", conflicts_with = "no_console")]
    console_dir: Option<PathBuf>,
    /// The log filter, for example `info,storage=debug`
    #[arg(long, env = "RUST_LOG", value_name = "FILTER", default_value = "info")]
    log: String,
}

/// Runs the service and the stack until a signal stops them.
pub(crate) fn run_dev(options: DevOptions) -> CommandResult {
    let telemetry = telemetry::init(TelemetryConfig {
        filter: &options.log,
        service: "packages-service",
        environment: "local",
        host: Host::Server(LogFormat::Text),
        xray_daemon: None,
        catalog: &hosting::telemetry_catalog(),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run_stack(options, telemetry))
}

async fn run_stack(options: DevOptions, telemetry: Telemetry) -> CommandResult {
    // First, so that an occupied port is reported before Postgres starts.
    let listener = bind_listener(options.port).await?;
    let state = StateDir::lock(&options.state.state_dir)?;
    if options.fresh {
        state.clear()?;
    }
    let ports = Ports { postgres: options.postgres_port, s3: options.s3_port, edge: options.edge_port };
    let binaries = options.postgres.clone().filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let stack = Stack::start(&state, binaries, ports).await?;
    let local_stack = LocalStack { options: &options, state: &state, stack: &stack };
    let result = Box::pin(local_stack.run_service(listener, telemetry)).await;
    // Also after an error: Postgres is a process of its own and would stay.
    stack.stop().await;
    result
}

async fn bind_listener(port: u16) -> Result<TcpListener, CommandError> {
    TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port)))
        .await
        .map_err(|error| format!("cannot use port {port}: {error}; choose another with --port N").into())
}

/// What the service runs on.
struct LocalStack<'a> {
    options: &'a DevOptions,
    state: &'a StateDir,
    stack: &'a Stack,
}

impl LocalStack<'_> {
    async fn run_service(&self, listener: TcpListener, telemetry: Telemetry) -> CommandResult {
        let Self { options, state, stack } = *self;
        let demo = demo::ensure_demo(state, stack.connect().await?, &stack.store).await?;
        let file = describe_stack(&demo, stack, listener.local_addr()?)?;
        let mut variables = stack_variables(stack, state.path(), listener.local_addr()?)?;
        // Read by the same rules as in `serve`.
        variables
            .extend(options.proxy_allowed_buckets.clone().map(|list| (PROXY_ALLOWED_BUCKETS.name(), list)));
        let config = config::ServerConfig::read(&|name| variables.get(name).cloned())?;
        let builder = HostBuilder::from_environment(config.service.platform.clone())?;
        let wake = Arc::new(Notify::new());
        let queue = WorkerQueue::Local(Arc::clone(&wake));
        let (db, (cdn, key)) = (builder.connect_db().await?, builder.load_cdn(&config.service.cdn).await?);
        let telemetry = Arc::new(telemetry);
        let app = builder.build_server_app(&config, db, cdn, queue)?;
        let restore = config.restore.clone().ok_or("restore is not configured")?;
        let stray_max_age = restore.stray_max_age;
        let worker = WorkerThread::start(build_restorer(restore, &builder, state)?, wake, stray_max_age)?;
        let callbacks = builder.callback_validators(&config.authorize.callback_functions)?;
        let authorizer = Authorizer::new(stack.issuer.verifier(), app.db.clone(), app.clock)
            .with_callbacks(callbacks)
            .with_decision_cache(config.authorization_cache);
        let router = api::router(app.clone(), authenticate(authorizer))
            .merge(self.jwks_router())
            .merge(metrics_router(Arc::clone(&telemetry)));
        let source = ConsoleSource { config: &config, app: &app, telemetry, key, variables: &variables };
        let router = self.add_console(router, &file, source).await?;

        let stop = shutdown_signal();
        // Late, because scripts wait for this file before they send requests.
        state.write_file(STACK_FILE_NAME, &serde_json::to_string_pretty(&file)?)?;
        state.write_file(ENV_FILE_NAME, &format_env_file(&variables))?;
        write_token_headers(state, &file)?;
        print_welcome(&file, state.path(), !options.no_console);
        let limits = ConnectionLimits::from_config(&config.connections);
        serve(listener, router, limits, stop).await;
        print_line("Stopping.");
        // Before Postgres stops: the workers use it.
        drop(worker);
        Ok(())
    }

    /// The keys of the local identity provider, at the path where Cognito has them.
    fn jwks_router(&self) -> Router {
        let keys = self.stack.issuer.jwks().clone();
        Router::new().route("/{pool}/.well-known/jwks.json", get(async || Json(keys)))
    }
}

/// Builds the workers' state. The changelog goes to a file in place of a queue.
fn build_restorer(
    config: config::RestoreConfig,
    builder: &HostBuilder,
    state: &StateDir,
) -> Result<Restorer, CommandError> {
    let changelog = Changelog::file(state.create_private_file("changelog.jsonl")?);
    Ok(Restorer { changelog, ..builder.build_server_restorer(config)? })
}

fn describe_stack(demo: &Demo, stack: &Stack, api: SocketAddr) -> Result<StackFile, CommandError> {
    let now = Clock::System.now();
    let user = |person: &demo::DemoUser| {
        Ok(stack_file::User {
            email: person.email.clone(),
            node_id: person.node_id.clone(),
            workspace_id: person.workspace.0,
            role: person.role.clone(),
            cognito_id: person.cognito_id,
            token: stack.issuer.issue_user_token(person.cognito_id, now, TOKEN_LIFETIME_SECONDS)?,
        })
    };
    let keys = stack.s3_credentials.clone();
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
        users: demo.users.iter().map(user).collect::<Result<_, CommandError>>()?,
        demo: stack_file::Demo {
            workspace_id: demo.workspace.0,
            dataset_node_id: demo.dataset.to_string(),
            course_dataset_node_id: demo.course_dataset.as_ref().map(ToString::to_string),
            other_dataset_node_id: demo.other_dataset.to_string(),
            packages: demo.packages.clone(),
        },
    })
}

/// Writes a header file for curl (`-H @FILE`) for each user. The tokens then stay out of command lines.
fn write_token_headers(state: &StateDir, file: &StackFile) -> io::Result<()> {
    for user in &file.users {
        state.write_file(
            &format!("tokens/{}", user.name()),
            &format!("Authorization: Bearer {}\n", user.token),
        )?;
    }
    Ok(())
}
