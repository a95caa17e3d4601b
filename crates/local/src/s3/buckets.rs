//! The operations on buckets.

use s3s::dto::{
    Bucket, BucketVersioningStatus, CreateBucketOutput, GetBucketLocationOutput, GetBucketVersioningOutput,
    HeadBucketOutput, ListBucketsOutput,
};
use s3s::{S3Response, S3Result};

use super::errors::internal_error;
use super::server::REGION;
use super::store::S3Store;
use super::version::to_timestamp;

/// In `us-east-1` creating a bucket again succeeds: AWS, `CreateBucket`, `BucketAlreadyOwnedByYou`.
pub(super) fn create_bucket(store: &S3Store, bucket: &str) -> S3Result<S3Response<CreateBucketOutput>> {
    store.create_bucket(bucket).map_err(|error| internal_error(&error))?;
    // S3 returns the path of the bucket as its location.
    Ok(S3Response::new(CreateBucketOutput { location: Some(format!("/{bucket}")) }))
}

pub(super) fn head_bucket(store: &S3Store, bucket: &str) -> S3Result<S3Response<HeadBucketOutput>> {
    store.check_bucket(bucket)?;
    Ok(S3Response::new(HeadBucketOutput {
        bucket_region: Some(REGION.to_owned()),
        ..HeadBucketOutput::default()
    }))
}

pub(super) fn list_buckets(store: &S3Store) -> S3Response<ListBucketsOutput> {
    let buckets = store.with_buckets(|buckets| {
        let entries = buckets.iter().map(|(name, bucket)| Bucket {
            creation_date: to_timestamp(bucket.created),
            name: Some(name.clone()),
            ..Bucket::default()
        });
        entries.collect()
    });
    S3Response::new(ListBucketsOutput { buckets: Some(buckets), ..ListBucketsOutput::default() })
}

/// `us-east-1` has no location constraint: AWS, `GetBucketLocation`.
pub(super) fn get_bucket_location(
    store: &S3Store,
    bucket: &str,
) -> S3Result<S3Response<GetBucketLocationOutput>> {
    store.check_bucket(bucket)?;
    Ok(S3Response::new(GetBucketLocationOutput::default()))
}

pub(super) fn get_bucket_versioning(
    store: &S3Store,
    bucket: &str,
) -> S3Result<S3Response<GetBucketVersioningOutput>> {
    store.check_bucket(bucket)?;
    let status = Some(BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED));
    Ok(S3Response::new(GetBucketVersioningOutput { status, ..GetBucketVersioningOutput::default() }))
}
