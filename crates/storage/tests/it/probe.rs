//! Probes of clients' links: S3's refusals, and bodies that must not be downloaded.

use aws::HttpClient;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use http::HeaderValue;
use local::aws::scripted::{ScriptedReply, ScriptedServer};
use packages::links::Location;
use signing::s3::{Bucket, CustomEndpoint, PresignedUrl, Region, S3Home};
use storage::{HeadError, LinkSpec, Method, ObjectStore, ProbeError, StorageConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const NOW: u64 = 1_793_881_845;

/// A store at this address, and a link to an object in it. `query` is added to the link.
async fn create_link(endpoint: &str, query: &str) -> (ObjectStore, PresignedUrl) {
    let region = Region::new("us-east-1").unwrap();
    let endpoint = CustomEndpoint::parse(endpoint).unwrap();
    let credentials = Credentials::new("AKIA", "key", None, None, "test");
    let config = StorageConfig {
        endpoint: Some(endpoint.clone()),
        region: region.clone(),
        credentials: SharedCredentialsProvider::new(credentials),
    };
    let objects = ObjectStore::new(config, HttpClient::new().unwrap());
    let location = Location { bucket: Bucket::new("bucket").unwrap(), key: "key".to_owned(), version: None };
    let link = objects.presign(&LinkSpec::own_request(&location, Method::Get, NOW), NOW).await.unwrap();
    let url = format!("{}{query}", link.url());
    (objects, PresignedUrl::parse(&url, NOW, &S3Home::new(region, Some(endpoint))).unwrap())
}

/// Probes a link that S3 refuses with this error.
async fn probe_refused(status: u16, xml: &str) -> (ProbeError, usize) {
    let replies = vec![ScriptedReply::Response(status, xml.to_owned()); 3];
    let server = ScriptedServer::start(replies).await.unwrap();
    let (objects, link) = create_link(&server.settings().unwrap().endpoint.unwrap(), "").await;
    let refused = objects.head_presigned(&link).await.unwrap_err();
    (refused, server.requests().len())
}

fn error_xml(code: &str, rest: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>{rest}</Error>")
}

#[tokio::test]
async fn a_refusal_is_judged_by_its_code_and_not_repeated() {
    let class = Some(HeaderValue::from_static("DEEP_ARCHIVE"));
    let region = || Some(Region::new("eu-west-1").unwrap());
    let refused = |code: &str| ProbeError::Refused(Some(code.to_owned()));
    let busy = |code: &str| ProbeError::Busy(format!("S3 answered {code}"));
    let message = |text: &str| format!("<Message>{text}</Message>");
    for (status, code, rest, expected) in [
        (404, "NoSuchKey", String::new(), ProbeError::NotFound),
        (404, "NoSuchVersion", String::new(), ProbeError::NotFound),
        (404, "NoSuchBucket", String::new(), ProbeError::NotFound),
        (
            403,
            "InvalidObjectState",
            "<StorageClass>DEEP_ARCHIVE</StorageClass>".to_owned(),
            ProbeError::Archived(class),
        ),
        (403, "InvalidObjectState", String::new(), ProbeError::Archived(None)),
        (403, "AccessDenied", message("Request has expired"), ProbeError::Expired),
        (403, "AccessDenied", message("Access Denied"), refused("AccessDenied")),
        (403, "SignatureDoesNotMatch", String::new(), refused("SignatureDoesNotMatch")),
        (403, "RequestTimeTooSkewed", String::new(), refused("RequestTimeTooSkewed")),
        (400, "ExpiredToken", String::new(), ProbeError::CredentialsExpired),
        (400, "InvalidToken", String::new(), ProbeError::CredentialsExpired),
        (400, "InvalidArgument", String::new(), refused("InvalidArgument")),
        (
            301,
            "PermanentRedirect",
            "<Region>eu-west-1</Region>".to_owned(),
            ProbeError::OtherRegion(region()),
        ),
        (301, "PermanentRedirect", String::new(), ProbeError::OtherRegion(None)),
        (
            400,
            "AuthorizationHeaderMalformed",
            "<Region>evil.example/</Region>".to_owned(),
            ProbeError::OtherRegion(None),
        ),
        (
            400,
            "AuthorizationQueryParametersError",
            message(
                "Error parsing the X-Amz-Credential parameter; the region 'us-east-1' is wrong; expecting 'eu-west-1'",
            ) + "<Region>eu-west-1</Region>",
            ProbeError::OtherRegion(region()),
        ),
        (
            400,
            "AuthorizationQueryParametersError",
            message("X-Amz-Date must be formatted"),
            refused("AuthorizationQueryParametersError"),
        ),
        (503, "SlowDown", String::new(), busy("SlowDown")),
        (500, "InternalError", String::new(), busy("InternalError")),
        (503, "ServiceUnavailable", String::new(), busy("ServiceUnavailable")),
    ] {
        let (error, requests) = probe_refused(status, &error_xml(code, &rest)).await;
        assert_eq!((error, requests), (expected, 1), "{code} {rest}");
    }
}

#[tokio::test]
async fn without_a_code_the_status_decides() {
    let long = format!("<Error>{}<Code>NoSuchKey</Code></Error>", " ".repeat(1 << 20));
    let odd = error_xml("<b>https://evil.example/</b>", "");
    for (status, body, expected) in [
        (403, "", ProbeError::Refused(None)),
        (403, &*long, ProbeError::Refused(None)),
        (403, &*odd, ProbeError::Refused(None)),
        (404, "<html>nothing here</html>", ProbeError::NotFound),
        (301, "", ProbeError::OtherRegion(None)),
        (503, "busy", ProbeError::Busy("S3 answered 503 Service Unavailable".to_owned())),
    ] {
        assert_eq!(probe_refused(status, body).await.0, expected, "{status} {body:.40}");
    }
    let (error, _) = probe_refused(418, "").await;
    assert!(matches!(error, ProbeError::Unanswered(HeadError::Unavailable(_))), "{error:?}");
}

/// S3 sends a part whole: it refuses `Range` for it.
#[tokio::test]
async fn a_part_is_not_downloaded() {
    const PART_BYTES: u64 = 5 << 30;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let sending = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\nETag: \"e-2\"\r\nx-amz-storage-class: STANDARD_IA\r\n\
             Content-Length: {PART_BYTES}\r\nContent-Range: bytes 0-{}/{}\r\n\r\n",
            PART_BYTES - 1,
            PART_BYTES * 2
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let (chunk, mut sent) = (vec![0; 64 * 1024], 0_u64);
        while sent < PART_BYTES && stream.write_all(&chunk).await.is_ok() {
            sent += chunk.len() as u64;
        }
        (String::from_utf8_lossy(&request[..length]).to_ascii_lowercase(), sent)
    });
    let (objects, link) = create_link(&endpoint, "&partNumber=1").await;
    let probed = objects.head_presigned(&link).await.unwrap();
    assert_eq!(probed.head.length, PART_BYTES);
    assert_eq!(probed.head.headers["etag"], "\"e-2\"");
    assert_eq!(probed.head.headers["x-amz-storage-class"], "STANDARD_IA");
    assert_eq!(probed.part.unwrap(), "bytes 0-5368709119/10737418240");
    let (request, sent) = sending.await.unwrap();
    assert!(!request.contains("range:"), "{request}");
    // The client closed the connection. What was sent before then is in the buffers of the sockets.
    assert!(sent < 64 << 20, "{sent} bytes were sent");
}
