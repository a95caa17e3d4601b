//! Lifecycles of buckets: what is put is told again, also after a restart.

use aws::Clock;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    NoncurrentVersionExpiration,
};
use local::s3::S3;

use super::{BUCKET, Fixture};

fn rule(days: i32) -> LifecycleRule {
    let expiration =
        NoncurrentVersionExpiration::builder().noncurrent_days(days).newer_noncurrent_versions(2);
    LifecycleRule::builder()
        .id("old")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("O1/").build())
        .noncurrent_version_expiration(expiration.build())
        .build()
        .unwrap()
}

async fn put(fixture: &Fixture, rule: LifecycleRule) -> Result<(), String> {
    let lifecycle = BucketLifecycleConfiguration::builder().rules(rule).build().unwrap();
    let put = fixture.client.put_bucket_lifecycle_configuration().bucket(BUCKET);
    let put = put.lifecycle_configuration(lifecycle).send().await;
    put.map(drop).map_err(|error| error.code().unwrap().to_owned())
}

async fn get(fixture: &Fixture) -> Result<Vec<LifecycleRule>, String> {
    let got = fixture.client.get_bucket_lifecycle_configuration().bucket(BUCKET).send().await;
    got.map(|got| got.rules().to_vec()).map_err(|error| error.code().unwrap().to_owned())
}

#[tokio::test]
async fn a_lifecycle_is_kept_until_it_is_replaced() {
    let fixture = Fixture::start().await;
    assert_eq!(get(&fixture).await.unwrap_err(), "NoSuchLifecycleConfiguration");
    put(&fixture, rule(30)).await.unwrap();
    assert_eq!(get(&fixture).await.unwrap(), [rule(30)]);
    put(&fixture, rule(7)).await.unwrap();
    assert_eq!(get(&fixture).await.unwrap(), [rule(7)]);
    fixture.client.delete_bucket_lifecycle().bucket(BUCKET).send().await.unwrap();
    assert_eq!(get(&fixture).await.unwrap_err(), "NoSuchLifecycleConfiguration");
}

#[tokio::test]
async fn a_rule_that_would_have_to_be_carried_out_otherwise_is_refused() {
    let fixture = Fixture::start().await;
    let expiration = LifecycleExpiration::builder().days(1).build();
    let other =
        LifecycleRule::builder().status(ExpirationStatus::Enabled).expiration(expiration).build().unwrap();
    assert_eq!(put(&fixture, other).await.unwrap_err(), "NotImplemented");
    assert_eq!(put(&fixture, rule(0)).await.unwrap_err(), "InvalidArgument");
    assert_eq!(get(&fixture).await.unwrap_err(), "NoSuchLifecycleConfiguration");
}

#[test]
fn a_lifecycle_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let rules = vec![local::s3::LifecycleRule::new("a", 3)];
    for written_anew in [false, true] {
        let store = S3::open(dir.path(), Clock::System).unwrap();
        store.create_bucket(BUCKET).unwrap();
        // Enough changes for the journal to be written anew when it is next opened.
        for _ in 0..if written_anew { 0 } else { 1100 } {
            store.set_lifecycle(BUCKET, rules.clone()).unwrap();
        }
        assert_eq!(store.lifecycle(BUCKET), rules);
    }
    assert_eq!(S3::open(dir.path(), Clock::System).unwrap().lifecycle(BUCKET), rules);
    assert!(std::fs::read_to_string(dir.path().join("journal")).unwrap().lines().count() < 10);
}
