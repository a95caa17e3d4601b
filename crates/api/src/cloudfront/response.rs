//! The answers of `GET /packages/cloudfront/sign`.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// A link to one asset, or to a directory.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum SignResponse {
    Asset(LinkResponse),
    Directory(DirectoryLinkResponse),
}

/// A signed link.
#[derive(Serialize, ToSchema)]
// `additionalProperties: false` in the document: otherwise the answer for a directory would be both of `oneOf`.
#[serde(deny_unknown_fields)]
#[schema(as = SignedLink)]
pub(super) struct LinkResponse {
    /// The link. Anyone who has it can read the asset.
    #[schema(format = "uri")]
    pub(super) signed_url: String,
    /// When the link expires, in seconds since the Unix epoch.
    #[schema(example = 1_795_522_730)]
    pub(super) expires_at: u64,
}

/// A signed link to everything beneath a directory. Anyone who has one of its forms can read all of it.
#[derive(Serialize, ToSchema)]
#[schema(as = SignedDirectoryLink)]
pub(super) struct DirectoryLinkResponse {
    /// The directory's URL, which ends in a slash, with `query`. It is a base for stores that copy the query of their base
    /// URL to each object. It is no object itself.
    #[schema(format = "uri")]
    pub(super) signed_url: String,
    /// When the link expires, in seconds since the Unix epoch.
    #[schema(example = 1_795_522_730)]
    pub(super) expires_at: u64,
    /// What the link opens: the directory's URL, percent-encoded, and a star.
    #[schema(example = "https://d111111abcdef8.cloudfront.net/O1/D2/P3/image.ome.zarr/*")]
    pub(super) resource: String,
    /// The query to append, after a `?`, to the URL of any object beneath the directory.
    #[schema(
        example = "Policy=eyJTdGF0ZW1lbnQiOl…&Signature=MEUCIQ…&Key-Pair-Id=K2JCJMDEHXQW5F&Hash-Algorithm=SHA256"
    )]
    pub(super) query: String,
    /// The same as cookies: their values by their names.
    #[schema(example = json!({
        "CloudFront-Policy": "eyJTdGF0ZW1lbnQiOl…", "CloudFront-Signature": "MEUCIQ…",
        "CloudFront-Key-Pair-Id": "K2JCJMDEHXQW5F", "CloudFront-Hash-Algorithm": "SHA256",
    }))]
    pub(super) cookies: BTreeMap<&'static str, String>,
}
