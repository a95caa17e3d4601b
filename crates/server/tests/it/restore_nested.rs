//! Orders for packages inside a folder that is ordered, too: whichever comes first, each order tells all that lies in its own
//! package.

use local::{faults::InjectedError, workspace::Package};
use serde_json::{Value, json};

use crate::app::TestApp;

/// `outer/{a, inner/{b, c}}`, in the trash.
struct Tree {
    outer: Package,
    inner: Package,
    a: Package,
    b: Package,
    c: Package,
}

impl Tree {
    async fn trashed(app: &TestApp) -> Self {
        let outer = app.folder(None, "outer").await;
        let inner = app.folder(Some(&outer), "inner").await;
        let a = app.file(Some(&outer), "a", b"1").await;
        let b = app.file(Some(&inner), "b", b"22").await;
        let c = app.file(Some(&inner), "c", b"333").await;
        app.workspace.populate_usage().await.unwrap();
        app.trash(&outer).await;
        Self { outer, inner, a, b, c }
    }

    fn all(&self) -> [&Package; 5] {
        [&self.outer, &self.inner, &self.a, &self.b, &self.c]
    }
}

async fn order(app: &TestApp, package: &Package) {
    let answer = app.order(&app.token("editor").await, &[&package.node_id]).await;
    assert_eq!(answer.json()["success"], json!([package.node_id]));
}

/// `[total, restored, failures, bytes]` of a package's order, which is over.
async fn numbers(app: &TestApp, package: &Package) -> Value {
    let progress = app.progress(&app.token("viewer").await, package).await;
    assert_eq!(progress["order"], "finished", "{progress}");
    json!([progress["total"], progress["restored"], progress["failures"], progress["bytes"]])
}

async fn assert_all_restored(app: &TestApp, tree: &Tree) {
    for package in tree.all() {
        assert_eq!(app.row(package.id).await.0, "READY");
    }
    app.assert_counted().await;
    app.assert_idle().await;
}

#[tokio::test]
async fn a_folder_is_ordered_inside_one_that_is_under_way() {
    let app = TestApp::start().await;
    let tree = Tree::trashed(&app).await;
    order(&app, &tree.outer).await;
    app.work_during_undelete(order(&app, &tree.inner)).await;
    assert_all_restored(&app, &tree).await;
    assert_eq!(numbers(&app, &tree.outer).await, json!([4, 4, 0, 6]));
    assert_eq!(numbers(&app, &tree.inner).await, json!([2, 2, 0, 5]));
}

#[tokio::test]
async fn a_folder_is_ordered_around_one_that_is_under_way() {
    let app = TestApp::start().await;
    let tree = Tree::trashed(&app).await;
    app.faults.fail_requests("ListObjectVersions", 1000, InjectedError::InternalError);
    order(&app, &tree.inner).await;
    app.run().await.unwrap();
    app.faults.reset();
    order(&app, &tree.outer).await;
    app.work().await;
    assert_all_restored(&app, &tree).await;
    assert_eq!(numbers(&app, &tree.inner).await, json!([2, 2, 0, 5]));
    // The folder inside was back when the outer one was ordered, or came with it: it is counted where it came back.
    let outer = numbers(&app, &tree.outer).await;
    assert!([json!([3, 3, 0, 6]), json!([4, 4, 0, 6])].contains(&outer), "{outer}");
}

#[tokio::test]
async fn orders_at_once_are_counted_by_the_nearest_and_told_by_all_around() {
    let app = TestApp::start().await;
    let tree = Tree::trashed(&app).await;
    let token = app.token("editor").await;
    app.order(&token, &[&tree.b.node_id, &tree.outer.node_id, &tree.inner.node_id]).await;
    app.work().await;
    assert_all_restored(&app, &tree).await;
    assert_eq!(numbers(&app, &tree.outer).await, json!([4, 4, 0, 6]));
    assert_eq!(numbers(&app, &tree.inner).await, json!([2, 2, 0, 5]));
    assert_eq!(numbers(&app, &tree.b).await, json!([1, 1, 0, 2]));
}

#[tokio::test]
async fn what_fails_inside_is_told_by_the_order_around_it() {
    let app = TestApp::start().await;
    let tree = Tree::trashed(&app).await;
    let key = app.keys(&tree.c).await.remove(0);
    order(&app, &tree.outer).await;
    app.work_during_undelete(async {
        app.faults.fail_key(&key, 100, InjectedError::AccessDenied);
        order(&app, &tree.inner).await;
    })
    .await;
    let viewer = app.token("viewer").await;
    for folder in [&tree.outer, &tree.inner] {
        let progress = app.progress(&viewer, folder).await;
        assert_eq!(progress["failed"].as_array().unwrap().len(), 1, "{progress}");
        assert_eq!(progress["failed"][0]["id"], json!(tree.c.node_id));
    }
    assert_eq!(numbers(&app, &tree.outer).await, json!([4, 3, 1, 3]));
    assert_eq!(numbers(&app, &tree.inner).await, json!([2, 1, 1, 2]));
    app.assert_idle().await;
}

