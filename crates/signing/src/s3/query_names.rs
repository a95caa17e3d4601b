//! The query parameters that turn a request for an object into another operation.
//!
//! S3 chooses the operation by the method, the path and these names (*Amazon S3 API Reference*, "Operations"). All else in a
//! query is ignored by S3 or concerns the read only. Whoever adds it to a link breaks the signature, which covers the whole
//! query.

/// Sub-resources and operations, and the parameters of listings, in lower case.
const OPERATIONS: [&str; 60] = [
    // Of objects.
    "acl",
    "append",
    "attributes",
    "delete",
    "encryption",
    "lambdaarn",
    "legal-hold",
    "max-parts",
    "part-number-marker",
    "renameobject",
    "restore",
    "retention",
    "select",
    "select-type",
    "tagging",
    "torrent",
    "uploadid",
    "uploads",
    // Of buckets.
    "abac",
    "accelerate",
    "analytics",
    "cors",
    "intelligent-tiering",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metadataconfiguration",
    "metadatainventorytable",
    "metadatajournaltable",
    "metadatatable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipcontrols",
    "policy",
    "policystatus",
    "publicaccessblock",
    "replication",
    "requestpayment",
    "session",
    "versioning",
    "versions",
    "website",
    // Of listings.
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "key-marker",
    "list-type",
    "marker",
    "max-buckets",
    "max-directory-buckets",
    "max-keys",
    "max-uploads",
    "prefix",
    "start-after",
    "upload-id-marker",
    "version-id-marker",
    // Of Signature Version 2, beside those that identify it.
    "expires",
];

/// How headers of writes begin, in lower case: SDKs put `x-amz-*` headers into the query of a link. S3 takes the keys of
/// SSE-C in headers only.
const WRITE_HEADERS: [&str; 12] = [
    "x-amz-acl",
    "x-amz-bypass-governance-retention",
    "x-amz-copy-source",
    "x-amz-grant-",
    "x-amz-meta-",
    "x-amz-mfa",
    "x-amz-object-lock-",
    "x-amz-rename-source",
    "x-amz-server-side-encryption",
    "x-amz-tagging",
    "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes",
];

/// Whether a parameter asks for anything but reading the object. S3 compares case; a server in its place may not.
pub(super) fn changes_operation(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    OPERATIONS.contains(&name.as_str()) || WRITE_HEADERS.iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_in_lower_case() {
        assert!(
            OPERATIONS.iter().chain(&WRITE_HEADERS).all(|name| !name.bytes().any(|b| b.is_ascii_uppercase()))
        );
    }

    #[test]
    fn names_are_compared_without_case() {
        for name in ["acl", "ACL", "uploadId", "X-Amz-Copy-Source-Range", "x-amz-meta-title"] {
            assert!(changes_operation(name), "{name}");
        }
        for name in
            ["versionId", "x-amz-request-payer", "X-Amz-Expected-Bucket-Owner", "acls", "response-expires"]
        {
            assert!(!changes_operation(name), "{name}");
        }
    }
}
