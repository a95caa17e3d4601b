//! Where buckets are, against a server that answers as AWS documents: the region is in the scope of signatures. Sessions of
//! roles, against an AWS that checks signatures and policies.

use aws::{ClientConfig, Clock, sts::RoleArn};
use local::aws::{
    Account,
    scripted::{ScriptedReply, ScriptedServer},
    unique_name,
};
use packages::{link_period::LinkPeriod, links::Location};

use signing::s3::{PresignRequest, Presigner};

use super::*;
use crate::bucket_region::Lifetimes;

const NOW: u64 = 1_793_881_845;

/// An answer with a region.
fn said(status: u16, region: &str) -> ScriptedReply {
    ScriptedReply::WithHeader(status, String::new(), ("x-amz-bucket-region", region.to_owned()))
}

struct Stub {
    server: ScriptedServer,
    objects: ObjectStore,
}

impl Stub {
    async fn start(replies: impl IntoIterator<Item = ScriptedReply>) -> Self {
        Self::start_with_table(replies, "[]").await
    }

    async fn start_with_table(replies: impl IntoIterator<Item = ScriptedReply>, table: &str) -> Self {
        let server = ScriptedServer::start(replies).await.unwrap();
        let ClientConfig { region, credentials, endpoint, .. } = server.settings().unwrap();
        let endpoint = endpoint.map(|url| CustomEndpoint::parse(&url).unwrap());
        let table = BucketTable::parse(table, &region).unwrap();
        let routes = BucketRoutes::new(&table, endpoint.as_ref()).with_learned_regions();
        let config = StorageConfig { endpoint, region, credentials };
        Self { objects: ObjectStore::from_routes(config, routes, None, HttpClient::new().unwrap()), server }
    }

    fn set_lifetimes(&mut self, lifetimes: Lifetimes) {
        Arc::get_mut(&mut self.objects.shared).unwrap().regions.lifetimes = lifetimes;
    }

    /// The region that a link is signed for.
    async fn link_region(&self, bucket: &str) -> String {
        let location = location(bucket);
        let spec = LinkSpec {
            period: LinkPeriod::from_now(NOW, 60),
            ..LinkSpec::own_request(&location, Method::Get, NOW)
        };
        let link = self.objects.presign(&spec, NOW).await.unwrap();
        scope_region(link.url())
    }

    fn lines(&self) -> Vec<String> {
        self.server.requests().into_iter().map(|request| request.line).collect()
    }
}

fn location(bucket: &str) -> Location {
    Location { bucket: Bucket::new(bucket).unwrap(), key: "key".to_owned(), version: None }
}

/// The region in the credential of a signed URL.
fn scope_region(url: &str) -> String {
    let credential = url.split("X-Amz-Credential=").nth(1).unwrap();
    credential.split("%2F").nth(2).unwrap().to_owned()
}

#[tokio::test]
async fn the_region_of_an_unknown_bucket_is_learned_once() {
    for status in [200, 301, 400, 403] {
        let stub = Stub::start([said(status, "af-south-1")]).await;
        for _ in 0..3 {
            assert_eq!(stub.link_region("files-afs1").await, "af-south-1", "{status}");
        }
        assert_eq!(stub.lines(), ["HEAD /files-afs1/"]);
        let request = &stub.server.requests()[0];
        assert!(!request.headers.contains_key("authorization"), "no credentials are sent");
        let known = stub.objects.known_region(&Bucket::new("files-afs1").unwrap());
        assert_eq!(known.as_ref().map(Region::as_str), Some("af-south-1"));
    }
}

#[tokio::test]
async fn callers_share_one_question() {
    let stub = Arc::new(Stub::start([said(403, "eu-west-1")]).await);
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let stub = Arc::clone(&stub);
        callers.spawn(async move { stub.link_region("one-bucket").await });
    }
    assert!(callers.join_all().await.iter().all(|region| region == "eu-west-1"));
    assert_eq!(stub.lines().len(), 1);
}

