//! Buckets that are not as the service needs them.

use doctor::Status::{Failure, Ok, Warning};
use local::{faults::InjectedError, s3::LifecycleRule};

use crate::scene::{ASSETS, STORAGE, Scene, assert_check};

fn of(bucket: &str, what: &str) -> String {
    format!("{bucket}: {what}")
}

#[tokio::test]
async fn buckets_that_are_as_they_should_be_are_described() {
    let scene = Scene::start().await;
    let report = scene.report().await;
    assert_check(&report, STORAGE, Ok, ["stored files, in us-east-1", ""]);
    assert_check(&report, ASSETS, Ok, ["viewer assets, in us-east-1", ""]);
    for (what, found) in [
        ("versioning", "on"),
        ("lifecycle", "keeps all versions"),
        ("versions", "may be listed"),
        ("pages", "of any origin may read"),
        ("a stored file", "8 bytes"),
        ("a missing file", "404"),
    ] {
        assert_check(&report, &of(STORAGE, what), Ok, [found, ""]);
    }
}

#[tokio::test]
async fn versions_that_go_before_the_trash_does_are_told() {
    let scene = Scene::start().await;
    for (days, status, advice) in [(180, Ok, ""), (30, Ok, ""), (7, Failure, "the trash promises 30 days")] {
        scene.store.set_lifecycle(STORAGE, vec![LifecycleRule::new("", days)]).unwrap();
        let found = format!("{days} days after");
        assert_check(&scene.report().await, &of(STORAGE, "lifecycle"), status, [&found, advice]);
    }
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told() {
    let scene = Scene::start().await;
    let report = scene.report_with(&[("VIEWER_ASSETS_BUCKET", "nobodys-bucket")]).await;
    assert_check(&report, "nobodys-bucket", Failure, ["the bucket does not exist", "correct its name"]);
}

#[tokio::test]
async fn a_bucket_of_another_region_is_told() {
    let scene = Scene::start().await;
    let report = scene.report_with(&[("REGION", "eu-west-1")]).await;
    assert_check(&report, STORAGE, Failure, ["links are signed for eu-west-1", "set REGION"]);
    assert_check(&report, ASSETS, Failure, ["links are signed for eu-west-1", "set REGION"]);
}

#[tokio::test]
async fn permissions_that_are_missing_are_told() {
    let scene = Scene::start().await;
    for operation in ["HeadBucket", "ListObjectVersions", "GetBucketVersioning", "HeadObject"] {
        scene.faults.fail_requests(operation, 100, InjectedError::AccessDenied);
    }
    let report = scene.report().await;
    assert_check(&report, STORAGE, Warning, ["access denied", "allow s3:ListBucket"]);
    assert_check(&report, &of(STORAGE, "versions"), Failure, ["may not be listed", "s3:ListBucketVersions"]);
    let skipped = doctor::Status::Skipped;
    assert_check(&report, &of(STORAGE, "versioning"), skipped, ["s3:GetBucketVersioning", ""]);
    assert_check(&report, &of(STORAGE, "a stored file"), Failure, ["403", "allow s3:GetObject"]);
    assert_check(&report, &of(STORAGE, "a missing file"), Warning, ["403", "allow s3:ListBucket"]);
}

#[tokio::test]
async fn a_file_that_s3_has_not_is_told() {
    let scene = Scene::start().await;
    scene.sql("UPDATE WORKSPACE.files SET s3_key = s3_key || 'x'").await;
    let report = scene.report().await;
    assert_check(&report, &of(STORAGE, "a stored file"), Warning, ["404", "copied from elsewhere"]);
    scene.faults.fail_requests("HeadObject", 100, InjectedError::InternalError);
    let report = scene.report().await;
    assert_check(&report, &of(STORAGE, "a stored file"), Failure, ["", "again"]);
}
