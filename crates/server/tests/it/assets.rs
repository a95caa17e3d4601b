//! The list of viewer assets: its fields, its pages, and that nothing outside the package's prefix is in it.

use std::{collections::BTreeSet, time::Duration};

use local::{
    aws::{Account, FunctionResources},
    faults::InjectedError,
    workspace::Package,
};
use serde_json::{Value, json};

use crate::app::{ASSETS, TestApp, TestResponse, build_router, percent_encode};

impl TestApp {
    async fn get_assets(&self, token: &str, package: &Package, more: &str) -> TestResponse {
        let (dataset, package) = (&self.dataset.node_id, &package.node_id);
        self.get(&format!("/packages/assets?dataset_id={dataset}&package_id={package}{more}"), token).await
    }

    /// The paths of a directory, read in pages of `limit`.
    async fn walk_assets(&self, token: &str, package: &Package, more: &str, limit: usize) -> Vec<String> {
        let (dataset, package) = (&self.dataset.node_id, &package.node_id);
        let path = format!("/packages/assets?dataset_id={dataset}&package_id={package}{more}");
        let items = self.walk_pages(token, &path, limit).await;
        items.iter().map(|item| item["path"].as_str().unwrap().to_owned()).collect()
    }
}

fn item_paths(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["path"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn lists_one_level_of_a_package() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let package = app.create_file(None, "a", b"-").await;
    let empty = json!({"items": [], "next": null});
    assert_eq!(app.get_assets(&token, &package, "").await.json(), empty);
    app.put_asset(&package, "image.ome.zarr/.zattrs", b"{}");
    app.put_asset(&package, "image.ome.zarr/0/0/0", b"123");
    app.put_asset(&package, "東京 1+1.png", b"12345");
    let page = app.get_assets(&token, &package, "").await.json();
    let at = page["items"][1]["updated_at"].as_str().unwrap();
    assert!(at.len() == 20 && at.starts_with("20") && at.ends_with('Z'), "{at}");
    let expected = json!({
        "items": [
            {"path": "image.ome.zarr/", "size": null, "directory": true, "updated_at": null},
            {"path": "東京 1+1.png", "size": 5, "directory": false, "updated_at": at},
        ],
        "next": null,
    });
    assert_eq!(page, expected);
    let inside = app.get_assets(&token, &package, "&path=image.ome.zarr/").await.json();
    assert_eq!(item_paths(&inside), ["image.ome.zarr/.zattrs", "image.ome.zarr/0/"]);
    let deeper = app.get_assets(&token, &package, "&path=image.ome.zarr/0/0/").await.json();
    assert_eq!(item_paths(&deeper), ["image.ome.zarr/0/0/0"]);
    assert_eq!(app.get_assets(&token, &package, "&path=none/").await.json(), empty);
}

#[tokio::test]
async fn pages_list_every_asset_once() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let package = app.create_file(None, "a", b"-").await;
    let mut expected = BTreeSet::new();
    for number in 0..23 {
        app.put_asset(&package, &format!("d/{number}/x"), b"-");
        app.put_asset(&package, &format!("d/{number}/y"), b"-");
        app.put_asset(&package, &format!("d/{number}.png"), b"-");
        expected.extend([format!("d/{number}/"), format!("d/{number}.png")]);
    }
    for limit in [1, 7, 46, 1000] {
        let paths = app.walk_assets(&token, &package, "&path=d/", limit).await;
        assert_eq!(paths.len(), expected.len(), "each once, {limit}");
        assert_eq!(paths.into_iter().collect::<BTreeSet<_>>(), expected);
    }
}

#[tokio::test]
async fn nothing_outside_the_package_is_listed() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let package = app.create_file(None, "a", b"-").await;
    let beside = app.create_file(None, "b", b"-").await;
    app.put_asset(&package, "d/own", b"-");
    app.put_asset(&package, "d/own2", b"-");
    app.put_asset(&beside, "d/foreign", b"-");
    // A sibling whose number begins with that of the package.
    let sibling = format!("O{}/D{}/P{}0/d/foreign", app.workspace.id, app.dataset.id, package.id);
    app.store.put(ASSETS, &sibling, b"-".to_vec(), "text/plain").unwrap();
    assert_eq!(app.walk_assets(&token, &package, "", 1).await, ["d/"]);
    for path in
        ["..", "../", "../P1/", "d/../", "/", "//", "d//", "d", "%2e%2e/", "d*/", "?", "d\\/", "\0/", "\n/"]
    {
        app.get_assets(&token, &package, &format!("&path={}", percent_encode(path)))
            .await
            .assert_problem(400);
    }
    // Cursors of other directories, of other lists, and such as this service did not write.
    let page = app.get_assets(&token, &package, "&path=d/&limit=1").await.json();
    let cursor = page["next"].as_str().unwrap().to_owned();
    assert_eq!(
        item_paths(&app.get_assets(&token, &package, &format!("&path=d/&cursor={cursor}")).await.json()),
        ["d/own2"]
    );
    app.get_assets(&token, &package, &format!("&cursor={cursor}")).await.assert_problem(400);
    let children = format!("/packages/children?dataset_id={}&limit=1", app.dataset.node_id);
    let other = app.get(&children, &token).await.json()["next"].as_str().unwrap().to_owned();
    app.get_assets(&token, &package, &format!("&path=d/&cursor={other}")).await.assert_problem(400);
    // S3's token is a client's text. With one that names a key elsewhere, the prefix is still that of the request.
    for key in ["", "A", &format!("O{}/D{}/P{}/a", app.workspace.id, app.dataset.id, beside.id), &sibling] {
        let token_of_s3 = base64_url(key);
        let forged = base64_url(&format!("1assetsd/\n{token_of_s3}"));
        let response = app.get_assets(&token, &package, &format!("&path=d/&cursor={forged}")).await;
        let paths = if response.status == 200 { item_paths(&response.json()) } else { Vec::new() };
        assert!(response.status == 200 || response.status == 400, "{key}: {}", response.status);
        assert!(paths.iter().all(|path| path.starts_with("d/own")), "{key}: {paths:?}");
    }
    let refused = base64_url("1assetsd/\n!not-a-token!");
    app.get_assets(&token, &package, &format!("&path=d/&cursor={refused}")).await.assert_problem(400);
}

