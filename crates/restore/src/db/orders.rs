//! `packages_service.restore_orders`: what people asked for, and how far it is.

use tokio_postgres::{Row, types::Type};

use crate::RestoreMessage;
use crate::db::claims::counted_failures;
use crate::db::packages::{COLUMNS, PackageRow, row};
use database::{Db, Error, Param, Transaction};
use packages::{
    access::{CreateDeleteFiles, DatasetAccess},
    id::{DatasetKey, PackageId, PackageNodeId, WorkspaceId},
    package::PackageState,
};

/// How many packages beneath live folders are looked at for one that is in the trash, all folders of a request together,
/// before a folder is ordered without knowing.
const MAX_LOOKED_AT: i64 = 10_000;

/// Which of the packages that a person names can be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orderable {
    /// Those that are in the trash, or on their way back.
    Deleted,
    /// Live folders: what lies in the trash beneath them comes back.
    LiveFolders,
}

/// Puts orders for packages on record and their dataset into the queue; those in the trash become RESTORING. One statement,
/// its own transaction. `None`: the dataset is gone. A package that is not orderable is not among the answer.
///
/// An order that is unfinished already is joined: its packages are claimed anew, so that what was deleted since comes back,
/// too. A package that leaves the trash here gets another `claimed_at`, so that a worker that holds it from before cannot
/// finish it with the delete markers of before.
///
/// Locks: packages by id, then their orders and claims, then the dataset's row in the queue.
pub async fn place_orders(
    db: &Db,
    access: &DatasetAccess<CreateDeleteFiles>,
    packages: &[PackageNodeId],
    orderable: Orderable,
) -> Result<Option<Vec<PackageRow>>, Error> {
    let sql = place_orders_sql(access.workspace(), orderable);
    let node_ids: Vec<&str> = packages.iter().map(PackageNodeId::as_str).collect();
    let params: [Param<'_>; 5] = [
        (&access.dataset().0, Type::INT4),
        (&access.dataset_node_id().as_str(), Type::TEXT),
        (&node_ids, Type::TEXT_ARRAY),
        (&access.workspace().0, Type::INT4),
        (&access.user().as_str(), Type::TEXT),
    ];
    let rows = db.query(&sql, &params).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    rows.iter().filter_map(|r| row(r).transpose()).collect::<Result<_, _>>().map(Some)
}

/// Goes on with the clause of [`place_orders_sql`]: the failures of what is ordered are forgotten, and what unfinished orders
/// have counted of them is to be counted anew.
fn with_recount() -> String {
    let counted = counted_failures("forgotten", "$4");
    format!(
        ", forgotten AS (
               DELETE FROM packages_service.restore_failures
               WHERE workspace_id = $4 AND package_id IN (SELECT id FROM asked)
               RETURNING package_id, order_id, failed_at
           ), counted AS (
               SELECT order_id, count(*) AS packages FROM ({counted}) failure GROUP BY order_id
           ), counted_again AS (
               UPDATE packages_service.restore_orders o
               SET total = greatest(o.total - counted.packages, 0), failed = greatest(o.failed - counted.packages, 0)
               FROM counted WHERE o.workspace_id = $4 AND o.package_id = counted.order_id AND o.package_id NOT IN (SELECT id FROM asked)
           )"
    )
}

