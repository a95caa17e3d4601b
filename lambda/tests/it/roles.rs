//! What a caller may do behind the gateway.

use std::collections::BTreeSet;

use local::workspace::{Package, User};
use serde_json::{Value, json};

use crate::{
    environment::TestEnvironment,
    function::{Function, SERVICE},
    service::{build_event, fetch_link, invoke_service, with_path},
};

/// A request of a private operation, and its status with a permitted caller.
struct PrivateOperation {
    method: &'static str,
    path: &'static str,
    /// `PACKAGE` stands for a package's id.
    query: &'static str,
    status: i64,
}

const fn operation(
    method: &'static str,
    path: &'static str,
    query: &'static str,
    status: i64,
) -> PrivateOperation {
    PrivateOperation { method, path, query, status }
}

/// The private operations with a permitted caller.
const PRIVATE_OPERATIONS: [PrivateOperation; 19] = [
    operation("GET", "/children", "", 200),
    operation("HEAD", "/children", "", 200),
    operation("GET", "/metadata", "package_id=PACKAGE", 200),
    operation("HEAD", "/metadata", "package_id=PACKAGE", 200),
    operation("GET", "/assets", "package_id=PACKAGE", 200),
    operation("HEAD", "/assets", "package_id=PACKAGE", 200),
    operation("GET", "/presign/s3", "package_id=PACKAGE", 307),
    operation("HEAD", "/presign/s3", "package_id=PACKAGE", 200),
    operation("POST", "/presign/s3", "", 200),
    operation("GET", "/presign/s3/{name}", "package_id=PACKAGE", 307),
    operation("HEAD", "/presign/s3/{name}", "package_id=PACKAGE", 200),
    operation("GET", "/cloudfront/sign", "package_id=PACKAGE&path=a.parquet", 200),
    operation("GET", "/cloudfront/sign", "package_id=PACKAGE&path=image.ome.zarr/", 200),
    operation("HEAD", "/cloudfront/sign", "package_id=PACKAGE&path=a.parquet", 200),
    operation("GET", "/restore", "package_id=PACKAGE", 200),
    operation("HEAD", "/restore", "package_id=PACKAGE", 200),
    operation("POST", "/restore", "", 200),
    operation("GET", "/trash", "", 200),
    operation("HEAD", "/trash", "", 200),
];

