//! Statements on the service's own tables, and on packages that are in the trash, one function a query.

pub(crate) mod claims;
pub(crate) mod files;
pub(crate) mod maintenance;
pub mod orders;
pub mod outbox;
pub mod packages;
pub(crate) mod preview;
pub mod progress;
pub mod queue;
pub(crate) mod restores;
pub mod trash;
pub(crate) mod usage;

use database::{Db, Error};

/// Whether Postgres answers and knows this service's own tables.
pub async fn check_tables(db: &Db) -> Result<(), Error> {
    db.query(
        // The newest table and column stand for all.
        "SELECT o.within_id, f.order_id FROM packages_service.restore_orders o,
                packages_service.restore_failures f, packages_service.restore_claims,
                packages_service.restore_queue, packages_service.restore_outbox LIMIT 0",
        &[],
    )
    .await
    .map(drop)
}
