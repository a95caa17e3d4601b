//! `packages_service.restore_claims`: which packages an order holds, in the order in which they come back.
//!
//! All walks through the tree go by `LATERAL` look-ups with `OFFSET 0`: one look into the index per package, whatever the
//! planner thinks of the tenant's shape. None has a limit on depth.

use std::time::SystemTime;

use tokio_postgres::{Row, types::Type};

use super::{
    Db, Error, Param, Tx,
    packages::{COLUMNS, PackageRow, row},
};
use crate::{
    id::{DatasetKey, PackageId, WorkspaceId},
    package::State,
};

/// What became of an order when its packages were to be claimed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClaimedOrder {
    /// The ordered package.
    pub(crate) id: PackageId,
    /// Its state.
    pub(crate) state: State,
    /// Whether the folders above it lead to the dataset's top; in a circle of parents they do not.
    pub(crate) has_top: bool,
}

/// The `WITH` clause that walks through the trees of the orders that have not been claimed for yet: `ordered`, those orders'
/// packages; `placed`, them and the folders above with their depths; `down (id, order_id, depth, state, type, parent_id)`,
/// what they hold.
///
/// Depths count from the dataset's top and are found on the way down from there, so a circle of parents is never entered:
/// a package has one parent, so a walk down from outside cannot reach one.
fn with_trees(workspace: WorkspaceId) -> String {
    format!(
        r#"WITH RECURSIVE ordered AS (
               SELECT o.package_id AS id, o.ordered_at, p.parent_id, p.state, p.type
               FROM packages_service.restore_orders o
               CROSS JOIN LATERAL (
                   SELECT parent_id, state::text, type::text FROM "{workspace}".packages p
                   WHERE p.id = o.package_id AND p.dataset_id = $2 OFFSET 0
               ) p
               WHERE o.workspace_id = $1 AND o.dataset_id = $2 AND o.finished_at IS NULL AND o.claimed_at IS NULL
           ), up AS (
               -- The folders above. UNION over ids ends a circle.
               SELECT id, parent_id FROM ordered
               UNION
               SELECT p.id, p.parent_id FROM up CROSS JOIN LATERAL (
                   SELECT id, parent_id FROM "{workspace}".packages p WHERE p.id = up.parent_id OFFSET 0
               ) p
           ), placed AS (
               -- Back from the top, now with depths.
               SELECT id, 0 AS depth FROM up WHERE parent_id IS NULL
               UNION ALL
               SELECT up.id, placed.depth + 1 FROM placed JOIN up ON up.parent_id = placed.id
           ), started AS (
               -- A package that was deleted again since it was ordered is not RESTORING any more.
               SELECT ordered.id, ordered.state, ordered.type, placed.depth FROM ordered JOIN placed USING (id)
               WHERE ordered.state = 'RESTORING' OR ordered.state <> ALL ($3)
           ), down AS (
               SELECT id, id AS order_id, depth, state, type, NULL::int AS parent_id FROM started
               UNION ALL
               SELECT p.id, down.order_id, down.depth + 1, p.state, p.type, down.id FROM down CROSS JOIN LATERAL (
                   SELECT id, node_id, state::text, type::text FROM "{workspace}".packages p
                   WHERE p.parent_id = down.id AND p.dataset_id = $2 OFFSET 0
               ) p
               -- Nobody can have asked for one without a node id. One that is ordered itself has a walk of its own: looked up, as
               -- the planner would go through a list of them once for every package.
               WHERE p.node_id LIKE 'N:%' AND NOT (p.state NOT IN ('UNAVAILABLE', 'DELETING', 'DELETED') AND EXISTS (
                   SELECT 1 FROM packages_service.restore_orders o
                   WHERE o.workspace_id = $1 AND o.package_id = p.id AND o.dataset_id = $2
                     AND o.finished_at IS NULL AND o.claimed_at IS NULL OFFSET 0
               ))
           )"#
    )
}

