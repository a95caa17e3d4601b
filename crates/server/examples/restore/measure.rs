//! One restore, its floor, and a line of the table.

use std::time::{Duration, Instant};

use local::workspace::{Package, PackageTree, TreeShape, TreeSpec};
use packages::id::PackageNodeId;

use crate::{
    STORAGE,
    app::TestApp,
    floor::{self, S3},
    memory,
};

/// So many files are also restored one by one.
const ONE_BY_ONE: usize = 1000;

/// A tree in the trash.
pub(crate) struct Trashed {
    pub(crate) tree: PackageTree,
    /// Key and version id of each delete marker.
    markers: Vec<(String, String)>,
}

/// What a restore took.
struct Cost {
    time: Duration,
    statements: u64,
    calls: u64,
    /// MB that the process had at most, and how many of them it did not have before.
    peak: f64,
    grown: f64,
    /// Packages that are not back.
    missing: usize,
}

pub(crate) async fn trashed(app: &TestApp, shape: TreeShape, files: usize) -> Trashed {
    let filling = TreeSpec::deleted(shape, files, STORAGE);
    let tree = app.workspace.create_tree(&app.dataset, None, &filling).await.unwrap();
    let stored = app.workspace.list_stored_objects(&tree).await.unwrap();
    let ids = app.store.put_deleted_objects(STORAGE, &stored).unwrap();
    let markers = stored.into_iter().map(|object| object.key).zip(ids).collect();
    Trashed { tree, markers }
}

/// Orders packages and carries the orders out. All that this program needs of the engine.
pub(crate) async fn restore(app: &TestApp, token: &str, packages: &[&PackageNodeId]) {
    app.order(token, packages).await;
    app.work().await;
}

async fn cost(app: &TestApp, token: &str, tree: &PackageTree) -> Cost {
    let calls = || app.faults.request_counts().values().sum::<u64>();
    let (statements, asked) = (app.app.db.statement_count(), calls());
    let before = memory::reset_peak();
    let begun = Instant::now();
    restore(app, token, &[&tree.root.node_id]).await;
    let (time, peak) = (begun.elapsed(), memory::peak());
    Cost {
        time,
        statements: app.app.db.statement_count() - statements,
        calls: calls() - asked,
        peak,
        grown: peak - before,
        missing: missing(app, tree).await,
    }
}

async fn missing(app: &TestApp, tree: &PackageTree) -> usize {
    tree.files + tree.folders.len() - app.workspace.count_in_state(tree, "READY").await.unwrap()
}

/// A tree's files restored one after another, each by an order of its own.
async fn one_by_one(app: &TestApp, token: &str, files: &[Package]) -> Duration {
    let begun = Instant::now();
    for file in files {
        restore(app, token, &[&file.node_id]).await;
    }
    begun.elapsed()
}

pub(crate) fn header(what: &str) {
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

/// Measures a restore of so many files, and prints it. Three trees alike: one is restored, one is the floor, one is restored
/// file by file. Answers the folder that came back.
pub(crate) async fn line(app: &TestApp, shape: TreeShape, files: usize) -> Package {
    let token = app.token("editor").await;
    let (one, sibling) = (trashed(app, shape, files).await, trashed(app, shape, files).await);
    let third = if files == ONE_BY_ONE { Some(trashed(app, shape, files).await) } else { None };
    app.workspace.analyze_tables().await.unwrap();

    let cost = cost(app, &token, &one.tree).await;
    let s3 = S3::of(app, &token).await;
    let floor = floor::run(app, &s3, &sibling.tree, &sibling.markers).await;
    let singly = match &third {
        Some(third) => {
            let files = app.workspace.list_files(&third.tree, i64::MAX).await.unwrap();
            format!("{:.2}", one_by_one(app, &token, &files).await.as_secs_f64())
        }
        None => "-".to_owned(),
    };
    print(shape, files, &cost, (floor, &singly));
    one.tree.root
}

fn print(shape: TreeShape, files: usize, cost: &Cost, (floor, singly): (Duration, &str)) {
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
