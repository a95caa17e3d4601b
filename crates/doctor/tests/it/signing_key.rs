//! The signing key, and a link signed with it.

use doctor::Status::{Failure, Ok, Skipped, Warning};
use local::closed_port::bind_closed_port;

use crate::environment::{
    ASSET_KEY, ASSETS, KEY_ID, STORAGE, TestEnvironment, assert_check, list_failures, start_edge, write_key,
};

#[tokio::test]
async fn describes_a_working_key() {
    let environment = TestEnvironment::start().await;
    let report = environment.run_checks().await;
    assert_check(&report, "private key", Ok, ["ECDSA on P-256; links are signed with SHA-256", ""]);
    assert_check(&report, "key id", Ok, [&format!("{KEY_ID}, from CLOUDFRONT_KEY_ID"), ""]);
    assert_check(&report, "age", Ok, ["0 days", ""]);
    assert_check(&report, "a signed link", Ok, ["the distribution accepts it", ""]);
}

#[tokio::test]
async fn reports_an_unusable_key() {
    let environment = TestEnvironment::start().await;
    std::fs::write(environment.dir.path().join("key.pem"), "hunter2").unwrap();
    let report = environment.run_checks().await;
    assert_check(&report, "private key", Failure, ["no complete PEM block", "put a private key there"]);
    assert_check(&report, "a signed link", Skipped, ["no key", ""]);
    assert!(!format!("{report:?}").contains("hunter2"));
}

#[tokio::test]
async fn reports_a_published_key() {
    let environment = TestEnvironment::start().await;
    let variables = concat!(env!("CARGO_MANIFEST_DIR"), "/../../terraform/ssm.tf");
    let variables = std::fs::read_to_string(variables).unwrap();
    let default = variables.split('"').find(|text| text.starts_with("LS0tLS1CRUdJTi")).unwrap();
    std::fs::write(environment.dir.path().join("key.pem"), default).unwrap();
    let report = environment.run_checks().await;
    assert_check(
        &report,
        "private key",
        Failure,
        ["published with the source code", "replace-cloudfront-keys.sh"],
    );
}

#[tokio::test]
async fn compares_the_key_with_the_public_key() {
    let mut environment = TestEnvironment::start().await;
    let key = write_key(&environment.dir, "");
    environment.set_variable("CLOUDFRONT_PUBLIC_KEY", &key.public_key_pem().unwrap());
    let report = environment.run_checks().await;
    assert_check(&report, "key id", Ok, ["whose public key is CLOUDFRONT_PUBLIC_KEY", ""]);
    // The distribution trusts another key.
    assert_check(&report, "a signed link", Failure, ["403 AccessDenied", "belongs to another id"]);

    write_key(&environment.dir, "");
    let report = environment.run_checks().await;
    assert_check(&report, "key id", Failure, ["belongs to another key", "CloudFront answers links with 403"]);
    write_key(&environment.dir, "Key-Pair-Id: KOTHER");
    let report = environment.run_checks().await;
    assert_check(&report, "key id", Ok, ["KOTHER, from the line before the key", ""]);
    assert_check(&report, "a signed link", Failure, ["403 InvalidKey", "to its key group"]);
}

#[tokio::test]
async fn reports_a_distribution_of_another_bucket() {
    let mut environment = TestEnvironment::start().await;
    let key = write_key(&environment.dir, "");
    let other = start_edge(&environment.store, STORAGE, &key).await;
    environment.set_variable("CLOUDFRONT_DISTRIBUTION_DOMAIN", &other.endpoint());
    let report = environment.run_checks().await;
    assert_check(&report, "a signed link", Failure, ["404", "another bucket than VIEWER_ASSETS_BUCKET"]);
    // An existing asset opens, whatever its name.
    let same = start_edge(&environment.store, ASSETS, &key).await;
    environment.set_variable("CLOUDFRONT_DISTRIBUTION_DOMAIN", &same.endpoint());
    assert_eq!(list_failures(&environment.run_checks().await), [""; 0]);

    let version = environment.store.list_versions(ASSETS, ASSET_KEY).remove(0).id;
    environment.store.delete_version(ASSETS, ASSET_KEY, &version).unwrap();
    let report = environment.run_checks().await;
    assert_check(&report, "a signed link", Skipped, ["no viewer asset", ""]);
    let closed = bind_closed_port().unwrap();
    let address = closed.local_addr().unwrap();
    environment.set_variable("CLOUDFRONT_DISTRIBUTION_DOMAIN", &format!("http://{address}"));
    assert_check(&environment.run_checks().await, "cdn", Warning, ["refuses", ""]);
}

#[tokio::test]
async fn reports_an_old_key() {
    let environment = TestEnvironment::start().await;
    let file = std::fs::File::options().write(true).open(environment.dir.path().join("key.pem")).unwrap();
    let days = std::time::Duration::from_hours(24 * 91);
    let modified = file.metadata().unwrap().modified().unwrap() - days;
    file.set_modified(modified).unwrap();
    assert_check(&environment.run_checks().await, "age", Warning, ["91 days", "replace it"]);
}
