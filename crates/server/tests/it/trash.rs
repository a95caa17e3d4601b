//! What lies in the trash: what is told of a package, pages, and what S3 still has.

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

use crate::app::{Answer, STORAGE, TestApp, router};

impl TestApp {
    async fn ask_trash(&self, token: &str, more: &str) -> Answer {
        self.get(&format!("/packages/trash?dataset_id={}{more}", self.dataset.node_id), token).await
    }

    /// The only page there is.
    async fn list_trash(&self, token: &str, more: &str) -> Vec<Value> {
        let answer = self.ask_trash(token, more).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        let page = answer.json();
        assert_eq!(page["next"], Value::Null);
        page["items"].as_array().unwrap().clone()
    }

    async fn trash_names(&self, token: &str, more: &str) -> BTreeSet<String> {
        let items = self.list_trash(token, more).await;
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    }

    /// All that there is, by pages of this size.
    async fn walk_trash(&self, token: &str, more: &str, limit: usize) -> Vec<String> {
        let (mut ids, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.ask_trash(token, &format!("{more}&limit={limit}{cursor}")).await.json();
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= limit);
            ids.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { return ids };
            cursor = format!("&cursor={next}");
        }
    }
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

fn inside(folder: &Package) -> String {
    format!("&parent={}", folder.node_id)
}

