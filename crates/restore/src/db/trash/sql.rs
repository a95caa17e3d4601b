//! The two statements that find what is in the trash, by its names.
//!
//! The platform has no index on a package's state, nor on its dataset alone. But deleting a package puts
//! `__DELETED__{node id}_` before its name, and two unique indexes begin with the name. So the trash of a workspace is one
//! range of each index. A statement reads a bounded piece of that range, [`SCAN_LIMIT`] entries, and answers where the next
//! one begins. Entries of other datasets, and of deeper folders, are skipped. Which part of the range is read does not
//! depend on the collation: `p` and `c`, the letters after the prefix, sort between `:` and `z` in all of them.
//!
//! Three constructs keep the planner from reading a whole table, whatever its statistics say:
//!
//! - `OFFSET 0` in a lateral look-up by a unique key.
//! - An order that only the index gives, before a `LIMIT`. For this the key is compared with `= ANY (ARRAY[..])`: with plain
//!   equality the planner would drop the order.
//! - A range of one value, where the planner must not assume that a folder has few children.

use crate::db::states::{COLLECTION, IN_TRASH};
use packages::{id::WorkspaceId, name::DELETED_PREFIX};

/// How many children of a folder are counted.
pub const MAX_CHILDREN: i64 = 100;

/// How many of the folders above a package are read, the nearest ones.
pub const MAX_PATH: i64 = 32;

/// Entries of the indexes on names that one statement reads. Each may cost a look-up of its folder.
const SCAN_LIMIT: i64 = 1000;

/// A folder with more children is read by names.
const MANY_CHILDREN: i64 = 2000;

/// Folders on one page at most: each costs a look-up of its children.
const MAX_FOLDERS: i64 = 100;

/// Parents of what is on one page at most: each costs a walk up its path.
const MAX_PARENTS: i64 = 50;

/// How many source files of a package are counted: more than any package has.
const MAX_FILES: i64 = 10_000;

/// The columns of `found`, of the table with the alias `p`.
const FOUND_COLUMNS: &str = "p.id, p.node_id, p.name, p.type, p.state, p.parent_id, p.updated_at";

/// The statement of [`find_trash`](super::find_trash). $1 dataset, $2 its node id, $3 the name before the first, $4 the
/// limit, $5 the workspace.
#[must_use]
pub fn find_trash_sql(workspace: WorkspaceId) -> String {
    let (top, nested) = (index_entries_sql(workspace, "", ""), index_entries_sql(workspace, "NOT", ""));
    let (at_top, in_folder) = (row_at_top_sql(workspace), row_in_folder_sql(workspace));
    let page = page_sql(workspace);
    format!(
        r#"WITH RECURSIVE
           -- One row if the dataset exists: without it the answer has no row.
           place AS MATERIALIZED (
               SELECT d.id FROM "{workspace}".datasets d WHERE d.id = $1 AND d.node_id = $2
           ),
           -- A piece of both indexes on names, of all datasets.
           scanned AS MATERIALIZED (
               SELECT * FROM (({top}) UNION ALL ({nested})) s ORDER BY s.name LIMIT {SCAN_LIMIT}
           ),
           -- The entries of this dataset. The range of names is wider than the prefix.
           in_dataset AS MATERIALIZED (
               SELECT s.name, s.parent_id FROM scanned s WHERE s.dataset_id = $1 AND starts_with(s.name, '{DELETED_PREFIX}')
           ),
           -- The folders of these entries that are in the trash: what is in them is not at the top of the trash.
           deleted_parents AS MATERIALIZED (
               SELECT s.parent_id FROM (SELECT DISTINCT o.parent_id FROM in_dataset o WHERE o.parent_id IS NOT NULL) s
               CROSS JOIN LATERAL (SELECT p.state FROM "{workspace}".packages p WHERE p.id = s.parent_id OFFSET 0) p
               WHERE p.state IN {IN_TRASH}
           ),
           -- The rows, one more than requested where there is one.
           found AS MATERIALIZED (
               SELECT p.* FROM (
                   SELECT o.name, o.parent_id FROM in_dataset o
                   WHERE o.parent_id IS NULL OR o.parent_id NOT IN (SELECT parent_id FROM deleted_parents)
                   ORDER BY o.name
               ) s
               CROSS JOIN LATERAL ({at_top} UNION ALL {in_folder} OFFSET 0) p
               ORDER BY s.name LIMIT $4 + 1
           ),
           {page}"#
    )
}