fn place_orders_sql(workspace: WorkspaceId, orderable: Orderable) -> String {
    let accepted = match orderable {
        Orderable::Deleted => "p.state IN ('DELETED', 'RESTORING')",
        Orderable::LiveFolders => {
            "p.type = 'Collection' AND p.state NOT IN ('UNAVAILABLE', 'DELETING', 'DELETED', 'RESTORING')"
        }
    };
    let recount = with_recount();
    format!(
        r#"WITH dataset AS (
               SELECT id FROM "{workspace}".datasets WHERE id = $1 AND node_id = $2
           ), asked AS (
               SELECT p.* FROM (
                   SELECT DISTINCT p.id FROM dataset CROSS JOIN unnest($3::text[]) AS named (node_id) CROSS JOIN LATERAL (
                       SELECT id FROM "{workspace}".packages p
                       WHERE p.node_id = named.node_id AND p.dataset_id = dataset.id OFFSET 0
                   ) p ORDER BY p.id
               ) named
               CROSS JOIN LATERAL (
                   SELECT {COLUMNS}, p.state = 'DELETED' AS moved FROM "{workspace}".packages p
                   WHERE p.id = named.id AND {accepted} FOR NO KEY UPDATE
               ) p
           ), marked AS (
               UPDATE "{workspace}".packages p SET state = 'RESTORING' FROM asked WHERE p.id = asked.id AND asked.moved
           ){recount}, noted AS (
               INSERT INTO packages_service.restore_orders AS known
                   (workspace_id, package_id, dataset_id, user_node_id, ordered_at, updated_at)
               SELECT $4, id, $1, $5, clock_timestamp(), clock_timestamp() FROM asked
               ON CONFLICT (workspace_id, package_id) DO UPDATE
               SET dataset_id = excluded.dataset_id, user_node_id = excluded.user_node_id,
                   ordered_at = excluded.ordered_at, updated_at = excluded.updated_at,
                   claimed_at = NULL, finished_at = NULL,
                   within_id = CASE WHEN known.finished_at IS NULL THEN known.within_id END,
                   -- The numbers of an order that had ended begin anew.
                   begun_at = CASE WHEN known.finished_at IS NULL THEN known.begun_at ELSE excluded.ordered_at END,
                   total = CASE WHEN known.finished_at IS NULL THEN greatest(known.total - coalesce(
                               (SELECT packages FROM counted WHERE order_id = known.package_id), 0), 0) ELSE 0 END,
                   restored = CASE WHEN known.finished_at IS NULL THEN known.restored ELSE 0 END,
                   failed = CASE WHEN known.finished_at IS NULL THEN greatest(known.failed - coalesce(
                               (SELECT packages FROM counted WHERE order_id = known.package_id), 0), 0) ELSE 0 END,
                   bytes = CASE WHEN known.finished_at IS NULL THEN known.bytes ELSE 0 END
           ), set_apart AS (
               -- Nor do those of orders inside it that had ended count for it any more.
               UPDATE packages_service.restore_orders inner_order SET within_id = NULL
               FROM asked JOIN packages_service.restore_orders known ON known.workspace_id = $4 AND known.package_id = asked.id
               WHERE inner_order.workspace_id = $4 AND inner_order.within_id = asked.id AND known.finished_at IS NOT NULL
                 AND inner_order.finished_at IS NOT NULL AND inner_order.package_id NOT IN (SELECT id FROM asked)
           ), claimed_anew AS (
               UPDATE packages_service.restore_claims c
               SET is_ordered = true, attempts = 0, due_at = '-infinity', claimed_at = clock_timestamp()
               FROM asked WHERE c.workspace_id = $4 AND c.package_id = asked.id AND asked.moved
           ), queued AS (
               INSERT INTO packages_service.restore_queue AS known (workspace_id, dataset_id)
               SELECT $4, $1 WHERE EXISTS (SELECT 1 FROM asked)
               ON CONFLICT (workspace_id, dataset_id) DO UPDATE
               SET woken_at = clock_timestamp(), due_at = least(known.due_at, clock_timestamp())
           )
           SELECT asked.* FROM dataset LEFT JOIN asked ON true"#
    )
}