#[tokio::test]
async fn nothing_but_a_region_of_our_partition_is_learned() {
    for text in [
        "evil.example/",
        "evil.example",
        "us-east-1.evil.example",
        "us-east-1/",
        "US-EAST-1",
        "",
        "cn-north-1",
        "us-gov-west-1",
        "us-iso-east-1",
    ] {
        let stub = Stub::start([said(301, text)]).await;
        assert_eq!(stub.link_region("bucket").await, "us-east-1", "{text}");
        assert_eq!(stub.objects.known_region(&Bucket::new("bucket").unwrap()), None);
    }
}

#[tokio::test]
async fn an_old_answer_is_asked_for_again_and_counts_while_s3_is_silent() {
    let broken = || ScriptedReply::Disconnect;
    let mut stub = Stub::start([said(200, "eu-west-1"), broken(), broken(), said(200, "eu-west-2")]).await;
    stub.set_lifetimes(Lifetimes { region: Duration::ZERO, failure: Duration::from_hours(1) });
    assert_eq!(stub.link_region("bucket").await, "eu-west-1");
    assert_eq!(stub.link_region("bucket").await, "eu-west-1", "S3 is asked, and is silent");
    assert_eq!(stub.lines().len(), 3, "a broken connection is tried once more");
    assert_eq!(stub.link_region("bucket").await, "eu-west-1");
    assert_eq!(stub.lines().len(), 3, "S3 is left alone for a while");
}

#[tokio::test]
async fn without_an_answer_the_services_region_counts_for_a_while() {
    let silent = || ScriptedReply::Response(404, String::new());
    let stub = Stub::start([silent(), said(403, "eu-west-2")]).await;
    for _ in 0..3 {
        assert_eq!(stub.link_region("bucket").await, "us-east-1");
    }
    assert_eq!(stub.lines().len(), 1);
    let mut stub = Stub::start([silent(), said(403, "eu-west-2")]).await;
    stub.set_lifetimes(Lifetimes { region: Duration::from_hours(1), failure: Duration::ZERO });
    assert_eq!(stub.link_region("bucket").await, "us-east-1");
    assert_eq!(stub.link_region("bucket").await, "eu-west-2");
}

