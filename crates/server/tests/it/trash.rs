//! The list of deleted packages: its fields, its pages, and what S3 still has.

mod plans;

use std::collections::BTreeSet;

use aws::Clock;
use local::{
    aws::{Account, FunctionResources},
    faults::InjectedError,
    s3::LifecycleRule,
    workspace::{NewPackage, Package, SourceFile},
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::app::{STORAGE, TestApp, TestResponse, build_router, parent_parameter};

impl TestApp {
    async fn get_trash(&self, token: &str, more: &str) -> TestResponse {
        self.get(&format!("/packages/trash?dataset_id={}{more}", self.dataset.node_id), token).await
    }

    /// The items of a list that has one page.
    async fn list_trash(&self, token: &str, more: &str) -> Vec<Value> {
        let response = self.get_trash(token, more).await;
        assert_eq!(response.status, 200, "{:?}", response.body);
        let page = response.json();
        assert_eq!(page["next"], Value::Null);
        page["items"].as_array().unwrap().clone()
    }

    async fn list_trash_names(&self, token: &str, more: &str) -> BTreeSet<String> {
        let items = self.list_trash(token, more).await;
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The ids of all items, read in pages of `limit`.
    async fn walk_trash_pages(&self, token: &str, more: &str, limit: usize) -> Vec<String> {
        let path = format!("/packages/trash?dataset_id={}{more}", self.dataset.node_id);
        let items = self.walk_pages(token, &path, limit).await;
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    }
}

fn name_set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[tokio::test]
async fn lists_all_fields_of_a_package() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let outer = app.create_folder(None, "outer").await;
    let inner = app.create_folder(Some(&outer), "inner").await;
    let file = app.create_file(Some(&inner), "a.txt", b"12345").await;
    app.trash_package(&file).await;
    app.run_sql(
        r#"UPDATE "WORKSPACE".packages SET updated_at = '2026-11-24 11:18:50.75' WHERE state = 'DELETED'; "#,
    )
    .await;
    app.run_sql(r#"ALTER TABLE "WORKSPACE".packages DISABLE TRIGGER USER"#).await;
    app.run_sql(r#"UPDATE "WORKSPACE".packages SET updated_at = '2026-11-24 11:18:50.75'"#).await;
    let expected_items = json!({
        "items": [{
            "id": file.node_id, "name": "a.txt", "kind": "Unknown", "size": 5, "parent": inner.node_id,
            "path": ["outer", "inner"], "deleted_at": "2026-11-24T11:18:50Z", "children": null, "more_children": false,
            "state": "DELETED", "reason": null, "restorable": true,
        }],
        "next": null,
    });
    assert_eq!(app.get_trash(&token, "").await.json(), expected_items, "inside a live folder");
    assert_eq!(app.get_trash(&token, &parent_parameter(&inner)).await.json(), expected_items);
    assert_eq!(app.list_trash(&token, &parent_parameter(&outer)).await, [] as [Value; 0]);

    app.workspace.trash(&outer).await.unwrap();
    app.run_sql(r#"UPDATE "WORKSPACE".packages SET updated_at = '2026-11-24 11:18:50'"#).await;
    let expected_items = json!([{
        "id": outer.node_id, "name": "outer", "kind": "Collection", "size": null, "parent": null, "path": [],
        "deleted_at": "2026-11-24T11:18:50Z", "children": 1, "more_children": false, "state": "DELETED", "reason": null,
        "restorable": true,
    }]);
    assert_eq!(
        json!(app.list_trash(&token, "&outlook=true").await),
        expected_items,
        "content of deleted folders is not at the top level"
    );
    let of_inner = &app.list_trash(&token, &parent_parameter(&outer)).await[0];
    assert_eq!((&of_inner["path"], &of_inner["parent"]), (&json!(["outer"]), &json!(outer.node_id)));
    let of_file = &app.list_trash(&token, &parent_parameter(&inner)).await[0];
    assert_eq!((&of_file["path"], &of_file["name"]), (&json!(["outer", "inner"]), &json!("a.txt")));
}

#[tokio::test]
async fn empty_columns_become_null() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let folder = app.create_folder(None, "folder").await;
    let file = app.create_file(Some(&folder), "file", b"123").await;
    let nameless = app.create_file(Some(&folder), "nameless", b"1").await;
    let bare = app
        .workspace
        .create_packages(&app.dataset, &[NewPackage { file: None, ..NewPackage::collection(None, "bare") }])
        .await
        .unwrap()
        .remove(0);
    for package in [&file, &nameless, &bare] {
        app.trash_package(package).await;
    }
    app.run_sql(r#"ALTER TABLE "WORKSPACE".packages DISABLE TRIGGER USER"#).await;
    app.run_sql(&format!(
        r#"UPDATE "WORKSPACE".packages SET updated_at = NULL, created_at = NULL, size = NULL, attributes = NULL, owner_id = NULL;
           UPDATE "WORKSPACE".packages SET node_id = NULL WHERE id IN ({}, {});
           UPDATE "WORKSPACE".packages SET type = 'PDF' WHERE id = {};
           UPDATE "WORKSPACE".files SET size = NULL, name = NULL, file_type = NULL, s3_bucket = NULL, s3_key = NULL, checksum = NULL"#,
        nameless.id, folder.id, bare.id
    ))
    .await;
    let items = app.list_trash(&token, "&outlook=true").await;
    let of = |package: &Package| items.iter().find(|item| item["id"] == json!(package.node_id)).unwrap();
    assert_eq!(items.len(), 2, "packages without an id are not listed");
    let expected_items = json!({
        "id": file.node_id, "name": "file", "kind": "Unknown", "size": 0, "parent": null, "path": ["folder"],
        "deleted_at": null, "children": null, "more_children": false, "state": "DELETED", "reason": null,
        "restorable": false, "recoverable": null, "recoverable_until": null,
    });
    assert_eq!(of(&file), &expected_items);
    assert_eq!(
        (&of(&bare)["size"], &of(&bare)["restorable"]),
        (&json!(0), &json!(true)),
        "a folder needs no bytes"
    );
}

#[tokio::test]
async fn lists_the_state_that_a_restore_sees() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let mut packages = Vec::new();
    for name in
        ["deleted", "deleting", "restoring", "claimed", "above", "failed", "unnamed", "live", "restored"]
    {
        let package = app.create_file(None, name, b"1").await;
        if !["unnamed", "live"].contains(&name) {
            app.trash_package(&package).await;
        }
        packages.push(package);
    }
    let [_, deleting, restoring, claimed, above, failed, unnamed, _, restored] = packages.try_into().unwrap();
    for (package, state) in
        [(&deleting, "DELETING"), (&restoring, "RESTORING"), (&unnamed, "DELETED"), (&restored, "READY")]
    {
        app.workspace.set_state(package, state).await.unwrap();
    }
    let claim = |package: &Package, order: &str| {
        let (id, dataset) = (package.id, app.dataset.id);
        format!(
            "INSERT INTO packages_service.restore_claims (workspace_id, package_id, dataset_id, order_id, position)
             VALUES (WORKSPACE, {id}, {dataset}, {order}, 0);"
        )
    };
    app.run_sql(&(claim(&claimed, "1") + &claim(&above, "NULL"))).await;
    app.run_sql(&format!(
        "INSERT INTO packages_service.restore_failures (workspace_id, package_id, reason) VALUES (WORKSPACE, {}, 'lost')",
        failed.id
    ))
    .await;
    let items = app.list_trash(&token, "").await;
    let expected_items: BTreeSet<_> = items
        .iter()
        .map(|item| {
            (
                item["name"].to_string(),
                item["state"].to_string(),
                item["reason"].to_string(),
                item["restorable"].to_string(),
            )
        })
        .collect();
    let expected = [
        ("deleted", "DELETED", "null", "true"),
        ("deleting", "DELETING", "null", "false"),
        ("restoring", "RESTORING", "null", "false"),
        ("claimed", "RESTORING", "null", "false"),
        ("above", "DELETED", "null", "true"),
        ("failed", "DELETED", "\"lost\"", "true"),
    ]
    .map(|(name, state, reason, restorable)| {
        (format!("\"{name}\""), format!("\"{state}\""), reason.to_owned(), restorable.to_owned())
    });
    assert_eq!(expected_items, expected.into());
}

#[tokio::test]
async fn lists_a_name_without_prefix_in_its_folder() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let folder = app.create_folder(None, "folder").await;
    let file = app.create_file(Some(&folder), "a", b"1").await;
    app.workspace.set_state(&file, "DELETED").await.unwrap();
    assert_eq!(app.list_trash_names(&token, "").await, name_set([]));
    assert_eq!(app.list_trash_names(&token, &parent_parameter(&folder)).await, name_set(["a"]));
    assert_eq!(app.walk_trash_pages(&token, &parent_parameter(&folder), 1).await, [file.node_id.to_string()]);
}

#[tokio::test]
async fn pages_list_every_package_once() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let other = app.workspace.create_dataset("Other").await.unwrap();
    let folder = app.create_folder(None, "live").await;
    let files = |parent: Option<&Package>, count: usize| {
        (0..count)
            .map(|n| {
                NewPackage::file(parent.map(|p| p.id), &format!("{n}"), SourceFile::new(STORAGE, "k", 1))
            })
            .collect::<Vec<_>>()
    };
    let mut ours = app.workspace.create_packages(&app.dataset, &files(None, 2500)).await.unwrap();
    let nested = app.workspace.create_packages(&app.dataset, &files(Some(&folder), 2500)).await.unwrap();
    let few = app.create_folder(None, "few").await;
    let few_files = app.workspace.create_packages(&app.dataset, &files(Some(&few), 7)).await.unwrap();
    app.workspace.create_packages(&other, &files(None, 2500)).await.unwrap();
    app.run_sql(r#"UPDATE "WORKSPACE".packages SET state = 'DELETED', name = '__DELETED__' || node_id || '_' || name WHERE type <> 'Collection'"#).await;
    let ids = |packages: &[Package]| {
        packages.iter().map(|package| package.node_id.to_string()).collect::<BTreeSet<_>>()
    };
    let assert_all = |walked: Vec<String>, expected: BTreeSet<String>| {
        assert_eq!(walked.len(), expected.len(), "each package once");
        assert_eq!(walked.into_iter().collect::<BTreeSet<_>>(), expected);
    };
    assert_all(app.walk_trash_pages(&token, &parent_parameter(&folder), 1000).await, ids(&nested));
    assert_all(app.walk_trash_pages(&token, &parent_parameter(&few), 2).await, ids(&few_files));
    assert_all(app.walk_trash_pages(&token, &parent_parameter(&few), 7).await, ids(&few_files));
    ours.extend(nested);
    ours.extend(few_files);
    assert_all(app.walk_trash_pages(&token, "", 1000).await, ids(&ours));
    app.run_sql(
        r#"DELETE FROM "WORKSPACE".packages WHERE parent_id IS NULL AND name > '__DELETED__N:package:1'"#,
    )
    .await;
    assert!(app.walk_trash_pages(&token, "", 100).await.len() < 1000);
}

#[tokio::test]
async fn counts_children_up_to_a_limit() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let folders: Vec<NewPackage> = (0..130).map(|n| NewPackage::collection(None, &format!("{n}"))).collect();
    let folders = app.workspace.create_packages(&app.dataset, &folders).await.unwrap();
    let children = |folder: &Package, count: usize| {
        (0..count).map(|n| NewPackage::collection(Some(folder.id), &format!("{n}"))).collect::<Vec<_>>()
    };
    app.workspace.create_packages(&app.dataset, &children(&folders[0], 100)).await.unwrap();
    app.workspace.create_packages(&app.dataset, &children(&folders[1], 101)).await.unwrap();
    for folder in &folders {
        app.workspace.trash(folder).await.unwrap();
    }
    assert_eq!(app.walk_trash_pages(&token, "", 1000).await.len(), 130);
    let first = app.get_trash(&token, "&limit=1000").await.json();
    assert_eq!(first["items"].as_array().unwrap().len(), 100);
    let mut all = first["items"].as_array().unwrap().clone();
    let rest = app.get_trash(&token, &format!("&cursor={}", first["next"].as_str().unwrap())).await.json();
    all.extend(rest["items"].as_array().unwrap().clone());
    let counted = |folder: &Package| {
        let item = all.iter().find(|item| item["id"] == json!(folder.node_id)).unwrap();
        (item["children"].clone(), item["more_children"].clone())
    };
    assert_eq!(counted(&folders[0]), (json!(100), json!(false)));
    assert_eq!(counted(&folders[1]), (json!(100), json!(true)));
    assert_eq!(counted(&folders[2]), (json!(0), json!(false)));
}

#[tokio::test]
async fn a_path_has_at_most_32_folders() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let mut folder = app.create_folder(None, "0").await;
    for n in 1..40 {
        folder = app.create_folder(Some(&folder), &n.to_string()).await;
    }
    app.trash_package(&app.create_file(Some(&folder), "a", b"1").await).await;
    let path = app.list_trash(&token, "").await[0]["path"].clone();
    assert_eq!(path, json!((8..40).map(|n| n.to_string()).collect::<Vec<_>>()));
}

