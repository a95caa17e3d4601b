//! The properties of buckets: region, versioning, lifecycle and CORS. Nothing here changes a bucket.

use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    types::BucketVersioningStatus,
};
use bytes::Bytes;
use http::{HeaderName, Request, header};
use http_body_util::Full;

use crate::{
    LinkSpec, Method, ObjectStore, bucket_region::BUCKET_REGION_HEADER, recoverability::min_noncurrent_days,
};
use aws::error_chain;
use packages::links::Location;

/// Why a property of a bucket is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BucketError {
    /// The credentials lack the permission.
    #[error("access denied")]
    Denied,
    /// The bucket does not exist.
    #[error("the bucket does not exist")]
    Missing,
    /// The bucket is in another region than the request. S3 may tell which.
    #[error("the bucket is in {}", .0.as_deref().unwrap_or("another region"))]
    OtherRegion(Option<String>),
    /// S3 did not response, or with another error. The text is for the operator.
    #[error("{0}")]
    Unavailable(String),
}

/// The CORS headers of a bucket's response to origin `null`, which a browser sends after a redirect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CorsHeaders {
    /// `Access-Control-Allow-Origin`.
    pub allowed_origin: Option<String>,
    /// `Access-Control-Expose-Headers`, in lower case.
    pub exposed_headers: Option<String>,
}

impl ObjectStore {
    /// The region of a bucket according to S3; `None` if S3 does not tell it.
    pub async fn find_bucket_region(&self, bucket: &str) -> Result<Option<String>, BucketError> {
        let response = self.bucket_client(bucket).await.0.head_bucket().bucket(bucket).send().await;
        Ok(response.map_err(|error| bucket_error(&error))?.bucket_region().map(str::to_owned))
    }

    /// Whether versioning is enabled.
    pub async fn is_versioned(&self, bucket: &str) -> Result<bool, BucketError> {
        let response = self.bucket_client(bucket).await.0.get_bucket_versioning().bucket(bucket).send().await;
        let response = response.map_err(|error| bucket_error(&error))?;
        Ok(response.status() == Some(&BucketVersioningStatus::Enabled))
    }

    /// The number of days after which a lifecycle rule removes deleted versions; `None` if no rule does.
    pub async fn find_noncurrent_days(&self, bucket: &str) -> Result<Option<i64>, BucketError> {
        let response = self
            .bucket_client(bucket)
            .await
            .0
            .get_bucket_lifecycle_configuration()
            .bucket(bucket)
            .send()
            .await;
        match response {
            Ok(lifecycle) => Ok(min_noncurrent_days(lifecycle.rules())),
            Err(error) if error.code() == Some("NoSuchLifecycleConfiguration") => Ok(None),
            Err(error) => Err(bucket_error(&error)),
        }
    }

    /// The key of any object.
    pub async fn find_any_key(&self, bucket: &str) -> Result<Option<String>, BucketError> {
        let response =
            self.bucket_client(bucket).await.0.list_objects_v2().bucket(bucket).max_keys(20).send().await;
        let response = response.map_err(|error| bucket_error(&error))?;
        // S3's console makes empty objects with a slash at the end, to show folders.
        let keys = response.contents().iter().filter_map(|object| object.key());
        Ok(keys.into_iter().find(|key| !key.ends_with('/')).map(str::to_owned))
    }

    /// Checks the permission to list versions.
    pub async fn check_version_listing(&self, bucket: &str) -> Result<(), BucketError> {
        let response =
            self.bucket_client(bucket).await.0.list_object_versions().bucket(bucket).max_keys(1).send().await;
        response.map(drop).map_err(|error| bucket_error(&error))
    }

    /// Sends the preflight request that a browser sends after a redirect from the service. It requires no permission.
    pub async fn load_cors_headers(&self, location: &Location, now: u64) -> Result<CorsHeaders, BucketError> {
        let failed = |error: &dyn std::error::Error| BucketError::Unavailable(error_chain(error));
        let link = self
            .presign(&LinkSpec::own_request(location, Method::Get, now), now)
            .await
            .map_err(|error| failed(&error))?;
        let url = link.url().split('?').next().unwrap_or_default();
        let request = Request::options(url)
            // After a redirect to another origin the origin is `null` (Fetch standard, "HTTP-redirect fetch").
            .header(header::ORIGIN, "null")
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "GET")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "range")
            .body(Full::<Bytes>::default())
            .map_err(|error| failed(&error))?;
        let response = self.http.send(request).await.map_err(|error| failed(&error))?;
        let headers = response.headers();
        let find_header = |name: HeaderName| {
            headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_ascii_lowercase)
        };
        Ok(CorsHeaders {
            allowed_origin: find_header(header::ACCESS_CONTROL_ALLOW_ORIGIN)
                .filter(|_| response.status().is_success()),
            exposed_headers: find_header(header::ACCESS_CONTROL_EXPOSE_HEADERS),
        })
    }
}

fn bucket_error<E>(error: &SdkError<E>) -> BucketError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let response = error.raw_response();
    // The response to a HEAD has no body and so no code: then the status decides.
    let region =
        response.and_then(|response| response.headers().get(BUCKET_REGION_HEADER)).map(str::to_owned);
    match (error.code(), response.map(|response| response.status().as_u16())) {
        (Some("AccessDenied" | "AllAccessDisabled"), _) | (None, Some(403)) => BucketError::Denied,
        (Some("NoSuchBucket" | "NotFound"), _) | (None, Some(404)) => BucketError::Missing,
        (
            Some("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException"),
            _,
        )
        | (None, Some(301 | 307 | 400)) => BucketError::OtherRegion(region),
        (Some(code), _) => BucketError::Unavailable(format!("S3 answered {code}")),
        (None, Some(status)) => BucketError::Unavailable(format!("S3 answered {status}")),
        (None, None) => BucketError::Unavailable(error_chain(error)),
    }
}
