//! The cost of a page of a folder in tenants of different shapes: a bounded number of rows and blocks, whatever the planner's
//! statistics say.

use local::{testing, workspace::Workspace};
use packages::listing::{NameRange, list_folder_sql, list_top_sql};
use serde_json::Value;
use tokio_postgres::types::{ToSql, Type};

/// Packages of a tenant: enough to make a full scan more expensive than an index scan.
const PACKAGES: i32 = 150_000;

/// A tree of [`PACKAGES`] packages. Each field is SQL that computes a column from the number `i`. The package 1 is a folder.
struct TreeShape {
    name: &'static str,
    folder: &'static str,
    label: &'static str,
    state: &'static str,
    dataset: &'static str,
    parent: &'static str,
    /// How many rows a page may read.
    max_rows: f64,
}

const SHAPES: [TreeShape; 4] = [
    TreeShape {
        name: "one large folder, whose names are one range after all others",
        folder: "i <= 500",
        label: "CASE WHEN i > 50000 THEN 'img_' || lpad(i::text, 7, '0') ELSE md5(i::text) END",
        state: "'READY'",
        dataset: "1",
        parent: "CASE WHEN i > 50000 THEN 1 WHEN i > 500 THEN 2 + i % 499 END",
        // The folder once, where the index on names has nothing of it near the cursor.
        max_rows: 115_000.0,
    },
    TreeShape {
        name: "one large folder, whose names are everywhere",
        folder: "i <= 500",
        label: "md5(i::text)",
        state: "CASE WHEN i % 7 = 0 AND i > 500 THEN 'DELETED' ELSE 'READY' END",
        dataset: "1",
        parent: "CASE WHEN i > 50000 THEN 1 WHEN i > 500 THEN 2 + i % 499 END",
        max_rows: 21_000.0,
    },
    TreeShape {
        name: "many folders, two datasets",
        folder: "i <= 15000",
        label: "md5(i::text)",
        state: "'READY'",
        dataset: "CASE WHEN i > 15000 THEN 1 + (1 + i % 14998) / 2 % 2 ELSE 1 + i / 2 % 2 END",
        parent: "CASE WHEN i > 15000 THEN 1 + i % 14998 END",
        max_rows: 12_000.0,
    },
    TreeShape {
        name: "everything at the top of another dataset",
        folder: "i = 1",
        label: "md5(i::text)",
        state: "'READY'",
        dataset: "CASE WHEN i > 300 THEN 2 ELSE 1 END",
        parent: "CASE WHEN i BETWEEN 200 AND 300 THEN 1 END",
        max_rows: 1000.0,
    },
];

/// What a vacuum does for the planner, and what it has before the first one.
const STATISTICS: [&str; 2] = ["ANALYZE", "VACUUM ANALYZE"];

async fn fill_workspace(workspace: &Workspace, shape: &TreeShape) {
    let TreeShape { folder, label, state, dataset, parent, .. } = shape;
    for name in ["first", "second"] {
        workspace.create_dataset(name).await.unwrap();
    }
    let sql = format!(
        r#"SET session_replication_role = replica; -- without a look-up for each foreign key
           INSERT INTO "{0}".packages (id, node_id, name, type, state, dataset_id, parent_id)
           SELECT i, CASE WHEN {folder} THEN 'N:collection:' ELSE 'N:package:' END || md5(i::text)::uuid,
                  {label}, CASE WHEN {folder} THEN 'Collection' ELSE 'CSV' END, {state}, {dataset}, {parent}
           FROM generate_series(1, {PACKAGES}) i;
           INSERT INTO "{0}".files (package_id, s3_bucket, s3_key, size, object_type, processing_state)
           SELECT id, 'b', id::text, 10, 'source', 'unprocessed' FROM "{0}".packages WHERE type <> 'Collection' AND id % 5 = 0;
           RESET session_replication_role"#,
        workspace.id
    );
    workspace.client.batch_execute(&sql).await.unwrap();
}

/// What a page cost.
#[derive(Debug)]
struct PageCost {
    /// Rows that were read of `packages` and `files`, also those that a filter removed.
    rows: f64,
    blocks: i64,
    found: f64,
}

