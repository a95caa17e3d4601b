//! The endpoints that are measured, each beside its floor.

use std::{net::SocketAddr, time::Duration};

use authorize::Authorizer;
use aws::Clock;
use axum::{Router, body::Body};
use database::{Db, PoolConfig};
use local::workspace::Package;
use serde_json::json;
use server::authentication::authenticate;
use signing::cloudfront::{HashAlgorithm, PrivateKey};
use tower::ServiceExt as _;

use crate::{
    app::{self, TestApp, build_request, percent_encode, pool_config},
    client::LoadRequest,
    floors::{LinkStatement, start_floors},
    processor_time::PostgresProcesses,
    start_service,
};

/// The connections of `serve`.
const CONNECTIONS: usize = 16;

/// Links of one batch.
const BATCH_LINKS: usize = 1000;

/// An endpoint and what it is compared with.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) request: LoadRequest,
    pub(crate) floor: LoadRequest,
}

/// A service with a key, and what a client asks it for.
struct Service {
    app: TestApp,
    /// The server that remembers roles.
    warm: SocketAddr,
    /// The server that does not.
    cold: SocketAddr,
    token: String,
    package: Package,
}

/// All that is measured.
pub(crate) struct Services {
    p256: Service,
    rsa: Service,
    floors: SocketAddr,
    link: String,
    batch: String,
    pub(crate) postgres: PostgresProcesses,
}

impl Service {
    async fn start(key: PrivateKey, cache: Duration) -> Self {
        let mut app = TestApp::start_with_key(key, HashAlgorithm::Sha256).await;
        let pool = PoolConfig { max_connections: CONNECTIONS, ..pool_config(&app.database) };
        app.set_db(Db::from_config(pool).unwrap().with_prepared_statements(true));
        let (token, package) = (app.create_token("viewer").await, app.create_file(None, "a.txt", b"-").await);
        app.workspace.analyze_tables().await.unwrap();
        let warm = start_service(build_router(&app.app, cache)).await;
        let cold = start_service(build_router(&app.app, Duration::ZERO)).await;
        Self { app, warm, cold, token, package }
    }

    fn get(&self, path: String, status: u16) -> LoadRequest {
        let token =
            if path.contains("presigned_url=") || path.ends_with("/health") { "" } else { &self.token };
        LoadRequest {
            address: self.warm,
            method: "GET".to_owned(),
            path,
            token: token.to_owned(),
            body: String::new(),
            status,
            seconds: 0.0,
            rate: None,
        }
    }
}

impl Services {
    pub(crate) async fn start(cache: Duration) -> Self {
        let p256 = Service::start(PrivateKey::generate_p256().unwrap(), cache).await;
        let rsa = Service::start(PrivateKey::generate_rsa().unwrap(), cache).await;
        p256.app.put_asset(&p256.package, "a.png", b"-");
        let link = p256.app.get(&p256.app.presign_path(&p256.package, "&path=a.png"), &p256.token).await;
        let link = percent_encode(link.header("location"));
        let folder = p256.app.create_folder(None, "batch").await;
        let files = p256.app.create_files(&folder, BATCH_LINKS).await;
        let items: Vec<_> = files.iter().map(|file| json!({"package_id": file.node_id})).collect();
        p256.app.workspace.analyze_tables().await.unwrap();
        let floors = start_floors(&p256.app.database, find_link_statement(&p256).await).await;
        let postgres = PostgresProcesses::find(&p256.app.app.db).await;
        Self { p256, rsa, floors, link, batch: json!({ "items": items }).to_string(), postgres }
    }

    pub(crate) fn list_scenarios(&self) -> Vec<Scenario> {
        let Self { p256, rsa, .. } = self;
        let health = || p256.get("/packages/health".to_owned(), 200);
        let link = |more| p256.get(p256.app.presign_path(&p256.package, more), 307);
        let json = || LoadRequest { status: 200, ..link("&redirect=false") };
        let sign = |service: &Service| service.get(service.app.sign_path(&service.package, "a{n}.png"), 200);
        let proxy = || p256.get(format!("/packages/proxy/s3?presigned_url={}", self.link), 307);
        let batch = || {
            let path = format!("/packages/presign/s3?dataset_id={}", p256.app.dataset.node_id);
            LoadRequest { method: "POST".to_owned(), body: self.batch.clone(), ..p256.get(path, 200) }
        };
        let floor = |path: &str| LoadRequest { address: self.floors, ..p256.get(path.to_owned(), 200) };
        let redirect = format!("/redirect?presigned_url={}", self.link);
        let redirect = LoadRequest { address: self.floors, ..p256.get(redirect, 307) };
        let compare = |name, request, path| Scenario { name, request, floor: floor(path) };
        let cold = |service: &Service, request| LoadRequest { address: service.cold, ..request };
        vec![
            compare("health / plain", health(), "/plain"),
            compare("proxy / plain", proxy(), "/plain"),
            Scenario { name: "proxy / redirect", request: proxy(), floor: redirect },
            compare("presign warm / prepared", link(""), "/prepared"),
            compare("presign cold / prepared", cold(p256, link("")), "/prepared"),
            compare("presign cold / unnamed", cold(p256, link("")), "/unnamed"),
            compare("presign JSON warm / prep.", json(), "/prepared"),
            compare("sign P-256 warm / prepared", sign(p256), "/prepared"),
            compare("sign P-256 cold / prepared", cold(p256, sign(p256)), "/prepared"),
            compare("sign RSA warm / prepared", sign(rsa), "/prepared"),
            compare("1,000 links / prepared", batch(), "/prepared"),
        ]
    }
}

/// The routes of the service, which remember roles for this time.
fn build_router(app: &api::App, cache: Duration) -> Router {
    let authorizer = Authorizer::new(app::issuer().verifier(), app.db.clone(), Clock::System);
    api::router(app.clone(), authenticate(authorizer.with_decision_cache(cache)))
}

/// The statement of a link, as a connection of the service has prepared it.
async fn find_link_statement(service: &Service) -> LinkStatement {
    let db = service.app.open_db(1).with_prepared_statements(true);
    let app = api::App { db: db.clone(), ..service.app.app.clone() };
    let path = service.app.presign_path(&service.package, "");
    for _ in 0..2 {
        let request = build_request("GET", &path, &service.token, Body::empty());
        build_router(&app, Duration::ZERO).oneshot(request).await.unwrap();
    }
    let sql = "SELECT statement FROM pg_prepared_statements WHERE statement LIKE '%s3_key%'";
    let row = db.query_opt(sql, &[]).await.unwrap().expect("a link was prepared");
    LinkStatement {
        sql: row.get("statement"),
        dataset: service.app.dataset.id.0,
        dataset_node_id: service.app.dataset.node_id.to_string(),
        package_node_id: service.package.node_id.to_string(),
    }
}
