//! Problems of the console's own endpoints. They are those of the API (RFC 9457) without its CORS headers.

use api::ProblemDetails;
use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use uuid::Uuid;

/// How long a client should wait that came too early, in seconds.
const RETRY_AFTER_SECONDS: u8 = 5;

/// A problem of one of the console's endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsoleProblem {
    status: StatusCode,
    name: &'static str,
    title: &'static str,
    detail: &'static str,
}

impl ConsoleProblem {
    /// 401: a token is required.
    #[must_use]
    pub fn unauthorized(detail: &'static str) -> Self {
        let title = "Authentication is required";
        Self { status: StatusCode::UNAUTHORIZED, name: "unauthorized", title, detail }
    }

    /// 403: the client may not do this.
    #[must_use]
    pub fn forbidden(detail: &'static str) -> Self {
        Self { status: StatusCode::FORBIDDEN, name: "forbidden", title: "You may not do this", detail }
    }

    /// 404.
    #[must_use]
    pub fn not_found(detail: &'static str) -> Self {
        let title = "The route was not found";
        Self { status: StatusCode::NOT_FOUND, name: "no-such-route", title, detail }
    }

    /// 405.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        let (title, detail) = ("The method is not allowed", "the path has other methods");
        Self { status: StatusCode::METHOD_NOT_ALLOWED, name: "method-not-allowed", title, detail }
    }

    /// 500.
    #[must_use]
    pub fn internal() -> Self {
        let (title, detail) = ("Internal error", "the server's log has the cause");
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, name: "internal", title, detail }
    }

    /// 503: later it may work.
    #[must_use]
    pub fn unavailable(detail: &'static str) -> Self {
        let title = "The service is unavailable";
        Self { status: StatusCode::SERVICE_UNAVAILABLE, name: "unavailable", title, detail }
    }
}

impl IntoResponse for ConsoleProblem {
    fn into_response(self) -> Response {
        let Self { status, name, title, detail } = self;
        let id = Uuid::new_v4().to_string();
        let body = ProblemDetails { name, title, status: status.as_u16(), detail }.to_json(&id);
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static("application/problem+json")),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        let mut response = (status, headers, [("x-request-id", id)], body).into_response();
        match status {
            StatusCode::UNAUTHORIZED => {
                let challenge = HeaderValue::from_static("Bearer realm=\"operators\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(u16::from(RETRY_AFTER_SECONDS)));
            }
            _ => {}
        }
        response
    }
}