/// A request of a private operation with this role.
fn build_private_event(
    environment: &TestEnvironment,
    package: &Package,
    PrivateOperation { method, path, query, .. }: &PrivateOperation,
    role: &Value,
) -> Value {
    let query = query.replace("PACKAGE", package.node_id.as_str());
    let query = format!("dataset_id={}&{query}", environment.dataset.node_id);
    let mut context = environment.authorizer_context(0);
    context["dataset_claim"]["Role"] = role.clone();
    let name = if *method == "POST" { "post" } else { "get" };
    let path = path.replace("{name}", "scan.bam");
    let mut event = with_path(build_event(name, query.trim_end_matches('&'), context), &path);
    if *method == "POST" {
        event["body"] = json!(r#"{"nodeIds": [], "items": []}"#);
    }
    event["requestContext"]["http"]["method"] = json!(method);
    event
}

/// The dataset's role is an ordinal (0 None, 1 Guest, 2 Viewer, 3 Editor, 4 Manager, 5 Owner); no other number is a role.
#[tokio::test]
async fn each_role_number_has_its_permissions() {
    let environment = TestEnvironment::start().await;
    let function = Function::start(SERVICE, &environment.variables).await;
    let package = environment.create_file("a.txt", b"hello").await;
    for (role, may_read, may_restore) in [
        (json!(0), false, false),
        (json!(1), false, false),
        (json!(2), true, false),
        (json!(3), true, true),
        (json!(4), true, true),
        (json!(5), true, true),
        (json!(4.0), true, true),
        (json!(-1), false, false),
        (json!(6), false, false),
        // Permission bits of managers and owners, which the workspace's claim has.
        (json!(16), false, false),
        (json!(32), false, false),
        (json!(4.5), false, false),
        (json!("4"), false, false),
        (json!("manager"), false, false),
        (json!(true), false, false),
        (json!(null), false, false),
    ] {
        for operation in &PRIVATE_OPERATIONS {
            let PrivateOperation { method, path, status: success, .. } = *operation;
            let event = build_private_event(&environment, &package, operation, &role);
            let may = if (method, path) == ("POST", "/restore") { may_restore } else { may_read };
            let status = invoke_service(&function, event).await.status();
            assert_eq!(status, if may { success } else { 403 }, "role {role}: {method} {path}");
        }
    }
}

/// The authorizer of this route gives no role, so the service finds it in the database.
#[tokio::test]
async fn a_manifest_is_for_those_who_may_read_the_packages() {
    let environment = TestEnvironment::start().await;
    let function = Function::start(SERVICE, &environment.variables).await;
    let package = environment.create_file("a.txt", b"hello").await;
    let request = |user: &User| {
        let mut context = environment.authorizer_context(5);
        context["user_claim"] = json!({"Id": user.id, "NodeId": user.node_id, "IsSuperAdmin": false});
        context.as_object_mut().unwrap().remove("dataset_claim");
        let mut event = with_path(build_event("post", "", context), "/download-manifest");
        event["body"] = json!(json!({"nodeIds": [package.node_id]}).to_string());
        event
    };
    let viewer = environment.create_user("viewer").await;
    let response = invoke_service(&function, request(&viewer)).await;
    assert_eq!(response.status(), 200);
    let manifest = response.body();
    let url = manifest["data"][0]["url"].as_str().unwrap();
    assert!(fetch_link(url).await.ends_with("hello"), "{manifest}");
    let guest = environment.create_user("guest").await;
    invoke_service(&function, request(&guest)).await.assert_problem(404);
    let mut anonymous = request(&viewer);
    anonymous["requestContext"].as_object_mut().unwrap().remove("authorizer");
    invoke_service(&function, anonymous).await.assert_problem(403);
}

/// The same for the list of datasets, which looks up the roles in all of them.
#[tokio::test]
async fn a_list_of_datasets_is_for_the_members_of_the_workspace() {
    let environment = TestEnvironment::start().await;
    let function = Function::start(SERVICE, &environment.variables).await;
    let request = |user: &User, query: &str| {
        let mut context = environment.authorizer_context(5);
        context["user_claim"] = json!({"Id": user.id, "NodeId": user.node_id, "IsSuperAdmin": false});
        context.as_object_mut().unwrap().remove("dataset_claim");
        with_path(build_event("get", query, context), "/datasets")
    };
    let guest = environment.create_user("guest").await;
    let list = invoke_service(&function, request(&guest, "")).await.body();
    assert_eq!(list["items"][0]["id"], json!(environment.dataset.node_id));
    assert_eq!((&list["items"][0]["role"], list["items"].as_array().unwrap().len()), (&json!("guest"), 1));
    // The authorizer of another release does not say whether the caller may act in other workspaces.
    let elsewhere = invoke_service(&function, request(&guest, "workspace=2147483647")).await;
    assert_eq!(elsewhere.assert_problem(403), "you have no access to this workspace");
    let mut anonymous = request(&guest, "");
    anonymous["requestContext"].as_object_mut().unwrap().remove("authorizer");
    invoke_service(&function, anonymous).await.assert_problem(403);
}

#[test]
fn the_table_of_roles_has_every_private_operation() {
    let document = serde_json::to_value(api::openapi::public_document()).unwrap();
    let mut private = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            // A route whose dataset is optional, or that has none, has no role in its claims.
            let has_role = !["/download-manifest", "/datasets"].contains(&path.as_str());
            if operation.get("operationId").is_some() && operation["security"] != json!([]) && has_role {
                private.insert((method.to_uppercase(), path.clone()));
            }
        }
    }
    let tested = PRIVATE_OPERATIONS.map(|operation| (operation.method.to_owned(), operation.path.to_owned()));
    assert_eq!(private, tested.into());
}