/// Those of these packages that are live folders of the caller's dataset with something in the trash beneath them; also
/// those beneath which so much lies that it was not all looked at. One statement.
pub async fn find_live_folders(
    db: &Db,
    access: &DatasetAccess<CreateDeleteFiles>,
    packages: &[PackageNodeId],
) -> Result<Vec<PackageNodeId>, Error> {
    let workspace = access.workspace();
    let sql = format!(
        r#"SELECT asked.node_id
           FROM unnest($2::text[]) AS asked (node_id)
           CROSS JOIN LATERAL (
               SELECT p.id FROM "{workspace}".packages p
               WHERE p.node_id = asked.node_id AND p.dataset_id = $1 AND p.type = 'Collection' AND p.state <> ALL ($3)
               OFFSET 0
           ) folder
           CROSS JOIN LATERAL (
               WITH RECURSIVE beneath AS (
                   SELECT folder.id, 'READY'::text AS state
                   UNION
                   SELECT p.id, p.state FROM beneath CROSS JOIN LATERAL (
                       SELECT p.id, p.state::text FROM "{workspace}".packages p WHERE p.parent_id = beneath.id OFFSET 0
                   ) p
               )
               SELECT count(*) AS seen, count(*) FILTER (WHERE state IN ('DELETING', 'DELETED', 'RESTORING')) AS deleted
               FROM (SELECT state FROM beneath LIMIT $4) looked_at
           ) found
           WHERE found.deleted > 0 OR found.seen = $4"#
    );
    let node_ids: Vec<&str> = packages.iter().map(PackageNodeId::as_str).collect();
    let looked_at = MAX_LOOKED_AT / i64::try_from(packages.len()).unwrap_or(i64::MAX).clamp(1, MAX_LOOKED_AT);
    let params: [Param<'_>; 4] = [
        (&access.dataset().0, Type::INT4),
        (&node_ids, Type::TEXT_ARRAY),
        (&&PackageState::NOT_LIVE[..], Type::TEXT_ARRAY),
        (&looked_at, Type::INT8),
    ];
    let rows = db.query(&sql, &params).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        found.extend(PackageNodeId::parse(row.try_get(0)?).ok());
    }
    Ok(found)
}

/// Puts an order on record for a package that is RESTORING without one: another service moved it, or a former version of
/// this one. All ids of the message must agree with the database. Answers whether there is one now that there was not.
pub async fn adopt(db: &Db, message: &RestoreMessage) -> Result<bool, Error> {
    let workspace = message.workspace;
    let sql = format!(
        r#"WITH stray AS (
               SELECT p.id FROM "{workspace}".packages p
               WHERE p.id = $2 AND p.node_id = $3 AND p.dataset_id = $4 AND p.state = 'RESTORING'
                 AND NOT EXISTS (SELECT 1 FROM packages_service.restore_claims c
                                 WHERE c.workspace_id = $1 AND c.package_id = $2)
               FOR NO KEY UPDATE OF p
           ), noted AS (
               INSERT INTO packages_service.restore_orders AS known
                   (workspace_id, package_id, dataset_id, user_node_id, ordered_at, updated_at)
               SELECT $1, id, $4, $5, clock_timestamp(), clock_timestamp() FROM stray
               ON CONFLICT (workspace_id, package_id) DO UPDATE
               SET dataset_id = excluded.dataset_id, ordered_at = excluded.ordered_at, begun_at = excluded.ordered_at, claimed_at = NULL, finished_at = NULL,
                   total = 0, restored = 0, failed = 0, bytes = 0, within_id = NULL
               WHERE known.finished_at IS NOT NULL
               RETURNING 1
           ), set_apart AS (
               UPDATE packages_service.restore_orders inner_order SET within_id = NULL
               WHERE inner_order.workspace_id = $1 AND inner_order.within_id = $2 AND inner_order.finished_at IS NOT NULL
                 AND EXISTS (SELECT 1 FROM noted)
           ), queued AS (
               -- Also for an order that a former version has put on record, which knew no queue.
               INSERT INTO packages_service.restore_queue AS known (workspace_id, dataset_id)
               SELECT $1, $4 WHERE EXISTS (SELECT 1 FROM noted)
                                OR EXISTS (SELECT 1 FROM packages_service.restore_orders o
                                           WHERE o.workspace_id = $1 AND o.package_id = $2 AND o.dataset_id = $4
                                             AND o.finished_at IS NULL)
               ON CONFLICT (workspace_id, dataset_id) DO UPDATE
               SET woken_at = clock_timestamp(), due_at = least(known.due_at, clock_timestamp())
               WHERE EXISTS (SELECT 1 FROM noted)
           )
           SELECT 1 FROM noted"#
    );
    let RestoreMessage { dataset, user, package, .. } = message;
    let params: [Param<'_>; 5] = [
        (&workspace.0, Type::INT4),
        (&package.id.0, Type::INT4),
        (&package.node_id.as_str(), Type::TEXT),
        (&dataset.0, Type::INT4),
        (user, Type::TEXT),
    ];
    Ok(db.query_opt(&sql, &params).await?.is_some())
}

