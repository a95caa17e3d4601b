//! The little that buckets have to say.

use s3s::dto::{
    Bucket, BucketVersioningStatus, CreateBucketOutput, GetBucketLocationOutput, GetBucketVersioningOutput,
    HeadBucketOutput, ListBucketsOutput, Timestamp,
};
use s3s::{S3Response, S3Result};

use super::errors::broken_store;
use super::server::REGION;
use super::store::S3;

/// In `us-east-1` creating a bucket again succeeds: AWS, `CreateBucket`, `BucketAlreadyOwnedByYou`.
pub(super) fn create(store: &S3, bucket: &str) -> S3Result<S3Response<CreateBucketOutput>> {
    store.create_bucket(bucket).map_err(|error| broken_store(&error))?;
    Ok(S3Response::new(CreateBucketOutput { location: Some(format!("/{bucket}")) }))
}

pub(super) fn head(store: &S3, bucket: &str) -> S3Result<S3Response<HeadBucketOutput>> {
    store.read(bucket, |_| ())?;
    Ok(S3Response::new(HeadBucketOutput {
        bucket_region: Some(REGION.to_owned()),
        ..HeadBucketOutput::default()
    }))
}

pub(super) fn list(store: &S3) -> S3Response<ListBucketsOutput> {
    let buckets = store.read_all(|buckets| {
        let described = buckets.iter().map(|(name, bucket)| Bucket {
            creation_date: created(bucket.created),
            name: Some(name.clone()),
            ..Bucket::default()
        });
        described.collect()
    });
    S3Response::new(ListBucketsOutput { buckets: Some(buckets), ..ListBucketsOutput::default() })
}

fn created(milliseconds: u64) -> Option<Timestamp> {
    let nanoseconds = i128::from(milliseconds) * 1_000_000;
    time::OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok().map(Timestamp::from)
}

/// `us-east-1` has no location constraint: AWS, `GetBucketLocation`.
pub(super) fn location(store: &S3, bucket: &str) -> S3Result<S3Response<GetBucketLocationOutput>> {
    store.read(bucket, |_| ())?;
    Ok(S3Response::new(GetBucketLocationOutput::default()))
}

pub(super) fn versioning(store: &S3, bucket: &str) -> S3Result<S3Response<GetBucketVersioningOutput>> {
    store.read(bucket, |_| ())?;
    let status = Some(BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED));
    Ok(S3Response::new(GetBucketVersioningOutput { status, ..GetBucketVersioningOutput::default() }))
}