#[tokio::test]
async fn a_table_says_where_buckets_are_and_nobody_is_asked() {
    let stub = Stub::start_with_table([], r#"[{"bucket": "pub-*", "region": "ap-south-1"}]"#).await;
    assert_eq!(stub.link_region("pub-1").await, "ap-south-1");
    assert_eq!(stub.objects.find_region("pub-1").await.as_str(), "ap-south-1");
    assert!(stub.lines().is_empty());
}

#[tokio::test]
async fn a_probe_of_the_wrong_region_is_repeated_in_the_right_one() {
    for status in [301, 400] {
        let stub = Stub::start([
            said(403, "us-east-1"),
            said(status, "eu-west-1"),
            ScriptedReply::Response(200, "abc".to_owned()),
        ])
        .await;
        let head = stub.objects.head_object(&location("bucket"), &ResponseHeaders::default(), NOW).await;
        assert_eq!(head.unwrap().length, 3, "{status}");
        let lines = stub.lines();
        let regions: Vec<String> = lines[1..].iter().map(|line| scope_region(line)).collect();
        assert_eq!(regions, ["us-east-1", "eu-west-1"]);
        assert_eq!(stub.link_region("bucket").await, "eu-west-1", "links are signed for it, too");
        assert_eq!(stub.lines().len(), 3);
    }
}

#[tokio::test]
async fn a_listing_in_the_wrong_region_is_repeated_in_the_right_one() {
    let malformed = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong</Message><Region>eu-west-1</Region></Error>";
    let listing = "<ListVersionsResult><IsTruncated>false</IsTruncated><DeleteMarker><Key>key</Key><VersionId>m</VersionId>\
         <IsLatest>true</IsLatest><LastModified>2026-01-02T00:00:00.000Z</LastModified></DeleteMarker><Version><Key>key</Key>\
         <VersionId>v</VersionId><IsLatest>false</IsLatest><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
         <Size>1</Size></Version></ListVersionsResult>";
    let redirect = "<Error><Code>PermanentRedirect</Code></Error>".to_owned();
    for refusal in [
        ScriptedReply::Response(400, malformed.to_owned()),
        ScriptedReply::WithHeader(301, redirect, ("x-amz-bucket-region", "eu-west-1".to_owned())),
    ] {
        let deleted = "<DeleteResult/>".to_owned();
        let stub = Stub::start([
            said(200, "us-east-1"),
            refusal,
            ScriptedReply::Response(200, listing.to_owned()),
            ScriptedReply::Response(200, deleted),
        ])
        .await;
        let file = StoredFile {
            package: packages::id::PackageId(1),
            bucket: "bucket".to_owned(),
            key: "key".to_owned(),
            is_source: true,
        };
        let errors = stub.objects.undelete(&[file]).await;
        assert!(errors.is_empty(), "{errors:?}");
        let requests = stub.server.requests();
        let regions: Vec<&str> = requests[1..]
            .iter()
            .map(|request| request.headers["authorization"].to_str().unwrap().split('/').nth(2).unwrap())
            .collect();
        assert_eq!(regions, ["us-east-1", "eu-west-1", "eu-west-1"]);
    }
}

#[tokio::test]
async fn a_permanent_refusal_is_said_at_once() {
    let file = StoredFile {
        package: packages::id::PackageId(1),
        bucket: "bucket".to_owned(),
        key: "key".to_owned(),
        is_source: true,
    };
    for (status, code) in [
        (403, "AccessDenied"),
        (403, "InvalidAccessKeyId"),
        (403, "SignatureDoesNotMatch"),
        (404, "NoSuchBucket"),
        (405, "MethodNotAllowed"),
        (501, "NotImplemented"),
    ] {
        let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
        let stub = Stub::start([said(200, "us-east-1"), ScriptedReply::Response(status, body)]).await;
        let errors = stub.objects.undelete(std::slice::from_ref(&file)).await;
        assert!(!errors[&file.package].is_transient, "{code}");
        assert_eq!(stub.lines().len(), 2, "{code}: one question and one request");
    }
}

#[tokio::test]
async fn a_refused_probe_is_judged_by_the_code_of_a_get() {
    let refusal = |code: &str| ScriptedReply::Response(403, format!("<Error><Code>{code}</Code></Error>"));
    let silent = || ScriptedReply::Response(403, String::new());
    for (code, expected) in [
        ("AccessDenied", HeadError::Forbidden),
        ("ExpiredToken", HeadError::Busy("ExpiredToken".to_owned())),
        ("RequestTimeTooSkewed", HeadError::Busy("RequestTimeTooSkewed".to_owned())),
    ] {
        let stub = Stub::start([said(200, "us-east-1"), silent(), refusal(code)]).await;
        let head = stub.objects.head_object(&location("bucket"), &ResponseHeaders::default(), NOW).await;
        assert_eq!(head, Err(expected), "{code}");
        let methods: Vec<String> =
            stub.lines().iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
        assert_eq!(methods, ["HEAD", "HEAD", "GET"]);
    }
    for status in [500, 503] {
        let stub =
            Stub::start([said(200, "us-east-1"), ScriptedReply::Response(status, String::new())]).await;
        let head = stub.objects.head_object(&location("bucket"), &ResponseHeaders::default(), NOW).await;
        assert!(matches!(head, Err(HeadError::Busy(_))), "{status}: {head:?}");
    }
}

#[tokio::test]
async fn an_archived_object_says_so() {
    let archived = |header| ScriptedReply::WithHeader(200, "abc".to_owned(), header);
    for (name, value) in [("x-amz-storage-class", "GLACIER"), ("x-amz-restore", "ongoing-request=\"true\"")] {
        let stub = Stub::start([said(200, "us-east-1"), archived((name, value.to_owned()))]).await;
        let head = stub.objects.head_object(&location("bucket"), &ResponseHeaders::default(), NOW).await;
        assert_eq!(head.unwrap().headers[name], value);
    }
}

#[tokio::test]
async fn our_account_pays_where_the_table_says_so() {
    let table = r#"[{"bucket": "paid", "region": "us-east-1", "requester_pays": true}]"#;
    let stub = Stub::start_with_table([ScriptedReply::Response(200, "abc".to_owned())], table).await;
    stub.objects.head_object(&location("paid"), &ResponseHeaders::default(), NOW).await.unwrap();
    assert!(stub.lines()[0].contains("&x-amz-request-payer=requester&"), "{:?}", stub.lines());
    let location = location("other");
    let spec = LinkSpec::own_request(&location, Method::Get, NOW);
    let other = stub.objects.presign(&spec, NOW).await.unwrap();
    assert!(!other.url().contains("request-payer"));
}

#[tokio::test]
async fn a_link_ends_when_it_says_if_the_credentials_do_not_tell_their_end() {
    // As in Lambda: temporary, and no variable has their end.
    let credentials =
        aws_credential_types::Credentials::new("ASIA", "key", Some("token".to_owned()), None, "environment");
    let config = StorageConfig {
        endpoint: Some(CustomEndpoint::parse("http://127.0.0.1:9").unwrap()),
        region: Region::new("us-east-1").unwrap(),
        credentials: SharedCredentialsProvider::new(credentials),
    };
    let objects = ObjectStore::new(config, HttpClient::new().unwrap());
    let location = location("bucket");
    let spec = LinkSpec {
        period: LinkPeriod::from_now(NOW, 600),
        ..LinkSpec::own_request(&location, Method::Get, NOW)
    };
    let link = objects.presign(&spec, NOW).await.unwrap();
    assert_eq!(link.expires_at(), NOW + 600);
    assert!(link.url().contains("&X-Amz-Expires=600&X-Amz-Security-Token=token"));
}

/// Sends a request that is signed with a session. Returns its status.
async fn send_signed(
    account: &Account,
    session: &Credentials,
    target: (&str, &str),
    version: Option<&str>,
) -> u16 {
    let (bucket, key) = target;
    let endpoint = CustomEndpoint::parse(account.s3_endpoint()).unwrap();
    let version: Vec<(&str, &str)> = version.into_iter().map(|version| ("versionId", version)).collect();
    let request = PresignRequest {
        method: Method::Get,
        region: &Region::new("us-east-1").unwrap(),
        bucket: &Bucket::new(bucket).unwrap(),
        key,
        query: &version,
        expires_in: 60,
    };
    let url =
        Presigner::new(Endpoint::Custom(endpoint)).presign(&request, session, Clock::System.now()).unwrap();
    let request = http::Request::get(url).body(http_body_util::Full::default()).unwrap();
    HttpClient::new().unwrap().send(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_session_reads_nothing_beyond_its_prefix() {
    let root = Account::root().unwrap();
    let (bucket, other) = (unique_name("published"), unique_name("published"));
    for name in [&bucket, &other] {
        root.create_bucket(name).await.unwrap();
        for key in ["12/files/a", "123/files/a", "1", "other"] {
            root.put_object(name, key, b"content").await.unwrap();
        }
    }
    // The role may do everything.
    let all =
        r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}"#;
    let role = RoleArn::new(&root.create_role(all).await.unwrap()).unwrap();
    let assume = format!(
        r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "{role}"}}]}}"#
    );
    let user = root.create_user(&assume).await.unwrap();
    let sessions = SessionCache::new(user.sts().unwrap());
    let (bucket_name, now) = (Bucket::new(bucket.as_str()).unwrap(), Clock::System.now());
    let session = sessions.get(&role, &bucket_name, "12/files/a", now).await.unwrap();
    let lasts = session.expires_at().unwrap() - now;
    assert!((3500..=3700).contains(&lasts), "{lasts}");
    for (target, status) in [
        ((bucket.as_str(), "12/files/a"), 200),
        ((bucket.as_str(), "123/files/a"), 403),
        ((bucket.as_str(), "1"), 403),
        ((bucket.as_str(), "other"), 403),
        ((other.as_str(), "12/files/a"), 403),
    ] {
        assert_eq!(send_signed(&root, &session, target, None).await, status, "{target:?}");
    }
    assert_eq!(send_signed(&root, &session, (&bucket, "123/files/a"), Some("any")).await, 403);

    // Another file of the dataset needs no other session, and one of another dataset does.
    let again = sessions.get(&role, &bucket_name, "12/files/b/c", now).await.unwrap();
    assert_eq!(again.access_key_id(), session.access_key_id());
    let elsewhere = sessions.get(&role, &bucket_name, "123/files/a", now).await.unwrap();
    assert_ne!(elsewhere.access_key_id(), session.access_key_id());
    // It is renewed half an hour before its end, and used until then.
    let kept = sessions.get(&role, &bucket_name, "12/files/a", now + 1700).await.unwrap();
    assert_eq!(kept.access_key_id(), session.access_key_id());
    let renewed = sessions.get(&role, &bucket_name, "12/files/a", now + 1900).await.unwrap();
    assert_ne!(renewed.access_key_id(), session.access_key_id());
}

