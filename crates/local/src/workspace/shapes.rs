//! Trees of a given shape with up to a million files, made fast: for tests and measurements.
//!
//! The rows lie in random order, as uploads that run side by side leave them: where each folder's rows lay together, a scan
//! of the index would look cheaper than it is.

use std::ops::Range;

use packages::id::{PackageId, PackageNodeId};
use tokio_postgres::Error;
use uuid::Uuid;

use super::{Dataset, Package, Workspace, known, packages::node_id};

/// Files in one statement.
const BATCH: usize = 100_000;

/// Sizes of files go from one byte to this many.
const MAX_SIZE: usize = 7;

/// Lets the statement do without triggers, as far as its role may ask for that: what it writes fits, and to check every
/// foreign key of a million rows takes longer than to write them.
const UNCHECKED: &str =
    "(SELECT CASE WHEN rolsuper THEN set_config('session_replication_role', 'replica', true) END
                          FROM pg_roles WHERE rolname = current_user OFFSET 0) AS unchecked";

/// How files lie in folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Folders of 20 files, side by side.
    ManySmall,
    /// Five folders, or more where each would have more than 20,000 files.
    FewHuge,
    /// All files in one folder.
    Flat,
    /// A folder in a folder, and so on, 1,000 of them, or as many as get 10 files each.
    Deep,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ManySmall, Self::FewHuge, Self::Flat, Self::Deep];

    fn layout(self, files: usize) -> Layout {
        let side_by_side = |count: usize| Layout { parents: vec![0; count], holders: 1..count + 1 };
        match self {
            Self::ManySmall => side_by_side(files.div_ceil(20).max(1)),
            Self::FewHuge => side_by_side(files.div_ceil(20_000).max(5)),
            Self::Flat => Layout { parents: Vec::new(), holders: 0..1 },
            Self::Deep => {
                let levels = (files / 10).clamp(1, 1000);
                Layout { parents: (0..levels - 1).collect(), holders: 0..levels }
            }
        }
    }
}

/// The folders of a tree by their places, the root being 0.
struct Layout {
    /// The folder that each but the root lies in, which comes before it.
    parents: Vec<usize>,
    /// The folders that have files, each as many as the others.
    holders: Range<usize>,
}

impl Layout {
    /// The bytes beneath each folder.
    fn totals(&self, files: usize) -> Vec<i64> {
        let mut totals = vec![0; self.parents.len() + 1];
        let holders = self.holders.clone().cycle();
        for (folder, size) in holders.zip((1..=MAX_SIZE).cycle()).take(files) {
            add(&mut totals, folder, i64::try_from(size).unwrap_or_default());
        }
        for (folder, above) in self.parents.iter().enumerate().rev() {
            let folder = folder + 1;
            let beneath = totals.get(folder).copied().unwrap_or_default();
            add(&mut totals, *above, beneath);
        }
        totals
    }
}

fn add(totals: &mut [i64], folder: usize, bytes: i64) {
    if let Some(total) = totals.get_mut(folder) {
        *total += bytes;
    }
}

/// What to fill a folder with.
#[derive(Debug, Clone, Copy)]
pub struct Filling<'a> {
    shape: Shape,
    files: usize,
    bucket: &'a str,
    state: &'static str,
}

impl<'a> Filling<'a> {
    /// So many packages with a source file each, which lies in this bucket.
    #[must_use]
    pub fn live(shape: Shape, files: usize, bucket: &'a str) -> Self {
        Self { shape, files, bucket, state: "READY" }
    }

    /// The same, in the trash already.
    #[must_use]
    pub fn deleted(shape: Shape, files: usize, bucket: &'a str) -> Self {
        Self { state: "DELETED", ..Self::live(shape, files, bucket) }
    }
}

/// A folder that was filled.
#[derive(Debug, Clone)]
pub struct Tree {
    /// The folder itself.
    pub root: Package,
    /// It and all folders beneath it.
    pub folders: Vec<PackageId>,
    /// How many files lie beneath it.
    pub files: usize,
}

impl Tree {
    fn folders(&self) -> Vec<i32> {
        self.folders.iter().map(|folder| folder.0).collect()
    }
}

