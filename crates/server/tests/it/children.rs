//! The list of a folder and the description of one package: their fields, and the pages.

mod plans;

use local::workspace::{NewPackage, Package, SourceFile};
use serde_json::{Value, json};

use crate::app::{STORAGE, TestApp, TestResponse, parent_parameter, percent_encode};

impl TestApp {
    async fn get_children(&self, token: &str, more: &str) -> TestResponse {
        self.get(&format!("/packages/children?dataset_id={}{more}", self.dataset.node_id), token).await
    }

    async fn get_metadata(&self, token: &str, package: &Package) -> TestResponse {
        let (dataset, package) = (&self.dataset.node_id, &package.node_id);
        self.get(&format!("/packages/metadata?dataset_id={dataset}&package_id={package}"), token).await
    }

    /// The names of a folder, read in pages of `limit`.
    async fn walk_children(&self, token: &str, more: &str, limit: usize) -> Vec<String> {
        let path = format!("/packages/children?dataset_id={}{more}", self.dataset.node_id);
        let items = self.walk_pages(token, &path, limit).await;
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    }

    async fn set_times(&self) {
        self.run_sql(
            r#"ALTER TABLE "WORKSPACE".packages DISABLE TRIGGER USER;
               UPDATE "WORKSPACE".packages SET created_at = '2026-11-23 10:00:00.5', updated_at = '2026-11-24 11:18:50.75'"#,
        )
        .await;
    }
}

#[tokio::test]
async fn lists_all_fields_of_a_package() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let outer = app.create_folder(None, "outer").await;
    let inner = app.create_folder(Some(&outer), "inner").await;
    let file = app.create_file(Some(&inner), "a.txt", b"12345").await;
    app.create_file(Some(&inner), "b.txt", b"1").await;
    app.set_times().await;
    let times = json!({"created_at": "2026-11-23T10:00:00Z", "updated_at": "2026-11-24T11:18:50Z"});
    let with_times = |mut item: Value| {
        item.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
        item
    };
    let folder = |package: &Package, name: &str, children: i64| {
        with_times(json!({
            "id": package.node_id, "name": name, "kind": "Collection", "state": "READY", "size": null, "files": null,
            "children": children, "more_children": false,
        }))
    };
    let of_file = with_times(json!({
        "id": file.node_id, "name": "a.txt", "kind": "Unknown", "state": "READY", "size": 5, "files": 1,
        "children": null, "more_children": false,
    }));
    let path = json!([{"id": outer.node_id, "name": "outer"}, {"id": inner.node_id, "name": "inner"}]);

    let top = app.get_children(&token, "").await.json();
    assert_eq!(top, json!({"items": [folder(&outer, "outer", 1)], "path": [], "next": null}));
    let inside = app.get_children(&token, &parent_parameter(&outer)).await.json();
    assert_eq!(
        inside,
        json!({"items": [folder(&inner, "inner", 2)], "path": [{"id": outer.node_id, "name": "outer"}], "next": null})
    );
    let before = app.app.db.statement_count();
    let files = app.get_children(&token, &format!("{}&limit=1", parent_parameter(&inner))).await.json();
    assert_eq!(app.app.db.statement_count() - before, 2, "the caller and the list");
    assert_eq!((&files["items"], &files["path"]), (&json!([of_file]), &path));
    let more = format!("{}&cursor={}", parent_parameter(&inner), files["next"].as_str().unwrap());
    let rest = app.get_children(&token, &more).await.json();
    assert_eq!(
        (&rest["items"][0]["name"], &rest["path"], &rest["next"]),
        (&json!("b.txt"), &path, &Value::Null)
    );
    let empty = app.create_folder(None, "empty").await;
    let in_empty = app.get_children(&token, &parent_parameter(&empty)).await.json();
    assert_eq!(
        in_empty,
        json!({"items": [], "path": [{"id": empty.node_id, "name": "empty"}], "next": null})
    );

    let before = app.app.db.statement_count();
    let mut described = app.get_metadata(&token, &file).await.json();
    assert_eq!(app.app.db.statement_count() - before, 2, "the caller and the package");
    assert_eq!(described.as_object_mut().unwrap().remove("path").unwrap(), path);
    assert_eq!(described, of_file);
    let mut described = app.get_metadata(&token, &outer).await.json();
    assert_eq!(described.as_object_mut().unwrap().remove("path").unwrap(), json!([]));
    assert_eq!(described, folder(&outer, "outer", 1));
}

