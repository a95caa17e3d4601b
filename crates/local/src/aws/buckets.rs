//! Versioned buckets of S3, and their objects.

use std::io;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http::{Method, Request, StatusCode};

use super::{Account, Service};

impl Account {
    /// Makes a bucket that keeps versions.
    pub async fn create_bucket(&self, name: &str) -> io::Result<()> {
        self.create_unversioned_bucket(name).await?;
        let versioning = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                          <Status>Enabled</Status></VersioningConfiguration>";
        self.s3(Method::PUT, &format!("/{name}?versioning="), versioning.into()).await.map(drop)
    }

    /// Makes a bucket that keeps no versions.
    pub async fn create_unversioned_bucket(&self, name: &str) -> io::Result<()> {
        self.s3(Method::PUT, &format!("/{name}"), Bytes::new()).await.map(drop)
    }

    /// Has versions removed this many days after another one, or a delete marker, was put on top.
    pub async fn expire_old_versions(&self, bucket: &str, days: u32) -> io::Result<()> {
        let lifecycle = format!(
            "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule><ID>old</ID>\
             <Filter><Prefix></Prefix></Filter><Status>Enabled</Status><NoncurrentVersionExpiration>\
             <NoncurrentDays>{days}</NoncurrentDays></NoncurrentVersionExpiration></Rule></LifecycleConfiguration>"
        );
        self.s3(Method::PUT, &format!("/{bucket}?lifecycle="), lifecycle.into()).await.map(drop)
    }

    /// Writes an object. The key is to need no encoding.
    pub async fn put_object(&self, bucket: &str, key: &str, bytes: &'static [u8]) -> io::Result<()> {
        self.s3(Method::PUT, &format!("/{bucket}/{key}"), bytes.into()).await.map(drop)
    }

    /// Puts a delete marker on an object.
    pub async fn delete_object(&self, bucket: &str, key: &str) -> io::Result<()> {
        self.s3(Method::DELETE, &format!("/{bucket}/{key}"), Bytes::new()).await.map(drop)
    }

    /// An object's bytes, if it is visible.
    pub async fn get_object(&self, bucket: &str, key: &str) -> io::Result<Option<Bytes>> {
        match self.ask_s3(Method::GET, &format!("/{bucket}/{key}"), Bytes::new()).await? {
            (StatusCode::OK, body) => Ok(Some(body)),
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, _) => Err(io::Error::other(format!("S3 answered {status}"))),
        }
    }

    async fn s3(&self, method: Method, path: &str, body: Bytes) -> io::Result<Bytes> {
        let (status, answer) = self.ask_s3(method, path, body).await?;
        if status.is_success() {
            Ok(answer)
        } else {
            Err(io::Error::other(format!("S3: {status} {}", String::from_utf8_lossy(&answer))))
        }
    }

    async fn ask_s3(&self, method: Method, path: &str, body: Bytes) -> io::Result<(StatusCode, Bytes)> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.server.endpoint(Service::S3)))
            // S3 wants the payload's hash in a header, too.
            .header("x-amz-content-sha256", hex::encode(digest(&SHA256, &body)))
            .body(body)
            .map_err(io::Error::other)?;
        self.send(Service::S3, request).await
    }
}
