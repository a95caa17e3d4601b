//! Links that expire: CloudFront signed URLs and cookies, and S3 presigned URLs.
//!
//! Everything here is a pure function of its arguments. Nothing reads a clock, the environment or the network,
//! so the time is always a parameter, in Unix seconds, and every result can be tested with a frozen clock.
//!
//! | module | makes | reads |
//! | --- | --- | --- |
//! | [`cloudfront`] | signed URLs and cookies, canned and custom policies, RSA-2048 and ECDSA P-256 | the same, as the CDN does |
//! | [`s3`] | `SigV4` query-signed `GET` and `HEAD` links | such a link from a stranger, strictly |
//!
//! # CloudFront
//!
//! ```
//! use signing::cloudfront::{CustomPolicy, Hash, KeyPairId, PrivateKey, Signer, Verifier};
//!
//! let id = KeyPairId::new("K2JCJMDEHXQW5F")?;
//! let key = PrivateKey::generate_p256()?;
//! let verifier = Verifier::new().with_key(id.clone(), key.public_key()?);
//! let signer = Signer::new(id, key, Hash::Sha256);
//!
//! // One object, until a given second.
//! let url = signer.sign_canned("https://d111111abcdef8.cloudfront.net/image.jpg", 1_767_290_400)?;
//! assert_eq!(verifier.verify(&url, 1_767_290_399, None)?.expires_at, 1_767_290_400);
//! assert!(verifier.verify(&url, 1_767_290_400, None).is_err());
//!
//! // Everything beneath a folder: the slash before the star keeps the neighbour `P456` out.
//! let policy = CustomPolicy::new("https://d111111abcdef8.cloudfront.net/P45/*", 1_767_290_400)?;
//! let query = signer.custom_query(&policy)?;
//! let chunk = format!("https://d111111abcdef8.cloudfront.net/P45/0/0/0?{query}");
//! assert!(verifier.verify(&chunk, 1_767_290_000, None).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # S3
//!
//! ```
//! use signing::s3::{Bucket, Credentials, Endpoint, Method, PresignRequest, PresignedUrl, Presigner, Region};
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
//! // What a proxy does with a link that somebody hands in.
//! let parsed = PresignedUrl::parse(&url, now, None)?;
//! assert_eq!((parsed.bucket(), parsed.key(), parsed.expires_at()), (&bucket, "photos/cat 1.jpg", now + 3600));
//! assert_eq!(parsed.location(), url);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod cloudfront;
mod percent;
pub mod s3;

pub use percent::{decode_bytes, encode, encode_key};
