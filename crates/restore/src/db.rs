//! Statements on the service's own tables, and on packages in the trash: one function for each statement.
//!
//! Rows are read by column name. A comment above each part of a long statement says why it is there.
//!
//! Rows are locked in one order: packages by id, counters, claims, failures, orders by id, the dataset's row in the queue. So
//! two writers do not wait for each other in a circle. The order in which a statement lists its parts does not count:
//! Postgres runs the main part first, and parts that no other part reads last, in an order that it does not promise. So a part
//! that must come after another one reads it: `(SELECT count(*) FROM other) >= 0`. A function that differs says so.

pub(crate) mod claim_trees;
pub(crate) mod claim_updates;
pub(crate) mod claims;
mod failures;
pub(crate) mod files;
pub(crate) mod maintenance;
pub(crate) mod missing_orders;
pub(crate) mod order_ends;
pub(crate) mod orders;
pub mod outbox;
pub mod overview;
pub(crate) mod packages;
pub(crate) mod preview;
pub mod progress;
pub mod queue;
pub(crate) mod restores;
mod states;
pub mod trash;
pub(crate) mod usage;

use database::{Db, Error};

/// Checks that Postgres answers, takes writes, and has this service's own tables. A read-only server is
/// [`Error::Unreachable`].
pub async fn check_tables(db: &Db) -> Result<(), Error> {
    db.query(
        // The newest table and column stand for all. `FOR UPDATE` locks no row here, but is refused where an order would be: by
        // a standby, and by a server that was demoted after this connection was opened.
        "SELECT o.within_id, f.order_id FROM packages_service.restore_orders o,
                packages_service.restore_failures f, packages_service.restore_claims,
                packages_service.restore_queue, packages_service.restore_outbox LIMIT 0 FOR UPDATE OF o",
        &[],
    )
    .await
    .map(drop)
}
