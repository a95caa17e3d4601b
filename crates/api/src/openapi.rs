//! Generates the two OpenAPI documents of the API.
//!
//! [`public_yaml`] is for clients: OpenAPI 3.1, with every parameter and every response. [`gateway_yaml`] is for API
//! Gateway: OpenAPI 3.0, with the same routes and their authorizer. Both come from the `#[utoipa::path]` attributes of
//! the handlers. This module adds what all endpoints have in common.

mod gateway;
mod parameters;
mod responses;

use utoipa::{
    OpenApi as _,
    openapi::{
        Components, OpenApi, PathItem, Ref, RefOr, Server,
        path::{Operation, OperationBuilder, Parameter, ParameterIn},
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

use crate::PathPrefix;

pub(crate) use self::{
    parameters::{
        AssetCursorParam, AssetDirectoryParam, AssetLimitParam, AssetOrDirectoryParam, ConditionParams,
        CookiesParam, CursorParam, DatasetIdParam, DatasetLimitParam, DispositionParam, DryRunParam,
        ExpiresInParam, FolderParam, LimitParam, ManifestCursorParam, ManifestFormatParam,
        ManifestLimitParam, OptionalAssetPathParam, OptionalDatasetIdParam, OutlookParam, PackageIdParam,
        PageLimitParam, ParentParam, PresignedUrlParam, RangeHeaderParam, RedirectParam, SortParam,
        WorkspaceParam,
    },
    responses::{
        ArchivedProblem, ForbiddenProblem, InvalidRequestProblem, LinkResponse, NotFoundProblem,
        ObjectHeadResponses, PrivateRouteProblems, RedirectResponse, RequestBodyProblems, StorageProblem,
        UnavailableProblem,
    },
};

/// The name of the security scheme.
const BEARER_SCHEME: &str = "bearer";

/// The first line of the generated files.
const FILE_HEADER: &str =
    "# Generated from the handlers' attributes in crates/api. Change them there, then run `make openapi`.\n";

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
        (url = "http://127.0.0.1:8080/packages", description = "The local stack (`make run`)"),
    ),
    tags(
        (name = "listings", description = "Datasets, their folders and files"),
        (name = "links", description = "Links to files, and the headers of the files"),
        (name = "restore", description = "The trash, and restoring packages from it"),
        (name = "health", description = "Liveness and readiness probes"),
    ),
    paths(
        crate::datasets::get_datasets,
        crate::children::get_children,
        crate::metadata::get_metadata,
        crate::assets::get_assets,
        crate::presign::get_link,
        crate::presign::head_object,
        crate::presign::post_batch,
        crate::cloudfront::get_signed_link,
        crate::manifest::post_manifest,
        crate::proxy::get_redirect,
        crate::proxy::head_object,
        crate::progress::get_progress,
        crate::restore::post_restore,
        crate::trash::get_trash,
        crate::health::get_health,
        crate::health::get_ready,
    ),
    components(schemas(crate::problem::ProblemBody<'_>)),
)]
struct ApiDoc;

/// The document for clients, OpenAPI 3.1. Its paths are relative to `/packages`, which the server URLs end with.
#[must_use]
pub fn public_document() -> OpenApi {
    let mut api = ApiDoc::openapi();
    let mut components = api.components.take().unwrap_or_default();
    add_named_paths(&mut api);
    for item in api.paths.paths.values_mut() {
        complete_path(item);
        for operation in operations_mut(item) {
            share_parameters(operation, &mut components);
        }
    }
    // Built in code, because they follow from the kinds of problems.
    components.responses = responses::shared_responses();
    components.headers = responses::shared_headers();
    components.security_schemes.insert(BEARER_SCHEME.to_owned(), bearer_scheme().into());
    api.components = Some(components);
    api
}

/// [`public_document`] as YAML, for `docs/openapi.yaml`.
pub fn public_yaml() -> Result<String, yaml_serde::Error> {
    Ok(format!("{FILE_HEADER}{}", public_document().to_yaml()?))
}

/// [`public_document`] as JSON, for pages of a server that has the API beneath this prefix.
pub fn server_json(prefix: &PathPrefix) -> Result<String, serde_json::Error> {
    let mut document = public_document();
    let server = Server::builder().url(prefix.as_str()).description(Some("This server")).build();
    document.servers = Some(vec![server]);
    document.to_json()
}

/// The document that API Gateway imports, for `terraform/packages-service.yml`. It is a template for Terraform's
/// `templatefile` with the variables `service_lambda_invoke_arn`, `authorizer_invoke_arn` and
/// `authorizer_cache_seconds`.
pub fn gateway_yaml() -> Result<String, yaml_serde::Error> {
    let document = gateway::Document::from_public(&public_document());
    Ok(format!("{FILE_HEADER}{}{}", gateway::TEMPLATE_NOTE, yaml_serde::to_string(&document)?))
}

/// Adds the paths that end in a file's name. They are the same operations: clients such as htslib name the files that they
/// keep after the last segment of a URL.
fn add_named_paths(api: &mut OpenApi) {
    for path in ["/presign/s3", "/proxy/s3"] {
        let Some(mut item) = api.paths.paths.get(path).cloned() else { continue };
        item.post = None;
        for operation in operations_mut(&mut item) {
            operation.operation_id = suffixed_operation_id(operation, "Named");
            operation.parameters.get_or_insert_default().push(parameters::file_name_param().into());
        }
        api.paths.paths.insert(format!("{path}/{{name}}"), item);
    }
}

/// Adds what every path has: `HEAD` where there is `GET`, `OPTIONS`, the request id and the common problems.
fn complete_path(item: &mut PathItem) {
    if item.head.is_none() {
        // axum serves `HEAD` with the handler of `GET`.
        item.head = item.get.as_ref().map(head_operation);
    }
    for operation in operations_mut(item) {
        // An empty list: no authentication. Without the member, a document-wide default would apply (OpenAPI 3.1,
        // section 4.8.10).
        operation.security.get_or_insert_default();
        operation.parameters.get_or_insert_default().push(parameters::request_id_param().into());
        let responses = &mut operation.responses.responses;
        responses.extend(responses::common_problems());
        responses.values_mut().for_each(responses::add_request_id_header);
    }
    item.options = item.get.as_ref().or(item.post.as_ref()).map(preflight_operation);
}

/// The `HEAD` operation of a path that has a handler for `GET` only.
fn head_operation(get: &Operation) -> Operation {
    let mut head = get.clone();
    head.operation_id = suffixed_operation_id(get, "Head");
    head.summary = Some("The response of `GET` without the body".to_owned());
    head.description = None;
    for response in head.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            response.content.clear();
        }
    }
    head
}

