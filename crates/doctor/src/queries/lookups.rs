//! Whether the service's lookups use an index.

use std::collections::BTreeSet;

use serde_json::Value;
use tokio_postgres::types::Type;

use database::{Db, Error, Transaction};
use packages::id::WorkspaceId;

use crate::queries::{Purpose, text_array};

/// A lookup that the service makes often, and whether an index serves it.
#[derive(Debug)]
pub struct Lookup {
    /// The table; of `pennsieve.*` with its schema.
    pub table: &'static str,
    /// The columns of the condition.
    pub columns: &'static str,
    /// Whether an index serves it; an error if it cannot be planned, as where the table lacks a column.
    pub is_indexed: Result<bool, Error>,
}

/// A lookup that must not read the whole table.
struct LookupCheck {
    /// The table; of a workspace without its schema.
    table: &'static str,
    condition: &'static str,
    /// The columns that an index must begin with, in any order.
    columns: &'static str,
    purposes: &'static [Purpose],
}

const LOOKUP_CHECKS: [LookupCheck; 10] = [
    LookupCheck {
        table: "packages",
        condition: "node_id = 'N:package:0'",
        columns: "node_id",
        purposes: &[Purpose::Listings, Purpose::Links, Purpose::Orders],
    },
    LookupCheck {
        table: "packages",
        condition: "parent_id = 0",
        columns: "parent_id",
        purposes: &[Purpose::Listings, Purpose::Trash, Purpose::Restores],
    },
    LookupCheck {
        table: "packages",
        condition: "name = '' AND dataset_id = 0 AND parent_id IS NULL",
        columns: "name, dataset_id",
        purposes: &[Purpose::Listings, Purpose::Trash, Purpose::Restores],
    },
    LookupCheck {
        table: "packages",
        condition: "name = '' AND dataset_id = 0 AND parent_id = 0",
        columns: "name, dataset_id, parent_id",
        purposes: &[Purpose::Listings, Purpose::Trash, Purpose::Restores],
    },
    LookupCheck {
        table: "packages",
        condition: "dataset_id = 0",
        columns: "dataset_id",
        purposes: &[Purpose::Listings],
    },
    LookupCheck {
        table: "files",
        condition: "package_id = 0",
        columns: "package_id",
        purposes: &[Purpose::Listings, Purpose::Links, Purpose::Trash, Purpose::Restores],
    },
    LookupCheck {
        table: "datasets",
        condition: "node_id = 'N:dataset:0'",
        columns: "node_id",
        purposes: &[Purpose::Roles],
    },
    LookupCheck {
        table: "dataset_user",
        condition: "dataset_id = 0 AND user_id = 0",
        columns: "dataset_id, user_id",
        purposes: &[Purpose::Roles],
    },
    LookupCheck {
        table: "pennsieve.users",
        condition: "cognito_id = '00000000-0000-0000-0000-000000000000'",
        columns: "cognito_id",
        purposes: &[Purpose::Roles],
    },
    LookupCheck {
        table: "pennsieve.tokens",
        condition: "token = ''",
        columns: "token",
        purposes: &[Purpose::Roles],
    },
];

/// Asks the planner whether an index serves each lookup of these purposes in a workspace.
pub async fn explain_lookups(
    db: &Db,
    workspace: WorkspaceId,
    purposes: &[Purpose],
) -> Result<Vec<Lookup>, Error> {
    let mut session = db.session().await?;
    let mut tx = session.begin_read_only().await?;
    // The planner reads small tables whole anyway. Without that choice it uses an index if there is one.
    tx.query("SELECT set_config('enable_seqscan', 'off', true)", &[]).await?;
    let mut lookups = Vec::new();
    for check in LOOKUP_CHECKS {
        if !check.purposes.iter().any(|purpose| purposes.contains(purpose)) {
            continue;
        }
        // Rolled back at the end of each check: one that fails does not stop the others.
        let savepoint = tx.savepoint().await?;
        let is_indexed = explain_lookup(&savepoint, &check, workspace).await;
        lookups.push(Lookup { table: check.table, columns: check.columns, is_indexed });
    }
    Ok(lookups)
}

