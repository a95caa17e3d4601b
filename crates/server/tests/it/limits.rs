//! Timeouts of statements: an abandoned request, the service's own timeout, and the timeouts of the role. A slow statement
//! does not block other requests.

use std::time::Duration;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use database::{self, Db, Password};
use futures_util::future::join_all;
use hosting::HostBuilder;
use hosting::config::{self, EndpointsConfig, PlatformConfig};
use local::{testing, workspace::Package};
use restore::RestoreError;
use signing::s3::Region;
use tokio_postgres::Client;

use crate::app::{TestApp, TestResponse, pool_config, wait_until};

/// Locks the tenant's packages until the client rolls back or is dropped.
pub(crate) async fn lock_packages(app: &TestApp) -> Client {
    let client = testing::connect(testing::database_url().await).await.unwrap();
    let sql = format!(r#"BEGIN; LOCK TABLE "{}".packages"#, app.workspace.id);
    client.batch_execute(&sql).await.unwrap();
    client
}

/// How many statements wait for a lock on the tenant's packages.
pub(crate) async fn count_waiting_statements(app: &TestApp) -> i64 {
    // Who waits for a row has the lock of its table. The activity has only the beginning of a statement's text.
    let sql = format!(
        r#"SELECT count(*) FROM pg_stat_activity a
           WHERE wait_event_type = 'Lock'
             AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.relation = '"{}".packages'::regclass)"#,
        app.workspace.id
    );
    app.workspace.client.query_one(&sql, &[]).await.unwrap().get(0)
}

/// Requests a link to a locked package, and drops the request while its statement waits.
pub(crate) async fn abandon_request(app: &TestApp, package: &Package, token: &str) {
    tokio::select! {
        response = request_link(app, package, token) => panic!("the request did not wait: {response:?}"),
        () = wait_until("the statement waits", async || count_waiting_statements(app).await == 1) => {}
    }
}

async fn request_link(app: &TestApp, package: &Package, token: &str) -> TestResponse {
    app.get(&app.presign_path(package, ""), token).await
}

/// A service with this pool and timeout, a package, and a token that may read it.
async fn start_service(connections: usize, limit: Duration) -> (TestApp, Package, String) {
    start_service_on(testing::database_url().await.parse().unwrap(), connections, limit).await
}

async fn start_service_on(
    database: tokio_postgres::Config,
    connections: usize,
    limit: Duration,
) -> (TestApp, Package, String) {
    let mut app = TestApp::start().await;
    app.set_db(Db::new(database, connections).unwrap().with_statement_timeout(limit));
    let (package, token) = (app.create_file(None, "a", b"-").await, app.create_token("editor").await);
    (app, package, token)
}

fn assert_retry_later(response: &TestResponse) {
    let said = response.assert_problem(503);
    assert!(said.contains("try again"), "{said}");
    assert_eq!(response.header("retry-after"), "5");
}

#[tokio::test]
async fn the_statement_of_a_disconnected_client_is_cancelled() {
    let (app, package, token) = start_service(1, Duration::from_mins(1)).await;
    let lock = lock_packages(&app).await;
    for _ in 0..3 {
        abandon_request(&app, &package, &token).await;
        wait_until("the statement is cancelled", async || count_waiting_statements(&app).await == 0).await;
        assert_eq!(app.get("/packages/ready", "").await.status, 200, "the pool's only connection is free");
    }
    lock.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(request_link(&app, &package, &token).await.status, 307);
}

#[tokio::test]
async fn requests_that_wait_for_a_lock_get_503_and_do_not_block_others() {
    let (app, package, token) = start_service(4, Duration::from_millis(300)).await;
    let lock = lock_packages(&app).await;
    let waiters = join_all((0..16).map(|_| request_link(&app, &package, &token)));
    let others = async {
        wait_until("the requests wait", async || count_waiting_statements(&app).await > 0).await;
        wait_until("other requests are served", async || app.get("/packages/ready", "").await.status == 200)
            .await;
    };
    let (responses, ()) = tokio::join!(waiters, others);
    responses.iter().for_each(assert_retry_later);
    wait_until("no statement waits", async || count_waiting_statements(&app).await == 0).await;
    lock.batch_execute("ROLLBACK").await.unwrap();
    wait_until("links are served again", async || request_link(&app, &package, &token).await.status == 307)
        .await;
}

