//! Writers lock rows in one order, so that they do not wait for each other in a circle. Each test holds one row and looks
//! which rows the waiting writer has locked already.

use database::Db;
use local::{testing, workspace::Package};
use tokio_postgres::Client;

use crate::app::{TestApp, wait_until};

/// A connection that holds an order's row.
struct HeldOrder(Client);

impl HeldOrder {
    async fn lock(database: &str, order: &Package) -> Self {
        let client = testing::connect(database).await.unwrap();
        let sql = "SELECT 1 FROM packages_service.restore_orders WHERE package_id = $1 FOR UPDATE";
        client.batch_execute("BEGIN").await.unwrap();
        assert_eq!(client.query(sql, &[&order.id.0]).await.unwrap().len(), 1, "the order exists");
        Self(client)
    }

    /// Waits until another connection waits for this row.
    async fn wait_for_writer(&self) {
        let sql =
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        wait_until("a writer waits", async || !self.0.query(sql, &[]).await.unwrap().is_empty()).await;
    }

    /// How many rows of the query nobody else has locked.
    async fn count_unlocked(&self, rows: &str) -> usize {
        let sql = format!("SELECT 1 FROM packages_service.{rows} FOR UPDATE SKIP LOCKED");
        // In a savepoint, so that this does not lock the rows for longer.
        self.0.batch_execute("SAVEPOINT look").await.unwrap();
        let count = self.0.query(&sql, &[]).await.unwrap().len();
        self.0.batch_execute("ROLLBACK TO look").await.unwrap();
        count
    }

    async fn release(self) {
        self.0.batch_execute("COMMIT").await.unwrap();
    }
}

/// A service with a database of its own: in a common one, others wait too.
async fn start_app() -> (String, TestApp) {
    let database = testing::isolated_database_url().await;
    let mut app = TestApp::start_in(&database).await;
    app.set_db(Db::new(database.parse().unwrap(), 4).unwrap());
    (database, app)
}

/// A deleted folder and a deleted file in it, both ordered. The folder's id is lower.
async fn order_folder_and_file(app: &TestApp) -> (Package, Package) {
    let folder = app.create_folder(None, "folder").await;
    let file = app.create_file(Some(&folder), "file", b"-").await;
    app.trash_package(&folder).await;
    let token = app.create_token("editor").await;
    app.order_restore(&token, &[&folder.node_id, &file.node_id]).await;
    (folder, file)
}

#[tokio::test]
async fn an_order_locks_claims_then_orders_by_id_then_the_queue() {
    let (database, app) = start_app().await;
    let (folder, file) = order_folder_and_file(&app).await;
    // The file failed in the folder's restore, which goes on. An old claim on it is left.
    app.run_sql(&format!(
        r#"UPDATE "WORKSPACE".packages SET state = 'DELETED' WHERE id = {file};
           UPDATE packages_service.restore_orders SET claimed_at = now(), begun_at = now() - interval '1 hour', total = 1, failed = 1;
           INSERT INTO packages_service.restore_failures (workspace_id, package_id, reason, order_id)
           VALUES (WORKSPACE, {file}, 'a reason', {folder});
           INSERT INTO packages_service.restore_claims (workspace_id, package_id, dataset_id, position)
           VALUES (WORKSPACE, {file}, {dataset}, 1)"#,
        file = file.id.0,
        folder = folder.id.0,
        dataset = app.dataset.id.0,
    ))
    .await;
    let held = HeldOrder::lock(&database, &folder).await;
    let token = app.create_token("editor").await;
    let checks = async {
        held.wait_for_writer().await;
        assert_eq!(held.count_unlocked("restore_claims").await, 0, "claims come before orders");
        assert_eq!(held.count_unlocked("restore_failures").await, 0, "failures come before orders");
        let order = format!("restore_orders WHERE package_id = {}", file.id.0);
        assert_eq!(held.count_unlocked(&order).await, 1, "the order with the lower id comes first");
        assert_eq!(held.count_unlocked("restore_queue").await, 1, "the queue comes last");
        held.release().await;
    };
    let file_ids = [&file.node_id];
    let (response, ()) = tokio::join!(app.order_restore(&token, &file_ids), checks);
    assert_eq!(response.status, 200, "{:?}", response.body);
    let progress = app.load_progress(&app.create_token("viewer").await, &folder).await;
    assert_eq!(progress["order"], "waiting", "{progress}");
    let failed = app
        .workspace
        .client
        .query_one("SELECT sum(failed)::int AS failed FROM packages_service.restore_orders", &[]);
    assert_eq!(
        failed.await.unwrap().get::<_, i32>("failed"),
        1,
        "the folder's order does not count the file any more"
    );
}

#[tokio::test]
async fn a_batch_locks_claims_then_orders_by_id() {
    let (database, app) = start_app().await;
    let (folder, file) = order_folder_and_file(&app).await;
    let (send, receive) = tokio::sync::oneshot::channel();
    let hold = async { send.send(HeldOrder::lock(&database, &folder).await).ok().unwrap() };
    let checks = async {
        let held = receive.await.unwrap();
        held.wait_for_writer().await;
        assert_eq!(held.count_unlocked("restore_claims").await, 0, "claims come before orders");
        let order = format!("restore_orders WHERE package_id = {}", file.id.0);
        assert_eq!(held.count_unlocked(&order).await, 1, "the order with the lower id comes first");
        held.release().await;
    };
    let (outcome, ()) = tokio::join!(app.run_orders_during_undelete(hold), checks);
    assert_eq!(outcome.restored, 2);
    assert_eq!(app.load_row(file.id).await.0, "READY");
    app.assert_nothing_pending().await;
}
