//! The one place where an error becomes a status.
//!
//! A failed request is answered with a *problem* (RFC 9457): what is wrong, in words for the client. What a driver or
//! AWS said stays with us, as the cause; it is logged once, when the outermost layer writes the problem down.

mod from;

use std::{borrow::Cow, collections::BTreeSet};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use packages::{access::DatasetAccess, links::LinkError};
use restore::OrderError;
use serde::Serialize;
use storage::ProbeError;
use utoipa::{ToSchema, openapi};

/// What is wrong, by the reaction it asks of a client. The names are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    InvalidRequest,
    Unauthorized,
    Forbidden,
    UnsafeFile,
    NoSuchRoute,
    NoSuchDataset,
    NoSuchPackage,
    NoSuchObject,
    MethodNotAllowed,
    BodyTimeout,
    TooLarge,
    Unsatisfiable,
    Internal,
    Storage,
    Unavailable,
    TimedOut,
}

impl Kind {
    /// All of them, in the order of their statuses.
    const ALL: [Self; Self::TimedOut as usize + 1] = [
        Self::InvalidRequest,
        Self::Unauthorized,
        Self::Forbidden,
        Self::UnsafeFile,
        Self::NoSuchRoute,
        Self::NoSuchDataset,
        Self::NoSuchPackage,
        Self::NoSuchObject,
        Self::MethodNotAllowed,
        Self::BodyTimeout,
        Self::TooLarge,
        Self::Unsatisfiable,
        Self::Internal,
        Self::Storage,
        Self::Unavailable,
        Self::TimedOut,
    ];

    /// Status, name and title.
    const fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::InvalidRequest => (StatusCode::BAD_REQUEST, "invalid-request", "The request is not valid"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "Authentication is needed"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "You may not do this"),
            Self::UnsafeFile => (StatusCode::FORBIDDEN, "unsafe-file", "The file is not safe"),
            Self::NoSuchRoute => (StatusCode::NOT_FOUND, "no-such-route", "There is nothing here"),
            Self::NoSuchDataset => (StatusCode::NOT_FOUND, "no-such-dataset", "The dataset was not found"),
            Self::NoSuchPackage => (StatusCode::NOT_FOUND, "no-such-package", "The package was not found"),
            Self::NoSuchObject => (StatusCode::NOT_FOUND, "no-such-object", "The object was not found"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The method is not allowed")
            }
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "body-timeout", "The body came too slowly"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The request is too large"),
            Self::Unsatisfiable => {
                (StatusCode::RANGE_NOT_SATISFIABLE, "range-not-satisfiable", "The range lies behind the end")
            }
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong"),
            Self::Storage => (StatusCode::BAD_GATEWAY, "storage", "The storage did not answer as it should"),
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The service is not available")
            }
            Self::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "timed-out", "It took too long"),
        }
    }
}

/// The body of a problem (RFC 9457).
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub(crate) struct Body<'a> {
    /// What is wrong, for programs.
    #[serde(rename = "type")]
    #[schema(schema_with = types)]
    kind: String,
    /// What is wrong, in general.
    #[schema(example = "The request is not valid")]
    title: &'a str,
    /// The status of the answer.
    #[schema(example = 400, minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong, in particular.
    #[schema(example = "missing required 'package_id' query parameter")]
    detail: &'a str,
    /// The same text as `detail`.
    #[schema(example = "missing required 'package_id' query parameter")]
    message: &'a str,
    /// The request's id, as in `X-Request-Id` and in the service's log.
    #[schema(example = "6f0f9b7e-0d0c-4a5c-9b42-0f5f0c0f7d11")]
    request_id: &'a str,
}

/// A problem as it is sent: its name, title and status, its words, and the request's id. For a host that must answer what
/// never becomes a request.
#[must_use]
pub fn problem_body((name, title, status): (&str, &str, u16), detail: &str, request_id: &str) -> String {
    let body = Body { kind: urn(name), title, status, detail, message: detail, request_id };
    serde_json::to_string(&body).unwrap_or_default()
}

fn urn(name: &str) -> String {
    format!("urn:packages-service:problem:{name}")
}

