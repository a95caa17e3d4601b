//! Signatures, what they are good for, and what a browser sees.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::PresigningConfig;
use http::Method;
use local::s3::{Credentials, S3Config, S3Server};

use super::{BUCKET, Fixture, client, for_a_minute, get, head, send};

#[tokio::test]
async fn a_link_opens_one_object_for_one_method() {
    let s3 = Fixture::start().await;
    s3.put("a b/ü+&.txt", "hello").await;
    let url = s3.presigned_get("a b/ü+&.txt").await.uri().to_owned();
    assert_eq!(get(&url, &[]).await.body, "hello");
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
async fn a_link_can_upload() {
    let s3 = Fixture::start().await;
    let signed = s3.client.put_object().bucket(BUCKET).key("k").presigned(for_a_minute()).await.unwrap();
    let headers: Vec<_> = signed.headers().collect();
    let put = send(Method::PUT, signed.uri(), &headers, b"hello").await;
    assert_eq!(put.status, 200, "{}", put.text());
    assert_eq!(s3.get("k").await, b"hello");
}

#[tokio::test]
async fn a_link_ends() {
    let s3 = Fixture::start().await;
    s3.put("k", "hello").await;
    let ago = SystemTime::UNIX_EPOCH + Duration::from_secs(aws::Clock::System.now() - 120);
    let past = |seconds: u64| {
        PresigningConfig::builder().start_time(ago).expires_in(Duration::from_secs(seconds)).build().unwrap()
    };
    let signed = |config| s3.client.get_object().bucket(BUCKET).key("k").presigned(config);
    let ended = get(signed(past(60)).await.unwrap().uri(), &[]).await;
    assert_eq!(ended.status, 403);
    assert!(ended.text().contains("<Code>AccessDenied</Code>") && ended.text().contains("expired"));
    assert_eq!(get(signed(past(180)).await.unwrap().uri(), &[]).await.status, 200);
}

#[tokio::test]
async fn a_link_lives_seven_days_at_most() {
    let s3 = Fixture::start().await;
    s3.put("k", "hello").await;
    let url = s3.presigned_get("k").await.uri().to_owned();
    for expires in ["604801", "0", "soon", ""] {
        let refused = get(&url.replace("X-Amz-Expires=60", &format!("X-Amz-Expires={expires}")), &[]).await;
        assert_eq!(refused.status, 400, "{expires}");
        assert!(refused.text().contains("<Code>AuthorizationQueryParametersError</Code>"));
    }
}

#[tokio::test]
async fn a_signature_names_our_region_and_a_known_key() {
    let s3 = Fixture::start().await;
    s3.put("k", "hello").await;
    let endpoint = s3.server.endpoint();
    let elsewhere = client(&endpoint, &Credentials::local(), "eu-west-1");
    let refused = elsewhere.get_object().bucket(BUCKET).key("k").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("AuthorizationHeaderMalformed"));
    let signed = elsewhere.get_object().bucket(BUCKET).key("k").presigned(for_a_minute()).await.unwrap();
    assert_eq!(get(signed.uri(), &[]).await.status, 400);
    let stranger = Credentials { access_key: "STRANGER".to_owned(), ..Credentials::local() };
    let refused = client(&endpoint, &stranger, "us-east-1")
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Some("InvalidAccessKeyId"));
    let forger = Credentials { secret_key: "guessed".to_owned(), ..Credentials::local() };
    let refused = client(&endpoint, &forger, "us-east-1")
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
    let asked = |credentials| {
        client(&server.endpoint(), credentials, "us-east-1").get_object().bucket(BUCKET).key("k")
    };
    asked(&temporary).send().await.unwrap();
    let url = asked(&temporary).presigned(for_a_minute()).await.unwrap().uri().to_owned();
    assert_eq!(get(&url, &[]).await.body, "hello");
    assert_eq!(asked(&Credentials::local()).send().await.unwrap_err().code(), Some("InvalidToken"));
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
    assert_eq!(
        get(&format!("{plain}?AWSAccessKeyId=LOCALACCESSKEY&Expires=9999999999&Signature=x"), &[])
            .await
            .status,
        400
    );
    assert_eq!(get(&plain, &[("authorization", "AWS LOCALACCESSKEY:x")]).await.status, 400);
    let form = [("content-type", "multipart/form-data; boundary=x")];
    assert_eq!(
        send(Method::POST, &format!("{}/{BUCKET}", s3.server.endpoint()), &form, b"--x--").await.status,
        501
    );
}

#[tokio::test]
async fn one_way_to_sign_at_a_time() {
    let s3 = Fixture::start().await;
    s3.put("k", "hello").await;
    let url = s3.presigned_get("k").await.uri().to_owned();
    let refused = get(&url, &[("authorization", "Bearer from-the-api-before-the-redirect")]).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("Only one auth mechanism allowed"));
}

#[tokio::test]
async fn headers_that_mean_something_must_be_signed() {
    let s3 = Fixture::start().await;
    s3.put("k", "hello").await;
    let url = s3.presigned_get("k").await.uri().to_owned();
    let refused = get(&url, &[("x-amz-checksum-mode", "ENABLED")]).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("not signed"));
}

#[tokio::test]
async fn browsers_may_look() {
    let s3 = Fixture::start().await;
    s3.put("k", "hello").await;
    let url = s3.presigned_get("k").await.uri().to_owned();
    let plain = format!("{}/{BUCKET}/k", s3.server.endpoint());
    let asked = [
        ("origin", "null"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "range"),
    ];
    let preflight = send(Method::OPTIONS, &plain, &asked, b"").await;
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-headers"), "range");
    assert!(preflight.header("access-control-allow-methods").contains("HEAD"));
    let origin = [("origin", "null")];
    let answers = [
        preflight,
        get(&url, &origin).await,
        get(&plain, &origin).await,
        head(&plain, &origin).await,
        get(&url.replace("/k?", "/none?"), &origin).await,
    ];
    for answer in answers {
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert!(answer.header("access-control-expose-headers").contains("Content-Range"));
    }
}

#[tokio::test]
async fn nonsense_is_refused_in_words() {
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

/// Collects whatever anybody traces.
#[derive(Clone, Default)]
struct Traces(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Traces {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        span.record(&mut |_: &tracing::field::Field, value: &dyn std::fmt::Debug| self.note(value));
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut |_: &tracing::field::Field, value: &dyn std::fmt::Debug| self.note(value));
    }

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut |_: &tracing::field::Field, value: &dyn std::fmt::Debug| self.note(value));
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

impl Traces {
    fn note(&self, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push(format!("{value:?}"));
    }
}

#[tokio::test]
async fn no_link_is_traced() {
    let s3 = Fixture::start().await;
    s3.put("k", "hello").await;
    let url = s3.presigned_get("k").await.uri().to_owned();
    let traces = Traces::default();
    let _guard = tracing::subscriber::set_default(traces.clone());
    tracing::info!("the collector works");
    assert_eq!(get(&url, &[]).await.status, 200);
    assert_eq!(get(&url.replace("/k?", "/none?"), &[]).await.status, 403);
    let traces = traces.0.lock().unwrap().join("\n");
    assert!(traces.contains("the collector works"));
    assert!(!traces.contains("X-Amz-Signature"), "{traces}");
}
