//! The statements that list what is in a folder or at the top of a dataset, and that find one package.
//!
//! A page is in the order of names. The platform has an index on a package's folder, and one on the dataset of each package,
//! neither with names; and two unique indexes that begin with the name, of the whole workspace. So there are two ways to a page:
//!
//! - All children of the folder are read and sorted. That costs as much as the folder has children.
//! - The index on names is read from the cursor on, until the page is full. That costs as much as the workspace has names
//!   between the first and the last of the page: little where a folder has many packages, since their names are close together.
//!
//! Up to [`FEW_PACKAGES`] are sorted. Of more the index is read, and a folder is sorted nevertheless if a piece of
//! [`SCAN_LIMIT`] names does not fill the page.
//!
//! Three constructs keep the planner from reading a whole table, whatever its statistics say:
//!
//! - `OFFSET 0` in a lateral look-up by a unique key.
//! - A range of one value, `>=` and `<=`, where the planner must not assume that a folder or a dataset has few packages, nor that
//!   it has many.
//! - The same range over a row of two columns, where the planner would rather sort than read an index in order. It takes such a
//!   range for a ninth of the table, and the index still compares the first column.

use crate::{
    id::WorkspaceId,
    package::{PackageKind, PackageState},
};

/// How many children of a folder are counted.
pub const MAX_CHILDREN: i64 = 100;

/// How many of the folders above a package are read, the nearest ones.
pub const MAX_PATH: i64 = 32;

/// Folders on one page at most: each costs a look-up of its children.
pub const MAX_FOLDERS: i64 = 100;

/// Up to so many packages are read and sorted for one page.
const FEW_PACKAGES: i64 = 10_000;

/// Entries of the index on names that one statement reads for a folder of many packages.
const SCAN_LIMIT: i64 = 4000;

/// How many source files of a package are counted: more than any package has.
const MAX_FILES: i64 = 10_000;

const COLLECTION: &str = PackageKind::COLLECTION_SQL;
const NOT_LIVE: &str = PackageState::NOT_LIVE_SQL;

/// The columns of a listed package, of the table with the alias `p`.
const COLUMNS: &str = "p.id, p.node_id, p.name, p.type, p.state, p.created_at, p.updated_at";

/// The direction of a list, and whether it begins after a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameRange {
    /// From the last name to the first.
    pub is_descending: bool,
    /// Whether $3 is the name after which the page begins.
    pub has_start: bool,
}

impl NameRange {
    fn condition(self) -> &'static str {
        match (self.has_start, self.is_descending) {
            (false, _) => "true",
            (true, false) => "p.name > $3",
            (true, true) => "p.name < $3",
        }
    }

    fn direction(self) -> &'static str {
        if self.is_descending { "DESC" } else { "ASC" }
    }
}

/// The packages at the top of a dataset. $1 dataset, $2 its node id, $3 the name before the first, $4 the limit.
#[must_use]
pub fn list_top_sql(workspace: WorkspaceId, range: NameRange) -> String {
    let (after, direction, page) = (range.condition(), range.direction(), page_sql(workspace, range));
    format!(
        r#"WITH RECURSIVE
           -- One row if the dataset exists: without it the answer has no row.
           place AS MATERIALIZED (
               SELECT d.id, NULL::int AS folder_id FROM "{workspace}".datasets d WHERE d.id = $1 AND d.node_id = $2
           ),
           -- How many packages the dataset has in all folders, counted to where they are many.
           known AS MATERIALIZED (
               SELECT count(*) AS packages FROM (
                   SELECT FROM place CROSS JOIN LATERAL (
                       SELECT FROM "{workspace}".packages p
                       WHERE p.dataset_id >= place.id AND p.dataset_id <= place.id LIMIT {FEW_PACKAGES} + 1
                   ) p
               ) p
           ),
           -- If they are few: all of them, sorted.
           few AS MATERIALIZED (
               SELECT {COLUMNS} FROM (
                   SELECT p.* FROM place CROSS JOIN LATERAL (
                       SELECT {COLUMNS}, p.parent_id FROM "{workspace}".packages p
                       WHERE (SELECT packages FROM known) <= {FEW_PACKAGES}
                         AND p.dataset_id >= place.id AND p.dataset_id <= place.id OFFSET 0
                   ) p
               ) p
               WHERE p.parent_id IS NULL AND {after} AND p.state NOT IN {NOT_LIVE} AND p.node_id IS NOT NULL
               ORDER BY p.name {direction} LIMIT $4 + 1
           ),
           -- If they are many: the index on the names at the top of all datasets.
           many AS MATERIALIZED (
               SELECT p.* FROM place CROSS JOIN LATERAL (
                   SELECT {COLUMNS} FROM "{workspace}".packages p
                   WHERE (SELECT packages FROM known) > {FEW_PACKAGES} AND p.parent_id IS NULL AND {after}
                     AND (p.dataset_id, p.id) >= (place.id, 0) AND (p.dataset_id, p.id) <= (place.id, {max_id})
                     AND p.state NOT IN {NOT_LIVE} AND p.node_id IS NOT NULL
                   ORDER BY p.name {direction} LIMIT $4 + 1
               ) p
           ),
           -- One of the two is empty.
           found AS MATERIALIZED (
               SELECT * FROM few UNION ALL SELECT * FROM many
           ),
           {page}"#,
        max_id = i32::MAX,
    )
}

