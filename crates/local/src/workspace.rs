//! Making a tenant and what is in it: for the demo, and for tests, each of which owns one.
//!
//! The rows are as the platform makes them, its deletion included; what lies in S3 is the caller's business.

mod usage;

use std::sync::Arc;

use packages::id::{DatasetId, DatasetNodeId, PackageId, PackageNodeId, UserNodeId, WorkspaceId};
use tokio_postgres::{Client, Error};
use uuid::Uuid;

use crate::schema;
pub use usage::Counters;

/// A tenant.
#[derive(Clone)]
pub struct Workspace {
    /// The connection that makes things in it.
    pub client: Arc<Client>,
    /// Its number.
    pub id: WorkspaceId,
}

/// A person.
#[derive(Debug, Clone)]
pub struct User {
    /// Primary key.
    pub id: i32,
    /// Public id.
    pub node_id: UserNodeId,
    /// Address.
    pub email: String,
    /// What the identity provider knows them by.
    pub cognito_id: Uuid,
}

/// A dataset.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Primary key.
    pub id: DatasetId,
    /// Public id.
    pub node_id: DatasetNodeId,
}

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
    /// A new tenant, without people or datasets.
    pub async fn create(client: Arc<Client>, name: &str) -> Result<Self, Error> {
        let sql =
            "INSERT INTO pennsieve.organizations (name, slug, node_id) VALUES ($1, $1, $2) RETURNING id";
        let node_id = format!("N:organization:{}", Uuid::new_v4());
        let id = WorkspaceId(client.query_one(sql, &[&name, &node_id]).await?.get(0));
        schema::create_workspace(&client, id).await?;
        Ok(Self { client, id })
    }

    /// A person who belongs to the workspace and is active in it.
    pub async fn user(&self, email: &str) -> Result<User, Error> {
        let node_id = format!("N:user:{}", Uuid::new_v4());
        let cognito_id = Uuid::new_v4();
        let sql = "WITH made AS (
                       INSERT INTO pennsieve.users (email, first_name, last_name, is_super_admin, preferred_org_id, node_id, cognito_id)
                       VALUES ($1, '', '', false, $2, $3, $4) RETURNING id
                   ), joined AS (
                       INSERT INTO pennsieve.organization_user (organization_id, user_id, permission_bit) SELECT $2, id, 8 FROM made
                   )
                   SELECT id FROM made";
        let row = self.client.query_one(sql, &[&email, &self.id.0, &node_id, &cognito_id]).await?;
        Ok(User {
            id: row.get(0),
            node_id: known(UserNodeId::parse(&node_id)),
            email: email.to_owned(),
            cognito_id,
        })
    }

    /// An empty dataset.
    pub async fn dataset(&self, name: &str) -> Result<Dataset, Error> {
        let node_id = format!("N:dataset:{}", Uuid::new_v4());
        let sql = format!(
            r#"INSERT INTO "{}".datasets (name, state, node_id) VALUES ($1, 'READY', $2) RETURNING id"#,
            self.id
        );
        let row = self.client.query_one(&sql, &[&name, &node_id]).await?;
        Ok(Dataset { id: DatasetId(row.get(0)), node_id: known(DatasetNodeId::parse(&node_id)) })
    }

    /// Gives a person a role in a dataset: `viewer`, `editor`, …
    pub async fn grant(&self, dataset: &Dataset, user: &User, role: &str) -> Result<(), Error> {
        let sql = format!(
            r#"INSERT INTO "{}".dataset_user (dataset_id, user_id, role) VALUES ($1, $2, $3)
               ON CONFLICT (dataset_id, user_id) DO UPDATE SET role = excluded.role"#,
            self.id
        );
        self.client.execute(&sql, &[&dataset.id.0, &user.id, &role]).await.map(drop)
    }

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
        let (id, node_id) = (self.reserve(1).await?, node_id(&new));
        let package = Package { id: PackageId(id), node_id };
        self.insert(dataset, std::slice::from_ref(&new), std::slice::from_ref(&package)).await?;
        Ok(package)
    }

    /// Many packages in two statements.
    pub async fn packages(&self, dataset: &Dataset, new: &[NewPackage]) -> Result<Vec<Package>, Error> {
        let first = self.reserve(new.len()).await?;
        let made: Vec<Package> = (first..)
            .zip(new)
            .map(|(id, new)| Package { id: PackageId(id), node_id: node_id(new) })
            .collect();
        self.insert(dataset, new, &made).await?;
        Ok(made)
    }

    /// Takes this many ids in a row; answers the first.
    async fn reserve(&self, count: usize) -> Result<i32, Error> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let sql = format!(
            r#"SELECT min(nextval('"{}".packages_id_seq'))::int FROM generate_series(1, $1::bigint)"#,
            self.id
        );
        Ok(self.client.query_one(&sql, &[&count]).await?.get::<_, Option<i32>>(0).unwrap_or_default())
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

    /// Puts a package into the trash, as the platform does: it and all beneath it, with other names; what it held is
    /// taken off its own counter, those of the folders above, of the dataset and of the workspace.
    pub async fn trash(&self, package: &Package) -> Result<(), Error> {
        self.subtract(package).await?;
        let workspace = self.id;
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
        self.client.execute(&sql, &[&package.id.0]).await.map(drop)
    }
}

fn node_id(new: &NewPackage) -> PackageNodeId {
    let kind = if new.kind == "Collection" { "collection" } else { "package" };
    known(PackageNodeId::parse(&format!("N:{kind}:{}", Uuid::new_v4())))
}

/// A node id that was just made from a UUID.
fn known<T>(made: Result<T, packages::id::InvalidNodeId>) -> T {
    #[expect(clippy::panic, reason = "a kind, a colon and a UUID are always a node id")]
    made.unwrap_or_else(|error| panic!("{error}"))
}
