//! Buckets that lack what the service needs.

use doctor::Status::{Failure, Ok, Warning};
use local::{faults::InjectedError, s3::LifecycleRule};

use crate::environment::{ASSETS, STORAGE, TestEnvironment, assert_check};

fn check_name(bucket: &str, what: &str) -> String {
    format!("{bucket}: {what}")
}

#[tokio::test]
async fn describes_correct_buckets() {
    let environment = TestEnvironment::start().await;
    let report = environment.run_checks().await;
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
        assert_check(&report, &check_name(STORAGE, what), Ok, [found, ""]);
    }
}

#[tokio::test]
async fn reports_a_lifecycle_shorter_than_the_trash() {
    let environment = TestEnvironment::start().await;
    for (days, status, advice) in [(180, Ok, ""), (30, Ok, ""), (7, Failure, "the trash promises 30 days")] {
        environment.store.set_lifecycle(STORAGE, vec![LifecycleRule::new("", days)]).unwrap();
        let found = format!("{days} days after");
        assert_check(
            &environment.run_checks().await,
            &check_name(STORAGE, "lifecycle"),
            status,
            [&found, advice],
        );
    }
}

#[tokio::test]
async fn reports_a_missing_bucket() {
    let environment = TestEnvironment::start().await;
    let report = environment.run_checks_with(&[("VIEWER_ASSETS_BUCKET", "nobodys-bucket")]).await;
    assert_check(&report, "nobodys-bucket", Failure, ["the bucket does not exist", "correct its name"]);
}

#[tokio::test]
async fn reports_a_bucket_in_another_region() {
    let environment = TestEnvironment::start().await;
    let report = environment.run_checks_with(&[("REGION", "eu-west-1")]).await;
    assert_check(
        &report,
        STORAGE,
        Failure,
        ["links are signed for eu-west-1", "correct the bucket's region in BUCKETS"],
    );
    assert_check(
        &report,
        ASSETS,
        Failure,
        ["links are signed for eu-west-1", "correct the bucket's region in BUCKETS"],
    );
}

#[tokio::test]
async fn reports_missing_permissions() {
    let environment = TestEnvironment::start().await;
    for operation in ["HeadBucket", "ListObjectVersions", "GetBucketVersioning", "HeadObject", "GetObject"] {
        environment.faults.fail_requests(operation, 100, InjectedError::AccessDenied);
    }
    let report = environment.run_checks().await;
    assert_check(&report, STORAGE, Warning, ["access denied", "allow s3:ListBucket"]);
    assert_check(
        &report,
        &check_name(STORAGE, "versions"),
        Failure,
        ["may not be listed", "s3:ListBucketVersions"],
    );
    let skipped = doctor::Status::Skipped;
    assert_check(&report, &check_name(STORAGE, "versioning"), skipped, ["s3:GetBucketVersioning", ""]);
    assert_check(&report, &check_name(STORAGE, "a stored file"), Failure, ["403", "allow s3:GetObject"]);
    assert_check(&report, &check_name(STORAGE, "a missing file"), Warning, ["403", "allow s3:ListBucket"]);
}

#[tokio::test]
async fn reports_a_file_that_s3_does_not_have() {
    let environment = TestEnvironment::start().await;
    environment.run_sql("UPDATE WORKSPACE.files SET s3_key = s3_key || 'x'").await;
    let report = environment.run_checks().await;
    assert_check(&report, &check_name(STORAGE, "a stored file"), Warning, ["404", "copied from elsewhere"]);
    environment.faults.fail_requests("HeadObject", 100, InjectedError::InternalError);
    let report = environment.run_checks().await;
    assert_check(&report, &check_name(STORAGE, "a stored file"), Failure, ["", "again"]);
}