/// The packages directly in a folder. Parameters as in [`list_top_sql`]; $5 is the folder's node id.
#[must_use]
pub fn list_folder_sql(workspace: WorkspaceId, range: NameRange) -> String {
    let (named, sorted) = (named_children_sql(workspace, range), sorted_children_sql(workspace, range));
    let page = page_sql(workspace, range);
    format!(
        r#"WITH RECURSIVE
           -- One row if the folder exists and is live: without it the answer has no row.
           place AS MATERIALIZED (
               SELECT p.id AS folder_id FROM "{workspace}".datasets d JOIN "{workspace}".packages p ON p.dataset_id = d.id
               WHERE d.id = $1 AND d.node_id = $2 AND p.node_id = $5 AND p.type = {COLLECTION} AND p.state NOT IN {NOT_LIVE}
           ),
           -- How many packages it has, counted to where they are many.
           known AS MATERIALIZED (
               SELECT count(*) AS packages FROM (
                   SELECT FROM place CROSS JOIN LATERAL (
                       SELECT FROM "{workspace}".packages p
                       WHERE p.parent_id >= place.folder_id AND p.parent_id <= place.folder_id LIMIT {FEW_PACKAGES} + 1
                   ) p
               ) p
           ),
           {named},
           -- Whether all packages of the folder are sorted: they are few, or the piece of the index did not fill the page.
           choice AS MATERIALIZED (
               SELECT CASE WHEN (SELECT packages FROM known) <= {FEW_PACKAGES} THEN true
                           ELSE (SELECT count(*) FROM named) <= $4 AND (SELECT count(*) FROM scanned) = {SCAN_LIMIT}
                      END AS sorts
           ),
           {sorted},
           -- One of the two is empty.
           found AS MATERIALIZED (
               SELECT * FROM sorted UNION ALL SELECT * FROM named WHERE NOT (SELECT sorts FROM choice)
           ),
           {page}"#
    )
}

/// The packages of a folder with many, from a piece of the index on names.
fn named_children_sql(workspace: WorkspaceId, range: NameRange) -> String {
    let (after, direction) = (range.condition(), range.direction());
    format!(
        r#"-- A piece of the index on names in folders, of all folders. The table itself is not read where a vacuum has been since.
           scanned AS MATERIALIZED (
               SELECT p.name, p.dataset_id, p.parent_id FROM "{workspace}".packages p
               WHERE (SELECT packages FROM known) > {FEW_PACKAGES} AND p.parent_id IS NOT NULL AND {after}
               ORDER BY p.name {direction} LIMIT {SCAN_LIMIT}
           ),
           -- The rows of this folder.
           named AS MATERIALIZED (
               SELECT p.* FROM (
                   SELECT s.name, s.parent_id FROM scanned s
                   WHERE s.dataset_id = $1 AND s.parent_id = (SELECT folder_id FROM place) ORDER BY s.name {direction}
               ) s
               CROSS JOIN LATERAL (
                   SELECT {COLUMNS} FROM "{workspace}".packages p
                   WHERE p.name = s.name AND p.dataset_id = $1 AND p.parent_id >= s.parent_id AND p.parent_id <= s.parent_id
                     AND p.state NOT IN {NOT_LIVE} AND p.node_id IS NOT NULL OFFSET 0
               ) p
               ORDER BY s.name {direction} LIMIT $4 + 1
           )"#
    )
}

/// The packages of a folder, all read and sorted.
fn sorted_children_sql(workspace: WorkspaceId, range: NameRange) -> String {
    let (after, direction) = (range.condition(), range.direction());
    format!(
        r#"sorted AS MATERIALIZED (
               SELECT {COLUMNS} FROM (
                   SELECT p.* FROM place CROSS JOIN LATERAL (
                       SELECT {COLUMNS}, p.dataset_id FROM "{workspace}".packages p
                       WHERE (SELECT sorts FROM choice)
                         AND p.parent_id >= place.folder_id AND p.parent_id <= place.folder_id OFFSET 0
                   ) p
               ) p
               WHERE p.dataset_id = $1 AND {after} AND p.state NOT IN {NOT_LIVE} AND p.node_id IS NOT NULL
               ORDER BY p.name {direction} LIMIT $4 + 1
           )"#
    )
}