#[tokio::test]
async fn all_is_told_of_a_package() {
    let app = TestApp::start().await;
    let token = app.token("viewer").await;
    let outer = app.folder(None, "outer").await;
    let inner = app.folder(Some(&outer), "inner").await;
    let file = app.file(Some(&inner), "a.txt", b"12345").await;
    app.trash(&file).await;
    app.sql(
        r#"UPDATE "WORKSPACE".packages SET updated_at = '2026-11-24 11:18:50.75' WHERE state = 'DELETED'; "#,
    )
    .await;
    app.sql(r#"ALTER TABLE "WORKSPACE".packages DISABLE TRIGGER USER"#).await;
    app.sql(r#"UPDATE "WORKSPACE".packages SET updated_at = '2026-11-24 11:18:50.75'"#).await;
    let told = json!({
        "items": [{
            "id": file.node_id, "name": "a.txt", "kind": "Unknown", "size": 5, "parent": inner.node_id,
            "path": ["outer", "inner"], "deleted_at": "2026-11-24T11:18:50Z", "children": null, "more_children": false,
            "state": "DELETED", "reason": null, "restorable": true,
        }],
        "next": null,
    });
    assert_eq!(app.ask_trash(&token, "").await.json(), told, "a live folder's");
    assert_eq!(app.ask_trash(&token, &inside(&inner)).await.json(), told);
    assert_eq!(app.list_trash(&token, &inside(&outer)).await, [] as [Value; 0]);

    app.workspace.trash(&outer).await.unwrap();
    app.sql(r#"UPDATE "WORKSPACE".packages SET updated_at = '2026-11-24 11:18:50'"#).await;
    let told = json!([{
        "id": outer.node_id, "name": "outer", "kind": "Collection", "size": null, "parent": null, "path": [],
        "deleted_at": "2026-11-24T11:18:50Z", "children": 1, "more_children": false, "state": "DELETED", "reason": null,
        "restorable": true,
    }]);
    assert_eq!(
        json!(app.list_trash(&token, "&outlook=true").await),
        told,
        "what lies deeper is not at the top"
    );
    let of_inner = &app.list_trash(&token, &inside(&outer)).await[0];
    assert_eq!((&of_inner["path"], &of_inner["parent"]), (&json!(["outer"]), &json!(outer.node_id)));
    let of_file = &app.list_trash(&token, &inside(&inner)).await[0];
    assert_eq!((&of_file["path"], &of_file["name"]), (&json!(["outer", "inner"]), &json!("a.txt")));
}

#[tokio::test]
async fn what_the_platform_left_empty_is_null() {
    let app = TestApp::start().await;
    let token = app.token("viewer").await;
    let folder = app.folder(None, "folder").await;
    let file = app.file(Some(&folder), "file", b"123").await;
    let nameless = app.file(Some(&folder), "nameless", b"1").await;
    let bare = app
        .workspace
        .create_packages(&app.dataset, &[NewPackage { file: None, ..NewPackage::collection(None, "bare") }])
        .await
        .unwrap()
        .remove(0);
    for package in [&file, &nameless, &bare] {
        app.trash(package).await;
    }
    app.sql(r#"ALTER TABLE "WORKSPACE".packages DISABLE TRIGGER USER"#).await;
    app.sql(&format!(
        r#"UPDATE "WORKSPACE".packages SET updated_at = NULL, created_at = NULL, size = NULL, attributes = NULL, owner_id = NULL;
           UPDATE "WORKSPACE".packages SET node_id = NULL WHERE id IN ({}, {});
           UPDATE "WORKSPACE".packages SET type = 'PDF' WHERE id = {};
           UPDATE "WORKSPACE".files SET size = NULL, name = NULL, file_type = NULL, s3_bucket = NULL, s3_key = NULL, checksum = NULL"#,
        nameless.id, folder.id, bare.id
    ))
    .await;
    let items = app.list_trash(&token, "&outlook=true").await;
    let of = |package: &Package| items.iter().find(|item| item["id"] == json!(package.node_id)).unwrap();
    assert_eq!(items.len(), 2, "who has no id cannot be asked for");
    let told = json!({
        "id": file.node_id, "name": "file", "kind": "Unknown", "size": 0, "parent": null, "path": ["folder"],
        "deleted_at": null, "children": null, "more_children": false, "state": "DELETED", "reason": null,
        "restorable": false, "recoverable": null, "recoverable_until": null,
    });
    assert_eq!(of(&file), &told);
    assert_eq!(
        (&of(&bare)["size"], &of(&bare)["restorable"]),
        (&json!(0), &json!(true)),
        "it needs no bytes"
    );
}

#[tokio::test]
async fn states_are_told_as_a_restore_sees_them() {
    let app = TestApp::start().await;
    let token = app.token("viewer").await;
    let mut packages = Vec::new();
    for name in
        ["deleted", "deleting", "restoring", "claimed", "above", "failed", "unnamed", "live", "restored"]
    {
        let package = app.file(None, name, b"1").await;
        if !["unnamed", "live"].contains(&name) {
            app.trash(&package).await;
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
    app.sql(&(claim(&claimed, "1") + &claim(&above, "NULL"))).await;
    app.sql(&format!(
        "INSERT INTO packages_service.restore_failures (workspace_id, package_id, reason) VALUES (WORKSPACE, {}, 'lost')",
        failed.id
    ))
    .await;
    let items = app.list_trash(&token, "").await;
    let told: BTreeSet<_> = items
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
    assert_eq!(told, expected.into());
}

#[tokio::test]
async fn a_name_without_the_prefix_is_found_by_its_folder() {
    let app = TestApp::start().await;
    let token = app.token("viewer").await;
    let folder = app.folder(None, "folder").await;
    let file = app.file(Some(&folder), "a", b"1").await;
    app.workspace.set_state(&file, "DELETED").await.unwrap();
    assert_eq!(app.trash_names(&token, "").await, names([]));
    assert_eq!(app.trash_names(&token, &inside(&folder)).await, names(["a"]));
    assert_eq!(app.walk_trash(&token, &inside(&folder), 1).await, [file.node_id.to_string()]);
}

#[tokio::test]
async fn pages_hold_every_package_once() {
    let app = TestApp::start().await;
    let token = app.token("viewer").await;
    let other = app.workspace.create_dataset("Other").await.unwrap();
    let folder = app.folder(None, "live").await;
    let files = |parent: Option<&Package>, count: usize| {
        (0..count)
            .map(|n| {
                NewPackage::file(parent.map(|p| p.id), &format!("{n}"), SourceFile::new(STORAGE, "k", 1))
            })
            .collect::<Vec<_>>()
    };
    let mut ours = app.workspace.create_packages(&app.dataset, &files(None, 2500)).await.unwrap();
    let nested = app.workspace.create_packages(&app.dataset, &files(Some(&folder), 2500)).await.unwrap();
    let few = app.folder(None, "few").await;
    let few_files = app.workspace.create_packages(&app.dataset, &files(Some(&few), 7)).await.unwrap();
    app.workspace.create_packages(&other, &files(None, 2500)).await.unwrap();
    app.sql(r#"UPDATE "WORKSPACE".packages SET state = 'DELETED', name = '__DELETED__' || node_id || '_' || name WHERE type <> 'Collection'"#).await;
    let ids = |packages: &[Package]| {
        packages.iter().map(|package| package.node_id.to_string()).collect::<BTreeSet<_>>()
    };
    let assert_all = |walked: Vec<String>, expected: BTreeSet<String>| {
        assert_eq!(walked.len(), expected.len(), "each once");
        assert_eq!(walked.into_iter().collect::<BTreeSet<_>>(), expected);
    };
    assert_all(app.walk_trash(&token, &inside(&folder), 1000).await, ids(&nested));
    assert_all(app.walk_trash(&token, &inside(&few), 2).await, ids(&few_files));
    assert_all(app.walk_trash(&token, &inside(&few), 7).await, ids(&few_files));
    ours.extend(nested);
    ours.extend(few_files);
    assert_all(app.walk_trash(&token, "", 1000).await, ids(&ours));
    app.sql(
        r#"DELETE FROM "WORKSPACE".packages WHERE parent_id IS NULL AND name > '__DELETED__N:package:1'"#,
    )
    .await;
    assert!(app.walk_trash(&token, "", 100).await.len() < 1000);
}

#[tokio::test]
async fn many_folders_and_children_are_counted_to_a_bound() {
    let app = TestApp::start().await;
    let token = app.token("viewer").await;
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
    assert_eq!(app.walk_trash(&token, "", 1000).await.len(), 130);
    let first = app.ask_trash(&token, "&limit=1000").await.json();
    assert_eq!(first["items"].as_array().unwrap().len(), 100);
    let mut all = first["items"].as_array().unwrap().clone();
    let rest = app.ask_trash(&token, &format!("&cursor={}", first["next"].as_str().unwrap())).await.json();
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
async fn a_path_has_an_end() {
    let app = TestApp::start().await;
    let token = app.token("viewer").await;
    let mut folder = app.folder(None, "0").await;
    for n in 1..40 {
        folder = app.folder(Some(&folder), &n.to_string()).await;
    }
    app.trash(&app.file(Some(&folder), "a", b"1").await).await;
    let path = app.list_trash(&token, "").await[0]["path"].clone();
    assert_eq!(path, json!((8..40).map(|n| n.to_string()).collect::<Vec<_>>()));
}

#[tokio::test]
async fn whoever_asks_badly_or_for_another_dataset_is_refused() {
    let app = TestApp::start().await;
    let token = app.token("viewer").await;
    let other = app.workspace.create_dataset("Other").await.unwrap();
    let foreign = app.workspace.create_collection(&other, None, "foreign").await.unwrap();
    let file = app.file(None, "file", b"1").await;
    for more in [inside(&foreign), inside(&file), "&parent=N:collection:none".to_owned()] {
        app.ask_trash(&token, &more).await.problem(404);
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
        app.ask_trash(&token, more).await.problem(400);
    }
    for more in ["&limit=1000&parent=&cursor=&outlook=false", "&limit=1000&outlook=true"] {
        assert_eq!(app.ask_trash(&token, more).await.status, 200, "{more}");
    }
    for role in ["guest", "none"] {
        app.ask_trash(&app.token(role).await, "").await.problem(403);
    }
    app.ask_trash("", "").await.problem(401);
}

#[tokio::test]
async fn the_outlook_is_what_s3_has() {
    let app = TestApp::start().await;
    let token = app.token("viewer").await;
    let there = app.file(None, "there", b"1").await;
    let gone = app.file(None, "gone", b"1").await;
    let half = app.file(None, "half", b"1").await;
    app.sql(&format!(
        r#"INSERT INTO "WORKSPACE".files (package_id, s3_bucket, s3_key, object_type, processing_state)
           VALUES ({}, '{STORAGE}', 'never there', 'source', 'unprocessed')"#,
        half.id
    ))
    .await;
    let folder = app.folder(None, "folder").await;
    for package in [&there, &gone, &half, &folder] {
        app.trash(package).await;
    }
    let key = app.keys(&gone).await.remove(0);
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
    assert_eq!(app.faults.count_requests("GetBucketLifecycleConfiguration"), 2, "once a request");

    app.faults.fail_requests("GetBucketLifecycleConfiguration", 1, InjectedError::AccessDenied);
    assert_eq!(outlook().await[0], [json!(true), unknown.clone()]);
    app.faults.fail_requests("ListObjectVersions", 4, InjectedError::AccessDenied);
    assert_eq!(outlook().await[0], [unknown.clone(), unknown]);
}

#[tokio::test]
async fn the_services_role_may_ask_for_the_outlook() {
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
    app.router = router(&app.app);
    let item = app.list_trash(&app.token("viewer").await, "&outlook=true").await.remove(0);
    assert_eq!(item["recoverable"], true);
    assert!(item["recoverable_until"].is_string(), "{item}");
}