/// The statement of [`find_trash_in_folder`](super::find_trash_in_folder). Parameters as in [`find_trash_sql`]; $6 is the
/// folder's node id.
///
/// The children of a folder are read if they are few. If they are many, the piece of the range of names is.
#[must_use]
pub fn find_trash_in_folder_sql(workspace: WorkspaceId) -> String {
    let condition = format!("AND (SELECT count(*) FROM children) > {MANY_CHILDREN}");
    let nested = index_entries_sql(workspace, "NOT", &condition);
    let (in_folder, page) = (row_in_folder_sql(workspace), page_sql(workspace));
    format!(
        r#"WITH RECURSIVE
           -- One row if the folder exists: without it the answer has no row.
           place AS MATERIALIZED (
               SELECT p.id FROM "{workspace}".datasets d JOIN "{workspace}".packages p ON p.dataset_id = d.id
               WHERE d.id = $1 AND d.node_id = $2 AND p.node_id = $6 AND p.type = {COLLECTION}
           ),
           -- Its children, one more than counts as few.
           children AS MATERIALIZED (
               SELECT c.* FROM place CROSS JOIN LATERAL (
                   SELECT {FOUND_COLUMNS} FROM "{workspace}".packages p
                   WHERE p.parent_id = ANY (ARRAY[place.id]) ORDER BY p.parent_id LIMIT {MANY_CHILDREN} + 1
               ) c
           ),
           -- If they are many: a piece of the index on names in folders, of all datasets.
           scanned AS MATERIALIZED ({nested}
           ),
           -- The rows, if the children are few.
           few AS MATERIALIZED (
               SELECT c.* FROM children c
               WHERE (SELECT count(*) FROM children) <= {MANY_CHILDREN}
                 AND c.state IN {IN_TRASH} AND c.node_id IS NOT NULL AND c.name > $3
               ORDER BY c.name LIMIT $4 + 1
           ),
           -- The rows, if they are many.
           many AS MATERIALIZED (
               SELECT p.* FROM (
                   SELECT s.name, s.parent_id FROM scanned s
                   WHERE s.dataset_id = $1 AND s.parent_id = (SELECT id FROM place) AND starts_with(s.name, '{DELETED_PREFIX}')
                   ORDER BY s.name
               ) s
               CROSS JOIN LATERAL ({in_folder} OFFSET 0) p
               ORDER BY s.name LIMIT $4 + 1
           ),
           -- One of the two is empty.
           found AS MATERIALIZED (
               SELECT * FROM few UNION ALL SELECT * FROM many
           ),
           {page}"#
    )
}

/// A bounded piece of one of the two indexes on names: without `not` of names at the top of datasets, with `NOT` of names in
/// folders. The table itself is not read where a vacuum has been since.
fn index_entries_sql(workspace: WorkspaceId, not: &str, condition: &str) -> String {
    let parent = if not.is_empty() { "NULL::int" } else { "p.parent_id" };
    format!(
        r#"SELECT p.name, p.dataset_id, {parent} AS parent_id FROM "{workspace}".packages p
           WHERE p.parent_id IS {not} NULL
             AND p.name > $3 AND p.name >= '{DELETED_PREFIX}N:' AND p.name < '{DELETED_PREFIX}N:z' {condition}
           ORDER BY p.name LIMIT {SCAN_LIMIT}"#
    )
}

/// The row of an entry `s` at the dataset's top, if it is in the trash.
fn row_at_top_sql(workspace: WorkspaceId) -> String {
    format!(
        r#"SELECT {FOUND_COLUMNS} FROM "{workspace}".packages p
           WHERE s.parent_id IS NULL AND p.parent_id IS NULL AND p.name = s.name AND p.dataset_id = $1
             AND p.state IN {IN_TRASH} AND p.node_id IS NOT NULL"#
    )
}

/// The row of an entry `s` in a folder, if it is in the trash.
fn row_in_folder_sql(workspace: WorkspaceId) -> String {
    format!(
        r#"SELECT {FOUND_COLUMNS} FROM "{workspace}".packages p
           WHERE p.name = s.name AND p.dataset_id = $1 AND p.parent_id >= s.parent_id AND p.parent_id <= s.parent_id
             AND p.state IN {IN_TRASH} AND p.node_id IS NOT NULL"#
    )
}

