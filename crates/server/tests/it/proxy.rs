//! `/packages/proxy/s3`: presigned URLs of any signer, across origins.

use aws::Clock;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use axum::body::Body;
use http::Request;
use local::faults::InjectedError;
use signing::s3::{Bucket, CustomEndpoint, Endpoint, PresignRequest, Presigner, Region};

use crate::app::{ASSETS, STORAGE, TestApp, TestResponse, fetch_url, percent_encode};

async fn create_asset_link(app: &TestApp, bytes: &[u8]) -> String {
    let package = app.create_file(None, &crate::app::new_uuid().to_string(), b"-").await;
    app.put_asset(&package, "a.bin", bytes);
    let response =
        app.get(&app.presign_path(&package, "&path=a.bin"), &app.create_token("viewer").await).await;
    response.header("location").to_owned()
}

async fn get_through_proxy(app: &TestApp, url: &str) -> TestResponse {
    app.get(&format!("/packages/proxy/s3?presigned_url={}", percent_encode(url)), "").await
}

async fn head_through_proxy(app: &TestApp, url: &str, range: Option<&str>) -> TestResponse {
    app.head(&format!("/packages/proxy/s3?presigned_url={}", percent_encode(url)), "", range).await
}

/// A link to the same object as `link` that another program signed, with these parameters.
fn sign_link(link: &str, region: &str, query: &[(&str, &str)]) -> String {
    let (base, _) = link.split_once('?').unwrap();
    let (endpoint, key) = base.split_once(&format!("/{ASSETS}/")).unwrap();
    let keys = local::s3::Credentials::local();
    let credentials = signing::s3::Credentials::new(keys.access_key, keys.secret_key, None, None);
    let request = PresignRequest {
        method: signing::s3::Method::Get,
        region: &Region::new(region).unwrap(),
        bucket: &Bucket::new(ASSETS).unwrap(),
        key,
        query,
        expires_in: 600,
    };
    let presigner = Presigner::new(Endpoint::Custom(CustomEndpoint::parse(endpoint).unwrap()));
    presigner.presign(&request, &credentials, Clock::System.now()).unwrap()
}

