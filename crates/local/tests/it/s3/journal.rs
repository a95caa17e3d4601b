//! What survives: a restart, a kill in the middle of a line, a compaction.

use std::fs;
use std::path::Path;

use aws::Clock;
use local::s3::{S3, VersionEntry};
use proptest::prelude::*;
use tempfile::TempDir;

const BUCKET: &str = "storage";
const KEYS: [&str; 3] = ["a", "b/c", "ü"];

fn open(dir: &Path) -> S3 {
    S3::open(dir, Clock::Fixed(1_700_000_000)).unwrap()
}

/// A store with a few small and large versions and delete markers, closed again.
fn filled() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.create_bucket(BUCKET).unwrap();
    for round in 0..4_u8 {
        for key in KEYS {
            store.put(BUCKET, key, vec![round; 10], "text/plain").unwrap();
            store.put(BUCKET, key, vec![round; 2_000], "text/plain").unwrap();
            store.delete_marker(BUCKET, key).unwrap();
        }
    }
    dir
}

fn everything(store: &S3) -> Vec<Vec<VersionEntry>> {
    KEYS.iter().map(|key| store.versions(BUCKET, key)).collect()
}

#[test]
fn a_restart_changes_nothing() {
    let dir = filled();
    let before = everything(&open(dir.path()));
    assert_eq!(before.iter().map(Vec::len).collect::<Vec<_>>(), [12, 12, 12]);
    assert_eq!(everything(&open(dir.path())), before);
}

#[test]
fn one_process_at_a_time() {
    let dir = filled();
    let _first = open(dir.path());
    let second = S3::open(dir.path(), Clock::System).unwrap_err();
    assert_eq!(second.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn damage_in_the_middle_is_an_error() {
    let dir = filled();
    let path = dir.path().join("journal");
    let mut text = fs::read(&path).unwrap();
    text[300] = b'\n';
    fs::write(&path, text).unwrap();
    assert_eq!(S3::open(dir.path(), Clock::System).unwrap_err().kind(), std::io::ErrorKind::InvalidData);
}

#[test]
fn files_of_nobody_are_removed() {
    let dir = filled();
    let orphan = dir.path().join("bodies/orphan");
    fs::write(&orphan, "x").unwrap();
    fs::write(dir.path().join("arriving/7"), "x").unwrap();
    let _store = open(dir.path());
    assert!(!orphan.exists());
    assert_eq!(fs::read_dir(dir.path().join("arriving")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(dir.path().join("bodies")).unwrap().count(), 12);
}

#[test]
fn a_wasteful_journal_is_written_anew() {
    let dir = filled();
    let store = open(dir.path());
    for _ in 0..1_200 {
        let id = store.put(BUCKET, "passing", "x", "text/plain").unwrap();
        store.delete_version(BUCKET, "passing", &id).unwrap();
    }
    let before = everything(&store);
    drop(store);
    let size = || fs::metadata(dir.path().join("journal")).unwrap().len();
    let wasteful = size();
    assert_eq!(everything(&open(dir.path())), before);
    assert!(size() < wasteful / 2);
    assert_eq!(everything(&open(dir.path())), before);
}

#[test]
fn many_objects_are_quick() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.create_bucket(BUCKET).unwrap();
    for n in 0..20_000 {
        store.put(BUCKET, &format!("O1/D1/{n}"), "x", "text/plain").unwrap();
    }
    drop(store);
    assert_eq!(open(dir.path()).versions(BUCKET, "O1/D1/19999").len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Whatever was written to the end survives, and nothing else appears.
    #[test]
    fn a_kill_at_any_byte(cut in 0..=1_000_usize) {
        let dir = filled();
        let path = dir.path().join("journal");
        let whole = fs::read(&path).unwrap();
        let length = whole.len() * cut / 1_000;
        fs::write(&path, &whole[..length]).unwrap();
        let lines = whole[..length].split(|byte| *byte == b'\n').count() - 1;
        let store = open(dir.path());
        let found: usize = everything(&store).iter().map(Vec::len).sum();
        prop_assert_eq!(found, lines.saturating_sub(1));
        // And it goes on from there.
        store.create_bucket(BUCKET).unwrap();
        let id = store.put(BUCKET, "a", "after", "text/plain").unwrap();
        drop(store);
        prop_assert_eq!(&open(dir.path()).versions(BUCKET, "a")[0].id, &id);
    }
}
