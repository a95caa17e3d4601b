//! Orders for packages inside a folder that is ordered, too. In any sequence, each order reports all packages inside its own.

use local::{faults::InjectedError, workspace::Package};
use serde_json::{Value, json};

use crate::app::TestApp;

/// `outer/{a, inner/{b, c}}`.
struct NestedTree {
    outer: Package,
    inner: Package,
    a: Package,
    b: Package,
    c: Package,
}

impl NestedTree {
    async fn create_in_trash(app: &TestApp) -> Self {
        let outer = app.create_folder(None, "outer").await;
        let inner = app.create_folder(Some(&outer), "inner").await;
        let a = app.create_file(Some(&outer), "a", b"1").await;
        let b = app.create_file(Some(&inner), "b", b"22").await;
        let c = app.create_file(Some(&inner), "c", b"333").await;
        app.workspace.populate_usage().await.unwrap();
        app.trash_package(&outer).await;
        Self { outer, inner, a, b, c }
    }

    fn packages(&self) -> [&Package; 5] {
        [&self.outer, &self.inner, &self.a, &self.b, &self.c]
    }
}

async fn order_package(app: &TestApp, package: &Package) {
    let response = app.order_restore(&app.create_token("editor").await, &[&package.node_id]).await;
    assert_eq!(response.json()["success"], json!([package.node_id]));
}

/// `[total, restored, failures, bytes]` of the finished order of a package.
async fn load_counts(app: &TestApp, package: &Package) -> Value {
    let progress = app.load_progress(&app.create_token("viewer").await, package).await;
    assert_eq!(progress["order"], "finished", "{progress}");
    json!([progress["total"], progress["restored"], progress["failures"], progress["bytes"]])
}

async fn assert_all_restored(app: &TestApp, tree: &NestedTree) {
    for package in tree.packages() {
        assert_eq!(app.load_row(package.id).await.0, "READY");
    }
    app.assert_usage_is_exact().await;
    app.assert_nothing_pending().await;
}

#[tokio::test]
async fn orders_a_folder_inside_one_that_is_being_restored() {
    let app = TestApp::start().await;
    let tree = NestedTree::create_in_trash(&app).await;
    order_package(&app, &tree.outer).await;
    app.run_orders_during_undelete(order_package(&app, &tree.inner)).await;
    assert_all_restored(&app, &tree).await;
    assert_eq!(load_counts(&app, &tree.outer).await, json!([4, 4, 0, 6]));
    assert_eq!(load_counts(&app, &tree.inner).await, json!([2, 2, 0, 5]));
}

#[tokio::test]
async fn orders_a_folder_around_one_that_is_being_restored() {
    let app = TestApp::start().await;
    let tree = NestedTree::create_in_trash(&app).await;
    app.faults.fail_requests("ListObjectVersions", 1000, InjectedError::InternalError);
    order_package(&app, &tree.inner).await;
    app.run_first_attempt().await;
    app.faults.reset();
    order_package(&app, &tree.outer).await;
    app.run_orders().await;
    assert_all_restored(&app, &tree).await;
    assert_eq!(load_counts(&app, &tree.inner).await, json!([2, 2, 0, 5]));
    // The inner folder was restored before the outer order, or with it. The order that restored it counts it.
    let outer = load_counts(&app, &tree.outer).await;
    assert!([json!([3, 3, 0, 6]), json!([4, 4, 0, 6])].contains(&outer), "{outer}");
}

#[tokio::test]
async fn each_nested_order_reports_all_packages_inside_it() {
    let app = TestApp::start().await;
    let tree = NestedTree::create_in_trash(&app).await;
    let token = app.create_token("editor").await;
    app.order_restore(&token, &[&tree.b.node_id, &tree.outer.node_id, &tree.inner.node_id]).await;
    app.run_orders().await;
    assert_all_restored(&app, &tree).await;
    assert_eq!(load_counts(&app, &tree.outer).await, json!([4, 4, 0, 6]));
    assert_eq!(load_counts(&app, &tree.inner).await, json!([2, 2, 0, 5]));
    assert_eq!(load_counts(&app, &tree.b).await, json!([1, 1, 0, 2]));
}

#[tokio::test]
async fn an_outer_order_reports_failures_of_inner_orders() {
    let app = TestApp::start().await;
    let tree = NestedTree::create_in_trash(&app).await;
    let key = app.load_keys(&tree.c).await.remove(0);
    order_package(&app, &tree.outer).await;
    app.run_orders_during_undelete(async {
        app.faults.fail_key(&key, 100, InjectedError::AccessDenied);
        order_package(&app, &tree.inner).await;
    })
    .await;
    let viewer = app.create_token("viewer").await;
    for folder in [&tree.outer, &tree.inner] {
        let progress = app.load_progress(&viewer, folder).await;
        assert_eq!(progress["failed"].as_array().unwrap().len(), 1, "{progress}");
        assert_eq!(progress["failed"][0]["id"], json!(tree.c.node_id));
    }
    assert_eq!(load_counts(&app, &tree.outer).await, json!([4, 3, 1, 3]));
    assert_eq!(load_counts(&app, &tree.inner).await, json!([2, 1, 1, 2]));
    app.assert_nothing_pending().await;
}

