//! Measures one restore and its lower bound, and prints a row of the table.

use std::time::{Duration, Instant};

use local::workspace::{Package, PackageTree, TreeShape, TreeSpec};
use packages::id::PackageNodeId;

use crate::{
    STORAGE,
    app::TestApp,
    floor::{self, S3Client},
    memory,
};

/// Restores of this many files are also measured file by file.
const SINGLE_RESTORE_FILES: usize = 1000;

/// A deleted tree.
pub(crate) struct DeletedTree {
    pub(crate) tree: PackageTree,
    /// Key and version id of each delete marker.
    markers: Vec<(String, String)>,
}

/// The cost of a restore.
struct RestoreCost {
    time: Duration,
    statements: u64,
    calls: u64,
    /// Peak memory of the process in MB, and its growth during the restore.
    peak: f64,
    grown: f64,
    /// Packages that were not restored.
    missing: usize,
}

pub(crate) async fn create_deleted_tree(app: &TestApp, shape: TreeShape, files: usize) -> DeletedTree {
    let filling = TreeSpec::deleted(shape, files, STORAGE);
    let tree = app.workspace.create_tree(&app.dataset, None, &filling).await.unwrap();
    let stored = app.workspace.list_stored_objects(&tree).await.unwrap();
    let ids = app.store.put_deleted_objects(STORAGE, &stored).unwrap();
    let markers = stored.into_iter().map(|object| object.key).zip(ids).collect();
    DeletedTree { tree, markers }
}

/// Orders packages and runs the order.
pub(crate) async fn run_restore(app: &TestApp, token: &str, packages: &[&PackageNodeId]) {
    app.order_restore(token, packages).await;
    app.run_orders().await;
}

async fn measure_restore(app: &TestApp, token: &str, tree: &PackageTree) -> RestoreCost {
    let calls = || app.faults.request_counts().values().sum::<u64>();
    let (statements, asked) = (app.app.db.statement_count(), calls());
    let before = memory::reset_peak();
    let started = Instant::now();
    run_restore(app, token, &[&tree.root.node_id]).await;
    let (time, peak) = (started.elapsed(), memory::peak());
    RestoreCost {
        time,
        statements: app.app.db.statement_count() - statements,
        calls: calls() - asked,
        peak,
        grown: peak - before,
        missing: count_missing(app, tree).await,
    }
}

async fn count_missing(app: &TestApp, tree: &PackageTree) -> usize {
    tree.files + tree.folders.len() - app.workspace.count_in_state(tree, "READY").await.unwrap()
}

/// Restores the files of a tree one after another, each with its own order.
async fn restore_one_by_one(app: &TestApp, token: &str, files: &[Package]) -> Duration {
    let started = Instant::now();
    for file in files {
        run_restore(app, token, &[&file.node_id]).await;
    }
    started.elapsed()
}

pub(crate) fn print_header(what: &str) {
    println!("\nRestores, {what}:\n");
    println!(
        "{:<10} {:>6} {:>9} {:>8} {:>6} {:>8} {:>10} {:>8} {:>8} {:>7} {:>13}",
        "shape",
        "files",
        "restore s",
        "floor s",
        "ratio",
        "µs/file",
        "statements",
        "S3 calls",
        "peak MB",
        "grew MB",
        "one by one s"
    );
}

/// Measures a restore of this many files, and prints it. Of three equal trees, one is restored, one is the lower bound, and
/// one is restored file by file. Returns the restored folder.
pub(crate) async fn measure_shape(app: &TestApp, shape: TreeShape, files: usize) -> Package {
    let token = app.create_token("editor").await;
    let (one, sibling) =
        (create_deleted_tree(app, shape, files).await, create_deleted_tree(app, shape, files).await);
    let third =
        if files == SINGLE_RESTORE_FILES { Some(create_deleted_tree(app, shape, files).await) } else { None };
    app.workspace.analyze_tables().await.unwrap();

    let cost = measure_restore(app, &token, &one.tree).await;
    let s3 = S3Client::from_app(app, &token).await;
    let floor = floor::measure_floor(app, &s3, &sibling.tree, &sibling.markers).await;
    let singly = match &third {
        Some(third) => {
            let files = app.workspace.list_files(&third.tree, i64::MAX).await.unwrap();
            format!("{:.2}", restore_one_by_one(app, &token, &files).await.as_secs_f64())
        }
        None => "-".to_owned(),
    };
    print_row(shape, files, &cost, floor, &singly);
    one.tree.root
}

fn print_row(shape: TreeShape, files: usize, cost: &RestoreCost, floor: Duration, singly: &str) {
    let (time, floor) = (cost.time.as_secs_f64(), floor.as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "thousands of files")]
    let each = time * 1e6 / files as f64;
    let missing = if cost.missing == 0 { String::new() } else { format!("  {} NOT BACK", cost.missing) };
    println!(
        "{:<10} {files:>6} {time:>9.3} {floor:>8.3} {:>6.1} {each:>8.0} {:>10} {:>8} {:>8.0} {:>7.1} {singly:>13}{missing}",
        format!("{shape:?}"),
        time / floor,
        cost.statements,
        cost.calls,
        cost.peak,
        cost.grown,
    );
}
