//! Trees of a given shape: how many packages, where, and what the counters say.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::HashSet;

use local::{
    s3::S3,
    testing,
    workspace::{Dataset, Filling, Shape, Tree, Workspace},
};
use packages::clock::Clock;

const BUCKET: &str = "test-storage";

async fn tenant() -> (Workspace, Dataset) {
    let workspace = testing::workspace().await;
    let dataset = workspace.dataset("Test").await.unwrap();
    (workspace, dataset)
}

/// The one number that a statement on a tree's folders answers.
async fn number(workspace: &Workspace, tree: &Tree, sql: &str) -> i64 {
    let sql = sql.replace("WORKSPACE", &workspace.id.to_string());
    let folders: Vec<i32> = tree.folders.iter().map(|folder| folder.0).collect();
    workspace.client.query_one(&sql, &[&folders]).await.unwrap().get(0)
}

async fn assert_counted(workspace: &Workspace) {
    assert_eq!(workspace.counted().await.unwrap(), workspace.recount().await.unwrap());
}

#[tokio::test]
async fn each_shape_has_its_folders_and_the_counters_agree() {
    let (workspace, dataset) = tenant().await;
    let top = workspace.collection(&dataset, None, "top").await.unwrap();
    for (shape, folders, fullest) in [
        (Shape::ManySmall, 1 + 50, 20),
        (Shape::FewHuge, 1 + 5, 200),
        (Shape::Flat, 1, 1000),
        (Shape::Deep, 100, 10),
    ] {
        let filling = Filling::live(shape, 1000, BUCKET);
        let tree = workspace.fill(&dataset, Some(&top), &filling).await.unwrap();
        assert_eq!(tree.folders.len(), folders, "{shape:?}");
        assert_eq!(workspace.count_in_state(&tree, "READY").await.unwrap(), 1000 + folders);
        assert_eq!(workspace.files(&tree, 2000).await.unwrap().len(), 1000);
        let sql = r#"SELECT max(n) FROM (SELECT count(*) AS n FROM "WORKSPACE".packages
                     WHERE parent_id = ANY ($1) AND type <> 'Collection' GROUP BY parent_id) f"#;
        assert_eq!(number(&workspace, &tree, sql).await, fullest, "{shape:?}");
        assert_counted(&workspace).await;
    }
}

#[tokio::test]
async fn a_filled_folder_goes_to_the_trash_as_any_other_or_is_made_there() {
    let (workspace, dataset) = tenant().await;
    let top = workspace.collection(&dataset, None, "top").await.unwrap();
    let live = workspace.fill(&dataset, Some(&top), &Filling::live(Shape::Deep, 50, BUCKET)).await.unwrap();
    let before = workspace.counted().await.unwrap();
    for shape in Shape::ALL {
        let live = Filling::live(shape, 60, BUCKET);
        let trashed = workspace.fill(&dataset, Some(&top), &live).await.unwrap();
        workspace.trash_tree(&trashed).await.unwrap();
        let made = workspace.fill(&dataset, Some(&top), &Filling::deleted(shape, 60, BUCKET)).await.unwrap();
        for tree in [&trashed, &made] {
            let all = 60 + tree.folders.len();
            assert_eq!(workspace.count_in_state(tree, "DELETED").await.unwrap(), all, "{shape:?}");
            for package in [tree.root.clone(), workspace.files(tree, 1).await.unwrap().remove(0)] {
                let (_, name) = workspace.row(package.id).await.unwrap();
                assert!(
                    name.starts_with(&format!("__DELETED__{}_f", package.node_id)) || name.contains(".txt"),
                    "{name}"
                );
            }
        }
        let beneath = |tree: &Tree| {
            let (workspace, tree) = (workspace.clone(), tree.clone());
            async move {
                let sql = r#"SELECT sum(size)::bigint FROM "WORKSPACE".package_storage WHERE package_id = ANY ($1)"#;
                number(&workspace, &tree, sql).await
            }
        };
        assert_eq!(
            beneath(&trashed).await,
            beneath(&made).await,
            "{shape:?}: the counters that the trash leaves"
        );
    }
    assert_eq!(workspace.counted().await.unwrap(), before);
    assert_eq!(workspace.count_in_state(&live, "READY").await.unwrap(), 50 + 5);
}

#[tokio::test]
async fn rows_lie_in_no_order_of_their_folders() {
    let (workspace, dataset) = tenant().await;
    let tree = workspace.fill(&dataset, None, &Filling::live(Shape::ManySmall, 5000, BUCKET)).await.unwrap();
    workspace.analyze().await.unwrap();
    let sql = format!(
        "SELECT abs(correlation) FROM pg_stats WHERE schemaname = '{}' AND tablename = 'packages' AND attname = 'parent_id'",
        workspace.id
    );
    let correlation: f32 = workspace.client.query_one(&sql, &[]).await.unwrap().get(0);
    assert!(correlation < 0.2, "{correlation}");
    let keys: HashSet<String> =
        workspace.stored(&tree).await.unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), 5000);
}

#[tokio::test]
async fn objects_are_put_and_hidden_by_the_thousand() {
    let dir = tempfile::tempdir().unwrap();
    let store = S3::open(dir.path(), Clock::System).unwrap();
    assert!(store.put_hidden(BUCKET, &[("a", 1)]).is_err(), "there is no such bucket");
    store.create_bucket(BUCKET).unwrap();
    let objects: Vec<(String, usize)> = (0..2500).map(|n| (format!("key {n}"), 1 + n % 7)).collect();
    let markers = store.put_hidden(BUCKET, &objects).unwrap();
    assert_eq!(markers.len(), objects.len());
    drop(store);
    let store = S3::open(dir.path(), Clock::System).unwrap();
    for ((key, size), marker) in objects.iter().zip(&markers) {
        let versions = store.versions(BUCKET, key);
        let [top, object] = &versions[..] else { panic!("{versions:?}") };
        assert!(top.delete_marker && top.id == *marker && !object.delete_marker);
        assert_eq!(object.size, *size as u64);
    }
}
