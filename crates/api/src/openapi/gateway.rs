//! The OpenAPI document from which API Gateway creates the HTTP API: the routes, their Lambda function and their
//! authorizer.
//!
//! The extensions are those of the Amazon API Gateway Developer Guide, "OpenAPI extensions for API Gateway". API
//! Gateway imports OpenAPI 3.0 and ignores parameters and schemas, so the document has none. It has no `OPTIONS` routes
//! either: API Gateway responds to preflights itself if the API has CORS settings ("Configure CORS for HTTP APIs").

use std::collections::BTreeMap;

use super::parameters::FILE_NAME_PARAMETER;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::openapi::{
    OpenApi, PathItem, RefOr, Required,
    path::{Operation, Parameter},
};

/// A comment at the top of the file.
pub(super) const TEMPLATE_NOTE: &str = "\
# A template: Terraform replaces the expressions in braces. The CORS settings are in `cors_configuration` of
# `aws_apigatewayv2_api`. They must not be here as well: the AWS provider reverts imported settings that differ from it.
";

/// The authorizer of routes that name one dataset.
const DATASET_SCHEME: &str = "token_dataset_auth";

/// The authorizer of routes that need not name a dataset. The gateway refuses a request without one of the identity
/// sources, so these routes have another list.
const TOKEN_SCHEME: &str = "token_auth";

/// The document, with its members in this order.
#[derive(Serialize)]
pub(super) struct Document {
    openapi: &'static str,
    info: Info,
    paths: BTreeMap<String, BTreeMap<&'static str, Route>>,
    components: Value,
}

#[derive(Serialize)]
struct Info {
    title: &'static str,
    version: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Route {
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_id: Option<String>,
    /// Only those of the path: the gateway imports no others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parameters: Vec<Value>,
    security: Value,
    responses: Value,
    #[serde(rename = "x-amazon-apigateway-integration")]
    integration: Value,
}

impl Document {
    /// The routes of the public document without `OPTIONS`.
    pub(super) fn from_public(api: &OpenApi) -> Self {
        let paths = api.paths.paths.iter().map(|(path, item)| (path.clone(), routes_of_path(item)));
        Self {
            // API Gateway does not import OpenAPI 3.1.
            openapi: "3.0.1",
            info: Info { title: "Packages Serverless API", version: api.info.version.clone() },
            paths: paths.collect(),
            components: gateway_components(),
        }
    }
}

fn routes_of_path(item: &PathItem) -> BTreeMap<&'static str, Route> {
    let methods = [("get", &item.get), ("head", &item.head), ("post", &item.post)];
    methods
        .into_iter()
        .filter_map(|(method, operation)| Some((method, Route::from_operation(operation.as_ref()?))))
        .collect()
}

impl Route {
    fn from_operation(operation: &Operation) -> Self {
        // The public document lists the bearer scheme for private operations, and an empty list for the others.
        let is_private = operation.security.as_ref().is_some_and(|schemes| !schemes.is_empty());
        Self {
            operation_id: operation.operation_id.clone(),
            parameters: path_parameters(operation),
            security: match (is_private, requires_dataset(operation)) {
                (false, _) => json!([]),
                (true, true) => json!([{ DATASET_SCHEME: [] }]),
                (true, false) => json!([{ TOKEN_SCHEME: [] }]),
            },
            responses: json!({"default": {"description": "The response of the service"}}),
            integration: json!({"$ref": "#/components/x-amazon-apigateway-integrations/service"}),
        }
    }
}

/// The file name at the end of a path is the only parameter in a path.
fn path_parameters(operation: &Operation) -> Vec<Value> {
    let is_file_name = |parameter: &RefOr<Parameter>| is_parameter(parameter, FILE_NAME_PARAMETER);
    if operation.parameters.iter().flatten().any(is_file_name) {
        vec![
            json!({"name": FILE_NAME_PARAMETER, "in": "path", "required": true, "schema": {"type": "string"}}),
        ]
    } else {
        Vec::new()
    }
}

/// Whether a parameter, or the shared one that it refers to, has this name.
fn is_parameter(parameter: &RefOr<Parameter>, name: &str) -> bool {
    match parameter {
        RefOr::T(parameter) => parameter.name == name,
        RefOr::Ref(reference) => reference.ref_location == format!("#/components/parameters/{name}"),
    }
}

/// Whether an operation has a required `dataset_id`. The optional one is not shared, since it differs.
fn requires_dataset(operation: &Operation) -> bool {
    let is_required = |parameter: &RefOr<Parameter>| match parameter {
        RefOr::T(own) if own.required != Required::True => false,
        parameter => is_parameter(parameter, "dataset_id"),
    };
    operation.parameters.iter().flatten().any(is_required)
}

fn authorizer_scheme(identity_source: &str) -> Value {
    json!({
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "x-amazon-apigateway-authorizer": {
            "type": "request",
            "authorizerUri": "${authorizer_invoke_arn}",
            "authorizerPayloadFormatVersion": "2.0",
            // The authorizer returns `isAuthorized` in place of an IAM policy.
            "enableSimpleResponses": true,
            "identitySource": identity_source,
            "authorizerResultTtlInSeconds": "${authorizer_cache_seconds}",
        },
    })
}

fn gateway_components() -> Value {
    json!({
        "securitySchemes": {
            // The gateway caches a decision under these values, so a decision for one dataset never applies to another.
            // The authorizer receives them in this order.
            DATASET_SCHEME: authorizer_scheme("$request.header.Authorization, $request.querystring.dataset_id"),
            TOKEN_SCHEME: authorizer_scheme("$request.header.Authorization"),
        },
        "x-amazon-apigateway-integrations": {
            "service": {
                "type": "aws_proxy",
                // The method with which API Gateway invokes Lambda, for every method of the client.
                "httpMethod": "POST",
                "uri": "${service_lambda_invoke_arn}",
                "payloadFormatVersion": "2.0",
                // The maximum of API Gateway. The service's own timeout is a second shorter.
                "timeoutInMillis": 30000,
            },
        },
    })
}
