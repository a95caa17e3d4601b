//! A database for tests: one throw-away server a process, one fresh database in it, and a tenant for whoever asks.

use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

use crate::{postgres, schema, workspace::Workspace};

/// The URL of this process's test database, made by who asks first. It holds what tenants share, and no tenant.
///
/// # Panics
/// Where there is no Postgres to be started: a test can do nothing then.
pub async fn database() -> &'static str {
    static URL: OnceCell<String> = OnceCell::const_new();
    URL.get_or_init(|| async { make().await.unwrap_or_else(|error| fail(&error)) }).await
}

/// A fresh tenant in the test database.
///
/// # Panics
/// Like [`database`].
pub async fn workspace() -> Workspace {
    let client = connect(database().await).await.unwrap_or_else(|error| fail(&error));
    Workspace::create(Arc::new(client), "Test").await.unwrap_or_else(|error| fail(&error))
}

async fn make() -> Result<String, tokio_postgres::Error> {
    let url = postgres::shared_for_tests();
    let server = connect(&url).await?;
    // The cluster outlives the process, its databases need not. Nobody else is in it.
    for row in server.query("SELECT datname FROM pg_database WHERE datname LIKE 'test_%'", &[]).await? {
        server.batch_execute(&format!(r#"DROP DATABASE "{}" WITH (FORCE)"#, row.get::<_, String>(0))).await?;
    }
    let name = format!("test_{}", std::process::id());
    server.batch_execute(&format!("CREATE DATABASE {name}")).await?;
    let url = url.rsplit_once('/').map_or(url.as_str(), |(server, _)| server).to_owned() + "/" + &name;
    schema::create_shared(&connect(&url).await?).await?;
    Ok(url)
}

/// A connection that lives as long as the test's runtime.
pub async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn fail<T>(error: &tokio_postgres::Error) -> T {
    #[expect(clippy::panic, reason = "this module is for tests")]
    {
        panic!("the test database cannot be used: {error}");
    }
}
