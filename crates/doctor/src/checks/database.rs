//! Postgres: who we are there, what we may, whether our tables are complete, and whether queries have their indexes.

use std::time::Duration;

use crate::queries::{
    Lookup, MissingPrivilege, Purpose, SampleFile, explain_lookups, find_largest_workspace,
    find_missing_privileges, find_schema_gaps, grant_statements, list_sample_files, load_backlog,
    load_server_info,
};
use database::{self, Db};
use hosting::HostBuilder;
use hosting::config;
use packages::id::WorkspaceId;

use crate::report::Check;

/// How long a connection with its first statement, and any statement after it, may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What to do where a statement fails that only looks.
const ASK_OWNER: &str = "show this to the database's owner";

/// Looks at what these purposes need. The files are some that other checks can look for.
pub(crate) async fn check_database(
    builder: &HostBuilder,
    purposes: &[Purpose],
) -> (Vec<Check>, Vec<SampleFile>) {
    let settings = &builder.platform().database;
    let db = match builder.build_single_connection_db() {
        Ok(db) => db.with_statement_timeout(TIMEOUT),
        Err(error) => {
            let check = Check::failure("settings", error.to_string(), "correct the variable");
            return (vec![check], Vec::new());
        }
    };
    let info = match tokio::time::timeout(TIMEOUT, load_server_info(&db)).await {
        Ok(Ok(info)) => info,
        Ok(Err(error)) => {
            let check = Check::failure("connection", error.to_string(), connection_advice(&error, settings));
            return (vec![check], Vec::new());
        }
        Err(_) => {
            let found = format!("no answer within {} s", TIMEOUT.as_secs());
            let advice =
                "the port answers, Postgres does not: is the proxy's target healthy, is a connection left?";
            return (vec![Check::failure("connection", found, advice)], Vec::new());
        }
    };
    let place = format!("PostgreSQL {}, as {} in {}", info.version, info.role, info.database);
    let mut checks =
        vec![Check::ok("connection", place), check_tls(settings), check_settings(&info.role, &info.unset)];
    for purpose in purposes {
        checks.push(check_privileges(&db, *purpose, &info.role).await);
    }
    if purposes.iter().any(|purpose| !matches!(purpose, Purpose::Roles | Purpose::Links)) {
        checks.extend(check_own_tables(&db, purposes).await);
    }
    let samples = check_workspace(&db, purposes, &mut checks).await;
    (checks, samples)
}

fn connection_advice(error: &database::Error, settings: &config::DatabaseConfig) -> String {
    let text = error.to_string();
    let advice = match error.sql_state() {
        Some("28P01" | "28000") if settings.password.is_none() => {
            "the role of the function needs rds-db:connect for this user, the user needs GRANT rds_iam, and the proxy \
             IAM authentication"
        }
        Some("28P01" | "28000") => "are POSTGRES_USER and POSTGRES_PASSWORD right?",
        Some("3D000") => "PENNSIEVE_DB names no database there",
        Some("42501") => "GRANT CONNECT on the database to the role",
        Some("53300") => "no connection is left: look for who keeps them",
        _ if text.contains("certificate") => {
            "the server's certificate is not trusted: POSTGRES_CA_FILE names its authority, and the host must be as in \
             the certificate"
        }
        _ if text.contains("TLS") => {
            "the server does without TLS: POSTGRES_SSL_MODE=disable, where the way to it is safe"
        }
        _ => "is RDS_PROXY_ENDPOINT or POSTGRES_HOST that of the database?",
    };
    advice.to_owned()
}

fn check_tls(settings: &config::DatabaseConfig) -> Check {
    let found =
        if settings.tls { "TLS, and the certificate is verified" } else { "not encrypted, as was asked for" };
    Check::ok("encryption", found)
}

fn check_settings(role: &str, unset: &[(&str, &str)]) -> Check {
    if unset.is_empty() {
        return Check::ok("settings of the role", "the limits of time are set, and no statement is compiled");
    }
    let names: Vec<&str> = unset.iter().map(|(name, _)| *name).collect();
    let set: Vec<String> =
        unset.iter().map(|(name, value)| format!("ALTER ROLE {role} SET {name} = '{value}'")).collect();
    let advice = format!("as an administrator: {}", set.join("; "));
    Check::warning("settings of the role", format!("not set: {}", names.join(", ")), advice)
}

async fn check_privileges(db: &Db, purpose: Purpose, role: &str) -> Check {
    let name = format!("privileges: {}", purpose.name());
    let missing = match find_missing_privileges(db, purpose).await {
        Ok(missing) => missing,
        Err(error) => return Check::failure(name, error.to_string(), ASK_OWNER),
    };
    let Some(first) = missing.first() else { return Check::ok(name, "all that its statements need") };
    let found: Vec<String> = missing.iter().map(describe_missing).collect();
    let workspace = first.table.split('.').next().unwrap_or_default();
    let advice = if missing.iter().all(|one| one.is_absent) {
        "is this the platform's database, and are its tables and ours there? packages-service schema prints ours".to_owned()
    } else {
        format!("as the owner, for each workspace: {}", grant_statements(purpose, workspace, role).join("; "))
    };
    Check::failure(name, found.join(", "), advice)
}