async fn head_with_headers(app: &TestApp, url: &str, headers: &[(&str, &str)]) -> TestResponse {
    let path = format!("/packages/proxy/s3?presigned_url={}", percent_encode(url));
    let mut request = Request::builder().method("HEAD").uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn redirects_to_a_valid_link_of_a_listed_bucket() {
    let app = TestApp::start().await;
    let url = create_asset_link(&app, b"0123456789").await;
    let response = get_through_proxy(&app, &url).await;
    assert_eq!(response.status, 307);
    assert_eq!(response.header("cache-control"), "no-store");
    assert_eq!(fetch_url("GET", response.header("location")).await.body, "0123456789");
}

#[tokio::test]
async fn head_uses_the_signature_of_the_link() {
    let app = TestApp::start().await;
    let url = create_asset_link(&app, b"0123456789").await;
    let plain = head_through_proxy(&app, &url, None).await;
    assert_eq!((plain.status.as_u16(), plain.header("content-length")), (200, "10"));
    let open = head_through_proxy(&app, &url, Some("bytes=0-")).await;
    assert_eq!((open.status.as_u16(), open.header("content-range")), (206, "bytes 0-9/10"));
    assert_eq!(open.header("content-length"), "10");
    assert_eq!(app.faults.count_requests("HeadObject"), 0, "the service does not use its own credentials");
}

#[tokio::test]
async fn head_of_an_empty_object_describes_it() {
    let app = TestApp::start().await;
    let url = create_asset_link(&app, b"").await;
    let head = head_through_proxy(&app, &url, None).await;
    assert_eq!((head.status.as_u16(), head.header("content-length")), (200, "0"));
    assert_eq!(head.header("etag"), "\"d41d8cd98f00b204e9800998ecf8427e\"");
    let direct = fetch_url("GET", &url).await;
    for name in ["etag", "last-modified", "content-type"] {
        assert!(!direct.header(name).is_empty(), "{name}");
        assert_eq!(head.header(name), direct.header(name), "{name}");
    }
    let ranged = head_through_proxy(&app, &url, Some("bytes=0-")).await;
    assert_eq!((ranged.status.as_u16(), ranged.header("content-range")), (416, "bytes */0"));
}

#[tokio::test]
async fn head_of_a_part_is_that_of_s3() {
    let app = TestApp::start().await;
    let url = sign_link(&create_asset_link(&app, b"0123456789").await, "us-east-1", &[("partNumber", "1")]);
    let head = head_through_proxy(&app, &url, None).await;
    assert_eq!((head.status.as_u16(), head.header("content-range")), (206, "bytes 0-9/10"));
    assert_eq!(head.header("content-length"), "10");
    assert!(!head.header("etag").is_empty());
    // S3 refuses the pair.
    assert_eq!(head_through_proxy(&app, &url, Some("bytes=0-")).await.status, 400);
    let direct = Request::get(&url).header("range", "bytes=0-0").body(Body::empty()).unwrap();
    let direct = crate::app::send_over_tcp(direct).await;
    assert_eq!(direct.status, 400);
    assert!(String::from_utf8_lossy(&direct.body).contains("<Code>InvalidRequest</Code>"));
    assert_eq!(fetch_url("GET", get_through_proxy(&app, &url).await.header("location")).await.status, 206);
    for number in ["%2B1", "0", "01", "10001"] {
        let url = url.replace("partNumber=1", &format!("partNumber={number}"));
        get_through_proxy(&app, &url).await.assert_problem(400);
    }
}

#[tokio::test]
async fn head_answers_conditions() {
    let app = TestApp::start().await;
    let url = create_asset_link(&app, b"0123456789").await;
    let plain = head_through_proxy(&app, &url, None).await;
    let (etag, modified) = (plain.header("etag"), plain.header("last-modified"));
    let past = "Sat, 24 Oct 2015 10:00:00 GMT";
    for (headers, status) in [
        (vec![("if-none-match", etag)], 304),
        (vec![("if-none-match", "*")], 304),
        (vec![("if-none-match", "\"x\"")], 200),
        (vec![("if-modified-since", modified)], 304),
        (vec![("if-modified-since", past)], 200),
        (vec![("if-none-match", "\"x\""), ("if-modified-since", modified)], 200),
        (vec![("if-match", etag)], 200),
        (vec![("if-match", "\"x\"")], 412),
        (vec![("if-unmodified-since", past)], 412),
        (vec![("if-match", etag), ("if-unmodified-since", past)], 200),
        (vec![("if-match", "\"x\""), ("if-none-match", etag)], 412),
    ] {
        let response = head_with_headers(&app, &url, &headers).await;
        assert_eq!(response.status, status, "{headers:?}");
        // S3 says the same to a `GET` of the link.
        let mut direct = Request::get(&url);
        for (name, value) in &headers {
            direct = direct.header(*name, *value);
        }
        let direct = crate::app::send_over_tcp(direct.body(Body::empty()).unwrap()).await;
        assert_eq!(direct.status, status, "{headers:?}");
        if status == 304 {
            assert_eq!((response.header("etag"), response.header("last-modified")), (etag, modified));
            assert_eq!(response.header("cache-control"), "no-store");
            assert_eq!(response.header("content-type"), "");
        }
    }
    for (if_range, status) in [(etag, 206), (modified, 206), ("\"x\"", 200), (past, 200)] {
        let response = head_with_headers(&app, &url, &[("range", "bytes=0-3"), ("if-range", if_range)]).await;
        assert_eq!(response.status, status, "{if_range}");
    }
}

#[tokio::test]
async fn head_cannot_send_headers_that_a_link_signs() {
    let app = TestApp::start().await;
    let url = create_asset_link(&app, b"x").await;
    let url = url.replace("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=host%3Bx-amz-checksum-mode");
    let head = head_through_proxy(&app, &url, None).await;
    assert_eq!(head.status, 400);
    // The client of a redirect sends its headers itself.
    assert_eq!(get_through_proxy(&app, &url).await.header("location"), url);
    assert!(app.faults.request_counts().is_empty(), "S3 was not called");
}

#[tokio::test]
async fn passes_signed_parameters_that_do_not_change_the_operation() {
    let app = TestApp::start().await;
    let url = create_asset_link(&app, b"0123456789").await;
    let (before, _) = url.split_once("?X-Amz-").unwrap();
    for query in [
        [("x-amz-request-payer", "requester")],
        [("x-amz-expected-bucket-owner", "111122223333")],
        [("client", "viewer 1")],
    ] {
        let url = sign_link(&url, "us-east-1", &query);
        assert!(url.starts_with(before));
        let redirect = get_through_proxy(&app, &url).await;
        assert_eq!(redirect.status, 307, "{query:?}");
        assert_eq!(fetch_url("GET", redirect.header("location")).await.body, "0123456789", "{query:?}");
        assert_eq!(head_through_proxy(&app, &url, None).await.status, 200, "{query:?}");
    }
    // The signature covers it: S3 refuses what was added later.
    let added = get_through_proxy(&app, &format!("{url}&X-Amz-Request-Payer=requester")).await;
    assert_eq!(fetch_url("GET", added.header("location")).await.status, 403);
    for name in ["acl", "tagging", "torrent", "uploadId", "versions", "attributes", "x-amz-copy-source"] {
        get_through_proxy(&app, &format!("{url}&{name}=x")).await.assert_problem(400);
    }
}

#[tokio::test]
async fn s3s_refusals_have_their_own_problems() {
    let app = TestApp::start().await;
    let url = create_asset_link(&app, b"x").await;
    for (error, status) in [
        (InjectedError::InvalidObjectState, 409),
        (InjectedError::RequestExpired, 403),
        (InjectedError::ExpiredToken, 403),
        (InjectedError::AccessDenied, 403),
        (InjectedError::PermanentRedirect, 400),
        (InjectedError::SlowDown, 503),
        (InjectedError::InternalError, 503),
    ] {
        app.faults.fail_requests("GetObject", 1, error);
        let before = app.faults.count_requests("GetObject");
        let response = head_through_proxy(&app, &url, None).await;
        assert_eq!(response.status, status, "{error:?}");
        assert_eq!(response.header("retry-after"), if status == 503 { "5" } else { "" }, "{error:?}");
        assert_eq!(app.faults.count_requests("GetObject"), before + 1, "said at once: {error:?}");
    }
    let elsewhere = sign_link(&url, "eu-west-1", &[]);
    assert_eq!(head_through_proxy(&app, &elsewhere, None).await.status, 400);
}

/// The store says where a bucket is by its name's ending. A link for another region leads to a stranger's bucket, or nowhere.
#[tokio::test]
async fn only_the_bucket_that_is_ours_is_allowed() {
    let mut app = TestApp::start().await;
    let buckets = ["open-data", "open-data-afs1"].map(|name| Bucket::new(name).unwrap());
    let region = Region::new("us-east-1").unwrap();
    app.app.proxy = api::ProxyPolicy::new(buckets.to_vec(), region.clone(), None);
    let credentials = Credentials::new("AKIA", "key", None, None, "test");
    app.app.objects = storage::ObjectStore::new(
        storage::StorageConfig {
            endpoint: None,
            region,
            credentials: SharedCredentialsProvider::new(credentials),
        },
        aws::HttpClient::new().unwrap(),
    );
    app.router = crate::app::build_router(&app.app);
    let credentials = signing::s3::Credentials::new("AKIA", "key", None, None);
    for (bucket, region, status) in [
        ("open-data", "us-east-1", 307),
        ("open-data", "eu-west-1", 307),
        ("open-data", "us-gov-west-1", 400),
        ("open-data", "cn-north-1", 400),
        ("open-data", "xx-evil-1", 400),
        ("open-data-afs1", "af-south-1", 307),
        ("open-data-afs1", "us-east-1", 400),
    ] {
        let request = PresignRequest {
            method: signing::s3::Method::Get,
            region: &Region::new(region).unwrap(),
            bucket: &Bucket::new(bucket).unwrap(),
            key: "k",
            query: &[],
            expires_in: 600,
        };
        let url = Presigner::default().presign(&request, &credentials, Clock::System.now()).unwrap();
        let response = get_through_proxy(&app, &url).await;
        assert_eq!(response.status, status, "{bucket} {region}");
        assert_eq!(response.header("location"), if status == 307 { &*url } else { "" });
    }
}

#[tokio::test]
async fn a_forged_link_gets_no_information() {
    let app = TestApp::start().await;
    let url = create_asset_link(&app, b"0123456789").await;
    let (unsigned, signature) = url.rsplit_once("X-Amz-Signature=").unwrap();
    let forged = format!("{unsigned}X-Amz-Signature={}", "1".repeat(signature.len()));
    let response = head_through_proxy(&app, &forged, None).await;
    assert_eq!(response.status, 403);
    assert!(response.header("etag").is_empty() && response.header("last-modified").is_empty());
    let missing = forged.replace("a.bin", "b.bin");
    assert_eq!(
        head_through_proxy(&app, &missing, None).await.status,
        403,
        "the status does not tell whether the object exists"
    );
    assert_eq!(app.faults.count_requests("HeadObject"), 0);
}

#[tokio::test]
async fn only_listed_buckets_are_allowed() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "secret.txt", b"secret").await;
    let response = app.get(&app.presign_path(&package, ""), &app.create_token("viewer").await).await;
    let url = response.header("location");
    assert!(url.contains(STORAGE));
    let detail = get_through_proxy(&app, url).await.assert_problem(400);
    assert!(detail.contains("allowed list"), "{detail}");
    assert_eq!(head_through_proxy(&app, url, None).await.status, 400);
}

