//! Loads the files of one page. One statement.

use std::{collections::HashMap, sync::Arc};

use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use super::{FilePosition, ManifestFile, ReadableDatasets, Selection};
use crate::{
    db::{IS_STORED_SOURCE, read_source_file},
    file_name::{FileName, extension},
    links::{check_readable, locate_source_file},
    package::PackageState,
};
use database::{Db, Error};

/// Loads files of a selection, in the given order. One statement. A file that was deleted or moved to the trash since the
/// selection is not in the result.
pub async fn load_files(
    db: &Db,
    access: &ReadableDatasets,
    selection: &Selection,
    page: &[FilePosition],
) -> Result<Vec<ManifestFile>, Error> {
    let workspace = access.workspace;
    let sql = format!(
        r#"SELECT f.id AS file_id, p.node_id, p.name, p.state, f.s3_bucket, f.s3_key, f.name AS file_name, f.size, f.checksum,
                  -- Two stands for several: then the package's name is a part of the path.
                  CASE WHEN EXISTS (
                      SELECT FROM "{workspace}".files other
                      WHERE other.package_id = p.id AND other.id <> f.id AND {IS_STORED_SOURCE}
                  ) THEN 2::bigint ELSE 1 END AS file_count,
                  f.version, f.scan_status
           -- These columns are newer than some schemas. Where `files` has no such column, the name means the one of `absent`.
           FROM (SELECT NULL::text AS published_s3_version_id, NULL::text AS scan_status) absent
           CROSS JOIN unnest($2::int[]) AS wanted (id)
           CROSS JOIN LATERAL (
               SELECT f.id, f.package_id, f.s3_bucket, f.s3_key, f.name, f.size, f.checksum,
                      published_s3_version_id::text AS version, scan_status::text AS scan_status
               FROM "{workspace}".files f WHERE f.id = wanted.id OFFSET 0
           ) f
           CROSS JOIN LATERAL (
               SELECT id, node_id, name, state FROM "{workspace}".packages
               WHERE id = f.package_id AND dataset_id = ANY($1) OFFSET 0
           ) p"#
    );
    let ids: Vec<i32> = page.iter().map(|position| position.file).collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 2] =
        [(&access.dataset_ids(), Type::INT4_ARRAY), (&ids, Type::INT4_ARRAY)];
    let rows = db.query(&sql, &parameters).await?;
    let mut by_id: HashMap<i32, &Row> = HashMap::with_capacity(rows.len());
    for row in &rows {
        by_id.insert(row.try_get("file_id")?, row);
    }
    // Files of one folder follow each other, and share its path: a path may have hundreds of names.
    let mut folder: Option<(i32, Arc<[FileName]>)> = None;
    let mut files = Vec::with_capacity(rows.len());
    for position in page {
        let Some(row) = by_id.get(&position.file) else { continue };
        let path = match folder.take().filter(|(id, _)| *id == position.folder) {
            Some((_, path)) => path,
            None => selection.folder_names(position.folder),
        };
        folder = Some((position.folder, Arc::clone(&path)));
        files.extend(read_file(row, *position, path)?);
    }
    Ok(files)
}

/// `None`: the package is no longer available.
fn read_file(
    row: &Row,
    position: FilePosition,
    folders: Arc<[FileName]>,
) -> Result<Option<ManifestFile>, Error> {
    let state = PackageState::from_column(row.try_get("state")?);
    let Some(source) =
        read_source_file(row)?.filter(|_| state.is_readable() || state == PackageState::Infected)
    else {
        return Ok(None);
    };
    let scan_status: Option<String> = row.try_get("scan_status")?;
    let package_name: String = row.try_get("name")?;
    let (file_name, extension) = (source.name.clone(), extension(source.name.as_str()).map(str::to_owned));
    let file = match check_readable(state, scan_status.as_deref()).map(|()| locate_source_file(source)) {
        Ok(Ok(file)) => Some(file),
        // The row has no valid bucket.
        Ok(Err(_)) => return Ok(None),
        Err(_) => None,
    };
    let path = if row.try_get::<_, i64>("file_count")? > 1 {
        folders.iter().cloned().chain([FileName::from_file(&package_name)]).collect()
    } else {
        folders
    };
    Ok(Some(ManifestFile {
        position,
        package_node_id: row.try_get::<_, Option<String>>("node_id")?.unwrap_or_default(),
        file_name,
        extension,
        checksum: row.try_get("checksum")?,
        file,
        package_name,
        path,
        scan_status,
    }))
}
