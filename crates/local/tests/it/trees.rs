//! Folder trees: the number and the position of packages, and the counters.

#![expect(clippy::unwrap_used, reason = "a test stops at an unexpected result")]

use std::collections::HashSet;

use aws::Clock;
use local::{
    s3::{S3Store, StoredObject},
    testing,
    workspace::{Dataset, PackageTree, TreeShape, TreeSpec, Workspace},
};

const BUCKET: &str = "test-storage";

async fn create_workspace() -> (Workspace, Dataset) {
    let workspace = testing::create_workspace().await;
    let dataset = workspace.create_dataset("Test").await.unwrap();
    (workspace, dataset)
}

/// The single number that a statement on the folders of a tree returns.
async fn query_number(workspace: &Workspace, tree: &PackageTree, sql: &str) -> i64 {
    let sql = sql.replace("WORKSPACE", &workspace.id.to_string());
    let folders: Vec<i32> = tree.folders.iter().map(|folder| folder.0).collect();
    workspace.client.query_one(&sql, &[&folders]).await.unwrap().get(0)
}

async fn assert_usage(workspace: &Workspace) {
    assert_eq!(workspace.load_usage().await.unwrap(), workspace.compute_usage().await.unwrap());
}

#[tokio::test]
async fn shapes_have_their_folders_and_correct_counters() {
    let (workspace, dataset) = create_workspace().await;
    let top = workspace.create_collection(&dataset, None, "top").await.unwrap();
    for (shape, folders, largest) in [
        (TreeShape::ManySmall, 1 + 50, 20),
        (TreeShape::FewHuge, 1 + 5, 200),
        (TreeShape::Flat, 1, 1000),
        (TreeShape::Deep, 100, 10),
    ] {
        let spec = TreeSpec::live(shape, 1000, BUCKET);
        let tree = workspace.create_tree(&dataset, Some(&top), &spec).await.unwrap();
        assert_eq!(tree.folders.len(), folders, "{shape:?}");
        assert_eq!(workspace.count_in_state(&tree, "READY").await.unwrap(), 1000 + folders);
        assert_eq!(workspace.list_files(&tree, 2000).await.unwrap().len(), 1000);
        let sql = r#"SELECT max(n) FROM (SELECT count(*) AS n FROM "WORKSPACE".packages
                     WHERE parent_id = ANY ($1) AND type <> 'Collection' GROUP BY parent_id) f"#;
        assert_eq!(query_number(&workspace, &tree, sql).await, largest, "{shape:?}");
        assert_usage(&workspace).await;
    }
}

#[tokio::test]
async fn a_tree_moved_to_the_trash_equals_one_created_there() {
    let (workspace, dataset) = create_workspace().await;
    let top = workspace.create_collection(&dataset, None, "top").await.unwrap();
    let live = TreeSpec::live(TreeShape::Deep, 50, BUCKET);
    let live = workspace.create_tree(&dataset, Some(&top), &live).await.unwrap();
    let before = workspace.load_usage().await.unwrap();
    for shape in TreeShape::ALL {
        let spec = TreeSpec::live(shape, 60, BUCKET);
        let moved = workspace.create_tree(&dataset, Some(&top), &spec).await.unwrap();
        workspace.trash_tree(&moved).await.unwrap();
        let spec = TreeSpec::deleted(shape, 60, BUCKET);
        let created = workspace.create_tree(&dataset, Some(&top), &spec).await.unwrap();
        for tree in [&moved, &created] {
            let all = 60 + tree.folders.len();
            assert_eq!(workspace.count_in_state(tree, "DELETED").await.unwrap(), all, "{shape:?}");
            for package in [tree.root.clone(), workspace.list_files(tree, 1).await.unwrap().remove(0)] {
                let (_, name) = workspace.load_state_and_name(package.id).await.unwrap();
                assert!(
                    name.starts_with(&format!("__DELETED__{}_f", package.node_id)) || name.contains(".txt"),
                    "{name}"
                );
            }
        }
        let total = |tree: &PackageTree| {
            let (workspace, tree) = (workspace.clone(), tree.clone());
            async move {
                let sql = r#"SELECT sum(size)::bigint FROM "WORKSPACE".package_storage WHERE package_id = ANY ($1)"#;
                query_number(&workspace, &tree, sql).await
            }
        };
        assert_eq!(total(&moved).await, total(&created).await, "{shape:?}: the counters in the trash");
    }
    assert_eq!(workspace.load_usage().await.unwrap(), before);
    assert_eq!(workspace.count_in_state(&live, "READY").await.unwrap(), 50 + 5);
}

#[tokio::test]
async fn rows_are_not_sorted_by_folder() {
    let (workspace, dataset) = create_workspace().await;
    let spec = TreeSpec::live(TreeShape::ManySmall, 5000, BUCKET);
    let tree = workspace.create_tree(&dataset, None, &spec).await.unwrap();
    workspace.analyze_tables().await.unwrap();
    // 1 means that the rows are in the order of the column, 0 that they are not.
    let sql = format!(
        "SELECT abs(correlation) FROM pg_stats WHERE schemaname = '{}' AND tablename = 'packages' AND attname = 'parent_id'",
        workspace.id
    );
    let correlation: f32 = workspace.client.query_one(&sql, &[]).await.unwrap().get(0);
    assert!(correlation < 0.2, "{correlation}");
    let keys: HashSet<String> =
        workspace.list_stored_objects(&tree).await.unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(keys.len(), 5000);
}

fn stored_object(n: usize) -> StoredObject {
    StoredObject { key: format!("key {n}"), size: 1 + n % 7 }
}

#[tokio::test]
async fn stores_thousands_of_deleted_objects() {
    let dir = tempfile::tempdir().unwrap();
    let store = S3Store::open(dir.path(), Clock::System).unwrap();
    assert!(store.put_deleted_objects(BUCKET, &[stored_object(0)]).is_err(), "the bucket does not exist");
    store.create_bucket(BUCKET).unwrap();
    let objects: Vec<StoredObject> = (0..2500).map(stored_object).collect();
    let markers = store.put_deleted_objects(BUCKET, &objects).unwrap();
    assert_eq!(markers.len(), objects.len());
    drop(store);
    let store = S3Store::open(dir.path(), Clock::System).unwrap();
    for (StoredObject { key, size }, marker) in objects.iter().zip(&markers) {
        let versions = store.list_versions(BUCKET, key);
        let [top, object] = &versions[..] else { panic!("{versions:?}") };
        assert!(top.delete_marker && top.id == *marker && !object.delete_marker);
        assert_eq!(object.size, *size as u64);
    }
}
