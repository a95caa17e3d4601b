//! What a restore cannot be faster than: its calls to S3 and its change of rows, with nothing around them.

use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Region},
    types::{Delete, ObjectIdentifier},
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use local::workspace::PackageTree;

use crate::app::{STORAGE, TestApp, uuid};

/// Keys in a call, and calls at once: as the service has them.
const KEYS: usize = 1000;
const CALLS_AT_ONCE: usize = 4;

/// A client of S3 like the service's own.
pub(crate) struct S3(Client);

impl S3 {
    pub(crate) async fn of(app: &TestApp, token: &str) -> Self {
        let keys = local::s3::Credentials::local();
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(Credentials::new(keys.access_key, keys.secret_key, None, None, "bench"))
            .endpoint_url(endpoint(app, token).await)
            .force_path_style(true)
            .region(Region::new("us-east-1"))
            .build();
        Self(Client::from_conf(config))
    }

    /// Removes versions, each named by key and id.
    async fn remove(&self, versions: &[(String, String)]) {
        // A list and not a closure over the calls: the compiler cannot tell that such a closure may change threads.
        let mut calls = Vec::new();
        for chunk in versions.chunks(KEYS) {
            calls.push(self.call(chunk));
        }
        stream::iter(calls)
            .buffer_unordered(CALLS_AT_ONCE)
            .map(Ok::<_, ()>)
            .try_collect::<()>()
            .await
            .unwrap();
    }

    async fn call(&self, versions: &[(String, String)]) {
        let object = |(key, id): &(String, String)| {
            ObjectIdentifier::builder().key(key).version_id(id).build().unwrap()
        };
        let objects = versions.iter().map(object).collect();
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build().unwrap();
        let answer = self.0.delete_objects().bucket(STORAGE).delete(delete).send().await.unwrap();
        assert!(answer.errors().is_empty(), "{:?}", answer.errors());
    }
}

/// Where the service's S3 is: a link tells.
async fn endpoint(app: &TestApp, token: &str) -> String {
    let package = app.file(None, &uuid().to_string(), b"-").await;
    let link = app.get(&app.presign_path(&package, ""), token).await;
    link.header("location").split_once(&format!("/{STORAGE}/")).unwrap().0.to_owned()
}

/// Brings a tree back in the shortest way: markers whose ids are known, rows whose ids are known.
pub(crate) async fn run(
    app: &TestApp,
    s3: &S3,
    tree: &PackageTree,
    markers: &[(String, String)],
) -> Duration {
    let ids = ids(app, tree).await;
    let begun = Instant::now();
    s3.remove(markers).await;
    let sql = format!(
        r#"UPDATE "{}".packages
           SET state = 'READY', name = substr(name, length('__DELETED__' || node_id || '_') + 1)
           WHERE id = ANY ($1)"#,
        app.workspace.id
    );
    app.workspace.client.execute(&sql, &[&ids]).await.unwrap();
    begun.elapsed()
}

async fn ids(app: &TestApp, tree: &PackageTree) -> Vec<i32> {
    let files = app.workspace.list_files(tree, i64::MAX).await.unwrap();
    tree.folders.iter().map(|folder| folder.0).chain(files.iter().map(|file| file.id.0)).collect()
}
