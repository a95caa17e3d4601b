//! The members of a manifest.

use packages::manifest::{ManifestFile, SkipReason, SkippedPackage};
use serde::Serialize;
use utoipa::ToSchema;

/// A manifest, or a page of one. Its members come in this order.
#[derive(Serialize, ToSchema)]
#[schema(as = Manifest)]
pub(crate) struct ManifestResponse {
    header: ManifestHeader,
    /// The files, ordered by folder, package and file id.
    data: Vec<ManifestEntry<'static>>,
    /// The files that did not pass the malware scan.
    blocked: Vec<BlockedEntry<'static>>,
    /// The packages that are left out. At most 1,000 of those that were not requested by their id.
    skipped: Vec<SkippedEntry<'static>>,
    /// The `cursor` of the next page. Null at the end.
    #[schema(required)]
    next: Option<String>,
}

/// The totals of all files that the request selects, also on a page.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ManifestHeader {
    /// The number of files with links.
    pub(super) count: usize,
    /// Their size in bytes. A file of unknown size counts as 0.
    pub(super) size: u64,
    /// The number of files in `blocked`.
    #[serde(rename = "blockedCount", skip_serializing_if = "is_zero")]
    pub(super) blocked_count: usize,
    /// Until when all links of this response work, in seconds since the Unix epoch. Absent if there is no link.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1_795_522_730)]
    pub(super) expires_at: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A file. No `Debug`: it has the link.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ManifestEntry<'a> {
    /// The node id of its package.
    #[schema(example = "N:package:032be5f6-8fb6-4b81-b783-615180ba7849")]
    node_id: &'a str,
    /// The name under which the link saves the file.
    #[schema(example = "recording.edf")]
    file_name: &'a str,
    /// The name of its package.
    #[schema(example = "recording")]
    package_name: &'a str,
    /// The names of the folders from the requested package down, and of a package with several files.
    path: Vec<&'a str>,
    /// The link. Anyone who has it can read the file.
    #[schema(format = "uri")]
    url: &'a str,
    /// The size in bytes; 0 if the database does not have it.
    size: u64,
    /// The extension, without its dot.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_extension: Option<&'a str>,
    /// The status of the malware scan, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    scan_status: Option<&'a str>,
    /// The checksum that was recorded at the upload, as the platform stores it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    checksum: Option<&'a serde_json::Value>,
}

/// A file without a link.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BlockedEntry<'a> {
    /// The node id of its package.
    node_id: &'a str,
    /// Its name.
    file_name: &'a str,
    /// The name of its package.
    package_name: &'a str,
    /// The status of the malware scan.
    scan_status: &'a str,
}

/// A package that is left out.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SkippedEntry<'a> {
    /// The node id, as requested.
    node_id: &'a str,
    /// Why it is left out.
    #[schema(example = "restoring")]
    reason: &'static str,
}

impl<'a> ManifestEntry<'a> {
    pub(super) fn new(file: &'a ManifestFile, url: &'a str, size: Option<u64>) -> Self {
        Self {
            node_id: &file.package_node_id,
            file_name: file.file_name.as_str(),
            package_name: &file.package_name,
            path: file.path.iter().map(packages::file_name::FileName::as_str).collect(),
            url,
            size: size.unwrap_or(0),
            file_extension: file.extension.as_deref(),
            scan_status: file.scan_status.as_deref(),
            checksum: file.checksum.as_ref(),
        }
    }

    /// The path of the file on a disk.
    pub(super) fn relative_path(&self) -> String {
        let names = self.path.iter().chain([&self.file_name]).copied();
        names.collect::<Vec<&str>>().join("/")
    }

    pub(super) fn url(&self) -> &str {
        self.url
    }
}

impl<'a> BlockedEntry<'a> {
    pub(super) fn new(file: &'a ManifestFile) -> Self {
        Self {
            node_id: &file.package_node_id,
            file_name: file.file_name.as_str(),
            package_name: &file.package_name,
            // A package can be infected as a whole.
            scan_status: file.scan_status.as_deref().unwrap_or("infected"),
        }
    }
}

impl<'a> SkippedEntry<'a> {
    pub(super) fn new(package: &'a SkippedPackage) -> Self {
        let reason = match package.reason {
            SkipReason::NotFound => "not-found",
            SkipReason::InTrash => "in-trash",
            SkipReason::Restoring => "restoring",
            SkipReason::Unavailable => "unavailable",
            SkipReason::NoStoredFile => "no-stored-file",
        };
        Self { node_id: &package.node_id, reason }
    }
}
