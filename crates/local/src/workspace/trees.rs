//! Creates folder trees of a given shape with up to a million files, for tests and benchmarks.
//!
//! The rows are in random order, as concurrent uploads leave them. If the rows of each folder lay together, index scans
//! would seem cheaper than they are.

mod builder;

use std::ops::Range;

use packages::{
    id::{PackageId, PackageNodeId},
    name::DELETED_PREFIX,
};
use tokio_postgres::Error;
use uuid::Uuid;

use self::builder::TreeBuilder;
use super::{
    Dataset, Package, Workspace, expect_node_id,
    packages::new_node_id,
    states::{DELETED, DELETING},
};
use crate::s3::StoredObject;

/// Files per statement.
const BATCH_SIZE: usize = 100_000;

/// Files have sizes from one byte to this many.
const MAX_FILE_BYTES: usize = 7;

/// Disables triggers for the statement, if the role is a superuser. The rows are consistent, and checking every foreign key
/// of a million rows takes longer than writing them.
const WITHOUT_TRIGGERS: &str =
    "(SELECT CASE WHEN rolsuper THEN set_config('session_replication_role', 'replica', true) END
                          FROM pg_roles WHERE rolname = current_user OFFSET 0) AS unchecked";

/// How files are distributed over folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeShape {
    /// Folders of 20 files, side by side.
    ManySmall,
    /// Five folders side by side, or more if each would have more than 20,000 files.
    FewHuge,
    /// All files in one folder.
    Flat,
    /// A chain of up to 1,000 folders, each in the one before. Each has at least 10 files.
    Deep,
}

impl TreeShape {
    /// All shapes.
    pub const ALL: [Self; 4] = [Self::ManySmall, Self::FewHuge, Self::Flat, Self::Deep];

    fn layout(self, files: usize) -> TreeLayout {
        let side_by_side = |count: usize| TreeLayout { parents: vec![0; count], with_files: 1..count + 1 };
        match self {
            Self::ManySmall => side_by_side(files.div_ceil(20).max(1)),
            Self::FewHuge => side_by_side(files.div_ceil(20_000).max(5)),
            Self::Flat => TreeLayout { parents: Vec::new(), with_files: 0..1 },
            Self::Deep => {
                let levels = (files / 10).clamp(1, 1000);
                TreeLayout { parents: (0..levels - 1).collect(), with_files: 0..levels }
            }
        }
    }
}

/// The folders of a tree by index. The root has index 0.
struct TreeLayout {
    /// The parent of each folder except the root. A parent has a lower index.
    parents: Vec<usize>,
    /// The folders with files. The files are distributed evenly.
    with_files: Range<usize>,
}

impl TreeLayout {
    /// The bytes below each folder.
    fn total_bytes(&self, files: usize) -> Vec<i64> {
        let mut totals = vec![0; self.parents.len() + 1];
        let folders = self.with_files.clone().cycle();
        for (folder, size) in folders.zip((1..=MAX_FILE_BYTES).cycle()).take(files) {
            add_bytes(&mut totals, folder, i64::try_from(size).unwrap_or_default());
        }
        // Children have higher indexes, so each total is complete before it is added to its parent.
        for (index, parent) in self.parents.iter().enumerate().rev() {
            let folder = index + 1;
            let below = totals.get(folder).copied().unwrap_or_default();
            add_bytes(&mut totals, *parent, below);
        }
        totals
    }
}

fn add_bytes(totals: &mut [i64], folder: usize, bytes: i64) {
    if let Some(total) = totals.get_mut(folder) {
        *total += bytes;
    }
}

/// A tree to create.
#[derive(Debug, Clone, Copy)]
pub struct TreeSpec<'a> {
    shape: TreeShape,
    files: usize,
    bucket: &'a str,
    state: &'static str,
}

impl<'a> TreeSpec<'a> {
    /// Live packages with one source file each, in this bucket.
    #[must_use]
    pub fn live(shape: TreeShape, files: usize, bucket: &'a str) -> Self {
        Self { shape, files, bucket, state: "READY" }
    }

    /// The same packages, in the trash.
    #[must_use]
    pub fn deleted(shape: TreeShape, files: usize, bucket: &'a str) -> Self {
        Self { state: "DELETED", ..Self::live(shape, files, bucket) }
    }
}

/// A tree that was created.
#[derive(Debug, Clone)]
pub struct PackageTree {
    /// The root folder.
    pub root: Package,
    /// All folders, the root included.
    pub folders: Vec<PackageId>,
    /// The number of files.
    pub files: usize,
}

impl PackageTree {
    fn folder_ids(&self) -> Vec<i32> {
        self.folders.iter().map(|folder| folder.0).collect()
    }
}

