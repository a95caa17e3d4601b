//! Bringing packages back from the trash.
//!
//! [`order()`] puts what a person asks for on record: packages become RESTORING, their dataset is in the queue. A worker that
//! has the [lease](crate::db::queue::Lease) of a dataset calls [`run()`], which goes on where the last one stopped:
//!
//! 1. *Claim.* All that the new orders hold is recorded: the ordered packages and what lies in the trash beneath them.
//! 2. *Batch by batch*, folders before what lies in them: read some thousand claims and their files; remove the delete
//!    markers in S3, no transaction open; then, in one short transaction, give names and states back, count the bytes, end
//!    the claims, and write down what others are to be told.
//! 3. *Deliver* the changelog's messages, and end the [records of the deletions](crate::deletions).
//!
//! Each step may be stopped anywhere and done again, also twice at once. What is done is decided by the claims, and not by
//! states that others write too: a claim ends in the transaction that restores its package, or keeps it in the trash.

mod batch;
pub mod changelog;
pub mod db;
pub mod deletions;
mod delivery;
mod finish;
mod maintenance;
mod message;
mod names;
mod order;
mod preview;
pub mod queue;
mod run;
pub mod trash;
mod usage;

use std::{fmt, time::Duration};

pub use delivery::deliver;
pub use maintenance::{Maintained, maintain, maintain_workspace};
pub use message::{MessagePackage, RestoreMessage};
pub use order::{OrderError, OrderFailure, PlacedOrders, adopt, order};
pub use preview::{MAX_LISTED, Preview, PreviewedPackage, preview};
pub use run::{RunOutcome, RunStatus, run, run_leased};

use crate::{changelog::Changelog, deletions::DeleteRecords};
use aws::Clock;
use database::{self, Db};
use storage::ObjectStore;

/// The tables that this service adds to the platform's: to be made once per database, as its owner.
pub const SCHEMA: &str = include_str!("schema.sql");

/// How often something is tried before it is given up: a package whose files S3 does not show, or a dataset's run.
pub const MAX_ATTEMPTS: u32 = 3;

/// Why orders were given up whose run failed, in words for the packages' owner.
pub const RUN_FAILED: &str = "the restore failed several times; order it again later";

/// What a restore works with.
#[derive(Debug, Clone)]
pub struct Restorer {
    /// Postgres.
    pub db: Db,
    /// S3.
    pub objects: ObjectStore,
    /// Who is told about restored packages.
    pub changelog: Changelog,
    /// Where the platform keeps a record of each deleted package.
    pub deletions: DeleteRecords,
    /// The time that the changelog's events carry.
    pub clock: Clock,
    /// How much is done at a time, and when something is tried again.
    pub limits: RestoreLimits,
}

/// How much is done at a time, and when something is tried again.
#[derive(Debug, Clone, Copy)]
pub struct RestoreLimits {
    /// Packages in one batch. The locks of a batch are held for some hundred milliseconds.
    pub batch_size: u32,
    /// When a run lets other datasets have their turn, at the end of a batch.
    pub turn: Duration,
    /// How long it takes until the second and the third attempt.
    pub retry_delays: [Duration; 2],
    /// How often it is looked whether the platform has finished deleting a package that was ordered meanwhile.
    pub blocked_delay: Duration,
    /// How long that is waited for.
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
    /// How long it takes until the next attempt, after so many failed ones.
    fn retry_delay(&self, failed: u32) -> Duration {
        let [first, second] = self.retry_delays;
        if failed <= 1 { first } else { second }
    }
}

/// Why a run stopped half way. Nothing is lost: the next one goes on.
#[derive(Debug)]
pub enum RestoreError {
    /// Postgres.
    Db(database::Error),
    /// Another worker has the dataset's lease by now.
    LeaseLost,
    /// No time was left.
    TimedOut,
    /// The code panicked.
    Panicked,
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Db(error) => error.fmt(f),
            Self::LeaseLost => f.write_str("another worker has the lease of the dataset"),
            Self::TimedOut => f.write_str("no time left"),
            Self::Panicked => f.write_str("a panic"),
        }
    }
}

impl std::error::Error for RestoreError {}

impl From<database::Error> for RestoreError {
    fn from(error: database::Error) -> Self {
        Self::Db(error)
    }
}
