//! Creates, reads and deletes packages and their source files.

use packages::{
    id::{PackageId, PackageNodeId},
    name::DELETED_PREFIX,
};
use tokio_postgres::Error;
use uuid::Uuid;

use super::{
    Dataset, Workspace, expect_node_id,
    states::{DELETED, DELETING, READY},
};

/// An existing package.
#[derive(Debug, Clone)]
pub struct Package {
    /// The primary key.
    pub id: PackageId,
    /// The public id.
    pub node_id: PackageNodeId,
}

/// A package to create.
#[derive(Debug, Clone)]
pub struct NewPackage {
    /// The folder. `None` means the top level of the dataset.
    pub parent: Option<PackageId>,
    /// The name.
    pub name: String,
    /// The type, as in the column: `CSV`, `Collection`.
    pub kind: &'static str,
    /// The source file.
    pub file: Option<SourceFile>,
}

/// The source file of a package.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The size in bytes.
    pub size: i64,
}

impl SourceFile {
    /// A file of this size under this key.
    #[must_use]
    pub fn new(bucket: &str, key: &str, size: i64) -> Self {
        Self { bucket: bucket.to_owned(), key: key.to_owned(), size }
    }
}

impl NewPackage {
    /// A folder.
    #[must_use]
    pub fn collection(parent: Option<PackageId>, name: &str) -> Self {
        Self { parent, name: name.to_owned(), kind: "Collection", file: None }
    }

    /// A package with one source file.
    #[must_use]
    pub fn file(parent: Option<PackageId>, name: &str, file: SourceFile) -> Self {
        Self { parent, name: name.to_owned(), kind: "Unknown", file: Some(file) }
    }
}

impl Workspace {
    /// Creates a folder.
    pub async fn create_collection(
        &self,
        dataset: &Dataset,
        parent: Option<&Package>,
        name: &str,
    ) -> Result<Package, Error> {
        self.create_package(dataset, NewPackage::collection(parent.map(|p| p.id), name)).await
    }

    /// Creates a package with one source file.
    pub async fn create_file(
        &self,
        dataset: &Dataset,
        parent: Option<&Package>,
        name: &str,
        file: SourceFile,
    ) -> Result<Package, Error> {
        self.create_package(dataset, NewPackage::file(parent.map(|p| p.id), name, file)).await
    }

    async fn create_package(&self, dataset: &Dataset, new: NewPackage) -> Result<Package, Error> {
        let sql = format!(r#"SELECT nextval('"{}".packages_id_seq')::int AS id"#, self.id);
        let id = PackageId(self.client.query_one(&sql, &[]).await?.get("id"));
        let package = Package { id, node_id: new_node_id(new.kind) };
        self.insert_packages(dataset, std::slice::from_ref(&new), std::slice::from_ref(&package)).await?;
        Ok(package)
    }

    /// Reserves this many package ids.
    pub(super) async fn reserve_ids(&self, count: usize) -> Result<Vec<PackageId>, Error> {
        // The ids need not be consecutive: others may take ids from the sequence concurrently.
        let sql = format!(
            r#"SELECT nextval('"{}".packages_id_seq')::int AS id FROM generate_series(1, $1::bigint)"#,
            self.id
        );
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let rows = self.client.query(&sql, &[&count]).await?;
        Ok(rows.iter().map(|row| PackageId(row.get("id"))).collect())
    }

    /// Creates many packages in three statements.
    pub async fn create_packages(
        &self,
        dataset: &Dataset,
        new: &[NewPackage],
    ) -> Result<Vec<Package>, Error> {
        let ids = self.reserve_ids(new.len()).await?;
        let package = |(id, new): (PackageId, &NewPackage)| Package { id, node_id: new_node_id(new.kind) };
        let packages: Vec<Package> = ids.into_iter().zip(new).map(package).collect();
        self.insert_packages(dataset, new, &packages).await?;
        Ok(packages)
    }

    async fn insert_packages(
        &self,
        dataset: &Dataset,
        new: &[NewPackage],
        packages: &[Package],
    ) -> Result<(), Error> {
        let workspace = self.id;
        let sql = format!(
            r#"INSERT INTO "{workspace}".packages (id, node_id, name, type, state, dataset_id, parent_id)
               SELECT id, node_id, name, type, {READY}, $1, parent_id
               FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::int[]) AS n (id, node_id, name, type, parent_id)"#
        );
        let ids: Vec<i32> = packages.iter().map(|package| package.id.0).collect();
        let node_ids: Vec<&str> = packages.iter().map(|package| package.node_id.as_str()).collect();
        let names: Vec<&str> = new.iter().map(|package| package.name.as_str()).collect();
        let kinds: Vec<&str> = new.iter().map(|package| package.kind).collect();
        let parents: Vec<Option<i32>> = new.iter().map(|package| package.parent.map(|id| id.0)).collect();
        self.client.execute(&sql, &[&dataset.id.0, &ids, &node_ids, &names, &kinds, &parents]).await?;

        // Folders and links to external files have no source file.
        let files =
            || packages.iter().zip(new).filter_map(|(package, new)| Some((package, new.file.as_ref()?)));
        let sql = format!(
            r#"INSERT INTO "{workspace}".files (package_id, name, s3_bucket, s3_key, size, object_type, processing_state, uploaded_state)
               SELECT f.id, f.key, f.bucket, f.key, f.size, 'source', 'unprocessed', 'UPLOADED'
               FROM unnest($1::int[], $2::text[], $3::text[], $4::bigint[]) AS f (id, bucket, key, size)"#
        );
        let ids: Vec<i32> = files().map(|(package, _)| package.id.0).collect();
        let buckets: Vec<&str> = files().map(|(_, file)| file.bucket.as_str()).collect();
        let keys: Vec<&str> = files().map(|(_, file)| file.key.as_str()).collect();
        let sizes: Vec<i64> = files().map(|(_, file)| file.size).collect();
        self.client.execute(&sql, &[&ids, &buckets, &keys, &sizes]).await.map(drop)
    }