/// The settings are startup options of the session: a test may not be allowed to create roles.
#[tokio::test]
async fn a_timeout_of_the_database_is_503() {
    for limit in ["lock_timeout", "statement_timeout"] {
        let mut database: tokio_postgres::Config = testing::database_url().await.parse().unwrap();
        database.options(format!("-c {limit}=500ms"));
        let (app, package, token) = start_service_on(database, 2, Duration::from_mins(1)).await;
        let lock = lock_packages(&app).await;
        assert_retry_later(&request_link(&app, &package, &token).await);
        lock.batch_execute("ROLLBACK").await.unwrap();
        wait_until(limit, async || request_link(&app, &package, &token).await.status == 307).await;
    }
}

#[tokio::test]
async fn a_restore_that_times_out_is_done_by_the_next_run() {
    let (mut app, package, token) = start_service(1, Duration::from_mins(1)).await;
    app.trash_package(&package).await;
    app.order_restore(&token, &[&package.node_id]).await;
    let patient = app.restorer.db.clone();
    app.restorer.db = patient.clone().with_statement_timeout(Duration::from_millis(300));
    let lock = lock_packages(&app).await;
    let stopped = app.run_worker().await.unwrap_err();
    assert!(matches!(stopped, RestoreError::Db(database::Error::TimedOut(_))), "{stopped}");
    wait_until("the statement is cancelled", async || count_waiting_statements(&app).await == 0).await;
    lock.batch_execute("ROLLBACK").await.unwrap();
    app.restorer.db = patient;
    assert_eq!(app.run_worker().await.unwrap().restored, 1);
}

/// A host's configuration for the test database.
async fn platform_config(connections: usize) -> PlatformConfig {
    let db = pool_config(testing::database_url().await);
    let Password::Fixed(password) = db.password else { panic!("fixed") };
    PlatformConfig {
        buckets: storage::BucketTable::default(),
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
            prepared_statements: true,
        },
    }
}

#[tokio::test]
async fn waiting_restores_do_not_use_connections_of_links() {
    let (mut app, package, token) = start_service(1, Duration::from_mins(1)).await;
    let credentials = SharedCredentialsProvider::new(Credentials::new("AKID", "secret", None, None, "test"));
    let builder = HostBuilder::new(platform_config(1).await, credentials).unwrap();
    app.set_db(builder.connect_db().await.unwrap());
    let config = config::RestoreConfig {
        platform: platform_config(1).await,
        restore_queue_url: None,
        changelog_queue_url: None,
        delete_record_table: None,
        stray_max_age: Duration::from_hours(24),
    };
    app.restorer.db = builder.build_server_restorer(config).unwrap().db;
    let deleted = app.create_file(None, "deleted", b"-").await;
    app.trash_package(&deleted).await;
    app.order_restore(&token, &[&deleted.node_id]).await;
    let locker = testing::connect(testing::database_url().await).await.unwrap();
    let sql = format!(
        r#"BEGIN; SELECT 1 FROM "{}".packages WHERE id = {} FOR UPDATE"#,
        app.workspace.id, deleted.id
    );
    locker.batch_execute(&sql).await.unwrap();

    let links = async {
        wait_until("the restore waits", async || count_waiting_statements(&app).await == 1).await;
        assert_eq!(request_link(&app, &package, &token).await.status, 307);
        locker.batch_execute("ROLLBACK").await.unwrap();
    };
    let (outcome, ()) = tokio::join!(app.run_worker(), links);
    assert_eq!(outcome.unwrap().restored, 1);
}
