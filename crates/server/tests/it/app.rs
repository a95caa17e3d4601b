//! One test's service, with a tenant, an S3 and an edge of its own.

// The benchmark has this file elsewhere in its tree of modules, so the place of its part is said.
#[path = "app/restores.rs"]
mod restores;

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use api::{App, Cdn, ProxyPolicy, Realm};
use authorize::Authorizer;
use aws::{Clock, HttpClient};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use axum::{Router, body::Body, middleware::from_fn_with_state};
use bytes::Bytes;
use database::{Db, Password, PoolConfig, Tls};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use local::{
    edge::{EdgeConfig, EdgeServer},
    faults::FaultInjector,
    s3::{S3Config, S3Server, S3Store},
    testing,
    tokens::LocalIssuer,
    workspace::{Dataset, NewPackage, Package, SourceFile, User, Workspace},
};
use packages::{asset::AssetPath, id::PackageId};
use restore::{RestoreLimits, Restorer, changelog::Changelog, deletions::DeleteRecords, queue::WorkerQueue};
use serde_json::Value;
use server::authentication::authenticate;
use signing::s3::{Bucket, Region};
use signing::{
    cloudfront::{HashAlgorithm, KeyPairId, PrivateKey, Signer, Verifier},
    s3::CustomEndpoint,
};
use storage::{ObjectStore, StorageConfig};
use tempfile::TempDir;
use tokio_postgres::config::Host;
use tower::ServiceExt;

pub(crate) const STORAGE: &str = "test-storage";
pub(crate) const ASSETS: &str = "test-assets";

static ISSUER: LazyLock<LocalIssuer> =
    LazyLock::new(|| LocalIssuer::new(&LocalIssuer::generate_key().unwrap()).unwrap());

pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) router: Router,
    pub(crate) workspace: Workspace,
    pub(crate) dataset: Dataset,
    pub(crate) store: S3Store,
    pub(crate) faults: FaultInjector,
    pub(crate) restorer: Restorer,
    /// The URL of the database.
    pub(crate) database: String,
    dir: TempDir,
    _servers: (S3Server, EdgeServer),
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts that this is a problem with this status, in its full shape, and answers its detail.
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.header("access-control-allow-origin"), "*");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["message"], problem["detail"]);
        assert_eq!(problem["requestId"], self.header("x-request-id"));
        assert!(!self.header("x-request-id").is_empty());
        assert!(problem["type"].is_string() && problem["title"].is_string());
        problem["detail"].as_str().unwrap().to_owned()
    }
}