#[tokio::test]
async fn empty_columns_become_null() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let folder = app.create_folder(None, "folder").await;
    let file = app.create_file(Some(&folder), "file", b"123").await;
    let nameless = app.create_file(Some(&folder), "nameless", b"1").await;
    let above = app.create_folder(None, "above").await;
    let inner = app.create_folder(Some(&above), "inner").await;
    app.run_sql(r#"ALTER TABLE "WORKSPACE".packages DISABLE TRIGGER USER"#).await;
    app.run_sql(&format!(
        r#"UPDATE "WORKSPACE".packages SET updated_at = NULL, created_at = NULL, size = NULL, attributes = NULL, owner_id = NULL;
           UPDATE "WORKSPACE".packages SET node_id = NULL WHERE id IN ({}, {});
           UPDATE "WORKSPACE".files SET size = NULL, name = NULL, file_type = NULL, s3_bucket = NULL, s3_key = NULL, checksum = NULL,
               created_at = NULL, updated_at = NULL, uploaded_state = NULL, properties = NULL"#,
        nameless.id, above.id
    ))
    .await;
    let page = app.get_children(&token, &parent_parameter(&folder)).await.json();
    let expected = json!([{
        "id": file.node_id, "name": "file", "kind": "Unknown", "state": "READY", "size": null, "files": 1,
        "children": null, "more_children": false, "created_at": null, "updated_at": null,
    }]);
    assert_eq!(page["items"], expected, "a package without an id is not listed");
    assert_eq!(app.walk_children(&token, "", 1).await, ["folder"]);
    let in_inner = app.get_children(&token, &parent_parameter(&inner)).await.json();
    assert_eq!(in_inner["path"], json!([{"id": inner.node_id, "name": "inner"}]));
    assert_eq!(app.get_metadata(&token, &inner).await.json()["path"], json!([]));
    let largest = i64::MAX;
    app.run_sql(&format!(
        r#"INSERT INTO "WORKSPACE".files (package_id, object_type, processing_state) VALUES ({}, 'source', 'unprocessed');
           UPDATE "WORKSPACE".files SET size = {largest}"#,
        file.id
    ))
    .await;
    let described = app.get_metadata(&token, &file).await.json();
    assert_eq!(
        (&described["size"], &described["files"]),
        (&json!(largest), &json!(2)),
        "a sum that does not fit"
    );
}

#[tokio::test]
async fn only_live_packages_are_listed() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let folder = app.create_folder(None, "folder").await;
    for state in ["READY", "UPLOADED", "PROCESSING", "PROCESSING_FAILED", "INFECTED", "UPLOAD_FAILED", "NEW"]
    {
        let file = app.create_file(Some(&folder), state, b"-").await;
        app.workspace.set_state(&file, state).await.unwrap();
        let described = app.get_metadata(&token, &file).await.json();
        assert_eq!((&described["state"], &described["name"]), (&json!(state), &json!(state)));
    }
    let live = app.walk_children(&token, &parent_parameter(&folder), 100).await;
    assert_eq!(live.len(), 7, "{live:?}");
    for state in ["DELETED", "DELETING", "RESTORING", "UNAVAILABLE"] {
        let file = app.create_file(Some(&folder), state, b"-").await;
        app.workspace.set_state(&file, state).await.unwrap();
        let detail = app.get_metadata(&token, &file).await.assert_problem(404);
        assert!(detail.contains("it is in the trash, or its files are not there yet"), "{detail}");
    }
    assert_eq!(app.walk_children(&token, &parent_parameter(&folder), 1).await, live);
    let of_folder = app.get_children(&token, "").await.json()["items"][0].clone();
    assert_eq!((&of_folder["children"], &of_folder["more_children"]), (&json!(7), &json!(false)));
    // A live package with the prefix of deleted ones.
    let odd = app.create_file(None, "__DELETED__N:package:1_x", b"-").await;
    assert_eq!(app.walk_children(&token, "", 1).await, ["__DELETED__N:package:1_x", "folder"]);
    assert_eq!(app.get_metadata(&token, &odd).await.status, 200);

    app.trash_package(&folder).await;
    assert_eq!(app.walk_children(&token, "", 1).await, ["__DELETED__N:package:1_x"]);
    let detail = app.get_children(&token, &parent_parameter(&folder)).await.assert_problem(404);
    assert_eq!(detail, "package not found in this dataset");
    app.get_metadata(&token, &folder).await.assert_problem(404);
}