#[tokio::test]
async fn an_order_does_not_end_before_those_inside_it() {
    let app = TestApp::start().await;
    let tree = Tree::trashed(&app).await;
    app.faults.fail_key(&app.keys(&tree.c).await[0], 1000, InjectedError::SlowDown);
    let token = app.token("editor").await;
    app.order(&token, &[&tree.outer.node_id, &tree.c.node_id]).await;
    app.run().await.unwrap();
    app.faults.reset();
    assert_eq!(app.row(tree.b.id).await.0, "READY");
    for package in [&tree.outer, &tree.c] {
        assert_eq!(app.progress(&token, package).await["order"], "waiting");
    }
    app.work().await;
    assert_all_restored(&app, &tree).await;
    assert_eq!(numbers(&app, &tree.outer).await, json!([4, 4, 0, 6]));
}

#[tokio::test]
async fn numbers_begin_anew_with_a_new_order() {
    let app = TestApp::start().await;
    let tree = Tree::trashed(&app).await;
    let token = app.token("editor").await;
    app.order(&token, &[&tree.outer.node_id, &tree.c.node_id]).await;
    app.work().await;
    app.trash(&tree.inner).await;
    app.restore(&tree.outer).await;
    assert_eq!(
        numbers(&app, &tree.outer).await,
        json!([3, 3, 0, 5]),
        "the order of before for c is no part of it"
    );
    assert_all_restored(&app, &tree).await;
}

#[tokio::test]
async fn what_waits_for_its_deletion_is_counted_once_when_it_is_ordered_by_itself() {
    let mut app = TestApp::start().await;
    app.restorer.limits.blocked_delay = std::time::Duration::from_millis(10);
    let tree = Tree::trashed(&app).await;
    app.workspace.set_state(&tree.c, "DELETING").await.unwrap();
    order(&app, &tree.outer).await;
    app.run().await.unwrap();
    app.workspace.set_state(&tree.c, "DELETED").await.unwrap();
    order(&app, &tree.c).await;
    app.work().await;
    assert_all_restored(&app, &tree).await;
    assert_eq!(numbers(&app, &tree.outer).await, json!([4, 4, 0, 6]));
    assert_eq!(numbers(&app, &tree.c).await, json!([1, 1, 0, 3]));
}

/// An order whose files S3 does not show yet.
async fn order_and_fail(app: &TestApp, package: &Package) {
    app.faults.fail_requests("ListObjectVersions", 1000, InjectedError::InternalError);
    order(app, package).await;
    app.run().await.unwrap();
    app.faults.reset();
}

#[tokio::test]
async fn an_order_that_lost_its_packages_to_another_ends_with_what_it_has() {
    let app = TestApp::start().await;
    let tree = Tree::trashed(&app).await;
    order_and_fail(&app, &tree.b).await;
    app.workspace.set_state(&tree.b, "DELETED").await.unwrap();
    order(&app, &tree.outer).await;
    app.work().await;
    for package in [&tree.outer, &tree.b] {
        let progress = app.progress(&app.token("viewer").await, package).await;
        let number = |name: &str| progress[name].as_i64().unwrap();
        assert_eq!(progress["order"], "finished");
        assert_eq!(number("total"), number("restored") + number("failures"), "{progress}");
    }
    app.assert_idle().await;
}

#[tokio::test]
async fn a_package_that_failed_is_counted_once_when_it_is_ordered_again_with_the_folder_around_it() {
    let app = TestApp::start().await;
    let tree = Tree::trashed(&app).await;
    app.faults.fail_key(&app.keys(&tree.c).await[0], 1000, InjectedError::AccessDenied);
    app.faults.fail_key(&app.keys(&tree.b).await[0], 1000, InjectedError::SlowDown);
    order(&app, &tree.outer).await;
    app.run().await.unwrap();
    app.faults.reset();
    let token = app.token("editor").await;
    app.order(&token, &[&tree.outer.node_id, &tree.c.node_id]).await;
    app.work().await;
    assert_all_restored(&app, &tree).await;
    assert_eq!(numbers(&app, &tree.outer).await, json!([4, 4, 0, 6]));
}

#[tokio::test]
async fn an_order_that_holds_packages_does_not_end_before_they_are_decided_on() {
    let app = TestApp::start().await;
    let tree = Tree::trashed(&app).await;
    order_and_fail(&app, &tree.outer).await;
    order(&app, &tree.outer).await;
    app.workspace.set_state(&tree.outer, "DELETED").await.unwrap();
    app.work().await;
    app.assert_idle().await;
    order(&app, &tree.outer).await;
    app.work().await;
    assert_all_restored(&app, &tree).await;
    let progress = app.progress(&app.token("viewer").await, &tree.outer).await;
    assert_eq!(progress["total"], progress["restored"], "{progress}");
}
