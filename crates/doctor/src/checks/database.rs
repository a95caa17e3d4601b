//! Postgres: our role, its privileges, the service's own tables, and whether lookups are indexed.

use std::time::Duration;

use database::Db;
use hosting::{HostBuilder, config::DatabaseConfig};
use packages::id::WorkspaceId;

use crate::{
    queries::{
        LargestWorkspace, Lookup, MissingPrivilege, Purpose, RoleSetting, SampleFile, explain_lookups,
        find_largest_workspace, grant_statements, list_missing_privileges, list_sample_files, load_backlog,
        load_schema_gaps, load_server_info,
    },
    report::Check,
};

/// How long a connection with its first statement may take, and each statement after it.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);

/// The advice for a failed query of this module.
const ASK_OWNER: &str = "show this to the database's owner";

/// Checks what these purposes need. Returns files that other checks may look for.
pub(crate) async fn check_database(
    builder: &HostBuilder,
    purposes: &[Purpose],
) -> (Vec<Check>, Vec<SampleFile>) {
    let config = &builder.platform().database;
    let db = match builder.build_single_connection_db() {
        Ok(db) => db.with_statement_timeout(STATEMENT_TIMEOUT),
        Err(error) => {
            let check = Check::failure("settings", error.to_string(), "correct the variable");
            return (vec![check], Vec::new());
        }
    };
    let info = match tokio::time::timeout(STATEMENT_TIMEOUT, load_server_info(&db)).await {
        Ok(Ok(info)) => info,
        Ok(Err(error)) => {
            let check = Check::failure("connection", error.to_string(), connection_advice(&error, config));
            return (vec![check], Vec::new());
        }
        Err(_) => {
            let found = format!("no answer within {} s", STATEMENT_TIMEOUT.as_secs());
            let advice = "the port is open, but Postgres does not answer: check that the proxy's target is healthy, and \
                          that connections are left";
            return (vec![Check::failure("connection", found, advice)], Vec::new());
        }
    };
    let found = format!("PostgreSQL {}, as {} in {}", info.version, info.role, info.database);
    let mut checks = vec![
        Check::ok("connection", found),
        check_encryption(config),
        check_role_settings(&info.role, &info.missing_settings),
    ];
    let writes = purposes.iter().any(|purpose| matches!(purpose, Purpose::Orders | Purpose::Restores));
    if writes && info.is_read_only {
        let advice = "connect to the primary: this is a standby, or default_transaction_read_only is on";
        checks.push(Check::failure("writes", "the server is read-only", advice));
    }
    for purpose in purposes {
        checks.push(check_privileges(&db, *purpose, &info.role).await);
    }
    if purposes.iter().any(|purpose| !matches!(purpose, Purpose::Roles | Purpose::Listings | Purpose::Links))
    {
        checks.extend(check_own_tables(&db, purposes).await);
    }
    let samples = check_workspace(&db, purposes, &mut checks).await;
    (checks, samples)
}

fn connection_advice(error: &database::Error, config: &DatabaseConfig) -> &'static str {
    let text = error.to_string();
    match error.sql_state() {
        Some("28P01" | "28000") if config.password.is_none() => {
            "allow the function's role rds-db:connect for this user, GRANT rds_iam to the user, and turn on IAM \
             authentication at the proxy"
        }
        Some("28P01" | "28000") => "check POSTGRES_USER and POSTGRES_PASSWORD",
        Some("3D000") => "PENNSIEVE_DB names no database of this server",
        Some("42501") => "GRANT CONNECT on the database to the role",
        Some("53300") => "no connection is left: find the clients that hold them",
        _ if text.contains("certificate") => {
            "the server's certificate is not trusted: set POSTGRES_CA_FILE to its authority, and use the host name in the \
             certificate"
        }
        _ if text.contains("TLS") => {
            "the server does not support TLS: set POSTGRES_SSL_MODE=disable if the network is safe"
        }
        _ => "check that RDS_PROXY_ENDPOINT or POSTGRES_HOST is the database's",
    }
}

fn check_encryption(config: &DatabaseConfig) -> Check {
    let found =
        if config.tls { "TLS, and the certificate is verified" } else { "not encrypted, as configured" };
    Check::ok("encryption", found)
}

fn check_role_settings(role: &str, missing: &[RoleSetting]) -> Check {
    let name = "settings of the role";
    if missing.is_empty() {
        return Check::ok(name, "the timeouts are set, and JIT is off");
    }
    let names: Vec<&str> = missing.iter().map(|setting| setting.name).collect();
    let statements: Vec<String> = missing
        .iter()
        .map(|RoleSetting { name, value }| format!("ALTER ROLE {role} SET {name} = '{value}'"))
        .collect();
    let advice = format!("as an administrator: {}", statements.join("; "));
    Check::warning(name, format!("not set: {}", names.join(", ")), advice)
}

async fn check_privileges(db: &Db, purpose: Purpose, role: &str) -> Check {
    let name = format!("privileges: {}", purpose.name());
    let missing = match list_missing_privileges(db, purpose).await {
        Ok(missing) => missing,
        Err(error) => return Check::failure(name, error.to_string(), ASK_OWNER),
    };
    let Some(first) = missing.first() else { return Check::ok(name, "complete") };
    let found: Vec<String> = missing.iter().map(describe_missing).collect();
    let workspace = first.table.split('.').next().unwrap_or_default();
    let advice = if missing.iter().all(|privilege| privilege.is_absent) {
        "check that this is the platform's database; packages-service schema prints the service's own tables"
            .to_owned()
    } else {
        let grants = grant_statements(purpose, workspace, role).join("; ");
        format!("as the database's owner, for each workspace: {grants}")
    };
    Check::failure(name, found.join(", "), advice)
}

