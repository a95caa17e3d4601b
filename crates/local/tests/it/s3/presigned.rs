//! Signatures, their scope, and cross-origin headers.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::PresigningConfig;
use http::Method;
use local::s3::{Credentials, S3Config, S3Server};

use super::{BUCKET, Fixture, client, get, head, one_minute, send};

#[tokio::test]
async fn a_link_allows_one_object_and_one_method() {
    let s3 = Fixture::start().await;
    s3.put("a b/ü+&.txt", "hello").await;
    let url = s3.presigned_get("a b/ü+&.txt").await.uri().to_owned();
    assert_eq!(get(&url, &[]).await.body, "hello");
    // The method is part of what is signed.
    let refused = head(&url, &[]).await;
    assert_eq!((refused.status.as_u16(), refused.body.len()), (403, 0));
    let refused = send(Method::PUT, &url, &[], b"overwritten").await;
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("<Code>SignatureDoesNotMatch</Code>"));
    for other in [
        url.replace(".txt", ".tx"),
        url.replace("&X-Amz-Expires=60", "&X-Amz-Expires=61"),
        format!("{url}&x=y"),
    ] {
        assert_eq!(get(&other, &[]).await.status, 403, "{other}");
    }
}

#[tokio::test]
async fn a_link_can_allow_an_upload() {
    let s3 = Fixture::start().await;
    let signed = s3.client.put_object().bucket(BUCKET).key("k").presigned(one_minute()).await.unwrap();
    let headers: Vec<_> = signed.headers().collect();
    let put = send(Method::PUT, signed.uri(), &headers, b"hello").await;
    assert_eq!(put.status, 200, "{}", put.text());
    assert_eq!(s3.get("k").await, b"hello");
}

#[tokio::test]
async fn a_link_expires() {
    let s3 = Fixture::start().await;
    s3.put("k", "hello").await;
    // Signed two minutes ago.
    let ago = SystemTime::UNIX_EPOCH + Duration::from_secs(aws::Clock::System.now() - 120);
    let past = |seconds: u64| {
        PresigningConfig::builder().start_time(ago).expires_in(Duration::from_secs(seconds)).build().unwrap()
    };
    let signed = |config| s3.client.get_object().bucket(BUCKET).key("k").presigned(config);
    let expired = get(signed(past(60)).await.unwrap().uri(), &[]).await;
    assert_eq!(expired.status, 403);
    assert!(expired.text().contains("<Code>AccessDenied</Code>") && expired.text().contains("expired"));
    assert_eq!(get(signed(past(180)).await.unwrap().uri(), &[]).await.status, 200);
}

#[tokio::test]
async fn a_link_is_valid_for_seven_days_at_most() {
    let s3 = Fixture::start().await;
    s3.put("k", "hello").await;
    let url = s3.presigned_get("k").await.uri().to_owned();
    for expires in ["604801", "0", "soon", "", "%2B60"] {
        let refused = get(&url.replace("X-Amz-Expires=60", &format!("X-Amz-Expires={expires}")), &[]).await;
        assert_eq!(refused.status, 400, "{expires}");
        assert!(refused.text().contains("<Code>AuthorizationQueryParametersError</Code>"));
    }
}

#[tokio::test]
async fn a_signature_must_name_the_region_and_a_known_key() {
    let s3 = Fixture::start().await;
    s3.put("k", "hello").await;
    let endpoint = s3.server.endpoint();
    let other_region = client(&endpoint, &Credentials::local(), "eu-west-1");
    let refused = other_region.get_object().bucket(BUCKET).key("k").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("AuthorizationHeaderMalformed"));
    let signed = other_region.get_object().bucket(BUCKET).key("k").presigned(one_minute()).await.unwrap();
    assert_eq!(get(signed.uri(), &[]).await.status, 400);
    let unknown_key = Credentials { access_key: "STRANGER".to_owned(), ..Credentials::local() };
    let refused = client(&endpoint, &unknown_key, "us-east-1")
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Some("InvalidAccessKeyId"));
    let wrong_secret = Credentials { secret_key: "guessed".to_owned(), ..Credentials::local() };
    let refused = client(&endpoint, &wrong_secret, "us-east-1")
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Some("SignatureDoesNotMatch"));
}

