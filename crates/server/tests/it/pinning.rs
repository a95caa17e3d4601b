//! Nothing that the service says to Postgres pins a session of RDS Proxy to one connection.
//!
//! The conditions are those of "Avoiding pinning an RDS Proxy" in the Amazon RDS User Guide. Statements without a name do
//! not pin since RDS Proxy multiplexes the extended query protocol (AWS Database Blog, "Amazon RDS Proxy multiplexing
//! support for PostgreSQL Extended Query Protocol"), and neither do advisory locks that end with their transaction.

mod recorder;

use axum::body::Body;
use database::{Db, Password, PoolConfig};
use recorder::{Recorder, Said};
use restore::db::check_tables;

use crate::{
    app::{STORAGE, TestApp, database, encoded, request},
    authority::{body, routes},
    limits,
};

/// A statement with a longer text pins, in bytes.
const MAX_TEXT: usize = 16 * 1024;

/// What a session may start with. Other parameters are settings.
const STARTUP: [&str; 4] = ["user", "database", "client_encoding", "application_name"];

/// Commands that leave something behind in the session, or make use of what was left.
const COMMANDS: [&str; 11] = [
    "close",
    "deallocate",
    "declare",
    "discard",
    "execute",
    "listen",
    "load",
    "prepare",
    "reset",
    "set",
    "unlisten",
];

/// Words that do so anywhere in a statement: temporary objects, settings, sequences, locks of the session.
const WORDS: [&str; 14] = [
    "currval",
    "lastval",
    "nextval",
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_advisory_unlock",
    "pg_advisory_unlock_all",
    "pg_advisory_unlock_shared",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
    "set_config",
    "setval",
    "temp",
    "temporary",
];

/// Why a statement pins, if it does.
fn pins(sql: &str) -> Option<String> {
    if sql.len() > MAX_TEXT {
        return Some(format!("{} bytes", sql.len()));
    }
    let lower = sql.to_lowercase();
    let command = lower.split(';').find_map(|one| {
        let first = one.split_whitespace().next()?;
        COMMANDS.into_iter().find(|command| *command == first)
    });
    let mut all = lower.split(|c: char| !c.is_alphanumeric() && c != '_');
    let word = all.find_map(|one| WORDS.into_iter().find(|word| *word == one));
    command.or(word).map(str::to_owned)
}

/// Everything in what was said that pins.
fn pinning(said: &[Said]) -> Vec<String> {
    let reason = |said: &Said| match said {
        Said::Startup(pairs) => {
            pairs.iter().map(|(name, _)| name).find(|name| !STARTUP.contains(&name.as_str())).cloned()
        }
        Said::Parse { name, .. } if !name.is_empty() => Some(format!("statement {name}")),
        Said::Bind { portal, statement } if !portal.is_empty() || !statement.is_empty() => {
            Some(format!("portal {portal:?} of statement {statement:?}"))
        }
        Said::Parse { sql, .. } | Said::Query(sql) => pins(sql).map(|why| format!("{why}: {sql}")),
        Said::Bind { .. } | Said::Cancel => None,
    };
    said.iter().filter_map(reason).collect()
}

/// The test database by way of a recorder: as a database with a password, which is how it is reached on AWS too.
async fn recorded() -> (Recorder, PoolConfig) {
    let database = database(local::testing::database_url().await);
    let recorder = Recorder::start(format!("{}:{}", database.host, database.port)).await;
    let database = PoolConfig { host: "127.0.0.1".to_owned(), port: recorder.port, ..database };
    (recorder, database)
}

#[test]
fn what_pins_is_recognised() {
    for sql in [
        "SET search_path TO x",
        "BEGIN; set local lock_timeout = 1",
        "RESET ALL",
        "SELECT set_config('x', 'y', false)",
        "PREPARE s AS SELECT 1",
        "DISCARD ALL",
        "CREATE TEMP TABLE t (it int)",
        "SELECT 1 AS it INTO TEMPORARY t",
        "DECLARE c CURSOR FOR SELECT 1",
        "LISTEN news",
        "LOAD 'auto_explain'",
        "SELECT nextval('s')",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_try_advisory_lock_shared(1)",
        &format!("SELECT 1 {}", "-".repeat(MAX_TEXT)),
    ] {
        assert!(pins(sql).is_some(), "{sql}");
    }
    for sql in [
        "UPDATE t SET it = 1",
        "START TRANSACTION",
        "SAVEPOINT sp_1",
        "SELECT pg_advisory_xact_lock($1, $2)",
        "SELECT it FROM t WHERE temperature > 1 FOR UPDATE",
    ] {
        assert_eq!(pins(sql), None);
    }
}

#[tokio::test]
async fn what_pins_is_overheard() {
    let (recorder, database) = recorded().await;
    let mut config = tokio_postgres::Config::new();
    let Password::Fixed(password) = &database.password else { panic!("fixed") };
    config.host(&database.host).port(database.port).user(&database.user).dbname(&database.name);
    config.password(password.as_bytes()).options("-c statement_timeout=1000");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("SET lock_timeout = 1").await.unwrap();
    client.query("SELECT $1::int", &[&1]).await.unwrap();
    let pinning = pinning(&recorder.said());
    assert!(pinning.contains(&"options".to_owned()), "{pinning:?}");
    assert!(pinning.contains(&"set: SET lock_timeout = 1".to_owned()), "{pinning:?}");
    assert!(pinning.iter().any(|why| why.starts_with("statement ")), "{pinning:?}");
}

