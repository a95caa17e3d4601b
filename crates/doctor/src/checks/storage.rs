//! The buckets: where they are, what they keep and for how long, and whether we and the pages of others may read.

use std::{future::Future, time::Duration};

use crate::queries::SampleFile;
use packages::links::Location;
use signing::s3::Bucket;
use storage::{BucketError, HeadError, ObjectStore};
use tokio::time::timeout;

use crate::report::Check;

/// How long S3 may take to say one thing.
const TIMEOUT: Duration = Duration::from_secs(5);

/// For how many days the platform promises that what was deleted can come back.
const TRASH_DAYS: i64 = 30;

/// What readers of ranges must see.
const EXPOSED: [&str; 4] = ["accept-ranges", "content-length", "content-range", "etag"];

/// A key that nobody gives an object.
const MISSING_KEY: &str = "packages-service-doctor/there-is-no-such-object";

/// What a bucket is for, and who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Links lead to its stored files, which may be in the trash.
    StoredFiles,
    /// Links lead to its viewer assets.
    ViewerAssets,
    /// Restores remove delete markers there.
    Restores,
}

/// A bucket of stored files with one of them.
pub(crate) fn stored_files(samples: &[SampleFile]) -> impl Iterator<Item = (Bucket, Option<String>)> {
    samples.iter().filter_map(|file| Some((Bucket::new(file.bucket.as_str()).ok()?, Some(file.key.clone()))))
}

/// Looks at one bucket; the key is of an object that should be there.
pub(crate) async fn check_bucket(
    objects: &ObjectStore,
    used: Use,
    (bucket, key): (Bucket, Option<String>),
    now: u64,
) -> Vec<Check> {
    let name = bucket.as_str();
    let (region, is_there) = check_region(objects, name, used).await;
    let mut checks = vec![region];
    if !is_there {
        return checks;
    }
    match used {
        Use::Restores => {
            checks.push(check_listing_versions(objects, name).await);
            let found =
                "removing delete markers (s3:DeleteObjectVersion) cannot be tried without removing one";
            checks.push(Check::skipped(format!("{name}: restore"), found));
        }
        Use::StoredFiles => {
            checks.push(check_versioning(objects, name).await);
            checks.push(check_lifecycle(objects, name).await);
            checks.push(check_listing_versions(objects, name).await);
            checks.push(check_cors(objects, &bucket, now).await);
            if let Some(key) = key {
                checks.push(check_file(objects, &bucket, key, now).await);
            }
            checks.push(check_missing(objects, &bucket, now).await);
        }
        Use::ViewerAssets => {
            checks.push(check_cors(objects, &bucket, now).await);
            checks.push(check_missing(objects, &bucket, now).await);
        }
    }
    checks
}

async fn within<T>(answer: impl Future<Output = Result<T, BucketError>>) -> Result<T, BucketError> {
    let late = |_| Err(BucketError::Unavailable(format!("no answer within {} s", TIMEOUT.as_secs())));
    timeout(TIMEOUT, answer).await.unwrap_or_else(late)
}

/// Where we may not ask, nothing is known, and somebody else may look.
fn unknown(name: String, error: &BucketError, permission: &str) -> Check {
    match error {
        BucketError::Denied => Check::skipped(name, format!("needs {permission}, which this role lacks")),
        error => Check::failure(
            name,
            error.to_string(),
            "run this again; if it stays, look at the bucket's policy",
        ),
    }
}

async fn check_region(objects: &ObjectStore, bucket: &str, used: Use) -> (Check, bool) {
    let about = match used {
        Use::StoredFiles | Use::Restores => "stored files",
        Use::ViewerAssets => "viewer assets",
    };
    let expected = objects.configured_region(bucket).as_str();
    let check = match within(objects.find_bucket_region(bucket)).await {
        Ok(Some(region)) if region != expected => {
            return (wrong_region(bucket, &region, expected), false);
        }
        Ok(_) => Check::ok(bucket, format!("{about}, in {expected}")),
        Err(BucketError::OtherRegion(region)) => {
            let region = region.unwrap_or_else(|| "another region".to_owned());
            return (wrong_region(bucket, &region, expected), false);
        }
        Err(BucketError::Missing) => {
            let advice = "correct its name, or make it";
            return (Check::failure(bucket, format!("{about}: there is no such bucket"), advice), false);
        }
        // Restores list versions and nothing else, so that is no fault of theirs.
        Err(BucketError::Denied) if used == Use::Restores => Check::ok(bucket, about),
        Err(BucketError::Denied) => {
            let advice =
                "allow s3:ListBucket: without it a missing file looks like a forbidden one (403 for 404)";
            Check::warning(bucket, format!("{about}: access denied"), advice)
        }
        Err(error) => return (unknown(bucket.to_owned(), &error, "s3:ListBucket"), false),
    };
    (check, true)
}

fn wrong_region(bucket: &str, region: &str, expected: &str) -> Check {
    let found = format!("it is in {region}, and links are signed for {expected}");
    let advice = "set REGION to the bucket's region; names that end in -use1 or -afs1 tell their own";
    Check::failure(bucket, found, advice)
}

