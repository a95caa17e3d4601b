//! Restore orders of a test, the worker that runs them, and assertions about the result.

use std::time::Duration;

use axum::body::Body;
use local::workspace::Package;
use packages::id::{DatasetKey, PackageNodeId};
use restore::{self, RestoreError, RunOutcome, RunStatus, RunWindow};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{TestApp, TestResponse, build_request, wait_until};

impl TestApp {
    pub(crate) async fn order_restore(&self, token: &str, packages: &[&PackageNodeId]) -> TestResponse {
        let path = format!("/packages/restore?dataset_id={}", self.dataset.node_id);
        let body = json!({ "nodeIds": packages }).to_string();
        self.send(build_request("POST", &path, token, Body::from(body))).await
    }

    pub(crate) async fn load_progress(&self, token: &str, package: &Package) -> Value {
        let (dataset, package) = (&self.dataset.node_id, &package.node_id);
        let response =
            self.get(&format!("/packages/restore?dataset_id={dataset}&package_id={package}"), token).await;
        assert_eq!(response.status, 200, "{:?}", response.body);
        response.json()
    }

    pub(crate) fn dataset_key(&self) -> DatasetKey {
        DatasetKey { workspace: self.workspace.id, dataset: self.dataset.id }
    }

    /// Runs a worker once on the dataset of this test.
    pub(crate) async fn run_worker(&self) -> Result<RunOutcome, RestoreError> {
        let window = RunWindow::ending_at(Instant::now() + Duration::from_mins(1));
        loop {
            let outcome = restore::process_dataset(&self.restorer, self.dataset_key(), window).await?;
            // A failed attempt has to wait before the next one.
            let RunStatus::Postponed(delay) = outcome.status else { return Ok(outcome) };
            tokio::time::sleep(delay).await;
        }
    }

    /// Runs a worker for one attempt at each package, however slow the machine is. What fails is due again at once.
    pub(crate) async fn run_first_attempt(&self) -> RunOutcome {
        let mut restorer = self.restorer.clone();
        restorer.limits.retry_delays = [Duration::from_hours(1); 2];
        let window = RunWindow::ending_at(Instant::now() + Duration::from_mins(1));
        let outcome = restore::process_dataset(&restorer, self.dataset_key(), window).await.unwrap();
        self.run_sql(
            "UPDATE packages_service.restore_claims SET due_at = now() WHERE workspace_id = WORKSPACE;
             UPDATE packages_service.restore_queue SET due_at = now() WHERE workspace_id = WORKSPACE",
        )
        .await;
        outcome
    }

    /// Runs workers until no order is left.
    pub(crate) async fn run_orders(&self) -> RunOutcome {
        let mut total = RunOutcome { restored: 0, failed: 0, status: RunStatus::Finished };
        loop {
            let outcome = self.run_worker().await.unwrap();
            total.restored += outcome.restored;
            total.failed += outcome.failed;
            match outcome.status {
                RunStatus::Continues(delay) | RunStatus::Postponed(delay) => tokio::time::sleep(delay).await,
                RunStatus::Finished => return total,
                RunStatus::LeasedElsewhere => {
                    panic!("another worker has the lease in a test with one worker")
                }
            }
        }
    }

    /// Runs `meanwhile` while a worker waits for S3 to remove delete markers, then lets the worker finish.
    pub(crate) async fn run_orders_during_undelete(&self, meanwhile: impl Future<Output = ()>) -> RunOutcome {
        self.faults.reset();
        self.faults.hold_requests("DeleteObjects");
        let meanwhile = async {
            self.wait_for_s3("DeleteObjects").await;
            Box::pin(meanwhile).await;
            self.faults.release_requests("DeleteObjects");
        };
        tokio::join!(Box::pin(self.run_orders()), meanwhile).0
    }

    /// Waits for a call of this operation of S3.
    pub(crate) async fn wait_for_s3(&self, operation: &str) {
        wait_until(&format!("S3 gets {operation}"), async || self.faults.count_requests(operation) > 0).await;
    }

    /// How many orders are not finished.
    pub(crate) async fn count_unfinished_orders(&self) -> i64 {
        let sql = "SELECT count(*) FROM packages_service.restore_orders WHERE workspace_id = $1 AND finished_at IS NULL";
        self.workspace.client.query_one(sql, &[&self.workspace.id.0]).await.unwrap().get(0)
    }

    /// Asserts that no claim, queue entry, event or unfinished order is left.
    pub(crate) async fn assert_nothing_pending(&self) {
        for table in ["restore_claims", "restore_queue", "restore_outbox"] {
            let sql = format!("SELECT count(*) FROM packages_service.{table} WHERE workspace_id = $1");
            let rows: i64 =
                self.workspace.client.query_one(&sql, &[&self.workspace.id.0]).await.unwrap().get(0);
            assert_eq!(rows, 0, "{table}");
        }
        assert_eq!(self.count_unfinished_orders().await, 0);
    }

    /// Orders a package as an editor, and runs the order.
    pub(crate) async fn restore_package(&self, package: &Package) -> RunOutcome {
        let response = self.order_restore(&self.create_token("editor").await, &[&package.node_id]).await;
        assert_eq!(response.json()["success"], json!([package.node_id]));
        self.run_orders().await
    }

    /// The events in the changelog, and the number of messages that carried them.
    pub(crate) fn read_changelog(&self) -> (Vec<Value>, usize) {
        let text = std::fs::read_to_string(self.dir.path().join("changelog.jsonl")).unwrap_or_default();
        let messages: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let events =
            |message: &Value| message["DatasetChangelogEventJob"]["events"].as_array().unwrap().clone();
        (messages.iter().flat_map(events).collect(), messages.len())
    }

    /// Empties the changelog.
    pub(crate) fn clear_changelog(&self) {
        let path = self.dir.path().join("changelog.jsonl");
        if path.exists() {
            std::fs::write(path, b"").unwrap();
        }
    }

    pub(crate) async fn assert_usage_is_exact(&self) {
        let (counted, recount) =
            (self.workspace.load_usage().await.unwrap(), self.workspace.compute_usage().await.unwrap());
        assert_eq!(counted, recount);
    }

    /// Makes all leases expire now, as after the death of their workers.
    pub(crate) async fn expire_leases(&self) {
        self.run_sql(
            "UPDATE packages_service.restore_queue SET leased_until = now() WHERE workspace_id = WORKSPACE",
        )
        .await;
    }

    /// Delivers events and delete records of a run that stopped between its commit and its delivery.
    pub(crate) async fn deliver_outbox(&self) {
        self.run_sql(
            "UPDATE packages_service.restore_outbox SET due_at = now() WHERE workspace_id = WORKSPACE",
        )
        .await;
        restore::deliver_outbox(&self.restorer, Some(self.workspace.id)).await.unwrap();
    }
}
