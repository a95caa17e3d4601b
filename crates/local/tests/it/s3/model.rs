//! Random operations, compared with a simple model.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use proptest::prelude::*;

use super::{BUCKET, Fixture};

#[derive(Debug, Clone)]
enum Step {
    Put {
        key: usize,
        size: usize,
    },
    Delete {
        key: usize,
    },
    /// Removes the version with this age, if there is one.
    DeleteVersion {
        key: usize,
        age: usize,
    },
    /// Lists in pages of this size.
    List {
        page: i32,
    },
}

const KEYS: [&str; 4] = ["a", "a/b", "a/b c", "ü"];

fn any_step() -> impl Strategy<Value = Step> {
    let key = 0..KEYS.len();
    prop_oneof![
        3 => (key.clone(), prop_oneof![0..20_usize, 1_000..3_000_usize]).prop_map(|(key, size)| Step::Put { key, size }),
        2 => key.clone().prop_map(|key| Step::Delete { key }),
        2 => (key, 0..4_usize).prop_map(|(key, age)| Step::DeleteVersion { key, age }),
        1 => (1..5_i32).prop_map(|page| Step::List { page }),
    ]
}

/// Version ids and sizes, newest first. A delete marker has no size.
type Model = BTreeMap<&'static str, Vec<(String, Option<usize>)>>;

async fn run_step(client: &Client, model: &mut Model, step: Step) {
    match step {
        Step::Put { key, size } => {
            let put = client.put_object().bucket(BUCKET).key(KEYS[key]).body(ByteStream::from(vec![7; size]));
            let id = put.send().await.unwrap().version_id.unwrap();
            model.entry(KEYS[key]).or_default().insert(0, (id, Some(size)));
        }
        Step::Delete { key } => {
            let deleted = client.delete_object().bucket(BUCKET).key(KEYS[key]).send().await.unwrap();
            model.entry(KEYS[key]).or_default().insert(0, (deleted.version_id.unwrap(), None));
        }
        Step::DeleteVersion { key, age } => {
            let versions = model.entry(KEYS[key]).or_default();
            if age < versions.len() {
                let (id, _) = versions.remove(age);
                client.delete_object().bucket(BUCKET).key(KEYS[key]).version_id(id).send().await.unwrap();
            }
        }
        Step::List { page } => assert_listing(client, model, page).await,
    }
    // After each step a plain GET returns the newest version, unless it is a delete marker.
    for key in KEYS {
        let got = client.get_object().bucket(BUCKET).key(key).send().await.ok();
        let size = got.and_then(|got| usize::try_from(got.content_length?).ok());
        let newest = model.get(key).and_then(|versions| versions.first());
        assert_eq!(size, newest.and_then(|(_, size)| *size), "{key}");
    }
}

/// A row of a listing: the key, the version id, whether it is a delete marker, whether it is the latest.
type Row = (String, String, bool, bool);

async fn assert_listing(client: &Client, model: &Model, page: i32) {
    let mut expected: Vec<Row> = Vec::new();
    for (key, versions) in model {
        let rows = versions.iter().enumerate();
        expected
            .extend(rows.map(|(age, (id, size))| ((*key).to_owned(), id.clone(), size.is_none(), age == 0)));
    }
    let (mut found, mut key, mut version) = (Vec::<Row>::new(), None, None);
    loop {
        let listed = client.list_object_versions().bucket(BUCKET).max_keys(page);
        let listed = listed.set_key_marker(key).set_version_id_marker(version).send().await.unwrap();
        let rows = listed.versions().iter().map(|v| (v.key(), v.version_id(), false, v.is_latest()));
        let markers = listed.delete_markers().iter().map(|m| (m.key(), m.version_id(), true, m.is_latest()));
        let rows = rows.chain(markers);
        found.extend(rows.map(|(key, id, marker, latest)| {
            (key.unwrap().into(), id.unwrap().into(), marker, latest.unwrap())
        }));
        if listed.is_truncated() != Some(true) {
            break;
        }
        (key, version) = (listed.next_key_marker, listed.next_version_id_marker);
    }
    // The API returns versions and delete markers as two lists, so their common order is unknown.
    let (mut expected, mut found) = (expected, found);
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_store_matches_the_model(steps in prop::collection::vec(any_step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let s3 = Fixture::start().await;
            let mut model = Model::new();
            for step in steps {
                run_step(&s3.client, &mut model, step).await;
            }
            assert_listing(&s3.client, &model, 1_000).await;
            for (key, versions) in &model {
                let ids: Vec<_> = s3.store.list_versions(BUCKET, key).into_iter().map(|version| version.id).collect();
                assert_eq!(ids, versions.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>());
            }
        });
    }
}
