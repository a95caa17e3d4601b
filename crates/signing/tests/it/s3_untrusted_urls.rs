//! Untrusted presigned URLs: every manipulation is rejected, with its own reason.

use proptest::prelude::*;
use signing::s3::PresignedUrlError::{self, *};
use signing::s3::{CustomEndpoint, PresignedUrl, S3Home};

use crate::s3_links::presign;

const NOW: u64 = 1_795_462_200;

/// AWS, seen from a region.
fn home_at(region: &str) -> S3Home {
    S3Home::new(region.parse().unwrap(), None)
}

fn parse(url: &str) -> Result<PresignedUrl, PresignedUrlError> {
    PresignedUrl::parse(url, NOW, &home_at("us-east-1"))
}

/// The valid link at another host, signed for the host's region.
fn valid_url_in(host: &str, region: &str) -> String {
    valid_url_with(HOST, host).replacen("%2Fus-east-1%2F", &format!("%2F{region}%2F"), 1)
}

/// A valid link, with `from` replaced by `to`.
fn valid_url_with(from: &str, to: &str) -> String {
    let good = presign("a/b c.txt", &[("versionId", "v1")]).unwrap();
    assert!(good.contains(from), "{from}");
    good.replacen(from, to, 1)
}

const HOST: &str = "good.s3.us-east-1.amazonaws.com";

#[test]
fn parses_every_form_of_host() {
    for (host_and_path, bucket) in [
        ("good.s3.amazonaws.com/a/b%20c.txt", "good"),
        ("good.s3.us-east-1.amazonaws.com/a/b%20c.txt", "good"),
        ("good.s3-us-east-1.amazonaws.com/a/b%20c.txt", "good"),
        ("good.s3.dualstack.us-east-1.amazonaws.com/a/b%20c.txt", "good"),
        ("good.s3-accelerate.amazonaws.com/a/b%20c.txt", "good"),
        ("good.s3-accelerate.dualstack.amazonaws.com/a/b%20c.txt", "good"),
        ("good.s3-fips.us-east-1.amazonaws.com/a/b%20c.txt", "good"),
        ("good.s3-fips.dualstack.us-east-1.amazonaws.com/a/b%20c.txt", "good"),
        ("s3-external-1.amazonaws.com/good/a/b%20c.txt", "good"),
        ("my.dotted.bucket.s3.amazonaws.com/a/b%20c.txt", "my.dotted.bucket"),
        ("s3.amazonaws.com/good/a/b%20c.txt", "good"),
        ("s3.us-east-1.amazonaws.com/good/a/b%20c.txt", "good"),
        ("s3-us-east-1.amazonaws.com/good/a/b%20c.txt", "good"),
        ("s3.dualstack.us-east-1.amazonaws.com/my.dotted.bucket/a/b%20c.txt", "my.dotted.bucket"),
    ] {
        let url = valid_url_with(&format!("{HOST}/a/b%20c.txt"), host_and_path);
        let parsed = parse(&url).unwrap_or_else(|error| panic!("{host_and_path}: {error}"));
        assert_eq!((parsed.bucket().as_str(), parsed.key()), (bucket, "a/b c.txt"), "{host_and_path}");
        assert_eq!(parsed.location(), url);
        assert_eq!(parsed.version_id(), Some("v1"));
    }
}

