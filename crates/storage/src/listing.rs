//! A page of what is directly in a directory of a bucket: `ListObjectsV2` with a slash as the delimiter (*Amazon S3 API
//! Reference*).

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    operation::list_objects_v2::ListObjectsV2Output,
    types::{EncodingType, Object},
};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, info_span};

use crate::{
    Bucket, ObjectStore,
    s3_error::{S3Error, from_sdk_error},
    versions::decode_key,
};

/// Which page of a directory.
#[derive(Debug, Clone, Copy)]
pub struct DirectoryRequest<'a> {
    /// The bucket.
    pub bucket: &'a Bucket,
    /// What the keys begin with, with a slash at its end.
    pub prefix: &'a str,
    /// [`DirectoryPage::next`] of the page before.
    pub token: Option<&'a str>,
    /// How many entries the page has at most. S3 returns at most a thousand.
    pub limit: u16,
}

/// A page of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryPage {
    /// In the order of their keys, by bytes.
    pub entries: Vec<DirectoryEntry>,
    /// S3's token for the next page; `None`: this is the last one.
    pub next: Option<String>,
}

/// What is directly in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The key without the prefix. That of a directory ends in a slash.
    pub name: String,
    /// The object; `None` for a directory.
    pub object: Option<ListedObject>,
}

/// An object of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedObject {
    /// The size in bytes.
    pub size: Option<i64>,
    /// When it was stored.
    pub modified_at: Option<OffsetDateTime>,
}

/// Why there is no page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// S3 does not accept the token.
    #[error("S3 does not accept the continuation token")]
    InvalidToken,
    /// S3 is busy or cannot be reached: another attempt may succeed. The text is for the log.
    #[error("{0}")]
    Unavailable(String),
    /// S3 refuses. The text is for the log.
    #[error("{0}")]
    Refused(String),
    /// S3 took too long.
    #[error("S3 did not list a directory in time")]
    TimedOut,
}

impl ObjectStore {
    /// Lists a page of what is directly beneath a prefix, within `limit`. One request; a second one if S3 says that the bucket is
    /// in another region.
    pub async fn list_directory(
        &self,
        request: DirectoryRequest<'_>,
        limit: Duration,
    ) -> Result<DirectoryPage, DirectoryError> {
        let listing = timeout_at(Instant::now() + limit, self.list_in_region(request)).await;
        let page = listing.map_err(|_| DirectoryError::TimedOut)??;
        Ok(DirectoryPage::read(page, request.prefix))
    }

    async fn list_in_region(
        &self,
        request: DirectoryRequest<'_>,
    ) -> Result<ListObjectsV2Output, DirectoryError> {
        let bucket = request.bucket.as_str();
        let (client, region) = self.bucket_client(bucket).await;
        match load_page(&client, request).await {
            Err(PageError::S3(error)) if self.learn_region(bucket, &region, error.said_region()) => {
                let (client, _) = self.bucket_client(bucket).await;
                Ok(load_page(&client, request).await?)
            }
            page => Ok(page?),
        }
    }
}

enum PageError {
    InvalidToken,
    S3(S3Error),
}

impl From<PageError> for DirectoryError {
    fn from(error: PageError) -> Self {
        match error {
            PageError::InvalidToken => Self::InvalidToken,
            PageError::S3(S3Error::Unavailable(cause)) => Self::Unavailable(cause),
            PageError::S3(error) => Self::Refused(error.to_string()),
        }
    }
}

async fn load_page(client: &Client, request: DirectoryRequest<'_>) -> Result<ListObjectsV2Output, PageError> {
    let page = client
        .list_objects_v2()
        .bucket(request.bucket.as_str())
        .prefix(request.prefix)
        .delimiter("/")
        // A key may have characters that XML cannot express.
        .encoding_type(EncodingType::Url)
        .set_continuation_token(request.token.map(str::to_owned))
        .max_keys(request.limit.into())
        .send();
    let span = info_span!(target: "trace", "s3", operation = "ListObjectsV2");
    page.instrument(span).await.map_err(|error| {
        let code = aws_sdk_s3::error::ProvideErrorMetadata::code(&error);
        // With a prefix and a limit of our own, the token is the only argument that a client wrote.
        if request.token.is_some() && code == Some("InvalidArgument") {
            return PageError::InvalidToken;
        }
        PageError::S3(from_sdk_error("listing a directory", &error))
    })
}

impl DirectoryPage {
    fn read(page: ListObjectsV2Output, prefix: &str) -> Self {
        let next = page.next_continuation_token.filter(|_| page.is_truncated == Some(true));
        let directories = page.common_prefixes.unwrap_or_default().into_iter().filter_map(|directory| {
            Some(DirectoryEntry { name: relative_name(&directory.prefix?, prefix)?, object: None })
        });
        let objects = page.contents.unwrap_or_default().into_iter().filter_map(|object| {
            let name = relative_name(object.key.as_deref()?, prefix)?;
            Some(DirectoryEntry { name, object: Some(read_object(&object)) })
        });
        let mut entries: Vec<DirectoryEntry> = directories.chain(objects).collect();
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Self { entries, next }
    }
}

/// The part of a key after the prefix. `None` for another key, and for the prefix itself: some tools store an empty object as a
/// directory.
fn relative_name(encoded: &str, prefix: &str) -> Option<String> {
    decode_key(encoded).strip_prefix(prefix).filter(|name| !name.is_empty()).map(str::to_owned)
}

fn read_object(object: &Object) -> ListedObject {
    let modified_at = object.last_modified.and_then(|at| OffsetDateTime::from_unix_timestamp(at.secs()).ok());
    ListedObject { size: object.size, modified_at }
}
