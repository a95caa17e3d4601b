//! The objects that links lead to.
//!
//! A package of another dataset looks like a missing one: both are [`LinkError::PackageNotFound`].

use crate::{
    access::{DatasetAccess, ViewFiles},
    asset::{AssetDirectory, AssetPath},
    db::{
        OtherPackage, PackageSource, PrefetchedPackage, SourceFile, find_package_source, find_package_sources,
    },
    file_name::FileName,
    id::PackageNodeId,
    package::PackageState,
};
use database::Db;
use signing::s3::Bucket;

/// Where an object is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The bucket.
    pub bucket: Bucket,
    /// The key as S3 has it, not encoded.
    pub key: String,
    /// The version; `None` for the newest.
    pub version: Option<String>,
}

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The dataset has no package with this id.
    #[error("package not found in this dataset")]
    PackageNotFound,
    /// The package is in the trash, or on its way in or out of it, or its upload is not complete, or its state is not known here.
    #[error("the package is not available: it is in the trash, or its files are not there yet")]
    NotLive,
    /// The package is a folder or has no stored file.
    #[error("the package has no stored file")]
    NoStoredFile,
    /// The malware scan found something or failed, or its result is not known here.
    #[error("the file did not pass the malware scan")]
    FailedScan,
    /// A statement failed.
    #[error(transparent)]
    Database(#[from] database::Error),
}

/// The file that a link is requested for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRequest {
    /// The package.
    pub package: PackageNodeId,
    /// The path of a viewer asset; `None` for the newest source file.
    pub path: Option<AssetPath>,
}

/// A file that a link leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedFile {
    /// Where it is stored.
    pub location: Location,
    /// The name under which it is downloaded.
    pub name: FileName,
    /// The size in bytes; `None` if the database does not have it.
    pub size: Option<u64>,
}

/// Looks up one package for a caller who may view the files of its dataset. One statement, or none if the package was looked up
/// with the decision on their access.
#[derive(Debug)]
pub struct PackageLookup<'a> {
    /// The database.
    pub db: &'a Db,
    /// The caller's access to the dataset.
    pub access: &'a DatasetAccess<ViewFiles>,
    /// The package, if it was looked up already. Another one is ignored.
    pub prefetched: Option<PrefetchedPackage>,
}

impl PackageLookup<'_> {
    /// Finds the file of a request. It does not ask S3 whether the object exists.
    pub async fn find_file(
        self,
        viewer_assets: &Bucket,
        request: &LinkRequest,
    ) -> Result<LinkedFile, LinkError> {
        let access = self.access;
        let source = self.find_source(&request.package).await?;
        resolve_request(access, viewer_assets, request, source.as_ref())
    }

    /// Finds the location of a viewer asset in the assets bucket. It does not ask whether the object exists.
    pub async fn find_asset(
        self,
        package: &PackageNodeId,
        bucket: &Bucket,
        path: &AssetPath,
    ) -> Result<Location, LinkError> {
        let request = LinkRequest { package: package.clone(), path: Some(path.clone()) };
        Ok(self.find_file(bucket, &request).await?.location)
    }

    /// Finds the beginning of the keys of a directory in the assets bucket. It does not ask whether anything is there.
    pub async fn find_asset_prefix(
        self,
        package: &PackageNodeId,
        directory: &AssetDirectory,
    ) -> Result<String, LinkError> {
        let access = self.access;
        let source = self.find_source(package).await?;
        let source = require_readable(source.as_ref())?;
        Ok(directory.key_prefix(access.workspace(), access.dataset(), source.package))
    }

    async fn find_source(self, package: &PackageNodeId) -> Result<Option<PackageSource>, database::Error> {
        let Self { db, access, prefetched } = self;
        match prefetched.map(|prefetched| prefetched.into_source(access, package)) {
            Some(Ok(source)) => Ok(source),
            None | Some(Err(OtherPackage)) => find_package_source(db, access, package).await,
        }
    }
}

