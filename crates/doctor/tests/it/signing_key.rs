//! The signing key, and a link that is followed.

use doctor::Status::{Failure, Ok, Skipped, Warning};

use crate::scene::{
    ASSET_KEY, ASSETS, KEY_ID, STORAGE, Scene, assert_check, failures, start_edge, write_key,
};

#[tokio::test]
async fn a_key_that_works_is_described() {
    let scene = Scene::start().await;
    let report = scene.report().await;
    assert_check(&report, "private key", Ok, ["ECDSA on P-256; links are signed with SHA-256", ""]);
    assert_check(&report, "key id", Ok, [&format!("{KEY_ID}, from CLOUDFRONT_KEY_ID"), ""]);
    assert_check(&report, "age", Ok, ["0 days", ""]);
    assert_check(&report, "a signed link", Ok, ["the distribution accepts it", ""]);
}

#[tokio::test]
async fn a_key_that_cannot_be_used_is_told() {
    let scene = Scene::start().await;
    std::fs::write(scene.dir.path().join("key.pem"), "hunter2").unwrap();
    let report = scene.report().await;
    assert_check(&report, "private key", Failure, ["no complete PEM block", "put a private key there"]);
    assert_check(&report, "a signed link", Skipped, ["no key", ""]);
    assert!(!format!("{report:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_key_that_everybody_has_is_told() {
    let scene = Scene::start().await;
    let variables = concat!(env!("CARGO_MANIFEST_DIR"), "/../../terraform/ssm.tf");
    let variables = std::fs::read_to_string(variables).unwrap();
    let default = variables.split('"').find(|text| text.starts_with("LS0tLS1CRUdJTi")).unwrap();
    std::fs::write(scene.dir.path().join("key.pem"), default).unwrap();
    let report = scene.report().await;
    assert_check(
        &report,
        "private key",
        Failure,
        ["published with the source code", "replace-cloudfront-keys.sh"],
    );
}

#[tokio::test]
async fn a_key_is_held_against_the_public_key() {
    let mut scene = Scene::start().await;
    let key = write_key(&scene.dir, "");
    scene.set("CLOUDFRONT_PUBLIC_KEY", &key.public_key_pem().unwrap());
    let report = scene.report().await;
    assert_check(&report, "key id", Ok, ["whose public key is CLOUDFRONT_PUBLIC_KEY", ""]);
    // The distribution knows another.
    assert_check(&report, "a signed link", Failure, ["403 AccessDenied", "belongs to another id"]);

    write_key(&scene.dir, "");
    let report = scene.report().await;
    assert_check(&report, "key id", Failure, ["belongs to another key", "CloudFront answers links with 403"]);
    write_key(&scene.dir, "Key-Pair-Id: KOTHER");
    let report = scene.report().await;
    assert_check(&report, "key id", Ok, ["KOTHER, from the line before the key", ""]);
    assert_check(&report, "a signed link", Failure, ["403 InvalidKey", "to its key group"]);
}

#[tokio::test]
async fn a_distribution_of_another_bucket_is_told() {
    let mut scene = Scene::start().await;
    let key = write_key(&scene.dir, "");
    let other = start_edge(&scene.store, STORAGE, &key).await;
    scene.set("CLOUDFRONT_DISTRIBUTION_DOMAIN", &other.endpoint());
    let report = scene.report().await;
    assert_check(&report, "a signed link", Failure, ["404", "another bucket than VIEWER_ASSETS_BUCKET"]);
    // One that is there is opened, whatever its name.
    let same = start_edge(&scene.store, ASSETS, &key).await;
    scene.set("CLOUDFRONT_DISTRIBUTION_DOMAIN", &same.endpoint());
    assert_eq!(failures(&scene.report().await), [""; 0]);

    let version = scene.store.list_versions(ASSETS, ASSET_KEY).remove(0).id;
    scene.store.delete_version(ASSETS, ASSET_KEY, &version).unwrap();
    let report = scene.report().await;
    assert_check(&report, "a signed link", Skipped, ["no viewer asset", ""]);
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    scene.set("CLOUDFRONT_DISTRIBUTION_DOMAIN", &format!("http://{address}"));
    assert_check(&scene.report().await, "cdn", Warning, ["refuses", ""]);
}

#[tokio::test]
async fn an_old_key_is_told() {
    let scene = Scene::start().await;
    let file = std::fs::File::options().write(true).open(scene.dir.path().join("key.pem")).unwrap();
    let days = std::time::Duration::from_hours(24 * 91);
    let modified = file.metadata().unwrap().modified().unwrap() - days;
    file.set_modified(modified).unwrap();
    assert_check(&scene.report().await, "age", Warning, ["91 days", "replace it"]);
}
