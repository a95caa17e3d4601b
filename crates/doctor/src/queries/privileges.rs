//! The privileges that the service's role needs, by purpose.

use std::collections::BTreeSet;

use database::{Db, Error};

use crate::queries::text_array;

/// What statements are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Finding callers and their roles in a dataset.
    Roles,
    /// Listing datasets, and the packages in them.
    Listings,
    /// Finding a package's stored file.
    Links,
    /// Listing the trash.
    Trash,
    /// Accepting restore orders, and reporting their progress.
    Orders,
    /// Running restores.
    Restores,
}

impl Purpose {
    /// Its name in the report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Roles => "roles of people",
            Self::Listings => "listings",
            Self::Links => "links",
            Self::Trash => "the trash",
            Self::Orders => "restore orders",
            Self::Restores => "restores",
        }
    }
}

/// A privilege that the role lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingPrivilege {
    /// Schema and table. For workspaces, one example.
    pub table: String,
    /// As in `SELECT`.
    pub privilege: String,
    /// The number of workspaces, or 1.
    pub schemas: i64,
    /// Whether the table does not exist.
    pub is_absent: bool,
}

const READ: &[&str] = &["SELECT"];
const READ_AND_CHANGE: &[&str] = &["SELECT", "UPDATE"];
const ADD: &[&str] = &["SELECT", "INSERT", "UPDATE"];
const ALL: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE"];

#[derive(Clone, Copy)]
enum Schema {
    /// `pennsieve`.
    Platform,
    /// That of each workspace.
    Workspace,
    /// `packages_service`, with the tables that the service adds.
    Service,
}

impl Schema {
    fn name(self, workspace: &str) -> &str {
        match self {
            Self::Platform => "pennsieve",
            Self::Workspace => workspace,
            Self::Service => "packages_service",
        }
    }
}

struct TablePrivileges {
    schema: Schema,
    table: &'static str,
    privileges: &'static [&'static str],
}