fn describe_missing(missing: &MissingPrivilege) -> String {
    let MissingPrivilege { table, privilege, schemas, is_absent } = missing;
    let more = if *schemas > 1 { format!(" and {} more", schemas - 1) } else { String::new() };
    if *is_absent { format!("no table {table}{more}") } else { format!("no {privilege} on {table}{more}") }
}

async fn check_own_tables(db: &Db, purposes: &[Purpose]) -> Vec<Check> {
    let name = "own tables";
    let advice = "as the database's owner, with this version of the program: packages-service schema | psql";
    let missing = match load_schema_gaps(db).await {
        Ok(gaps) => gaps.missing,
        Err(error) => return vec![Check::failure(name, error.to_string(), ASK_OWNER)],
    };
    if !missing.is_empty() {
        return vec![Check::failure(name, format!("missing: {}", missing.join(", ")), advice)];
    }
    let mut checks = vec![Check::ok(name, "complete for this version")];
    if purposes.contains(&Purpose::Restores) {
        checks.push(check_backlog(db).await);
    }
    checks
}

async fn check_backlog(db: &Db) -> Check {
    let name = "backlog";
    match load_backlog(db).await {
        Ok(backlog) if backlog.datasets == 0 && backlog.announcements == 0 => {
            Check::ok(name, "nothing is overdue")
        }
        Ok(backlog) => {
            let found = format!(
                "overdue by 15 minutes or more: datasets {}, announcements {}",
                backlog.datasets, backlog.announcements
            );
            let advice = "check that a worker and the schedule run; see docs/operations.md, Restore by hand";
            Check::warning(name, found, advice)
        }
        Err(error) => Check::failure(name, error.to_string(), ASK_OWNER),
    }
}

/// Checks the indexes of the largest workspace, and returns some of its files.
async fn check_workspace(db: &Db, purposes: &[Purpose], checks: &mut Vec<Check>) -> Vec<SampleFile> {
    let largest = match find_largest_workspace(db).await {
        Ok(Some(largest)) => largest,
        Ok(None) => {
            let advice = "check that PENNSIEVE_DB is the platform's database";
            checks.push(Check::failure("workspaces", "there is none", advice));
            return Vec::new();
        }
        Err(error) => {
            checks.push(Check::failure("workspaces", error.to_string(), ASK_OWNER));
            return Vec::new();
        }
    };
    checks.extend(check_indexes(db, largest, purposes).await);
    if purposes == [Purpose::Roles] {
        return Vec::new();
    }
    list_sample_files(db, largest.id).await.unwrap_or_default()
}

/// A line for each lookup without an index.
async fn check_indexes(db: &Db, largest: LargestWorkspace, purposes: &[Purpose]) -> Vec<Check> {
    let name = "indexes";
    let LargestWorkspace { id: workspace, packages } = largest;
    let lookups = match explain_lookups(db, workspace, purposes).await {
        Ok(lookups) => lookups,
        Err(error) => {
            return vec![Check::failure(name, error.to_string(), "grant the privileges named above first")];
        }
    };
    let failures: Vec<Check> =
        lookups.iter().filter_map(|lookup| describe_lookup_failure(lookup, workspace)).collect();
    if failures.is_empty() {
        let count = lookups.len();
        let found =
            format!("all {count} lookups have one, in workspace {workspace} (about {packages} packages)");
        return vec![Check::ok(name, found)];
    }
    failures
}

fn describe_lookup_failure(lookup: &Lookup, workspace: WorkspaceId) -> Option<Check> {
    let Lookup { table, columns, is_indexed } = lookup;
    let name = "indexes";
    if let Err(error) = is_indexed {
        let found = format!("{table} ({columns}) in workspace {workspace}: {error}");
        let advice = "complete the migration of this workspace; other workspaces are served meanwhile";
        return Some(Check::failure(name, found, advice));
    }
    if matches!(is_indexed, Ok(true)) {
        return None;
    }
    let is_shared = table.contains('.');
    let table_name = if is_shared { (*table).to_owned() } else { format!(r#""{workspace}".{table}"#) };
    let scope = if is_shared { "" } else { ", and in each workspace that lacks it" };
    let found = format!("none on {table} ({columns}) in workspace {workspace}");
    let advice =
        format!("lookups read the whole table: CREATE INDEX CONCURRENTLY ON {table_name} ({columns}){scope}");
    Some(Check::failure(name, found, advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> DatabaseConfig {
        DatabaseConfig {
            host: "proxy.test".to_owned(),
            port: 5432,
            user: "user".to_owned(),
            name: "name".to_owned(),
            password: None,
            tls: true,
            ca_file: None,
            connections: 1,
            prepared_statements: false,
        }
    }

    #[test]
    fn connection_errors_have_their_own_advice() {
        for (cause, expected) in [
            ("invalid peer certificate: UnknownIssuer", "POSTGRES_CA_FILE"),
            ("server does not support TLS", "POSTGRES_SSL_MODE=disable"),
            ("connection reset by peer", "RDS_PROXY_ENDPOINT or POSTGRES_HOST"),
        ] {
            let advice = connection_advice(&database::Error::Unreachable(cause.into()), &config());
            assert!(advice.contains(expected), "{cause}: {advice}");
        }
    }
}