/// The end of both statements: the page of what they `found`, with all its columns.
fn page_sql(workspace: WorkspaceId) -> String {
    let (ancestors, details) = (ancestors_sql(workspace), details_sql(workspace));
    format!(
        r#"-- is_first: the first package of its folder, so that parents are counted once.
           marked AS (
               SELECT f.*, row_number() OVER (PARTITION BY f.parent_id ORDER BY f.name) = 1 AS is_first FROM found f
           ),
           -- How many folders and parents there are up to each package.
           ranked AS (
               SELECT m.*, row_number() OVER w AS rank, count(*) FILTER (WHERE m.type = {COLLECTION}) OVER w AS folders,
                      count(*) FILTER (WHERE m.is_first) OVER w AS parents
               FROM marked m WINDOW w AS (ORDER BY m.name)
           ),
           -- The page ends at the first limit that it reaches.
           page AS MATERIALIZED (
               SELECT r.* FROM ranked r WHERE r.rank <= $4 AND r.folders <= {MAX_FOLDERS} AND r.parents <= {MAX_PARENTS}
           ),
           {ancestors}
           SELECT CASE WHEN (SELECT count(*) FROM found) > (SELECT count(*) FROM page) THEN (SELECT max(name) FROM page)
                       WHEN (SELECT count(*) FROM scanned) = {SCAN_LIMIT} THEN (SELECT max(name) FROM scanned) END AS next,
                  i.id, i.node_id, i.name, i.type, i.state,
                  to_char(i.updated_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS updated_at,
                  f.sources, f.stored, f.size, c.children, c.scanned > {MAX_CHILDREN} AS has_more_children,
                  claim.package_id IS NOT NULL AS is_claimed, failure.reason,
                  path.node_ids AS ancestor_node_ids, path.names AS ancestor_names
           FROM place LEFT JOIN (page i {details}) ON true
           ORDER BY i.rank"#
    )
}

/// The folders above, once for each folder that a package of the page is in.
fn ancestors_sql(workspace: WorkspaceId) -> String {
    format!(
        r#"-- start: the folder whose path this is. depth ends a cycle of parents.
           ancestors (start, depth, name, node_id, parent_id) AS (
               SELECT s.parent_id, 1, f.name, f.node_id, f.parent_id
               FROM (SELECT DISTINCT i.parent_id FROM page i WHERE i.parent_id IS NOT NULL) s
               CROSS JOIN LATERAL (
                   SELECT f.name, f.node_id, f.parent_id FROM "{workspace}".packages f WHERE f.id = s.parent_id OFFSET 0
               ) f
               UNION ALL
               SELECT a.start, a.depth + 1, f.name, f.node_id, f.parent_id
               FROM ancestors a CROSS JOIN LATERAL (
                   SELECT f.name, f.node_id, f.parent_id FROM "{workspace}".packages f WHERE f.id = a.parent_id OFFSET 0
               ) f
               WHERE a.depth < {MAX_PATH}
           ),
           -- One row for each path.
           path AS MATERIALIZED (
               SELECT a.start, array_agg(a.node_id::text ORDER BY a.depth DESC) AS node_ids,
                      array_agg(a.name::text ORDER BY a.depth DESC) AS names
               FROM ancestors a GROUP BY a.start
           )"#
    )
}

/// Whether the workspace has rows in one of our tables. This is found out once. Mostly it has none, and then nothing is
/// looked up for each package.
fn has_rows_sql(table: &str) -> String {
    format!(
        "(SELECT true FROM packages_service.{table} r WHERE r.workspace_id = ANY (ARRAY[$5]) ORDER BY r.workspace_id LIMIT 1)"
    )
}

/// What other tables hold about an item `i` of the page.
fn details_sql(workspace: WorkspaceId) -> String {
    let [has_claims, has_failures] = ["restore_claims", "restore_failures"].map(has_rows_sql);
    format!(
        r#"-- The files of a file.
           CROSS JOIN LATERAL (
               SELECT count(*) AS sources, count(*) FILTER (WHERE f.s3_bucket <> '' AND f.s3_key <> '') AS stored,
                      least(coalesce(sum(f.size), 0), 9223372036854775807)::bigint AS size
               FROM (
                   SELECT f.s3_bucket, f.s3_key, f.size FROM "{workspace}".files f
                   WHERE i.type <> {COLLECTION} AND f.package_id = ANY (ARRAY[i.id]) AND f.object_type = 'source'
                   ORDER BY f.package_id LIMIT {MAX_FILES}
               ) f
           ) f
           -- The children of a folder.
           CROSS JOIN LATERAL (
               SELECT count(*) AS scanned, count(*) FILTER (WHERE c.state IN {IN_TRASH}) AS children
               FROM (
                   SELECT c.state FROM "{workspace}".packages c
                   WHERE i.type = {COLLECTION} AND c.parent_id = ANY (ARRAY[i.id]) ORDER BY c.parent_id LIMIT {MAX_CHILDREN} + 1
               ) c
           ) c
           -- The order that holds it.
           LEFT JOIN LATERAL (
               SELECT r.package_id FROM packages_service.restore_claims r
               WHERE {has_claims} AND r.workspace_id = $5 AND r.package_id = i.id AND r.order_id IS NOT NULL OFFSET 0
           ) claim ON true
           -- Why the last restore left it.
           LEFT JOIN LATERAL (
               SELECT r.reason FROM packages_service.restore_failures r
               WHERE {has_failures} AND r.workspace_id = $5 AND r.package_id = i.id OFFSET 0
           ) failure ON true
           LEFT JOIN path ON path.start = i.parent_id"#
    )
}