/// Claims what the orders of a dataset hold that have not been claimed for yet: each ordered package and all that lies in
/// the trash beneath it. A package belongs to the nearest ordered package above it. One statement, whatever the size.
pub(crate) async fn claim_trees(tx: &Tx<'_>, key: DatasetKey) -> Result<Vec<ClaimedOrder>, Error> {
    let (workspace, trees) = (key.workspace, with_trees(key.workspace));
    let sql = format!(
        r#"{trees}, positioned AS (
               -- Folders from the top down, then files as S3 lists them: neighbours there are asked for together.
               SELECT down.id, down.order_id, down.state,
                      row_number() OVER (ORDER BY CASE WHEN file.s3_key IS NULL OR parents.id IS NOT NULL THEN down.depth END
                                                      NULLS LAST,
                                                  file.s3_bucket COLLATE "C", file.s3_key COLLATE "C", down.id) AS position
               FROM down
               LEFT JOIN (SELECT DISTINCT parent_id AS id FROM down) parents ON parents.id = down.id
               LEFT JOIN LATERAL (
                   SELECT s3_bucket, s3_key FROM "{workspace}".files f
                   WHERE f.package_id = down.id AND down.type <> 'Collection' LIMIT 1
               ) file ON true
               WHERE down.state IN ('DELETING', 'DELETED', 'RESTORING')
           ), claimed AS (
               INSERT INTO packages_service.restore_claims AS known
                   (workspace_id, package_id, dataset_id, order_id, position, is_ordered, is_blocked)
               SELECT $1, id, $2, order_id, position, id = order_id, state = 'DELETING' FROM positioned
               ON CONFLICT (workspace_id, package_id) DO UPDATE
               SET order_id = excluded.order_id, position = excluded.position, is_ordered = excluded.is_ordered,
                   is_blocked = excluded.is_blocked
               WHERE known.order_id IS NULL
               RETURNING package_id, order_id
           ), counted AS (
               -- A folder's order counts what lies beneath it, and not the folder.
               SELECT c.order_id, count(*) - count(folder.id) AS packages
               FROM claimed c LEFT JOIN ordered folder ON folder.id = c.package_id AND folder.type = 'Collection'
                                                      AND c.package_id = c.order_id
               GROUP BY c.order_id
           )
           UPDATE packages_service.restore_orders o
           -- One that was ordered again since this began is walked again.
           SET claimed_at = CASE WHEN o.ordered_at = ordered.ordered_at THEN clock_timestamp() END,
               updated_at = clock_timestamp(), total = o.total + coalesce(counted.packages, 0)
           FROM ordered LEFT JOIN counted ON counted.order_id = ordered.id LEFT JOIN placed ON placed.id = ordered.id
           WHERE o.workspace_id = $1 AND o.package_id = ordered.id
           RETURNING ordered.id, ordered.state, placed.id IS NOT NULL"#
    );
    let params: [Param<'_>; 3] = [
        (&key.workspace.0, Type::INT4),
        (&key.dataset.0, Type::INT4),
        (&&State::NOT_LIVE[..], Type::TEXT_ARRAY),
    ];
    let order = |row: &Row| {
        let state = State::parse(row.try_get(1)?);
        Ok(ClaimedOrder { id: PackageId(row.try_get(0)?), state, has_top: row.try_get(2)? })
    };
    tx.query(&sql, &params).await?.iter().map(order).collect()
}

