//! The documents match the routes, and the responses that need no database.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use http::{Method, header};
use serde_json::{Value, json};

use super::*;
use crate::tests::{app, send_anonymous, send_as_member};

fn public() -> Value {
    serde_json::to_value(public_document()).unwrap()
}

/// Each path of a document with its methods.
fn document_routes(document: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let methods = |item: &Value| {
        item.as_object()
            .unwrap()
            .keys()
            .filter(|name| *name != "parameters")
            .map(|name| name.to_uppercase())
            .collect()
    };
    let paths = document["paths"].as_object().unwrap();
    paths.iter().map(|(path, item)| (path.clone(), methods(item))).collect()
}

/// Each operation with its path and method.
fn operations(document: &Value) -> Vec<(String, Method, Value)> {
    let expand = |(path, methods): (String, BTreeSet<String>)| {
        let operation = |method: &String| document["paths"][&path][method.to_lowercase()].clone();
        let all: Vec<_> = methods.iter().map(|m| (path.clone(), m.parse().unwrap(), operation(m))).collect();
        all
    };
    document_routes(document).into_iter().flat_map(expand).collect()
}

fn assert_up_to_date(file: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == generated, "{file} is out of date: run `make openapi` and commit the changes");
}

#[test]
fn the_committed_documents_are_up_to_date() {
    assert_up_to_date("docs/openapi.yaml", &public_yaml().unwrap());
    assert_up_to_date("terraform/packages-service.yml", &gateway_yaml().unwrap());
}

/// The paths of the router. axum lists them only in the `Debug` output.
fn router_paths() -> BTreeSet<String> {
    let router = format!("{:?}", crate::router(app(), |routes, _| routes));
    let quoted = router.split('"').skip(1).step_by(2);
    quoted.filter_map(|text| text.strip_prefix("/packages/")).map(|path| format!("/{path}")).collect()
}

#[tokio::test]
async fn the_document_has_exactly_the_routes_of_the_router() {
    let documented = document_routes(&public());
    assert_eq!(router_paths(), documented.keys().cloned().collect());
    for (path, methods) in documented {
        let (response, _) = send_anonymous(Method::DELETE, &format!("/packages{path}")).await;
        let allowed = response.headers()[header::ALLOW].to_str().unwrap();
        assert_eq!(allowed.split(',').map(str::to_owned).collect::<BTreeSet<_>>(), methods, "{path}");
    }
}

#[tokio::test]
async fn only_documented_private_routes_need_authentication() {
    for (path, method, operation) in operations(&public()) {
        let (response, _) = send_anonymous(method.clone(), &format!("/packages{path}")).await;
        let is_private = operation["security"] == json!([{ "bearer": [] }]);
        assert_eq!(response.status() == 401, is_private, "{method} {path}");
    }
}

/// Follows a reference in the document. Any other value is returned as it is.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(to) => document.pointer(to.strip_prefix('#').unwrap()).unwrap(),
        None => value,
    }
}

/// A body that is valid for every operation that takes one.
const BODY: &str = r#"{"nodeIds": ["N:package:1"], "items": [{"package_id": "N:package:1"}]}"#;

/// Sends a request as a member. Asserts that the document has the response's status, headers and body members.
async fn assert_documented(role: u8, method: Method, path: &str, query: &str) -> u16 {
    let document = public();
    let (response, body) =
        send_as_member(role, method.clone(), &format!("/packages{path}?{query}"), BODY).await;
    let status = response.status();
    let operation = &document["paths"][path][method.as_str().to_lowercase()];
    let documented = resolve(&document, &operation["responses"][status.as_str()]);
    assert!(documented.is_object(), "{method} {path} responds with {status}");
    for name in documented["headers"].as_object().unwrap().keys() {
        assert!(response.headers().contains_key(name), "{name} is missing where {method} {path} is {status}");
    }
    let Some(content) = documented["content"].as_object().filter(|_| method != Method::HEAD) else {
        return status.into();
    };
    let (kind, content) = content.iter().next().unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], kind.as_str());
    let schema = resolve(&document, &content["schema"]);
    let members: BTreeSet<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    let documented = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    let required = schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(members.is_subset(&documented), "{method} {path} {status}: {members:?}");
    assert!(members.is_superset(&required), "{method} {path} {status}: {members:?}");
    status.into()
}

