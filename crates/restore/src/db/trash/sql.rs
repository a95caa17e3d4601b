//! The two statements that find what lies in the trash, by its names.
//!
//! The platform has no index on a package's state, nor on its dataset alone. But deleting a package puts
//! `__DELETED__{node id}_` before its name, and two unique indexes begin with the name: so the trash of a workspace is one
//! range of each. A statement reads a bounded piece of that range, [`SCANNED`] entries, and tells where the next one
//! begins; what lies between was another dataset's or lies deeper. Which part of the range is read does not depend on the
//! collation: `p` and `c`, with which what follows the prefix begins, sort between `:` and `z` in all of them.
//!
//! Three turns of phrase keep the planner from reading a whole table, whatever its statistics say: `OFFSET 0` in a lateral
//! look-up by a unique key; an order that only the index gives before a `LIMIT`, for which the key is compared with
//! `= ANY (ARRAY[..])`, since equality alone would make the order void; a range of one value, where the planner should not
//! think that a folder's children are few.

use crate::db::trash::{MAX_CHILDREN, MAX_PATH};
use packages::id::WorkspaceId;

/// Entries of the indexes on names that one statement looks at. Each may cost a look at its folder.
const SCANNED: i64 = 1000;

/// A folder with more children is read by names.
const MANY_CHILDREN: i64 = 2000;

/// Folders on one page at most: each costs a look at its children.
const MAX_FOLDERS: i64 = 100;

/// Folders that what is on one page lies in, at most: each costs a walk up its path.
const MAX_PARENTS: i64 = 50;

/// How many source files of a package are counted: more than any has, and an end.
const MAX_FILES: i64 = 10_000;

/// The states, as the column holds them, of what is in the trash.
const STATES: &str = "('DELETED', 'DELETING', 'RESTORING')";

const COLUMNS: &str = "p.id, p.node_id, p.name, p.type, p.state, p.parent_id, p.updated_at";

/// The statement of [`find_trash`](super::find_trash), for whoever wants it explained. $1 dataset, $2 its node id, $3 the name before the
/// first, $4 the limit, $5 the workspace.
#[must_use]
pub fn find_trash_sql(workspace: WorkspaceId) -> String {
    let (top, nested) = (entries(workspace, "", ""), entries(workspace, "NOT", ""));
    let (at_top, in_folder) = (at_top(workspace), in_folder(workspace));
    let described = described(workspace);
    format!(
        r#"WITH RECURSIVE place AS MATERIALIZED (
               SELECT d.id FROM "{workspace}".datasets d WHERE d.id = $1 AND d.node_id = $2
           ), scanned AS MATERIALIZED (
               SELECT * FROM (({top}) UNION ALL ({nested})) s ORDER BY s.name LIMIT {SCANNED}
           ), ours AS MATERIALIZED (
               SELECT s.name, s.parent_id FROM scanned s WHERE s.dataset_id = $1 AND starts_with(s.name, '__DELETED__')
           ), parents AS MATERIALIZED (
               SELECT s.parent_id FROM (SELECT DISTINCT o.parent_id FROM ours o WHERE o.parent_id IS NOT NULL) s
               CROSS JOIN LATERAL (SELECT p.state FROM "{workspace}".packages p WHERE p.id = s.parent_id OFFSET 0) p
               WHERE p.state IN {STATES}
           ), found AS MATERIALIZED (
               SELECT p.* FROM (
                   SELECT o.name, o.parent_id FROM ours o
                   WHERE o.parent_id IS NULL OR o.parent_id NOT IN (SELECT parent_id FROM parents)
                   ORDER BY o.name
               ) s
               CROSS JOIN LATERAL ({at_top} UNION ALL {in_folder} OFFSET 0) p
               ORDER BY s.name LIMIT $4 + 1
           ), {described}"#
    )
}

