//! Packages and their files: making them, one or many, looking at them, and throwing them away.

use packages::id::{PackageId, PackageNodeId};
use tokio_postgres::Error;
use uuid::Uuid;

use super::{Dataset, Workspace, known};

/// A package that was made.
#[derive(Debug, Clone)]
pub struct Package {
    /// Primary key.
    pub id: PackageId,
    /// Public id.
    pub node_id: PackageNodeId,
}

/// A package to make.
#[derive(Debug, Clone)]
pub struct NewPackage {
    /// The folder it goes into; the dataset's top where `None`.
    pub parent: Option<PackageId>,
    /// Its name.
    pub name: String,
    /// Its kind, as the column says it: `CSV`, `Collection`.
    pub kind: &'static str,
    /// Its source file: bucket, key, bytes.
    pub file: Option<(String, String, i64)>,
}

impl NewPackage {
    /// A folder.
    #[must_use]
    pub fn collection(parent: Option<PackageId>, name: &str) -> Self {
        Self { parent, name: name.to_owned(), kind: "Collection", file: None }
    }

    /// A package with one source file.
    #[must_use]
    pub fn file(parent: Option<PackageId>, name: &str, (bucket, key, size): (&str, &str, i64)) -> Self {
        let file = Some((bucket.to_owned(), key.to_owned(), size));
        Self { parent, name: name.to_owned(), kind: "Unknown", file }
    }
}

impl Workspace {
    /// A folder.
    pub async fn collection(
        &self,
        dataset: &Dataset,
        parent: Option<&Package>,
        name: &str,
    ) -> Result<Package, Error> {
        self.one(dataset, NewPackage::collection(parent.map(|p| p.id), name)).await
    }

    /// A package with one source file: bucket, key, bytes.
    pub async fn file(
        &self,
        dataset: &Dataset,
        parent: Option<&Package>,
        name: &str,
        file: (&str, &str, i64),
    ) -> Result<Package, Error> {
        self.one(dataset, NewPackage::file(parent.map(|p| p.id), name, file)).await
    }

    async fn one(&self, dataset: &Dataset, new: NewPackage) -> Result<Package, Error> {
        let sql = format!(r#"SELECT nextval('"{}".packages_id_seq')::int"#, self.id);
        let id = PackageId(self.client.query_one(&sql, &[]).await?.get(0));
        let package = Package { id, node_id: node_id(new.kind) };
        self.insert(dataset, std::slice::from_ref(&new), std::slice::from_ref(&package)).await?;
        Ok(package)
    }

    /// Numbers for so many packages.
    pub(super) async fn take_ids(&self, count: usize) -> Result<Vec<PackageId>, Error> {
        // Not one number and counting on from there: others may take numbers at the same time.
        let sql = format!(
            r#"SELECT nextval('"{}".packages_id_seq')::int FROM generate_series(1, $1::bigint)"#,
            self.id
        );
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let rows = self.client.query(&sql, &[&count]).await?;
        Ok(rows.iter().map(|row| PackageId(row.get(0))).collect())
    }

    /// Many packages in three statements.
    pub async fn packages(&self, dataset: &Dataset, new: &[NewPackage]) -> Result<Vec<Package>, Error> {
        let ids = self.take_ids(new.len()).await?;
        let made = |(id, new): (PackageId, &NewPackage)| Package { id, node_id: node_id(new.kind) };
        let made: Vec<Package> = ids.into_iter().zip(new).map(made).collect();
        self.insert(dataset, new, &made).await?;
        Ok(made)
    }

    async fn insert(&self, dataset: &Dataset, new: &[NewPackage], made: &[Package]) -> Result<(), Error> {
        let workspace = self.id;
        let sql = format!(
            r#"INSERT INTO "{workspace}".packages (id, node_id, name, type, state, dataset_id, parent_id)
               SELECT id, node_id, name, type, 'READY', $1, parent_id
               FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::int[]) AS n (id, node_id, name, type, parent_id)"#
        );
        let ids: Vec<i32> = made.iter().map(|package| package.id.0).collect();
        let node_ids: Vec<&str> = made.iter().map(|package| package.node_id.as_str()).collect();
        let names: Vec<&str> = new.iter().map(|package| package.name.as_str()).collect();
        let kinds: Vec<&str> = new.iter().map(|package| package.kind).collect();
        let parents: Vec<Option<i32>> = new.iter().map(|package| package.parent.map(|id| id.0)).collect();
        self.client.execute(&sql, &[&dataset.id.0, &ids, &node_ids, &names, &kinds, &parents]).await?;

        let files = || made.iter().zip(new).filter_map(|(made, new)| Some((made.id.0, new.file.as_ref()?)));
        let sql = format!(
            r#"INSERT INTO "{workspace}".files (package_id, name, s3_bucket, s3_key, size, object_type, processing_state, uploaded_state)
               SELECT f.id, f.key, f.bucket, f.key, f.size, 'source', 'unprocessed', 'UPLOADED'
               FROM unnest($1::int[], $2::text[], $3::text[], $4::bigint[]) AS f (id, bucket, key, size)"#
        );
        let ids: Vec<i32> = files().map(|(id, _)| id).collect();
        let buckets: Vec<&str> = files().map(|(_, file)| file.0.as_str()).collect();
        let keys: Vec<&str> = files().map(|(_, file)| file.1.as_str()).collect();
        let sizes: Vec<i64> = files().map(|(_, file)| file.2).collect();
        self.client.execute(&sql, &[&ids, &buckets, &keys, &sizes]).await.map(drop)
    }