async fn explain_page(
    workspace: &Workspace,
    folder: Option<&str>,
    range: NameRange,
    after: &str,
    limit: i64,
) -> PageCost {
    let sql = format!(r#"SELECT node_id FROM "{}".datasets WHERE id = 1"#, workspace.id);
    let dataset: String = workspace.client.query_one(&sql, &[]).await.unwrap().get(0);
    let mut params: Vec<(&(dyn ToSql + Sync), Type)> =
        vec![(&1_i32, Type::INT4), (&dataset, Type::TEXT), (&after, Type::TEXT), (&limit, Type::INT8)];
    if let Some(folder) = &folder {
        params.push((folder, Type::TEXT));
    }
    let sql =
        folder.map_or_else(|| list_top_sql(workspace.id, range), |_| list_folder_sql(workspace.id, range));
    let sql = format!("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {sql}");
    let rows = workspace.client.query_typed(&sql, &params).await.unwrap();
    let plan = rows[0].get::<_, Value>(0)[0]["Plan"].clone();
    let blocks = ["Hit", "Read"].map(|kind| plan[format!("Shared {kind} Blocks")].as_i64().unwrap());
    PageCost {
        rows: count_rows(&plan),
        blocks: blocks.iter().sum(),
        found: plan["Actual Rows"].as_f64().unwrap(),
    }
}

fn count_rows(plan: &Value) -> f64 {
    let number = |name: &str| plan[name].as_f64().unwrap_or_default();
    let is_large = ["packages", "files"].iter().any(|table| plan["Relation Name"] == *table);
    let own = number("Actual Loops") * (number("Actual Rows") + number("Rows Removed by Filter"));
    let inner: f64 = plan["Plans"].as_array().into_iter().flatten().map(count_rows).sum();
    inner + if is_large { own } else { 0.0 }
}

const ASCENDING: NameRange = NameRange { is_descending: false, has_start: true };
const DESCENDING: NameRange = NameRange { is_descending: true, has_start: true };

#[tokio::test]
async fn a_page_reads_a_bounded_number_of_rows() {
    for shape in &SHAPES {
        let workspace = testing::create_workspace().await;
        fill_workspace(&workspace, shape).await;
        let first = format!(r#"SELECT node_id FROM "{}".packages WHERE id = 1"#, workspace.id);
        let first: String = workspace.client.query_one(&first, &[]).await.unwrap().get(0);
        for statistics in STATISTICS {
            let sql = format!(r#"{statistics} "{0}".packages, "{0}".files"#, workspace.id);
            workspace.client.batch_execute(&sql).await.unwrap();
            for folder in [None, Some(first.as_str())] {
                for (range, after) in [
                    (ASCENDING, ""),
                    (ASCENDING, "7"),
                    (ASCENDING, "img_0100000"),
                    (DESCENDING, "img_0100000"),
                    (DESCENDING, "8"),
                ] {
                    let cost = explain_page(&workspace, folder, range, after, 100).await;
                    let page =
                        format!("{}, {statistics}: {folder:?} {range:?} {after:?}: {cost:?}", shape.name);
                    assert!(cost.rows < shape.max_rows, "{page}");
                    assert!(cost.blocks < 12_000, "{page}");
                }
            }
        }
    }
}

/// While one reads on in a large folder, a page costs the index on names and no more.
#[tokio::test]
async fn the_next_page_of_a_large_folder_costs_little() {
    let workspace = testing::create_workspace().await;
    fill_workspace(&workspace, &SHAPES[0]).await;
    let sql = format!(r#"VACUUM ANALYZE "{0}".packages, "{0}".files"#, workspace.id);
    workspace.client.batch_execute(&sql).await.unwrap();
    let first = format!(r#"SELECT node_id FROM "{}".packages WHERE id = 1"#, workspace.id);
    let first: String = workspace.client.query_one(&first, &[]).await.unwrap().get(0);
    for (range, after, limit) in [
        (ASCENDING, "img_0050001", 100),
        (ASCENDING, "img_0100000", 1000),
        (DESCENDING, "img_0100000", 1000),
        (DESCENDING, "img_0149999", 100),
    ] {
        let cost = explain_page(&workspace, Some(&first), range, after, limit).await;
        let page = format!("{range:?} {after} {limit}: {cost:?}");
        assert!(cost.rows < 18_000.0 && cost.blocks < 12_000, "{page}");
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let expected = limit as f64;
        assert!((cost.found - expected).abs() < 0.5, "{page}");
    }
}
