//! Lifecycles of buckets: S3 returns what the store was given, also after a restart.

use aws::Clock;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{
    ExpirationStatus, LifecycleRule as SdkRule, LifecycleRuleFilter, NoncurrentVersionExpiration,
};
use local::s3::{LifecycleRule, S3Store};

use super::{BUCKET, Fixture};

async fn get(fixture: &Fixture) -> Result<Vec<SdkRule>, String> {
    let got = fixture.client.get_bucket_lifecycle_configuration().bucket(BUCKET).send().await;
    got.map(|got| got.rules().to_vec()).map_err(|error| error.code().unwrap().to_owned())
}

#[tokio::test]
async fn a_lifecycle_can_be_set_replaced_and_removed() {
    let fixture = Fixture::start().await;
    assert_eq!(get(&fixture).await.unwrap_err(), "NoSuchLifecycleConfiguration");
    for days in [30, 7] {
        let rule = LifecycleRule::new("O1/", days).with_newer_versions(2);
        fixture.store.set_lifecycle(BUCKET, vec![rule]).unwrap();
        let expiration =
            NoncurrentVersionExpiration::builder().noncurrent_days(days).newer_noncurrent_versions(2);
        let expected = SdkRule::builder()
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix("O1/").build())
            .noncurrent_version_expiration(expiration.build())
            .build()
            .unwrap();
        assert_eq!(get(&fixture).await.unwrap(), [expected]);
    }
    fixture.store.set_lifecycle(BUCKET, Vec::new()).unwrap();
    assert_eq!(get(&fixture).await.unwrap_err(), "NoSuchLifecycleConfiguration");
}

#[test]
fn a_lifecycle_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let rules = vec![LifecycleRule::new("a", 3)];
    for has_compacted_journal in [false, true] {
        let store = S3Store::open(dir.path(), Clock::System).unwrap();
        store.create_bucket(BUCKET).unwrap();
        // Enough changes for the journal to be compacted when it is next opened.
        for _ in 0..if has_compacted_journal { 0 } else { 1100 } {
            store.set_lifecycle(BUCKET, rules.clone()).unwrap();
        }
        assert_eq!(store.lifecycle(BUCKET), rules);
    }
    assert_eq!(S3Store::open(dir.path(), Clock::System).unwrap().lifecycle(BUCKET), rules);
    assert!(std::fs::read_to_string(dir.path().join("journal")).unwrap().lines().count() < 10);
}