/// Finishes the orders of a dataset that hold nothing any more, and lets go of the folders above them when there is none
/// left that does. Answers how many orders were finished.
pub(crate) async fn finish_orders(db: &Db, key: DatasetKey) -> Result<u64, Error> {
    let sql = "WITH RECURSIVE open AS (
                   SELECT package_id, claimed_at, within_id FROM packages_service.restore_orders
                   WHERE workspace_id = $1 AND dataset_id = $2 AND finished_at IS NULL
               ), held AS (
                   SELECT open.package_id, open.within_id FROM open
                   LEFT JOIN LATERAL (
                       SELECT true AS is_holding FROM packages_service.restore_claims c
                       WHERE c.workspace_id = $1 AND c.order_id = open.package_id AND c.dataset_id = $2 LIMIT 1
                   ) its ON true
                   LEFT JOIN LATERAL (
                       -- An ordered folder may be held by the order around it.
                       SELECT true AS is_held FROM packages_service.restore_claims c
                       WHERE c.workspace_id = $1 AND c.package_id = open.package_id AND c.dataset_id = $2
                         AND c.order_id IS NOT NULL OFFSET 0
                   ) own ON true
                   WHERE open.claimed_at IS NULL OR is_holding OR is_held
                   UNION
                   -- An order does not end before those inside it.
                   SELECT open.package_id, open.within_id FROM held JOIN open ON open.package_id = held.within_id
               ), let_go AS (
                   DELETE FROM packages_service.restore_claims
                   WHERE workspace_id = $1 AND dataset_id = $2 AND order_id IS NULL AND NOT EXISTS (SELECT 1 FROM held)
               )
               UPDATE packages_service.restore_orders o
               SET finished_at = clock_timestamp(), updated_at = clock_timestamp()
               FROM (SELECT package_id FROM open EXCEPT SELECT package_id FROM held) ended
               WHERE o.workspace_id = $1 AND o.package_id = ended.package_id AND o.claimed_at IS NOT NULL
                 -- Put so that the index of open orders does not serve it: there may be more of them than the planner believes.
                 AND (o.finished_at IS NULL) IS TRUE
               RETURNING 1";
    Ok(db.query(sql, &dataset_params(&key)).await?.len() as u64)
}

fn dataset_params(key: &DatasetKey) -> [Param<'_>; 2] {
    [(&key.workspace.0, Type::INT4), (&key.dataset.0, Type::INT4)]
}

/// Ends all unfinished orders of a dataset for one reason: what they hold stays in the trash, each package with the reason.
/// Answers how many packages that are.
pub(crate) async fn give_up_orders(
    tx: &Transaction<'_>,
    key: DatasetKey,
    reason: &str,
) -> Result<u64, Error> {
    let workspace = key.workspace;
    // Packages are locked first, by id, as everywhere.
    let sql = format!(
        r#"WITH open AS (
               SELECT package_id, package_id AS order_id FROM packages_service.restore_orders
               WHERE workspace_id = $1 AND dataset_id = $2 AND finished_at IS NULL
               UNION
               SELECT package_id, order_id FROM packages_service.restore_claims
               WHERE workspace_id = $1 AND dataset_id = $2 AND order_id IS NOT NULL AND order_id <> package_id
           ), locked AS (
               SELECT open.package_id, max(open.order_id) AS order_id
               FROM (SELECT * FROM open ORDER BY package_id) open
               CROSS JOIN LATERAL (
                   SELECT p.id FROM "{workspace}".packages p
                   WHERE p.id = open.package_id AND p.state IN ('DELETED', 'RESTORING') FOR NO KEY UPDATE
               ) p
               GROUP BY open.package_id
           ), released AS (
               UPDATE "{workspace}".packages p SET state = 'DELETED' FROM locked
               WHERE p.id = locked.package_id AND p.state = 'RESTORING'
           ), let_go AS (
               DELETE FROM packages_service.restore_claims WHERE workspace_id = $1 AND dataset_id = $2
           ), finished AS (
               UPDATE packages_service.restore_orders o
               SET finished_at = clock_timestamp(), updated_at = clock_timestamp(), failed = greatest(o.total - o.restored, o.failed)
               WHERE o.workspace_id = $1 AND o.dataset_id = $2 AND o.finished_at IS NULL
           )
           INSERT INTO packages_service.restore_failures (workspace_id, package_id, reason, order_id)
           SELECT $1, package_id, $3, order_id FROM locked
           ON CONFLICT (workspace_id, package_id)
           DO UPDATE SET reason = excluded.reason, order_id = excluded.order_id, failed_at = now()
           RETURNING 1"#
    );
    let params: [Param<'_>; 3] =
        [(&key.workspace.0, Type::INT4), (&key.dataset.0, Type::INT4), (&reason, Type::TEXT)];
    Ok(tx.query(&sql, &params).await?.len() as u64)
}

