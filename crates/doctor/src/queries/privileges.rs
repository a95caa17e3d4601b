//! What the service's role must be allowed, by what it is for.

use std::collections::BTreeSet;

use crate::queries::texts;
use database::{Db, Error};

/// What statements are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Who asks, and which role they have in a dataset.
    Roles,
    /// Where a package's bytes are.
    Links,
    /// What is in the trash.
    Trash,
    /// Taking orders of restores, and telling how far they are.
    Orders,
    /// Carrying restores out.
    Restores,
}

impl Purpose {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Roles => "roles of people",
            Self::Links => "links",
            Self::Trash => "the trash",
            Self::Orders => "restore orders",
            Self::Restores => "restores",
        }
    }
}

/// A privilege that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingPrivilege {
    /// Schema and table. Where a workspace's table is meant, an example.
    pub table: String,
    /// As in `SELECT`.
    pub privilege: String,
    /// In how many workspaces, or 1.
    pub places: i64,
    /// There is no such table.
    pub is_absent: bool,
}

/// The tables that the service adds.
const OWN: &str = "packages_service";

const READ: &[&str] = &["SELECT"];
const READ_AND_CHANGE: &[&str] = &["SELECT", "UPDATE"];
const ADD: &[&str] = &["SELECT", "INSERT", "UPDATE"];
const ALL: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE"];

type Need = (&'static str, &'static str, &'static [&'static str]);

/// Schema (nothing: that of each workspace), table, privileges.
fn needed_privileges(purpose: Purpose) -> &'static [Need] {
    match purpose {
        Purpose::Roles => &[
            ("pennsieve", "users", READ),
            ("pennsieve", "organizations", READ),
            ("pennsieve", "organization_user", READ),
            ("pennsieve", "tokens", READ),
            ("pennsieve", "teams", READ),
            ("pennsieve", "organization_team", READ),
            ("pennsieve", "team_user", READ),
            ("", "datasets", READ),
            ("", "dataset_user", READ),
            ("", "dataset_team", READ),
        ],
        Purpose::Links => &[("", "datasets", READ), ("", "packages", READ), ("", "files", READ)],
        Purpose::Trash => &[
            ("", "datasets", READ),
            ("", "packages", READ),
            ("", "files", READ),
            (OWN, "restore_orders", READ),
            (OWN, "restore_claims", READ),
            (OWN, "restore_failures", READ),
        ],
        Purpose::Orders => &[
            ("", "datasets", READ),
            ("", "packages", READ_AND_CHANGE),
            (OWN, "restore_orders", ALL),
            (OWN, "restore_claims", ALL),
            (OWN, "restore_failures", ALL),
            (OWN, "restore_queue", ALL),
        ],
        Purpose::Restores => &[
            ("pennsieve", "organizations", READ),
            ("pennsieve", "organization_storage", ADD),
            ("", "packages", READ_AND_CHANGE),
            ("", "files", READ),
            ("", "package_storage", ADD),
            ("", "dataset_storage", ADD),
            (OWN, "restore_orders", ALL),
            (OWN, "restore_claims", ALL),
            (OWN, "restore_failures", ALL),
            (OWN, "restore_queue", ALL),
            (OWN, "restore_outbox", ALL),
        ],
    }
}

/// The statements that give a role what a purpose needs in one workspace, for the database's owner.
#[must_use]
pub fn grant_statements(purpose: Purpose, workspace: &str, role: &str) -> Vec<String> {
    let mut schemas = BTreeSet::new();
    let mut grants = Vec::new();
    for (schema, table, privileges) in needed_privileges(purpose) {
        let schema = if schema.is_empty() { workspace } else { schema };
        if schemas.insert(schema) {
            grants.push(format!(r#"GRANT USAGE ON SCHEMA "{schema}" TO "{role}""#));
        }
        let privileges = privileges.join(", ");
        grants.push(format!(r#"GRANT {privileges} ON "{schema}".{table} TO "{role}""#));
    }
    grants
}

/// The privileges that a purpose needs and the role of the session lacks, in all workspaces.
///
/// The catalogue is asked, which everybody may read: a name would be an error where its schema is closed.
pub async fn find_missing_privileges(db: &Db, purpose: Purpose) -> Result<Vec<MissingPrivilege>, Error> {
    let (mut schemas, mut tables, mut privileges) = (Vec::new(), Vec::new(), Vec::new());
    for (schema, table, needed) in needed_privileges(purpose) {
        for privilege in *needed {
            schemas.push((*schema).to_owned());
            tables.push((*table).to_owned());
            privileges.push((*privilege).to_owned());
        }
    }
    let sql = "WITH spaces AS (
                   SELECT n.oid, n.nspname FROM pg_namespace n
                   WHERE n.nspname ~ '^[1-9][0-9]*$'
                     AND EXISTS (SELECT 1 FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'packages'))
               SELECT coalesce(min(s.nspname), n.schema)::text || '.' || n.name, n.privilege, count(*),
                      bool_or(c.oid IS NULL)
               FROM unnest($1::text[], $2::text[], $3::text[]) AS n (schema, name, privilege)
               LEFT JOIN pg_namespace s
                      ON s.nspname = n.schema OR (n.schema = '' AND s.oid IN (SELECT oid FROM spaces))
               LEFT JOIN pg_class c ON c.relnamespace = s.oid AND c.relname = n.name
               WHERE (s.oid IS NOT NULL OR n.schema <> '')
                 AND (c.oid IS NULL OR NOT has_schema_privilege(s.oid, 'USAGE')
                      OR NOT has_table_privilege(c.oid, n.privilege))
               GROUP BY n.schema, n.name, n.privilege
               ORDER BY 1, 2";
    let params = [texts(&schemas), texts(&tables), texts(&privileges)];
    let rows = db.query_read_only(sql, &params).await?;
    let missing = rows.iter().map(|row| {
        Ok(MissingPrivilege {
            table: row.try_get(0)?,
            privilege: row.try_get(1)?,
            places: row.try_get(2)?,
            is_absent: row.try_get(3)?,
        })
    });
    missing.collect()
}
