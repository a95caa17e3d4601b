//! Making presigned URLs, and parsing them again.

use proptest::prelude::*;
use signing::s3::{
    Bucket, Credentials, CustomEndpoint, Endpoint, Method, PresignError, PresignRequest, PresignedUrl,
    Presigner, Region, S3Home, sigv4,
};

const NOW: u64 = 1_795_462_200;

fn home(endpoint: Option<CustomEndpoint>) -> S3Home {
    S3Home::new(Region::new("us-east-1").unwrap(), endpoint)
}

pub(crate) fn credentials() -> Credentials {
    let token = Some("IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVzLWVhc3QtMSJHMEUCIQ==+/".to_owned());
    Credentials::new("ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", token, None)
}

/// Presigns `key` in the bucket `good`, for an hour from `NOW`.
pub(crate) fn presign(key: &str, query: &[(&str, &str)]) -> Result<String, PresignError> {
    let (region, bucket) = (Region::new("us-east-1").unwrap(), Bucket::new("good").unwrap());
    let request = PresignRequest {
        method: Method::Get,
        region: &region,
        bucket: &bucket,
        key,
        query,
        expires_in: 3600,
    };
    Presigner::new(Endpoint::Aws).presign(&request, &credentials(), NOW)
}

#[test]
fn rejects_invalid_requests() {
    assert_eq!(presign("", &[]), Err(PresignError::InvalidKey));
    assert!(presign(&"é".repeat(512), &[]).is_ok());
    assert_eq!(presign(&format!("{}x", "é".repeat(512)), &[]), Err(PresignError::InvalidKey));
    assert_eq!(presign("a", &[("X-Amz-Expires", "9")]), Err(PresignError::ReservedParameter));

    let region = Region::new("us-east-1").unwrap();
    let sign = |expires_in, credentials: &Credentials, now| {
        let request = sigv4::SignableRequest {
            method: Method::Get,
            host: "h",
            path: "/",
            region: &region,
            query: &[],
            expires_in,
        };
        Presigner::default().sign(&request, credentials, now).map(|_| ())
    };
    assert_eq!(sign(604_800, &credentials(), NOW), Ok(()));
    for life in [0, 604_801, u32::MAX] {
        assert_eq!(sign(life, &credentials(), NOW), Err(PresignError::InvalidExpiresIn));
    }
    assert_eq!(sign(1, &credentials(), u64::MAX), Err(PresignError::InvalidTime));
    let ended = Credentials::new("a", "b", None, Some(NOW));
    assert_eq!(sign(1, &ended, NOW), Err(PresignError::CredentialsExpired));
    assert_eq!(sign(1, &ended, NOW - 1), Ok(()));
}

#[test]
fn a_presigner_shows_its_endpoint_and_no_keys() {
    let endpoint = Endpoint::Custom("http://127.0.0.1:9000".parse().unwrap());
    let presigner = Presigner::new(endpoint.clone());
    assert_eq!(presigner.endpoint(), &endpoint);
    let text = format!("{presigner:?}");
    assert!(text.contains("127.0.0.1:9000") && !text.contains("keys"), "{text}");
}

#[test]
fn sorts_query_parameters() {
    let url =
        presign("a", &[("versionId", "v/1"), ("Zebra", "1"), ("Apple", "2"), ("x-id", "GetObject")]).unwrap();
    let (_, query) = url.split_once('?').unwrap();
    let names: Vec<_> = query.split('&').map(|piece| piece.split('=').next().unwrap()).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    // The signature is not part of what is signed and comes last.
    sorted.retain(|name| *name != "X-Amz-Signature");
    sorted.push("X-Amz-Signature");
    assert_eq!(names, sorted);
    assert!(query.contains("versionId=v%2F1"));
}

/// A presigner with cached keys makes the same links as a new one, also around midnight.
#[test]
fn cached_signing_keys_give_the_same_links() {
    let (bucket, presigner) = (Bucket::new("good").unwrap(), Presigner::default());
    for region in ["us-east-1", "eu-west-1"] {
        for now in [NOW, NOW + 43_200, NOW, NOW + 86_400] {
            for secret in ["one", "two"] {
                let region = Region::new(region).unwrap();
                let credentials = Credentials::new("AKID", secret, None, None);
                let request = PresignRequest {
                    method: Method::Head,
                    region: &region,
                    bucket: &bucket,
                    key: "k",
                    query: &[],
                    expires_in: 60,
                };
                let fresh = Presigner::default().presign(&request, &credentials, now);
                assert_eq!(presigner.presign(&request, &credentials, now), fresh);
            }
        }
    }
}

