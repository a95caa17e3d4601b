//! A database for tests: one throw-away server a process, one fresh database in it, and a tenant for whoever asks.
//!
//! The variable `TEST_DATABASE_URL` names a server to use instead, as somebody who may create databases there;
//! `PG_BIN_DIR` the programs to start our own with.

use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio_postgres::{Client, Error, NoTls};
use url::Url;
use uuid::Uuid;

use crate::{postgres, schema, workspace::Workspace};

/// What the names of our databases begin with; the second of their making and something random follow.
const PREFIX: &str = "packages_service_test_";

/// Seconds after which a database on a given server is nobody's any more. Others may be testing there right now.
const GIVEN_SERVER_MAX_AGE: i64 = 3600;

/// The URL of this process's test database, made by who asks first. It holds what tenants share, and no tenant.
///
/// # Panics
/// Where there is no Postgres to be started: a test can do nothing then.
pub async fn database() -> &'static str {
    static URL: OnceCell<String> = OnceCell::const_new();
    URL.get_or_init(|| async { make().await.unwrap_or_else(|error| fail(&error)) }).await
}

/// The URL of a database for one test alone: for what looks through all tenants, those of other tests included.
///
/// # Panics
/// Like [`database`].
pub async fn database_of_its_own() -> String {
    create_database(&server().0).await.unwrap_or_else(|error| fail(&error))
}

/// A fresh tenant in the test database.
///
/// # Panics
/// Like [`database`].
pub async fn workspace() -> Workspace {
    workspace_in(database().await).await
}

/// A fresh tenant in this database.
///
/// # Panics
/// Like [`database`].
pub async fn workspace_in(database: &str) -> Workspace {
    let client = connect(database).await.unwrap_or_else(|error| fail(&error));
    Workspace::create(Arc::new(client), "Test").await.unwrap_or_else(|error| fail(&error))
}

/// A connection that lives as long as the test's runtime.
pub async fn connect(url: &str) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn make() -> Result<String, Error> {
    let (server, max_age) = server();
    let client = connect(&server).await?;
    let now: i64 = client.query_one("SELECT extract(epoch FROM now())::bigint", &[]).await?.get(0);
    drop_old(&client, now - max_age).await?;
    create_database(&server).await
}

/// The server's URL, and after how many seconds a database on it is nobody's any more. Our own server is this process's
/// alone: what is in it is an earlier one's.
fn server() -> (String, i64) {
    match environment("TEST_DATABASE_URL") {
        Some(given) => (given, GIVEN_SERVER_MAX_AGE),
        None => (postgres::shared_for_tests(), 0),
    }
}

async fn create_database(server: &str) -> Result<String, Error> {
    let client = connect(server).await?;
    let now: i64 = client.query_one("SELECT extract(epoch FROM now())::bigint", &[]).await?.get(0);
    let name = format!("{PREFIX}{now}_{}", Uuid::new_v4().simple());
    client.batch_execute(&format!("CREATE DATABASE {name}")).await?;
    let url = with_database(server, &name);
    schema::create_shared(&connect(&url).await?).await?;
    Ok(url)
}

/// Drops the databases that earlier runs made up to that time, in seconds since the epoch. One that is still in use, or
/// that somebody else is dropping, stays.
async fn drop_old(server: &Client, until: i64) -> Result<(), Error> {
    for row in server.query("SELECT datname::text FROM pg_database", &[]).await? {
        let name: &str = row.get(0);
        if made_at(name).is_some_and(|made| made <= until) {
            let _ = server.batch_execute(&format!("DROP DATABASE {name}")).await;
        }
    }
    Ok(())
}

/// When one of our databases was made; `None` if it is not ours.
fn made_at(name: &str) -> Option<i64> {
    let (made, random) = name.strip_prefix(PREFIX)?.split_once('_')?;
    Uuid::try_parse(random).ok()?;
    made.parse().ok()
}

/// The URL of another database on the same server.
fn with_database(server: &str, name: &str) -> String {
    #[expect(clippy::panic, reason = "this module is for tests")]
    let mut url = Url::parse(server).unwrap_or_else(|error| panic!("TEST_DATABASE_URL is no URL: {error}"));
    url.set_path(name);
    url.into()
}

/// A variable that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "a test has no host to read its environment")]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn fail<T>(error: &Error) -> T {
    #[expect(clippy::panic, reason = "this module is for tests")]
    {
        panic!("the test database cannot be used: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_databases_of_ours_are_dropped() {
        let random = Uuid::nil().simple();
        assert_eq!(made_at(&format!("{PREFIX}1790000000_{random}")), Some(1_790_000_000));
        for not_ours in ["postgres", PREFIX, "packages_service_test_results", "packages_service_test_1_x"] {
            assert_eq!(made_at(not_ours), None, "{not_ours}");
        }
    }
}
