//! Sessions that are no good are not used again: after a failover, open connections are to a server that is gone or read-only.

use database::{Db, Error, PoolConfig};
use packages::id::PackageNodeId;

use crate::app::{TestApp, TestResponse, pool_config};

/// A pool of one connection.
async fn open_single_db() -> Db {
    let one = PoolConfig { max_connections: 1, ..pool_config(local::testing::database_url().await) };
    Db::from_config(one).unwrap()
}

/// The process that serves the pool's connection.
async fn find_backend(db: &Db) -> i32 {
    db.query_opt("SELECT pg_backend_pid()", &[]).await.unwrap().unwrap().get(0)
}

/// A statement that Postgres refuses with this code.
fn raise(code: &str) -> String {
    format!("DO $$ BEGIN RAISE EXCEPTION 'a test' USING ERRCODE = '{code}'; END $$")
}

#[tokio::test]
async fn a_session_is_kept_unless_the_error_speaks_of_it() {
    let db = open_single_db().await;
    // The code, how often the statement is sent, whether the session ends, and whether another attempt may succeed.
    for (code, sent, is_ended, is_unreachable) in [
        ("25006", 2, true, true),
        ("25P02", 2, true, true),
        ("25P03", 2, true, true),
        ("26000", 2, true, true),
        ("57P01", 2, true, true),
        ("57P02", 2, true, true),
        ("57P03", 2, true, true),
        ("57P05", 2, true, true),
        ("08006", 2, true, true),
        ("08P01", 2, true, true),
        ("XX000", 1, true, false),
        ("40P01", 2, false, true),
        ("40001", 2, false, true),
        ("53200", 2, false, true),
        ("57014", 1, false, false),
        ("55P03", 1, false, false),
        ("23505", 1, false, false),
        ("42P01", 1, false, false),
    ] {
        let (backend, before) = (find_backend(&db).await, db.statement_count());
        let error = db.query(&raise(code), &[]).await.unwrap_err();
        assert_eq!(db.statement_count() - before, sent, "{code}");
        assert_eq!(matches!(error, Error::Unreachable(_)), is_unreachable, "{code}: {error}");
        assert_eq!(find_backend(&db).await != backend, is_ended, "{code}");
    }
}

#[tokio::test]
async fn the_first_bad_session_ends_the_others_of_its_pool() {
    let config = PoolConfig { max_connections: 3, ..pool_config(local::testing::database_url().await) };
    let db = Db::from_config(config).unwrap();
    let backends = async || {
        let sql = "SELECT pg_backend_pid(), pg_sleep(0.2)";
        let all = futures_util::future::join_all((0..3).map(|_| db.query(sql, &[]))).await;
        all.into_iter().map(|rows| rows.unwrap()[0].get(0)).collect::<Vec<i32>>()
    };
    let before = backends().await;
    let raised = raise("57P01");
    // One connection is in use meanwhile: it finishes, and is not used again either.
    let (slow, failed) = tokio::join!(db.query("SELECT pg_sleep(0.5)::text", &[]), db.query(&raised, &[]));
    slow.unwrap();
    failed.unwrap_err();
    let after = backends().await;
    assert!(before.iter().all(|backend| !after.contains(backend)), "{before:?} {after:?}");
}

#[tokio::test]
async fn an_error_in_a_transaction_ends_its_session_too() {
    let db = open_single_db().await;
    let backend = find_backend(&db).await;
    let mut session = db.session().await.unwrap();
    let tx = session.begin_read_only().await.unwrap();
    let error = tx.query("CREATE TABLE public.never (id int)", &[]).await.unwrap_err();
    assert_eq!(error.sql_state(), Some("25006"));
    drop(tx);
    drop(session);
    assert_ne!(find_backend(&db).await, backend);
}

/// A service whose database is demoted and promoted, without a word to the sessions that are open.
struct FailoverApp {
    app: TestApp,
    token: String,
    live: local::workspace::Package,
}

impl FailoverApp {
    async fn start() -> Self {
        let mut app = TestApp::start_with_own_database().await;
        let token = app.create_token("editor").await;
        let live = app.create_file(None, "live", b"-").await;
        app.set_db(app.open_db(3));
        Self { app, token, live }
    }

    async fn set_read_only(&self, is_read_only: bool) {
        let database: String =
            self.app.workspace.client.query_one("SELECT current_database()::text", &[]).await.unwrap().get(0);
        let setting = if is_read_only { "SET default_transaction_read_only = on" } else { "RESET ALL" };
        self.app.run_sql(&format!("ALTER DATABASE {database} {setting}")).await;
    }

    /// Uses each connection of the pool, as many requests at once do.
    async fn request_links(&self) {
        let request = async || {
            let path = self.app.presign_path(&self.live, "");
            assert_eq!(self.app.get(&path, &self.token).await.status, 307);
        };
        tokio::join!(request(), request(), request(), request());
    }

    async fn order(&self, package: &PackageNodeId) -> TestResponse {
        self.app.order_restore(&self.token, &[package]).await
    }

    async fn create_trashed_file(&self, name: &str) -> local::workspace::Package {
        let file = self.app.create_file(None, name, b"-").await;
        self.app.trash_package(&file).await;
        file
    }
}

#[tokio::test]
async fn an_order_during_a_failover_is_503_and_works_as_soon_as_it_is_over() {
    let service = FailoverApp::start().await;
    let file = service.create_trashed_file("file").await;
    service.set_read_only(true).await;
    service.request_links().await;
    let refused = service.order(&file.node_id).await;
    refused.assert_problem(503);
    assert_eq!(refused.header("retry-after"), "5");
    assert_eq!(service.app.load_row(file.id).await.0, "DELETED");

    // The open sessions stay read-only.
    service.request_links().await;
    service.set_read_only(false).await;
    service.request_links().await;
    let ordered = service.order(&file.node_id).await;
    assert_eq!(ordered.status, 200, "{:?}", ordered.body);
    assert_eq!(service.app.run_orders().await.restored, 1);
    assert_eq!(service.app.load_row(file.id).await.0, "READY");
}

#[tokio::test]
async fn a_service_is_not_ready_while_its_database_is_read_only() {
    let mut service = FailoverApp::start().await;
    service.set_read_only(true).await;
    service.app.set_db(service.app.open_db(3));
    service.request_links().await;
    for _ in 0..2 {
        let response = service.app.get("/packages/ready", "").await;
        response.assert_problem(503);
        assert_eq!(response.header("retry-after"), "5");
    }
    service.request_links().await;
    service.set_read_only(false).await;
    assert_eq!(service.app.get("/packages/ready", "").await.status, 200, "a new connection tells");
}

/// A run that meets the failover is no failed attempt of its orders.
#[tokio::test]
async fn a_failover_does_not_give_restores_up() {
    let service = FailoverApp::start().await;
    let file = service.create_trashed_file("file").await;
    assert_eq!(service.order(&file.node_id).await.status, 200);
    service.set_read_only(true).await;
    let sessions = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid()";
    service.app.run_sql(sessions).await;
    for _ in 0..2 * restore::MAX_ATTEMPTS {
        let error = service.app.run_worker().await.unwrap_err();
        assert!(matches!(&error, restore::RestoreError::Db(Error::Unreachable(_))), "{error}");
    }
    service.set_read_only(false).await;
    assert_eq!(service.app.run_orders().await.restored, 1);
}
