//! The HTTP interface of the packages service, for any host.
//!
//! [`router`] builds an axum router from an [`App`]. The crate does not know its host: a server drives the router with
//! hyper, a Lambda function calls it once per event. Each endpoint has its own file. A handler's arguments are what it
//! relies on (`Caller` proves a permission), and every failure is a [`Problem`].
//!
//! A server may have another prefix than `/packages` ([`PathPrefix`]).
//!
//! | path | methods | who may call it |
//! | --- | --- | --- |
//! | `/packages/datasets` | `GET` | members of a workspace |
//! | `/packages/children`, `/packages/metadata`, `/packages/assets` | `GET` | viewers |
//! | `/packages/restore` | `POST`, `GET` | editors; viewers |
//! | `/packages/trash` | `GET` | viewers |
//! | `/packages/presign/s3` | `GET`, `HEAD`, `POST` | viewers |
//! | `/packages/presign/s3/{name}` | `GET`, `HEAD` | viewers |
//! | `/packages/cloudfront/sign` | `GET` | viewers |
//! | `/packages/download-manifest` | `POST` | viewers |
//! | `/packages/proxy/s3`, `/packages/proxy/s3/{name}` | `GET`, `HEAD` | everyone |
//! | `/packages/health`, `/packages/ready` | `GET` | everyone |

mod app;
mod assets;
mod audit;
mod body;
mod caller;
mod cdn;
mod children;
mod cloudfront;
mod conditions;
mod cors;
mod cursor;
mod datasets;
mod head;
mod health;
mod layers;
mod link_format;
mod links;
mod manifest;
mod metadata;
pub mod openapi;
mod presign;
mod problem;
mod progress;
mod proxy;
mod query;
mod range;
mod redirect;
mod request_host;
mod request_id;
mod request_log;
mod request_metrics;
mod response_size;
mod restore;
mod trash;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

pub use app::{App, PathPrefix, ProxyPolicy, Realm, RequestLimits};
pub use cdn::Cdn;
use cors::preflight_route;
pub use problem::{Problem, ProblemDetails};
pub use query::{find_package_id, parse_dataset_id, parse_optional_dataset_id};

/// What a route needs to know of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerScope {
    /// The caller's role in the dataset that the query names: [`Claims`](packages::access::Claims) in an [`Arc`].
    Dataset,
    /// The same. The route also reads one package, `package_id`: a host that asks the database for the role may look the package up
    /// with the same statement, and add the [`PrefetchedPackage`](packages::db::PrefetchedPackage) to the request.
    Package,
    /// Who the caller is, and in which workspace: [`Member`](packages::access::Member). The query need not name a dataset.
    Workspace,
    /// The same, for a query that names no dataset.
    Member,
}

/// All routes of the service, under the path prefix of the [`App`].
///
/// `authenticate` wraps the routes that need a caller. Its layer puts [`Claims`](packages::access::Claims) or a
/// [`Member`](packages::access::Member) into a request's extensions, depending on the scope, or responds with a [`Problem`].
/// A host whose requests already carry them returns the routes unchanged. `OPTIONS` and methods that are not allowed never
/// reach that layer.
pub fn router(app: App, authenticate: impl Fn(Router<Arc<App>>, CallerScope) -> Router<Arc<App>>) -> Router {
    let prefix = app.path_prefix.clone();
    let path = |route: &str| format!("{}{route}", prefix.as_str());
    let routes = authenticate(private_routes(path), CallerScope::Dataset)
        .merge(authenticate(package_routes(path), CallerScope::Package))
        .merge(authenticate(workspace_routes(path), CallerScope::Workspace))
        .merge(authenticate(member_routes(path), CallerScope::Member))
        .merge(public_routes(path))
        // Without these two, axum would respond with an empty body.
        .fallback(async || Problem::no_route())
        .method_not_allowed_fallback(async || Problem::method_not_allowed());
    // Shared: axum clones the state for each request.
    layers::add_request_layer(routes, &app).with_state(Arc::new(app))
}

fn private_routes(path: impl Fn(&str) -> String) -> Router<Arc<App>> {
    Router::new()
        .route(&path("/restore"), get(progress::get_progress).post(restore::post_restore))
        .route(&path("/trash"), get(trash::get_trash))
        .route(&path("/children"), get(children::get_children))
        .route(&path("/metadata"), get(metadata::get_metadata))
        .route(&path("/presign/s3"), post(presign::post_batch))
}

/// Routes for the files of one package.
fn package_routes(path: impl Fn(&str) -> String) -> Router<Arc<App>> {
    let links = || get(presign::get_link).head(presign::head_object);
    Router::new()
        .route(&path("/assets"), get(assets::get_assets))
        .route(&path("/presign/s3"), links())
        .route(&path("/presign/s3/{name}"), links())
        .route(&path("/cloudfront/sign"), get(cloudfront::get_signed_link))
}

/// Routes for packages of several datasets.
fn workspace_routes(path: impl Fn(&str) -> String) -> Router<Arc<App>> {
    Router::new().route(&path("/download-manifest"), post(manifest::post_manifest))
}

/// Routes that are about no dataset.
fn member_routes(path: impl Fn(&str) -> String) -> Router<Arc<App>> {
    Router::new().route(&path("/datasets"), get(datasets::get_datasets))
}

/// Routes without claims. `OPTIONS` is here for private paths too: a preflight carries no token (WHATWG Fetch, "CORS
/// protocol and credentials").
fn public_routes(path: impl Fn(&str) -> String) -> Router<Arc<App>> {
    const READ_METHODS: &str = "GET, HEAD, OPTIONS";
    let read_preflight = || preflight_route(READ_METHODS);
    let proxy_route = || read_preflight().get(proxy::get_redirect).head(proxy::head_object);
    Router::new()
        .route(&path("/restore"), preflight_route("GET, HEAD, POST, OPTIONS"))
        .route(&path("/trash"), read_preflight())
        .route(&path("/datasets"), read_preflight())
        .route(&path("/children"), read_preflight())
        .route(&path("/metadata"), read_preflight())
        .route(&path("/assets"), read_preflight())
        .route(&path("/presign/s3"), preflight_route("GET, HEAD, POST, OPTIONS"))
        .route(&path("/presign/s3/{name}"), read_preflight())
        .route(&path("/cloudfront/sign"), read_preflight())
        .route(&path("/proxy/s3"), proxy_route())
        .route(&path("/proxy/s3/{name}"), proxy_route())
        .route(&path("/download-manifest"), preflight_route("POST, OPTIONS"))
        .route(&path("/health"), read_preflight().get(health::get_health))
        .route(&path("/ready"), read_preflight().get(health::get_ready))
}

#[cfg(test)]
mod tests;
