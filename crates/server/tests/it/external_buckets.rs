//! Published files in a bucket of another account: a role reads them, our account pays, and the row names the version. AWS's
//! stand-in checks signatures, the role's session, and its policy.

use aws::Clock;
use http::StatusCode;
use local::{
    aws::{Account, FunctionResources, unique_name},
    workspace::{Package, SourceFile},
};
use serde_json::json;
use signing::s3::{Bucket, CustomEndpoint, Region};
use storage::BucketTable;

use crate::app::{TestApp, TestResponse, build_request, build_router, fetch_url};

/// A service whose own role may not read the bucket with the published files.
struct Published {
    app: TestApp,
    root: Account,
    bucket: String,
    token: String,
}

impl Published {
    /// `has_role`: whether the service's policy lets it assume the role that reads the bucket.
    async fn start(has_role: bool) -> Self {
        let root = Account::root().unwrap();
        let (bucket, own) = (unique_name("published"), unique_name("storage"));
        root.create_bucket(&bucket).await.unwrap();
        let reader = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": "arn:aws:s3:::published-*"},
        ]});
        let role = root.create_role(&reader.to_string()).await.unwrap();
        let roles = [role.as_str()];
        let resources = FunctionResources {
            bucket: &own,
            bucket_role_arns: if has_role { &roles } else { &[] },
            ..FunctionResources::default()
        };
        // The permissions that Terraform gives the function.
        let service = root.create_function_user("service", resources).await.unwrap();
        let home = Region::new(local::aws::REGION).unwrap();
        let map = json!({ bucket.as_str(): role }).to_string();
        let table = BucketTable::default().with_external_roles(&map, &home).unwrap();

        let mut app = TestApp::start().await;
        app.app.objects = service.objects().unwrap().with_buckets(&table, service.sts().unwrap());
        app.router = build_router(&app.app);
        let token = app.create_token("viewer").await;
        Self { app, root, bucket, token }
    }

    /// A package whose file is a version that another one hides.
    async fn publish(&self, key: &str) -> Package {
        self.root.put_object(&self.bucket, key, b"as published").await.unwrap();
        let version = self.root.newest_version(&self.bucket, key).await.unwrap();
        self.root.put_object(&self.bucket, key, b"published again, later").await.unwrap();
        let app = &self.app;
        let file = SourceFile::new(&self.bucket, key, 12);
        let package = app
            .workspace
            .create_file(&app.dataset, None, key.rsplit('/').next().unwrap(), file)
            .await
            .unwrap();
        app.run_sql(&format!(
            r#"UPDATE "WORKSPACE".files SET published = true, published_s3_version_id = '{version}' WHERE s3_key = '{key}'"#
        ))
        .await;
        package
    }

    async fn presign(&self, package: &Package) -> TestResponse {
        self.app.get(&self.app.presign_path(package, "&redirect=false"), &self.token).await
    }
}

#[tokio::test]
async fn a_published_file_of_another_account_is_linked() {
    let published = Published::start(true).await;
    let package = published.publish("12/files/paper.csv").await;
    let now = Clock::System.now();
    let link = published.presign(&package).await.json();
    let url = link["presigned_url"].as_str().unwrap();
    let file = fetch_url("GET", url).await;
    assert_eq!((file.status, &file.body[..]), (StatusCode::OK, &b"as published"[..]));
    assert!(
        url.contains("&x-amz-request-payer=requester&") && url.contains("&X-Amz-Security-Token="),
        "{url}"
    );
    assert!(url.contains("versionId="), "{url}");
    // The session ends before the hour and five minutes that other links may have.
    let expires_at = link["expires_at"].as_u64().unwrap();
    assert!((now + 3500..=now + 3605).contains(&expires_at), "{}", expires_at - now);

    let head = published.app.head(&published.app.presign_path(&package, ""), &published.token, None).await;
    assert_eq!((head.status, head.header("content-length")), (StatusCode::OK, "12"));
}

#[tokio::test]
async fn the_files_of_a_published_dataset_share_a_session_and_those_of_another_do_not() {
    let published = Published::start(true).await;
    let mut sessions = Vec::new();
    for key in ["12/files/a.csv", "12/files/folder/b.csv", "123/files/c.csv"] {
        let link = published.presign(&published.publish(key).await).await.json();
        let url = link["presigned_url"].as_str().unwrap();
        assert_eq!(fetch_url("GET", url).await.body, "as published", "{key}");
        let credential = url.split("X-Amz-Credential=").nth(1).unwrap();
        sessions.push(credential.split("%2F").next().unwrap().to_owned());
    }
    assert!(sessions[0] == sessions[1] && sessions[1] != sessions[2], "{sessions:?}");
}

#[tokio::test]
async fn without_the_role_there_is_no_link() {
    let published = Published::start(false).await;
    let package = published.publish("12/files/paper.csv").await;
    let response = published.presign(&package).await;
    let detail = response.assert_problem(503);
    assert!(!detail.contains("AccessDenied") && !detail.contains("arn:"), "{detail}");
    assert_eq!(response.header("retry-after"), "5");
}

/// The proxy leads to the buckets that the table says so of, whole names only.
#[tokio::test]
async fn the_proxy_leads_where_the_table_says() {
    let mut app = TestApp::start().await;
    let endpoint = CustomEndpoint::parse("http://127.0.0.1:9").unwrap();
    let table = r#"[{"bucket": "open-*", "proxy": true}, {"bucket": "open-not"}, {"bucket": "other-*"}]"#;
    let table = BucketTable::parse(table, &Region::new("us-east-1").unwrap()).unwrap();
    app.app.proxy =
        api::ProxyPolicy::new(vec![], Region::new("us-east-1").unwrap(), Some(endpoint)).with_table(table);
    for (bucket, is_allowed) in [
        ("open-1", true),
        ("open-not", false),
        ("other-1", false),
        ("my-open-1", false),
        ("test-assets", false),
    ] {
        assert_eq!(app.app.proxy.is_allowed(&Bucket::new(bucket).unwrap()), is_allowed, "{bucket}");
    }
}

/// The end that a manifest states holds for all its links, also for those of later pages, which sessions may sign.
#[tokio::test]
async fn a_manifest_of_several_pages_states_the_end_of_the_shortest_session() {
    let mut app = TestApp::start().await;
    let role = r#"{"published": "arn:aws:iam::123456789012:role/reader"}"#;
    let table = BucketTable::default().with_external_roles(role, &Region::new("us-east-1").unwrap()).unwrap();
    app.app.objects = app.app.objects.with_buckets(&table, Account::root().unwrap().sts().unwrap());
    app.router = build_router(&app.app);
    let folder = app.create_folder(None, "many").await;
    app.create_files(&folder, 501).await;
    let small = app.create_file(None, "one.txt", b"x").await;
    let token = app.create_token("viewer").await;
    for (package, least, most) in [(&folder, 1790, 1800), (&small, 3590, 3900)] {
        let body = json!({"nodeIds": [package.node_id]}).to_string();
        let mut request = build_request("POST", "/packages/download-manifest", &token, body.into());
        request.headers_mut().insert("content-type", "application/json".parse().unwrap());
        let now = Clock::System.now();
        let manifest = app.send(request).await.json();
        let seconds = manifest["header"]["expires_at"].as_u64().unwrap() - now;
        assert!((least..=most + 5).contains(&seconds), "{seconds}");
    }
}