/// Signers of links with a key each, and the edge's view of them.
pub(crate) fn signer(key: PrivateKey, hash: HashAlgorithm) -> (Signer, Verifier) {
    let id = KeyPairId::new("KTEST0000001").unwrap();
    let verifier = Verifier::new().with_key(id.clone(), key.public_key().unwrap());
    (Signer::new(id, key, hash), verifier)
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::start_with(PrivateKey::generate_p256().unwrap(), HashAlgorithm::Sha256).await
    }

    pub(crate) async fn start_with(key: PrivateKey, hash: HashAlgorithm) -> Self {
        Self::start_in(testing::database_url().await, key, hash).await
    }

    /// With a database that no other test is in.
    pub(crate) async fn start_alone() -> Self {
        let database = testing::isolated_database_url().await;
        Self::start_in(&database, PrivateKey::generate_p256().unwrap(), HashAlgorithm::Sha256).await
    }

    async fn start_in(database: &str, key: PrivateKey, hash: HashAlgorithm) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = S3Store::open(&dir.path().join("s3"), Clock::System).unwrap();
        store.create_bucket(STORAGE).unwrap();
        store.create_bucket(ASSETS).unwrap();
        let faults = FaultInjector::default();
        let s3 = S3Config { faults: faults.clone(), ..S3Config::new(store.clone()) };
        let s3 = S3Server::start(s3).await.unwrap();
        let (signer, verifier) = signer(key, hash);
        let address = ([127, 0, 0, 1], 0).into();
        let edge = EdgeConfig {
            store: store.clone(),
            bucket: ASSETS.into(),
            address,
            verifier,
            clock: Clock::System,
        };
        let edge = EdgeServer::start(edge).await.unwrap();

        let workspace = testing::create_workspace_in(database).await;
        let dataset = workspace.create_dataset("Test").await.unwrap();
        let db = Db::new(database.parse().unwrap(), 4).unwrap();
        let app = app((&s3, &edge), signer, db);
        let restorer = Restorer {
            db: app.db.clone(),
            objects: app.objects.clone(),
            changelog: Changelog::file(dir.path().join("changelog.jsonl")),
            deletions: DeleteRecords::None,
            clock: Clock::System,
            limits: RestoreLimits {
                // Long enough that a busy machine does not reach the retry within the run that failed.
                retry_delays: [Duration::from_millis(250); 2],
                ..RestoreLimits::default()
            },
        };
        Self {
            router: router(&app),
            app,
            workspace,
            dataset,
            store,
            faults,
            restorer,
            database: database.to_owned(),
            dir,
            _servers: (s3, edge),
        }
    }

    /// The same service at another time.
    pub(crate) fn at(&mut self, clock: Clock) {
        self.app.clock = clock;
        // Tokens are still believed by the time that it really is: only links are made at the other time.
        self.router = router(&self.app);
    }

    /// The same service with another way to the database.
    pub(crate) fn through(&mut self, db: Db) {
        self.app.db = db.clone();
        self.restorer.db = db;
        self.router = router(&self.app);
    }

    pub(crate) async fn user(&self, role: &str) -> User {
        let user = self.workspace.create_user(&format!("{role}@example.org")).await.unwrap();
        self.workspace.grant_user_role(&self.dataset, &user, role).await.unwrap();
        user
    }

    /// A bearer token for a fresh user with this role in the dataset.
    pub(crate) async fn token(&self, role: &str) -> String {
        token(&self.user(role).await)
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(request("GET", path, token, Body::empty())).await
    }

    pub(crate) async fn head(&self, path: &str, token: &str, range: Option<&str>) -> Answer {
        let mut request = request("HEAD", path, token, Body::empty());
        if let Some(range) = range {
            request.headers_mut().insert("range", range.parse().unwrap());
        }
        self.send(request).await
    }

    pub(crate) fn presign_path(&self, package: &Package, more: &str) -> String {
        format!(
            "/packages/presign/s3?dataset_id={}&package_id={}{more}",
            self.dataset.node_id, package.node_id
        )
    }

    pub(crate) fn sign_path(&self, package: &Package, path: &str) -> String {
        let (dataset, package) = (&self.dataset.node_id, &package.node_id);
        format!("/packages/cloudfront/sign?dataset_id={dataset}&package_id={package}&path={path}")
    }

    /// A live package with a stored file.
    pub(crate) async fn file(&self, parent: Option<&Package>, name: &str, bytes: &[u8]) -> Package {
        let key = self.workspace.storage_key(&self.dataset);
        self.store.put(STORAGE, &key, bytes.to_vec(), "text/plain").unwrap();
        let size = i64::try_from(bytes.len()).unwrap();
        self.workspace
            .create_file(&self.dataset, parent, name, SourceFile::new(STORAGE, &key, size))
            .await
            .unwrap()
    }

    pub(crate) async fn folder(&self, parent: Option<&Package>, name: &str) -> Package {
        self.workspace.create_collection(&self.dataset, parent, name).await.unwrap()
    }

    /// Many files of one folder, each of one byte.
    pub(crate) async fn files(&self, parent: &Package, count: usize) -> Vec<Package> {
        let upload = uuid();
        let new: Vec<NewPackage> = (0..count)
            .map(|n| {
                let key = format!("O{}/D{}/{upload}/{}", self.workspace.id, self.dataset.id, uuid());
                self.store.put(STORAGE, &key, vec![b'x'], "text/plain").unwrap();
                NewPackage::file(Some(parent.id), &format!("{n}.txt"), SourceFile::new(STORAGE, &key, 1))
            })
            .collect();
        self.workspace.create_packages(&self.dataset, &new).await.unwrap()
    }

    pub(crate) fn asset(&self, package: &Package, path: &str, bytes: &[u8]) {
        let key = AssetPath::parse(path).unwrap().object_key(self.workspace.id, self.dataset.id, package.id);
        self.store.put(ASSETS, &key, bytes.to_vec(), "application/octet-stream").unwrap();
    }

    /// Into the trash, rows and objects, as the platform does it.
    pub(crate) async fn trash(&self, package: &Package) {
        self.workspace.trash(package).await.unwrap();
        let sql = format!(
            r#"WITH RECURSIVE tree AS (
                   SELECT $1::int AS id UNION ALL
                   SELECT p.id FROM tree JOIN "{0}".packages p ON p.parent_id = tree.id
               ) SELECT f.s3_key FROM tree JOIN "{0}".files f ON f.package_id = tree.id"#,
            self.workspace.id
        );
        for row in self.workspace.client.query(&sql, &[&package.id.0]).await.unwrap() {
            let key: &str = row.get(0);
            if self.store.list_versions(STORAGE, key).first().is_some_and(|top| !top.delete_marker) {
                self.store.add_delete_marker(STORAGE, key).unwrap();
            }
        }
    }

    /// Another dataset, with a file in its trash.
    pub(crate) async fn trash_elsewhere(&mut self) -> (Dataset, Package) {
        let other = self.workspace.create_dataset("Elsewhere").await.unwrap();
        let home = std::mem::replace(&mut self.dataset, other);
        let file = self.file(None, "single", b"-").await;
        self.trash(&file).await;
        (std::mem::replace(&mut self.dataset, home), file)
    }

    /// The same database over connections that nobody else uses.
    pub(crate) fn separate_db(&self, connections: usize) -> Db {
        Db::new(self.database.parse().unwrap(), connections).unwrap()
    }

    /// The stored keys of a package.
    pub(crate) async fn keys(&self, package: &Package) -> Vec<String> {
        self.workspace.load_keys(package.id).await.unwrap()
    }

    /// State and name.
    pub(crate) async fn row(&self, package: PackageId) -> (String, String) {
        self.workspace.load_state_and_name(package).await.unwrap()
    }

    pub(crate) async fn sql(&self, sql: &str) {
        let sql = sql.replace("WORKSPACE", &self.workspace.id.to_string());
        self.workspace.client.batch_execute(&sql).await.unwrap();
    }
}

