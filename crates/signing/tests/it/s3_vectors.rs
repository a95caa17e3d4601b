//! Presigned URLs against test vectors: the canonical request and the signature, in every form of host.

use signing::s3::{
    Bucket, Credentials, Endpoint, Method, PresignRequest, PresignedUrl, PresignedUrlError, Presigner,
    Region, S3Home, sigv4,
};

use crate::vectors::{S3Vector, load_s3_partition_vectors, load_s3_vectors};

impl S3Vector {
    fn credentials(&self) -> Credentials {
        Credentials::new(&self.access_key_id, &self.secret_access_key, self.session_token.clone(), None)
    }

    pub(crate) fn now(&self) -> u64 {
        match self.amz_date.as_str() {
            "20261123T193000Z" => 1_795_462_200,
            "20270101T000000Z" => 1_798_761_600,
            "20130524T000000Z" => 1_369_353_600,
            other => panic!("{other}"),
        }
    }

    fn method(&self) -> Method {
        if self.method == "HEAD" { Method::Head } else { Method::Get }
    }

    /// The query parameters. The vectors use the SDK's names, not those on the wire.
    fn query(&self) -> Vec<(&'static str, String)> {
        let name = |name: &str| match name {
            "ResponseContentDisposition" => "response-content-disposition",
            "ResponseContentType" => "response-content-type",
            "VersionId" => "versionId",
            "PartNumber" => "partNumber",
            other => panic!("{other}"),
        };
        let text =
            |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.params.iter().map(|(key, value)| (name(key), text(value))).collect()
    }
}

fn borrowed<'a>(query: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    query.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[test]
fn canonical_requests_and_signatures_equal_the_vectors() {
    let presigner = Presigner::default();
    for vector in load_s3_vectors().vectors {
        let query = vector.query();
        let region = Region::new(&vector.region).unwrap();
        let request = sigv4::SignableRequest {
            method: vector.method(),
            host: &vector.host,
            path: &vector.path,
            region: &region,
            query: &borrowed(&query),
            expires_in: vector.expires_in,
        };
        let signed = presigner.sign(&request, &vector.credentials(), vector.now()).unwrap();
        assert_eq!(signed.canonical_request(), vector.canonical_request, "{}", vector.id);
        assert_eq!(signed.signature(), vector.signature, "{}", vector.id);
    }
}

/// Where the presigner chooses the vector's host, its link has the vector's path and signature.
#[test]
fn presigned_urls_equal_the_vectors() {
    let mut compared = 0;
    for vector in load_s3_vectors().vectors {
        let endpoint = match &vector.endpoint {
            Some(base) => Endpoint::Custom(base.parse().unwrap()),
            None => Endpoint::Aws,
        };
        let query = vector.query();
        let request = PresignRequest {
            method: vector.method(),
            region: &Region::new(&vector.region).unwrap(),
            bucket: &Bucket::new(&vector.bucket).unwrap(),
            key: &vector.key,
            query: &borrowed(&query),
            expires_in: vector.expires_in,
        };
        let url = Presigner::new(endpoint).presign(&request, &vector.credentials(), vector.now()).unwrap();
        assert!(
            url.contains(&format!("{}?", vector.path.trim_start_matches("/examplebucket"))),
            "{}",
            vector.id
        );
        if url.contains(&format!("://{}/", vector.host)) {
            assert!(url.ends_with(&format!("&X-Amz-Signature={}", vector.signature)), "{}", vector.id);
            compared += 1;
        }
    }
    assert!(compared >= 13, "{compared}");
}

/// In every partition, a presigner without a custom endpoint chooses the host and path of botocore, and a link of botocore
/// is parsed where the service is in the same partition.
#[test]
fn hosts_equal_the_vectors_in_every_partition() {
    for vector in load_s3_partition_vectors().vectors {
        let query = vector.query();
        let request = PresignRequest {
            method: vector.method(),
            region: &Region::new(&vector.region).unwrap(),
            bucket: &Bucket::new(&vector.bucket).unwrap(),
            key: &vector.key,
            query: &borrowed(&query),
            expires_in: vector.expires_in,
        };
        let url = Presigner::default().presign(&request, &vector.credentials(), vector.now()).unwrap();
        let begin = format!("https://{}{}?", vector.host, vector.path);
        assert!(url.starts_with(&begin), "{}: {url}", vector.id);
        assert!(url.ends_with(&format!("&X-Amz-Signature={}", vector.signature)), "{}", vector.id);

        let home = S3Home::new(request.region.clone(), None);
        let parsed = PresignedUrl::parse(&vector.url, vector.now(), &home).unwrap();
        assert_eq!((parsed.bucket(), parsed.region()), (request.bucket, request.region), "{}", vector.id);
        assert_eq!(parsed.location(), vector.url, "{}", vector.id);

        let elsewhere = S3Home::new(Region::new("us-iso-east-1").unwrap(), None);
        let refused = PresignedUrl::parse(&vector.url, vector.now(), &elsewhere);
        assert_eq!(refused.unwrap_err(), PresignedUrlError::OtherPartition, "{}", vector.id);
    }
}

/// botocore orders parameters differently. Its links are parsed, and keep their order and signature.
#[test]
fn parses_links_of_botocore() {
    for vector in load_s3_vectors().vectors {
        let custom = match vector.endpoint.as_deref() {
            Some(base) if !vector.host.starts_with(&vector.bucket) => Some(base.parse().unwrap()),
            Some(_) => continue, // a custom endpoint has the bucket in the path
            None => None,
        };
        let home = S3Home::new(Region::new(&vector.region).unwrap(), custom);
        let parsed = PresignedUrl::parse(&vector.url, vector.now(), &home);
        if vector.key.contains("/./") {
            assert!(parsed.is_err(), "{}", vector.id);
            continue;
        }
        let parsed = parsed.unwrap_or_else(|error| panic!("{}: {error}", vector.id));
        assert_eq!(parsed.location(), vector.url, "{}", vector.id);
        assert_eq!(parsed.bucket().as_str(), vector.bucket, "{}", vector.id);
        assert_eq!(parsed.key(), vector.key, "{}", vector.id);
        assert_eq!(parsed.region().as_str(), vector.region, "{}", vector.id);
        assert_eq!(parsed.expires_at(), vector.now() + u64::from(vector.expires_in), "{}", vector.id);
    }
}