#[tokio::test]
async fn rejects_invalid_parameters_and_other_datasets() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let other = app.workspace.create_dataset("Other").await.unwrap();
    let foreign = app.workspace.create_collection(&other, None, "foreign").await.unwrap();
    let file = app.create_file(None, "file", b"1").await;
    for more in [parent_parameter(&foreign), parent_parameter(&file), "&parent=N:collection:none".to_owned()]
    {
        app.get_trash(&token, &more).await.assert_problem(404);
    }
    for more in [
        "&parent=x",
        "&parent=N:dataset:1",
        "&cursor=x!",
        "&cursor=MWE%3D",
        "&cursor=eHg",
        "&limit=0",
        "&limit=1001",
        "&limit=ten",
        "&limit=-1",
        "&limit=1.0",
        "&outlook=yes",
    ] {
        app.get_trash(&token, more).await.assert_problem(400);
    }
    for more in ["&limit=1000&parent=&cursor=&outlook=false", "&limit=1000&outlook=true"] {
        assert_eq!(app.get_trash(&token, more).await.status, 200, "{more}");
    }
    for role in ["guest", "none"] {
        app.get_trash(&app.create_token(role).await, "").await.assert_problem(403);
    }
    app.get_trash("", "").await.assert_problem(401);
}

#[tokio::test]
async fn the_outlook_tells_what_s3_has() {
    let app = TestApp::start().await;
    let token = app.create_token("viewer").await;
    let there = app.create_file(None, "there", b"1").await;
    let gone = app.create_file(None, "gone", b"1").await;
    let half = app.create_file(None, "half", b"1").await;
    app.run_sql(&format!(
        r#"INSERT INTO "WORKSPACE".files (package_id, s3_bucket, s3_key, object_type, processing_state)
           VALUES ({}, '{STORAGE}', 'never there', 'source', 'unprocessed')"#,
        half.id
    ))
    .await;
    let folder = app.create_folder(None, "folder").await;
    for package in [&there, &gone, &half, &folder] {
        app.trash_package(package).await;
    }
    let key = app.load_keys(&gone).await.remove(0);
    for version in app.store.list_versions(STORAGE, &key).iter().filter(|version| !version.delete_marker) {
        app.store.delete_version(STORAGE, &key, &version.id).unwrap();
    }
    let outlook = async || {
        let items = app.list_trash(&token, "&outlook=true").await;
        let of = |package: &Package| {
            let item = items.iter().find(|item| item["id"] == json!(package.node_id)).unwrap();
            [item["recoverable"].clone(), item["recoverable_until"].clone()]
        };
        assert!(items.iter().find(|item| item["kind"] == "Collection").unwrap().get("recoverable").is_none());
        [of(&there), of(&gone), of(&half)]
    };
    let (yes, no, unknown) = (json!(true), json!(false), Value::Null);
    let neither = [no.clone(), unknown.clone()];
    assert_eq!(outlook().await, [[yes.clone(), unknown.clone()], neither.clone(), neither.clone()]);

    let rule = LifecycleRule::new;
    let rules = vec![rule("", 30), rule("O", 20), rule("P", 3), rule("O", 2).with_newer_versions(1)];
    app.store.set_lifecycle(STORAGE, rules).unwrap();
    let [[recoverable, until], lost, half_lost] = outlook().await;
    assert_eq!((recoverable, lost, half_lost), (yes, neither.clone(), neither));
    let until = OffsetDateTime::parse(until.as_str().unwrap(), &Rfc3339).unwrap();
    let expected = Clock::System.now_utc() + Duration::days(20);
    assert!((expected - until).abs() < Duration::minutes(5), "{until}");
    assert_eq!(app.faults.count_requests("GetBucketLifecycleConfiguration"), 2, "once per request");

    app.faults.fail_requests("GetBucketLifecycleConfiguration", 1, InjectedError::AccessDenied);
    assert_eq!(outlook().await[0], [json!(true), unknown.clone()]);
    app.faults.fail_requests("ListObjectVersions", 4, InjectedError::AccessDenied);
    assert_eq!(outlook().await[0], [unknown.clone(), unknown]);
}

#[tokio::test]
async fn the_role_of_the_service_may_request_the_outlook() {
    let mut app = TestApp::start().await;
    let root = Account::root().unwrap();
    let bucket = format!("storage-{}", app.dataset.node_id.as_str().rsplit(':').next().unwrap());
    root.create_bucket(&bucket).await.unwrap();
    let key = app.workspace.storage_key(&app.dataset);
    root.put_object(&bucket, &key, b"precious").await.unwrap();
    let file = app
        .workspace
        .create_file(&app.dataset, None, "file", SourceFile::new(&bucket, &key, 8))
        .await
        .unwrap();
    app.workspace.trash(&file).await.unwrap();
    root.delete_object(&bucket, &key).await.unwrap();
    root.expire_noncurrent_versions(&bucket, 30).await.unwrap();

    let service = FunctionResources { bucket: &bucket, ..FunctionResources::default() };
    app.app.objects = root.create_function_user("service", service).await.unwrap().objects().unwrap();
    app.router = build_router(&app.app);
    let item = app.list_trash(&app.create_token("viewer").await, "&outlook=true").await.remove(0);
    assert_eq!(item["recoverable"], true);
    assert!(item["recoverable_until"].is_string(), "{item}");
}