#[tokio::test]
async fn an_order_ends_after_the_orders_inside_it() {
    let app = TestApp::start().await;
    let tree = NestedTree::create_in_trash(&app).await;
    app.faults.fail_key(&app.load_keys(&tree.c).await[0], 1000, InjectedError::SlowDown);
    let token = app.create_token("editor").await;
    app.order_restore(&token, &[&tree.outer.node_id, &tree.c.node_id]).await;
    app.run_first_attempt().await;
    app.faults.reset();
    assert_eq!(app.load_row(tree.b.id).await.0, "READY");
    for package in [&tree.outer, &tree.c] {
        assert_eq!(app.load_progress(&token, package).await["order"], "waiting");
    }
    app.run_orders().await;
    assert_all_restored(&app, &tree).await;
    assert_eq!(load_counts(&app, &tree.outer).await, json!([4, 4, 0, 6]));
}

#[tokio::test]
async fn a_new_order_starts_new_counts() {
    let app = TestApp::start().await;
    let tree = NestedTree::create_in_trash(&app).await;
    let token = app.create_token("editor").await;
    app.order_restore(&token, &[&tree.outer.node_id, &tree.c.node_id]).await;
    app.run_orders().await;
    app.trash_package(&tree.inner).await;
    app.restore_package(&tree.outer).await;
    assert_eq!(
        load_counts(&app, &tree.outer).await,
        json!([3, 3, 0, 5]),
        "the earlier order for c does not count"
    );
    assert_all_restored(&app, &tree).await;
}

#[tokio::test]
async fn a_package_waiting_for_its_deletion_is_counted_once_when_ordered_again() {
    let mut app = TestApp::start().await;
    app.restorer.limits.blocked_delay = std::time::Duration::from_millis(10);
    let tree = NestedTree::create_in_trash(&app).await;
    app.workspace.set_state(&tree.c, "DELETING").await.unwrap();
    order_package(&app, &tree.outer).await;
    app.run_worker().await.unwrap();
    app.workspace.set_state(&tree.c, "DELETED").await.unwrap();
    order_package(&app, &tree.c).await;
    app.run_orders().await;
    assert_all_restored(&app, &tree).await;
    assert_eq!(load_counts(&app, &tree.outer).await, json!([4, 4, 0, 6]));
    assert_eq!(load_counts(&app, &tree.c).await, json!([1, 1, 0, 3]));
}

/// Orders a package while S3 fails, and runs a worker once.
async fn order_with_s3_failing(app: &TestApp, package: &Package) {
    app.faults.fail_requests("ListObjectVersions", 1000, InjectedError::InternalError);
    order_package(app, package).await;
    app.run_first_attempt().await;
    app.faults.reset();
}

#[tokio::test]
async fn an_order_ends_when_another_order_takes_its_packages() {
    let app = TestApp::start().await;
    let tree = NestedTree::create_in_trash(&app).await;
    order_with_s3_failing(&app, &tree.b).await;
    app.workspace.set_state(&tree.b, "DELETED").await.unwrap();
    order_package(&app, &tree.outer).await;
    app.run_orders().await;
    for package in [&tree.outer, &tree.b] {
        let progress = app.load_progress(&app.create_token("viewer").await, package).await;
        let number = |name: &str| progress[name].as_i64().unwrap();
        assert_eq!(progress["order"], "finished");
        assert_eq!(number("total"), number("restored") + number("failures"), "{progress}");
    }
    app.assert_nothing_pending().await;
}

#[tokio::test]
async fn a_failed_package_is_counted_once_when_ordered_again_with_its_folder() {
    let app = TestApp::start().await;
    let tree = NestedTree::create_in_trash(&app).await;
    app.faults.fail_key(&app.load_keys(&tree.c).await[0], 1000, InjectedError::AccessDenied);
    app.faults.fail_key(&app.load_keys(&tree.b).await[0], 1000, InjectedError::SlowDown);
    order_package(&app, &tree.outer).await;
    app.run_first_attempt().await;
    app.faults.reset();
    let token = app.create_token("editor").await;
    app.order_restore(&token, &[&tree.outer.node_id, &tree.c.node_id]).await;
    app.run_orders().await;
    assert_all_restored(&app, &tree).await;
    assert_eq!(load_counts(&app, &tree.outer).await, json!([4, 4, 0, 6]));
}

#[tokio::test]
async fn an_order_does_not_end_while_it_holds_packages() {
    let app = TestApp::start().await;
    let tree = NestedTree::create_in_trash(&app).await;
    order_with_s3_failing(&app, &tree.outer).await;
    order_package(&app, &tree.outer).await;
    app.workspace.set_state(&tree.outer, "DELETED").await.unwrap();
    app.run_orders().await;
    app.assert_nothing_pending().await;
    order_package(&app, &tree.outer).await;
    app.run_orders().await;
    assert_all_restored(&app, &tree).await;
    let progress = app.load_progress(&app.create_token("viewer").await, &tree.outer).await;
    assert_eq!(progress["total"], progress["restored"], "{progress}");
}
