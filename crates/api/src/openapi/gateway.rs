//! What API Gateway imports to make its HTTP API: routes, the function behind them, and who guards which.
//!
//! The extensions are those of the API Gateway Developer Guide, "OpenAPI extensions for API Gateway". It takes OpenAPI 3.0
//! and makes nothing of parameters and schemas, so there are none. `OPTIONS` is no route: API Gateway answers it itself
//! where the API has CORS settings, and a route would need an answer of its own ("Configure CORS for HTTP APIs").

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::openapi::{OpenApi, PathItem, path::Operation};

/// What a reader of the file should know.
pub(super) const REMARKS: &str = "\
# A template: Terraform fills in what stands in braces. There is nothing about CORS here, on purpose: the AWS provider
# undoes what an import says of it that differs from `cors_configuration` of `aws_apigatewayv2_api`, so it is said there.
";

const AUTHORIZER: &str = "token_dataset_auth";

/// The document, in the order of its members.
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
    security: Value,
    responses: Value,
    #[serde(rename = "x-amazon-apigateway-integration")]
    integration: Value,
}

impl Document {
    /// The same routes as in the public description, but for `OPTIONS`.
    pub(super) fn of(api: &OpenApi) -> Self {
        let paths = api.paths.paths.iter().map(|(path, item)| (path.clone(), routes(item)));
        Self {
            openapi: "3.0.1",
            info: Info { title: "Packages Serverless API", version: api.info.version.clone() },
            paths: paths.collect(),
            components: components(),
        }
    }
}

fn routes(item: &PathItem) -> BTreeMap<&'static str, Route> {
    let methods = [("get", &item.get), ("head", &item.head), ("post", &item.post)];
    methods
        .into_iter()
        .filter_map(|(method, operation)| Some((method, Route::of(operation.as_ref()?))))
        .collect()
}

impl Route {
    fn of(operation: &Operation) -> Self {
        let is_private = operation.security.as_ref().is_some_and(|schemes| !schemes.is_empty());
        Self {
            operation_id: operation.operation_id.clone(),
            security: if is_private { json!([{ AUTHORIZER: [] }]) } else { json!([]) },
            responses: json!({"default": {"description": "What the service answers"}}),
            integration: json!({"$ref": "#/components/x-amazon-apigateway-integrations/service"}),
        }
    }
}

fn components() -> Value {
    json!({
        "securitySchemes": {
            AUTHORIZER: {
                "type": "apiKey",
                "name": "Authorization",
                "in": "header",
                "x-amazon-apigateway-authorizer": {
                    "type": "request",
                    "authorizerUri": "${authorizer_invoke_arn}",
                    "authorizerPayloadFormatVersion": "2.0",
                    "enableSimpleResponses": true,
                    // A decision is kept for these values, so a token's decision never opens another dataset. The
                    // authorizer is given them in this order.
                    "identitySource": "$request.header.Authorization, $request.querystring.dataset_id",
                    "authorizerResultTtlInSeconds": "${authorizer_cache_seconds}",
                },
            },
        },
        "x-amazon-apigateway-integrations": {
            "service": {
                "type": "aws_proxy",
                "httpMethod": "POST",
                "uri": "${service_lambda_invoke_arn}",
                "payloadFormatVersion": "2.0",
                // As long as API Gateway waits at most. The service itself gives up a second earlier, and says so.
                "timeoutInMillis": 30000,
            },
        },
    })
}
