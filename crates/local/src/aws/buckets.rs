//! S3 buckets and their objects.

use std::io;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http::{Method, Request, StatusCode};

use super::{Account, Service};

impl Account {
    /// Creates a bucket with versioning.
    pub async fn create_bucket(&self, name: &str) -> io::Result<()> {
        self.create_unversioned_bucket(name).await?;
        let versioning = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                          <Status>Enabled</Status></VersioningConfiguration>";
        self.request_s3(Method::PUT, &format!("/{name}?versioning="), versioning.into()).await
    }

    /// Creates a bucket without versioning.
    pub async fn create_unversioned_bucket(&self, name: &str) -> io::Result<()> {
        self.request_s3(Method::PUT, &format!("/{name}"), Bytes::new()).await
    }

    /// Adds a lifecycle rule: versions expire this many days after they became noncurrent.
    pub async fn expire_noncurrent_versions(&self, bucket: &str, days: u32) -> io::Result<()> {
        let lifecycle = format!(
            "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule><ID>old</ID>\
             <Filter><Prefix></Prefix></Filter><Status>Enabled</Status><NoncurrentVersionExpiration>\
             <NoncurrentDays>{days}</NoncurrentDays></NoncurrentVersionExpiration></Rule></LifecycleConfiguration>"
        );
        self.request_s3(Method::PUT, &format!("/{bucket}?lifecycle="), lifecycle.into()).await
    }

    /// Stores an object. The key must need no encoding.
    pub async fn put_object(&self, bucket: &str, key: &str, bytes: &'static [u8]) -> io::Result<()> {
        self.request_s3(Method::PUT, &format!("/{bucket}/{key}"), bytes.into()).await
    }

    /// The id of an object's newest version.
    pub async fn newest_version(&self, bucket: &str, key: &str) -> io::Result<String> {
        let (_, listing) =
            self.send_s3_request(Method::GET, &format!("/{bucket}?versions="), Bytes::new()).await?;
        let listing = String::from_utf8_lossy(&listing).into_owned();
        let is_newest = |entry: &&str| {
            entry.contains(&format!("<Key>{key}</Key>")) && entry.contains("<IsLatest>true</IsLatest>")
        };
        let id = listing
            .split("<Version>")
            .skip(1)
            .find(is_newest)
            .and_then(|entry| Some(entry.split_once("<VersionId>")?.1.split_once('<')?.0.to_owned()));
        id.ok_or_else(|| io::Error::other("S3 has no such version"))
    }

    /// Adds a delete marker to an object.
    pub async fn delete_object(&self, bucket: &str, key: &str) -> io::Result<()> {
        self.request_s3(Method::DELETE, &format!("/{bucket}/{key}"), Bytes::new()).await
    }

    /// The content of an object. `None` if it does not exist or is hidden by a delete marker.
    pub async fn get_object(&self, bucket: &str, key: &str) -> io::Result<Option<Bytes>> {
        match self.send_s3_request(Method::GET, &format!("/{bucket}/{key}"), Bytes::new()).await? {
            (StatusCode::OK, body) => Ok(Some(body)),
            // A missing key and a delete marker look alike.
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, _) => Err(io::Error::other(format!("S3 returned {status}"))),
        }
    }

    async fn request_s3(&self, method: Method, path: &str, body: Bytes) -> io::Result<()> {
        let (status, response) = self.send_s3_request(method, path, body).await?;
        if status.is_success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("S3 returned {status}: {}", String::from_utf8_lossy(&response))))
        }
    }

    async fn send_s3_request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> io::Result<(StatusCode, Bytes)> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.server.endpoint(Service::S3)))
            // S3 alone requires the hash of the payload in a header too.
            .header("x-amz-content-sha256", hex::encode(digest(&SHA256, &body)))
            .body(body)
            .map_err(io::Error::other)?;
        self.send_request(Service::S3, request).await
    }
}
