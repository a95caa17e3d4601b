//! The cost of a page of the trash in tenants of different shapes: a bounded number of blocks, and no full scan, whatever the
//! planner's statistics say.

use local::{testing, workspace::Workspace};
use restore::db::trash::{find_trash_in_folder_sql, find_trash_sql};
use serde_json::Value;
use tokio_postgres::types::{ToSql, Type};

/// Packages of a tenant: enough to make a full scan more expensive than an index scan.
const PACKAGES: i32 = 30_000;

/// Blocks that a page of a hundred packages may read. The indexes of each table have more.
const MAX_BLOCKS: i64 = 12_000;

/// A tree of [`PACKAGES`] packages. Each field is SQL that computes a column from the number `i`.
struct TreeShape {
    name: &'static str,
    folder: &'static str,
    state: &'static str,
    dataset: &'static str,
    parent: &'static str,
}

const FLAT: TreeShape =
    TreeShape { name: "flat", folder: "false", state: "'DELETED'", dataset: "1", parent: "NULL::int" };

const SHAPES: [TreeShape; 7] = [
    TreeShape {
        name: "flat, ten deleted",
        state: "CASE WHEN i <= 10 THEN 'DELETED' ELSE 'READY' END",
        ..FLAT
    },
    FLAT,
    TreeShape {
        name: "fifty folders",
        folder: "i <= 50",
        parent: "CASE WHEN i > 50 THEN 1 + i % 50 END",
        ..FLAT
    },
    TreeShape {
        name: "small folders",
        folder: "i <= 3000",
        parent: "CASE WHEN i > 3000 THEN 1 + i % 3000 END",
        ..FLAT
    },
    TreeShape {
        name: "deep",
        folder: "i <= 15000",
        state: "CASE WHEN i <= 15000 THEN 'READY' ELSE 'DELETED' END",
        parent: "CASE WHEN i > 15000 THEN i - 15000 WHEN i > 100 THEN i - 100 END",
        ..FLAT
    },
    TreeShape {
        name: "one live folder",
        folder: "i = 1",
        state: "CASE WHEN i = 1 THEN 'READY' ELSE 'DELETED' END",
        parent: "CASE WHEN i > 1 THEN 1 END",
        ..FLAT
    },
    TreeShape {
        name: "another dataset's",
        dataset: "CASE WHEN i > 1 THEN 2 ELSE 1 END",
        folder: "i = 1",
        ..FLAT
    },
];

async fn fill_workspace(workspace: &Workspace, shape: &TreeShape) {
    let TreeShape { folder, state, dataset, parent, .. } = shape;
    for name in ["first", "second"] {
        workspace.create_dataset(name).await.unwrap();
    }
    let sql = format!(
        r#"SET session_replication_role = replica; -- without a look-up for each foreign key
           INSERT INTO "{0}".packages (id, node_id, name, type, state, dataset_id, parent_id)
           SELECT i, node_id, CASE state WHEN 'READY' THEN '' ELSE '__DELETED__' || node_id || '_' END || i,
                  CASE WHEN folder THEN 'Collection' ELSE 'CSV' END, state, dataset, parent
           FROM (SELECT *, CASE WHEN folder THEN 'N:collection:' ELSE 'N:package:' END || md5(i::text)::uuid AS node_id
                 FROM (SELECT i, {folder} AS folder, {state} AS state, {dataset} AS dataset, {parent} AS parent
                       FROM generate_series(1, {PACKAGES}) i) made) named
           ORDER BY random();
           INSERT INTO "{0}".files (package_id, s3_bucket, s3_key, size, object_type, processing_state)
           SELECT id, 'b', id::text, 10, 'source', 'unprocessed' FROM "{0}".packages WHERE type <> 'Collection'
           ORDER BY random();
           RESET session_replication_role;
           ANALYZE "{0}".packages, "{0}".files"#,
        workspace.id
    );
    workspace.client.batch_execute(&sql).await.unwrap();
}

/// Executes a page that starts after this name, and returns its plan.
async fn explain_page(workspace: &Workspace, folder: Option<&str>, after: &str) -> Value {
    let sql = format!(r#"SELECT node_id FROM "{}".datasets WHERE id = 1"#, workspace.id);
    let dataset: String = workspace.client.query_one(&sql, &[]).await.unwrap().get(0);
    let mut params: Vec<(&(dyn ToSql + Sync), Type)> = vec![
        (&1_i32, Type::INT4),
        (&dataset, Type::TEXT),
        (&after, Type::TEXT),
        (&100_i64, Type::INT8),
        (&workspace.id.0, Type::INT4),
    ];
    if let Some(folder) = &folder {
        params.push((folder, Type::TEXT));
    }
    let sql = folder.map_or_else(|| find_trash_sql(workspace.id), |_| find_trash_in_folder_sql(workspace.id));
    let sql = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}");
    let rows = workspace.client.query_typed(&sql, &params).await.unwrap();
    rows[0].get::<_, Value>(0)[0]["Plan"].clone()
}

/// Adds the tables that a plan reads from end to end.
fn collect_full_scans(plan: &Value, found: &mut Vec<String>) {
    if plan["Node Type"] == "Seq Scan"
        && ["packages", "files"].iter().any(|table| plan["Relation Name"] == *table)
    {
        found.push(format!("{} {}", plan["Relation Name"], plan["Alias"]));
    }
    for inner in plan["Plans"].as_array().into_iter().flatten() {
        collect_full_scans(inner, found);
    }
}

#[tokio::test]
async fn a_page_reads_a_bounded_number_of_blocks() {
    futures_util::future::join_all(SHAPES.iter().map(assert_page_is_bounded)).await;
}

async fn assert_page_is_bounded(shape: &TreeShape) {
    let workspace = testing::create_workspace().await;
    fill_workspace(&workspace, shape).await;
    let first = format!(r#"SELECT node_id FROM "{}".packages WHERE id = 1"#, workspace.id);
    let first: String = workspace.client.query_one(&first, &[]).await.unwrap().get(0);
    for folder in [None, Some(first.as_str())] {
        for after in ["", "__DELETED__N:package:8"] {
            let plan = explain_page(&workspace, folder, after).await;
            let mut whole = Vec::new();
            collect_full_scans(&plan, &mut whole);
            let blocks = ["Hit", "Read"].map(|kind| plan[format!("Shared {kind} Blocks")].as_i64().unwrap());
            let blocks: i64 = blocks.iter().sum();
            let page = format!("{}: in {folder:?}, after {after:?}: {blocks} blocks", shape.name);
            assert_eq!(whole, [""; 0], "{page}");
            assert!(blocks <= MAX_BLOCKS, "{page}");
        }
    }
}
