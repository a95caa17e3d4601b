//! The counters of stored bytes: subtracting deleted packages, and the values that the counters should have.

use std::collections::BTreeMap;

use tokio_postgres::Error;

use super::{
    Package, Workspace,
    states::{NOT_LIVE, READY},
};

/// Bytes by what they count: `package 7`, `dataset 1`, `workspace`. Counters of zero bytes are left out.
pub type UsageCounters = BTreeMap<String, i64>;

impl Workspace {
    /// Subtracts a READY package from all counters, its own included. The counters of packages below it do not change.
    pub(super) async fn subtract_usage(&self, package: &Package) -> Result<(), Error> {
        let workspace = self.id;
        let sql = format!(
            r#"WITH RECURSIVE
               -- The platform subtracts nothing for a package in another state.
               target AS (
                   SELECT p.id, p.dataset_id, s.size FROM "{workspace}".packages p
                   JOIN "{workspace}".package_storage s ON s.package_id = p.id
                   WHERE p.id = $1 AND p.state = {READY}
               ),
               -- The package and the folders above it.
               up AS (
                   SELECT p.id, p.parent_id FROM target JOIN "{workspace}".packages p USING (id)
                   UNION ALL
                   SELECT p.id, p.parent_id FROM up JOIN "{workspace}".packages p ON p.id = up.parent_id
               ),
               -- Its counter and theirs.
               packages AS (
                   UPDATE "{workspace}".package_storage s SET size = s.size - target.size
                   FROM target, up WHERE s.package_id = up.id
               ),
               -- The dataset's counter; the workspace's is last.
               datasets AS (
                   UPDATE "{workspace}".dataset_storage s SET size = s.size - target.size
                   FROM target WHERE s.dataset_id = target.dataset_id
               )
               UPDATE pennsieve.organization_storage s SET size = s.size - target.size
               FROM target WHERE s.organization_id = $2"#
        );
        self.client.execute(&sql, &[&package.id.0, &self.id.0]).await.map(drop)
    }

    /// Computes the counters from the source files of live packages. A folder counts everything below it.
    ///
    /// The statement walks from each file upwards and shares no code with the statements that update the counters.
    pub async fn compute_usage(&self) -> Result<UsageCounters, Error> {
        let workspace = self.id;
        let sql = format!(
            r#"WITH RECURSIVE
               -- The packages whose bytes count.
               live AS (
                   SELECT id, parent_id, dataset_id FROM "{workspace}".packages
                   WHERE state NOT IN {NOT_LIVE}
               ),
               -- Their source files.
               stored AS (
                   SELECT live.id, live.parent_id, live.dataset_id, f.size FROM live
                   JOIN "{workspace}".files f ON f.package_id = live.id AND f.object_type = 'source'
               ),
               -- One row for each file and each folder above it.
               up AS (
                   SELECT id, parent_id, size FROM stored
                   UNION ALL
                   SELECT live.id, live.parent_id, up.size FROM up JOIN live ON live.id = up.parent_id
               )
               SELECT 'package ' || id AS counter, sum(size)::bigint AS bytes FROM up GROUP BY id
               -- Datasets and the workspace count each file once.
               UNION ALL SELECT 'dataset ' || dataset_id, sum(size)::bigint FROM stored GROUP BY dataset_id
               UNION ALL SELECT 'workspace', sum(size)::bigint FROM stored"#
        );
        self.query_counters(&sql).await
    }

    /// Reads the counters. Those of packages that are not live are left out.
    pub async fn load_usage(&self) -> Result<UsageCounters, Error> {
        let workspace = self.id;
        let sql = format!(
            r#"SELECT 'package ' || s.package_id AS counter, s.size AS bytes FROM "{workspace}".package_storage s
               JOIN "{workspace}".packages p ON p.id = s.package_id
               WHERE p.state NOT IN {NOT_LIVE}
               UNION ALL SELECT 'dataset ' || dataset_id, size FROM "{workspace}".dataset_storage
               UNION ALL SELECT 'workspace', size FROM pennsieve.organization_storage WHERE organization_id = {workspace}"#
        );
        self.query_counters(&sql).await
    }

    async fn query_counters(&self, sql: &str) -> Result<UsageCounters, Error> {
        let rows = self.client.query(sql, &[]).await?;
        let counters = rows
            .iter()
            .map(|row| (row.get("counter"), row.get::<_, Option<i64>>("bytes").unwrap_or_default()));
        Ok(counters.filter(|(_, bytes)| *bytes != 0).collect())
    }

    /// Sets the counters to the computed values, as a job of the platform does.
    pub async fn populate_usage(&self) -> Result<(), Error> {
        let workspace = self.id;
        let computed = self.compute_usage().await?;
        let sql = format!(
            r#"TRUNCATE "{workspace}".package_storage, "{workspace}".dataset_storage;
               DELETE FROM pennsieve.organization_storage WHERE organization_id = {workspace};"#
        );
        self.client.batch_execute(&sql).await?;
        // The kind of a counter is the first word of its name.
        let (names, bytes): (Vec<String>, Vec<i64>) = computed.into_iter().unzip();
        let sql = format!(
            r#"WITH
               -- The computed counters.
               n AS (SELECT split_part(name, ' ', 1) AS of, split_part(name, ' ', 2) AS id, bytes
                          FROM unnest($1::text[], $2::bigint[]) AS n (name, bytes)),
               -- One insertion for each table of counters; the workspace's is last.
               packages AS (INSERT INTO "{workspace}".package_storage SELECT id::int, bytes FROM n WHERE of = 'package'),
               datasets AS (INSERT INTO "{workspace}".dataset_storage SELECT id::int, bytes FROM n WHERE of = 'dataset')
               INSERT INTO pennsieve.organization_storage SELECT {workspace}, bytes FROM n WHERE of = 'workspace'"#
        );
        self.client.execute(&sql, &[&names, &bytes]).await.map(drop)
    }
}
