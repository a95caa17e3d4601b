//! `packages-service dev`: the service and all that it needs, in one process beside Postgres.

use std::{io, net::SocketAddr, path::PathBuf};

use api::{App, Cdn, ProxyPolicy, Realm};
use authorize::Authorizer;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use axum::{Json, Router, middleware::from_fn_with_state, routing::get};
use local::{
    demo::{self, Demo},
    stack::{Ports, REGION, STORAGE_BUCKET, Stack, VIEWER_ASSETS_BUCKET},
    state::StateDir,
};
use packages::{
    changelog::Changelog,
    clock::Clock,
    db::Db,
    deletions::DeletionRecords,
    http::Http,
    objects::{Bucket, Objects, Region, Settings},
    queue::Queue,
    restore::Restorer,
};
use signing::s3::CustomEndpoint;
use tokio::{net::TcpListener, sync::mpsc};

use server::{authentication::authenticate, metrics, serve, worker};
use telemetry::{Format, Host, Telemetry};

use crate::{
    StateDirOption, environment, say,
    stack_file::{self, StackFile},
    stop::stop,
    token, welcome,
};

/// Connections to Postgres at most.
const CONNECTIONS: usize = 16;

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
    let telemetry = telemetry::init(telemetry::Options {
        filter: &options.log,
        service: "packages-service",
        environment: "local",
        host: Host::Server(Format::Text),
        xray: None,
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(dev(options, telemetry))
}

async fn dev(options: Options, telemetry: Telemetry) -> io::Result<()> {
    let listener = listen(options.port).await?;
    let state = StateDir::take(&options.state.state_dir)?;
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
    let demo = demo::ensure(state, stack.connect().await?, &stack.store).await?;
    let file = stack_file(&demo, stack, listener.local_addr()?)?;
    let (queue, orders) = mpsc::unbounded_channel();
    let app = app(options, stack, Queue::InProcess(queue))?;
    let restorer = Restorer {
        db: app.db.clone(),
        objects: app.objects.clone(),
        changelog: Changelog::file(state.path().join("changelog.jsonl")),
        deletions: DeletionRecords::None,
        clock: app.clock,
    };
    worker::take_up(&app.db, &app.queue).await.map_err(io::Error::other)?;
    let worker = tokio::spawn(worker::work(restorer, orders));
    let authorizer = Authorizer::new(stack.issuer.verifier(), app.db.clone(), app.clock);
    let keys = stack.issuer.keys().clone();
    let router = api::router(app, |private| private.layer(from_fn_with_state(authorizer, authenticate)))
        .merge(Router::new().route("/{pool}/.well-known/jwks.json", get(async || Json(keys))))
        .merge(metrics::route(telemetry));

    state.write(stack_file::NAME, &serde_json::to_string_pretty(&file)?)?;
    state.write(environment::NAME, &environment::file(stack, state.path(), listener.local_addr()?)?)?;
    write_headers(state, &file)?;
    welcome::print(&file, state.path());
    serve::serve(listener, router, stop()).await;
    say("Stopping.");
    worker.abort();
    Ok(())
}

fn app(options: &Options, stack: &Stack, queue: Queue) -> io::Result<App> {
    let endpoint = CustomEndpoint::parse(&stack.s3.endpoint()).map_err(io::Error::other)?;
    let keys = local::s3::Credentials::local();
    let credentials = Credentials::new(keys.access_key, keys.secret_key, None, None, "local");
    let settings = Settings {
        endpoint: Some(endpoint.clone()),
        region: Region::new(REGION).map_err(io::Error::other)?,
        credentials: SharedCredentialsProvider::new(credentials),
    };
    let bucket = |name: &String| Bucket::new(name.trim()).map_err(io::Error::other);
    let named = options.proxy_allowed_buckets.iter().filter(|name| !name.trim().is_empty());
    let buckets = named.map(bucket).collect::<io::Result<_>>()?;
    let postgres = stack.postgres.url().parse().map_err(io::Error::other)?;
    Ok(App {
        db: Db::new(postgres, CONNECTIONS).map_err(io::Error::other)?,
        objects: Objects::new(settings, Http::new().map_err(io::Error::other)?),
        viewer_assets: Bucket::new(VIEWER_ASSETS_BUCKET).map_err(io::Error::other)?,
        cdn: Cdn::new(&stack.edge.endpoint(), stack.signer()?),
        proxy: ProxyPolicy::new(buckets, Some(endpoint)),
        queue,
        clock: Clock::System,
        realm: Realm::new("localhost").ok_or_else(|| io::Error::other("no realm"))?,
    })
}

fn stack_file(demo: &Demo, stack: &Stack, api: SocketAddr) -> io::Result<StackFile> {
    let now = Clock::System.now();
    let user = |person: &demo::Person| {
        Ok(stack_file::User {
            email: person.email.clone(),
            node_id: person.node_id.clone(),
            workspace_id: person.workspace.0,
            role: person.role.clone(),
            cognito_id: person.cognito_id,
            token: stack.issuer.issue(person.cognito_id, now, token::LIFE).map_err(io::Error::other)?,
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
        users: demo.people.iter().map(user).collect::<io::Result<_>>()?,
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
        state.write(&format!("tokens/{name}"), &format!("Authorization: Bearer {}\n", user.token))?;
    }
    Ok(())
}