fn base64_url(text: &str) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(text)
}

#[tokio::test]
async fn objects_that_no_link_can_lead_to_are_left_out() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let package = app.create_file(None, "a", b"-").await;
    let prefix = format!("O{}/D{}/P{}/", app.workspace.id, app.dataset.id, package.id);
    // Also an empty object that stands for the directory itself.
    for name in ["", "a*b", "%2e%2e", "\u{1}", "//x", "fine"] {
        app.store.put(ASSETS, &format!("{prefix}{name}"), b"-".to_vec(), "text/plain").unwrap();
    }
    assert_eq!(app.walk_assets(&token, &package, "", 1).await, ["fine"]);
}

#[tokio::test]
async fn only_readable_packages_have_lists() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let package = app.create_file(None, "a", b"-").await;
    app.put_asset(&package, "x", b"-");
    let before = (app.app.db.statement_count(), app.faults.count_requests("ListObjectsV2"));
    assert_eq!(app.get_assets(&token, &package, "").await.status, 200);
    let after = (app.app.db.statement_count(), app.faults.count_requests("ListObjectsV2"));
    assert_eq!((after.0 - before.0, after.1 - before.1), (2, 1), "the caller and the package; S3");
    for more in ["&limit=0", "&limit=1001", "&cursor=x!", "&cursor=MQ"] {
        app.get_assets(&token, &package, more).await.assert_problem(400);
    }
    app.get_assets(&app.create_token("guest").await, &package, "").await.assert_problem(403);
    app.get_assets("", &package, "").await.assert_problem(401);
    app.run_sql(r#"UPDATE "WORKSPACE".files SET scan_status = 'infected'"#).await;
    app.get_assets(&token, &package, "").await.assert_problem(403);
    app.trash_package(&package).await;
    app.get_assets(&token, &package, "").await.assert_problem(404);
    assert_eq!(app.faults.count_requests("ListObjectsV2"), after.1, "S3 is not asked");
}

#[tokio::test]
async fn a_failure_of_s3_has_a_status() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let package = app.create_file(None, "a", b"-").await;
    app.faults.fail_requests("ListObjectsV2", 1, InjectedError::AccessDenied);
    app.get_assets(&token, &package, "").await.assert_problem(502);
    app.faults.fail_requests("ListObjectsV2", 4, InjectedError::SlowDown);
    app.get_assets(&token, &package, "").await.assert_problem(503);
    app.faults.hold_requests("ListObjectsV2");
    let started = std::time::Instant::now();
    app.get_assets(&token, &package, "").await.assert_problem(504);
    assert!((Duration::from_secs(9)..Duration::from_secs(15)).contains(&started.elapsed()));
    app.faults.release_requests("ListObjectsV2");
}

#[tokio::test]
async fn the_role_of_the_service_may_list_viewer_assets() {
    let mut app = TestApp::start().await;
    let root = Account::root().unwrap();
    let bucket = format!("assets-{}", app.dataset.node_id.as_str().rsplit(':').next().unwrap());
    root.create_bucket(&bucket).await.unwrap();
    let package = app.create_file(None, "a", b"-").await;
    let key = format!("O{}/D{}/P{}/x/y", app.workspace.id, app.dataset.id, package.id);
    root.put_object(&bucket, &key, b"-").await.unwrap();
    let service = FunctionResources { bucket: &bucket, ..FunctionResources::default() };
    app.app.objects = root.create_function_user("service", service).await.unwrap().objects().unwrap();
    app.app.viewer_assets = storage::Bucket::new(&bucket).unwrap();
    app.router = build_router(&app.app);
    let token = app.create_token("viewer").await;
    assert_eq!(app.walk_assets(&token, &package, "", 1000).await, ["x/"]);
}