#[tokio::test]
async fn responses_without_a_database_are_documented() {
    const PACKAGE: &str = "dataset_id=N:dataset:41&package_id=N:package:1";
    for (path, method, _) in operations(&public()) {
        let send = async |role, query| assert_documented(role, method.clone(), &path, query).await;
        match (path.as_str(), &method) {
            (_, &Method::OPTIONS) => assert_eq!(send(0, "").await, 204),
            ("/health", _) => assert_eq!(send(0, "").await, 200),
            ("/ready", _) => assert_eq!(send(0, "").await, 503),
            // The roles are in the database.
            ("/download-manifest" | "/datasets", _) => {
                assert_eq!(send(5, "limit=0").await, 400);
                assert_eq!(send(5, "").await, 503);
            }
            ("/proxy/s3" | "/proxy/s3/{name}", _) => assert_eq!(send(0, "").await, 400),
            _ => {
                assert_eq!(send(1, PACKAGE).await, 403);
                assert_eq!(send(5, "dataset_id=%").await, 400);
                assert_eq!(send(5, PACKAGE).await, 503);
            }
        }
    }
}

#[test]
fn operation_ids_are_unique() {
    let names: Vec<Value> =
        operations(&public()).into_iter().map(|(_, _, operation)| operation["operationId"].clone()).collect();
    let distinct: BTreeSet<&str> = names.iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(distinct.len(), names.len(), "{names:?}");
}

/// The parsed document for API Gateway.
fn gateway() -> Value {
    yaml_serde::from_str(&gateway_yaml().unwrap()).unwrap()
}

#[test]
fn the_gateway_has_the_same_routes_and_protects_the_private_ones() {
    let (public, gateway) = (public(), gateway());
    let mut expected = document_routes(&public);
    assert!(expected.values_mut().all(|methods| methods.remove("OPTIONS")));
    assert_eq!(document_routes(&gateway), expected);
    for (path, method, operation) in operations(&gateway) {
        let is_private = public["paths"][&path][method.as_str().to_lowercase()]["security"] != json!([]);
        let security = match (is_private, path.as_str()) {
            (false, _) => json!([]),
            // The dataset is optional, or there is none.
            (true, "/download-manifest" | "/datasets") => json!([{ "token_auth": [] }]),
            (true, _) => json!([{ "token_dataset_auth": [] }]),
        };
        assert_eq!(operation["security"], security, "{method} {path}");
        assert!(resolve(&gateway, &operation["x-amazon-apigateway-integration"])["uri"].is_string());
    }
}

#[test]
fn the_identity_source_has_the_token_first() {
    let scheme = &gateway()["components"]["securitySchemes"]["token_dataset_auth"];
    let authorizer = &scheme["x-amazon-apigateway-authorizer"];
    let source = "$request.header.Authorization, $request.querystring.dataset_id";
    assert_eq!(authorizer["identitySource"], source);
    assert_eq!(authorizer["enableSimpleResponses"], true);
}

#[test]
fn the_template_has_only_known_variables() {
    let text = gateway_yaml().unwrap();
    let names: BTreeSet<&str> = text.split("${").skip(1).filter_map(|rest| rest.split('}').next()).collect();
    let known = ["authorizer_cache_seconds", "authorizer_invoke_arn", "service_lambda_invoke_arn"];
    assert_eq!(names, known.into());
    assert!(!text.contains("%{"), "a directive of Terraform's templates");
    let number = "authorizerResultTtlInSeconds: ${authorizer_cache_seconds}\n";
    assert!(text.contains(number), "without quotes, so that Terraform inserts a number");
}
