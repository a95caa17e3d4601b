//! Restores of packages whose name is taken.

use std::collections::BTreeSet;

use local::workspace::{NewPackage, Package};

use crate::app::{STORAGE, TestApp, new_uuid};

#[tokio::test]
async fn a_taken_name_gets_a_number_before_its_extension() {
    let app = TestApp::start().await;
    for (name, expected) in [
        ("a.txt", "a-restored_1.txt"),
        ("archive.tar.gz", "archive.tar-restored_1.gz"),
        ("README", "README-restored_1"),
        (".hidden", "-restored_1.hidden"),
    ] {
        let deleted = app.create_file(None, name, b"old").await;
        app.trash_package(&deleted).await;
        app.create_file(None, name, b"new").await;
        app.restore_package(&deleted).await;
        assert_eq!(app.load_row(deleted.id).await, ("READY".into(), expected.into()));
    }
    let (events, _) = app.read_changelog();
    assert_eq!(events[0]["eventDetail"]["originalName"], "a.txt");
    assert_eq!(events[0]["eventDetail"]["name"], "a-restored_1.txt");
}

#[tokio::test]
async fn uses_the_first_free_number_and_then_a_uuid() {
    let app = TestApp::start().await;
    let folder = app.create_folder(None, "folder").await;
    let deleted: Vec<_> = [app.create_file(Some(&folder), "a.txt", b"1").await].into();
    app.trash_package(&deleted[0]).await;
    app.create_file(Some(&folder), "a.txt", b"-").await;
    for number in [1, 2, 4] {
        app.create_file(Some(&folder), &format!("a-restored_{number}.txt"), b"-").await;
    }
    app.restore_package(&deleted[0]).await;
    assert_eq!(app.load_row(deleted[0].id).await.1, "a-restored_3.txt");

    let last = app.create_file(Some(&folder), "b.txt", b"2").await;
    app.trash_package(&last).await;
    let names = (1..=99).map(|n| format!("b-restored_{n}.txt")).chain(["b.txt".to_owned()]);
    let taken: Vec<_> =
        names.map(|name| NewPackage { parent: Some(folder.id), name, kind: "CSV", file: None }).collect();
    app.workspace.create_packages(&app.dataset, &taken).await.unwrap();
    app.restore_package(&last).await;
    let name = app.load_row(last.id).await.1;
    let uuid = name.strip_prefix("b-restored_").unwrap().strip_suffix(".txt").unwrap();
    assert!(uuid::Uuid::parse_str(uuid).is_ok(), "{name}");
}

#[tokio::test]
async fn packages_restored_together_get_different_names() {
    let app = TestApp::start().await;
    let folder = app.create_folder(None, "folder").await;
    let mut deleted = Vec::new();
    for _ in 0..5 {
        let file = app.create_file(Some(&folder), "same.txt", b"-").await;
        app.trash_package(&file).await;
        deleted.push(file);
    }
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&folder).await;
    app.restore_package(&folder).await;
    let mut names = BTreeSet::new();
    for file in &deleted {
        names.insert(app.load_row(file.id).await.1);
    }
    let expected = [
        "same.txt",
        "same-restored_1.txt",
        "same-restored_2.txt",
        "same-restored_3.txt",
        "same-restored_4.txt",
    ];
    assert_eq!(names, expected.into_iter().map(str::to_owned).collect());
    app.assert_usage_is_exact().await;
}

#[tokio::test]
async fn folders_and_files_of_one_parent_share_names() {
    let app = TestApp::start().await;
    let deleted = app.create_file(None, "data", b"-").await;
    app.trash_package(&deleted).await;
    let folder = app.create_folder(None, "data").await;
    app.create_file(Some(&folder), "inner", b"-").await;
    app.restore_package(&deleted).await;
    assert_eq!(app.load_row(deleted.id).await.1, "data-restored_1", "a folder uses the name");

    let elsewhere = app.create_file(None, "inner", b"-").await;
    app.trash_package(&elsewhere).await;
    app.restore_package(&elsewhere).await;
    assert_eq!(app.load_row(elsewhere.id).await.1, "inner", "the same name in another folder does not clash");

    for name in ["trashed folder", "Dr. Smith notes", ".git"] {
        let gone = app.create_folder(None, name).await;
        app.trash_package(&gone).await;
        app.create_folder(None, name).await;
        app.restore_package(&gone).await;
        assert_eq!(app.load_row(gone.id).await.1, format!("{name}-restored_1"), "a folder has no extension");
    }
}

#[tokio::test]
async fn a_name_without_the_deletion_prefix_is_kept() {
    let app = TestApp::start().await;
    let deleted = app.create_file(None, &format!("{}.txt", "n".repeat(251)), b"-").await;
    app.workspace.set_state(&deleted, "DELETED").await.unwrap();
    app.restore_package(&deleted).await;
    assert_eq!(app.load_row(deleted.id).await.1, format!("{}.txt", "n".repeat(251)));
}