#[tokio::test]
async fn a_folder_above_that_is_in_the_trash_has_its_name() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let outer = app.create_folder(None, "outer").await;
    let inner = app.create_folder(Some(&outer), "inner").await;
    app.trash_package(&outer).await;
    app.run_sql(&format!(
        r#"UPDATE "WORKSPACE".packages SET state = 'READY', name = 'inner' WHERE id = {}"#,
        inner.id
    ))
    .await;
    let path = json!([{"id": outer.node_id, "name": "outer"}, {"id": inner.node_id, "name": "inner"}]);
    assert_eq!(app.get_children(&token, &parent_parameter(&inner)).await.json()["path"], path);
}

#[tokio::test]
async fn names_are_text_of_any_kind() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let longest = "長".repeat(255);
    let names = [
        "<img src=x onerror=alert(1)>",
        "a\u{202e}txt.exe",
        "'; DROP TABLE packages; --",
        "%41%%s",
        "\u{1}\n\t",
        "🎉",
        &longest,
        "\u{10ffff}",
    ];
    for name in names {
        app.create_file(None, name, b"-").await;
    }
    let mut expected: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    expected.sort_unstable();
    assert_eq!(
        app.walk_children(&token, "", 1).await,
        expected,
        "in the order of the database, here by bytes"
    );
    expected.reverse();
    assert_eq!(app.walk_children(&token, "&sort=-name", 3).await, expected);
}

#[tokio::test]
async fn pages_list_every_package_once_in_both_orders() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let (folder, other) = (app.create_folder(None, "folder").await, app.create_folder(None, "other").await);
    let files = |parent: &Package, count: usize| {
        let file =
            |n| NewPackage::file(Some(parent.id), &format!("{n:05}"), SourceFile::new(STORAGE, "k", 1));
        (0..count).map(file).collect::<Vec<_>>()
    };
    app.workspace.create_packages(&app.dataset, &files(&folder, 137)).await.unwrap();
    app.workspace.create_packages(&app.dataset, &files(&other, 137)).await.unwrap();
    let mut expected: Vec<String> = (0..137).map(|n| format!("{n:05}")).collect();
    for limit in [7, 100, 137, 1000] {
        assert_eq!(app.walk_children(&token, &parent_parameter(&folder), limit).await, expected, "{limit}");
    }
    expected.reverse();
    let descending = format!("{}&sort=-name", parent_parameter(&folder));
    assert_eq!(app.walk_children(&token, &descending, 50).await, expected);
}

#[tokio::test]
async fn a_page_has_at_most_a_hundred_folders() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let folders: Vec<NewPackage> =
        (0..130).map(|n| NewPackage::collection(None, &format!("{n:03}"))).collect();
    let folders = app.workspace.create_packages(&app.dataset, &folders).await.unwrap();
    let children = |folder: &Package, count: usize| {
        (0..count).map(|n| NewPackage::collection(Some(folder.id), &format!("{n}"))).collect::<Vec<_>>()
    };
    app.workspace.create_packages(&app.dataset, &children(&folders[0], 100)).await.unwrap();
    app.workspace.create_packages(&app.dataset, &children(&folders[1], 101)).await.unwrap();
    app.create_file(None, "zzz", b"-").await;
    assert_eq!(app.walk_children(&token, "", 1000).await.len(), 131);
    let first = app.get_children(&token, "&limit=1000").await.json();
    let counted = |n: usize| {
        let item = &first["items"][n];
        (item["children"].clone(), item["more_children"].clone())
    };
    assert_eq!(first["items"].as_array().unwrap().len(), 100);
    assert_eq!(counted(0), (json!(100), json!(false)));
    assert_eq!(counted(1), (json!(100), json!(true)));
    assert_eq!(counted(2), (json!(0), json!(false)));
}