async fn explain_lookup(
    tx: &Transaction<'_>,
    check: &LookupCheck,
    workspace: WorkspaceId,
) -> Result<bool, Error> {
    let LookupCheck { table, condition, columns, .. } = check;
    let table_name =
        if table.contains('.') { (*table).to_owned() } else { format!(r#""{workspace}".{table}"#) };
    let sql = format!("EXPLAIN (FORMAT JSON) SELECT 1 AS found FROM {table_name} WHERE {condition}");
    let rows = tx.query(&sql, &[]).await?;
    let plan: Value = rows.first().map(|row| row.try_get("QUERY PLAN")).transpose()?.unwrap_or_default();
    // All plans for a small table cost about the same, so the planner may ignore a suitable index.
    Ok(uses_index(tx, &plan, &table_name, columns).await?
        || has_index(tx, &table_name, columns, predicate_of(condition)).await?)
}

/// Whether a plan scans an index by all these columns. One of them must be the index's first column: otherwise the scan
/// reads the whole index.
async fn uses_index(tx: &Transaction<'_>, plan: &Value, table: &str, columns: &str) -> Result<bool, Error> {
    let Some(scan) = find_index_scan(plan, columns) else { return Ok(false) };
    let first = load_first_column(tx, scan.index, table).await?;
    Ok(split_identifiers(scan.condition).contains(first.as_str()))
}

#[derive(Debug, PartialEq, Eq)]
struct IndexScan<'a> {
    index: &'a str,
    condition: &'a str,
}

/// Finds the scan of an index whose condition has all these columns.
fn find_index_scan<'a>(plan: &'a Value, columns: &str) -> Option<IndexScan<'a>> {
    match plan {
        Value::Array(parts) => parts.iter().find_map(|part| find_index_scan(part, columns)),
        Value::Object(node) => {
            let text = |name: &str| node.get(name).and_then(Value::as_str);
            let scan = text("Index Name").zip(text("Index Cond"));
            let scan = scan.map(|(index, condition)| IndexScan { index, condition });
            let has_columns = |scan: &IndexScan<'_>| {
                let identifiers = split_identifiers(scan.condition);
                columns.split(", ").all(|column| identifiers.contains(column))
            };
            scan.filter(has_columns).or_else(|| node.values().find_map(|part| find_index_scan(part, columns)))
        }
        _ => None,
    }
}

/// Finds the first column of a table's index. It is empty if that is an expression.
async fn load_first_column(tx: &Transaction<'_>, index: &str, table: &str) -> Result<String, Error> {
    let sql = "SELECT a.attname::text AS name FROM pg_index x
               JOIN pg_class i ON i.oid = x.indexrelid
               JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]
               WHERE i.relname = $1 AND x.indrelid = $2::text::regclass";
    let rows = tx.query(sql, &[(&index, Type::TEXT), (&table, Type::TEXT)]).await?;
    Ok(rows.first().map(|row| row.try_get("name")).transpose()?.unwrap_or_default())
}

/// The predicate, as Postgres writes it, of a partial index that has all rows of a lookup. The platform has two indexes on names: one of
/// the packages at the top of a dataset, and one of those in folders.
fn predicate_of(condition: &str) -> &'static str {
    if !condition.contains("parent_id") {
        ""
    } else if condition.contains("parent_id IS NULL") {
        "(parent_id IS NULL)"
    } else {
        "(parent_id IS NOT NULL)"
    }
}

/// Whether a table has an index that begins with these columns, in any order. It is complete, or has the rows of this predicate.
async fn has_index(tx: &Transaction<'_>, table: &str, columns: &str, predicate: &str) -> Result<bool, Error> {
    let mut columns: Vec<String> = columns.split(", ").map(str::to_owned).collect();
    columns.sort_unstable();
    // Another partial index (indpred) does not serve the lookup. `indkey` counts from 0.
    let sql = "SELECT EXISTS (
                   SELECT 1 FROM pg_index x
                   WHERE x.indrelid = $1::text::regclass AND x.indisvalid
                     AND coalesce(pg_get_expr(x.indpred, x.indrelid), $3) = $3
                     AND $2 = ARRAY(SELECT a.attname::text COLLATE \"C\"
                                    FROM unnest((x.indkey::int2[])[0:cardinality($2) - 1]) AS key (attnum)
                                    JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = key.attnum
                                    ORDER BY 1)) AS has_index";
    let rows = tx.query(sql, &[(&table, Type::TEXT), text_array(&columns), (&predicate, Type::TEXT)]).await?;
    Ok(rows.first().map(|row| row.try_get("has_index")).transpose()?.unwrap_or_default())
}

fn split_identifiers(condition: &str) -> BTreeSet<&str> {
    condition.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_index_scan_has_all_columns_in_its_condition() {
        let plan = |condition: &str| {
            json!([{"Plan": {"Node Type": "Bitmap Heap Scan", "Plans": [
                {"Node Type": "Bitmap Index Scan", "Index Name": "i", "Index Cond": condition},
            ]}}])
        };
        let is_found = |condition: &str, columns: &str| find_index_scan(&plan(condition), columns).is_some();
        assert!(is_found("((name = 'x'::text) AND (dataset_id = 0))", "name, dataset_id"));
        assert!(!is_found("(parent_id = 0)", "name, dataset_id, parent_id"));
        assert!(!is_found("(node_id_old = 0)", "node_id"));
        let filtered =
            json!([{"Plan": {"Node Type": "Index Scan", "Index Name": "pkey", "Filter": "(node_id = 'x')"}}]);
        assert_eq!(find_index_scan(&filtered, "node_id"), None);
    }
}