/// The request that a browser sends before a cross-origin request (WHATWG Fetch, "CORS-preflight request").
fn preflight_operation(operation: &Operation) -> Operation {
    let mut options = OperationBuilder::new()
        .operation_id(suffixed_operation_id(operation, "Options"))
        .tags(operation.tags.clone())
        .summary(Some("CORS preflight: the methods and headers that a page of another origin may use"))
        .response("204", Ref::from_response_name(responses::PREFLIGHT_RESPONSE))
        .build();
    let in_path = operation.parameters.iter().flatten().filter(|parameter| is_path_parameter(parameter));
    options.parameters =
        Some(in_path.cloned().collect()).filter(|parameters: &Vec<_>| !parameters.is_empty());
    // Browsers send preflights without a token.
    options.security = Some(Vec::new());
    options
}

fn is_path_parameter(parameter: &RefOr<Parameter>) -> bool {
    matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Path)
}

fn suffixed_operation_id(operation: &Operation, suffix: &str) -> Option<String> {
    operation.operation_id.as_ref().map(|id| format!("{id}{suffix}"))
}

fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, head, post, .. } = item;
    [get, head, post].into_iter().flatten()
}

/// Moves parameters to the components and refers to them. A parameter that differs from an earlier one with the same
/// name stays in its operation.
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

fn bearer_scheme() -> SecurityScheme {
    let scheme = Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(
        "An access token of the platform's identity provider. The caller's role in the dataset `dataset_id` decides \
         what the token allows.",
    ));
    SecurityScheme::Http(scheme.build())
}

#[cfg(test)]
mod tests;