#[tokio::test]
async fn temporary_credentials_need_their_token() {
    let s3 = Fixture::start().await;
    let temporary = Credentials { session_token: Some("a/token+=".to_owned()), ..Credentials::local() };
    let config = S3Config { credentials: vec![temporary.clone()], ..S3Config::new(s3.store.clone()) };
    let server = S3Server::start(config).await.unwrap();
    s3.put("k", "hello").await;
    let get_object = |credentials| {
        client(&server.endpoint(), credentials, "us-east-1").get_object().bucket(BUCKET).key("k")
    };
    get_object(&temporary).send().await.unwrap();
    let url = get_object(&temporary).presigned(one_minute()).await.unwrap().uri().to_owned();
    assert_eq!(get(&url, &[]).await.body, "hello");
    assert_eq!(get_object(&Credentials::local()).send().await.unwrap_err().code(), Some("InvalidToken"));
    server.shutdown().await;
}

#[tokio::test]
async fn nothing_is_served_unsigned() {
    let s3 = Fixture::start().await;
    s3.put("k", "hello").await;
    let plain = format!("{}/{BUCKET}/k", s3.server.endpoint());
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::POST, Method::PATCH] {
        assert_eq!(send(method.clone(), &plain, &[], b"").await.status, 403, "{method}");
    }
    assert_eq!(get(&s3.server.endpoint(), &[]).await.status, 403);
    // Signature version 2, in the query and in the header.
    assert_eq!(
        get(&format!("{plain}?AWSAccessKeyId=LOCALACCESSKEY&Expires=9999999999&Signature=x"), &[])
            .await
            .status,
        400
    );
    assert_eq!(get(&plain, &[("authorization", "AWS LOCALACCESSKEY:x")]).await.status, 400);
    // A form with a policy in its body.
    let form = [("content-type", "multipart/form-data; boundary=x")];
    assert_eq!(
        send(Method::POST, &format!("{}/{BUCKET}", s3.server.endpoint()), &form, b"--x--").await.status,
        501
    );
}

#[tokio::test]
async fn a_second_authentication_is_refused() {
    let s3 = Fixture::start().await;
    s3.put("k", "hello").await;
    let url = s3.presigned_get("k").await.uri().to_owned();
    // Clients such as wget send the header of the first request to the target of a redirect.
    let refused = get(&url, &[("authorization", "Bearer from-the-api-before-the-redirect")]).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("Only one auth mechanism allowed"));
}

#[tokio::test]
async fn amz_headers_must_be_signed() {
    let s3 = Fixture::start().await;
    s3.put("k", "hello").await;
    let url = s3.presigned_get("k").await.uri().to_owned();
    let refused = get(&url, &[("x-amz-checksum-mode", "ENABLED")]).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("not signed"));
}

#[tokio::test]
async fn responses_have_cors_headers() {
    let s3 = Fixture::start().await;
    s3.put("k", "hello").await;
    let url = s3.presigned_get("k").await.uri().to_owned();
    let plain = format!("{}/{BUCKET}/k", s3.server.endpoint());
    let headers = [
        ("origin", "null"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "range"),
    ];
    let preflight = send(Method::OPTIONS, &plain, &headers, b"").await;
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-headers"), "range");
    assert_eq!(preflight.header("access-control-allow-methods"), "GET, HEAD");
    let origin = [("origin", "null")];
    let responses = [
        preflight,
        get(&url, &origin).await,
        get(&plain, &origin).await,
        head(&plain, &origin).await,
        // An error, here of the signature, needs the headers too.
        get(&url.replace("/k?", "/none?"), &origin).await,
    ];
    for response in responses {
        assert_eq!(response.header("access-control-allow-origin"), "*");
        assert!(response.header("access-control-expose-headers").contains("Content-Range"));
    }
}

