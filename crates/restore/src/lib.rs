//! Restoring packages from the trash.
//!
//! [`order_restore`] records what a person orders: packages become RESTORING, their dataset is in the queue. A worker that
//! has the [lease](crate::db::queue::Lease) of a dataset calls [`process_lease`], which continues where the last run
//! stopped:
//!
//! 1. *Claim.* All that the new orders hold is recorded: the ordered packages and what is in the trash beneath them.
//! 2. *Batch by batch*, each folder before what is in it: read some thousand claims and their files; remove the delete
//!    markers in S3, with no transaction open; then, in one short transaction, restore names and states, count the bytes,
//!    end the claims, and fill the outbox.
//! 3. *Deliver* the changelog's messages, and remove the [delete records](crate::deletions).
//!
//! Each step may be stopped anywhere and repeated, also twice at once. The claims decide what is done, not the states, which
//! others write too: a claim ends in the transaction that restores its package or leaves it in the trash.

mod batch;
pub mod changelog;
pub mod db;
pub mod deletions;
mod delivery;
mod error;
mod finish;
mod maintenance;
mod message;
mod names;
mod order;
mod preview;
pub mod queue;
mod recheck;
mod restorer;
mod run;
pub mod trash;
mod usage;

pub use delivery::deliver_outbox;
pub use error::RestoreError;
pub use maintenance::{MaintenanceReport, maintain_workspace, run_maintenance};
pub use message::{MessagePackage, RestoreMessage};
pub use order::{OrderError, OrderFailure, PlacedOrders, ensure_order, order_restore};
pub use preview::{MAX_PREVIEWED_PACKAGES, Preview, PreviewedPackage, preview_restore};
pub use restorer::{MAX_ATTEMPTS, RestoreLimits, Restorer};
pub use run::{RUN_FAILED, RunOutcome, RunStatus, process_dataset, process_lease};

/// The tables that this service adds to the platform's. They are created once per database, as its owner.
pub const SCHEMA: &str = include_str!("schema.sql");