impl Workspace {
    /// A folder with folders and files beneath it, in a live folder or at the dataset's top; what is live is counted.
    /// Their keys are those of one upload.
    pub async fn fill(
        &self,
        dataset: &Dataset,
        parent: Option<&Package>,
        filling: &Filling<'_>,
    ) -> Result<Tree, Error> {
        let layout = filling.shape.layout(filling.files);
        let root = node_id("Collection");
        let folders = self.take_ids(layout.parents.len() + 1).await?;
        let tree = Tree {
            root: Package { id: folders.first().copied().unwrap_or(PackageId(0)), node_id: root },
            folders,
            files: filling.files,
        };
        self.insert_folders(dataset, parent, filling, (&tree, &layout)).await?;
        let holders = tree.folders().get(layout.holders.clone()).unwrap_or_default().to_vec();
        let upload = Uuid::new_v4();
        for from in (0..filling.files).step_by(BATCH) {
            let batch = from..filling.files.min(from + BATCH);
            self.insert_files(dataset, filling, (&holders, upload), batch).await?;
        }
        let totals = layout.totals(filling.files);
        self.count_filled(dataset, parent, filling, (&tree, totals)).await?;
        Ok(tree)
    }

    async fn insert_folders(
        &self,
        dataset: &Dataset,
        parent: Option<&Package>,
        filling: &Filling<'_>,
        (tree, layout): (&Tree, &Layout),
    ) -> Result<(), Error> {
        let sql = format!(
            r#"INSERT INTO "{}".packages (id, node_id, name, type, state, dataset_id, parent_id)
               SELECT id, node_id,
                      CASE $2 WHEN 'DELETED' THEN '__DELETED__' || node_id || '_' ELSE '' END || 'folder ' || id,
                      'Collection', $2, $1, parent_id
               FROM unnest($3::int[], $4::text[], $5::int[]) AS f (id, node_id, parent_id) ORDER BY random()"#,
            self.id
        );
        let others = layout.parents.iter().map(|_| node_id("Collection"));
        let node_ids: Vec<PackageNodeId> = std::iter::once(tree.root.node_id.clone()).chain(others).collect();
        let node_ids: Vec<&str> = node_ids.iter().map(PackageNodeId::as_str).collect();
        let folders = tree.folders();
        let above = layout.parents.iter().map(|place| folders.get(*place).copied());
        let parents: Vec<Option<i32>> =
            std::iter::once(parent.map(|parent| parent.id.0)).chain(above).collect();
        let state = filling.state;
        self.client.execute(&sql, &[&dataset.id.0, &state, &folders, &node_ids, &parents]).await.map(drop)
    }

