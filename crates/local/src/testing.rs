//! Databases for tests: one throwaway server per process, one new database in it, and a new workspace for each test.
//!
//! `TEST_DATABASE_URL` selects another server. Its user must be allowed to create databases. `PG_BIN_DIR` selects the
//! programs of the throwaway server.

mod panics;

use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio_postgres::{Client, Error, NoTls};
use url::Url;
use uuid::Uuid;

pub use panics::PanickingRecorder;

use crate::{postgres, schema, workspace::Workspace};

/// The prefix of database names. The creation time in seconds and a random id follow.
const NAME_PREFIX: &str = "packages_service_test_";

/// Databases on an external server are dropped after this time. Other processes may test there concurrently.
const EXTERNAL_MAX_AGE_SECONDS: i64 = 3600;

/// The URL of this process's test database. The first call creates it. It has the shared tables and no workspace.
///
/// # Panics
/// If Postgres does not start. No test could continue.
pub async fn database_url() -> &'static str {
    static URL: OnceCell<String> = OnceCell::const_new();
    URL.get_or_init(|| async { create_first_database().await.unwrap_or_else(|error| fail(&error)) }).await
}

/// The URL of a new database for one test: for tests that search all workspaces, including those of other tests.
///
/// # Panics
/// Like [`database_url`].
pub async fn isolated_database_url() -> String {
    create_database(&TestServer::from_environment().url).await.unwrap_or_else(|error| fail(&error))
}

/// Creates a workspace in the test database.
///
/// # Panics
/// Like [`database_url`].
pub async fn create_workspace() -> Workspace {
    create_workspace_in(database_url().await).await
}

/// Creates a workspace in this database.
///
/// # Panics
/// Like [`database_url`].
pub async fn create_workspace_in(database: &str) -> Workspace {
    let client = connect(database).await.unwrap_or_else(|error| fail(&error));
    Workspace::create(Arc::new(client), "Test").await.unwrap_or_else(|error| fail(&error))
}

/// Opens a connection that lives as long as the test's runtime.
pub async fn connect(url: &str) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn create_first_database() -> Result<String, Error> {
    let server = TestServer::from_environment();
    let client = connect(&server.url).await?;
    let now = load_time(&client).await?;
    drop_old_databases(&client, now - server.max_age_seconds).await?;
    create_database(&server.url).await
}

struct TestServer {
    url: String,
    /// Older databases are dropped.
    max_age_seconds: i64,
}

impl TestServer {
    fn from_environment() -> Self {
        match env_variable("TEST_DATABASE_URL") {
            Some(url) => Self { url, max_age_seconds: EXTERNAL_MAX_AGE_SECONDS },
            // This process alone uses the throwaway server, so all databases in it are left over from earlier runs.
            None => Self { url: postgres::shared_server_url(), max_age_seconds: 0 },
        }
    }
}

/// The time of the server in seconds since the Unix epoch.
async fn load_time(client: &Client) -> Result<i64, Error> {
    Ok(client.query_one("SELECT extract(epoch FROM now())::bigint AS now", &[]).await?.get("now"))
}

async fn create_database(server: &str) -> Result<String, Error> {
    let client = connect(server).await?;
    let now = load_time(&client).await?;
    let name = format!("{NAME_PREFIX}{now}_{}", Uuid::new_v4().simple());
    client.batch_execute(&format!("CREATE DATABASE {name}")).await?;
    let url = with_database(server, &name);
    schema::create_shared_tables(&connect(&url).await?).await?;
    Ok(url)
}

/// Drops the databases that were created up to this time, in seconds since the Unix epoch. A database in use stays, and so
/// does one that another process is dropping.
async fn drop_old_databases(server: &Client, until: i64) -> Result<(), Error> {
    for row in server.query("SELECT datname::text AS name FROM pg_database", &[]).await? {
        let name: &str = row.get("name");
        if parse_creation_time(name).is_some_and(|created| created <= until) {
            // Fails while there are connections, which is intended.
            let _ = server.batch_execute(&format!("DROP DATABASE {name}")).await;
        }
    }
    Ok(())
}

/// The creation time in a database name. `None` if the name has another format.
fn parse_creation_time(name: &str) -> Option<i64> {
    let (created, random) = name.strip_prefix(NAME_PREFIX)?.split_once('_')?;
    Uuid::try_parse(random).ok()?;
    created.parse().ok()
}

/// The URL of another database on the same server.
fn with_database(server: &str, name: &str) -> String {
    #[expect(clippy::panic, reason = "this module is for tests")]
    let mut url = Url::parse(server).unwrap_or_else(|error| panic!("invalid TEST_DATABASE_URL: {error}"));
    url.set_path(name);
    url.into()
}

/// An environment variable. `None` if it is missing or empty.
#[expect(clippy::disallowed_methods, reason = "a test has no host that reads the environment")]
pub(crate) fn env_variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn fail<T>(error: &Error) -> T {
    #[expect(clippy::panic, reason = "this module is for tests")]
    {
        panic!("the test database is unavailable: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_only_names_of_test_databases() {
        let random = Uuid::nil().simple();
        let name = format!("{NAME_PREFIX}1790000000_{random}");
        assert_eq!(parse_creation_time(&name), Some(1_790_000_000));
        for name in ["postgres", NAME_PREFIX, "packages_service_test_results", "packages_service_test_1_x"] {
            assert_eq!(parse_creation_time(name), None, "{name}");
        }
    }
}
