//! Queries on the database's own state: what the role may do, whether the service's tables are complete, and whether
//! lookups are indexed. All of them run in read-only transactions.

mod lookups;
mod privileges;
mod schema;

use tokio_postgres::types::Type;

use database::{Db, Error, Param};
use packages::{id::WorkspaceId, package::PackageState};

pub use self::{
    lookups::{Lookup, explain_lookups},
    privileges::{MissingPrivilege, Purpose, grant_statements, list_missing_privileges},
    schema::{SchemaGaps, load_schema_gaps},
};

/// A setting that the service's role should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleSetting {
    /// Its name in Postgres.
    pub name: &'static str,
    /// The value to set.
    pub value: &'static str,
}

/// Timeouts (terraform/README.md, "First apply"), and no just-in-time compiler, which takes longer to compile a recursive
/// query over folders than the query takes.
const ROLE_SETTINGS: [RoleSetting; 4] = [
    RoleSetting { name: "lock_timeout", value: "10s" },
    RoleSetting { name: "statement_timeout", value: "5min" },
    RoleSetting { name: "idle_in_transaction_session_timeout", value: "60s" },
    RoleSetting { name: "jit", value: "off" },
];

/// The server, and our session there.
#[derive(Debug, Clone)]
pub struct ServerInfo {
    /// Its version, as in `15.4`.
    pub version: String,
    /// The role of the session.
    pub role: String,
    /// The database of the session.
    pub database: String,
    /// Whether it takes no writes of this role, as a standby.
    pub is_read_only: bool,
    /// The settings that the role should have and has not.
    pub missing_settings: Vec<RoleSetting>,
}

/// The workspace with the most packages.
#[derive(Debug, Clone, Copy)]
pub struct LargestWorkspace {
    /// Its id.
    pub id: WorkspaceId,
    /// The planner's estimate of its packages.
    pub packages: i64,
}

/// Work that is overdue by 15 minutes or more.
#[derive(Debug, Clone, Copy)]
pub struct Backlog {
    /// Datasets with an overdue restore.
    pub datasets: i64,
    /// Overdue changelog entries of restored packages.
    pub announcements: i64,
}

/// A stored file of a package that is ready.
#[derive(Debug, Clone)]
pub struct SampleFile {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
}

/// Loads the server's version, our role and database, and the role's missing settings.
pub async fn load_server_info(db: &Db) -> Result<ServerInfo, Error> {
    // A timeout of 0 is none; `jit` is on by default.
    let sql = "SELECT current_setting('server_version') AS version, current_user::text AS role,
                      current_database()::text AS database,
                      pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on' AS is_read_only,
                      ARRAY(SELECT name FROM unnest($1::text[]) AS name
                            WHERE current_setting(name) IN ('0', 'on')) AS missing";
    let names = ROLE_SETTINGS.map(|setting| setting.name.to_owned()).to_vec();
    let rows = db.query_read_only(sql, &[text_array(&names)]).await?;
    let row = rows.first().ok_or_else(|| Error::unreachable("the server returned no row"))?;
    let missing: Vec<String> = row.try_get("missing")?;
    Ok(ServerInfo {
        version: row.try_get("version")?,
        role: row.try_get("role")?,
        database: row.try_get("database")?,
        is_read_only: row.try_get("is_read_only")?,
        missing_settings: ROLE_SETTINGS
            .into_iter()
            .filter(|setting| missing.iter().any(|name| name == setting.name))
            .collect(),
    })
}

/// Finds the workspace with the most packages, by the planner's estimate.
pub async fn find_largest_workspace(db: &Db) -> Result<Option<LargestWorkspace>, Error> {
    // Schemas of workspaces are named by a number. `reltuples` is -1 before the first ANALYZE.
    let sql = "SELECT n.nspname::int AS id, greatest(c.reltuples, 0)::bigint AS packages
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE c.relname = 'packages' AND c.relkind IN ('r', 'p') AND n.nspname ~ '^[1-9][0-9]{0,8}$'
               ORDER BY c.reltuples DESC, n.nspname LIMIT 1";
    let rows = db.query_read_only(sql, &[]).await?;
    let largest = rows.first().map(|row| {
        Ok(LargestWorkspace { id: WorkspaceId(row.try_get("id")?), packages: row.try_get("packages")? })
    });
    largest.transpose()
}

/// Lists the buckets of a workspace's newest files, with one file of a package that is ready in each.
pub async fn list_sample_files(db: &Db, workspace: WorkspaceId) -> Result<Vec<SampleFile>, Error> {
    const READY: &str = PackageState::READY_SQL;
    let sql = format!(
        r#"SELECT DISTINCT ON (f.s3_bucket) f.s3_bucket, f.s3_key
           -- The inner limit keeps this fast in a workspace with millions of files.
           FROM (SELECT package_id, s3_bucket, s3_key, id FROM "{workspace}".files
                 WHERE object_type = 'source' AND s3_bucket <> '' AND s3_key <> '' ORDER BY id DESC LIMIT 200) f
           JOIN "{workspace}".packages p ON p.id = f.package_id
           WHERE p.state = {READY}
           ORDER BY f.s3_bucket, f.id DESC LIMIT 5"#
    );
    let rows = db.query_read_only(&sql, &[]).await?;
    let files = rows
        .iter()
        .map(|row| Ok(SampleFile { bucket: row.try_get("s3_bucket")?, key: row.try_get("s3_key")? }));
    files.collect()
}

/// Counts overdue work.
pub async fn load_backlog(db: &Db) -> Result<Backlog, Error> {
    let sql = "SELECT (SELECT count(*) FROM packages_service.restore_queue
                       WHERE due_at < now() - interval '15 minutes'
                         AND (leased_until IS NULL OR leased_until < now())) AS datasets,
                      (SELECT count(*) FROM packages_service.restore_outbox
                       WHERE greatest(due_at, created_at) < now() - interval '15 minutes') AS announcements";
    let rows = db.query_read_only(sql, &[]).await?;
    let row = rows.first().ok_or_else(|| Error::unreachable("the server returned no row"))?;
    Ok(Backlog { datasets: row.try_get("datasets")?, announcements: row.try_get("announcements")? })
}

/// A list of texts as a parameter.
fn text_array(list: &Vec<String>) -> Param<'_> {
    (list, Type::TEXT_ARRAY)
}