impl Workspace {
    /// Creates a folder with folders and files below it, in a live folder or at the top level of the dataset. Updates the
    /// counters. All keys belong to one upload.
    pub async fn create_tree(
        &self,
        dataset: &Dataset,
        parent: Option<&Package>,
        spec: &TreeSpec<'_>,
    ) -> Result<PackageTree, Error> {
        let layout = spec.shape.layout(spec.files);
        // The root has the first of the reserved ids.
        let root = new_node_id("Collection");
        let folders = self.reserve_ids(layout.parents.len() + 1).await?;
        let tree = PackageTree {
            root: Package { id: folders.first().copied().unwrap_or(PackageId(0)), node_id: root },
            folders,
            files: spec.files,
        };
        let builder = TreeBuilder { workspace: self, dataset, parent, spec, tree: &tree };
        builder.insert_folders(&layout).await?;
        let folder_ids = tree.folder_ids();
        let with_files = folder_ids.get(layout.with_files.clone()).unwrap_or_default();
        let key_prefix = format!("O{}/D{}/{}/", self.id, dataset.id, Uuid::new_v4());
        // The statement materializes its rows, so they are inserted in batches.
        for start in (0..spec.files).step_by(BATCH_SIZE) {
            let batch = start..spec.files.min(start + BATCH_SIZE);
            builder.insert_files(with_files, &key_prefix, batch).await?;
        }
        builder.add_usage(layout.total_bytes(spec.files)).await?;
        Ok(tree)
    }

    /// Moves a tree to the trash, as [`Workspace::trash`] does. That one would walk a large tree level by level.
    pub async fn trash_tree(&self, tree: &PackageTree) -> Result<(), Error> {
        self.subtract_usage(&tree.root).await?;
        let workspace = self.id;
        let sql = format!(
            r#"UPDATE "{workspace}".packages p
               SET state = {DELETED}, name = '{DELETED_PREFIX}' || p.node_id || '_' || p.name, updated_at = now()
               FROM {WITHOUT_TRIGGERS}, (SELECT $1::int AS id UNION ALL
                     SELECT p.id FROM unnest($2::int[]) AS f (id) JOIN "{workspace}".packages p ON p.parent_id = f.id) tree
               WHERE p.id = tree.id AND p.state NOT IN ({DELETING}, {DELETED})"#
        );
        self.client.execute(&sql, &[&tree.root.id.0, &tree.folder_ids()]).await.map(drop)
    }

    /// Updates the planner's statistics of the large tables.
    pub async fn analyze_tables(&self) -> Result<(), Error> {
        let workspace = self.id;
        let sql = format!(
            r#"ANALYZE "{workspace}".packages, "{workspace}".files,
                       "{workspace}".package_storage, "{workspace}".dataset_storage"#
        );
        self.client.batch_execute(&sql).await
    }

    /// Up to `limit` files of a tree.
    pub async fn list_files(&self, tree: &PackageTree, limit: i64) -> Result<Vec<Package>, Error> {
        let sql = format!(
            r#"SELECT p.id, p.node_id FROM "{}".packages p
               WHERE p.parent_id = ANY ($1) AND p.type <> 'Collection' ORDER BY p.id LIMIT $2"#,
            self.id
        );
        let rows = self.client.query(&sql, &[&tree.folder_ids(), &limit]).await?;
        let package = |row: &tokio_postgres::Row| Package {
            id: PackageId(row.get("id")),
            node_id: expect_node_id(PackageNodeId::parse(row.get("node_id"))),
        };
        Ok(rows.iter().map(package).collect())
    }

    /// The key and the size of each source file of a tree.
    pub async fn list_stored_objects(&self, tree: &PackageTree) -> Result<Vec<StoredObject>, Error> {
        let workspace = self.id;
        let sql = format!(
            r#"SELECT f.s3_key, f.size FROM "{workspace}".packages p JOIN "{workspace}".files f ON f.package_id = p.id
               WHERE p.parent_id = ANY ($1)"#
        );
        let rows = self.client.query(&sql, &[&tree.folder_ids()]).await?;
        let object = |row: &tokio_postgres::Row| StoredObject {
            key: row.get("s3_key"),
            size: usize::try_from(row.get::<_, i64>("size")).unwrap_or_default(),
        };
        Ok(rows.iter().map(object).collect())
    }

    /// The number of packages of a tree in this state, folders included.
    pub async fn count_in_state(&self, tree: &PackageTree, state: &str) -> Result<usize, Error> {
        let sql = format!(
            r#"SELECT count(*) AS n FROM "{}".packages WHERE (id = $1 OR parent_id = ANY ($2)) AND state = $3"#,
            self.id
        );
        let row = self.client.query_one(&sql, &[&tree.root.id.0, &tree.folder_ids(), &state]).await?;
        Ok(usize::try_from(row.get::<_, i64>("n")).unwrap_or_default())
    }
}