/// The column has 255 characters, and `-restored_1` has 11 of them. A deleted name has a prefix, too: so these names are longer
/// than what the platform can delete, and the test makes room for them.
#[tokio::test]
async fn a_long_name_is_cut_before_the_suffix() {
    let app = TestApp::start().await;
    app.run_sql(r#"ALTER TABLE "WORKSPACE".packages ALTER name TYPE varchar(400)"#).await;
    for (name, expected) in [
        // 244 characters: the last length that is not cut.
        ("n".repeat(244), "n".repeat(244) + "-restored_1"),
        ("n".repeat(245), "n".repeat(244) + "-restored_1"),
        ("n".repeat(254), "n".repeat(244) + "-restored_1"),
        ("n".repeat(255), "n".repeat(244) + "-restored_1"),
        // The extension is kept, and only the last one is an extension.
        ("n".repeat(240) + ".txt", "n".repeat(240) + "-restored_1.txt"),
        ("n".repeat(250) + ".txt", "n".repeat(240) + "-restored_1.txt"),
        ("n".repeat(251) + ".txt", "n".repeat(240) + "-restored_1.txt"),
        ("n".repeat(248) + ".nii.gz", "n".repeat(241) + "-restored_1.gz"),
        // Characters are counted, not bytes: 2, 3 and 4 bytes each.
        ("é".repeat(251) + ".txt", "é".repeat(240) + "-restored_1.txt"),
        ("東".repeat(255), "東".repeat(244) + "-restored_1"),
        ("🎉".repeat(250) + ".czi", "🎉".repeat(240) + "-restored_1.czi"),
        // An extension that leaves no room for the rest is cut itself.
        ("n.".to_owned() + &"e".repeat(253), "-restored_1.".to_owned() + &"e".repeat(243)),
    ] {
        let folder = app.create_folder(None, &new_uuid().to_string()).await;
        let deleted = app.create_file(Some(&folder), &name, b"old").await;
        assert_eq!(restore_with_taken_name(&app, Some(&folder), &deleted, &name).await, expected);
        assert_eq!(expected.chars().count(), 255);
    }
    // A folder has no extension.
    for name in ["f".repeat(254), "f".repeat(255), "é".repeat(251) + ".txt"] {
        let folder = app.create_folder(None, &new_uuid().to_string()).await;
        let deleted = app.create_folder(Some(&folder), &name).await;
        let expected: String = name.chars().take(244).chain("-restored_1".chars()).collect();
        assert_eq!(restore_with_taken_name(&app, Some(&folder), &deleted, &name).await, expected);
    }
}

#[tokio::test]
async fn a_longer_suffix_leaves_less_of_a_long_name() {
    let app = TestApp::start().await;
    app.run_sql(r#"ALTER TABLE "WORKSPACE".packages ALTER name TYPE varchar(400)"#).await;
    let name = "n".repeat(251) + ".txt";
    for number in 1..=9 {
        app.create_file(None, &format!("{}-restored_{number}.txt", "n".repeat(240)), b"-").await;
    }
    let deleted = app.create_file(None, &name, b"old").await;
    let restored = restore_with_taken_name(&app, None, &deleted, &name).await;
    assert_eq!(restored, "n".repeat(239) + "-restored_10.txt");

    let names = (10..=99).map(|number| format!("{}-restored_{number}.txt", "n".repeat(239)));
    let taken: Vec<_> = names
        .filter(|name| *name != restored)
        .map(|name| NewPackage { parent: None, name, kind: "CSV", file: None })
        .collect();
    app.workspace.create_packages(&app.dataset, &taken).await.unwrap();
    app.run_sql(&format!(r#"DELETE FROM "WORKSPACE".packages WHERE name = '{name}'"#)).await;
    let deleted = app.create_file(None, &name, b"old").await;
    let restored = restore_with_taken_name(&app, None, &deleted, &name).await;
    let uuid =
        restored.strip_prefix(&("n".repeat(205) + "-restored_")).and_then(|rest| rest.strip_suffix(".txt"));
    assert!(uuid.is_some_and(|uuid| uuid::Uuid::parse_str(uuid).is_ok()), "{restored}");
    assert_eq!(restored.len(), 255);
}

/// Deletes a package, lets another one take its name, and restores it. Returns its new name.
async fn restore_with_taken_name(
    app: &TestApp,
    parent: Option<&Package>,
    deleted: &Package,
    name: &str,
) -> String {
    app.trash_package(deleted).await;
    app.create_file(parent, name, b"new").await;
    app.restore_package(deleted).await;
    let (state, restored) = app.load_row(deleted.id).await;
    assert_eq!(state, "READY");
    restored
}

/// XML cannot hold these keys, and `DeleteObjects` names keys in XML.
#[tokio::test]
async fn a_key_that_xml_cannot_hold_does_not_block_other_files() {
    let app = TestApp::start().await;
    let folder = app.create_folder(None, "folder").await;
    app.create_files(&folder, 3).await;
    for key in ["odd/\u{1}", "odd/tab\t", "odd/cr\r\n", "odd/\u{ffff}"] {
        let key = format!("O{}/{key}", app.workspace.id);
        app.store.put(STORAGE, &key, b"-".to_vec(), "text/plain").unwrap();
        app.workspace
            .create_file(
                &app.dataset,
                Some(&folder),
                &key,
                local::workspace::SourceFile::new(STORAGE, &key, 1),
            )
            .await
            .unwrap();
    }
    app.trash_package(&folder).await;
    app.faults.reset();
    let outcome = app.restore_package(&folder).await;
    assert_eq!((outcome.restored, outcome.failed), (8, 0));
    assert_eq!(app.faults.count_requests("DeleteObjects"), 1);
    assert_eq!(app.faults.count_requests("DeleteObject"), 4);
}
