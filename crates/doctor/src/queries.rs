//! Looking at the database as it is: what the role may do, whether the service's own tables are complete, and whether the
//! look-ups of queries have their indexes. Everything in transactions that are read only.

mod privileges;
mod schema;

use std::collections::BTreeSet;

use serde_json::Value;
use tokio_postgres::types::Type;

use database::{Db, Error, Param, Transaction};
use packages::id::WorkspaceId;

pub use privileges::{MissingPrivilege, Purpose, find_missing_privileges, grant_statements};
pub use schema::{SchemaGaps, find_schema_gaps};

/// What the role should have set, and to what: limits of time (terraform/README.md, "First apply"), and no just-in-time
/// compiler, which takes longer over a walk through a tree than the walk does.
const ROLE_SETTINGS: [(&str, &str); 4] = [
    ("lock_timeout", "10s"),
    ("statement_timeout", "5min"),
    ("idle_in_transaction_session_timeout", "60s"),
    ("jit", "off"),
];

/// Who we are to Postgres, and which limits hold.
#[derive(Debug, Clone)]
pub struct ServerInfo {
    /// Its version, as in `15.4`.
    pub version: String,
    /// The role of the session.
    pub role: String,
    /// The database of the session.
    pub database: String,
    /// What the role should have set and has not: setting and value.
    pub unset: Vec<(&'static str, &'static str)>,
}

/// A look-up that queries make all the time, and whether an index serves it.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// The table, without its schema.
    pub table: &'static str,
    /// The columns that are looked up by.
    pub columns: &'static str,
    /// Whether an index serves it.
    pub is_indexed: bool,
}

/// Work that waits for a worker.
#[derive(Debug, Clone, Copy)]
pub struct Backlog {
    /// Datasets whose restore should have gone on a quarter of an hour ago.
    pub datasets: i64,
    /// Announcements of restored packages that are as late.
    pub announcements: i64,
}

/// A stored file of a live package.
#[derive(Debug, Clone)]
pub struct SampleFile {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
}

/// Asks who we are.
pub async fn load_server_info(db: &Db) -> Result<ServerInfo, Error> {
    let sql = "SELECT current_setting('server_version'), current_user::text, current_database()::text,
                      ARRAY(SELECT name FROM unnest($1::text[]) AS name WHERE current_setting(name) IN ('0', 'on'))";
    let names = ROLE_SETTINGS.map(|(name, _)| name.to_owned()).to_vec();
    let rows = db.query_read_only(sql, &[texts(&names)]).await?;
    let row = rows.first().ok_or_else(|| Error::unreachable("no answer to a question"))?;
    let unset: Vec<String> = row.try_get(3)?;
    Ok(ServerInfo {
        version: row.try_get(0)?,
        role: row.try_get(1)?,
        database: row.try_get(2)?,
        unset: ROLE_SETTINGS
            .into_iter()
            .filter(|(name, _)| unset.iter().any(|unset| unset == name))
            .collect(),
    })
}

/// The workspace with the most packages, by the planner's own estimate, and that estimate.
pub async fn find_largest_workspace(db: &Db) -> Result<Option<(WorkspaceId, i64)>, Error> {
    let sql = "SELECT n.nspname::int, greatest(c.reltuples, 0)::bigint
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE c.relname = 'packages' AND c.relkind IN ('r', 'p') AND n.nspname ~ '^[1-9][0-9]{0,8}$'
               ORDER BY c.reltuples DESC, n.nspname LIMIT 1";
    let rows = db.query_read_only(sql, &[]).await?;
    rows.first().map(|row| Ok((WorkspaceId(row.try_get(0)?), row.try_get(1)?))).transpose()
}

/// The buckets of the newest files of a workspace, and one file of a live package in each.
pub async fn list_sample_files(db: &Db, workspace: WorkspaceId) -> Result<Vec<SampleFile>, Error> {
    let sql = format!(
        r#"SELECT DISTINCT ON (f.s3_bucket) f.s3_bucket, f.s3_key
           FROM (SELECT package_id, s3_bucket, s3_key, id FROM "{workspace}".files
                 WHERE object_type = 'source' AND s3_bucket <> '' AND s3_key <> '' ORDER BY id DESC LIMIT 200) f
           JOIN "{workspace}".packages p ON p.id = f.package_id
           WHERE p.state IN ('UPLOADED', 'READY')
           ORDER BY f.s3_bucket, f.id DESC LIMIT 5"#
    );
    let rows = db.query_read_only(&sql, &[]).await?;
    rows.iter().map(|row| Ok(SampleFile { bucket: row.try_get(0)?, key: row.try_get(1)? })).collect()
}

/// Work that nobody does.
pub async fn load_backlog(db: &Db) -> Result<Backlog, Error> {
    let sql = "SELECT (SELECT count(*) FROM packages_service.restore_queue
                       WHERE due_at < now() - interval '15 minutes'
                         AND (leased_until IS NULL OR leased_until < now())),
                      (SELECT count(*) FROM packages_service.restore_outbox
                       WHERE greatest(due_at, created_at) < now() - interval '15 minutes')";
    let rows = db.query_read_only(sql, &[]).await?;
    let row = rows.first().ok_or_else(|| Error::unreachable("no answer to a question"))?;
    Ok(Backlog { datasets: row.try_get(0)?, announcements: row.try_get(1)? })
}