const fn platform(table: &'static str, privileges: &'static [&'static str]) -> TablePrivileges {
    TablePrivileges { schema: Schema::Platform, table, privileges }
}

const fn workspace(table: &'static str, privileges: &'static [&'static str]) -> TablePrivileges {
    TablePrivileges { schema: Schema::Workspace, table, privileges }
}

const fn service(table: &'static str, privileges: &'static [&'static str]) -> TablePrivileges {
    TablePrivileges { schema: Schema::Service, table, privileges }
}

/// A table that the platform need not have. Where it does, decisions read it.
const OPTIONAL_TABLE: &str = "dataset_organization";

const ROLES: &[TablePrivileges] = &[
    platform("users", READ),
    platform("organizations", READ),
    platform("organization_user", READ),
    platform(OPTIONAL_TABLE, READ),
    platform("tokens", READ),
    platform("teams", READ),
    platform("organization_team", READ),
    platform("team_user", READ),
    workspace("datasets", READ),
    workspace("dataset_user", READ),
    workspace("dataset_team", READ),
];

const LISTINGS: &[TablePrivileges] = &[
    workspace("datasets", READ),
    workspace("dataset_status", READ),
    workspace("dataset_storage", READ),
    workspace("dataset_user", READ),
    workspace("dataset_team", READ),
    platform("organizations", READ),
    platform("organization_user", READ),
    platform("organization_team", READ),
    platform("teams", READ),
    platform("team_user", READ),
    workspace("packages", READ),
    workspace("files", READ),
];

const LINKS: &[TablePrivileges] =
    &[workspace("datasets", READ), workspace("packages", READ), workspace("files", READ)];

const TRASH: &[TablePrivileges] = &[
    workspace("datasets", READ),
    workspace("packages", READ),
    workspace("files", READ),
    service("restore_orders", READ),
    service("restore_claims", READ),
    service("restore_failures", READ),
];

const ORDERS: &[TablePrivileges] = &[
    workspace("datasets", READ),
    workspace("packages", READ_AND_CHANGE),
    service("restore_orders", ALL),
    service("restore_claims", ALL),
    service("restore_failures", ALL),
    service("restore_queue", ALL),
];

const RESTORES: &[TablePrivileges] = &[
    platform("organizations", READ),
    platform("organization_storage", ADD),
    workspace("packages", READ_AND_CHANGE),
    workspace("files", READ),
    workspace("package_storage", ADD),
    workspace("dataset_storage", ADD),
    service("restore_orders", ALL),
    service("restore_claims", ALL),
    service("restore_failures", ALL),
    service("restore_queue", ALL),
    service("restore_outbox", ALL),
];

fn needed_privileges(purpose: Purpose) -> &'static [TablePrivileges] {
    match purpose {
        Purpose::Roles => ROLES,
        Purpose::Listings => LISTINGS,
        Purpose::Links => LINKS,
        Purpose::Trash => TRASH,
        Purpose::Orders => ORDERS,
        Purpose::Restores => RESTORES,
    }
}

/// The statements that grant a role what a purpose needs in one workspace, for the database's owner.
#[must_use]
pub fn grant_statements(purpose: Purpose, workspace: &str, role: &str) -> Vec<String> {
    let mut schemas = BTreeSet::new();
    let mut grants = Vec::new();
    for TablePrivileges { schema, table, privileges } in needed_privileges(purpose) {
        let schema = schema.name(workspace);
        if schemas.insert(schema) {
            grants.push(format!(r#"GRANT USAGE ON SCHEMA "{schema}" TO "{role}""#));
        }
        let privileges = privileges.join(", ");
        grants.push(format!(r#"GRANT {privileges} ON "{schema}".{table} TO "{role}""#));
    }
    grants
}

/// Finds the privileges that a purpose needs and the session's role lacks, in all workspaces.
pub async fn list_missing_privileges(db: &Db, purpose: Purpose) -> Result<Vec<MissingPrivilege>, Error> {
    let (mut schemas, mut tables, mut privileges) = (Vec::new(), Vec::new(), Vec::new());
    for TablePrivileges { schema, table, privileges: needed } in needed_privileges(purpose) {
        for privilege in *needed {
            // An empty schema stands for those of all workspaces.
            schemas.push(schema.name("").to_owned());
            tables.push((*table).to_owned());
            privileges.push((*privilege).to_owned());
        }
    }
    // The catalogue is readable for every role. Table names (regclass) fail where the role may not use the schema.
    let sql = "WITH workspaces AS (
                   -- Schemas of workspaces are named by a number, and have packages.
                   SELECT n.oid, n.nspname FROM pg_namespace n
                   WHERE n.nspname ~ '^[1-9][0-9]*$'
                     AND EXISTS (SELECT 1 FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'packages'))
               SELECT coalesce(min(s.nspname), n.schema)::text || '.' || n.name AS table_name, n.privilege,
                      count(*) AS schemas, bool_or(c.oid IS NULL) AS is_absent
               FROM unnest($1::text[], $2::text[], $3::text[]) AS n (schema, name, privilege)
               LEFT JOIN pg_namespace s
                      ON s.nspname = n.schema OR (n.schema = '' AND s.oid IN (SELECT oid FROM workspaces))
               LEFT JOIN pg_class c ON c.relnamespace = s.oid AND c.relname = n.name
               WHERE (s.oid IS NOT NULL OR n.schema <> '')
                 AND (c.oid IS NULL OR NOT has_schema_privilege(s.oid, 'USAGE')
                      OR NOT has_table_privilege(c.oid, n.privilege))
               GROUP BY n.schema, n.name, n.privilege
               ORDER BY table_name, n.privilege";
    let params = [text_array(&schemas), text_array(&tables), text_array(&privileges)];
    let rows = db.query_read_only(sql, &params).await?;
    let missing = rows.iter().map(|row| -> Result<MissingPrivilege, Error> {
        Ok(MissingPrivilege {
            table: row.try_get("table_name")?,
            privilege: row.try_get("privilege")?,
            schemas: row.try_get("schemas")?,
            is_absent: row.try_get("is_absent")?,
        })
    });
    let is_optional =
        |missing: &MissingPrivilege| missing.is_absent && missing.table.ends_with(OPTIONAL_TABLE);
    missing.filter(|missing| !missing.as_ref().is_ok_and(is_optional)).collect()
}
