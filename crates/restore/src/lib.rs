//! Restoring packages from the trash.
//!
//! [`order_restore`] records what a person orders: packages become RESTORING, their dataset is in the queue. A host's worker
//! calls [`process_next`] or [`process_message`]. With the [lease](crate::db::queue::Lease) of a dataset, a run continues
//! where the last one stopped:
//!
//! 1. *Claim.* All that the new orders hold is recorded: the ordered packages and what is in the trash beneath them.
//! 2. *Batch by batch*, each folder before what is in it: read some thousand claims and their files; remove the delete
//!    markers in S3, with no transaction open; then, in one short transaction, restore names and states, count the bytes,
//!    end the claims, and fill the outbox.
//! 3. *Deliver* the changelog's messages, and remove the [delete records](crate::delete_records).
//!
//! Each step may be stopped anywhere and repeated, also twice at once. The claims decide what is done, not the states, which
//! others write too: a claim ends in the transaction that restores its package or leaves it in the trash.

mod attempts;
mod batch;
mod broken_workspaces;
pub mod changelog;
pub mod db;
pub mod delete_records;
mod error;
mod finish;
mod maintenance;
mod message;
mod names;
mod order;
mod outbox_delivery;
mod preview;
mod processor;
pub mod queue;
mod reasons;
mod recheck;
mod restorer;
mod run;
mod schema;
pub mod trash;
mod usage;
mod window;

pub use broken_workspaces::BrokenWorkspaces;
pub use error::RestoreError;
pub use maintenance::{MaintenanceReport, maintain_workspace, run_maintenance};
pub use message::{MessagePackage, RestoreMessage};
pub use order::{OrderError, OrderFailure, PlacedOrders, ensure_order, order_restore};
pub use outbox_delivery::deliver_outbox;
pub use preview::{MAX_PREVIEWED_PACKAGES, Preview, PreviewedPackage, preview_restore};
pub use processor::{MessageDelivery, MessageOutcome, process_dataset, process_message, process_next};
pub use reasons::RUN_FAILED_REASON;
pub use restorer::{MAX_ATTEMPTS, RestoreLimits, Restorer};
pub use run::{RunOutcome, RunStatus};
pub use schema::{MIGRATIONS, Migration, SCHEMA};
pub use window::RunWindow;
