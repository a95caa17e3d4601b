//! The operations of the API. Each one calls the module that implements it.

use async_trait::async_trait;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CreateBucketInput, CreateBucketOutput,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteBucketInput, DeleteBucketOutput,
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput,
    GetBucketLifecycleConfigurationInput, GetBucketLifecycleConfigurationOutput, GetBucketLocationInput,
    GetBucketLocationOutput, GetBucketVersioningInput, GetBucketVersioningOutput, GetObjectInput,
    GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput,
    ListBucketsOutput, ListObjectVersionsInput, ListObjectVersionsOutput, ListObjectsInput,
    ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput,
    UploadPartInput, UploadPartOutput,
};
use s3s::{S3Request, S3Response, S3Result};

use super::store::S3Store;
use super::{buckets, delete_objects, lifecycle, list_objects, multipart, objects};
use crate::faults::FaultInjector;

/// The implementation that the protocol crate calls.
pub(super) struct S3Operations {
    pub(super) store: S3Store,
    pub(super) faults: FaultInjector,
}

type OperationResult<T> = S3Result<S3Response<T>>;

#[async_trait]
impl s3s::S3 for S3Operations {
    async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> OperationResult<CreateBucketOutput> {
        buckets::create_bucket(&self.store, &request.input.bucket)
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> OperationResult<HeadBucketOutput> {
        buckets::head_bucket(&self.store, &request.input.bucket)
    }

    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> OperationResult<ListBucketsOutput> {
        Ok(buckets::list_buckets(&self.store))
    }

    async fn delete_bucket(
        &self,
        request: S3Request<DeleteBucketInput>,
    ) -> OperationResult<DeleteBucketOutput> {
        self.store.delete_bucket(&request.input.bucket)?;
        Ok(S3Response::new(DeleteBucketOutput::default()))
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> OperationResult<GetBucketLocationOutput> {
        buckets::get_bucket_location(&self.store, &request.input.bucket)
    }

    async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> OperationResult<GetBucketVersioningOutput> {
        buckets::get_bucket_versioning(&self.store, &request.input.bucket)
    }

    async fn get_bucket_lifecycle_configuration(
        &self,
        request: S3Request<GetBucketLifecycleConfigurationInput>,
    ) -> OperationResult<GetBucketLifecycleConfigurationOutput> {
        lifecycle::get_bucket_lifecycle(&self.store, &request.input.bucket)
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> OperationResult<GetObjectOutput> {
        objects::get_object(&self.store, request).await
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> OperationResult<HeadObjectOutput> {
        objects::head_object(&self.store, &request)
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> OperationResult<PutObjectOutput> {
        objects::put_object(&self.store, request).await
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> OperationResult<CopyObjectOutput> {
        objects::copy_object(&self.store, request)
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> OperationResult<DeleteObjectOutput> {
        objects::delete_object(&self.store, request)
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> OperationResult<DeleteObjectsOutput> {
        delete_objects::delete_objects(&self.store, &self.faults, request)
    }

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> OperationResult<ListObjectsOutput> {
        list_objects::list_objects(&self.store, request.input)
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> OperationResult<ListObjectsV2Output> {
        list_objects::list_objects_v2(&self.store, request.input)
    }

    async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> OperationResult<ListObjectVersionsOutput> {
        list_objects::list_object_versions(&self.store, request.input)
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> OperationResult<CreateMultipartUploadOutput> {
        multipart::create_upload(&self.store, request)
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> OperationResult<UploadPartOutput> {
        multipart::upload_part(&self.store, request).await
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> OperationResult<CompleteMultipartUploadOutput> {
        multipart::complete_upload(&self.store, request).await
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> OperationResult<AbortMultipartUploadOutput> {
        multipart::abort_upload(&self.store, &request.input)
    }
}