    /// Sets the state of a package, as in the column: `UPLOADED`, `PROCESSING_FAILED`. Changes nothing else.
    pub async fn set_state(&self, package: &Package, state: &str) -> Result<(), Error> {
        let sql = format!(r#"UPDATE "{}".packages SET state = $2 WHERE id = $1"#, self.id);
        self.client.execute(&sql, &[&package.id.0, &state]).await.map(drop)
    }

    /// The state and the name of a package, as in the columns.
    pub async fn load_state_and_name(&self, package: PackageId) -> Result<(String, String), Error> {
        let sql = format!(r#"SELECT state, name FROM "{}".packages WHERE id = $1"#, self.id);
        let row = self.client.query_one(&sql, &[&package.0]).await?;
        Ok((row.get("state"), row.get("name")))
    }

    /// The keys of a package's source files, oldest first.
    pub async fn load_keys(&self, package: PackageId) -> Result<Vec<String>, Error> {
        let sql = format!(r#"SELECT s3_key FROM "{}".files WHERE package_id = $1 ORDER BY id"#, self.id);
        let rows = self.client.query(&sql, &[&package.0]).await?;
        Ok(rows.iter().map(|row| row.get("s3_key")).collect())
    }

    /// Moves a package and everything below it to the trash, as the platform does: with new names, and with the bytes
    /// subtracted from the package's own counter and from those of its parents, its dataset and the workspace.
    pub async fn trash(&self, package: &Package) -> Result<(), Error> {
        let workspace = self.id;
        // One transaction that locks the package first, so that a concurrent restore below it goes to the trash too.
        self.client
            .batch_execute(&format!(
                r#"BEGIN; SELECT 1 FROM "{workspace}".packages WHERE id = {} FOR UPDATE"#,
                package.id
            ))
            .await?;
        self.subtract_usage(package).await?;
        let sql = format!(
            r#"WITH RECURSIVE
               -- The package and everything below it.
               tree AS (
                   SELECT id FROM "{workspace}".packages WHERE id = $1
                   UNION ALL
                   SELECT p.id FROM tree JOIN "{workspace}".packages p ON p.parent_id = tree.id
               )
               -- A package that is in the trash already keeps its name.
               UPDATE "{workspace}".packages p
               SET state = {DELETED}, name = '{DELETED_PREFIX}' || p.node_id || '_' || p.name
               FROM tree WHERE p.id = tree.id AND p.state NOT IN ({DELETING}, {DELETED})"#
        );
        self.client.execute(&sql, &[&package.id.0]).await?;
        self.client.batch_execute("COMMIT").await
    }
}

/// A new public id for a package of this type.
pub(super) fn new_node_id(kind: &str) -> PackageNodeId {
    let kind = if kind == "Collection" { "collection" } else { "package" };
    expect_node_id(PackageNodeId::parse(&format!("N:{kind}:{}", Uuid::new_v4())))
}
