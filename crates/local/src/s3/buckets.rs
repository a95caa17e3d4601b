//! The little that buckets have to say.

use s3s::dto::{
    Bucket, BucketLocationConstraint, BucketVersioningStatus, CORSRule, CreateBucketOutput,
    GetBucketCorsOutput, GetBucketLocationOutput, GetBucketVersioningOutput, HeadBucketOutput,
    ListBucketsOutput, PutBucketVersioningInput, PutBucketVersioningOutput, Timestamp,
};
use s3s::{S3Response, S3Result, s3_error};

use super::errors::broken_store;
use super::store::S3;
use crate::cors;

/// Only the oldest region answers a repeated creation with success: AWS, `CreateBucket`, `BucketAlreadyOwnedByYou`.
const FORGIVING_REGION: &str = "us-east-1";

pub(super) fn create(store: &S3, region: &str, bucket: &str) -> S3Result<S3Response<CreateBucketOutput>> {
    if region != FORGIVING_REGION && store.read(bucket, |_| ()).is_ok() {
        return Err(s3_error!(BucketAlreadyOwnedByYou, "You already own this bucket."));
    }
    store.create_bucket(bucket).map_err(|error| broken_store(&error))?;
    Ok(S3Response::new(CreateBucketOutput { location: Some(format!("/{bucket}")) }))
}

pub(super) fn head(store: &S3, region: &str, bucket: &str) -> S3Result<S3Response<HeadBucketOutput>> {
    store.read(bucket, |_| ())?;
    Ok(S3Response::new(HeadBucketOutput {
        bucket_region: Some(region.to_owned()),
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

pub(super) fn location(
    store: &S3,
    region: &str,
    bucket: &str,
) -> S3Result<S3Response<GetBucketLocationOutput>> {
    store.read(bucket, |_| ())?;
    let constraint = (region != FORGIVING_REGION).then(|| BucketLocationConstraint::from(region.to_owned()));
    Ok(S3Response::new(GetBucketLocationOutput { location_constraint: constraint }))
}

pub(super) fn versioning(store: &S3, bucket: &str) -> S3Result<S3Response<GetBucketVersioningOutput>> {
    store.read(bucket, |_| ())?;
    let status = Some(BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED));
    Ok(S3Response::new(GetBucketVersioningOutput { status, ..GetBucketVersioningOutput::default() }))
}

pub(super) fn set_versioning(
    store: &S3,
    input: &PutBucketVersioningInput,
) -> S3Result<S3Response<PutBucketVersioningOutput>> {
    store.read(&input.bucket, |_| ())?;
    let status = input.versioning_configuration.status.as_ref();
    if status.is_none_or(|status| status.as_str() != BucketVersioningStatus::ENABLED) {
        return Err(s3_error!(NotImplemented, "Versioning is always enabled here"));
    }
    Ok(S3Response::new(PutBucketVersioningOutput::default()))
}

pub(super) fn cors(store: &S3, bucket: &str) -> S3Result<S3Response<GetBucketCorsOutput>> {
    store.read(bucket, |_| ())?;
    let all = || vec!["*".to_owned()];
    let list = |names: &str| names.split(", ").map(str::to_owned).collect();
    let rule = CORSRule {
        allowed_headers: Some(all()),
        allowed_methods: list("GET, HEAD, PUT, POST, DELETE"),
        allowed_origins: all(),
        expose_headers: Some(list(cors::EXPOSED)),
        id: None,
        max_age_seconds: None,
    };
    Ok(S3Response::new(GetBucketCorsOutput { cors_rules: Some(vec![rule]) }))
}