/// The name of a bucket is unique within a partition only.
#[test]
fn accepts_the_partition_of_the_home_only() {
    let partitions = [
        ("us-east-1", "good.s3.us-east-1.amazonaws.com"),
        ("us-gov-west-1", "good.s3.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "good.s3.cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1", "good.s3.eusc-de-east-1.amazonaws.eu"),
        ("us-iso-east-1", "good.s3.us-iso-east-1.c2s.ic.gov"),
        ("us-isob-east-1", "good.s3.us-isob-east-1.sc2s.sgov.gov"),
        ("eu-isoe-west-1", "good.s3.eu-isoe-west-1.cloud.adc-e.uk"),
        ("us-isof-south-1", "good.s3.us-isof-south-1.csp.hci.ic.gov"),
    ];
    for (home, _) in partitions {
        for (region, host) in partitions {
            let parsed = PresignedUrl::parse(&valid_url_in(host, region), NOW, &home_at(home));
            let expected = if home == region { Ok(region.to_owned()) } else { Err(OtherPartition) };
            assert_eq!(parsed.map(|url| url.region().to_string()), expected, "{host} from {home}");
        }
    }
    // The global endpoints belong to one partition. They take a region of it only.
    for host in ["s3.amazonaws.com/good", "good.s3-accelerate.amazonaws.com"] {
        assert!(parse(&valid_url_in(host, "eu-west-1")).is_ok(), "{host}");
        for region in ["us-gov-west-1", "cn-north-1", "us-iso-east-1"] {
            assert_eq!(parse(&valid_url_in(host, region)).unwrap_err(), RegionMismatch, "{host} {region}");
        }
    }
}

#[test]
fn accepts_regions_of_the_grammar_only() {
    for region in ["eu-south-2", "mx-central-1", "il-central-1"] {
        assert!(parse(&valid_url_in(&format!("good.s3.{region}.amazonaws.com"), region)).is_ok(), "{region}");
    }
    for region in ["xx-evil-1", "evil-east-1", "us-evil-east-1", "nz-north-1"] {
        for host in [format!("good.s3.{region}.amazonaws.com"), "good.s3.amazonaws.com".to_owned()] {
            assert_eq!(parse(&valid_url_in(&host, region)).unwrap_err(), OtherPartition, "{host} {region}");
        }
    }
    // The service may itself run in a region that is newer than the table of partitions.
    let new = valid_url_in("good.s3.nz-north-1.amazonaws.com", "nz-north-1");
    assert!(PresignedUrl::parse(&new, NOW, &home_at("nz-north-1")).is_ok());
}

#[test]
fn a_link_is_for_the_region_of_its_bucket() {
    let url = parse(&valid_url_with("", "")).unwrap();
    assert_eq!(url.check_region(&"us-east-1".parse().unwrap()), Ok(()));
    assert_eq!(url.check_region(&"us-east-2".parse().unwrap()), Err(OtherRegion));
}

#[test]
fn rejects_other_hosts() {
    for (host, reason) in [
        ("good.s3.amazonaws.com.evil.example", NotS3Host),
        ("good.s3-evil.example", NotS3Host),
        ("s3.amazonaws.com.evil.example/good", NotS3Host),
        ("evil.example/good.s3.amazonaws.com", NotS3Host),
        ("good.s3.amazonaws.com:8443", Port),
        ("good.s3.amazonaws.com:443", Port),
        ("good.s3.amazonaws.com:", Port),
        ("good.s3.amazonaws.com@evil.example", UserInfo),
        ("evil.example@good.s3.amazonaws.com", UserInfo),
        ("user:secret@good.s3.amazonaws.com", UserInfo),
        ("evil.example#good.s3.amazonaws.com", Fragment),
        ("evil.example\\good.s3.amazonaws.com", NotPercentEncoded),
        ("evil.example\\@good.s3.amazonaws.com", NotPercentEncoded),
        ("good.s3.amazonaws.com.", NotS3Host),
        ("good.s3.us-east-1.amazonaws.com.", NotS3Host),
        ("GOOD.S3.AMAZONAWS.COM", NotS3Host),
        ("good.s3.amazonaws.com%2eevil.example", NotS3Host),
        ("evil.example%2fgood.s3.amazonaws.com", InvalidBucket),
        ("good.s3.amazonaws。com", NotPercentEncoded),
        ("gооd.s3.amazonaws.com", NotPercentEncoded),
        ("[::1]", NotPercentEncoded),
        ("169.254.169.254", NotS3Host),
        ("localhost", NotS3Host),
        ("", NotS3Host),
        ("/good.s3.amazonaws.com", NotS3Host),
        ("good.s3.us-west-2.amazonaws.com", RegionMismatch),
        ("good.s3-us-west-2.amazonaws.com", RegionMismatch),
        ("good.s3.cn-north-1.amazonaws.com.cn", RegionMismatch),
        (".s3.amazonaws.com", InvalidBucket),
        ("a..b.s3.amazonaws.com", InvalidBucket),
        ("-good.s3.amazonaws.com", InvalidBucket),
        ("192.168.1.1.s3.amazonaws.com", InvalidBucket),
        ("s3.amazonaws.com/Good", InvalidBucket),
        ("s3.amazonaws.com/%67ood", InvalidBucket),
        ("s3.amazonaws.com/", InvalidBucket),
        ("good.s3.amazonaws.com\r\nX-Evil: 1", NotPercentEncoded),
        ("good.s3.amazonaws.com\0", NotPercentEncoded),
        ("good.s3.amazonaws.com\t", NotPercentEncoded),
    ] {
        assert_eq!(parse(&valid_url_with(HOST, host)).unwrap_err(), reason, "{host}");
    }
}

#[test]
fn rejects_other_schemes() {
    for scheme in ["http://", "HTTPS://", "ftp://", "//", "", "javascript:", "https:/", "https:", " https://"]
    {
        let refused = parse(&valid_url_with("https://", scheme)).unwrap_err();
        assert!(matches!(refused, NotHttps | NotPercentEncoded), "{scheme}: {refused}");
    }
}

#[test]
fn rejects_keys_that_clients_change() {
    for (key, reason) in [
        ("", InvalidKey),
        ("..", DotSegment),
        ("a/../b", DotSegment),
        ("a/./b", DotSegment),
        ("a/%2e%2E/b", DotSegment),
        ("a/%2e", DotSegment),
        ("a%2f..%2fb", DotSegment),
        ("a%FF", InvalidKey),
        ("a%", InvalidKey),
        ("a%2", InvalidKey),
        ("a%zz", InvalidKey),
        ("a+b", PlusSign),
        ("a b", NotPercentEncoded),
        ("a\"b", NotPercentEncoded),
        ("é", NotPercentEncoded),
    ] {
        assert_eq!(parse(&valid_url_with("a/b%20c.txt", key)).unwrap_err(), reason, "{key}");
    }
    assert_eq!(parse(&valid_url_with("a/b%20c.txt", &"k".repeat(1025))).unwrap_err(), InvalidKey);
    assert!(parse(&valid_url_with("a/b%20c.txt", &"k".repeat(1024))).is_ok());
    for key in ["...", "a//b", "/a", ".a", "a..", "%5C", "%3F%23", "%0D%0A"] {
        assert!(parse(&valid_url_with("a/b%20c.txt", key)).is_ok(), "{key}");
    }
}

#[test]
fn requires_a_complete_signature() {
    let good = valid_url_with("", "");
    let (before_query, query) = good.split_once('?').unwrap();
    let required = [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
    ];
    for name in required {
        let rest: Vec<_> = query.split('&').filter(|piece| !piece.starts_with(&format!("{name}="))).collect();
        assert_eq!(parse(&format!("{before_query}?{}", rest.join("&"))).unwrap_err(), MissingParameter(name));
    }
    assert_eq!(parse(before_query).unwrap_err(), MalformedQuery);
    // This remains if the URL was not encoded inside another URL.
    assert_eq!(parse(good.split('&').next().unwrap()).unwrap_err(), MissingParameter("X-Amz-SignedHeaders"));
    for piece in query.split('&') {
        assert_eq!(parse(&format!("{good}&{piece}")).unwrap_err(), DuplicateParameter, "{piece}");
    }
    assert_eq!(
        parse(&valid_url_with("X-Amz-Date=", "X-Amz-Date=1&X-Amz-D%61te=")).unwrap_err(),
        DuplicateParameter
    );
}

#[test]
fn rejects_invalid_signature_parameters() {
    const CREDENTIAL: &str = "ASIAIOSFODNN7EXAMPLE%2F20261123%2Fus-east-1%2Fs3%2Faws4_request";
    let signature = valid_url_with("", "").rsplit_once('=').unwrap().1.to_owned();
    for (from, to, reason) in [
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", InvalidParameter("X-Amz-Algorithm")),
        ("AWS4-HMAC-SHA256", "", InvalidParameter("X-Amz-Algorithm")),
        (CREDENTIAL, "", InvalidParameter("X-Amz-Credential")),
        (CREDENTIAL, "AKID%2F20261123%2Fus-east-1%2Fs3", InvalidParameter("X-Amz-Credential")),
        (
            CREDENTIAL,
            "AKID%2F20261123%2Fus-east-1%2Fsqs%2Faws4_request",
            InvalidParameter("X-Amz-Credential"),
        ),
        (
            CREDENTIAL,
            "AKID%2F20261123%2Fus-east-1%2Fs3%2Faws4_request%2F",
            InvalidParameter("X-Amz-Credential"),
        ),
        (CREDENTIAL, "AKID%2F20261123%2Fevil%2Fs3%2Faws4_request", InvalidParameter("X-Amz-Credential")),
        (CREDENTIAL, "%2F20261123%2Fus-east-1%2Fs3%2Faws4_request", InvalidParameter("X-Amz-Credential")),
        (
            CREDENTIAL,
            "A%0AB%2F20261123%2Fus-east-1%2Fs3%2Faws4_request",
            InvalidParameter("X-Amz-Credential"),
        ),
        ("20261123%2F", "20261122%2F", InvalidParameter("X-Amz-Credential")),
        ("us-east-1%2F", "us-west-2%2F", RegionMismatch),
        ("=20261123T193000Z", "=20261123T193000", InvalidParameter("X-Amz-Date")),
        ("=20261123T193000Z", "=20261323T193000Z", InvalidParameter("X-Amz-Date")),
        ("Expires=3600", "Expires=0", InvalidParameter("X-Amz-Expires")),
        ("Expires=3600", "Expires=604801", InvalidParameter("X-Amz-Expires")),
        ("Expires=3600", "Expires=-1", InvalidParameter("X-Amz-Expires")),
        ("Expires=3600", "Expires=03600", InvalidParameter("X-Amz-Expires")),
        ("Expires=3600", "Expires=NaN", InvalidParameter("X-Amz-Expires")),
        ("Expires=3600", "Expires=99999999999999999999", InvalidParameter("X-Amz-Expires")),
        ("SignedHeaders=host", "SignedHeaders=range", InvalidParameter("X-Amz-SignedHeaders")),
        ("SignedHeaders=host", "SignedHeaders=", InvalidParameter("X-Amz-SignedHeaders")),
        ("SignedHeaders=host", "SignedHeaders=Host", InvalidParameter("X-Amz-SignedHeaders")),
        ("SignedHeaders=host", "SignedHeaders=host;", InvalidParameter("X-Amz-SignedHeaders")),
        (&signature, "1", InvalidParameter("X-Amz-Signature")),
        (&signature, &"g".repeat(64), InvalidParameter("X-Amz-Signature")),
        (&signature, &signature.to_uppercase(), InvalidParameter("X-Amz-Signature")),
    ] {
        assert_eq!(parse(&valid_url_with(from, to)).unwrap_err(), reason, "{from} {to}");
    }
}

#[test]
fn rejects_other_parameters() {
    for (from, to, reason) in [
        ("versionId=v1", "partNumber=0", InvalidParameter("partNumber")),
        ("versionId=v1", "partNumber=10001", InvalidParameter("partNumber")),
        ("versionId=v1", "x-id=PutObject", InvalidParameter("x-id")),
        ("versionId=v1", "X-Amz-Content-Sha256=e3b0", InvalidParameter("X-Amz-Content-Sha256")),
        ("versionId=v1", "partNumber=%2B1", InvalidParameter("partNumber")),
        ("versionId=v1", "partNumber=01", InvalidParameter("partNumber")),
        ("versionId=v1", "x-id=HeadObject", InvalidParameter("x-id")),
        ("Expires=3600", "Expires=%2B3600", InvalidParameter("X-Amz-Expires")),
        ("versionId=v1", "x-amz-content-sha256=e3b0", InvalidParameter("X-Amz-Content-Sha256")),
        ("versionId=v1", "uploadId=1&partNumber=1", UnexpectedParameter),
        ("versionId=v1", "ACL=", UnexpectedParameter),
        ("versionId=v1", "tagging=", UnexpectedParameter),
        ("versionId=v1", "legal-hold=", UnexpectedParameter),
        ("versionId=v1", "attributes=", UnexpectedParameter),
        ("versionId=v1", "torrent=", UnexpectedParameter),
        ("versionId=v1", "versions=", UnexpectedParameter),
        ("versionId=v1", "lambdaArn=arn", UnexpectedParameter),
        ("versionId=v1", "X-Amz-Copy-Source=a%2Fb", UnexpectedParameter),
        ("versionId=v1", "X-Amz-Server-Side-Encryption-Customer-Key=k", UnexpectedParameter),
        ("versionId=v1", "X-AMZ-SIGNATURE=x", UnexpectedParameter),
        ("versionId=v1", "Expires=1", UnexpectedParameter),
        ("versionId=v1", "X-Amz-Request-Payer=requester&x-amz-request-payer=requester", DuplicateParameter),
        ("versionId=v1", "uploads=", UnexpectedParameter),
        ("versionId=v1", "acl=", UnexpectedParameter),
        ("versionId=v1", "list-type=2", UnexpectedParameter),
        ("versionId=v1", "x-amz-date=20261123T193000Z", DuplicateParameter),
        ("versionId=v1", "versionid=v1", UnexpectedParameter),
        ("versionId=v1", "uploads", MalformedQuery),
        ("versionId=v1", "", MalformedQuery),
        ("versionId=v1", "versionId=a+b", PlusSign),
        ("versionId=v1", "versionId=%", NotPercentEncoded),
        ("versionId=v1", "versionId=%FF", NotPercentEncoded),
        ("versionId=v1", "AWSAccessKeyId=AKID&Signature=x&Expires=1", SignatureV2),
    ] {
        assert_eq!(parse(&valid_url_with(from, to)).unwrap_err(), reason, "{from} {to}");
    }
    let version_2 = format!("https://{HOST}/k?AWSAccessKeyId=AKID&Signature=x&Expires=1");
    assert_eq!(parse(&version_2).unwrap_err(), SignatureV2);
}

#[test]
fn accepts_parameters_that_do_not_change_the_operation() {
    for (from, to) in [
        ("versionId=v1", "x-id=GetObject"),
        ("versionId=v1", "X-Amz-Content-Sha256=UNSIGNED-PAYLOAD"),
        ("versionId=v1", "x-amz-checksum-mode=ENABLED"),
        ("versionId=v1", "partNumber=10000"),
        ("versionId=v1", "X-Amz-Request-Payer=requester"),
        ("versionId=v1", "x-amz-request-payer=requester"),
        ("versionId=v1", "X-Amz-Checksum-Mode=ENABLED"),
        ("versionId=v1", "X-Amz-Expected-Bucket-Owner=111122223333"),
        ("versionId=v1", "x-amz-user-agent=aws-sdk-js"),
        ("versionId=v1", "response-future=x"),
        ("versionId=v1", "client=viewer%201"),
        ("versionId=v1", "response-content-type=text%2Fplain"),
        ("SignedHeaders=host", "SignedHeaders=host%3Brange"),
        ("%2F", "/"),
    ] {
        let url = valid_url_with(from, to);
        let parsed = parse(&url).unwrap_or_else(|error| panic!("{from} {to}: {error}"));
        assert!(to == "/" || parsed.location() == url, "{to}");
    }
}

#[test]
fn tells_what_a_request_with_the_link_needs() {
    let plain = parse(&valid_url_with("", "")).unwrap();
    assert!(plain.signs_only_host() && !plain.has_part_number());
    assert!(parse(&valid_url_with("versionId=v1", "partNumber=2")).unwrap().has_part_number());
    assert!(
        !parse(&valid_url_with("SignedHeaders=host", "SignedHeaders=host%3Brange"))
            .unwrap()
            .signs_only_host()
    );
}

#[test]
fn checks_start_and_end() {
    let good = valid_url_with("", "");
    let at = |now| PresignedUrl::parse(&good, now, &home_at("us-east-1")).map(|parsed| parsed.expires_at());
    assert_eq!(at(NOW - 901), Err(NotYetValid));
    assert_eq!(at(NOW - 900), Ok(NOW + 3600));
    assert_eq!(at(NOW + 3599), Ok(NOW + 3600));
    assert_eq!(at(NOW + 3600), Err(Expired(NOW + 3600)));
    assert_eq!(at(u64::MAX), Err(Expired(NOW + 3600)));
}

#[test]
fn rejects_long_urls() {
    let padded = |bytes: usize| {
        let good = valid_url_with("versionId=v1", "versionId=");
        good.replacen("versionId=", &format!("versionId={}", "v".repeat(bytes - good.len())), 1)
    };
    assert!(parse(&padded(8192)).is_ok());
    assert_eq!(parse(&padded(8193)).unwrap_err(), TooLong);
}

#[test]
fn matches_a_custom_endpoint_exactly() {
    let parse_at = |endpoint: &str, base: &str| {
        let custom: CustomEndpoint = endpoint.parse().unwrap();
        let home = S3Home::new("us-east-1".parse().unwrap(), Some(custom));
        PresignedUrl::parse(&valid_url_with(&format!("https://{HOST}"), base), NOW, &home)
            .map(|parsed| parsed.bucket().to_string())
    };
    let at = |base: &str| parse_at("http://127.0.0.1:9000", base);
    assert_eq!(at("http://127.0.0.1:9000/good").as_deref(), Ok("good"));
    // A bucket of this name at AWS is somebody else's.
    assert_eq!(at("https://good.s3.amazonaws.com"), Err(NotS3Host));
    let vpc = "https://bucket.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com";
    assert_eq!(parse_at(vpc, "https://good.s3.amazonaws.com").as_deref(), Ok("good"));
    assert_eq!(parse_at(vpc, &format!("{vpc}/good")).as_deref(), Ok("good"));
    assert_eq!(at("https://127.0.0.1:9000/good"), Err(Port));
    assert_eq!(at("http://127.0.0.1:9001/good"), Err(NotHttps));
    assert_eq!(at("http://127.0.0.1:90000/good"), Err(NotHttps));
    assert_eq!(at("http://127.0.0.1:9000@evil.example/good"), Err(NotHttps));
    assert_eq!(at("http://good.s3.amazonaws.com"), Err(NotHttps));
}

#[test]
fn errors_and_debug_output_do_not_repeat_the_url() {
    let url = valid_url_with("versionId=v1", "versionId=v1&acl=evil");
    let refused = parse(&url).unwrap_err().to_string();
    assert!(!refused.contains("evil") && !refused.contains("amazonaws"), "{refused}");
    let debug = format!("{:?}", parse(&valid_url_with("", "")).unwrap());
    assert!(debug.contains("good") && !debug.contains("Signature"), "{debug}");
}

proptest! {
    #[test]
    fn no_input_makes_the_parser_panic(url in any::<String>(), now in any::<u64>()) {
        let custom: CustomEndpoint = "http://127.0.0.1:9000".parse().unwrap();
        let home = S3Home::new("us-east-1".parse().unwrap(), Some(custom));
        prop_assert!(PresignedUrl::parse(&url, now, &home).is_err());
    }

    /// A mutated link is either rejected or still leads to the bucket and key that it states, on an S3 host.
    #[test]
    fn a_mutated_link_is_rejected_or_safe(at in 0..500_usize, len in 0..4_usize, text in "[ -~é\\r\\n]{0,4}") {
        let good = presign("a/b c.txt", &[("versionId", "v1")]).unwrap();
        let at = at.min(good.len());
        let url = format!("{}{text}{}", &good[..at], &good[(at + len).min(good.len())..]);
        if let Ok(parsed) = parse(&url) {
            let location = parsed.location();
            let (host, path) = location.strip_prefix("https://").unwrap().split_once('/').unwrap();
            prop_assert!(host.ends_with(".amazonaws.com"), "{}", location);
            let in_host = host.starts_with(&format!("{}.s3", parsed.bucket()));
            let in_path = path.starts_with(&format!("{}/", parsed.bucket()));
            prop_assert!(in_host || in_path, "{}", location);
            // Parsing is idempotent.
            let again = parse(location).unwrap();
            prop_assert_eq!(again.location(), location);
            prop_assert_eq!(again, parsed);
        }
    }
}
