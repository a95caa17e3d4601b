//! The buckets: their regions, how long they keep versions, and whether we and web pages may read them.

use std::{future::Future, time::Duration};

use packages::links::Location;
use signing::s3::Bucket;
use storage::{BucketError, HeadError, LinkSpec, Method, ObjectStore, ResponseHeaders};
use tokio::time::timeout;

use crate::{queries::SampleFile, report::Check};

/// How long a request to S3 may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// For how many days the platform promises that deleted files can be restored.
const TRASH_DAYS: i64 = 30;

/// The headers that clients of range requests need.
const EXPOSED_HEADERS: [&str; 4] = ["accept-ranges", "content-length", "content-range", "etag"];

/// A key that no object has.
const MISSING_KEY: &str = "packages-service-doctor/there-is-no-such-object";

/// What a bucket is used for, and by which part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BucketUse {
    /// The API links to its stored files, which may be in the trash.
    StoredFiles,
    /// The API links to its viewer assets.
    ViewerAssets,
    /// Restores remove its delete markers.
    Restores,
}

/// A bucket to check, with the key of an object that should exist.
pub(crate) struct SampleBucket {
    pub(crate) bucket: Bucket,
    pub(crate) key: Option<String>,
}

impl SampleBucket {
    pub(crate) fn from_file(file: &SampleFile) -> Option<Self> {
        Some(Self { bucket: Bucket::new(file.bucket.as_str()).ok()?, key: Some(file.key.clone()) })
    }
}

/// Checks one bucket.
pub(crate) async fn check_bucket(
    objects: &ObjectStore,
    bucket_use: BucketUse,
    sample: SampleBucket,
    now: u64,
) -> Vec<Check> {
    let SampleBucket { bucket, key } = sample;
    if objects.has_role(&bucket) && bucket_use != BucketUse::Restores {
        return check_external_bucket(objects, &bucket, key, now).await;
    }
    let name = bucket.as_str();
    let (region, is_usable) = check_region(objects, name, bucket_use).await;
    let mut checks = vec![region];
    if !is_usable {
        return checks;
    }
    match bucket_use {
        BucketUse::Restores => {
            checks.push(check_listing_versions(objects, name).await);
            let found = "s3:DeleteObjectVersion cannot be tested without removing a delete marker";
            checks.push(Check::skipped(format!("{name}: restore"), found));
        }
        BucketUse::StoredFiles => {
            checks.push(check_versioning(objects, name).await);
            checks.push(check_lifecycle(objects, name).await);
            checks.push(check_listing_versions(objects, name).await);
            checks.push(check_cors(objects, &bucket, now).await);
            if let Some(key) = key {
                checks.push(check_stored_file(objects, &bucket, key, now).await);
            }
            checks.push(check_missing_file(objects, &bucket, now).await);
        }
        BucketUse::ViewerAssets => {
            checks.push(check_cors(objects, &bucket, now).await);
            checks.push(check_missing_file(objects, &bucket, now).await);
        }
    }
    checks
}

/// Checks a bucket whose objects a role reads. Our own role may do nothing there.
async fn check_external_bucket(
    objects: &ObjectStore,
    bucket: &Bucket,
    key: Option<String>,
    now: u64,
) -> Vec<Check> {
    let (role, is_usable) = check_role(objects, bucket, now).await;
    let mut checks = vec![role];
    if is_usable {
        checks.push(check_cors(objects, bucket, now).await);
        if let Some(key) = key {
            checks.push(check_stored_file(objects, bucket, key, now).await);
        }
    }
    checks
}

/// Returns whether the role has a session.
async fn check_role(objects: &ObjectStore, bucket: &Bucket, now: u64) -> (Check, bool) {
    let location = Location { bucket: bucket.clone(), key: MISSING_KEY.to_owned(), version: None };
    let region = objects.find_region(bucket.as_str()).await;
    let link = objects.presign(&LinkSpec::own_request(&location, Method::Get, now), now).await;
    match link {
        Ok(_) => (Check::ok(bucket.as_str(), format!("read with a role, in {region}")), true),
        Err(error) => {
            let advice =
                "allow sts:AssumeRole on the role of this bucket (BUCKETS), and our role in its trust policy";
            (Check::failure(bucket.as_str(), error.to_string(), advice), false)
        }
    }
}