/// One package. $1 dataset, $2 its node id, $3 the package's node id.
#[must_use]
pub fn find_package_sql(workspace: WorkspaceId) -> String {
    let (ancestors, columns, details) = (ancestors_sql(workspace), item_columns(), details_sql(workspace));
    format!(
        r#"WITH RECURSIVE
           found AS MATERIALIZED (
               SELECT {COLUMNS}, p.parent_id AS folder_id FROM "{workspace}".datasets d
               JOIN "{workspace}".packages p ON p.dataset_id = d.id
               WHERE d.id = $1 AND d.node_id = $2 AND p.node_id = $3
           ),
           place AS MATERIALIZED (SELECT folder_id FROM found),
           {ancestors}
           SELECT {columns}, (SELECT node_ids FROM path) AS path_ids, (SELECT names FROM path) AS path_names
           FROM found i {details}"#
    )
}

/// The end of both lists: the page of what they `found`.
fn page_sql(workspace: WorkspaceId, range: NameRange) -> String {
    let (ancestors, columns, details) = (ancestors_sql(workspace), item_columns(), details_sql(workspace));
    let direction = range.direction();
    let last = if range.is_descending { "min" } else { "max" };
    format!(
        "-- How many folders there are up to each package.
           ranked AS (
               SELECT f.*, row_number() OVER w AS rank, count(*) FILTER (WHERE f.type = {COLLECTION}) OVER w AS folders
               FROM found f WINDOW w AS (ORDER BY f.name {direction})
           ),
           -- The page ends at the first limit that it reaches.
           page AS MATERIALIZED (
               SELECT r.* FROM ranked r WHERE r.rank <= $4 AND r.folders <= {MAX_FOLDERS}
           ),
           {ancestors}
           SELECT {columns},
                  CASE WHEN (SELECT count(*) FROM found) > (SELECT count(*) FROM page) THEN (SELECT {last}(name) FROM page) END AS next,
                  -- Once is enough.
                  CASE WHEN coalesce(i.rank, 1) = 1 THEN (SELECT node_ids FROM path) END AS path_ids,
                  CASE WHEN coalesce(i.rank, 1) = 1 THEN (SELECT names FROM path) END AS path_names
           FROM place LEFT JOIN (page i {details}) ON true
           ORDER BY i.rank"
    )
}

/// The folders from the outermost down to `place`, in one row.
fn ancestors_sql(workspace: WorkspaceId) -> String {
    format!(
        r#"-- depth ends a cycle of folders.
           ancestors (depth, name, node_id, parent_id) AS (
               SELECT 1, f.name, f.node_id, f.parent_id
               FROM place CROSS JOIN LATERAL (
                   SELECT f.name, f.node_id, f.parent_id FROM "{workspace}".packages f WHERE f.id = place.folder_id OFFSET 0
               ) f
               UNION ALL
               SELECT a.depth + 1, f.name, f.node_id, f.parent_id
               FROM ancestors a CROSS JOIN LATERAL (
                   SELECT f.name, f.node_id, f.parent_id FROM "{workspace}".packages f WHERE f.id = a.parent_id OFFSET 0
               ) f
               WHERE a.depth < {MAX_PATH}
           ),
           path AS MATERIALIZED (
               SELECT array_agg(a.node_id::text ORDER BY a.depth DESC) AS node_ids,
                      array_agg(a.name::text ORDER BY a.depth DESC) AS names
               FROM ancestors a
           )"#
    )
}

/// What is read of an item `i`, with its details.
fn item_columns() -> String {
    let time = |column: &str| format!(r#"to_char(i.{column}, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS {column}"#);
    format!(
        "i.node_id, i.name, i.type, i.state, {}, {}, f.files, f.size, c.children, c.scanned > {MAX_CHILDREN} AS has_more_children",
        time("created_at"),
        time("updated_at"),
    )
}

/// What other rows hold about an item `i`.
fn details_sql(workspace: WorkspaceId) -> String {
    format!(
        r#"-- The files of a file. ANY and the order together keep the planner at the index, whatever it expects.
           CROSS JOIN LATERAL (
               SELECT count(*) AS files,
                      CASE WHEN count(f.size) > 0 THEN least(sum(f.size), 9223372036854775807)::bigint END AS size
               FROM (
                   SELECT f.size FROM "{workspace}".files f
                   WHERE i.type <> {COLLECTION} AND f.package_id = ANY (ARRAY[i.id]) AND f.object_type = 'source'
                   ORDER BY f.package_id LIMIT {MAX_FILES}
               ) f
           ) f
           -- The children of a folder.
           CROSS JOIN LATERAL (
               SELECT count(*) AS scanned, count(*) FILTER (WHERE c.state NOT IN {NOT_LIVE}) AS children
               FROM (
                   SELECT c.state FROM "{workspace}".packages c
                   WHERE i.type = {COLLECTION} AND c.parent_id = ANY (ARRAY[i.id]) ORDER BY c.parent_id LIMIT {MAX_CHILDREN} + 1
               ) c
           ) c"#
    )
}
