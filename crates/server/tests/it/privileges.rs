//! The grants that the doctor recommends are enough for the service.

use std::time::Duration;

use database::Db;
use doctor::queries::{Purpose, grant_statements};
use restore::run_maintenance;

use crate::app::TestApp;

/// A service whose role has the grants for these purposes only.
async fn start_with_grants(purposes: &[Purpose]) -> TestApp {
    let mut app = TestApp::start_with_own_database().await;
    let role = format!("service_{}", uuid::Uuid::new_v4().simple());
    app.run_sql(&format!("CREATE ROLE {role} LOGIN PASSWORD '{role}'")).await;
    for purpose in purposes {
        for grant in grant_statements(*purpose, &app.workspace.id.to_string(), &role) {
            app.run_sql(&grant).await;
        }
    }
    let sql = "SELECT host(inet_server_addr()), inet_server_port(), current_database()::text";
    let place = app.workspace.client.query_one(sql, &[]).await.unwrap();
    let port = u16::try_from(place.get::<_, i32>(1)).unwrap();
    let mut config = tokio_postgres::Config::new();
    config.host(place.get::<_, String>(0)).port(port).dbname(place.get::<_, String>(2));
    config.user(&role).password(&role);
    app.set_db(Db::new(config, 4).unwrap());
    app
}

#[tokio::test]
async fn the_grants_allow_everything_the_service_does() {
    let all = [
        Purpose::Roles,
        Purpose::Listings,
        Purpose::Links,
        Purpose::Trash,
        Purpose::Orders,
        Purpose::Restores,
    ];
    let app = start_with_grants(&all).await;
    let folder = app.create_folder(None, "folder").await;
    let file = app.create_file(Some(&folder), "a.txt", b"precious").await;
    let token = app.create_token("editor").await;
    assert_eq!(app.get(&app.presign_path(&file, "&redirect=false"), &token).await.status, 200);
    assert_eq!(app.get(&app.sign_path(&file, "a.parquet"), &token).await.status, 200);
    assert_eq!(app.get("/packages/datasets", &token).await.json()["items"].as_array().unwrap().len(), 1);
    for path in ["children", "metadata", "assets"] {
        let (dataset, package) = (&app.dataset.node_id, &file.node_id);
        let path = format!("/packages/{path}?dataset_id={dataset}&package_id={package}");
        assert_eq!(app.get(&path, &token).await.status, 200, "{path}");
    }
    app.trash_package(&folder).await;
    let trash = format!("/packages/trash?dataset_id={}&outlook=true", app.dataset.node_id);
    assert_eq!(app.get(&trash, &token).await.json()["items"].as_array().unwrap().len(), 1);
    let order = app.order_restore(&token, &[&folder.node_id]).await;
    assert_eq!(order.json()["success"].as_array().unwrap().len(), 1, "{}", order.json());
    assert_eq!(app.load_progress(&token, &folder).await["state"], "RESTORING");
    assert_eq!(app.run_orders().await.restored, 2);
    run_maintenance(&app.restorer, Duration::from_hours(24)).await.unwrap();
    app.assert_usage_is_exact().await;
    assert_eq!(app.load_row(file.id).await.0, "READY");
}

/// For example a role that may only decide on access.
#[tokio::test]
async fn a_workspace_that_is_closed_to_the_service_is_a_clear_problem() {
    let app = start_with_grants(&[Purpose::Roles]).await;
    let token = app.create_token("viewer").await;
    let detail = app.get("/packages/datasets", &token).await.assert_problem(500);
    let expected = "cannot be read: its tables are missing, or closed to this service";
    assert_eq!(detail, format!("workspace {} {expected}", app.workspace.id));
}

/// The statement that decides also looks the package up. Without the grants for that, a second statement decides alone.
#[tokio::test]
async fn decisions_need_only_their_own_grants() {
    let app = start_with_grants(&[Purpose::Roles]).await;
    let path = app.presign_path(&app.create_file(None, "a.txt", b"precious").await, "");
    let (viewer, guest) = (app.create_token("viewer").await, app.create_token("guest").await);
    for what in ["the workspace is not known yet", "it is known"] {
        assert_eq!(app.get(&path, &guest).await.status, 403, "{what}");
        assert_eq!(app.get(&path, &viewer).await.status, 500, "{what}");
    }
}

#[tokio::test]
async fn links_need_only_their_own_grants() {
    let app = start_with_grants(&[Purpose::Roles, Purpose::Links]).await;
    let file = app.create_file(None, "a.txt", b"precious").await;
    let token = app.create_token("editor").await;
    assert_eq!(app.get(&app.presign_path(&file, ""), &token).await.status, 307);
    app.trash_package(&file).await;
    let order = app.order_restore(&token, &[&file.node_id]).await;
    assert_ne!(order.status, 200, "orders need more grants");
}
