//! No message of the service to Postgres pins a session of RDS Proxy to one connection.
//!
//! The conditions are those of "Avoiding pinning an RDS Proxy" in the Amazon RDS User Guide. Statements without a name do
//! not pin since RDS Proxy multiplexes the extended query protocol (AWS Database Blog, "Amazon RDS Proxy multiplexing
//! support for PostgreSQL Extended Query Protocol"), and neither do advisory locks that end with their transaction.

mod recorder;

use axum::body::Body;
use database::{Db, Password, PoolConfig};
use recorder::{ClientMessage, Recorder};
use restore::db::check_tables;

use crate::{
    app::{STORAGE, TestApp, build_request, percent_encode, pool_config, wait_until},
    limits,
    routes::private_requests,
};

/// The longest statement that does not pin, in bytes.
const MAX_STATEMENT_BYTES: usize = 16 * 1024;

/// Startup parameters that do not pin. All others are settings.
const STARTUP_PARAMETERS: [&str; 4] = ["user", "database", "client_encoding", "application_name"];

/// Commands that change the session or use what is stored in it.
const PINNING_COMMANDS: [&str; 11] = [
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

/// Words that do so anywhere in a statement: temporary objects, settings, sequences, session locks.
const PINNING_WORDS: [&str; 14] = [
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

/// Why a statement pins; `None` if it does not.
fn find_pinning_reason(sql: &str) -> Option<String> {
    if sql.len() > MAX_STATEMENT_BYTES {
        return Some(format!("{} bytes", sql.len()));
    }
    let lower = sql.to_lowercase();
    let command = lower.split(';').find_map(|one| {
        let first = one.split_whitespace().next()?;
        PINNING_COMMANDS.into_iter().find(|command| *command == first)
    });
    let mut all = lower.split(|c: char| !c.is_alphanumeric() && c != '_');
    let word = all.find_map(|one| PINNING_WORDS.into_iter().find(|word| *word == one));
    command.or(word).map(str::to_owned)
}

/// A line for each message that pins.
fn list_pinning_messages(messages: &[ClientMessage]) -> Vec<String> {
    let reason = |messages: &ClientMessage| match messages {
        ClientMessage::Startup(pairs) => pairs
            .iter()
            .map(|(name, _)| name)
            .find(|name| !STARTUP_PARAMETERS.contains(&name.as_str()))
            .cloned(),
        ClientMessage::Parse { name, .. } if !name.is_empty() => Some(format!("statement {name}")),
        ClientMessage::Bind { portal, statement } if !portal.is_empty() || !statement.is_empty() => {
            Some(format!("portal {portal:?} of statement {statement:?}"))
        }
        ClientMessage::Parse { sql, .. } | ClientMessage::Query(sql) => {
            find_pinning_reason(sql).map(|why| format!("{why}: {sql}"))
        }
        ClientMessage::Bind { .. } | ClientMessage::Cancel => None,
    };
    messages.iter().filter_map(reason).collect()
}

/// Starts a recorder in front of the test database. The connection uses a password, as on AWS.
async fn start_recorder() -> (Recorder, PoolConfig) {
    let database = pool_config(local::testing::database_url().await);
    let recorder = Recorder::start(format!("{}:{}", database.host, database.port)).await;
    let database = PoolConfig { host: "127.0.0.1".to_owned(), port: recorder.port, ..database };
    (recorder, database)
}

#[test]
fn recognises_statements_that_pin() {
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
        &format!("SELECT 1 {}", "-".repeat(MAX_STATEMENT_BYTES)),
    ] {
        assert!(find_pinning_reason(sql).is_some(), "{sql}");
    }
    for sql in [
        "UPDATE t SET it = 1",
        "START TRANSACTION",
        "SAVEPOINT sp_1",
        "SELECT pg_advisory_xact_lock($1, $2)",
        "SELECT it FROM t WHERE temperature > 1 FOR UPDATE",
    ] {
        assert_eq!(find_pinning_reason(sql), None);
    }
}

#[tokio::test]
async fn records_messages_that_pin() {
    let (recorder, database) = start_recorder().await;
    let mut config = tokio_postgres::Config::new();
    let Password::Fixed(password) = &database.password else { panic!("fixed") };
    config.host(&database.host).port(database.port).user(&database.user).dbname(&database.name);
    config.password(password.as_bytes()).options("-c statement_timeout=1000");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("SET lock_timeout = 1").await.unwrap();
    client.query("SELECT $1::int", &[&1]).await.unwrap();
    let pinning = list_pinning_messages(&recorder.messages());
    assert!(pinning.contains(&"options".to_owned()), "{pinning:?}");
    assert!(pinning.contains(&"set: SET lock_timeout = 1".to_owned()), "{pinning:?}");
    assert!(pinning.iter().any(|why| why.starts_with("statement ")), "{pinning:?}");
}

#[tokio::test]
async fn no_message_of_the_service_pins() {
    let (recorder, database) = start_recorder().await;
    let mut app = TestApp::start().await;
    app.set_db(Db::from_config(database).unwrap());
    check_tables(&app.app.db).await.unwrap();
    call_every_route(&app).await;
    run_every_restore_path(&app).await;
    let messages = recorder.messages();
    assert_eq!(list_pinning_messages(&messages), Vec::<String>::new());

    let sql: Vec<&str> = messages
        .iter()
        .filter_map(|messages| match messages {
            ClientMessage::Parse { sql, .. } | ClientMessage::Query(sql) => Some(sql.as_str()),
            _ => None,
        })
        .collect();
    // One text from each part of the service, to show that the recorder saw them all.
    for trace in [
        "pennsieve.users",
        "restore_queue",
        "SAVEPOINT",
        "restore_failures",
        "row_number()",
        "scanned",
        "children",
    ] {
        assert!(sql.iter().any(|sql| sql.contains(trace)), "no statement contains {trace}");
    }
}

/// Calls every route, with a role and without one.
async fn call_every_route(app: &TestApp) {
    let package = app.create_file(None, "served", b"0123456789").await;
    app.put_asset(&package, "a.png", b"-");
    for role in ["editor", "none"] {
        let token = app.create_token(role).await;
        for request in private_requests(app, &package) {
            let response = app.send(request.build(&token)).await;
            let (method, path) = (&request.method, request.path());
            assert!(response.status.as_u16() < 500, "{role} {method} {path}: {:?}", response.body);
        }
    }
    let link = app.get(&app.presign_path(&package, "&path=a.png"), &app.create_token("viewer").await).await;
    for path in
        ["health", "ready", &format!("proxy/s3?presigned_url={}", percent_encode(link.header("location")))]
    {
        let response = app.send(build_request("GET", &format!("/packages/{path}"), "", Body::empty())).await;
        assert!(response.status.as_u16() < 400, "{path}: {:?}", response.body);
    }
}

/// Restores a folder whose name is taken and which has a file without bytes; then abandons an order.
async fn run_every_restore_path(app: &TestApp) {
    let folder = app.create_folder(None, "folder").await;
    let inner = app.create_folder(Some(&folder), "inner").await;
    let file = app.create_file(Some(&inner), "file", b"12345").await;
    let lost = app.create_file(Some(&inner), "lost", b"123").await;
    app.workspace.populate_usage().await.unwrap();
    app.trash_package(&folder).await;
    app.create_folder(None, "folder").await;
    let key = app.load_keys(&lost).await.remove(0);
    for version in app.store.list_versions(STORAGE, &key) {
        app.store.delete_version(STORAGE, &key, &version.id).unwrap();
    }
    let token = app.create_token("editor").await;
    app.order_restore(&token, &[&folder.node_id]).await;
    let outcome = app.run_orders().await;
    assert_eq!((outcome.restored, outcome.failed), (3, 1));
    assert_eq!(app.load_row(file.id).await.0, "READY");
    app.load_progress(&token, &folder).await;
    restore::maintain_workspace(&app.restorer, app.workspace.id, std::time::Duration::from_hours(24))
        .await
        .unwrap();
    for more in ["&outlook=true".to_owned(), format!("&parent={}&outlook=true", inner.node_id)] {
        let path = format!("/packages/trash?dataset_id={}{more}", app.dataset.node_id);
        assert_eq!(app.get(&path, &token).await.status, 200, "{path}");
    }
    // An order for a live folder, and a run that is abandoned.
    app.order_restore(&token, &[&folder.node_id]).await;
    app.trash_package(&file).await;
    app.run_sql(
        r#"ALTER TABLE "WORKSPACE".package_storage ADD CONSTRAINT broken CHECK (size < 0) NOT VALID"#,
    )
    .await;
    app.order_restore(&token, &[&file.node_id]).await;
    for _ in 0..restore::MAX_ATTEMPTS {
        assert!(app.run_worker().await.is_err());
    }
    assert_eq!(app.load_row(file.id).await.0, "DELETED", "an abandoned package is deleted again");
}

/// RDS Proxy does not pass cancel requests on.
#[tokio::test]
async fn a_statement_that_cannot_be_cancelled_does_not_block_other_requests() {
    let (recorder, database) = start_recorder().await;
    let mut app = TestApp::start().await;
    app.set_db(Db::from_config(PoolConfig { max_connections: 1, ..database }).unwrap());
    let (package, token) = (app.create_file(None, "a", b"-").await, app.create_token("viewer").await);
    let lock = limits::lock_packages(&app).await;
    limits::abandon_request(&app, &package, &token).await;
    wait_until("the cancel request is sent", async || recorder.messages().contains(&ClientMessage::Cancel))
        .await;
    assert_eq!(app.get("/packages/ready", "").await.status, 200);
    assert_eq!(limits::count_waiting_statements(&app).await, 1, "the statement itself still waits");
    let is_startup = |messages: &&ClientMessage| matches!(messages, ClientMessage::Startup(_));
    assert_eq!(
        recorder.messages().iter().filter(is_startup).count(),
        2,
        "the second request used a new connection"
    );
    drop(lock);
}