async fn with_timeout<T>(request: impl Future<Output = Result<T, BucketError>>) -> Result<T, BucketError> {
    let timed_out = |_| Err(BucketError::Unavailable(describe_timeout()));
    timeout(REQUEST_TIMEOUT, request).await.unwrap_or_else(timed_out)
}

fn describe_timeout() -> String {
    format!("no answer within {} s", REQUEST_TIMEOUT.as_secs())
}

/// Skips a check that our role may not make: another role may.
fn explain_error(name: String, error: &BucketError, permission: &str) -> Check {
    match error {
        BucketError::Denied => Check::skipped(name, format!("this role lacks {permission}")),
        error => Check::failure(
            name,
            error.to_string(),
            "run this again; if it persists, check the bucket's policy",
        ),
    }
}

/// Returns whether the other checks of the bucket make sense, too.
async fn check_region(objects: &ObjectStore, bucket: &str, bucket_use: BucketUse) -> (Check, bool) {
    let content = match bucket_use {
        BucketUse::StoredFiles | BucketUse::Restores => "stored files",
        BucketUse::ViewerAssets => "viewer assets",
    };
    let expected = objects.find_region(bucket).await;
    let expected = expected.as_str();
    let check = match with_timeout(objects.find_bucket_region(bucket)).await {
        Ok(Some(region)) if region != expected => {
            return (report_wrong_region(bucket, &region, expected), false);
        }
        Ok(_) => Check::ok(bucket, format!("{content}, in {expected}")),
        Err(BucketError::OtherRegion(region)) => {
            let region = region.unwrap_or_else(|| "another region".to_owned());
            return (report_wrong_region(bucket, &region, expected), false);
        }
        Err(BucketError::Missing) => {
            let advice = "correct its name, or create it";
            return (Check::failure(bucket, format!("{content}: the bucket does not exist"), advice), false);
        }
        // Restores only list versions, and do not need this permission.
        Err(BucketError::Denied) if bucket_use == BucketUse::Restores => Check::ok(bucket, content),
        Err(BucketError::Denied) => {
            let advice = "allow s3:ListBucket: without it S3 answers 403 instead of 404 for missing files";
            Check::warning(bucket, format!("{content}: access denied"), advice)
        }
        Err(error) => return (explain_error(bucket.to_owned(), &error, "s3:ListBucket"), false),
    };
    (check, true)
}

fn report_wrong_region(bucket: &str, region: &str, expected: &str) -> Check {
    let found = format!("it is in {region}, but links are signed for {expected}");
    let advice = "correct the bucket's region in BUCKETS; with an endpoint of your own, set REGION to the region of its buckets";
    Check::failure(bucket, found, advice)
}

async fn check_versioning(objects: &ObjectStore, bucket: &str) -> Check {
    let name = format!("{bucket}: versioning");
    match with_timeout(objects.is_versioned(bucket)).await {
        Ok(true) => Check::ok(name, "on"),
        Ok(false) => Check::failure(
            name,
            "off: deleted files cannot be restored",
            "turn on versioning before anything is deleted",
        ),
        Err(error) => explain_error(name, &error, "s3:GetBucketVersioning"),
    }
}

async fn check_lifecycle(objects: &ObjectStore, bucket: &str) -> Check {
    let name = format!("{bucket}: lifecycle");
    match with_timeout(objects.find_noncurrent_days(bucket)).await {
        Ok(None) => Check::ok(name, "keeps all versions of deleted files"),
        Ok(Some(days)) if days >= TRASH_DAYS => {
            Check::ok(name, format!("removes versions {days} days after they were deleted"))
        }
        Ok(Some(days)) => {
            let found = format!("removes versions {days} days after they were deleted");
            let advice = format!(
                "the trash promises {TRASH_DAYS} days: raise NoncurrentDays, or files are lost before users restore them"
            );
            Check::failure(name, found, advice)
        }
        Err(error) => explain_error(name, &error, "s3:GetLifecycleConfiguration"),
    }
}