/// The look-ups that must not read whole tables. A condition, the columns that an index must cover, and who needs it.
const LOOKUPS: [(&str, &str, &str, &[Purpose]); 9] = [
    ("packages", "node_id = 'N:package:0'", "node_id", &[Purpose::Links, Purpose::Orders]),
    ("packages", "parent_id = 0", "parent_id", &[Purpose::Trash, Purpose::Restores]),
    (
        "packages",
        "name = '' AND dataset_id = 0 AND parent_id IS NULL",
        "name, dataset_id",
        &[Purpose::Trash, Purpose::Restores],
    ),
    (
        "packages",
        "name = '' AND dataset_id = 0 AND parent_id = 0",
        "name, dataset_id, parent_id",
        &[Purpose::Trash, Purpose::Restores],
    ),
    ("files", "package_id = 0", "package_id", &[Purpose::Links, Purpose::Trash, Purpose::Restores]),
    ("datasets", "node_id = 'N:dataset:0'", "node_id", &[Purpose::Roles]),
    ("dataset_user", "dataset_id = 0 AND user_id = 0", "dataset_id, user_id", &[Purpose::Roles]),
    (
        "pennsieve.users",
        "cognito_id = '00000000-0000-0000-0000-000000000000'",
        "cognito_id",
        &[Purpose::Roles],
    ),
    ("pennsieve.tokens", "token = ''", "token", &[Purpose::Roles]),
];

/// Whether an index serves each look-up that these purposes make in a workspace.
pub async fn explain_lookups(
    db: &Db,
    workspace: WorkspaceId,
    purposes: &[Purpose],
) -> Result<Vec<Lookup>, Error> {
    let mut session = db.session().await?;
    let tx = session.begin_read_only().await?;
    // A small table would be read whole in any case; the question is whether there is another way.
    tx.query("SELECT set_config('enable_seqscan', 'off', true)", &[]).await?;
    let mut lookups = Vec::new();
    for (table, condition, columns, needed_by) in LOOKUPS {
        if !needed_by.iter().any(|purpose| purposes.contains(purpose)) {
            continue;
        }
        let place = if table.contains('.') { table.to_owned() } else { format!(r#""{workspace}".{table}"#) };
        let sql = format!("EXPLAIN (FORMAT JSON) SELECT 1 FROM {place} WHERE {condition}");
        let rows = tx.query(&sql, &[]).await?;
        let plan: Value = rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
        let is_served = match find_scan(&plan, columns) {
            Some((index, condition)) => {
                names(condition).contains(first_column(&tx, index, &place).await?.as_str())
            }
            None => false,
        };
        // Where a table is small, all ways cost the same, and the planner may take any.
        let is_indexed = is_served || has_index(&tx, &place, columns).await?;
        lookups.push(Lookup { table, columns, is_indexed });
    }
    Ok(lookups)
}

/// The scan of an index that has all these columns in its condition: the index's name, and the condition. Its first column
/// is yet to be one of the condition's: else the index is read from end to end.
fn find_scan<'a>(plan: &'a Value, columns: &str) -> Option<(&'a str, &'a str)> {
    match plan {
        Value::Array(parts) => parts.iter().find_map(|part| find_scan(part, columns)),
        Value::Object(node) => {
            let text = |name: &str| node.get(name).and_then(Value::as_str);
            let scan = text("Index Name").zip(text("Index Cond"));
            let scan = scan
                .filter(|(_, condition)| columns.split(", ").all(|column| names(condition).contains(column)));
            scan.or_else(|| node.values().find_map(|part| find_scan(part, columns)))
        }
        _ => None,
    }
}

/// The first column of a table's index; nothing if it is an expression.
async fn first_column(tx: &Transaction<'_>, index: &str, table: &str) -> Result<String, Error> {
    let sql = "SELECT a.attname::text FROM pg_index x
               JOIN pg_class i ON i.oid = x.indexrelid
               JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]
               WHERE i.relname = $1 AND x.indrelid = $2::text::regclass";
    let rows = tx.query(sql, &[(&index, Type::TEXT), (&table, Type::TEXT)]).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
}

/// Whether a table has an index of all its rows that begins with these columns.
async fn has_index(tx: &Transaction<'_>, table: &str, columns: &str) -> Result<bool, Error> {
    let mut columns: Vec<String> = columns.split(", ").map(str::to_owned).collect();
    columns.sort_unstable();
    let sql = "SELECT EXISTS (
                   SELECT 1 FROM pg_index x
                   WHERE x.indrelid = $1::text::regclass AND x.indisvalid AND x.indpred IS NULL
                     AND $2 = ARRAY(SELECT a.attname::text COLLATE \"C\"
                                    FROM unnest((x.indkey::int2[])[0:cardinality($2) - 1]) AS key (attnum)
                                    JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = key.attnum
                                    ORDER BY 1))";
    let rows = tx.query(sql, &[(&table, Type::TEXT), texts(&columns)]).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
}

fn names(condition: &str) -> BTreeSet<&str> {
    condition.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').collect()
}

/// A list of texts as a parameter.
fn texts(list: &Vec<String>) -> Param<'_> {
    (list, Type::TEXT_ARRAY)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_scan_has_all_columns_in_its_condition() {
        let plan = |condition: &str| {
            json!([{"Plan": {"Node Type": "Bitmap Heap Scan", "Plans": [
                {"Node Type": "Bitmap Index Scan", "Index Name": "i", "Index Cond": condition},
            ]}}])
        };
        let is_found = |condition: &str, columns: &str| find_scan(&plan(condition), columns).is_some();
        assert!(is_found("((name = 'x'::text) AND (dataset_id = 0))", "name, dataset_id"));
        assert!(!is_found("(parent_id = 0)", "name, dataset_id, parent_id"));
        assert!(!is_found("(node_id_old = 0)", "node_id"));
        let whole =
            json!([{"Plan": {"Node Type": "Index Scan", "Index Name": "pkey", "Filter": "(node_id = 'x')"}}]);
        assert_eq!(find_scan(&whole, "node_id"), None);
    }
}