    /// Puts a package into a state, as the column says it: `UPLOADED`, `PROCESSING_FAILED`. Nothing else changes.
    pub async fn set_state(&self, package: &Package, state: &str) -> Result<(), Error> {
        let sql = format!(r#"UPDATE "{}".packages SET state = $2 WHERE id = $1"#, self.id);
        self.client.execute(&sql, &[&package.id.0, &state]).await.map(drop)
    }

    /// A package's state and name, as the columns say them.
    pub async fn row(&self, package: PackageId) -> Result<(String, String), Error> {
        let sql = format!(r#"SELECT state, name FROM "{}".packages WHERE id = $1"#, self.id);
        let row = self.client.query_one(&sql, &[&package.0]).await?;
        Ok((row.get(0), row.get(1)))
    }

    /// The keys of a package's stored files, in the order in which they came.
    pub async fn keys(&self, package: PackageId) -> Result<Vec<String>, Error> {
        let sql = format!(r#"SELECT s3_key FROM "{}".files WHERE package_id = $1 ORDER BY id"#, self.id);
        let rows = self.client.query(&sql, &[&package.0]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Puts a package into the trash, as the platform does: it and all beneath it, with other names; what it held is
    /// taken off its own counter, those of the folders above, of the dataset and of the workspace.
    pub async fn trash(&self, package: &Package) -> Result<(), Error> {
        let workspace = self.id;
        // One transaction, which locks the package first: what comes back beneath meanwhile is in the trash, too.
        self.client
            .batch_execute(&format!(
                r#"BEGIN; SELECT 1 FROM "{workspace}".packages WHERE id = {} FOR UPDATE"#,
                package.id
            ))
            .await?;
        self.subtract(package).await?;
        let sql = format!(
            r#"WITH RECURSIVE tree AS (
                   SELECT id FROM "{workspace}".packages WHERE id = $1
                   UNION ALL
                   SELECT p.id FROM tree JOIN "{workspace}".packages p ON p.parent_id = tree.id
               )
               UPDATE "{workspace}".packages p
               SET state = 'DELETED', name = '__DELETED__' || p.node_id || '_' || p.name
               FROM tree WHERE p.id = tree.id AND p.state NOT IN ('DELETING', 'DELETED')"#
        );
        self.client.execute(&sql, &[&package.id.0]).await?;
        self.client.batch_execute("COMMIT").await
    }
}

/// A new public id for a package of this kind.
pub(super) fn node_id(kind: &str) -> PackageNodeId {
    let kind = if kind == "Collection" { "collection" } else { "package" };
    known(PackageNodeId::parse(&format!("N:{kind}:{}", Uuid::new_v4())))
}