/// The statement of [`find_trash_in`](super::find_trash_in), likewise. $6 is the folder's node id.
///
/// A folder with few children is read by them; of one with many, the piece of the range of names.
#[must_use]
pub fn find_trash_in_sql(workspace: WorkspaceId) -> String {
    let only_if = format!("AND (SELECT count(*) FROM children) > {MANY_CHILDREN}");
    let nested = entries(workspace, "NOT", &only_if);
    let (in_folder, described) = (in_folder(workspace), described(workspace));
    format!(
        r#"WITH RECURSIVE place AS MATERIALIZED (
               SELECT p.id FROM "{workspace}".datasets d JOIN "{workspace}".packages p ON p.dataset_id = d.id
               WHERE d.id = $1 AND d.node_id = $2 AND p.node_id = $6 AND p.type = 'Collection'
           ), children AS MATERIALIZED (
               SELECT c.* FROM place CROSS JOIN LATERAL (
                   SELECT {COLUMNS} FROM "{workspace}".packages p
                   WHERE p.parent_id = ANY (ARRAY[place.id]) ORDER BY p.parent_id LIMIT {MANY_CHILDREN} + 1
               ) c
           ), scanned AS MATERIALIZED ({nested}
           ), few AS MATERIALIZED (
               SELECT c.* FROM children c
               WHERE (SELECT count(*) FROM children) <= {MANY_CHILDREN}
                 AND c.state IN {STATES} AND c.node_id IS NOT NULL AND c.name > $3
               ORDER BY c.name LIMIT $4 + 1
           ), many AS MATERIALIZED (
               SELECT p.* FROM (
                   SELECT s.name, s.parent_id FROM scanned s
                   WHERE s.dataset_id = $1 AND s.parent_id = (SELECT id FROM place) AND starts_with(s.name, '__DELETED__')
                   ORDER BY s.name
               ) s
               CROSS JOIN LATERAL ({in_folder} OFFSET 0) p
               ORDER BY s.name LIMIT $4 + 1
           ), found AS MATERIALIZED (
               SELECT * FROM few UNION ALL SELECT * FROM many
           ), {described}"#
    )
}

/// A bounded piece of one of the two indexes on names, without a look at the table where a vacuum has been since.
fn entries(workspace: WorkspaceId, not: &str, only_if: &str) -> String {
    let parent = if not.is_empty() { "NULL::int" } else { "p.parent_id" };
    format!(
        r#"SELECT p.name, p.dataset_id, {parent} AS parent_id FROM "{workspace}".packages p
           WHERE p.parent_id IS {not} NULL
             AND p.name > $3 AND p.name >= '__DELETED__N:' AND p.name < '__DELETED__N:z' {only_if}
           ORDER BY p.name LIMIT {SCANNED}"#
    )
}

/// The row of an entry `s` at the dataset's top, if it is in the trash.
fn at_top(workspace: WorkspaceId) -> String {
    format!(
        r#"SELECT {COLUMNS} FROM "{workspace}".packages p
           WHERE s.parent_id IS NULL AND p.parent_id IS NULL AND p.name = s.name AND p.dataset_id = $1
             AND p.state IN {STATES} AND p.node_id IS NOT NULL"#
    )
}

/// The row of an entry `s` in a folder, if it is in the trash.
fn in_folder(workspace: WorkspaceId) -> String {
    format!(
        r#"SELECT {COLUMNS} FROM "{workspace}".packages p
           WHERE p.name = s.name AND p.dataset_id = $1 AND p.parent_id >= s.parent_id AND p.parent_id <= s.parent_id
             AND p.state IN {STATES} AND p.node_id IS NOT NULL"#
    )
}

/// What both statements tell of what they `found`, which is one row more than asked for where there is one.
fn described(workspace: WorkspaceId) -> String {
    let (above, more) = (above(workspace), more(workspace));
    format!(
        r#"known AS (
               SELECT f.*, row_number() OVER (PARTITION BY f.parent_id ORDER BY f.name) = 1 AS is_first FROM found f
           ), ranked AS (
               SELECT k.*, row_number() OVER w AS rank, count(*) FILTER (WHERE k.type = 'Collection') OVER w AS folders,
                      count(*) FILTER (WHERE k.is_first) OVER w AS parents
               FROM known k WINDOW w AS (ORDER BY k.name)
           ), page AS MATERIALIZED (
               SELECT r.* FROM ranked r WHERE r.rank <= $4 AND r.folders <= {MAX_FOLDERS} AND r.parents <= {MAX_PARENTS}
           ), {above}
           SELECT CASE WHEN (SELECT count(*) FROM found) > (SELECT count(*) FROM page) THEN (SELECT max(name) FROM page)
                       WHEN (SELECT count(*) FROM scanned) = {SCANNED} THEN (SELECT max(name) FROM scanned) END,
                  i.id, i.node_id, i.name, i.type, i.state,
                  to_char(i.updated_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                  f.sources, f.stored, f.size, c.children, c.seen > {MAX_CHILDREN},
                  claim.package_id IS NOT NULL, failure.reason, path.node_ids, path.names
           FROM place LEFT JOIN (page i {more}) ON true
           ORDER BY i.rank"#
    )
}