async fn check_listing_versions(objects: &ObjectStore, bucket: &str) -> Check {
    let name = format!("{bucket}: versions");
    match with_timeout(objects.check_version_listing(bucket)).await {
        Ok(()) => Check::ok(name, "may be listed"),
        Err(BucketError::Denied) => {
            let advice = "allow s3:ListBucketVersions: restores and the trash need it";
            Check::failure(name, "may not be listed", advice)
        }
        Err(error) => explain_error(name, &error, "s3:ListBucketVersions"),
    }
}

async fn check_cors(objects: &ObjectStore, bucket: &Bucket, now: u64) -> Check {
    let name = format!("{}: pages", bucket.as_str());
    let location = Location { bucket: bucket.clone(), key: MISSING_KEY.to_owned(), version: None };
    let response = match with_timeout(objects.load_cors_headers(&location, now)).await {
        Ok(response) => response,
        Err(error) => return Check::failure(name, error.to_string(), "run this again"),
    };
    let advice = "add a CORS rule: origins *, methods GET and HEAD, headers *, exposed Accept-Ranges, Content-Length, \
                  Content-Range and ETag";
    if !matches!(response.allowed_origin.as_deref(), Some("*" | "null")) {
        return Check::failure(
            name,
            "may not read after a redirect, when browsers send Origin: null",
            advice,
        );
    }
    let exposed = response.exposed_headers.unwrap_or_default();
    let hidden: Vec<&str> = EXPOSED_HEADERS
        .into_iter()
        .filter(|header| !exposed.split(", ").any(|exposed| exposed == *header))
        .collect();
    if exposed == "*" || hidden.is_empty() {
        return Check::ok(name, "of any origin may read, including ranges");
    }
    Check::warning(name, format!("cannot read the headers {}", hidden.join(", ")), advice)
}

async fn check_stored_file(objects: &ObjectStore, bucket: &Bucket, key: String, now: u64) -> Check {
    let name = format!("{}: a stored file", bucket.as_str());
    let location = Location { bucket: bucket.clone(), key, version: None };
    match load_length(objects, &location, now).await {
        Ok(length) => Check::ok(name, format!("a signed HEAD returns its length, {length} bytes")),
        Err(HeadError::NotFound) => {
            let advice = "the database has a file that S3 does not have: check whether the database was copied from \
                          elsewhere";
            Check::warning(name, "404: it does not exist", advice)
        }
        Err(HeadError::Forbidden) => {
            let advice =
                "allow s3:GetObject on the bucket's objects, and kms:Decrypt if your own key encrypts them";
            Check::failure(name, "403: links to it do not work", advice)
        }
        Err(error) => Check::failure(name, describe_probe_error(error), "run this again"),
    }
}

async fn check_missing_file(objects: &ObjectStore, bucket: &Bucket, now: u64) -> Check {
    let name = format!("{}: a missing file", bucket.as_str());
    let location = Location { bucket: bucket.clone(), key: MISSING_KEY.to_owned(), version: None };
    match load_length(objects, &location, now).await {
        Err(HeadError::NotFound) => Check::ok(name, "404, as it should be"),
        Err(HeadError::Forbidden) => {
            let advice = "allow s3:ListBucket on the bucket: without it S3 answers 403 for missing files";
            Check::warning(name, "403 instead of 404", advice)
        }
        Ok(_) => {
            let advice = format!("remove the object {MISSING_KEY}, which nothing uses");
            Check::warning(name, "200: the object exists", advice)
        }
        Err(error) => Check::failure(name, describe_probe_error(error), "run this again"),
    }
}

async fn load_length(objects: &ObjectStore, location: &Location, now: u64) -> Result<u64, HeadError> {
    let head =
        timeout(REQUEST_TIMEOUT, objects.head_object(location, &ResponseHeaders::default(), now)).await;
    head.unwrap_or(Err(HeadError::TimedOut)).map(|head| head.length)
}

fn describe_probe_error(error: HeadError) -> String {
    match error {
        HeadError::NotFound => "404".to_owned(),
        HeadError::Forbidden => "403".to_owned(),
        HeadError::Busy(cause) => format!("S3 asks to try again: {cause}"),
        HeadError::Unavailable(error) => error,
        HeadError::TimedOut => describe_timeout(),
    }
}
