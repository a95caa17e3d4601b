//! Serves a web app that is embedded in the program, in front of the routes of its host.
//!
//! The app is built from the folder `console` into `console/dist` (`scripts/console`), and `build.rs` embeds what is there.
//! This crate knows nothing of what the app does. It answers `GET` and `HEAD`:
//!
//! | path | response |
//! | --- | --- |
//! | the host's own ([`Console::new`]), such as the API | whatever the host responds |
//! | a file of the app | the file; those beneath `/console/assets/` have a hash in their name and are immutable |
//! | `/`, and a path without an extension for a client that accepts HTML | `index.html`: the app reads the path itself |
//! | anything else | whatever the host responds, which is its own 404 |
//!
//! Every response outside the host's own paths has the [`SecurityHeaders`].

mod encoding;
mod files;
mod headers;
mod media_type;
mod not_built;
mod page;
mod response;

use std::sync::Arc;

use axum::{Router, extract::Request, response::Response};
use http::{Method, request::Parts};
use tower::ServiceExt as _;

use crate::{
    files::INDEX,
    response::{file_response, not_built_response, page_response},
};

pub use crate::{
    files::AppFiles,
    headers::{InvalidSource, SecurityHeaders},
};

/// The app, and how it is served.
#[derive(Debug)]
pub struct Console {
    files: AppFiles,
    headers: SecurityHeaders,
    host_paths: Vec<String>,
}

impl Console {
    /// `host_paths` are the host's own, each with all that is beneath it. They begin with a slash and do not end with one.
    #[must_use]
    pub fn new(files: AppFiles, headers: SecurityHeaders, host_paths: Vec<String>) -> Self {
        Self { files, headers, host_paths }
    }

    /// Puts the app in front of the host's routes.
    pub fn wrap(self, host: Router) -> Router {
        let console = Arc::new(self);
        Router::new().fallback(move |request: Request| respond(Arc::clone(&console), host.clone(), request))
    }

    fn is_host_path(&self, path: &str) -> bool {
        self.host_paths.iter().any(|own| page::is_at_or_beneath(path, own))
    }

    /// The app's response, unless the host is to respond.
    async fn find(&self, request: &Parts) -> Option<Response> {
        if request.method != Method::GET && request.method != Method::HEAD {
            return None;
        }
        let path = request.uri.path();
        if page::is_page(path, &request.headers) {
            return Some(match self.files.load(INDEX).await {
                Some(index) => page_response(&index, request),
                None => not_built_response(request),
            });
        }
        // The page has no second address.
        let name = path.strip_prefix('/').filter(|name| *name != INDEX)?;
        let file = self.files.load(name).await.or_else(|| not_built::find_style(path))?;
        Some(file_response(&file, path, request))
    }
}

async fn respond(console: Arc<Console>, host: Router, request: Request) -> Response {
    if console.is_host_path(request.uri().path()) {
        return call_host(host, request).await;
    }
    let (parts, body) = request.into_parts();
    let mut response = match console.find(&parts).await {
        Some(response) => response,
        None => call_host(host, Request::from_parts(parts, body)).await,
    };
    console.headers.add_to(response.headers_mut());
    response
}

async fn call_host(host: Router, request: Request) -> Response {
    match host.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests;