/// The schema of [`Body`]'s `type`.
fn types() -> openapi::Object {
    let urns = Kind::ALL.map(|kind| urn(kind.parts().1));
    openapi::Object::builder()
        .schema_type(openapi::Type::String)
        .description(Some("What is wrong, for programs"))
        .enum_values(Some(urns))
        .build()
}

/// The statuses that problems may have, each once.
pub(crate) fn statuses() -> BTreeSet<StatusCode> {
    Kind::ALL.iter().map(|kind| kind.parts().0).collect()
}

/// What problems of a status are called.
pub(crate) fn titles(status: StatusCode) -> Vec<&'static str> {
    Kind::ALL.iter().map(|kind| kind.parts()).filter(|parts| parts.0 == status).map(|parts| parts.2).collect()
}

/// A failure as the client sees it, and its cause as we see it.
///
/// As a response it has its status only. The outermost layer of [`router`](crate::router) adds the body
/// (`application/problem+json`), which names the request, and logs the cause.
#[derive(Debug, Clone)]
pub struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    cause: Option<String>,
}

impl Problem {
    fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, detail: detail.into(), cause: None }
    }

    fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// 401, with `WWW-Authenticate`: nobody, or nobody whom we believe, asks.
    #[must_use]
    pub fn unauthorized(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Unauthorized, detail)
    }

    /// 403: we know who asks, and they may not.
    #[must_use]
    pub fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Forbidden, detail)
    }

    /// 503, with `Retry-After`: something that we depend on does not answer, or not in time. The cause goes to the log.
    #[must_use]
    pub fn unavailable(cause: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, "the service is not available at the moment; try again soon")
            .because(cause)
    }

    /// 500, without any detail. The cause goes to the log.
    #[must_use]
    pub fn internal(cause: impl Into<String>) -> Self {
        Self::new(Kind::Internal, "something went wrong; it has been logged under this request's id")
            .because(cause)
    }

    /// 400: what the client sent cannot be meant. The detail must not repeat it.
    #[must_use]
    pub fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::InvalidRequest, detail)
    }

    pub(crate) fn too_large(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::TooLarge, detail)
    }

    /// Whoever says it adds `Content-Range`.
    pub(crate) fn unsatisfiable() -> Self {
        Self::new(Kind::Unsatisfiable, "the object has no byte in this range; Content-Range tells its length")
    }

    pub(crate) fn no_route() -> Self {
        Self::new(Kind::NoSuchRoute, "there is nothing at this path")
    }

    pub(crate) fn no_package() -> Self {
        LinkError::NoPackage.into()
    }

    /// The router adds `Allow`.
    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            Kind::MethodNotAllowed,
            "this method is not allowed here; the Allow header names those that are",
        )
    }

    pub(crate) fn body_timeout() -> Self {
        Self::new(Kind::BodyTimeout, "the body did not arrive in time")
    }

    pub(crate) fn timed_out() -> Self {
        Self::new(Kind::TimedOut, "the request took too long; try again").because("the request took too long")
    }

    pub(crate) fn no_dataset<P>(access: &DatasetAccess<P>) -> Self {
        let (dataset, workspace) = (access.dataset_node_id(), access.workspace());
        Self::new(Kind::NoSuchDataset, format!("dataset {dataset} not found in workspace {workspace}"))
    }

    pub(crate) fn order<P>(error: OrderError, access: &DatasetAccess<P>) -> Self {
        match error {
            OrderError::DatasetNotFound => Self::no_dataset(access),
            OrderError::Db(error) => error.into(),
        }
    }

    /// A probe that we signed ourselves: a refusal is our fault, and none of the client's business.
    pub(crate) fn own_probe(error: ProbeError) -> Self {
        match error {
            ProbeError::Forbidden => storage("S3 refused a request that was signed by this service"),
            other => other_probe(other),
        }
    }

    /// A probe with the client's own link: a refusal is S3's answer to the client.
    pub(crate) fn clients_probe(error: ProbeError) -> Self {
        match error {
            ProbeError::Forbidden => Self::forbidden("S3 does not accept this presigned URL"),
            other => other_probe(other),
        }
    }

    /// The status it is answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.kind.parts().0
    }

    /// Its name, if it says that somebody may not have what they asked for.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        let refused = matches!(self.kind, Kind::Unauthorized | Kind::Forbidden | Kind::UnsafeFile);
        refused.then_some(self.kind.parts().1)
    }

    /// Logs the cause, if there is one, and writes the problem into its response.
    pub(crate) fn write(&self, response: &mut Response, request_id: &str, challenge: HeaderValue) {
        let (status, name, title) = self.kind.parts();
        if let Some(cause) = &self.cause {
            tracing::error!(request_id, status = status.as_u16(), problem = name, cause, "a request failed");
        }
        let body = problem_body((name, title, status.as_u16()), &self.detail, request_id);
        *response.body_mut() = body.into();
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.kind {
            Kind::Unauthorized => headers.insert(header::WWW_AUTHENTICATE, challenge),
            Kind::Unavailable => headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5")),
            _ => None,
        };
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

fn storage(cause: impl Into<String>) -> Problem {
    Problem::new(Kind::Storage, "the storage did not answer as it should; try again").because(cause)
}

fn other_probe(error: ProbeError) -> Problem {
    match error {
        ProbeError::NotFound => Problem::new(Kind::NoSuchObject, "there is no such object in the storage"),
        ProbeError::Forbidden => storage("S3 refused a request"),
        ProbeError::Unavailable(cause) => storage(cause),
        ProbeError::TimedOut => Problem::new(Kind::TimedOut, "the storage did not answer in time; try again")
            .because("S3 did not answer in time"),
    }
}

#[cfg(test)]
mod tests {
    use packages::access::AccessError;
    use serde_json::json;

    use super::*;

    fn written(problem: &Problem) -> Response {
        let mut response = problem.clone().into_response();
        problem.write(&mut response, "r-1", HeaderValue::from_static("Bearer"));
        response
    }

    async fn body(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_problem_has_the_members_of_rfc_9457_and_two_more() {
        let response = written(&Problem::invalid("say \"please\""));
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let body: serde_json::Value = serde_json::from_str(&body(response).await).unwrap();
        assert_eq!(
            body,
            json!({
                "type": "urn:packages-service:problem:invalid-request",
                "title": "The request is not valid",
                "status": 400,
                "detail": "say \"please\"",
                "message": "say \"please\"",
                "requestId": "r-1",
            })
        );
    }

    #[tokio::test]
    async fn a_cause_stays_with_us() {
        for problem in
            [Problem::internal("pw=hunter2"), Problem::unavailable("pw=hunter2"), storage("pw=hunter2")]
        {
            assert!(!body(written(&problem)).await.contains("hunter2"));
        }
    }

    #[test]
    fn none_is_forgotten() {
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
        }
    }

    #[test]
    fn some_problems_tell_how_to_go_on() {
        assert_eq!(written(&Problem::unauthorized("who?")).headers()[header::WWW_AUTHENTICATE], "Bearer");
        assert_eq!(written(&Problem::unavailable("x")).headers()[header::RETRY_AFTER], "5");
    }

    #[test]
    fn each_failure_has_its_status() {
        for (problem, status) in [
            (Problem::from(LinkError::NoPackage), 404),
            (LinkError::NotLive.into(), 404),
            (LinkError::NoFile.into(), 404),
            (LinkError::Unsafe.into(), 403),
            (LinkError::Db(database::Error::Unreachable("gone".into())).into(), 503),
            (LinkError::Db(database::Error::TimedOut("no answer".to_owned())).into(), 503),
            (AccessError::OtherDataset.into(), 403),
            (Problem::own_probe(ProbeError::NotFound), 404),
            (Problem::own_probe(ProbeError::Forbidden), 502),
            (Problem::own_probe(ProbeError::TimedOut), 504),
            (Problem::clients_probe(ProbeError::NotFound), 404),
            (Problem::clients_probe(ProbeError::Forbidden), 403),
            (Problem::clients_probe(ProbeError::Unavailable("503".into())), 502),
            (Problem::clients_probe(ProbeError::TimedOut), 504),
        ] {
            assert_eq!(problem.status().as_u16(), status, "{problem:?}");
        }
    }
}
