//! Prints the cost of links: `cargo run --release -p server --example links`. Figures from a busy machine are not meaningful.
//!
//! Each request goes through the router, on the embedded Postgres. Memory is that of the whole process.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a command-line program that panics on unexpected results"
)]

#[path = "../../tests/it/app.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod app;
#[path = "../restore/memory.rs"]
mod memory;

use std::time::{Duration, Instant};

use app::{STORAGE, TestApp, build_request};
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use local::workspace::{PackageTree, TreeShape, TreeSpec};
use serde_json::json;
use tower::ServiceExt;

/// Links of one batch.
const BATCH_LINKS: usize = 1000;

/// Files of the measured manifests.
const MANIFEST_FILES: [usize; 3] = [100, 10_000, 100_000];

/// How often a link to a directory is signed again.
const REPEATED_LINKS: u32 = 1000;

#[tokio::main]
async fn main() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    measure_batch(&app, &token).await;
    measure_directory_links(&app, &token).await;
    println!("\nmanifest | files | s | statements | MB grown | bytes a file");
    for shape in [TreeShape::ManySmall, TreeShape::FewHuge, TreeShape::Deep] {
        for files in MANIFEST_FILES {
            let tree = create_live_tree(&app, shape, files).await;
            measure_manifest(&app, &token, &tree, shape).await;
        }
    }
}

async fn create_live_tree(app: &TestApp, shape: TreeShape, files: usize) -> PackageTree {
    let spec = TreeSpec::live(shape, files, STORAGE);
    let tree = app.workspace.create_tree(&app.dataset, None, &spec).await.unwrap();
    app.workspace.analyze_tables().await.unwrap();
    tree
}

/// A thousand links by one request and by a thousand.
async fn measure_batch(app: &TestApp, token: &str) {
    let tree = create_live_tree(app, TreeShape::ManySmall, BATCH_LINKS).await;
    let files = app.workspace.list_files(&tree, BATCH_LINKS.try_into().unwrap()).await.unwrap();
    let before = app.app.db.statement_count();
    let started = Instant::now();
    for file in &files {
        let response = app.get(&app.presign_path(file, "&redirect=false"), token).await;
        assert_eq!(response.status, 200);
    }
    let (single, single_statements) = (started.elapsed(), app.app.db.statement_count() - before);
    let items: Vec<_> = files.iter().map(|file| json!({"package_id": file.node_id})).collect();
    let path = format!("/packages/presign/s3?dataset_id={}", app.dataset.node_id);
    let body = json!({ "items": items }).to_string();
    let before = app.app.db.statement_count();
    let started = Instant::now();
    let response = app.send(build_request("POST", &path, token, Body::from(body))).await;
    let batch = started.elapsed();
    assert_eq!(response.status, 200);
    println!(
        "{} links: {BATCH_LINKS} requests {:.0} ms ({single_statements} statements), one request {:.0} ms ({} statements), \
         ratio {:.0}",
        files.len(),
        millis(single),
        millis(batch),
        app.app.db.statement_count() - before,
        single.as_secs_f64() / batch.as_secs_f64(),
    );
}

/// A link to a directory, signed and repeated.
async fn measure_directory_links(app: &TestApp, token: &str) {
    let package = app.create_file(None, "image.czi", b"-").await;
    let path = app.sign_path(&package, "image.ome.zarr/");
    let started = Instant::now();
    assert_eq!(app.get(&path, token).await.status, 200);
    let first = started.elapsed();
    let started = Instant::now();
    for _ in 0..REPEATED_LINKS {
        app.get(&path, token).await;
    }
    let again = started.elapsed() / REPEATED_LINKS;
    println!("a link to a directory: first {:.0} µs, again {:.0} µs a request", micros(first), micros(again));
}

async fn measure_manifest(app: &TestApp, token: &str, tree: &PackageTree, shape: TreeShape) {
    let statements = app.app.db.statement_count();
    let resting = memory::reset_peak();
    let started = Instant::now();
    let bytes = receive_body(app, manifest_request(app, token, tree)).await;
    println!(
        "{shape:?} | {} | {:.2} | {} | {:.0} | {}",
        tree.files,
        started.elapsed().as_secs_f64(),
        app.app.db.statement_count() - statements,
        memory::peak() - resting,
        bytes / tree.files,
    );
}

fn manifest_request(app: &TestApp, token: &str, tree: &PackageTree) -> Request<Body> {
    let path = format!("/packages/download-manifest?dataset_id={}", app.dataset.node_id);
    let body = json!({"nodeIds": [tree.root.node_id]}).to_string();
    build_request("POST", &path, token, Body::from(body))
}

/// Receives a body and drops it, as a client that writes it to a disk does. Returns its size.
async fn receive_body(app: &TestApp, request: Request<Body>) -> usize {
    let response = app.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let (mut body, mut bytes) = (response.into_body(), 0);
    while let Some(frame) = body.frame().await {
        bytes += frame.unwrap().into_data().map_or(0, |data| data.len());
    }
    bytes
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
