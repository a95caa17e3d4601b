//! The HTTP interface of the packages service, for any host.
//!
//! [`router`] makes it from an [`App`]. It knows no host: one that listens serves it with hyper, one in Lambda calls it
//! once an event. Each endpoint has a file of its own; what a handler takes as arguments is what it needs to be sure of
//! (`Caller` is proof of a permission), and what goes wrong is a [`Problem`].
//!
//! | path | methods | who |
//! | --- | --- | --- |
//! | `/packages/restore` | `POST`, `GET` | editors; viewers |
//! | `/packages/trash` | `GET` | viewers |
//! | `/packages/presign/s3` | `GET`, `HEAD` | viewers |
//! | `/packages/cloudfront/sign` | `GET` | viewers |
//! | `/packages/proxy/s3` | `GET`, `HEAD` | anybody |
//! | `/packages/health`, `/packages/ready` | `GET` | anybody |

mod app;
mod audit;
mod body;
mod caller;
mod cloudfront;
mod cors;
mod head;
mod health;
mod layers;
pub mod openapi;
mod presign;
mod problem;
mod progress;
mod proxy;
mod query;
mod range;
mod redirect;
mod request_id;
mod restore;
mod trash;

use axum::{Router, routing::get};

pub use app::{App, Cdn, ProxyPolicy, Realm};
use cors::preflight;
pub use problem::{Problem, problem_body};
pub use query::dataset_id;

/// All routes of the service, beneath `/packages`.
///
/// `authenticate` is given the routes that need claims, and wraps them in whatever puts
/// [`Claims`](packages::access::Claims) into a request's extensions, or answers with a [`Problem`]. A host whose
/// requests come with their claims gives them back as they are. `OPTIONS`, and methods that are not allowed, are
/// answered before it.
pub fn router(app: App, authenticate: impl FnOnce(Router<App>) -> Router<App>) -> Router {
    let routes = authenticate(private())
        .merge(open())
        .fallback(async || Problem::no_route())
        .method_not_allowed_fallback(async || Problem::method_not_allowed());
    layers::wrap(routes, app.realm.challenge()).with_state(app)
}

fn private() -> Router<App> {
    Router::new()
        .route("/packages/restore", get(progress::get).post(restore::post))
        .route("/packages/trash", get(trash::get))
        .route("/packages/presign/s3", get(presign::get).head(presign::head))
        .route("/packages/cloudfront/sign", get(cloudfront::get))
}

fn open() -> Router<App> {
    const READ: &str = "GET, HEAD, OPTIONS";
    Router::new()
        .route("/packages/restore", preflight("GET, HEAD, POST, OPTIONS"))
        .route("/packages/trash", preflight(READ))
        .route("/packages/presign/s3", preflight(READ))
        .route("/packages/cloudfront/sign", preflight(READ))
        .route("/packages/proxy/s3", preflight(READ).get(proxy::get).head(proxy::head))
        .route("/packages/health", preflight(READ).get(health::alive))
        .route("/packages/ready", preflight(READ).get(health::ready))
}

#[cfg(test)]
mod tests;