/// Finds the files of many requests, in their order. One statement. Packages may be repeated.
pub async fn find_linked_files(
    db: &Db,
    access: &DatasetAccess<ViewFiles>,
    viewer_assets: &Bucket,
    requests: &[&LinkRequest],
) -> Result<Vec<Result<LinkedFile, LinkError>>, database::Error> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let packages: Vec<&PackageNodeId> = requests.iter().map(|request| &request.package).collect();
    let sources = find_package_sources(db, access, &packages).await?;
    let resolve = |request: &&LinkRequest| {
        resolve_request(access, viewer_assets, request, sources.get(request.package.as_str()))
    };
    Ok(requests.iter().map(resolve).collect())
}

fn resolve_request(
    access: &DatasetAccess<ViewFiles>,
    viewer_assets: &Bucket,
    request: &LinkRequest,
    source: Option<&PackageSource>,
) -> Result<LinkedFile, LinkError> {
    let source = require_readable(source)?;
    match &request.path {
        Some(path) => {
            let key = path.object_key(access.workspace(), access.dataset(), source.package);
            let location = Location { bucket: viewer_assets.clone(), key, version: None };
            Ok(LinkedFile { location, name: FileName::from_file(path.file_name()), size: None })
        }
        None => source.file.clone().ok_or(LinkError::NoStoredFile).and_then(locate_source_file),
    }
}

pub(crate) fn locate_source_file(file: SourceFile) -> Result<LinkedFile, LinkError> {
    let SourceFile { bucket, key, version, name, size } = file;
    let bucket = Bucket::new(bucket).map_err(|_| LinkError::NoStoredFile)?;
    Ok(LinkedFile { location: Location { bucket, key, version }, name, size })
}

fn require_readable(source: Option<&PackageSource>) -> Result<&PackageSource, LinkError> {
    let source = source.ok_or(LinkError::PackageNotFound)?;
    check_readable(source.state, source.scan_status.as_deref())?;
    Ok(source)
}

/// The states of a malware scan, in lower case, in which a file may be read. The platform has two more, `infected` and `failed`
/// (contract §12.3). A state that it adds later is refused.
pub(crate) const READABLE_SCANS: [&str; 6] =
    ["pending", "scanning", "clean", "format_validated", "unscanned", "not_required"];

/// A package is readable if its state is, and its newest source file was not found to be unsafe. The scan counts for viewer
/// assets, too: they are derived from that file.
pub(crate) fn check_readable(state: PackageState, scan_status: Option<&str>) -> Result<(), LinkError> {
    let is_unsafe = |status: &str| !READABLE_SCANS.iter().any(|good| status.eq_ignore_ascii_case(good));
    match state {
        PackageState::Infected => Err(LinkError::FailedScan),
        state if !state.is_readable() => Err(LinkError::NotLive),
        _ if scan_status.is_some_and(is_unsafe) => Err(LinkError::FailedScan),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Ok`, or the refusal's text up to the colon.
    fn checked(state: &str, scan_status: Option<&str>) -> String {
        let result = check_readable(PackageState::from_column(state), scan_status);
        result
            .map_or_else(|error| error.to_string(), |()| "Ok".to_owned())
            .split(':')
            .next()
            .unwrap()
            .to_owned()
    }

    #[test]
    fn only_live_packages_are_readable() {
        for state in ["READY", "UPLOADED", "PROCESSING", "RUNNING", "PROCESSING_FAILED"] {
            assert_eq!(checked(state, None), "Ok", "{state}");
        }
        for state in
            ["DELETED", "DELETING", "RESTORING", "UNAVAILABLE", "UPLOAD_FAILED", "ERROR", "ARCHIVED", ""]
        {
            assert_eq!(checked(state, None), "the package is not available", "{state}");
            assert_eq!(checked(state, Some("infected")), "the package is not available", "{state}");
        }
        assert_eq!(checked("INFECTED", None), "the file did not pass the malware scan");
    }

    #[test]
    fn files_that_did_not_pass_the_scan_are_not_readable() {
        for status in ["infected", "failed", "INFECTED", "Failed", "quarantined", ""] {
            assert_eq!(checked("READY", Some(status)), "the file did not pass the malware scan", "{status}");
        }
        for status in
            ["clean", "pending", "scanning", "format_validated", "unscanned", "not_required", "CLEAN"]
        {
            assert_eq!(checked("READY", Some(status)), "Ok", "{status}");
        }
    }
}