#[tokio::test]
async fn nothing_that_the_service_says_pins() {
    let (recorder, database) = recorded().await;
    let mut app = TestApp::start().await;
    app.through(Db::from_config(database).unwrap());
    check_tables(&app.app.db).await.unwrap();
    serve(&app).await;
    restore_all(&app).await;
    let said = recorder.said();
    assert_eq!(pinning(&said), Vec::<String>::new());

    let sql: Vec<&str> = said
        .iter()
        .filter_map(|said| match said {
            Said::Parse { sql, .. } | Said::Query(sql) => Some(sql.as_str()),
            _ => None,
        })
        .collect();
    // Some of what only happens there, so that the service is known to have been overheard in all of its places.
    for trace in [
        "pennsieve.users",
        "restore_queue",
        "SAVEPOINT",
        "restore_failures",
        "row_number()",
        "scanned",
        "children",
    ] {
        assert!(sql.iter().any(|sql| sql.contains(trace)), "nothing was heard of {trace}");
    }
}

/// Every route, by everybody.
async fn serve(app: &TestApp) {
    let package = app.file(None, "served", b"0123456789").await;
    app.asset(&package, "a.png", b"-");
    for role in ["editor", "none"] {
        let token = app.token(role).await;
        for (method, path) in routes(app, &package) {
            let answer = app.send(request(method, &path, &token, body(method, &package))).await;
            assert!(answer.status.as_u16() < 500, "{role} {method} {path}: {:?}", answer.body);
        }
    }
    let link = app.get(&app.presign_path(&package, "&path=a.png"), &app.token("viewer").await).await;
    for path in ["health", "ready", &format!("proxy/s3?presigned_url={}", encoded(link.header("location")))] {
        let answer = app.send(request("GET", &format!("/packages/{path}"), "", Body::empty())).await;
        assert!(answer.status.as_u16() < 400, "{path}: {:?}", answer.body);
    }
}

/// A folder whose name is taken, with a file that is truly gone, brought back, given up and ordered again.
async fn restore_all(app: &TestApp) {
    let folder = app.folder(None, "folder").await;
    let inner = app.folder(Some(&folder), "inner").await;
    let file = app.file(Some(&inner), "file", b"12345").await;
    let lost = app.file(Some(&inner), "lost", b"123").await;
    app.workspace.populate_usage().await.unwrap();
    app.trash(&folder).await;
    app.folder(None, "folder").await;
    let key = app.keys(&lost).await.remove(0);
    for version in app.store.list_versions(STORAGE, &key) {
        app.store.delete_version(STORAGE, &key, &version.id).unwrap();
    }
    let token = app.token("editor").await;
    app.order(&token, &[&folder.node_id]).await;
    let outcome = app.work().await;
    assert_eq!((outcome.restored, outcome.failed), (3, 1));
    assert_eq!(app.row(file.id).await.0, "READY");
    app.progress(&token, &folder).await;
    restore::maintain_workspace(&app.restorer, app.workspace.id, std::time::Duration::from_hours(24))
        .await
        .unwrap();
    for more in ["&outlook=true".to_owned(), format!("&parent={}&outlook=true", inner.node_id)] {
        let path = format!("/packages/trash?dataset_id={}{more}", app.dataset.node_id);
        assert_eq!(app.get(&path, &token).await.status, 200, "{path}");
    }
    // A live folder, and a run that is given up.
    app.order(&token, &[&folder.node_id]).await;
    app.trash(&file).await;
    app.sql(r#"ALTER TABLE "WORKSPACE".package_storage ADD CONSTRAINT broken CHECK (size < 0) NOT VALID"#)
        .await;
    app.order(&token, &[&file.node_id]).await;
    for _ in 0..restore::MAX_ATTEMPTS {
        assert!(app.run().await.is_err());
    }
    assert_eq!(app.row(file.id).await.0, "DELETED", "what could not be restored went back");
}

/// RDS Proxy lets nobody cancel a statement.
#[tokio::test]
async fn a_statement_that_cannot_be_cancelled_holds_up_nobody_else() {
    let (recorder, database) = recorded().await;
    let mut app = TestApp::start().await;
    app.through(Db::from_config(PoolConfig { max_connections: 1, ..database }).unwrap());
    let (package, token) = (app.file(None, "a", b"-").await, app.token("viewer").await);
    let lock = limits::lock(&app).await;
    limits::hang_up(&app, &package, &token).await;
    limits::until("it is asked for", async || recorder.said().contains(&Said::Cancel)).await;
    assert_eq!(app.get("/packages/ready", "").await.status, 200);
    assert_eq!(limits::waiting(&app).await, 1, "the statement itself waits on");
    let is_startup = |said: &&Said| matches!(said, Said::Startup(_));
    assert_eq!(recorder.said().iter().filter(is_startup).count(), 2, "over another connection");
    drop(lock);
}