#[tokio::test]
async fn a_path_has_at_most_32_folders() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let mut folder = app.create_folder(None, "0").await;
    let first = folder.clone();
    for n in 1..40 {
        folder = app.create_folder(Some(&folder), &n.to_string()).await;
    }
    let names = |page: &Value| {
        let path = page["path"].as_array().unwrap().clone();
        path.iter().map(|folder| folder["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let expected: Vec<String> = (8..40).map(|n| n.to_string()).collect();
    assert_eq!(names(&app.get_children(&token, &parent_parameter(&folder)).await.json()), expected);
    let file = app.create_file(Some(&folder), "a", b"1").await;
    assert_eq!(names(&app.get_metadata(&token, &file).await.json()), expected);
    // Folders that form a cycle.
    app.run_sql(&format!(
        r#"UPDATE "WORKSPACE".packages SET parent_id = {} WHERE id = {}"#,
        folder.id, first.id
    ))
    .await;
    assert_eq!(names(&app.get_metadata(&token, &file).await.json()), expected);
}

#[tokio::test]
async fn rejects_invalid_parameters_and_other_datasets() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let other = app.workspace.create_dataset("Other").await.unwrap();
    let foreign = app.workspace.create_collection(&other, None, "foreign").await.unwrap();
    let file = app.create_file(None, "file", b"1").await;
    app.create_file(None, "second", b"1").await;
    for more in [parent_parameter(&foreign), parent_parameter(&file), "&parent=N:collection:none".to_owned()]
    {
        app.get_children(&token, &more).await.assert_problem(404);
    }
    app.get_metadata(&token, &foreign).await.assert_problem(404);
    let cursor = app.get_children(&token, "&limit=1").await.json()["next"].as_str().unwrap().to_owned();
    assert_eq!(app.get_children(&token, &format!("&cursor={cursor}&sort=name")).await.status, 200);
    for more in [
        "&parent=x",
        "&parent=N:dataset:1",
        "&cursor=x!",
        "&cursor=MWE",
        "&limit=0",
        "&limit=1001",
        "&limit=ten",
        "&sort=size",
        "&sort=name,updated",
        "&sort=NAME",
        &format!("&cursor={cursor}&sort=-name"),
        &format!("&cursor={}", percent_encode(&format!("{cursor}="))),
    ] {
        app.get_children(&token, more).await.assert_problem(400);
    }
    // A cursor of the trash, whose form it is not.
    app.get_children(&token, "&cursor=MWFiYw").await.assert_problem(400);
    for role in ["guest", "none"] {
        app.get_children(&app.create_token(role).await, "").await.assert_problem(403);
    }
    app.get_children("", "").await.assert_problem(401);
    app.get_metadata("", &file).await.assert_problem(401);
    // A package of another dataset in a folder of this one is not listed here.
    let folder = app.create_folder(None, "folder").await;
    app.run_sql(&format!(
        r#"UPDATE "WORKSPACE".packages SET parent_id = {} WHERE id = {}"#,
        folder.id, foreign.id
    ))
    .await;
    assert_eq!(app.walk_children(&token, &parent_parameter(&folder), 100).await, [""; 0]);
}

/// More packages than are sorted: pages come from the index on names, and from the folder where that is not enough.
#[tokio::test]
async fn pages_of_large_folders_list_every_live_package_once() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let folder = app.create_folder(None, "folder").await;
    let other = app.workspace.create_dataset("Other").await.unwrap();
    // Half of the folder's names lie together, after all others. Every seventh package is in the trash. At the top there are
    // as many, of both datasets.
    app.run_sql(&format!(
        r#"SET session_replication_role = replica;
           INSERT INTO "WORKSPACE".packages (node_id, name, type, state, dataset_id, parent_id)
           SELECT 'N:package:' || gen_random_uuid(),
                  CASE WHEN i % 7 = 0 THEN '__DELETED__N:package:x_' ELSE '' END || CASE WHEN i < 6000 THEN md5(i::text) ELSE 'z' || lpad(i::text, 9, '0') END,
                  'CSV', CASE WHEN i % 7 = 0 THEN 'DELETED' ELSE 'READY' END, dataset, parent
           FROM generate_series(1, 12000) i, (VALUES ({0}, {2}), ({0}, NULL), ({1}, NULL)) places (dataset, parent);
           INSERT INTO "WORKSPACE".packages (node_id, name, type, state, dataset_id, parent_id)
           SELECT 'N:package:' || gen_random_uuid(), 'y' || i, 'CSV', 'READY', {1}, {2} + i FROM generate_series(1, 6000) i;
           RESET session_replication_role;
           ANALYZE "WORKSPACE".packages"#,
        app.dataset.id, other.id, folder.id
    ))
    .await;
    let sql = format!(
        r#"SELECT array_agg(name::text ORDER BY name) FROM "{}".packages WHERE parent_id = $1 AND state = 'READY'"#,
        app.workspace.id
    );
    let in_folder: Vec<String> = app.workspace.client.query_one(&sql, &[&folder.id.0]).await.unwrap().get(0);
    assert_eq!(in_folder.len(), 12_000 - 12_000 / 7);
    let mut at_top = in_folder.clone();
    at_top.insert(at_top.partition_point(|name| name.as_str() < "folder"), "folder".to_owned());
    for (parent, mut expected) in [(parent_parameter(&folder), in_folder), (String::new(), at_top)] {
        assert_eq!(app.walk_children(&token, &parent, 1000).await, expected, "{parent}");
        expected.reverse();
        let descending = app.walk_children(&token, &format!("{parent}&sort=-name"), 900).await;
        assert_eq!(descending, expected, "{parent} from the end");
    }
}