/// Ends orders without anything having come back: their packages, if they are RESTORING, are in the trash again, with the
/// reason.
pub(crate) async fn fail_orders(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    failed: &[(PackageId, &str)],
) -> Result<(), Error> {
    let sql = format!(
        r#"WITH failed AS (
               SELECT id, reason FROM unnest($2::int[], $3::text[]) AS failed (id, reason)
               -- What an order holds from before decides about itself, and so about the order.
               LEFT JOIN LATERAL (
                   SELECT true AS is_holding FROM packages_service.restore_claims c
                   WHERE c.workspace_id = $1 AND c.order_id = failed.id LIMIT 1
               ) holding ON true
               LEFT JOIN LATERAL (
                   SELECT true AS is_held FROM packages_service.restore_claims c
                   WHERE c.workspace_id = $1 AND c.package_id = failed.id AND c.order_id IS NOT NULL OFFSET 0
               ) held ON true
               WHERE is_holding IS NULL AND is_held IS NULL
           ), released AS (
               UPDATE "{workspace}".packages p SET state = 'DELETED' FROM failed
               WHERE p.id = failed.id AND p.state = 'RESTORING'
           ), finished AS (
               UPDATE packages_service.restore_orders o
               SET finished_at = clock_timestamp(), updated_at = clock_timestamp(), total = o.total + 1, failed = o.failed + 1
               FROM failed WHERE o.workspace_id = $1 AND o.package_id = failed.id
           )
           INSERT INTO packages_service.restore_failures (workspace_id, package_id, reason, order_id)
           SELECT $1, id, reason, id FROM failed
           ON CONFLICT (workspace_id, package_id)
           DO UPDATE SET reason = excluded.reason, order_id = excluded.order_id, failed_at = now()"#
    );
    let (ids, reasons): (Vec<i32>, Vec<&str>) = failed.iter().map(|(id, reason)| (id.0, *reason)).unzip();
    let params: [Param<'_>; 3] =
        [(&workspace.0, Type::INT4), (&ids, Type::INT4_ARRAY), (&reasons, Type::TEXT_ARRAY)];
    tx.query(&sql, &params).await.map(drop)
}

/// Forgets the unfinished orders of a dataset whose packages no longer exist: nobody can restore those, or ask about them.
pub(crate) async fn forget_purged_orders(tx: &Transaction<'_>, key: DatasetKey) -> Result<(), Error> {
    let workspace = key.workspace;
    let sql = format!(
        r#"WITH purged AS MATERIALIZED (
               -- Looked up one by one: with many orders the planner would rather go through all packages.
               SELECT o.package_id FROM packages_service.restore_orders o
               LEFT JOIN LATERAL (
                   SELECT true AS is_there FROM "{workspace}".packages p
                   WHERE p.id = o.package_id AND p.dataset_id = $2 OFFSET 0
               ) p ON true
               WHERE o.workspace_id = $1 AND o.dataset_id = $2 AND o.finished_at IS NULL AND p.is_there IS NULL
           )
           DELETE FROM packages_service.restore_orders o USING purged
           WHERE o.workspace_id = $1 AND o.package_id = purged.package_id AND (o.finished_at IS NULL) IS TRUE"#
    );
    tx.query(&sql, &dataset_params(&key)).await.map(drop)
}

/// The node id of the person whose order holds a package, by order.
pub(crate) async fn find_users(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    orders: &[i32],
) -> Result<Vec<(PackageId, String)>, Error> {
    let sql = "SELECT package_id, user_node_id FROM packages_service.restore_orders
               WHERE workspace_id = $1 AND package_id = ANY ($2)";
    let rows = tx.query(sql, &[(&workspace.0, Type::INT4), (&orders, Type::INT4_ARRAY)]).await?;
    let user = |row: &Row| Ok((PackageId(row.try_get(0)?), row.try_get(1)?));
    rows.iter().map(user).collect()
}
