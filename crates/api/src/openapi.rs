//! The API's description, in two documents that the program writes itself.
//!
//! [`public_yaml`] is for those who call the API: OpenAPI 3.1, every parameter with its rule, every status with its
//! body. [`gateway_yaml`] is for API Gateway: OpenAPI 3.0 with the same routes, and who guards which. Both are made from
//! what stands beside the handlers, in `#[utoipa::path]`; what all endpoints have in common is added here.

mod gateway;
mod parameters;
mod responses;

use utoipa::{
    OpenApi as _,
    openapi::{
        Components, OpenApi, PathItem, Ref, RefOr,
        path::{Operation, OperationBuilder},
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

pub(crate) use self::{
    parameters::{
        Asset, AssetOrFile, Cursor, Dataset, DryRun, Limit, Outlook, Package, Parent, PresignedUrl, Range,
        Redirect,
    },
    responses::{Absent, Body, Invalid, Private, Probed, Redirected, Refused, Unavailable},
};

/// The name of the way to authenticate, in both documents' own terms.
const BEARER: &str = "bearer";

/// What the generated files begin with.
const HEADER: &str = "# Written by the program, from what stands beside its handlers: change it there, then run `make openapi`.\n";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "packages-service",
        description = include_str!("openapi/description.md"),
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers(
        (
            url = "https://api2.{domain}/packages",
            description = "In AWS, behind API Gateway",
            variables(("domain" = (default = "pennsieve.io", description = "The platform's domain"))),
        ),
        (url = "http://127.0.0.1:8080/packages", description = "On this machine: `make run`"),
    ),
    tags(
        (name = "links", description = "Links to files, and reading what they lead to"),
        (name = "restore", description = "The trash, and packages back from it"),
        (name = "health", description = "For whoever starts, stops and watches the service"),
    ),
    paths(
        crate::presign::get,
        crate::presign::head,
        crate::cloudfront::get,
        crate::proxy::get,
        crate::proxy::head,
        crate::progress::get,
        crate::restore::post,
        crate::trash::get,
        crate::health::alive,
        crate::health::ready,
    ),
    components(schemas(crate::problem::Body<'_>)),
)]
struct Annotated;

/// The description for those who call the API, as OpenAPI 3.1. Paths are beneath `/packages`, which the servers name.
#[must_use]
pub fn public() -> OpenApi {
    let mut api = Annotated::openapi();
    let mut components = api.components.take().unwrap_or_default();
    for item in api.paths.paths.values_mut() {
        complete(item);
        for operation in operations_mut(item) {
            share_parameters(operation, &mut components);
        }
    }
    components.responses = responses::shared();
    components.headers = responses::headers();
    components.security_schemes.insert(BEARER.to_owned(), bearer().into());
    api.components = Some(components);
    api
}

/// [`public`] as it stands in `docs/openapi.yaml`.
pub fn public_yaml() -> Result<String, yaml_serde::Error> {
    Ok(format!("{HEADER}{}", public().to_yaml()?))
}

/// What API Gateway imports, as it stands in `terraform/packages-service.yml`: a template for Terraform's `templatefile`,
/// with `service_lambda_invoke_arn`, `authorizer_invoke_arn` and `authorizer_cache_seconds` to be filled in.
pub fn gateway_yaml() -> Result<String, yaml_serde::Error> {
    let document = gateway::Document::of(&public());
    Ok(format!("{HEADER}{}{}", gateway::REMARKS, yaml_serde::to_string(&document)?))
}

/// Adds what holds for every path: `HEAD` wherever there is `GET`, `OPTIONS`, a request's id, and what may always fail.
fn complete(item: &mut PathItem) {
    if item.head.is_none() {
        item.head = item.get.as_ref().map(without_body);
    }
    for operation in operations_mut(item) {
        operation.security.get_or_insert_default();
        operation.parameters.get_or_insert_default().push(parameters::request_id().into());
        let answers = &mut operation.responses.responses;
        answers.extend(responses::always());
        answers.values_mut().for_each(responses::name_the_request);
    }
    item.options = item.get.as_ref().map(preflight);
}

/// `HEAD` on what only `GET` is written for.
fn without_body(get: &Operation) -> Operation {
    let mut head = get.clone();
    head.operation_id = suffixed(get, "Head");
    head.summary = Some("What `GET` answers, without the body".to_owned());
    head.description = None;
    for answer in head.responses.responses.values_mut() {
        if let RefOr::T(answer) = answer {
            answer.content.clear();
        }
    }
    head
}

/// What a browser asks before it lets a page ask anything.
fn preflight(get: &Operation) -> Operation {
    let mut options = OperationBuilder::new()
        .operation_id(suffixed(get, "Options"))
        .tags(get.tags.clone())
        .summary(Some("A preflight: which methods and headers a page of another origin may use"))
        .response("204", Ref::from_response_name(responses::PREFLIGHT))
        .build();
    options.security = Some(Vec::new());
    options
}

fn suffixed(operation: &Operation, suffix: &str) -> Option<String> {
    operation.operation_id.as_ref().map(|id| format!("{id}{suffix}"))
}

fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, head, post, .. } = item;
    [get, head, post].into_iter().flatten()
}

/// Writes a parameter down once, and refers to it. One that differs between endpoints stays where it is.
fn share_parameters(operation: &mut Operation, components: &mut Components) {
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(own) = &*parameter else { continue };
        let name = own.name.clone();
        let shared = components.parameters.entry(name.clone()).or_insert_with(|| own.clone().into());
        if shared == &*parameter {
            *parameter = RefOr::Ref(Ref::new(format!("#/components/parameters/{name}")));
        }
    }
}

fn bearer() -> SecurityScheme {
    let scheme = Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(
        "An access token of the platform's identity provider. A role in the dataset that `dataset_id` names decides \
         what it opens.",
    ));
    SecurityScheme::Http(scheme.build())
}

#[cfg(test)]
mod tests;
