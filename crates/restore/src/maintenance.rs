//! The periodic maintenance that every host runs: it deletes what is over, and puts packages back into the trash that are
//! RESTORING without an order.

use std::time::Duration;

use crate::{
    db::{
        check_tables,
        maintenance::{
            delete_finished_orders, delete_orphaned_failures, queue_unfinished_datasets, release_strays,
        },
        packages::list_workspaces,
    },
    reasons::STRAY_REASON,
    restorer::Restorer,
};
use packages::id::WorkspaceId;

/// How long one statement of maintenance may take: a workspace that is locked must not hold up the others.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a finished order is kept.
const FINISHED_MAX_AGE: Duration = Duration::from_hours(7 * 24);

/// The result of a maintenance run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MaintenanceReport {
    /// Packages that were RESTORING without an order and are in the trash again.
    pub released: u64,
    /// Workspaces that could not be read.
    pub broken: u64,
}

/// Maintains all workspaces. One that cannot be read does not stop the others, and is logged once. Those that failed in the
/// last round come last. Fails if the database does not answer.
pub async fn run_maintenance(
    restorer: &Restorer,
    stray_max_age: Duration,
) -> Result<MaintenanceReport, database::Error> {
    let db = restorer.db.clone().with_statement_limit(STATEMENT_TIMEOUT);
    let restorer = Restorer { db, ..restorer.clone() };
    queue_unfinished_datasets(&restorer.db).await?;
    delete_finished_orders(&restorer.db, FINISHED_MAX_AGE.as_secs_f64()).await?;
    let mut workspaces = list_workspaces(&restorer.db).await?;
    restorer.broken_workspaces.move_to_end(&mut workspaces);
    let mut report = MaintenanceReport::default();
    for workspace in workspaces {
        match maintain_workspace(&restorer, workspace, stray_max_age).await {
            Ok(released) => {
                report.released += released;
                restorer.broken_workspaces.record_success(workspace);
            }
            Err(error) => {
                // If nothing answers, the error is not the workspace's.
                check_tables(&restorer.db).await?;
                report.broken += 1;
                restorer.broken_workspaces.record_failure(workspace, &error);
            }
        }
    }
    metrics::counter!(metric_names::RESTORE_STRAYS_TOTAL.name).increment(report.released);
    Ok(report)
}

/// Maintains one workspace. Returns how many packages were RESTORING without an order and are in the trash again.
pub async fn maintain_workspace(
    restorer: &Restorer,
    workspace: WorkspaceId,
    stray_max_age: Duration,
) -> Result<u64, database::Error> {
    delete_orphaned_failures(&restorer.db, workspace).await?;
    let mut released = 0;
    let mut last_id = Some(0);
    while let Some(after) = last_id {
        let page =
            release_strays(&restorer.db, workspace, after, STRAY_REASON, stray_max_age.as_secs_f64()).await?;
        released += page.released;
        last_id = page.last_id;
    }
    if released > 0 {
        tracing::warn!(workspace = workspace.0, released, "packages were RESTORING without an order");
    }
    Ok(released)
}