fn app((s3, edge): (&S3Server, &EdgeServer), signer: Signer, db: Db) -> App {
    let endpoint = CustomEndpoint::parse(&s3.endpoint()).unwrap();
    let keys = local::s3::Credentials::local();
    let credentials = Credentials::new(keys.access_key, keys.secret_key, None, None, "test");
    let settings = StorageConfig {
        endpoint: Some(endpoint.clone()),
        region: Region::new("us-east-1").unwrap(),
        credentials: SharedCredentialsProvider::new(credentials),
    };
    App {
        db,
        objects: ObjectStore::new(settings, HttpClient::new().unwrap()),
        viewer_assets: Bucket::new(ASSETS).unwrap(),
        cdn: Cdn::new(&edge.endpoint(), signer),
        proxy: ProxyPolicy::new(vec![Bucket::new(ASSETS).unwrap()], Some(endpoint)),
        queue: WorkerQueue::Local(Arc::default()),
        clock: Clock::System,
        realm: Realm::new("example.org").unwrap(),
    }
}

/// The database of a URL, as a host is told of it.
pub(crate) fn database(url: &str) -> PoolConfig {
    let config: tokio_postgres::Config = url.parse().unwrap();
    let Host::Tcp(host) = &config.get_hosts()[0] else { panic!("TCP") };
    let password = String::from_utf8(config.get_password().unwrap_or_default().to_vec()).unwrap();
    PoolConfig {
        host: host.clone(),
        port: config.get_ports().first().copied().unwrap_or(5432),
        user: config.get_user().unwrap().to_owned(),
        name: config.get_dbname().unwrap().to_owned(),
        password: Password::Fixed(password.into()),
        tls: Tls::Disabled,
        max_connections: 4,
        clock: Clock::System,
    }
}

pub(crate) fn router(app: &App) -> Router {
    router_believing(app, ISSUER.verifier())
}

/// The same service, but one that believes other tokens.
pub(crate) fn router_believing(app: &App, verifier: authorize::TokenVerifier) -> Router {
    let authorizer = Authorizer::new(verifier, app.db.clone(), Clock::System);
    api::router(app.clone(), |private| private.layer(from_fn_with_state(authorizer, authenticate)))
}

pub(crate) fn token(user: &User) -> String {
    ISSUER.issue_user_token(user.cognito_id, Clock::System.now(), 3600).unwrap()
}

pub(crate) fn api_key_token(api_key: &str) -> String {
    ISSUER.issue_api_key_token(api_key, Clock::System.now(), 3600).unwrap()
}

pub(crate) fn expired_token(user: &User) -> String {
    ISSUER.issue_user_token(user.cognito_id, Clock::System.now() - 7200, 3600).unwrap()
}

pub(crate) fn request(method: &str, path: &str, token: &str, body: Body) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(body).unwrap()
}

pub(crate) fn uuid() -> uuid::Uuid {
    uuid::Uuid::new_v4()
}

/// Fetches a link as a stranger would: over a socket, with nothing but the link.
pub(crate) async fn fetch(method: &str, url: &str) -> Answer {
    over_the_wire(request(method, url, "", Body::empty())).await
}

/// Sends a request over a socket.
pub(crate) async fn over_the_wire(request: Request<Body>) -> Answer {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let response = client.request(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status, headers: parts.headers, body }
}

/// A text percent-encoded whole, for a query parameter of its own.
pub(crate) fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
