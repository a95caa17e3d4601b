//! The lower bound of a restore: only its calls to S3 and its update of rows.

use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Region},
    types::{Delete, ObjectIdentifier},
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use local::workspace::PackageTree;

use crate::app::{STORAGE, TestApp, new_uuid};

/// Keys per call, and concurrent calls: the same as in the service.
const KEYS_PER_CALL: usize = 1000;
const MAX_CONCURRENT_CALLS: usize = 4;

/// A client of S3 that is configured like the service's.
pub(crate) struct S3Client(Client);

impl S3Client {
    pub(crate) async fn from_app(app: &TestApp, token: &str) -> Self {
        let keys = local::s3::Credentials::local();
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(Credentials::new(keys.access_key, keys.secret_key, None, None, "bench"))
            .endpoint_url(find_endpoint(app, token).await)
            .force_path_style(true)
            .region(Region::new("us-east-1"))
            .build();
        Self(Client::from_conf(config))
    }

    /// Removes versions, each given by key and id.
    async fn remove_versions(&self, versions: &[(String, String)]) {
        // A list, not a closure over the calls: the compiler cannot prove that such a closure is `Send`.
        let mut calls = Vec::new();
        for chunk in versions.chunks(KEYS_PER_CALL) {
            calls.push(self.delete_batch(chunk));
        }
        stream::iter(calls)
            .buffer_unordered(MAX_CONCURRENT_CALLS)
            .map(Ok::<_, ()>)
            .try_collect::<()>()
            .await
            .unwrap();
    }

    async fn delete_batch(&self, versions: &[(String, String)]) {
        let object = |(key, id): &(String, String)| {
            ObjectIdentifier::builder().key(key).version_id(id).build().unwrap()
        };
        let objects = versions.iter().map(object).collect();
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build().unwrap();
        let response = self.0.delete_objects().bucket(STORAGE).delete(delete).send().await.unwrap();
        assert!(response.errors().is_empty(), "{:?}", response.errors());
    }
}

/// The endpoint of the service's S3, taken from a link.
async fn find_endpoint(app: &TestApp, token: &str) -> String {
    let package = app.create_file(None, &new_uuid().to_string(), b"-").await;
    let link = app.get(&app.presign_path(&package, ""), token).await;
    link.header("location").split_once(&format!("/{STORAGE}/")).unwrap().0.to_owned()
}

/// Restores a tree whose markers and rows are known.
pub(crate) async fn measure_floor(
    app: &TestApp,
    s3: &S3Client,
    tree: &PackageTree,
    markers: &[(String, String)],
) -> Duration {
    let ids = load_ids(app, tree).await;
    let started = Instant::now();
    s3.remove_versions(markers).await;
    let sql = format!(
        r#"UPDATE "{}".packages
           SET state = 'READY', name = substr(name, length('__DELETED__' || node_id || '_') + 1)
           WHERE id = ANY ($1)"#,
        app.workspace.id
    );
    app.workspace.client.execute(&sql, &[&ids]).await.unwrap();
    started.elapsed()
}

async fn load_ids(app: &TestApp, tree: &PackageTree) -> Vec<i32> {
    let files = app.workspace.list_files(tree, i64::MAX).await.unwrap();
    tree.folders.iter().map(|folder| folder.0).chain(files.iter().map(|file| file.id.0)).collect()
}