    /// Packages, their files and their counters. The numbers are given when the order is settled, as they are to uploads.
    async fn insert_files(
        &self,
        dataset: &Dataset,
        filling: &Filling<'_>,
        (holders, upload): (&[i32], Uuid),
        batch: Range<usize>,
    ) -> Result<(), Error> {
        let workspace = self.id;
        let sql = format!(
            r#"WITH shuffled AS (
                   SELECT i, f.id AS parent_id, 'N:package:' || gen_random_uuid() AS node_id
                   FROM generate_series($3::bigint, $4::bigint) AS i
                   JOIN unnest($5::int[]) WITH ORDINALITY AS f (id, place) ON f.place = 1 + i % cardinality($5)
                   ORDER BY random()
               ), new AS MATERIALIZED (
                   SELECT nextval('"{workspace}".packages_id_seq')::int AS id, parent_id, node_id, 1 + i % {MAX_SIZE} AS size,
                          CASE $2 WHEN 'DELETED' THEN '__DELETED__' || node_id || '_' ELSE '' END || i || '.txt' AS name,
                          $6 || gen_random_uuid() AS key
                   FROM {UNCHECKED}, shuffled
               ), made AS (
                   INSERT INTO "{workspace}".packages (id, node_id, name, type, state, dataset_id, parent_id)
                   SELECT id, node_id, name, 'Unknown', $2, $1, parent_id FROM new
               ), counted AS (
                   INSERT INTO "{workspace}".package_storage (package_id, size) SELECT id, size FROM new
               )
               INSERT INTO "{workspace}".files
                   (package_id, name, s3_bucket, s3_key, size, object_type, processing_state, uploaded_state)
               SELECT id, key, $7, key, size, 'source', 'unprocessed', 'UPLOADED' FROM new"#
        );
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let (from, to) = (number(batch.start), number(batch.end) - 1);
        let prefix = format!("O{workspace}/D{}/{upload}/", dataset.id);
        let (state, bucket) = (filling.state, filling.bucket);
        self.client
            .execute(&sql, &[&dataset.id.0, &state, &from, &to, &holders, &prefix, &bucket])
            .await
            .map(drop)
    }

    /// Counts a filled folder, and where it is live, what lies above it. The trash takes a folder off its own counter.
    async fn count_filled(
        &self,
        dataset: &Dataset,
        parent: Option<&Package>,
        filling: &Filling<'_>,
        (tree, mut totals): (&Tree, Vec<i64>),
    ) -> Result<(), Error> {
        let workspace = self.id;
        let mut total = totals.first().copied().unwrap_or_default();
        if filling.state == "DELETED" {
            add(&mut totals, 0, -total);
            total = 0;
        }
        let sql = format!(
            r#"WITH RECURSIVE up AS (
                   SELECT id, parent_id FROM "{workspace}".packages WHERE id = $1
                   UNION ALL
                   SELECT p.id, p.parent_id FROM up JOIN "{workspace}".packages p ON p.id = up.parent_id
               ), folders AS (
                   INSERT INTO "{workspace}".package_storage AS s (package_id, size)
                   SELECT id, $2 FROM up UNION ALL SELECT * FROM unnest($3::int[], $4::bigint[])
                   ON CONFLICT (package_id) DO UPDATE SET size = coalesce(s.size, 0) + excluded.size
               ), datasets AS (
                   INSERT INTO "{workspace}".dataset_storage AS s (dataset_id, size) VALUES ($5, $2)
                   ON CONFLICT (dataset_id) DO UPDATE SET size = coalesce(s.size, 0) + excluded.size
               )
               INSERT INTO pennsieve.organization_storage AS s (organization_id, size) VALUES ($6, $2)
               ON CONFLICT (organization_id) DO UPDATE SET size = coalesce(s.size, 0) + excluded.size"#
        );
        let (parent, folders) = (parent.map(|parent| parent.id.0), tree.folders());
        self.client
            .execute(&sql, &[&parent, &total, &folders, &totals, &dataset.id.0, &workspace.0])
            .await
            .map(drop)
    }

    /// Puts a filled folder into the trash, as [`Workspace::trash`] does, which would search a large tree level by level.
    pub async fn trash_tree(&self, tree: &Tree) -> Result<(), Error> {
        self.subtract(&tree.root).await?;
        let workspace = self.id;
        let sql = format!(
            r#"UPDATE "{workspace}".packages p
               SET state = 'DELETED', name = '__DELETED__' || p.node_id || '_' || p.name, updated_at = now()
               FROM {UNCHECKED}, (SELECT $1::int AS id UNION ALL
                     SELECT p.id FROM unnest($2::int[]) AS f (id) JOIN "{workspace}".packages p ON p.parent_id = f.id) tree
               WHERE p.id = tree.id AND p.state NOT IN ('DELETING', 'DELETED')"#
        );
        self.client.execute(&sql, &[&tree.root.id.0, &tree.folders()]).await.map(drop)
    }

    /// Tells the planner what is in the tables that grow with packages.
    pub async fn analyze(&self) -> Result<(), Error> {
        let workspace = self.id;
        let sql = format!(
            r#"ANALYZE "{workspace}".packages, "{workspace}".files,
                       "{workspace}".package_storage, "{workspace}".dataset_storage"#
        );
        self.client.batch_execute(&sql).await
    }

    /// The files in a filled folder and in the folders beneath it, at most so many.
    pub async fn files(&self, tree: &Tree, limit: i64) -> Result<Vec<Package>, Error> {
        let sql = format!(
            r#"SELECT p.id, p.node_id FROM "{}".packages p
               WHERE p.parent_id = ANY ($1) AND p.type <> 'Collection' ORDER BY p.id LIMIT $2"#,
            self.id
        );
        let rows = self.client.query(&sql, &[&tree.folders(), &limit]).await?;
        let package = |row: &tokio_postgres::Row| Package {
            id: PackageId(row.get(0)),
            node_id: known(PackageNodeId::parse(row.get(1))),
        };
        Ok(rows.iter().map(package).collect())
    }

    /// The key of each file of a filled folder, and how many bytes it has.
    pub async fn stored(&self, tree: &Tree) -> Result<Vec<(String, usize)>, Error> {
        let workspace = self.id;
        let sql = format!(
            r#"SELECT f.s3_key, f.size FROM "{workspace}".packages p JOIN "{workspace}".files f ON f.package_id = p.id
               WHERE p.parent_id = ANY ($1)"#
        );
        let rows = self.client.query(&sql, &[&tree.folders()]).await?;
        Ok(rows
            .iter()
            .map(|row| (row.get(0), usize::try_from(row.get::<_, i64>(1)).unwrap_or_default()))
            .collect())
    }

    /// How many packages of a filled folder, itself and folders included, are in this state.
    pub async fn count_in_state(&self, tree: &Tree, state: &str) -> Result<usize, Error> {
        let sql = format!(
            r#"SELECT count(*) FROM "{}".packages WHERE (id = $1 OR parent_id = ANY ($2)) AND state = $3"#,
            self.id
        );
        let row = self.client.query_one(&sql, &[&tree.root.id.0, &tree.folders(), &state]).await?;
        Ok(usize::try_from(row.get::<_, i64>(0)).unwrap_or_default())
    }
}
