//! What is done now and then, by any host: forgetting what is over, and putting back what nobody ordered.

use std::time::Duration;

use crate::Restorer;
use crate::db::maintenance::{
    forget_finished_orders, forget_purged_failures, queue_unfinished, release_strays,
};
use crate::db::packages::list_workspaces;
use packages::id::WorkspaceId;

/// How long it is remembered how an order ended.
const FINISHED_MAX_AGE: Duration = Duration::from_hours(7 * 24);

/// Why a package is in the trash again that was RESTORING without an order.
const STRAY: &str = "it was being restored, but nothing went on with it; order it again";

/// What maintenance found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Packages that were RESTORING without an order and are in the trash again.
    pub released: u64,
    /// Workspaces that could not be read.
    pub broken: u64,
}

/// Looks through all workspaces. One that cannot be read stops none of the others.
pub async fn maintain(restorer: &Restorer, stray_max_age: Duration) -> Result<Maintained, database::Error> {
    queue_unfinished(&restorer.db).await?;
    forget_finished_orders(&restorer.db, FINISHED_MAX_AGE.as_secs_f64()).await?;
    let mut maintained = Maintained::default();
    for workspace in list_workspaces(&restorer.db).await? {
        match maintain_workspace(restorer, workspace, stray_max_age).await {
            Ok(released) => maintained.released += released,
            Err(error) => {
                maintained.broken += 1;
                tracing::warn!(workspace = workspace.0, %error, "a workspace cannot be looked through");
            }
        }
    }
    metrics::counter!(metric_names::RESTORE_STRAYS_TOTAL.name).increment(maintained.released);
    Ok(maintained)
}

/// Looks through one workspace. Answers how many packages were RESTORING without an order and are in the trash again.
pub async fn maintain_workspace(
    restorer: &Restorer,
    workspace: WorkspaceId,
    stray_max_age: Duration,
) -> Result<u64, database::Error> {
    forget_purged_failures(&restorer.db, workspace).await?;
    let mut released = 0;
    let mut last = Some(0);
    while let Some(after) = last {
        let page = release_strays(&restorer.db, workspace, after, STRAY, stray_max_age.as_secs_f64()).await?;
        released += page.released;
        last = page.last;
    }
    if released > 0 {
        tracing::warn!(workspace = workspace.0, released, "packages were RESTORING without an order");
    }
    Ok(released)
}
