//! The statements of frequent requests are prepared by name, where Postgres is reached directly.

use database::{Db, PoolConfig};
use tokio_postgres::types::Type;

use crate::app::{TestApp, pool_config};

/// A pool of one connection that prepares statements.
async fn open_db() -> Db {
    let one = PoolConfig { max_connections: 1, ..pool_config(local::testing::database_url().await) };
    Db::from_config(one).unwrap().with_prepared_statements(true)
}

/// How many statements the pool's connection has prepared, and how often they ran with one plan for all parameters.
async fn count_prepared(db: &Db) -> (i64, i64) {
    let sql = "SELECT count(*), coalesce(sum(generic_plans), 0)::bigint FROM pg_prepared_statements";
    let row = db.query_opt(sql, &[]).await.unwrap().unwrap();
    (row.get(0), row.get(1))
}

async fn run_number(db: &Db, number: i32) -> i32 {
    let sql = format!("SELECT $1 + {number} AS sum");
    let row = db.query_opt_prepared(&sql, &[(&1, Type::INT4)]).await.unwrap().unwrap();
    row.get::<_, i32>("sum") - 1
}

#[tokio::test]
async fn a_text_is_prepared_when_it_is_used_again() {
    let db = open_db().await;
    for (use_, prepared, statements) in [(1, 0, 1), (2, 1, 2), (3, 1, 1)] {
        let before = db.statement_count();
        assert_eq!(run_number(&db, 7).await, 7);
        assert_eq!(db.statement_count() - before, statements, "use {use_}");
        assert_eq!(count_prepared(&db).await.0, prepared, "use {use_}");
    }
}

#[tokio::test]
async fn a_connection_keeps_a_bounded_number_of_statements() {
    let db = open_db().await;
    for number in 0..300 {
        for _ in 0..2 {
            assert_eq!(run_number(&db, number).await, number);
        }
    }
    assert_eq!(count_prepared(&db).await.0, 100);
    assert_eq!(run_number(&db, 0).await, 0, "a statement that was closed runs again");
    let before = db.statement_count();
    run_number(&db, 299).await;
    assert_eq!(db.statement_count() - before, 1, "the newest are kept");
}

/// Many workspaces whose turns are rare.
#[tokio::test]
async fn texts_that_come_again_too_late_are_not_prepared() {
    let db = open_db().await;
    let before = db.statement_count();
    for number in (0..200).chain(0..200) {
        assert_eq!(run_number(&db, number).await, number);
    }
    assert_eq!(db.statement_count() - before, 400);
    assert_eq!(count_prepared(&db).await.0, 0);
}

#[tokio::test]
async fn a_statement_survives_a_change_of_its_table() {
    let db = open_db().await;
    let table = format!("public.t_{}", uuid::Uuid::new_v4().simple());
    db.query(&format!("CREATE TABLE {table} (a int)"), &[]).await.unwrap();
    db.query(&format!("INSERT INTO {table} VALUES (1)"), &[]).await.unwrap();
    let sql = format!("SELECT * FROM {table}");
    for _ in 0..3 {
        assert_eq!(db.query_prepared(&sql, &[]).await.unwrap()[0].len(), 1);
    }
    // Postgres then says "cached plan must not change result type".
    db.query(&format!("ALTER TABLE {table} ADD COLUMN b int"), &[]).await.unwrap();
    for _ in 0..3 {
        assert_eq!(db.query_prepared(&sql, &[]).await.unwrap()[0].len(), 2);
    }
    assert_eq!(count_prepared(&db).await.0, 1, "it is prepared again");
    db.query(&format!("DROP TABLE {table}"), &[]).await.unwrap();
}

/// A pooler may give us a session that another client left, or that does not have our statements.
#[tokio::test]
async fn where_prepared_statements_get_lost_none_are_used() {
    let db = open_db().await;
    for _ in 0..3 {
        run_number(&db, 1).await;
    }
    db.query("DEALLOCATE ALL", &[]).await.unwrap();
    assert_eq!(run_number(&db, 1).await, 1);
    for _ in 0..3 {
        assert_eq!(run_number(&db, 2).await, 2);
    }
    assert_eq!(count_prepared(&db).await.0, 0);
}

#[tokio::test]
async fn links_are_prepared_and_planned_once() {
    let mut app = TestApp::start().await;
    app.set_db(open_db().await);
    let (package, token) = (app.create_file(None, "a", b"-").await, app.create_token("viewer").await);
    for _ in 0..10 {
        assert_eq!(app.get(&app.presign_path(&package, ""), &token).await.status, 307);
    }
    let before = app.app.db.statement_count();
    app.get(&app.presign_path(&package, ""), &token).await;
    let statements = i64::try_from(app.app.db.statement_count() - before).unwrap();
    let (prepared, with_one_plan) = count_prepared(&app.app.db).await;
    assert!(prepared >= 1 && prepared <= statements, "{prepared} of {statements}");
    // Postgres makes a plan for the parameters five times, before it compares that with one plan for all. The second request's
    // statement is for the caller and the file, because the dataset's workspace is known then. The third prepares it.
    assert_eq!((prepared, with_one_plan), (1, 9 - 5));
}

/// A package is found in a workspace that gets its newer columns while the service runs.
#[tokio::test]
async fn links_survive_a_migration_of_their_workspace() {
    let mut app = TestApp::start().await;
    app.set_db(open_db().await);
    let (package, token) = (app.create_file(None, "a", b"-").await, app.create_token("viewer").await);
    let status = async || app.get(&app.presign_path(&package, ""), &token).await.status.as_u16();
    app.run_sql(r#"ALTER TABLE "WORKSPACE".files DROP COLUMN IF EXISTS scan_status"#).await;
    for _ in 0..7 {
        assert_eq!(status().await, 307);
    }
    app.run_sql(r#"ALTER TABLE "WORKSPACE".files ADD COLUMN scan_status text DEFAULT 'infected'"#).await;
    let after = status().await;
    assert_ne!(after, 307, "the new column counts at once");
    assert!(after < 500, "{after}");
}