/// The folders above, once for each folder that a package of the page lies in.
fn above(workspace: WorkspaceId) -> String {
    format!(
        r#"above (start, depth, name, node_id, parent_id) AS (
               SELECT s.parent_id, 1, f.name, f.node_id, f.parent_id
               FROM (SELECT DISTINCT i.parent_id FROM page i WHERE i.parent_id IS NOT NULL) s
               CROSS JOIN LATERAL (
                   SELECT f.name, f.node_id, f.parent_id FROM "{workspace}".packages f WHERE f.id = s.parent_id OFFSET 0
               ) f
               UNION ALL
               SELECT a.start, a.depth + 1, f.name, f.node_id, f.parent_id
               FROM above a CROSS JOIN LATERAL (
                   SELECT f.name, f.node_id, f.parent_id FROM "{workspace}".packages f WHERE f.id = a.parent_id OFFSET 0
               ) f
               WHERE a.depth < {MAX_PATH}
           ), path AS MATERIALIZED (
               SELECT a.start, array_agg(a.node_id::text ORDER BY a.depth DESC) AS node_ids,
                      array_agg(a.name::text ORDER BY a.depth DESC) AS names
               FROM above a GROUP BY a.start
           )"#
    )
}

/// Whether the workspace has anything in one of our tables, which is found out once: mostly it has nothing there, and then
/// nothing is looked up.
fn any_of_workspace(table: &str) -> String {
    format!(
        "(SELECT true FROM packages_service.{table} r WHERE r.workspace_id = ANY (ARRAY[$5]) ORDER BY r.workspace_id LIMIT 1)"
    )
}

/// What other tables tell of an item `i` of the page.
fn more(workspace: WorkspaceId) -> String {
    let [claims, failures] = ["restore_claims", "restore_failures"].map(any_of_workspace);
    format!(
        r#"CROSS JOIN LATERAL (
               SELECT count(*) AS sources, count(*) FILTER (WHERE f.s3_bucket <> '' AND f.s3_key <> '') AS stored,
                      least(coalesce(sum(f.size), 0), 9223372036854775807)::bigint AS size
               FROM (
                   SELECT f.s3_bucket, f.s3_key, f.size FROM "{workspace}".files f
                   WHERE i.type <> 'Collection' AND f.package_id = ANY (ARRAY[i.id]) AND f.object_type = 'source'
                   ORDER BY f.package_id LIMIT {MAX_FILES}
               ) f
           ) f
           CROSS JOIN LATERAL (
               SELECT count(*) AS seen, count(*) FILTER (WHERE c.state IN {STATES}) AS children
               FROM (
                   SELECT c.state FROM "{workspace}".packages c
                   WHERE i.type = 'Collection' AND c.parent_id = ANY (ARRAY[i.id]) ORDER BY c.parent_id LIMIT {MAX_CHILDREN} + 1
               ) c
           ) c
           LEFT JOIN LATERAL (
               SELECT r.package_id FROM packages_service.restore_claims r
               WHERE {claims} AND r.workspace_id = $5 AND r.package_id = i.id AND r.order_id IS NOT NULL OFFSET 0
           ) claim ON true
           LEFT JOIN LATERAL (
               SELECT r.reason FROM packages_service.restore_failures r
               WHERE {failures} AND r.workspace_id = $5 AND r.package_id = i.id OFFSET 0
           ) failure ON true
           LEFT JOIN path ON path.start = i.parent_id"#
    )
}