/// Computes the signature of `url` as S3 does.
fn compute_signature(url: &str) -> String {
    let (_, rest) = url.split_once("://").unwrap();
    let (before_query, query) = rest.split_once('?').unwrap();
    let (host, path) = before_query.split_once('/').unwrap();
    let decode = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            let hex = |digit: Option<u8>| char::from(digit.unwrap()).to_digit(16).unwrap();
            bytes.push(if byte == b'%' {
                u8::try_from(hex(rest.next()) * 16 + hex(rest.next())).unwrap()
            } else {
                byte
            });
        }
        String::from_utf8(bytes).unwrap()
    };
    let pairs: Vec<(String, String)> = query
        .split('&')
        .map(|piece| piece.split_once('=').unwrap())
        .filter(|(name, _)| !name.starts_with("X-Amz-"))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    let pairs: Vec<(&str, &str)> =
        pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let request = sigv4::SignableRequest {
        method: Method::Get,
        host,
        path: &format!("/{path}"),
        region: &Region::new("us-east-1").unwrap(),
        query: &pairs,
        expires_in: 3600,
    };
    Presigner::default().sign(&request, &credentials(), NOW).unwrap().signature().to_owned()
}

proptest! {
    #[test]
    fn parses_its_own_links(key in "\\PC{1,60}", disposition in "\\PC{0,30}", version in "[A-Za-z0-9._/+ ]{1,32}") {
        let query = [("response-content-disposition", disposition.as_str()), ("versionId", version.as_str())];
        let url = presign(&key, &query).unwrap();
        prop_assert!(url.is_ascii());
        match PresignedUrl::parse(&url, NOW, &home(None)) {
            Ok(parsed) => {
                prop_assert_eq!(parsed.location(), &url);
                prop_assert_eq!(parsed.key(), &key);
                prop_assert_eq!(parsed.version_id(), Some(version.as_str()));
                prop_assert_eq!(parsed.expires_at(), NOW + 3600);
                prop_assert!(url.ends_with(&compute_signature(parsed.location())));
            }
            // Clients resolve dot segments, so such keys can be signed, but not requested.
            Err(_) => prop_assert!(key.split('/').any(|segment| matches!(segment, "." | ".."))),
        }
    }

    /// Another spelling of the same link becomes canonical. The signature stays valid.
    #[test]
    fn canonicalizes_other_spellings(key in "[a-z()!/*',;:@&$=-]{1,40}") {
        let url = presign(&key, &[]).unwrap();
        let (before_query, query) = url.split_once('?').unwrap();
        let (host, _) = before_query.strip_prefix("https://").unwrap().split_once('/').unwrap();
        let lower = query.replace("%2F", "%2f").replace("X-Amz-SignedHeaders", "%58-Amz-SignedHeaders");
        let spelled = format!("https://{host}/{key}?{lower}");
        let parsed = PresignedUrl::parse(&spelled, NOW, &home(None)).unwrap();
        prop_assert_eq!(parsed.location(), url);
    }

    #[test]
    fn parses_links_to_a_custom_endpoint(key in "[a-z0-9 é/]{1,40}", port in 1..=65535_u16) {
        let custom: CustomEndpoint = format!("http://127.0.0.1:{port}").parse().unwrap();
        let presigner = Presigner::new(Endpoint::Custom(custom.clone()));
        let request = PresignRequest {
            method: Method::Get,
            region: &Region::new("us-east-1").unwrap(),
            bucket: &Bucket::new("my.bucket").unwrap(),
            key: &key,
            query: &[],
            expires_in: 3600,
        };
        let url = presigner.presign(&request, &credentials(), NOW).unwrap();
        let parsed = PresignedUrl::parse(&url, NOW, &home(Some(custom))).unwrap();
        prop_assert_eq!((parsed.bucket().as_str(), parsed.key()), ("my.bucket", key.as_str()));
        prop_assert_eq!(parsed.location(), &url);
        prop_assert!(PresignedUrl::parse(&url, NOW, &home(None)).is_err());
    }
}
