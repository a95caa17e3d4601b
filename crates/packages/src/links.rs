//! Which object a link may lead to.
//!
//! Nothing is said about packages of other datasets: a package that is not in the caller's dataset does not exist.

use std::fmt;

use crate::{
    access::{DatasetAccess, ViewFiles},
    asset::AssetPath,
    db::{NewestSource, find_newest_source},
    id::PackageNodeId,
    package::PackageState,
};
use database::{self, Db};
use signing::s3::Bucket;

/// Where an object lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The bucket.
    pub bucket: Bucket,
    /// The key, as S3 knows it: not encoded.
    pub key: String,
    /// The one version that is meant; the newest where `None`.
    pub version: Option<String>,
}

/// Why there is no link.
#[derive(Debug)]
pub enum LinkError {
    /// No such package in the dataset.
    NoPackage,
    /// The package is not there to be read: in the trash, or on its way in or out of it.
    NotLive,
    /// The package is a folder or has no stored file.
    NoFile,
    /// The malware scan found something, or failed.
    Unsafe,
    /// Postgres.
    Db(database::Error),
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPackage => "there is no such package in this dataset",
            Self::NotLive => {
                "the package is not available: it is in the trash, or its files are not there yet"
            }
            Self::NoFile => "the package has no stored file",
            Self::Unsafe => "the file did not pass the malware scan",
            Self::Db(error) => return error.fmt(f),
        })
    }
}

impl std::error::Error for LinkError {}

impl From<database::Error> for LinkError {
    fn from(error: database::Error) -> Self {
        Self::Db(error)
    }
}

/// The newest source file of a package. One statement.
pub async fn find_source_file(
    db: &Db,
    access: &DatasetAccess<ViewFiles>,
    package: &PackageNodeId,
) -> Result<Location, LinkError> {
    let found = find_readable(db, access, package).await?;
    let (bucket, key, version) = found.file.ok_or(LinkError::NoFile)?;
    let bucket = Bucket::new(bucket).map_err(|_| LinkError::NoFile)?;
    Ok(Location { bucket, key, version })
}

/// A viewer asset of a package. One statement; whether the object exists is not asked.
pub async fn find_viewer_asset(
    db: &Db,
    access: &DatasetAccess<ViewFiles>,
    package: &PackageNodeId,
    (bucket, path): (&Bucket, &AssetPath),
) -> Result<Location, LinkError> {
    let found = find_readable(db, access, package).await?;
    let key = path.key(access.workspace(), access.dataset(), found.package);
    Ok(Location { bucket: bucket.clone(), key, version: None })
}

/// A package that may be read: live, and its newest source file found clean. What is derived from a file that did not
/// pass the scan is no better than the file.
async fn find_readable(
    db: &Db,
    access: &DatasetAccess<ViewFiles>,
    package: &PackageNodeId,
) -> Result<NewestSource, LinkError> {
    let found = find_newest_source(db, access, package).await?.ok_or(LinkError::NoPackage)?;
    let is_bad = |status: &String| ["infected", "failed"].iter().any(|bad| status.eq_ignore_ascii_case(bad));
    match found.state {
        PackageState::Infected => Err(LinkError::Unsafe),
        state if !state.is_live() => Err(LinkError::NotLive),
        _ if found.scan_status.as_ref().is_some_and(is_bad) => Err(LinkError::Unsafe),
        _ => Ok(found),
    }
}
