//! The journal survives a restart, a kill in the middle of a line and a compaction.

use std::fs;
use std::path::Path;

use aws::Clock;
use local::s3::{S3Store, VersionEntry};
use proptest::prelude::*;
use tempfile::TempDir;

const BUCKET: &str = "storage";
const KEYS: [&str; 3] = ["a", "b/c", "ü"];

fn open_store(dir: &Path) -> S3Store {
    S3Store::open(dir, Clock::Fixed(1_700_000_000)).unwrap()
}

/// The directory of a closed store with small and large versions and delete markers.
fn create_store() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path());
    store.create_bucket(BUCKET).unwrap();
    for round in 0..4_u8 {
        for key in KEYS {
            store.put(BUCKET, key, vec![round; 10], "text/plain").unwrap();
            store.put(BUCKET, key, vec![round; 2_000], "text/plain").unwrap();
            store.add_delete_marker(BUCKET, key).unwrap();
        }
    }
    dir
}

fn list_all_versions(store: &S3Store) -> Vec<Vec<VersionEntry>> {
    KEYS.iter().map(|key| store.list_versions(BUCKET, key)).collect()
}

#[test]
fn a_restart_changes_nothing() {
    let dir = create_store();
    let before = list_all_versions(&open_store(dir.path()));
    assert_eq!(before.iter().map(Vec::len).collect::<Vec<_>>(), [12, 12, 12]);
    assert_eq!(list_all_versions(&open_store(dir.path())), before);
}

#[test]
fn a_store_can_be_opened_once() {
    let dir = create_store();
    let _first = open_store(dir.path());
    let second = S3Store::open(dir.path(), Clock::System).unwrap_err();
    assert_eq!(second.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_corrupt_line_is_an_error() {
    let dir = create_store();
    let path = dir.path().join("journal");
    let mut text = fs::read(&path).unwrap();
    // Splits a line.
    text[300] = b'\n';
    fs::write(&path, text).unwrap();
    assert_eq!(S3Store::open(dir.path(), Clock::System).unwrap_err().kind(), std::io::ErrorKind::InvalidData);
}

#[test]
fn orphaned_files_are_removed() {
    let dir = create_store();
    let orphan = dir.path().join("bodies/orphan");
    fs::write(&orphan, "x").unwrap();
    fs::write(dir.path().join("arriving/7"), "x").unwrap();
    let _store = open_store(dir.path());
    assert!(!orphan.exists());
    assert_eq!(fs::read_dir(dir.path().join("arriving")).unwrap().count(), 0);
    // Three keys with four large versions each. The small ones are in the journal.
    assert_eq!(fs::read_dir(dir.path().join("bodies")).unwrap().count(), 12);
}

#[test]
fn a_journal_with_many_obsolete_entries_is_compacted() {
    let dir = create_store();
    let store = open_store(dir.path());
    for _ in 0..1_200 {
        let id = store.put(BUCKET, "temporary", "x", "text/plain").unwrap();
        store.delete_version(BUCKET, "temporary", &id).unwrap();
    }
    let before = list_all_versions(&store);
    drop(store);
    let size = || fs::metadata(dir.path().join("journal")).unwrap().len();
    let size_before = size();
    assert_eq!(list_all_versions(&open_store(dir.path())), before);
    assert!(size() < size_before / 2);
    assert_eq!(list_all_versions(&open_store(dir.path())), before);
}

#[test]
fn opening_many_objects_is_fast() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_store(dir.path());
    store.create_bucket(BUCKET).unwrap();
    for n in 0..20_000 {
        store.put(BUCKET, &format!("O1/D1/{n}"), "x", "text/plain").unwrap();
    }
    drop(store);
    assert_eq!(open_store(dir.path()).list_versions(BUCKET, "O1/D1/19999").len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// All complete lines survive, and nothing else.
    #[test]
    fn survives_a_kill_at_any_byte(cut in 0..=1_000_usize) {
        let dir = create_store();
        let path = dir.path().join("journal");
        let journal = fs::read(&path).unwrap();
        let length = journal.len() * cut / 1_000;
        fs::write(&path, &journal[..length]).unwrap();
        let lines = journal[..length].split(|byte| *byte == b'\n').count() - 1;
        let store = open_store(dir.path());
        let found: usize = list_all_versions(&store).iter().map(Vec::len).sum();
        prop_assert_eq!(found, lines.saturating_sub(1));
        // The store still accepts changes.
        store.create_bucket(BUCKET).unwrap();
        let id = store.put(BUCKET, "a", "after", "text/plain").unwrap();
        drop(store);
        prop_assert_eq!(&open_store(dir.path()).list_versions(BUCKET, "a")[0].id, &id);
    }
}
