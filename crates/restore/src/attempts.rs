//! Failed attempts: they are recorded, and after the last one the orders are given up.

use crate::{
    db::{
        missing_orders::release_package,
        order_ends::give_up_orders,
        queue::{Lease, postpone_dataset},
    },
    error::RestoreError,
    message::RestoreMessage,
    reasons::RUN_FAILED_REASON,
    restorer::{MAX_ATTEMPTS, Restorer},
};
use database::{self, Db};
use packages::id::DatasetKey;

impl RestoreError {
    /// Whether the next attempt is likely to fail too. A failure that passes by itself does not count as an attempt.
    pub(super) fn is_permanent(&self) -> bool {
        match self {
            Self::Db(error) => error.is_permanent(),
            Self::LeaseLost | Self::NotStarted => false,
            Self::TimedOut | Self::Panicked => true,
        }
    }
}

/// Postpones the dataset of a failed run, or gives it up after the last attempt. A run that restored something does not
/// count as a failed attempt.
pub(super) async fn record_failed_run(
    restorer: &Restorer,
    lease: Lease,
    error: &RestoreError,
    has_restored: bool,
) {
    let (workspace, dataset) = (lease.key.workspace.0, lease.key.dataset.0);
    let counts = error.is_permanent() && !has_restored;
    // Recorded before it is logged: a panic there must not keep an attempt from being counted.
    let recorded = match error {
        // The worker that has the lease records its own result.
        RestoreError::LeaseLost => Ok(0),
        _ => postpone_or_give_up(restorer, lease, counts).await,
    };
    metrics::counter!(metric_names::RESTORES_TOTAL.name, "outcome" => "stopped").increment(1);
    match recorded {
        Ok(attempts) => tracing::warn!(workspace, dataset, attempts, %error, "restore stopped"),
        Err(cause) => {
            tracing::warn!(workspace, dataset, %error, "restore stopped");
            tracing::error!(workspace, dataset, error = %cause, "a stopped restore continues when its lease has expired");
        }
    }
}

/// Returns how many attempts have failed.
async fn postpone_or_give_up(
    restorer: &Restorer,
    lease: Lease,
    counts: bool,
) -> Result<u32, database::Error> {
    let delay = restorer.limits.retry_delay(1);
    let attempts = postpone_dataset(&restorer.db, lease, delay, counts).await?;
    if counts && attempts >= MAX_ATTEMPTS {
        give_up_dataset(&restorer.db, lease.key).await?;
    }
    Ok(attempts)
}

/// Ends all orders of a dataset: what they hold is in the trash again, with the reason, and can be ordered anew. Undeleted
/// objects stay undeleted; the next restore finds them so.
async fn give_up_dataset(db: &Db, key: DatasetKey) -> Result<(), database::Error> {
    let mut session = db.session().await?;
    let tx = session.begin().await?;
    let packages = give_up_orders(&tx, key, RUN_FAILED_REASON).await?;
    tx.commit().await?;
    log_given_up(key, packages);
    Ok(())
}

/// Puts a package back into the trash for which no order could be recorded.
pub(super) async fn give_up_package(db: &Db, message: &RestoreMessage) -> Result<(), database::Error> {
    let mut session = db.session().await?;
    let tx = session.begin().await?;
    let is_released = release_package(&tx, message, RUN_FAILED_REASON).await?;
    tx.commit().await?;
    if is_released {
        log_given_up(DatasetKey { workspace: message.workspace, dataset: message.dataset }, 1);
    }
    Ok(())
}

fn log_given_up(key: DatasetKey, packages: u64) {
    metrics::counter!(metric_names::RESTORES_GIVEN_UP_TOTAL.name).increment(1);
    let (workspace, dataset) = (key.workspace.0, key.dataset.0);
    tracing::error!(workspace, dataset, packages, "restore given up: the packages are in the trash again");
}
