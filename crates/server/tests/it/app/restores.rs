//! Orders of a test's service, what carries them out, and what must be true then.

use std::time::Duration;

use axum::body::Body;
use local::workspace::Package;
use packages::id::{DatasetKey, PackageNodeId};
use restore::{self, RestoreError, RunOutcome, RunStatus, RunWindow};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Answer, TestApp, request};

impl TestApp {
    pub(crate) async fn order(&self, token: &str, packages: &[&PackageNodeId]) -> Answer {
        let path = format!("/packages/restore?dataset_id={}", self.dataset.node_id);
        let body = json!({ "nodeIds": packages }).to_string();
        self.send(request("POST", &path, token, Body::from(body))).await
    }

    pub(crate) async fn progress(&self, token: &str, package: &Package) -> Value {
        let (dataset, package) = (&self.dataset.node_id, &package.node_id);
        let answer =
            self.get(&format!("/packages/restore?dataset_id={dataset}&package_id={package}"), token).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        answer.json()
    }

    pub(crate) fn key(&self) -> DatasetKey {
        DatasetKey { workspace: self.workspace.id, dataset: self.dataset.id }
    }

    /// A worker's turn at this test's dataset.
    pub(crate) async fn run(&self) -> Result<RunOutcome, RestoreError> {
        let window = RunWindow::until(Instant::now() + Duration::from_mins(1));
        loop {
            let outcome = restore::process_dataset(&self.restorer, self.key(), window).await?;
            // What failed before has to wait.
            let RunStatus::Postponed(delay) = outcome.status else { return Ok(outcome) };
            tokio::time::sleep(delay).await;
        }
    }

    /// Carries out all that is ordered.
    pub(crate) async fn work(&self) -> RunOutcome {
        let mut total = RunOutcome { restored: 0, failed: 0, status: RunStatus::Finished };
        loop {
            let outcome = self.run().await.unwrap();
            total.restored += outcome.restored;
            total.failed += outcome.failed;
            match outcome.status {
                RunStatus::Continues(delay) | RunStatus::Postponed(delay) => tokio::time::sleep(delay).await,
                RunStatus::Finished => return total,
                RunStatus::LeasedElsewhere => panic!("two workers in a test of one"),
            }
        }
    }

    /// Does something while a worker waits for S3 to remove delete markers, and lets the worker go on to its end.
    pub(crate) async fn work_during_undelete(&self, meanwhile: impl Future<Output = ()>) -> RunOutcome {
        self.faults.reset();
        self.faults.hold_requests("DeleteObjects");
        let meanwhile = async {
            self.wait_for_s3("DeleteObjects").await;
            Box::pin(meanwhile).await;
            self.faults.release_requests("DeleteObjects");
        };
        tokio::join!(Box::pin(self.work()), meanwhile).0
    }

    /// Waits until S3 is asked for this.
    pub(crate) async fn wait_for_s3(&self, operation: &str) {
        while self.faults.count_requests(operation) == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// How many orders are not finished.
    pub(crate) async fn unfinished(&self) -> i64 {
        let sql = "SELECT count(*) FROM packages_service.restore_orders WHERE workspace_id = $1 AND finished_at IS NULL";
        self.workspace.client.query_one(sql, &[&self.workspace.id.0]).await.unwrap().get(0)
    }

    /// Asserts that nothing is held, queued or to be told any more.
    pub(crate) async fn assert_idle(&self) {
        for table in ["restore_claims", "restore_queue", "restore_outbox"] {
            let sql = format!("SELECT count(*) FROM packages_service.{table} WHERE workspace_id = $1");
            let rows: i64 =
                self.workspace.client.query_one(&sql, &[&self.workspace.id.0]).await.unwrap().get(0);
            assert_eq!(rows, 0, "{table}");
        }
        assert_eq!(self.unfinished().await, 0);
    }

    /// Orders a package as an editor, and carries the order out.
    pub(crate) async fn restore(&self, package: &Package) -> RunOutcome {
        let answer = self.order(&self.token("editor").await, &[&package.node_id]).await;
        assert_eq!(answer.json()["success"], json!([package.node_id]));
        self.work().await
    }

    /// The events that the changelog was told, and how many messages that took.
    pub(crate) fn changelog(&self) -> (Vec<Value>, usize) {
        let text = std::fs::read_to_string(self.dir.path().join("changelog.jsonl")).unwrap_or_default();
        let messages: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let events =
            |message: &Value| message["DatasetChangelogEventJob"]["events"].as_array().unwrap().clone();
        (messages.iter().flat_map(events).collect(), messages.len())
    }

    /// Forgets what the changelog was told so far.
    pub(crate) fn forget_changelog(&self) {
        let path = self.dir.path().join("changelog.jsonl");
        if path.exists() {
            std::fs::write(path, b"").unwrap();
        }
    }

    pub(crate) async fn assert_counted(&self) {
        let (counted, recount) =
            (self.workspace.load_usage().await.unwrap(), self.workspace.compute_usage().await.unwrap());
        assert_eq!(counted, recount);
    }

    /// Lets the leases of workers that died expire at once.
    pub(crate) async fn expire_leases(&self) {
        self.sql(
            "UPDATE packages_service.restore_queue SET leased_until = now() WHERE workspace_id = WORKSPACE",
        )
        .await;
    }

    /// Delivers what a run that died between its commit and the delivery has left, which whoever comes next does.
    pub(crate) async fn deliver_all(&self) {
        self.sql("UPDATE packages_service.restore_outbox SET due_at = now() WHERE workspace_id = WORKSPACE")
            .await;
        restore::deliver_outbox(&self.restorer, Some(self.workspace.id)).await.unwrap();
    }
}