async fn check_versioning(objects: &ObjectStore, bucket: &str) -> Check {
    let name = format!("{bucket}: versioning");
    match within(objects.is_versioned(bucket)).await {
        Ok(true) => Check::ok(name, "on"),
        Ok(false) => Check::failure(
            name,
            "off: what is deleted cannot come back",
            "switch versioning on, before anything is deleted",
        ),
        Err(error) => unknown(name, &error, "s3:GetBucketVersioning"),
    }
}

async fn check_lifecycle(objects: &ObjectStore, bucket: &str) -> Check {
    let name = format!("{bucket}: lifecycle");
    match within(objects.find_noncurrent_days(bucket)).await {
        Ok(None) => Check::ok(name, "removes no version of a deleted file"),
        Ok(Some(days)) if days >= TRASH_DAYS => {
            Check::ok(name, format!("removes versions {days} days after they were deleted"))
        }
        Ok(Some(days)) => {
            let found = format!("removes versions {days} days after they were deleted");
            let advice = format!(
                "the trash promises {TRASH_DAYS} days: raise NoncurrentDays, or what users restore is gone"
            );
            Check::failure(name, found, advice)
        }
        Err(error) => unknown(name, &error, "s3:GetLifecycleConfiguration"),
    }
}

async fn check_listing_versions(objects: &ObjectStore, bucket: &str) -> Check {
    let name = format!("{bucket}: versions");
    match within(objects.check_version_listing(bucket)).await {
        Ok(()) => Check::ok(name, "may be listed"),
        Err(BucketError::Denied) => {
            let advice = "allow s3:ListBucketVersions: restores and the trash need it";
            Check::failure(name, "may not be listed", advice)
        }
        Err(error) => unknown(name, &error, "s3:ListBucketVersions"),
    }
}

async fn check_cors(objects: &ObjectStore, bucket: &Bucket, now: u64) -> Check {
    let name = format!("{}: pages", bucket.as_str());
    let location = Location { bucket: bucket.clone(), key: MISSING_KEY.to_owned(), version: None };
    let answer = match within(objects.load_cors_headers(&location, now)).await {
        Ok(answer) => answer,
        Err(error) => return Check::failure(name, error.to_string(), "run this again"),
    };
    let advice = "a CORS rule: origins *, methods GET and HEAD, headers *, exposed Accept-Ranges, Content-Length, \
                  Content-Range and ETag";
    if !matches!(answer.allowed_origin.as_deref(), Some("*" | "null")) {
        return Check::failure(
            name,
            "may not read after a redirect, in which browsers send Origin: null",
            advice,
        );
    }
    let exposed = answer.exposed_headers.unwrap_or_default();
    let hidden: Vec<&str> =
        EXPOSED.into_iter().filter(|header| !exposed.split(", ").any(|one| one == *header)).collect();
    if exposed == "*" || hidden.is_empty() {
        return Check::ok(name, "of any origin may read, ranges too");
    }
    Check::warning(name, format!("do not see {}", hidden.join(", ")), advice)
}

async fn check_file(objects: &ObjectStore, bucket: &Bucket, key: String, now: u64) -> Check {
    let name = format!("{}: a stored file", bucket.as_str());
    let location = Location { bucket: bucket.clone(), key, version: None };
    match probe(objects, &location, now).await {
        Ok(length) => Check::ok(name, format!("a signed HEAD tells its length: {length} bytes")),
        Err(HeadError::NotFound) => {
            let advice = "the database has a file that S3 has not: was the database copied from elsewhere?";
            Check::warning(name, "404: it is not there", advice)
        }
        Err(HeadError::Forbidden) => {
            let advice = "allow s3:GetObject on the bucket's objects, and kms:Decrypt where a key of your own encrypts it";
            Check::failure(name, "403: links to it open nothing", advice)
        }
        Err(error) => Check::failure(name, format!("{error:?}"), "run this again"),
    }
}

async fn check_missing(objects: &ObjectStore, bucket: &Bucket, now: u64) -> Check {
    let name = format!("{}: a missing file", bucket.as_str());
    let location = Location { bucket: bucket.clone(), key: MISSING_KEY.to_owned(), version: None };
    match probe(objects, &location, now).await {
        Err(HeadError::NotFound) => Check::ok(name, "404, not to be mistaken for a forbidden one"),
        Err(HeadError::Forbidden) => {
            let advice = "allow s3:ListBucket on the bucket: else S3 does not tell missing from forbidden";
            Check::warning(name, "403, as if it were forbidden", advice)
        }
        Ok(_) => Check::warning(name, "200: there is an object", "remove it: nobody needs it"),
        Err(error) => Check::failure(name, format!("{error:?}"), "run this again"),
    }
}

async fn probe(objects: &ObjectStore, location: &Location, now: u64) -> Result<u64, HeadError> {
    let head = timeout(TIMEOUT, objects.head_object(location, now)).await;
    head.unwrap_or(Err(HeadError::TimedOut)).map(|head| head.length)
}