#[tokio::test]
async fn rejects_an_expired_link_without_calling_s3() {
    let mut app = TestApp::start().await;
    app.set_clock(Clock::Fixed(Clock::System.now() - 7200));
    let old = create_asset_link(&app, b"x").await;
    app.set_clock(Clock::System);
    let response = get_through_proxy(&app, &old).await;
    let detail = response.assert_problem(403);
    // Whoever shows the file renews its link on this type.
    let problem = response.json();
    assert_eq!(problem["type"], "urn:packages-service:problem:link-expired");
    let expired_at = problem["expiredAt"].as_u64().unwrap();
    assert!((1..=7200).contains(&(Clock::System.now() - expired_at)), "{expired_at}");
    assert!(detail.contains("expired at 20"), "{detail}");
    assert_eq!(head_through_proxy(&app, &old, None).await.status, 403);
    assert!(app.faults.request_counts().is_empty());
}

#[tokio::test]
async fn rejects_urls_that_are_not_presigned_s3_urls() {
    let app = TestApp::start().await;
    let url = create_asset_link(&app, b"x").await;
    let query = url.split_once('?').unwrap().1.to_owned();
    let host = url.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    for bad in [
        String::new(),
        "not a url".to_owned(),
        "javascript:alert(1)".to_owned(),
        "//evil.example/".to_owned(),
        format!("https://evil.example/{ASSETS}/a.bin?{query}"),
        format!("https://{ASSETS}.s3.amazonaws.com.evil.example/a.bin?{query}"),
        format!("https://{ASSETS}.s3-evil.example/a.bin?{query}"),
        format!("https://{ASSETS}.s3.amazonaws.com:8443/a.bin?{query}"),
        format!("https://user@{ASSETS}.s3.amazonaws.com/a.bin?{query}"),
        format!("https://{ASSETS}.s3.amazonaws.com@evil.example/a.bin?{query}"),
        format!("https://{ASSETS}.s3.amazonaws.com\\@evil.example/a.bin?{query}"),
        format!("https://{ASSETS}.s3.amazonaws.com./a.bin?{query}"),
        format!("http://{ASSETS}.s3.amazonaws.com/a.bin?{query}"),
        url.replace(&host, "127.0.0.1:1"),
        url.replace(&host, &format!("{host}@evil.example")),
        url.replace("http://", "https://"),
        url.replace("X-Amz-Signature", "X-Amz-Sign"),
        url.replace("X-Amz-Credential", "X-Amz-Creds"),
        url.replace("X-Amz-Expires=3900", "X-Amz-Expires=604801"),
        format!("{url}&X-Amz-Expires=60"),
        format!("{url}&acl="),
        format!("{url}#fragment"),
        format!("http://{host}/{ASSETS}?list-type=2&{query}"),
        url.replace("/a.bin", "/../../other/a.bin"),
    ] {
        let response = get_through_proxy(&app, &bad).await;
        let detail = response.assert_problem(400);
        assert!(!detail.contains("X-Amz-Signature=") && !detail.contains("evil"), "{detail}");
        assert!(response.header("location").is_empty());
    }
    assert!(app.faults.request_counts().is_empty(), "S3 was not called");
}

#[tokio::test]
async fn explains_that_a_link_must_be_encoded() {
    let app = TestApp::start().await;
    let url = create_asset_link(&app, b"x").await;
    let detail = app.get(&format!("/packages/proxy/s3?presigned_url={url}"), "").await.assert_problem(400);
    assert!(detail.contains("percent-encoded"), "{detail}");
}

#[tokio::test]
async fn a_missing_object_is_404_and_broken_connections_are_502() {
    let app = TestApp::start().await;
    let package = app.create_file(None, "p", b"-").await;
    let missing = app.get(&app.presign_path(&package, "&path=gone"), &app.create_token("viewer").await).await;
    assert_eq!(head_through_proxy(&app, missing.header("location"), None).await.status, 404);
    let url = create_asset_link(&app, b"x").await;
    app.faults.drop_requests("GetObject", 5);
    assert_eq!(head_through_proxy(&app, &url, None).await.status, 502);
}
