//! CloudFront signed URLs and cookies, and S3 presigned URLs.
//!
//! Every function is pure: nothing reads a clock, the environment or the network. The time is always a parameter, in
//! Unix seconds, so that tests can freeze it.
//!
//! | module | signs | parses and verifies |
//! | --- | --- | --- |
//! | [`cloudfront`] | URLs and cookies, canned and custom policies, RSA-2048 and ECDSA P-256 | the same, as the CDN does |
//! | [`s3`] | `GET` and `HEAD` URLs, by `SigV4` in the query | untrusted presigned URLs, strictly, without the secret |
//!
//! # CloudFront
//!
//! ```
//! use signing::cloudfront::{CustomPolicy, HashAlgorithm, KeyPairId, PrivateKey, Signer, Verifier};
//!
//! let id = KeyPairId::new("K2JCJMDEHXQW5F")?;
//! let key = PrivateKey::generate_p256()?;
//! let verifier = Verifier::new().with_key(id.clone(), key.public_key()?);
//! let signer = Signer::new(id, key, HashAlgorithm::Sha256);
//!
//! // One object, until a given second.
//! let url = signer.sign_canned_url("https://d111111abcdef8.cloudfront.net/image.jpg", 1_767_290_400)?;
//! assert_eq!(verifier.verify_url(&url, 1_767_290_399, None)?.expires_at, 1_767_290_400);
//! assert!(verifier.verify_url(&url, 1_767_290_400, None).is_err());
//!
//! // Every object below a folder. The slash before the star excludes the sibling `P456`.
//! let policy = CustomPolicy::new("https://d111111abcdef8.cloudfront.net/P45/*", 1_767_290_400)?;
//! let query = signer.sign_custom_query(&policy)?;
//! let chunk = format!("https://d111111abcdef8.cloudfront.net/P45/0/0/0?{query}");
//! assert!(verifier.verify_url(&chunk, 1_767_290_000, None).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # S3
//!
//! ```
//! use signing::s3::{Bucket, Credentials, Endpoint, Method, PresignRequest, PresignedUrl, Presigner, Region, S3Home};
//!
//! let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None, None);
//! let (region, bucket) = (Region::new("us-east-1")?, Bucket::new("examplebucket")?);
//! let now = 1_767_200_000;
//!
//! let presigner = Presigner::new(Endpoint::Aws);
//! let request = PresignRequest {
//!     method: Method::Get,
//!     region: &region,
//!     bucket: &bucket,
//!     key: "photos/cat 1.jpg",
//!     query: &[("response-content-disposition", "attachment")],
//!     expires_in: 3600,
//! };
//! let url = presigner.presign(&request, &credentials, now)?;
//! assert!(url.starts_with("https://examplebucket.s3.us-east-1.amazonaws.com/photos/cat%201.jpg?"));
//!
//! // A proxy parses the link that a client sends.
//! let parsed = PresignedUrl::parse(&url, now, &S3Home::new(region, None))?;
//! assert_eq!((parsed.bucket(), parsed.key(), parsed.expires_at()), (&bucket, "photos/cat 1.jpg", now + 3600));
//! assert_eq!(parsed.location(), url);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod authority;
pub mod cloudfront;
pub mod percent;
pub mod s3;

pub use authority::is_host_and_port;
