//! The HTTP interface of the packages service, for any host.
//!
//! [`router`] builds an axum router from an [`App`]. The crate does not know its host: a server drives the router with
//! hyper, a Lambda function calls it once per event. Each endpoint has its own file. A handler's arguments are what it
//! relies on (`Caller` proves a permission), and every failure is a [`Problem`].
//!
//! | path | methods | who may call it |
//! | --- | --- | --- |
//! | `/packages/restore` | `POST`, `GET` | editors; viewers |
//! | `/packages/trash` | `GET` | viewers |
//! | `/packages/presign/s3` | `GET`, `HEAD`, `POST` | viewers |
//! | `/packages/presign/s3/{name}` | `GET`, `HEAD` | viewers |
//! | `/packages/cloudfront/sign` | `GET` | viewers |
//! | `/packages/download-manifest` | `POST` | viewers |
//! | `/packages/proxy/s3`, `/packages/proxy/s3/{name}` | `GET`, `HEAD` | everyone |
//! | `/packages/health`, `/packages/ready` | `GET` | everyone |

mod app;
mod audit;
mod body;
mod caller;
mod cdn;
mod cloudfront;
mod conditions;
mod cors;
mod head;
mod health;
mod layers;
mod link_format;
mod links;
mod manifest;
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
mod response_size;
mod restore;
mod trash;

use axum::{
    Router,
    routing::{get, post},
};

pub use app::{App, ProxyPolicy, Realm};
pub use cdn::Cdn;
use cors::preflight_route;
pub use problem::{Problem, ProblemDetails};
pub use query::parse_dataset_id;

/// What a route needs to know of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerScope {
    /// The caller's role in the dataset that the query names: [`Claims`](packages::access::Claims).
    Dataset,
    /// Who the caller is, and in which workspace: [`Member`](packages::access::Member). The query need not name a dataset.
    Workspace,
}

/// All routes of the service, under `/packages`.
///
/// `authenticate` wraps the routes that need a caller. Its layer puts [`Claims`](packages::access::Claims) or a
/// [`Member`](packages::access::Member) into a request's extensions, depending on the scope, or responds with a [`Problem`].
/// A host whose requests already carry them returns the routes unchanged. `OPTIONS` and methods that are not allowed never
/// reach that layer.
pub fn router(app: App, authenticate: impl Fn(Router<App>, CallerScope) -> Router<App>) -> Router {
    let routes = authenticate(private_routes(), CallerScope::Dataset)
        .merge(authenticate(member_routes(), CallerScope::Workspace))
        .merge(public_routes())
        // Without these two, axum would respond with an empty body.
        .fallback(async || Problem::no_route())
        .method_not_allowed_fallback(async || Problem::method_not_allowed());
    layers::add_request_layer(routes, app.realm.challenge()).with_state(app)
}

fn private_routes() -> Router<App> {
    Router::new()
        .route("/packages/restore", get(progress::get_progress).post(restore::post_restore))
        .route("/packages/trash", get(trash::get_trash))
        .route(
            "/packages/presign/s3",
            get(presign::get_link).head(presign::head_object).post(presign::post_batch),
        )
        .route("/packages/presign/s3/{name}", get(presign::get_link).head(presign::head_object))
        .route("/packages/cloudfront/sign", get(cloudfront::get_signed_link))
}

/// Routes for packages of several datasets.
fn member_routes() -> Router<App> {
    Router::new().route("/packages/download-manifest", post(manifest::post_manifest))
}

/// Routes without claims. `OPTIONS` is here for private paths too: a preflight carries no token (WHATWG Fetch, "CORS
/// protocol and credentials").
fn public_routes() -> Router<App> {
    const READ_METHODS: &str = "GET, HEAD, OPTIONS";
    let read_preflight = || preflight_route(READ_METHODS);
    let proxy_route = || read_preflight().get(proxy::get_redirect).head(proxy::head_object);
    Router::new()
        .route("/packages/restore", preflight_route("GET, HEAD, POST, OPTIONS"))
        .route("/packages/trash", read_preflight())
        .route("/packages/presign/s3", preflight_route("GET, HEAD, POST, OPTIONS"))
        .route("/packages/presign/s3/{name}", read_preflight())
        .route("/packages/cloudfront/sign", read_preflight())
        .route("/packages/proxy/s3", proxy_route())
        .route("/packages/proxy/s3/{name}", proxy_route())
        .route("/packages/download-manifest", preflight_route("POST, OPTIONS"))
        .route("/packages/health", read_preflight().get(health::get_health))
        .route("/packages/ready", read_preflight().get(health::get_ready))
}

#[cfg(test)]
mod tests;
