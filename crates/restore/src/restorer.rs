//! What a restore works with.

use std::time::Duration;

use crate::{broken_workspaces::BrokenWorkspaces, changelog::Changelog, delete_records::DeleteRecords};
use aws::Clock;
use database::Db;
use storage::ObjectStore;

/// How many attempts something has: a package whose files S3 does not show, or a run at a dataset.
pub const MAX_ATTEMPTS: u32 = 3;

/// What a restore works with.
#[derive(Debug, Clone)]
pub struct Restorer {
    /// Postgres.
    pub db: Db,
    /// S3.
    pub objects: ObjectStore,
    /// Where restored packages are announced.
    pub changelog: Changelog,
    /// Where the platform keeps a record of each deleted package.
    pub delete_records: DeleteRecords,
    /// The clock for the timestamps of the changelog's events.
    pub clock: Clock,
    /// Batch size, delays and limits.
    pub limits: RestoreLimits,
    /// The workspaces that maintenance could not read.
    pub broken_workspaces: BrokenWorkspaces,
}

/// How much is done at a time, and when something is tried again.
#[derive(Debug, Clone, Copy)]
pub struct RestoreLimits {
    /// Packages in one batch. The locks of a batch are held for some hundred milliseconds.
    pub batch_size: u32,
    /// After how long a run ends, at the end of a batch, so that other datasets get their turn.
    pub turn: Duration,
    /// The delays before the second and the third attempt.
    pub retry_delays: [Duration; 2],
    /// How often a package that the platform is still deleting is checked.
    pub blocked_delay: Duration,
    /// How long such a package is waited for.
    pub max_blocked: Duration,
}

impl Default for RestoreLimits {
    fn default() -> Self {
        Self {
            batch_size: 4000,
            turn: Duration::from_secs(1),
            retry_delays: [Duration::from_secs(5), Duration::from_secs(30)],
            blocked_delay: Duration::from_secs(10),
            max_blocked: Duration::from_hours(1),
        }
    }
}

impl RestoreLimits {
    /// The delay before the next attempt, after so many failed ones.
    pub(crate) fn retry_delay(&self, failed: u32) -> Duration {
        let [first, second] = self.retry_delays;
        if failed <= 1 { first } else { second }
    }
}
