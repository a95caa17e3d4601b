//! `"{workspace}".files`: where the bytes of packages are. The row's bucket and key, never a derived key.

use std::collections::HashMap;

use database::{Db, Error};
use packages::id::{PackageId, WorkspaceId};
use storage::StoredFile;
use tokio_postgres::types::Type;

/// The files of packages, and how many bytes they count for.
#[derive(Debug, Clone, Default)]
pub(crate) struct PackageFiles {
    /// The stored files. Published ones are left out: deleting a package does not touch them.
    pub(crate) stored: Vec<StoredFile>,
    /// The bytes of each package's source files, published ones included. A file without a size counts as 0.
    pub(crate) bytes: HashMap<PackageId, i64>,
}

/// Reads the files of packages.
///
/// `published_s3_version_id` is younger than some schemas. Where the table lacks it, the name means the column of
/// `absent`: Postgres looks up an inner name that does not resolve in the query around it.
pub(crate) async fn list_files(
    db: &Db,
    workspace: WorkspaceId,
    packages: &[i32],
) -> Result<PackageFiles, Error> {
    let sql = format!(
        r#"SELECT f.package_id, f.s3_bucket, f.s3_key, f.is_source, f.size, f.is_published
           FROM (SELECT NULL::text AS published_s3_version_id) absent
           CROSS JOIN unnest($1::int[]) AS package (id)
           CROSS JOIN LATERAL (
               SELECT package_id, s3_bucket, s3_key, object_type = 'source' AS is_source, coalesce(size, 0) AS size,
                      coalesce(published_s3_version_id, '') <> '' AS is_published
               FROM "{workspace}".files WHERE package_id = package.id OFFSET 0
           ) f"#
    );
    let rows = db.query(&sql, &[(&packages, Type::INT4_ARRAY)]).await?;
    let mut files = PackageFiles::default();
    for row in &rows {
        let package = PackageId(row.try_get("package_id")?);
        let (bucket, key): (Option<&str>, Option<&str>) = (row.try_get("s3_bucket")?, row.try_get("s3_key")?);
        let (is_source, is_published): (bool, bool) =
            (row.try_get("is_source")?, row.try_get("is_published")?);
        if is_source {
            *files.bytes.entry(package).or_default() += row.try_get::<_, i64>("size")?;
        }
        if let (Some(bucket), Some(key), false) = (bucket, key, is_published)
            && !bucket.is_empty()
            && !key.is_empty()
        {
            let (bucket, key) = (bucket.to_owned(), key.to_owned());
            files.stored.push(StoredFile { package, bucket, key, is_source });
        }
    }
    Ok(files)
}
