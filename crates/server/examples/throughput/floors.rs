//! The least that a handler must do.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{StatusCode, header::LOCATION},
    response::IntoResponse,
    routing::get,
};
use tokio::net::TcpListener;
use tokio_postgres::{
    Client, NoTls, Statement,
    types::{ToSql, Type},
};

/// As many as clients.
const CONNECTIONS: usize = 8;

/// A statement of the service, and its parameters.
#[derive(Clone)]
pub(crate) struct LinkStatement {
    pub(crate) sql: String,
    pub(crate) dataset: i32,
    pub(crate) dataset_node_id: String,
    pub(crate) package_node_id: String,
}

#[derive(Clone)]
struct FloorState {
    statement: Arc<LinkStatement>,
    clients: Arc<Vec<(Client, Statement)>>,
    next: Arc<AtomicUsize>,
}

impl FloorState {
    fn client(&self) -> &(Client, Statement) {
        &self.clients[self.next.fetch_add(1, Relaxed) % self.clients.len()]
    }
}

/// Serves `/plain`, `/redirect`, `/prepared` and `/unnamed`.
pub(crate) async fn start_floors(database: &str, statement: LinkStatement) -> std::net::SocketAddr {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let (client, connection) = tokio_postgres::connect(database, NoTls).await.unwrap();
        tokio::spawn(connection);
        let prepared = client.prepare(&statement.sql).await.unwrap();
        clients.push((client, prepared));
    }
    let state =
        FloorState { statement: Arc::new(statement), clients: Arc::new(clients), next: Arc::default() };
    let router = Router::new()
        .route("/plain", get(async || "ok"))
        .route("/redirect", get(redirect_to_query))
        .route("/prepared", get(run_prepared))
        .route("/unnamed", get(run_unnamed))
        .with_state(state);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        use axum::serve::ListenerExt as _;
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        axum::serve(listener, router).await.unwrap();
    });
    address
}

/// As many bytes as the proxy reads and writes, and no work on them.
async fn redirect_to_query(RawQuery(query): RawQuery) -> impl IntoResponse {
    (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, query.unwrap_or_default())])
}

async fn run_prepared(State(state): State<FloorState>) -> String {
    let LinkStatement { dataset, dataset_node_id, package_node_id, .. } = &*state.statement;
    let params: [&(dyn ToSql + Sync); 3] = [dataset, dataset_node_id, package_node_id];
    let (client, statement) = state.client();
    client.query_one(statement, &params).await.unwrap().get("s3_key")
}

async fn run_unnamed(State(state): State<FloorState>) -> String {
    let LinkStatement { sql, dataset, dataset_node_id, package_node_id } = &*state.statement;
    let params: [(&(dyn ToSql + Sync), Type); 3] =
        [(dataset, Type::INT4), (dataset_node_id, Type::TEXT), (package_node_id, Type::TEXT)];
    let rows = state.client().0.query_typed(sql, &params).await.unwrap();
    rows[0].get("s3_key")
}
