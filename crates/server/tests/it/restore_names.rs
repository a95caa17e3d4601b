//! Names that are taken when a package comes back.

use std::collections::BTreeSet;

use crate::app::{STORAGE, TestApp};

#[tokio::test]
async fn a_taken_name_gets_a_number_before_its_extension() {
    let app = TestApp::start().await;
    for (name, expected) in [
        ("a.txt", "a-restored_1.txt"),
        ("archive.tar.gz", "archive.tar-restored_1.gz"),
        ("README", "README-restored_1"),
        (".hidden", "-restored_1.hidden"),
    ] {
        let deleted = app.file(None, name, b"old").await;
        app.trash(&deleted).await;
        app.file(None, name, b"new").await;
        app.restore(&deleted).await;
        assert_eq!(app.row(deleted.id).await, ("READY".into(), expected.into()));
    }
    let (events, _) = app.changelog();
    assert_eq!(events[0]["eventDetail"]["originalName"], "a.txt");
    assert_eq!(events[0]["eventDetail"]["name"], "a-restored_1.txt");
}

#[tokio::test]
async fn the_first_free_number_is_taken_and_after_the_last_a_uuid() {
    let app = TestApp::start().await;
    let folder = app.folder(None, "folder").await;
    let deleted: Vec<_> = [app.file(Some(&folder), "a.txt", b"1").await].into();
    app.trash(&deleted[0]).await;
    app.file(Some(&folder), "a.txt", b"-").await;
    for number in [1, 2, 4] {
        app.file(Some(&folder), &format!("a-restored_{number}.txt"), b"-").await;
    }
    app.restore(&deleted[0]).await;
    assert_eq!(app.row(deleted[0].id).await.1, "a-restored_3.txt");

    let last = app.file(Some(&folder), "b.txt", b"2").await;
    app.trash(&last).await;
    let names = (1..=99).map(|n| format!("b-restored_{n}.txt")).chain(["b.txt".to_owned()]);
    let taken: Vec<_> = names
        .map(|name| local::workspace::NewPackage { parent: Some(folder.id), name, kind: "CSV", file: None })
        .collect();
    app.workspace.create_packages(&app.dataset, &taken).await.unwrap();
    app.restore(&last).await;
    let name = app.row(last.id).await.1;
    let uuid = name.strip_prefix("b-restored_").unwrap().strip_suffix(".txt").unwrap();
    assert!(uuid::Uuid::parse_str(uuid).is_ok(), "{name}");
}

#[tokio::test]
async fn packages_that_come_back_together_do_not_take_each_others_names() {
    let app = TestApp::start().await;
    let folder = app.folder(None, "folder").await;
    let mut deleted = Vec::new();
    for _ in 0..5 {
        let file = app.file(Some(&folder), "same.txt", b"-").await;
        app.trash(&file).await;
        deleted.push(file);
    }
    app.workspace.populate_usage().await.unwrap();
    app.trash(&folder).await;
    app.restore(&folder).await;
    let mut names = BTreeSet::new();
    for file in &deleted {
        names.insert(app.row(file.id).await.1);
    }
    let expected = [
        "same.txt",
        "same-restored_1.txt",
        "same-restored_2.txt",
        "same-restored_3.txt",
        "same-restored_4.txt",
    ];
    assert_eq!(names, expected.into_iter().map(str::to_owned).collect());
    app.assert_counted().await;
}

#[tokio::test]
async fn folders_and_files_share_names_other_folders_do_not() {
    let app = TestApp::start().await;
    let deleted = app.file(None, "data", b"-").await;
    app.trash(&deleted).await;
    let folder = app.folder(None, "data").await;
    app.file(Some(&folder), "inner", b"-").await;
    app.restore(&deleted).await;
    assert_eq!(app.row(deleted.id).await.1, "data-restored_1", "a folder has the name");

    let elsewhere = app.file(None, "inner", b"-").await;
    app.trash(&elsewhere).await;
    app.restore(&elsewhere).await;
    assert_eq!(app.row(elsewhere.id).await.1, "inner", "the same name in another folder is no clash");

    for name in ["trashed folder", "Dr. Smith notes", ".git"] {
        let gone = app.folder(None, name).await;
        app.trash(&gone).await;
        app.folder(None, name).await;
        app.restore(&gone).await;
        assert_eq!(app.row(gone.id).await.1, format!("{name}-restored_1"), "a folder has no extension");
    }
}

#[tokio::test]
async fn a_name_as_long_as_the_column_is_cut_and_not_lost() {
    let app = TestApp::start().await;
    let deleted = app.file(None, "x", b"-").await;
    app.trash(&deleted).await;
    let long = format!("{}.txt", "n".repeat(251));
    app.sql(&format!(r#"UPDATE "WORKSPACE".packages SET name = '{long}' WHERE id = {}"#, deleted.id)).await;
    let folder = app.folder(None, "f").await;
    app.sql(&format!(
        r#"UPDATE "WORKSPACE".packages SET parent_id = {} WHERE id = {}"#,
        folder.id, deleted.id
    ))
    .await;
    app.file(Some(&folder), "other", b"-").await;
    app.sql(&format!(r#"UPDATE "WORKSPACE".packages SET parent_id = NULL WHERE id = {}"#, deleted.id)).await;
    app.restore(&deleted).await;
    assert_eq!(app.row(deleted.id).await.1, long, "a name without the deletion prefix is kept as it is");
}

/// XML has no way to write such a key, and `DeleteObjects` names keys in XML.
#[tokio::test]
async fn an_odd_key_does_not_keep_its_neighbours_in_the_trash() {
    let app = TestApp::start().await;
    let folder = app.folder(None, "folder").await;
    app.files(&folder, 3).await;
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
    app.trash(&folder).await;
    app.faults.reset();
    let outcome = app.restore(&folder).await;
    assert_eq!((outcome.restored, outcome.failed), (8, 0));
    assert_eq!(app.faults.count_requests("DeleteObjects"), 1);
    assert_eq!(app.faults.count_requests("DeleteObject"), 4);
}