#[tokio::test]
async fn a_page_in_a_browser_cannot_write() {
    let s3 = Fixture::start().await;
    let put = s3.client.put_object().bucket(BUCKET).key("k").presigned(one_minute()).await.unwrap();
    let signed: Vec<_> = put.headers().collect();
    for origin in ["https://evil.example", "null"] {
        let headers = [&signed[..], &[("origin", origin)]].concat();
        let refused = send(Method::PUT, put.uri(), &headers, b"evil").await;
        assert_eq!(refused.status, 403);
        assert!(refused.text().contains("AccessDenied"), "{}", refused.text());
    }
    assert!(s3.store.list_versions(BUCKET, "k").is_empty());
    // A program may, with the same link.
    assert_eq!(send(Method::PUT, put.uri(), &signed, b"good").await.status, 200);
    // Without keys nothing is written, whatever the sender.
    let plain = format!("{}/{BUCKET}/k", s3.server.endpoint());
    for (method, headers) in [
        (Method::PUT, &[][..]),
        (Method::DELETE, &[]),
        (Method::POST, &[("content-type", "text/plain")]),
        (Method::POST, &[("content-type", "multipart/form-data; boundary=x")]),
    ] {
        assert!(!send(method, &plain, headers, b"evil").await.status.is_success());
    }
    assert_eq!(s3.store.list_versions(BUCKET, "k").len(), 1);
}

#[tokio::test]
async fn malformed_signatures_are_refused() {
    let s3 = Fixture::start().await;
    let endpoint = s3.server.endpoint();
    let signature = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2Fb%2Fc%2Fd%2Fe&X-Amz-Date=x&X-Amz-Expires=1&X-Amz-SignedHeaders=host&X-Amz-Signature=x";
    for path in [
        format!("/?{signature}"),
        format!("/{BUCKET}/%FF%00?{signature}"),
        format!("/{BUCKET}/k?X-Amz-Signature=%"),
        format!("/{BUCKET}/k?X-Amz-Algorithm"),
        format!("/..%2f..%2fetc?{signature}&{signature}"),
    ] {
        assert_eq!(get(&format!("{endpoint}{path}"), &[]).await.status, 400, "{path}");
    }
    for value in [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=////,SignedHeaders=;,Signature=",
        "",
    ] {
        assert_eq!(
            get(&format!("{endpoint}/{BUCKET}/k"), &[("authorization", value)]).await.status,
            400,
            "{value}"
        );
    }
}

/// Collects all traced values.
#[derive(Clone, Default)]
struct TraceCollector(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for TraceCollector {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        span.record(&mut |_: &tracing::field::Field, value: &dyn std::fmt::Debug| self.add(value));
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut |_: &tracing::field::Field, value: &dyn std::fmt::Debug| self.add(value));
    }

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut |_: &tracing::field::Field, value: &dyn std::fmt::Debug| self.add(value));
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

impl TraceCollector {
    fn add(&self, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push(format!("{value:?}"));
    }
}

#[tokio::test]
async fn links_are_not_traced() {
    let s3 = Fixture::start().await;
    s3.put("k", "hello").await;
    let url = s3.presigned_get("k").await.uri().to_owned();
    let traces = TraceCollector::default();
    let _guard = tracing::subscriber::set_default(traces.clone());
    // Without any trace the test would prove nothing.
    tracing::info!("the collector works");
    assert_eq!(get(&url, &[]).await.status, 200);
    assert_eq!(get(&url.replace("/k?", "/none?"), &[]).await.status, 403);
    let traces = traces.0.lock().unwrap().join("\n");
    assert!(traces.contains("the collector works"));
    assert!(!traces.contains("X-Amz-Signature"), "{traces}");
}
