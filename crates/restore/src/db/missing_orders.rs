//! Packages that are RESTORING without an order: another service changed their state, or a former version of this one.

use tokio_postgres::types::Type;

use crate::db::restores::lock_packages;
use crate::db::states::{DELETED, RESTORING};
use crate::message::RestoreMessage;
use database::{Db, Error, Param, Transaction};
use packages::id::WorkspaceId;

/// Inserts an order for a package that is RESTORING without one. All ids of the message must agree with the database.
/// True: there was no order, and now there is one.
///
/// Locks: the package, its order and finished orders inside it by id, the dataset's row in the queue.
pub(crate) async fn insert_missing_order(db: &Db, message: &RestoreMessage) -> Result<bool, Error> {
    let RestoreMessage { workspace, dataset, user, package } = message;
    let params: [Param<'_>; 5] = [
        (&workspace.0, Type::INT4),
        (&package.id.0, Type::INT4),
        (&package.node_id.as_str(), Type::TEXT),
        (&dataset.0, Type::INT4),
        (user, Type::TEXT),
    ];
    Ok(db.query_opt(&insert_missing_order_sql(*workspace), &params).await?.is_some())
}

fn insert_missing_order_sql(workspace: WorkspaceId) -> String {
    format!(
        r#"WITH
           -- The package, if it is RESTORING and no claim holds it.
           stray AS (
               SELECT p.id FROM "{workspace}".packages p
               WHERE p.id = $2 AND p.node_id = $3 AND p.dataset_id = $4 AND p.state = {RESTORING}
                 AND NOT EXISTS (SELECT 1 FROM packages_service.restore_claims c
                                 WHERE c.workspace_id = $1 AND c.package_id = $2)
               FOR NO KEY UPDATE OF p
           ),
           -- Its order, and finished orders inside it, locked in the order of their ids.
           locked_orders AS (
               SELECT o.package_id FROM (
                   SELECT id FROM stray UNION
                   SELECT o.package_id FROM stray JOIN packages_service.restore_orders o
                     ON o.workspace_id = $1 AND o.within_id = stray.id AND o.finished_at IS NOT NULL
                   ORDER BY id
               ) changed
               CROSS JOIN LATERAL (
                   SELECT package_id FROM packages_service.restore_orders o
                   WHERE o.workspace_id = $1 AND o.package_id = changed.id FOR NO KEY UPDATE
               ) o
           ),
           -- An unfinished order stays as it is; a finished one begins anew.
           inserted_order AS (
               INSERT INTO packages_service.restore_orders AS known
                   (workspace_id, package_id, dataset_id, user_node_id, ordered_at, updated_at)
               SELECT $1, id, $4, $5, clock_timestamp(), clock_timestamp() FROM stray
               WHERE (SELECT count(*) FROM locked_orders) >= 0
               ON CONFLICT (workspace_id, package_id) DO UPDATE
               SET dataset_id = excluded.dataset_id, ordered_at = excluded.ordered_at, begun_at = excluded.ordered_at,
                   claimed_at = NULL, finished_at = NULL,
                   total = 0, restored = 0, failed = 0, bytes = 0, within_id = NULL
               WHERE known.finished_at IS NOT NULL
               RETURNING 1
           ),
           -- An order that begins anew does not count finished orders inside it any more.
           detached_orders AS (
               UPDATE packages_service.restore_orders inner_order SET within_id = NULL
               WHERE inner_order.workspace_id = $1 AND inner_order.within_id = $2 AND inner_order.finished_at IS NOT NULL
                 AND EXISTS (SELECT 1 FROM inserted_order)
               RETURNING 1
           ),
           -- Also for the order of a former version of the service, which had no queue.
           queued_dataset AS (
               INSERT INTO packages_service.restore_queue AS known (workspace_id, dataset_id)
               SELECT $1, $4
               WHERE (EXISTS (SELECT 1 FROM inserted_order)
                      OR EXISTS (SELECT 1 FROM packages_service.restore_orders o
                                 WHERE o.workspace_id = $1 AND o.package_id = $2 AND (o.dataset_id = $4) IS TRUE
                                   AND o.finished_at IS NULL))
                 AND (SELECT count(*) FROM detached_orders) >= 0
               ON CONFLICT (workspace_id, dataset_id) DO UPDATE
               SET woken_at = clock_timestamp(), due_at = least(known.due_at, clock_timestamp())
               WHERE EXISTS (SELECT 1 FROM inserted_order)
           )
           SELECT 1 FROM inserted_order"#
    )
}

/// Puts a package back into the trash, with the reason, if it is RESTORING and neither a claim nor an unfinished order holds
/// it. All ids of the message must agree with the database. True: the package is in the trash again.
///
/// Locks: the package. An order that is being placed has that lock too. So the package is locked by a statement of its own:
/// the next one sees the order.
pub(crate) async fn release_package(
    tx: &Transaction<'_>,
    message: &RestoreMessage,
    reason: &str,
) -> Result<bool, Error> {
    let RestoreMessage { workspace, dataset, package, .. } = message;
    lock_packages(tx, *workspace, &[package.id.0]).await?;
    let params: [Param<'_>; 5] = [
        (&workspace.0, Type::INT4),
        (&package.id.0, Type::INT4),
        (&package.node_id.as_str(), Type::TEXT),
        (&dataset.0, Type::INT4),
        (&reason, Type::TEXT),
    ];
    Ok(!tx.query(&release_package_sql(*workspace), &params).await?.is_empty())
}

fn release_package_sql(workspace: WorkspaceId) -> String {
    format!(
        r#"WITH
           -- Only without an order: what an order holds is decided by the order.
           released AS (
               UPDATE "{workspace}".packages p SET state = {DELETED}
               WHERE p.id = $2 AND p.node_id = $3 AND p.dataset_id = $4 AND p.state = {RESTORING}
                 AND NOT EXISTS (SELECT 1 FROM packages_service.restore_claims c
                                 WHERE c.workspace_id = $1 AND c.package_id = $2)
                 AND NOT EXISTS (SELECT 1 FROM packages_service.restore_orders o
                                 WHERE o.workspace_id = $1 AND o.package_id = $2 AND o.finished_at IS NULL)
               RETURNING p.id
           )
           INSERT INTO packages_service.restore_failures (workspace_id, package_id, reason)
           SELECT $1, id, $5 FROM released
           ON CONFLICT (workspace_id, package_id) DO UPDATE SET reason = excluded.reason, failed_at = now()
           RETURNING 1"#
    )
}
