//! The service's own tables: the script that creates them brings each former version to the newest one.

use local::testing;
use restore::{MIGRATIONS, SCHEMA};
use tokio_postgres::Client;

/// Rows as the version of the same number wrote them.
const ROWS: [(usize, &str); 3] = [
    (
        1,
        "INSERT INTO packages_service.restore_orders (workspace_id, package_id, dataset_id, user_node_id, ordered_at)
         VALUES (1, 10, 100, 'N:user:1', '-infinity');
         INSERT INTO packages_service.restore_failures (workspace_id, package_id, reason) VALUES (1, 11, 'a reason')",
    ),
    (
        2,
        "CREATE INDEX restore_claims_next_idx
             ON packages_service.restore_claims (workspace_id, dataset_id, depth, package_id);
         INSERT INTO packages_service.restore_claims (workspace_id, package_id, dataset_id, order_id, depth, is_ancestor)
         VALUES (1, 10, 100, 10, 3, false), (1, 12, 100, 10, 2, true);
         INSERT INTO packages_service.restore_outbox (id, workspace_id, message)
         VALUES ('00000000-0000-0000-0000-000000000001', 1, '{}')",
    ),
    (
        4,
        "INSERT INTO packages_service.restore_claims (workspace_id, package_id, dataset_id, order_id, position)
         VALUES (1, 20, 100, 10, 7)",
    ),
];

/// What the catalogue says of the tables, one line for each column, index and constraint.
const CATALOGUE: &str = "
    SELECT format('%s.%s %s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                  a.attstorage, pg_get_expr(d.adbin, d.adrelid)) AS line
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'packages_service'::regnamespace AND c.relkind = 'r'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'packages_service'
    UNION ALL SELECT format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace = 'packages_service'::regnamespace
    ORDER BY line";

async fn list_catalogue(client: &Client) -> Vec<String> {
    client.query(CATALOGUE, &[]).await.unwrap().iter().map(|row| row.get("line")).collect()
}

/// A database without the service's tables.
async fn create_empty_database() -> Client {
    let client = testing::connect(&testing::isolated_database_url().await).await.unwrap();
    client.batch_execute("DROP SCHEMA packages_service CASCADE").await.unwrap();
    client
}

/// The tables of a former version, with the rows that it and the versions before it wrote.
async fn install_version(client: &Client, version: usize) {
    for (number, migration) in (1..=version).zip(MIGRATIONS) {
        client
            .batch_execute(migration.sql)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", migration.name));
        for (_, rows) in ROWS.iter().filter(|(since, _)| *since == number) {
            client.batch_execute(rows).await.unwrap();
        }
    }
}

async fn assert_kept(client: &Client, version: usize) {
    let sql = "SELECT (SELECT count(*) FROM packages_service.restore_orders
                       WHERE user_node_id = 'N:user:1' AND ordered_at > '-infinity') AS orders,
                      (SELECT count(*) FROM packages_service.restore_failures WHERE reason = 'a reason') AS failures,
                      (SELECT count(*) FROM packages_service.restore_queue WHERE dataset_id = 100) AS queued,
                      ARRAY(SELECT format('%s %s %s', package_id, order_id, position) FROM packages_service.restore_claims
                            ORDER BY package_id) AS claims";
    let row = client.query_one(sql, &[]).await.unwrap();
    let counts = ["orders", "failures", "queued"].map(|name| row.get::<_, i64>(name));
    assert_eq!(counts, [1, 1, 1], "version {version}");
    let claims: &[&str] = match version {
        1 => &[],
        2 | 3 => &["10 10 3", "12  2"],
        _ => &["10 10 3", "12  2", "20 10 7"],
    };
    assert_eq!(row.get::<_, Vec<String>>("claims"), claims, "version {version}");
}

#[tokio::test]
async fn each_former_version_becomes_the_newest_and_keeps_its_rows() {
    let fresh = create_empty_database().await;
    fresh.batch_execute(SCHEMA).await.unwrap();
    let expected = list_catalogue(&fresh).await;
    assert!(expected.len() > 40, "{expected:?}");
    for version in 1..=MIGRATIONS.len() {
        let client = create_empty_database().await;
        install_version(&client, version).await;
        for _ in 0..2 {
            client.batch_execute(SCHEMA).await.unwrap_or_else(|error| panic!("version {version}: {error}"));
            assert_eq!(list_catalogue(&client).await, expected, "version {version}");
            assert_kept(&client, version).await;
        }
    }
}

/// `0007_indexes_by_subject` says why.
#[tokio::test]
async fn no_index_begins_with_the_workspace() {
    let client = create_empty_database().await;
    client.batch_execute(SCHEMA).await.unwrap();
    let sql = "SELECT indexname FROM pg_indexes WHERE schemaname = 'packages_service' AND indexdef LIKE '%(workspace_id%'";
    let rows = client.query(sql, &[]).await.unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row.get("indexname")).collect();
    assert_eq!(names, ["restore_queue_pkey"], "the only index of its table");
}
