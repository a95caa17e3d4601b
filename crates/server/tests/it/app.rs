//! A service for one test, with its own tenant, S3 and edge.

// The example `restore` includes this file under another module path, so the path of its part is explicit.
#[path = "app/restores.rs"]
mod restores;

use std::{
    error::Error,
    sync::{Arc, LazyLock},
    time::Duration,
};

use api::{App, Cdn, PathPrefix, ProxyPolicy, Realm, RequestLimits};
use authorize::Authorizer;
use aws::{Clock, HttpClient};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use axum::{Router, body::Body};
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
use packages::{asset::AssetPath, id::PackageId, link_period::LinkWindow};
use restore::{
    BrokenWorkspaces, RestoreLimits, Restorer, changelog::Changelog, delete_records::DeleteRecords,
    queue::WorkerQueue,
};
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

/// A response with its whole body.
#[derive(Debug)]
pub(crate) struct TestResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl TestResponse {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts that this is a complete problem with this status. Returns its detail.
    pub(crate) fn assert_problem(&self, status: u16) -> String {
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

/// A signer with this key, and the verifier of the edge for it.
pub(crate) fn create_signer(key: PrivateKey, hash: HashAlgorithm) -> (Signer, Verifier) {
    let id = KeyPairId::new("KTEST0000001").unwrap();
    let verifier = Verifier::new().with_key(id.clone(), key.public_key().unwrap());
    (Signer::new(id, key, hash), verifier)
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::start_with_key(PrivateKey::generate_p256().unwrap(), HashAlgorithm::Sha256).await
    }

    pub(crate) async fn start_with_key(key: PrivateKey, hash: HashAlgorithm) -> Self {
        Self::start_in_database(testing::database_url().await, key, hash).await
    }

    /// Starts the service with a database of its own.
    pub(crate) async fn start_with_own_database() -> Self {
        Self::start_in(&testing::isolated_database_url().await).await
    }

    /// Starts the service with this database.
    pub(crate) async fn start_in(database: &str) -> Self {
        Self::start_in_database(database, PrivateKey::generate_p256().unwrap(), HashAlgorithm::Sha256).await
    }

    async fn start_in_database(database: &str, key: PrivateKey, hash: HashAlgorithm) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = S3Store::open(&dir.path().join("s3"), Clock::System).unwrap();
        store.create_bucket(STORAGE).unwrap();
        store.create_bucket(ASSETS).unwrap();
        let faults = FaultInjector::default();
        let s3 = S3Config { faults: faults.clone(), ..S3Config::new(store.clone()) };
        let s3 = S3Server::start(s3).await.unwrap();
        let (signer, verifier) = create_signer(key, hash);
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
        let app = build_app((&s3, &edge), signer, db);
        let restorer = Restorer {
            db: app.db.clone(),
            objects: app.objects.clone(),
            changelog: Changelog::file(dir.path().join("changelog.jsonl")),
            delete_records: DeleteRecords::None,
            clock: Clock::System,
            limits: RestoreLimits {
                // Long enough that a busy machine does not reach the retry within the run that failed.
                retry_delays: [Duration::from_millis(250); 2],
                ..RestoreLimits::default()
            },
            broken_workspaces: BrokenWorkspaces::default(),
        };
        Self {
            router: build_router(&app),
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

    /// Sets the time at which links are signed.
    pub(crate) fn set_clock(&mut self, clock: Clock) {
        self.app.clock = clock;
        // Only links use this clock. Tokens are verified with the system clock.
        self.router = build_router(&self.app);
    }

    /// Replaces the connection pool of the service and of the worker.
    pub(crate) fn set_db(&mut self, db: Db) {
        self.app.db = db.clone();
        self.restorer.db = db;
        self.router = build_router(&self.app);
    }

    pub(crate) async fn create_user(&self, role: &str) -> User {
        let user = self.workspace.create_user(&format!("{role}@example.org")).await.unwrap();
        self.workspace.grant_user_role(&self.dataset, &user, role).await.unwrap();
        user
    }

    /// A bearer token for a new user with this role in the dataset.
    pub(crate) async fn create_token(&self, role: &str) -> String {
        issue_token(&self.create_user(role).await)
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> TestResponse {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        TestResponse { status: parts.status, headers: parts.headers, body }
    }

    /// All items of a list, read in pages of `limit`. The path has a query.
    pub(crate) async fn walk_pages(&self, token: &str, path: &str, limit: usize) -> Vec<Value> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let response = self.get(&format!("{path}&limit={limit}{cursor}"), token).await;
            assert_eq!(response.status, 200, "{:?}", response.body);
            let page = response.json();
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= limit);
            all.extend_from_slice(items);
            let Some(next) = page["next"].as_str() else { return all };
            cursor = format!("&cursor={next}");
        }
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> TestResponse {
        self.send(build_request("GET", path, token, Body::empty())).await
    }

    pub(crate) async fn head(&self, path: &str, token: &str, range: Option<&str>) -> TestResponse {
        let mut request = build_request("HEAD", path, token, Body::empty());
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

    /// Creates a live package with a stored file.
    pub(crate) async fn create_file(&self, parent: Option<&Package>, name: &str, bytes: &[u8]) -> Package {
        let key = self.workspace.storage_key(&self.dataset);
        self.store.put(STORAGE, &key, bytes.to_vec(), "text/plain").unwrap();
        let size = i64::try_from(bytes.len()).unwrap();
        self.workspace
            .create_file(&self.dataset, parent, name, SourceFile::new(STORAGE, &key, size))
            .await
            .unwrap()
    }

    pub(crate) async fn create_folder(&self, parent: Option<&Package>, name: &str) -> Package {
        self.workspace.create_collection(&self.dataset, parent, name).await.unwrap()
    }

    /// Creates many files of one byte in a folder.
    pub(crate) async fn create_files(&self, parent: &Package, count: usize) -> Vec<Package> {
        let upload = new_uuid();
        let new: Vec<NewPackage> = (0..count)
            .map(|n| {
                let key = format!("O{}/D{}/{upload}/{}", self.workspace.id, self.dataset.id, new_uuid());
                self.store.put(STORAGE, &key, vec![b'x'], "text/plain").unwrap();
                NewPackage::file(Some(parent.id), &format!("{n}.txt"), SourceFile::new(STORAGE, &key, 1))
            })
            .collect();
        self.workspace.create_packages(&self.dataset, &new).await.unwrap()
    }

    pub(crate) fn put_asset(&self, package: &Package, path: &str, bytes: &[u8]) {
        let key = AssetPath::parse(path).unwrap().object_key(self.workspace.id, self.dataset.id, package.id);
        self.store.put(ASSETS, &key, bytes.to_vec(), "application/octet-stream").unwrap();
    }

    /// Deletes a package as the platform does: rows and objects.
    pub(crate) async fn trash_package(&self, package: &Package) {
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

    /// Creates another dataset with a deleted file.
    pub(crate) async fn trash_in_other_dataset(&mut self) -> (Dataset, Package) {
        let other = self.workspace.create_dataset("Elsewhere").await.unwrap();
        let home = std::mem::replace(&mut self.dataset, other);
        let file = self.create_file(None, "single", b"-").await;
        self.trash_package(&file).await;
        (std::mem::replace(&mut self.dataset, home), file)
    }

    /// A pool of its own for the same database.
    pub(crate) fn open_db(&self, connections: usize) -> Db {
        Db::new(self.database.parse().unwrap(), connections).unwrap()
    }

    /// The S3 keys of a package.
    pub(crate) async fn load_keys(&self, package: &Package) -> Vec<String> {
        self.workspace.load_keys(package.id).await.unwrap()
    }

    /// State and name of a package.
    pub(crate) async fn load_row(&self, package: PackageId) -> (String, String) {
        self.workspace.load_state_and_name(package).await.unwrap()
    }

    pub(crate) async fn run_sql(&self, sql: &str) {
        let sql = sql.replace("WORKSPACE", &self.workspace.id.to_string());
        self.workspace.client.batch_execute(&sql).await.unwrap();
    }
}

fn build_app((s3, edge): (&S3Server, &EdgeServer), signer: Signer, db: Db) -> App {
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
        proxy: ProxyPolicy::new(
            vec![Bucket::new(ASSETS).unwrap()],
            Region::new("us-east-1").unwrap(),
            Some(endpoint),
        ),
        link_window: LinkWindow::default(),
        max_response_bytes: None,
        queue: WorkerQueue::Local(Arc::default()),
        clock: Clock::System,
        realm: Realm::new("example.org").unwrap(),
        limits: RequestLimits::default(),
        path_prefix: PathPrefix::default(),
    }
}

/// The database of a URL as a host's configuration.
pub(crate) fn pool_config(url: &str) -> PoolConfig {
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

/// The parameter that lists a folder.
pub(crate) fn parent_parameter(folder: &Package) -> String {
    format!("&parent={}", folder.node_id)
}

pub(crate) fn build_router(app: &App) -> Router {
    build_router_with_verifier(app, ISSUER.verifier())
}

/// The same service with another token verifier.
pub(crate) fn build_router_with_verifier(app: &App, verifier: authorize::TokenVerifier) -> Router {
    let authorizer = Authorizer::new(verifier, app.db.clone(), Clock::System);
    api::router(app.clone(), authenticate(authorizer))
}

/// The issuer of all tokens.
pub(crate) fn issuer() -> &'static LocalIssuer {
    &ISSUER
}

pub(crate) fn issue_token(user: &User) -> String {
    ISSUER.issue_user_token(user.cognito_id, Clock::System.now(), 3600).unwrap()
}

pub(crate) fn issue_api_key_token(api_key: &str) -> String {
    ISSUER.issue_api_key_token(api_key, Clock::System.now(), 3600).unwrap()
}

pub(crate) fn issue_expired_token(user: &User) -> String {
    ISSUER.issue_user_token(user.cognito_id, Clock::System.now() - 7200, 3600).unwrap()
}

pub(crate) fn build_request(method: &str, path: &str, token: &str, body: Body) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(body).unwrap()
}

pub(crate) fn new_uuid() -> uuid::Uuid {
    uuid::Uuid::new_v4()
}

/// Fetches a URL over TCP without credentials.
pub(crate) async fn fetch_url(method: &str, url: &str) -> TestResponse {
    send_over_tcp(build_request(method, url, "", Body::empty())).await
}

/// Sends a request over TCP.
pub(crate) async fn send_over_tcp(request: Request<Body>) -> TestResponse {
    try_send_over_tcp(request).await.unwrap()
}

/// Sends a request to a server that may reset the connection.
pub(crate) async fn try_send_over_tcp(request: Request<Body>) -> Result<TestResponse, Box<dyn Error>> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let (parts, body) = client.request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(TestResponse { status: parts.status, headers: parts.headers, body })
}

/// Waits until a condition holds. Panics after half a minute: that is enough for a busy machine.
pub(crate) async fn wait_until(what: &str, holds: impl AsyncFn() -> bool) {
    let polling = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(30), polling).await;
    done.unwrap_or_else(|_| panic!("timed out waiting until {what}"));
}

/// Percent-encodes all but unreserved characters.
pub(crate) fn percent_encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
