//! How long a statement may take: as long as somebody waits for it, as our own clock allows, and as the role's settings
//! allow. And whom one that takes long holds up: nobody.

use std::time::Duration;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use database::{self, Db, Password};
use futures_util::future::join_all;
use hosting::HostBuilder;
use hosting::config::{self, EndpointsConfig, PlatformConfig};
use local::{testing, workspace::Package};
use restore::RestoreError;
use signing::s3::Region;
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

use crate::app::{Answer, TestApp, database};

/// Waits for something that is to happen soon.
pub(crate) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let looking = async {
        while !is_so().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(15), looking).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

/// Whoever keeps the tenant's packages, until this is dropped or rolled back.
pub(crate) async fn lock(app: &TestApp) -> Client {
    let client = testing::connect(testing::database_url().await).await.unwrap();
    let sql = format!(r#"BEGIN; LOCK TABLE "{}".packages"#, app.workspace.id);
    client.batch_execute(&sql).await.unwrap();
    client
}

/// How many statements wait for the tenant's packages.
pub(crate) async fn waiting(app: &TestApp) -> i64 {
    let sql =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND position($1 IN query) > 0";
    let table = format!(r#""{}".packages"#, app.workspace.id);
    app.workspace.client.query_one(sql, &[&table]).await.unwrap().get(0)
}

/// Asks for a link to a package that is locked, and goes away when that is waited for.
pub(crate) async fn hang_up(app: &TestApp, package: &Package, token: &str) {
    tokio::select! {
        answer = link(app, package, token) => panic!("it waits: {answer:?}"),
        () = until("it waits", async || waiting(app).await == 1) => {}
    }
}

async fn link(app: &TestApp, package: &Package, token: &str) -> Answer {
    app.get(&app.presign_path(package, ""), token).await
}

/// A service with few connections and little time, a package, and who may have a link to it.
async fn service(connections: usize, limit: Duration) -> (TestApp, Package, String) {
    service_on(testing::database_url().await.parse().unwrap(), connections, limit).await
}

async fn service_on(
    database: tokio_postgres::Config,
    connections: usize,
    limit: Duration,
) -> (TestApp, Package, String) {
    let mut app = TestApp::start().await;
    app.through(Db::new(database, connections).unwrap().with_statement_timeout(limit));
    let (package, token) = (app.file(None, "a", b"-").await, app.token("editor").await);
    (app, package, token)
}

fn is_told_to_come_back(answer: &Answer) {
    let said = answer.problem(503);
    assert!(said.contains("try again"), "{said}");
    assert_eq!(answer.header("retry-after"), "5");
}

#[tokio::test]
async fn what_a_client_that_hung_up_waited_for_is_cancelled() {
    let (app, package, token) = service(1, Duration::from_mins(1)).await;
    let lock = lock(&app).await;
    for _ in 0..3 {
        hang_up(&app, &package, &token).await;
        until("the statement is gone", async || waiting(&app).await == 0).await;
        assert_eq!(app.get("/packages/ready", "").await.status, 200, "the only connection is free");
    }
    lock.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(link(&app, &package, &token).await.status, 307);
}

#[tokio::test]
async fn requests_that_wait_for_a_lock_are_told_to_come_back_and_hold_up_nobody() {
    let (app, package, token) = service(4, Duration::from_millis(300)).await;
    let lock = lock(&app).await;
    let waiters = join_all((0..16).map(|_| link(&app, &package, &token)));
    let others = async {
        until("they wait", async || waiting(&app).await > 0).await;
        until("others are served", async || app.get("/packages/ready", "").await.status == 200).await;
    };
    let (answers, ()) = tokio::join!(waiters, others);
    answers.iter().for_each(is_told_to_come_back);
    until("no statement is left", async || waiting(&app).await == 0).await;
    lock.batch_execute("ROLLBACK").await.unwrap();
    until("links are given again", async || link(&app, &package, &token).await.status == 307).await;
}

/// The session is given what a role's settings would give it: a test may not be somebody who makes roles.
#[tokio::test]
async fn who_is_over_a_limit_of_the_server_is_told_to_come_back() {
    for limit in ["lock_timeout", "statement_timeout"] {
        let mut database: tokio_postgres::Config = testing::database_url().await.parse().unwrap();
        database.options(format!("-c {limit}=500ms"));
        let (app, package, token) = service_on(database, 2, Duration::from_mins(1)).await;
        let lock = lock(&app).await;
        is_told_to_come_back(&link(&app, &package, &token).await);
        lock.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(link(&app, &package, &token).await.status, 307, "{limit}");
    }
}

#[tokio::test]
async fn a_restore_that_waits_too_long_stops_and_is_done_by_the_next_try() {
    let (mut app, package, token) = service(1, Duration::from_mins(1)).await;
    app.trash(&package).await;
    app.order(&token, &[&package.node_id]).await;
    let patient = app.restorer.db.clone();
    app.restorer.db = patient.clone().with_statement_timeout(Duration::from_millis(300));
    let lock = lock(&app).await;
    let stopped = app.run().await.unwrap_err();
    assert!(matches!(stopped, RestoreError::Db(database::Error::TimedOut(_))), "{stopped}");
    until("the statement is gone", async || waiting(&app).await == 0).await;
    lock.batch_execute("ROLLBACK").await.unwrap();
    app.restorer.db = patient;
    assert_eq!(app.run().await.unwrap().restored, 1);
}

/// What a host is told of the test database.
async fn platform(connections: usize) -> PlatformConfig {
    let db = database(testing::database_url().await);
    let Password::Fixed(password) = db.password else { panic!("fixed") };
    PlatformConfig {
        env: "test".to_owned(),
        region: Region::new("us-east-1").unwrap(),
        log_filter: "info".to_owned(),
        xray_address: None,
        credentials: None,
        endpoints: EndpointsConfig::default(),
        database: config::DatabaseConfig {
            host: db.host,
            port: db.port,
            user: db.user,
            name: db.name,
            password: Some(password),
            tls: false,
            ca_file: None,
            connections,
        },
    }
}

#[tokio::test]
async fn restores_that_wait_leave_links_their_connections() {
    let (mut app, package, token) = service(1, Duration::from_mins(1)).await;
    let credentials = SharedCredentialsProvider::new(Credentials::new("AKID", "secret", None, None, "test"));
    let builder = HostBuilder::new(platform(1).await, credentials).unwrap();
    app.through(builder.connect_db().await.unwrap());
    let config = config::RestoreConfig {
        platform: platform(1).await,
        restore_queue_url: None,
        changelog_queue_url: None,
        delete_record_table: None,
        stray_max_age: Duration::from_hours(24),
    };
    app.restorer.db = builder.build_server_restorer(config).unwrap().db;
    let deleted = app.file(None, "deleted", b"-").await;
    app.trash(&deleted).await;
    app.order(&token, &[&deleted.node_id]).await;
    let someone = testing::connect(testing::database_url().await).await.unwrap();
    let sql = format!(
        r#"BEGIN; SELECT 1 FROM "{}".packages WHERE id = {} FOR UPDATE"#,
        app.workspace.id, deleted.id
    );
    someone.batch_execute(&sql).await.unwrap();

    let links = async {
        until("the restore waits", async || waiting(&app).await == 1).await;
        assert_eq!(link(&app, &package, &token).await.status, 307);
        someone.batch_execute("ROLLBACK").await.unwrap();
    };
    let (outcome, ()) = tokio::join!(app.run(), links);
    assert_eq!(outcome.unwrap().restored, 1);
}
