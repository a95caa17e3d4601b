//! The statements that write a tree.

use std::ops::Range;

use packages::{id::PackageNodeId, name::DELETED_PREFIX};
use tokio_postgres::{Error, types::ToSql};

use super::{MAX_FILE_BYTES, PackageTree, TreeLayout, TreeSpec, WITHOUT_TRIGGERS, add_bytes};
use crate::workspace::{Dataset, Package, Workspace, packages::new_node_id, states::DELETED};

/// Writes the rows of one tree.
pub(super) struct TreeBuilder<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) dataset: &'a Dataset,
    pub(super) parent: Option<&'a Package>,
    pub(super) spec: &'a TreeSpec<'a>,
    pub(super) tree: &'a PackageTree,
}

impl TreeBuilder<'_> {
    pub(super) async fn insert_folders(&self, layout: &TreeLayout) -> Result<(), Error> {
        let sql = format!(
            r#"INSERT INTO "{}".packages (id, node_id, name, type, state, dataset_id, parent_id)
               SELECT id, node_id,
                      CASE $2 WHEN {DELETED} THEN '{DELETED_PREFIX}' || node_id || '_' ELSE '' END || 'folder ' || id,
                      'Collection', $2, $1, parent_id
               FROM unnest($3::int[], $4::text[], $5::int[]) AS f (id, node_id, parent_id) ORDER BY random()"#,
            self.workspace.id
        );
        let others = layout.parents.iter().map(|_| new_node_id("Collection"));
        let root = self.tree.root.node_id.clone();
        let node_ids: Vec<PackageNodeId> = std::iter::once(root).chain(others).collect();
        let node_ids: Vec<&str> = node_ids.iter().map(PackageNodeId::as_str).collect();
        let folders = self.tree.folder_ids();
        let inside = layout.parents.iter().map(|index| folders.get(*index).copied());
        let outside = self.parent.map(|parent| parent.id.0);
        let parents: Vec<Option<i32>> = std::iter::once(outside).chain(inside).collect();
        let (dataset, state) = (self.dataset.id.0, self.spec.state);
        let parameters: [&(dyn ToSql + Sync); 5] = [&dataset, &state, &folders, &node_ids, &parents];
        self.workspace.client.execute(&sql, &parameters).await.map(drop)
    }

    /// Inserts packages, their files and their counters. Ids are assigned after the rows were shuffled, so that the order of
    /// ids is the order of the rows, as with uploads.
    pub(super) async fn insert_files(
        &self,
        folders: &[i32],
        key_prefix: &str,
        batch: Range<usize>,
    ) -> Result<(), Error> {
        let workspace = self.workspace.id;
        let sql = format!(
            r#"WITH
               -- Assigns the files to the folders in turn, then shuffles them.
               shuffled AS (
                   SELECT i, f.id AS parent_id, 'N:package:' || gen_random_uuid() AS node_id
                   FROM generate_series($3::bigint, $4::bigint) AS i
                   JOIN unnest($5::int[]) WITH ORDINALITY AS f (id, place) ON f.place = 1 + i % cardinality($5)
                   ORDER BY random()
               ),
               -- MATERIALIZED, because each id must be taken once though three parts read it.
               new AS MATERIALIZED (
                   SELECT nextval('"{workspace}".packages_id_seq')::int AS id, parent_id, node_id,
                          1 + i % {MAX_FILE_BYTES} AS size,
                          CASE $2 WHEN {DELETED} THEN '{DELETED_PREFIX}' || node_id || '_' ELSE '' END || i || '.txt' AS name,
                          $6 || gen_random_uuid() AS key
                   FROM {WITHOUT_TRIGGERS}, shuffled
               ),
               -- The packages.
               inserted AS (
                   INSERT INTO "{workspace}".packages (id, node_id, name, type, state, dataset_id, parent_id)
                   SELECT id, node_id, name, 'Unknown', $2, $1, parent_id FROM new
               ),
               -- Their counters. Their files are last.
               counted AS (
                   INSERT INTO "{workspace}".package_storage (package_id, size) SELECT id, size FROM new
               )
               INSERT INTO "{workspace}".files
                   (package_id, name, s3_bucket, s3_key, size, object_type, processing_state, uploaded_state)
               SELECT id, key, $7, key, size, 'source', 'unprocessed', 'UPLOADED' FROM new"#
        );
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let (first, last) = (number(batch.start), number(batch.end) - 1);
        let TreeSpec { state, bucket, .. } = self.spec;
        let parameters: [&(dyn ToSql + Sync); 7] =
            [&self.dataset.id.0, state, &first, &last, &folders, &key_prefix, bucket];
        self.workspace.client.execute(&sql, &parameters).await.map(drop)
    }

    /// Adds the bytes of the tree to the counters: to its folders and, if it is live, to what is above it. In the trash,
    /// the root does not count its own bytes, but its folders keep theirs.
    pub(super) async fn add_usage(&self, mut totals: Vec<i64>) -> Result<(), Error> {
        let workspace = self.workspace.id;
        let mut total = totals.first().copied().unwrap_or_default();
        if self.spec.state == "DELETED" {
            add_bytes(&mut totals, 0, -total);
            total = 0;
        }
        let sql = format!(
            r#"WITH RECURSIVE
               -- The parent and the folders above it. None at the top level of the dataset.
               up AS (
                   SELECT id, parent_id FROM "{workspace}".packages WHERE id = $1
                   UNION ALL
                   SELECT p.id, p.parent_id FROM up JOIN "{workspace}".packages p ON p.id = up.parent_id
               ),
               -- Those above get the total, the folders of the tree their own sums.
               folders AS (
                   INSERT INTO "{workspace}".package_storage AS s (package_id, size)
                   SELECT id, $2 FROM up UNION ALL SELECT * FROM unnest($3::int[], $4::bigint[])
                   ON CONFLICT (package_id) DO UPDATE SET size = coalesce(s.size, 0) + excluded.size
               ),
               -- The dataset's counter; the workspace's is last.
               datasets AS (
                   INSERT INTO "{workspace}".dataset_storage AS s (dataset_id, size) VALUES ($5, $2)
                   ON CONFLICT (dataset_id) DO UPDATE SET size = coalesce(s.size, 0) + excluded.size
               )
               INSERT INTO pennsieve.organization_storage AS s (organization_id, size) VALUES ($6, $2)
               ON CONFLICT (organization_id) DO UPDATE SET size = coalesce(s.size, 0) + excluded.size"#
        );
        let (parent, folders) = (self.parent.map(|parent| parent.id.0), self.tree.folder_ids());
        let dataset = self.dataset.id.0;
        let parameters: [&(dyn ToSql + Sync); 6] =
            [&parent, &total, &folders, &totals, &dataset, &workspace.0];
        self.workspace.client.execute(&sql, &parameters).await.map(drop)
    }
}