/// Claims the deleted folders above a dataset's claims, which come back with the first package beneath them.
pub(crate) async fn claim_ancestors(tx: &Tx<'_>, key: DatasetKey, orders: &[i32]) -> Result<(), Error> {
    let workspace = key.workspace;
    let sql = format!(
        r#"WITH RECURSIVE up AS (
               SELECT p.id, p.parent_id, true AS is_ordered FROM unnest($3::int[]) AS ordered (id)
               CROSS JOIN LATERAL (
                   SELECT id, parent_id FROM "{workspace}".packages p WHERE p.id = ordered.id OFFSET 0
               ) p
               UNION
               SELECT p.id, p.parent_id, false FROM up CROSS JOIN LATERAL (
                   SELECT id, parent_id FROM "{workspace}".packages p
                   WHERE p.id = up.parent_id AND p.dataset_id = $2 AND p.type = 'Collection'
                     AND p.state IN ('DELETED', 'RESTORING') AND p.node_id LIKE 'N:%' OFFSET 0
               ) p
           )
           INSERT INTO packages_service.restore_claims (workspace_id, package_id, dataset_id, position)
           SELECT DISTINCT $1, id, $2, 0 FROM up WHERE NOT is_ordered
           ON CONFLICT (workspace_id, package_id) DO NOTHING"#
    );
    let params: [Param<'_>; 3] =
        [(&key.workspace.0, Type::INT4), (&key.dataset.0, Type::INT4), (&orders, Type::INT4_ARRAY)];
    tx.query(&sql, &params).await.map(drop)
}

/// Looks at the claims on packages that the platform was still deleting: those that it has deleted by now can be restored.
/// What is still being deleted has `reason` on record until then; after `max_age_seconds` its claim ends with it.
pub(crate) async fn unblock(
    db: &Db,
    key: DatasetKey,
    reason: &str,
    max_age_seconds: f64,
) -> Result<(), Error> {
    let workspace = key.workspace;
    let sql = format!(
        r#"WITH blocked AS (
               SELECT c.package_id, c.order_id, c.claimed_at, p.state
               FROM packages_service.restore_claims c
               LEFT JOIN LATERAL (
                   SELECT state FROM "{workspace}".packages p WHERE p.id = c.package_id OFFSET 0
               ) p ON true
               WHERE c.workspace_id = $1 AND c.dataset_id = $2 AND c.is_blocked
           ), over AS (
               SELECT package_id, order_id FROM blocked
               WHERE state = 'DELETING' AND claimed_at < clock_timestamp() - $4::float8 * interval '1 second'
           ), ended AS (
               DELETE FROM packages_service.restore_claims c USING over
               WHERE c.workspace_id = $1 AND c.package_id = over.package_id
           ), counted AS (
               UPDATE packages_service.restore_orders o SET failed = o.failed + n.packages
               FROM (SELECT order_id, count(*) AS packages FROM over GROUP BY order_id) n
               WHERE o.workspace_id = $1 AND o.package_id = n.order_id
           ), freed AS (
               UPDATE packages_service.restore_claims c SET is_blocked = false FROM blocked
               WHERE c.workspace_id = $1 AND c.package_id = blocked.package_id AND blocked.state IS DISTINCT FROM 'DELETING'
           )
           INSERT INTO packages_service.restore_failures AS known (workspace_id, package_id, reason, order_id)
           SELECT $1, package_id, $3, order_id FROM blocked WHERE state = 'DELETING'
           ON CONFLICT (workspace_id, package_id)
           DO UPDATE SET reason = excluded.reason, order_id = excluded.order_id WHERE known.reason <> excluded.reason"#
    );
    let params: [Param<'_>; 4] = [
        (&key.workspace.0, Type::INT4),
        (&key.dataset.0, Type::INT4),
        (&reason, Type::TEXT),
        (&max_age_seconds, Type::FLOAT8),
    ];
    db.query(&sql, &params).await.map(drop)
}

/// A claim whose turn has come.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    /// The claimed package.
    pub(crate) id: PackageId,
    /// The ordered package.
    pub(crate) order: PackageId,
    /// Whether it was ordered itself.
    pub(crate) is_ordered: bool,
    /// Tells this claim from a later one on the same package.
    pub(crate) claimed_at: SystemTime,
    /// Its place in the order in which packages come back.
    pub(crate) position: i64,
    /// Failed attempts.
    pub(crate) attempts: u32,
    /// The package as it is; `None` if it no longer exists.
    pub(crate) package: Option<PackageRow>,
}

/// Where a claim stands in the order in which packages come back: its position, then its package.
pub(crate) type ClaimPosition = (i64, i32);