#[tokio::test]
async fn a_role_that_may_not_be_assumed_is_an_error_with_its_code() {
    let root = Account::root().unwrap();
    let nothing =
        r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}"#;
    let role = RoleArn::new(&root.create_role(nothing).await.unwrap()).unwrap();
    let user = root.create_user(nothing).await.unwrap();
    let sessions = SessionCache::new(user.sts().unwrap());
    let bucket = Bucket::new("published").unwrap();
    let error = sessions.get(&role, &bucket, "12/files/a", Clock::System.now()).await.unwrap_err();
    assert!(error.to_string().contains("AccessDenied"), "{error}");
}

#[tokio::test]
async fn what_links_begin_with_is_known_in_advance() {
    let table = r#"[
        {"bucket": "far", "region": "eu-west-1"},
        {"bucket": "in.path", "region": "eu-west-1"},
        {"bucket": "published-*", "region": "us-west-2"},
        {"bucket": "elsewhere", "endpoint": "https://minio.example.org:9000"},
        {"bucket": "home-*", "path_style": true, "region": "us-east-1"}
    ]"#;
    let region = Region::new("us-east-1").unwrap();
    let table = BucketTable::parse(table, &region).unwrap();
    let credentials = aws_credential_types::Credentials::new("id", "secret", None, None, "test");
    let credentials = SharedCredentialsProvider::new(credentials);
    let config = StorageConfig { endpoint: None, region, credentials };
    let routes = BucketRoutes::new(&table, None);
    let objects = ObjectStore::from_routes(config, routes, None, HttpClient::new().unwrap());
    let known = Bucket::new("published-1").unwrap();
    let prefixes = objects.list_link_prefixes(&[known]).await;
    let expected = [
        "https://*.s3.us-west-2.amazonaws.com",
        "https://far.s3.eu-west-1.amazonaws.com",
        "https://minio.example.org:9000/elsewhere/",
        "https://published-1.s3.us-west-2.amazonaws.com",
        "https://s3.eu-west-1.amazonaws.com/in.path/",
        "https://s3.us-east-1.amazonaws.com",
        "https://s3.us-west-2.amazonaws.com",
    ];
    assert_eq!(prefixes, expected.map(str::to_owned).into());
    let home = ["https://*.s3.us-east-1.amazonaws.com", "https://s3.us-east-1.amazonaws.com"];
    assert_eq!(objects.list_home_prefixes(), home);

    // The region of a bucket that no table has is what S3 says.
    let stub = Stub::start([said(403, "ap-south-1")]).await;
    let learned = stub.objects.list_link_prefixes(&[Bucket::new("learned").unwrap()]).await;
    assert_eq!(learned.len(), 1, "{learned:?}");
    assert_eq!(stub.lines().len(), 1, "S3 was asked");
}
