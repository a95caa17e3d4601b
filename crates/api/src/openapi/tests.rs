//! The description is true: of the routes as a whole, and of what can be asked without a database.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use http::{Method, header};
use serde_json::{Value, json};

use super::*;
use crate::tests::{app, as_member, as_stranger};

fn described() -> Value {
    serde_json::to_value(public()).unwrap()
}

/// Each described path with its methods.
fn routes(document: &Value) -> BTreeMap<String, BTreeSet<String>> {
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

/// Each operation as a path, a method and what is said of it.
fn operations(document: &Value) -> Vec<(String, Method, Value)> {
    let of = |(path, methods): (String, BTreeSet<String>)| {
        let operation = |method: &String| document["paths"][&path][method.to_lowercase()].clone();
        let all: Vec<_> = methods.iter().map(|m| (path.clone(), m.parse().unwrap(), operation(m))).collect();
        all
    };
    routes(document).into_iter().flat_map(of).collect()
}

fn assert_as_written(file: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == generated,
        "{file} is not what the program writes now: run `make openapi`, and commit what changes"
    );
}

#[test]
fn the_files_are_what_the_program_writes() {
    assert_as_written("docs/openapi.yaml", &public_yaml().unwrap());
    assert_as_written("terraform/packages-service.yml", &gateway_yaml().unwrap());
}

/// The paths of the router, which tells them only where it is printed for debugging.
fn routed() -> BTreeSet<String> {
    let router = format!("{:?}", crate::router(app(), |routes| routes));
    let quoted = router.split('"').skip(1).step_by(2);
    quoted.filter_map(|text| text.strip_prefix("/packages/")).map(|path| format!("/{path}")).collect()
}

#[tokio::test]
async fn what_is_routed_is_described_and_the_other_way_round() {
    let described = routes(&described());
    assert_eq!(routed(), described.keys().cloned().collect());
    for (path, methods) in described {
        let (response, _) = as_stranger(Method::DELETE, &format!("/packages{path}")).await;
        let allowed = response.headers()[header::ALLOW].to_str().unwrap();
        assert_eq!(allowed.split(',').map(str::to_owned).collect::<BTreeSet<_>>(), methods, "{path}");
    }
}

#[tokio::test]
async fn what_is_described_as_private_is_refused_to_strangers() {
    for (path, method, operation) in operations(&described()) {
        let (response, _) = as_stranger(method.clone(), &format!("/packages{path}")).await;
        let is_private = operation["security"] == json!([{ "bearer": [] }]);
        assert_eq!(response.status() == 401, is_private, "{method} {path}");
    }
}

/// What a reference in the document leads to, or what stands there itself.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(to) => document.pointer(to.strip_prefix('#').unwrap()).unwrap(),
        None => value,
    }
}

/// Asks as a member, and asserts that what is answered is described: the status, its headers, the body's members.
async fn assert_described(role: u8, method: Method, path: &str, query: &str) -> u16 {
    let document = described();
    let (response, body) = as_member(role, method.clone(), &format!("/packages{path}?{query}"), "{}").await;
    let status = response.status();
    let operation = &document["paths"][path][method.as_str().to_lowercase()];
    let answer = resolved(&document, &operation["responses"][status.as_str()]);
    assert!(answer.is_object(), "{method} {path} answers {status}");
    for name in answer["headers"].as_object().unwrap().keys() {
        assert!(response.headers().contains_key(name), "{name} is missing where {method} {path} is {status}");
    }
    let Some(content) = answer["content"].as_object().filter(|_| method != Method::HEAD) else {
        return status.into();
    };
    let (kind, content) = content.iter().next().unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], kind.as_str());
    let schema = resolved(&document, &content["schema"]);
    let members: BTreeSet<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        schema["properties"].as_object().unwrap().keys().collect(),
        "{method} {path} {status}"
    );
    status.into()
}

#[tokio::test]
async fn what_is_answered_without_a_database_is_described() {
    const PACKAGE: &str = "dataset_id=N:dataset:41&package_id=N:package:1&path=a.txt";
    for (path, method, _) in operations(&described()) {
        let ask = async |role, query| assert_described(role, method.clone(), &path, query).await;
        match (path.as_str(), &method) {
            (_, &Method::OPTIONS) => assert_eq!(ask(0, "").await, 204),
            ("/health", _) => assert_eq!(ask(0, "").await, 200),
            ("/ready", _) => assert_eq!(ask(0, "").await, 503),
            ("/proxy/s3", _) => assert_eq!(ask(0, "").await, 400),
            _ => {
                assert_eq!(ask(1, PACKAGE).await, 403);
                assert_eq!(ask(5, "dataset_id=%").await, 400);
                assert_eq!(ask(5, PACKAGE).await, 503);
            }
        }
    }
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let names: Vec<Value> =
        operations(&described()).into_iter().map(|(_, _, of)| of["operationId"].clone()).collect();
    let distinct: BTreeSet<&str> = names.iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(distinct.len(), names.len(), "{names:?}");
}

/// The gateway's document, read back.
fn gateway() -> Value {
    yaml_serde::from_str(&gateway_yaml().unwrap()).unwrap()
}

#[test]
fn the_gateway_has_the_same_routes_and_guards_the_private_ones() {
    let (public, gateway) = (described(), gateway());
    let mut expected = routes(&public);
    assert!(expected.values_mut().all(|methods| methods.remove("OPTIONS")));
    assert_eq!(routes(&gateway), expected);
    for (path, method, operation) in operations(&gateway) {
        let is_private = public["paths"][&path][method.as_str().to_lowercase()]["security"] != json!([]);
        let guards = if is_private { json!([{ "token_dataset_auth": [] }]) } else { json!([]) };
        assert_eq!(operation["security"], guards, "{method} {path}");
        assert!(resolved(&gateway, &operation["x-amazon-apigateway-integration"])["uri"].is_string());
    }
}

#[test]
fn the_gateway_asks_the_authorizer_with_the_token_first() {
    let scheme = &gateway()["components"]["securitySchemes"]["token_dataset_auth"];
    let authorizer = &scheme["x-amazon-apigateway-authorizer"];
    let source = "$request.header.Authorization, $request.querystring.dataset_id";
    assert_eq!(authorizer["identitySource"], source);
    assert_eq!(authorizer["enableSimpleResponses"], true);
}

#[test]
fn terraform_finds_only_what_it_can_fill_in() {
    let text = gateway_yaml().unwrap();
    let names: BTreeSet<&str> = text.split("${").skip(1).filter_map(|rest| rest.split('}').next()).collect();
    let known = ["authorizer_cache_seconds", "authorizer_invoke_arn", "service_lambda_invoke_arn"];
    assert_eq!(names, known.into());
    assert!(!text.contains("%{"), "a directive of Terraform's templates");
    let number = "authorizerResultTtlInSeconds: ${authorizer_cache_seconds}\n";
    assert!(text.contains(number), "not in quotes: it is a number once it is filled in");
}