/// The next claims of a dataset that are due, after this position, folders before what lies in them. Nothing is locked.
pub(crate) async fn list_next(
    db: &Db,
    key: DatasetKey,
    after: ClaimPosition,
    limit: i64,
) -> Result<Vec<Claim>, Error> {
    let workspace = key.workspace;
    let sql = format!(
        r#"SELECT p.*, next.package_id, next.order_id, next.is_ordered, next.claimed_at, next.position, next.attempts
           FROM (
               SELECT package_id, order_id, is_ordered, claimed_at, attempts, position
               FROM packages_service.restore_claims
               WHERE workspace_id = $1 AND dataset_id = $2 AND order_id IS NOT NULL AND NOT is_blocked
                 AND (position, package_id) > ($4, $5) AND due_at <= clock_timestamp()
               ORDER BY position, package_id LIMIT $3
           ) next
           LEFT JOIN LATERAL (
               SELECT {COLUMNS} FROM "{workspace}".packages p WHERE p.id = next.package_id AND p.dataset_id = $2 OFFSET 0
           ) p ON true
           ORDER BY next.position, next.package_id"#
    );
    let params: [Param<'_>; 5] = [
        (&key.workspace.0, Type::INT4),
        (&key.dataset.0, Type::INT4),
        (&limit, Type::INT8),
        (&after.0, Type::INT8),
        (&after.1, Type::INT4),
    ];
    db.query(&sql, &params).await?.iter().map(claim).collect()
}

fn claim(r: &Row) -> Result<Claim, Error> {
    Ok(Claim {
        package: row(r)?,
        id: PackageId(r.try_get("package_id")?),
        order: PackageId(r.try_get("order_id")?),
        is_ordered: r.try_get("is_ordered")?,
        claimed_at: r.try_get("claimed_at")?,
        position: r.try_get("position")?,
        attempts: u32::try_from(r.try_get::<_, i32>("attempts")?).unwrap_or_default(),
    })
}

/// A folder above packages that are to come back.
#[derive(Debug, Clone)]
pub(crate) struct Ancestor {
    /// The folder as it is.
    pub(crate) package: PackageRow,
    /// Its claim, if it is to come back with what lies in it.
    pub(crate) claimed_at: Option<SystemTime>,
    /// The order that holds it for itself.
    pub(crate) order: Option<PackageId>,
}

/// These folders and those above them, up to the first that is neither in the trash nor on its way back.
pub(crate) async fn list_ancestors(
    db: &Db,
    workspace: WorkspaceId,
    folders: &[i32],
) -> Result<Vec<Ancestor>, Error> {
    let sql = format!(
        r#"WITH RECURSIVE up AS (
               SELECT p.* FROM unnest($2::int[]) AS folder (id) CROSS JOIN LATERAL (
                   SELECT {COLUMNS} FROM "{workspace}".packages p WHERE p.id = folder.id OFFSET 0
               ) p
               UNION
               SELECT p.* FROM up CROSS JOIN LATERAL (
                   SELECT {COLUMNS} FROM "{workspace}".packages p WHERE p.id = up.parent_id OFFSET 0
               ) p
               WHERE up.state IN ('DELETED', 'RESTORING')
           )
           SELECT up.*, c.claimed_at, c.order_id FROM up
           LEFT JOIN LATERAL (
               SELECT claimed_at, order_id FROM packages_service.restore_claims c
               WHERE c.workspace_id = $1 AND c.package_id = up.id OFFSET 0
           ) c ON true"#
    );
    let rows = db.query(&sql, &[(&workspace.0, Type::INT4), (&folders, Type::INT4_ARRAY)]).await?;
    let mut ancestors = Vec::with_capacity(rows.len());
    for r in &rows {
        if let Some(package) = row(r)? {
            let order = r.try_get::<_, Option<i32>>("order_id")?.map(PackageId);
            ancestors.push(Ancestor { package, claimed_at: r.try_get("claimed_at")?, order });
        }
    }
    Ok(ancestors)
}
