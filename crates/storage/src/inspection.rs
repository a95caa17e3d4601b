//! Looking at buckets as they are: their region, what they keep and for how long, and which pages may read them.
//! Everything here reads.

use std::fmt;

use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    types::BucketVersioningStatus,
};
use bytes::Bytes;
use http::{HeaderName, Request, header};
use http_body_util::Full;

use crate::{Method, ObjectStore, outlook::noncurrent_days};
use aws::error_chain;
use packages::links::Location;
use signing::s3::Region;

/// The header in which S3 tells a bucket's region, in refusals too.
const BUCKET_REGION: &str = "x-amz-bucket-region";

/// Why S3 did not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BucketError {
    /// We may not ask.
    Denied,
    /// There is no such bucket.
    Missing,
    /// The bucket is in another region than where it was asked for; which, if S3 told.
    OtherRegion(Option<String>),
    /// The text is for the operator.
    Unavailable(String),
}

impl fmt::Display for BucketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied => f.write_str("access denied"),
            Self::Missing => f.write_str("there is no such bucket"),
            Self::OtherRegion(Some(region)) => write!(f, "it is in {region}"),
            Self::OtherRegion(None) => f.write_str("it is in another region"),
            Self::Unavailable(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for BucketError {}

/// What a bucket answers to a page of an origin that a browser hides, as it does after a redirect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CorsAnswer {
    /// `Access-Control-Allow-Origin`.
    pub allowed_origin: Option<String>,
    /// `Access-Control-Expose-Headers`, in lower case.
    pub exposed_headers: Option<String>,
}

impl ObjectStore {
    /// The region of a bucket, as S3 tells it; `None` where it does not.
    pub async fn find_region(&self, bucket: &str) -> Result<Option<String>, BucketError> {
        let answer = self.client(bucket).head_bucket().bucket(bucket).send().await;
        Ok(answer.map_err(|error| bucket_error(&error))?.bucket_region().map(str::to_owned))
    }

    /// The region in which a bucket is asked for.
    #[must_use]
    pub fn expected_region(&self, bucket: &str) -> &Region {
        self.region(bucket)
    }

    /// Whether a bucket keeps versions.
    pub async fn is_versioned(&self, bucket: &str) -> Result<bool, BucketError> {
        let answer = self.client(bucket).get_bucket_versioning().bucket(bucket).send().await;
        let answer = answer.map_err(|error| bucket_error(&error))?;
        Ok(answer.status() == Some(&BucketVersioningStatus::Enabled))
    }

    /// After how many days a rule of the bucket's lifecycle removes the first versions that were deleted; `None`: no rule
    /// does.
    pub async fn find_noncurrent_days(&self, bucket: &str) -> Result<Option<i64>, BucketError> {
        let answer = self.client(bucket).get_bucket_lifecycle_configuration().bucket(bucket).send().await;
        match answer {
            Ok(lifecycle) => Ok(noncurrent_days(lifecycle.rules())),
            Err(error) if error.code() == Some("NoSuchLifecycleConfiguration") => Ok(None),
            Err(error) => Err(bucket_error(&error)),
        }
    }

    /// The key of some object.
    pub async fn find_any_key(&self, bucket: &str) -> Result<Option<String>, BucketError> {
        let answer = self.client(bucket).list_objects_v2().bucket(bucket).max_keys(20).send().await;
        let answer = answer.map_err(|error| bucket_error(&error))?;
        // What ends in a slash stands for a folder in S3's console.
        let keys = answer.contents().iter().filter_map(|object| object.key());
        Ok(keys.into_iter().find(|key| !key.ends_with('/')).map(str::to_owned))
    }

    /// Whether versions may be listed.
    pub async fn try_listing_versions(&self, bucket: &str) -> Result<(), BucketError> {
        let answer = self.client(bucket).list_object_versions().bucket(bucket).max_keys(1).send().await;
        answer.map(drop).map_err(|error| bucket_error(&error))
    }

    /// Asks what a browser asks before a page may read an object, after a redirect from the service. Needs no permission.
    pub async fn find_cors(&self, location: &Location, now: u64) -> Result<CorsAnswer, BucketError> {
        let failed = |error: &dyn std::error::Error| BucketError::Unavailable(error_chain(error));
        let link = self.presign(location, Method::Get, now).await.map_err(|error| failed(&error))?;
        let url = link.url().split('?').next().unwrap_or_default();
        let request = Request::options(url)
            .header(header::ORIGIN, "null")
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "GET")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "range")
            .body(Full::<Bytes>::default())
            .map_err(|error| failed(&error))?;
        let answer = self.http.send(request).await.map_err(|error| failed(&error))?;
        let headers = answer.headers();
        let text = |name: HeaderName| {
            headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_ascii_lowercase)
        };
        Ok(CorsAnswer {
            allowed_origin: text(header::ACCESS_CONTROL_ALLOW_ORIGIN)
                .filter(|_| answer.status().is_success()),
            exposed_headers: text(header::ACCESS_CONTROL_EXPOSE_HEADERS),
        })
    }
}

fn bucket_error<E>(error: &SdkError<E>) -> BucketError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let response = error.raw_response();
    let region = response.and_then(|response| response.headers().get(BUCKET_REGION)).map(str::to_owned);
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