fn describe_missing(missing: &MissingPrivilege) -> String {
    let MissingPrivilege { table, privilege, places, is_absent } = missing;
    let more = if *places > 1 { format!(" and {} more", places - 1) } else { String::new() };
    if *is_absent { format!("no table {table}{more}") } else { format!("no {privilege} on {table}{more}") }
}

async fn check_own_tables(db: &Db, purposes: &[Purpose]) -> Vec<Check> {
    let name = "own tables";
    let advice = "as the owner, with this version of the program: packages-service schema | psql";
    let gaps = match find_schema_gaps(db).await {
        Ok(gaps) => gaps.missing,
        Err(error) => return vec![Check::failure(name, error.to_string(), ASK_OWNER)],
    };
    if !gaps.is_empty() {
        return vec![Check::failure(name, format!("not there: {}", gaps.join(", ")), advice)];
    }
    let mut checks = vec![Check::ok(name, "as this version needs them")];
    if purposes.contains(&Purpose::Restores) {
        checks.push(check_backlog(db).await);
    }
    checks
}

async fn check_backlog(db: &Db) -> Check {
    let name = "work that waits";
    match load_backlog(db).await {
        Ok(backlog) if backlog.datasets == 0 && backlog.announcements == 0 => Check::ok(name, "none is late"),
        Ok(backlog) => {
            let found = format!(
                "late by a quarter of an hour: datasets {}, announcements {}",
                backlog.datasets, backlog.announcements
            );
            Check::warning(
                name,
                found,
                "does a worker run, and the schedule? docs/operations.md, Restore by hand",
            )
        }
        Err(error) => Check::failure(name, error.to_string(), ASK_OWNER),
    }
}

/// The indexes of the largest workspace, and some of its files.
async fn check_workspace(db: &Db, purposes: &[Purpose], checks: &mut Vec<Check>) -> Vec<SampleFile> {
    let (workspace, packages) = match find_largest_workspace(db).await {
        Ok(Some(largest)) => largest,
        Ok(None) => {
            let advice = "is PENNSIEVE_DB the platform's database?";
            checks.push(Check::failure("workspaces", "there is none", advice));
            return Vec::new();
        }
        Err(error) => {
            checks.push(Check::failure("workspaces", error.to_string(), ASK_OWNER));
            return Vec::new();
        }
    };
    checks.extend(check_indexes(db, (workspace, packages), purposes).await);
    if purposes == [Purpose::Roles] {
        return Vec::new();
    }
    list_sample_files(db, workspace).await.unwrap_or_default()
}

/// A line for each look-up that no index serves.
async fn check_indexes(
    db: &Db,
    (workspace, packages): (WorkspaceId, i64),
    purposes: &[Purpose],
) -> Vec<Check> {
    let name = "indexes";
    let lookups = match explain_lookups(db, workspace, purposes).await {
        Ok(lookups) => lookups,
        Err(error) => {
            return vec![Check::failure(name, error.to_string(), "grant the privileges named above first")];
        }
    };
    let missing: Vec<_> = lookups.iter().filter(|lookup| !lookup.is_indexed).collect();
    if missing.is_empty() {
        let found = format!(
            "all {} look-ups have theirs, in workspace {workspace} (about {packages} packages)",
            lookups.len()
        );
        return vec![Check::ok(name, found)];
    }
    let told = missing.into_iter().map(|Lookup { table, columns, .. }| {
        let (place, each) = match table.split_once('.') {
            Some(_) => ((*table).to_owned(), ""),
            None => (format!(r#""{workspace}".{table}"#), ", and in each workspace that lacks it"),
        };
        let found = format!("none on {table} ({columns}) in workspace {workspace}");
        let advice = format!(
            "such queries read the whole table: CREATE INDEX CONCURRENTLY ON {place} ({columns}){each}"
        );
        Check::failure(name, found, advice)
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> config::DatabaseConfig {
        config::DatabaseConfig {
            host: "proxy.test".to_owned(),
            port: 5432,
            user: "user".to_owned(),
            name: "name".to_owned(),
            password: None,
            tls: true,
            ca_file: None,
            connections: 1,
        }
    }

    #[test]
    fn what_keeps_a_connection_from_being_made_has_its_own_advice() {
        for (why, expected) in [
            ("invalid peer certificate: UnknownIssuer", "POSTGRES_CA_FILE"),
            ("server does not support TLS", "POSTGRES_SSL_MODE=disable"),
            ("connection reset by peer", "RDS_PROXY_ENDPOINT or POSTGRES_HOST"),
        ] {
            let advice = connection_advice(&database::Error::Unreachable(why.into()), &settings());
            assert!(advice.contains(expected), "{why}: {advice}");
        }
    }
}
