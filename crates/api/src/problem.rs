//! Errors as the client sees them: the one place where an error becomes a status.
//!
//! A failed request gets a *problem* response (RFC 9457) with a text for the client. The cause, for example the text of
//! a database driver or of AWS, never reaches the client. It is logged once, when the outermost layer writes the
//! problem.
//!
//! [`kind`] has the statuses, names and titles, [`body`] the JSON, [`from`] the conversions from other crates' errors.

mod body;
mod from;
mod kind;

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use packages::{access::DatasetAccess, id::PackageNodeId, links::LinkError};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

pub use body::ProblemDetails;
pub(crate) use body::{ItemProblem, ProblemBody, problem_statuses, problem_titles};
use kind::Kind;

/// A failure as the client sees it, with its cause for the log.
///
/// As a response it has only a status. The outermost layer of [`router`](crate::router) adds the body
/// (`application/problem+json`), which has the request's id, and logs the cause.
#[derive(Debug, Clone)]
pub struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    cause: Option<String>,
    /// When the link expired that the request is about, in Unix seconds.
    expired_at: Option<u64>,
}

impl Problem {
    fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, detail: detail.into(), cause: None, expired_at: None }
    }

    fn with_cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// 401, with `WWW-Authenticate`: the request has no token, or an invalid one.
    #[must_use]
    pub fn unauthorized(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Unauthorized, detail)
    }

    /// 403: the caller is known and lacks the permission.
    #[must_use]
    pub fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Forbidden, detail)
    }

    /// 503, with `Retry-After`: a dependency does not respond, or not in time. The cause is logged.
    #[must_use]
    pub fn unavailable(cause: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, "the service is temporarily unavailable; try again in a few seconds")
            .with_cause(cause)
    }

    /// 503, with `Retry-After`: the process has enough to do. It is no failure, so nothing is logged.
    pub(crate) fn busy(detail: &'static str) -> Self {
        Self::new(Kind::Unavailable, detail)
    }

    /// Logs the cause of a problem that is in no response.
    pub(crate) fn log_cause(&self) {
        let (problem, cause) = (self.kind.name(), self.cause.as_deref());
        tracing::error!(problem, cause, "a part of a request failed");
    }

    /// 500, without details for the client. The cause is logged.
    #[must_use]
    pub fn internal(cause: impl Into<String>) -> Self {
        Self::new(Kind::Internal, "internal error; the cause is logged under this request's id")
            .with_cause(cause)
    }

    /// 400: the request is malformed. The detail must not repeat what the client sent.
    #[must_use]
    pub fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::InvalidRequest, detail)
    }

    /// 413.
    pub(crate) fn too_large(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::TooLarge, detail)
    }

    /// 416. The caller adds `Content-Range`.
    pub(crate) fn range_not_satisfiable() -> Self {
        Self::new(
            Kind::RangeNotSatisfiable,
            "the range is beyond the end of the object; Content-Range has the object's length",
        )
    }

    /// 412.
    pub(crate) fn precondition_failed() -> Self {
        Self::new(
            Kind::PreconditionFailed,
            "the object is not the one that If-Match or If-Unmodified-Since asks for",
        )
    }

    /// 403: the link has expired, at this time in Unix seconds.
    fn link_expired(expired_at: u64) -> Self {
        let text = OffsetDateTime::from_unix_timestamp(i64::try_from(expired_at).unwrap_or(i64::MAX))
            .ok()
            .and_then(|time| time.format(&Rfc3339).ok());
        let detail = match text {
            Some(time) => format!("the presigned URL expired at {time}; get a new one"),
            None => "the presigned URL has expired; get a new one".to_owned(),
        };
        Self { expired_at: Some(expired_at), ..Self::new(Kind::LinkExpired, detail) }
    }

    pub(crate) fn no_route() -> Self {
        Self::new(Kind::NoSuchRoute, "no route matches this path")
    }

    pub(crate) fn no_package() -> Self {
        LinkError::PackageNotFound.into()
    }

    /// 405. The router adds `Allow`.
    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            Kind::MethodNotAllowed,
            "the method is not allowed on this path; the Allow header lists the allowed methods",
        )
    }

    pub(crate) fn body_timeout() -> Self {
        Self::new(Kind::BodyTimeout, "the request body did not arrive in time")
    }

    pub(crate) fn timed_out() -> Self {
        const TEXT: &str = "the request took too long";
        Self::new(Kind::TimedOut, "the request took too long; try again").with_cause(TEXT)
    }

    pub(crate) fn no_dataset<P>(access: &DatasetAccess<P>) -> Self {
        let (dataset, workspace) = (access.dataset_node_id(), access.workspace());
        Self::new(Kind::NoSuchDataset, format!("dataset {dataset} not found in workspace {workspace}"))
    }

    /// There is no such folder or, without one, no such dataset.
    pub(crate) fn no_folder<P>(folder: Option<&PackageNodeId>, access: &DatasetAccess<P>) -> Self {
        if folder.is_some() { Self::no_package() } else { Self::no_dataset(access) }
    }

    /// 502: S3 failed. The cause is logged.
    fn storage(cause: impl Into<String>) -> Self {
        Self::new(Kind::Storage, "the storage returned an unexpected response; try again").with_cause(cause)
    }

    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// The problem's name, if it denies access.
    pub(crate) fn refusal_name(&self) -> Option<&'static str> {
        let is_refusal = matches!(self.kind, Kind::Unauthorized | Kind::Forbidden | Kind::UnsafeFile);
        is_refusal.then_some(self.kind.name())
    }

    /// Logs the cause, if there is one, and writes the body and headers of the response.
    pub(crate) fn write_to(&self, response: &mut Response, request_id: &str, challenge: HeaderValue) {
        let details = self.details();
        if let Some(cause) = &self.cause {
            let (status, problem) = (details.status, details.name);
            tracing::error!(request_id, status, problem, cause, "a request failed");
        }
        *response.body_mut() = details.to_json_with(request_id, self.expired_at).into();
        let headers = response.headers_mut();
        // Belonged to the empty body; hyper computes the new one.
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.kind {
            // Required with a 401 (RFC 9110, section 15.5.2).
            Kind::Unauthorized => headers.insert(header::WWW_AUTHENTICATE, challenge),
            Kind::Unavailable => headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5")),
            _ => None,
        };
    }

    /// The problem of one item of a batch. The cause is logged.
    pub(crate) fn into_item(self) -> ItemProblem {
        if self.cause.is_some() {
            self.log_cause();
        }
        ItemProblem::new(self.kind, self.detail)
    }

    fn details(&self) -> ProblemDetails<'_> {
        ProblemDetails {
            name: self.kind.name(),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: &self.detail,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        // The body needs the request's id, which the outermost layer knows.
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn write_response(problem: &Problem) -> Response {
        let mut response = problem.clone().into_response();
        problem.write_to(&mut response, "r-1", HeaderValue::from_static("Bearer"));
        response
    }

    async fn read_body(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_body_has_the_members_of_rfc_9457_and_two_more() {
        let response = write_response(&Problem::invalid("say \"please\""));
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let body: serde_json::Value = serde_json::from_str(&read_body(response).await).unwrap();
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
    async fn the_body_never_has_the_cause() {
        for problem in [
            Problem::internal("pw=hunter2"),
            Problem::unavailable("pw=hunter2"),
            Problem::storage("pw=hunter2"),
        ] {
            assert!(!read_body(write_response(&problem)).await.contains("hunter2"));
        }
    }

    #[test]
    fn writes_challenge_and_retry_after() {
        let unauthorized = write_response(&Problem::unauthorized("no token"));
        assert_eq!(unauthorized.headers()[header::WWW_AUTHENTICATE], "Bearer");
        let unavailable = write_response(&Problem::unavailable("x"));
        assert_eq!(unavailable.headers()[header::RETRY_AFTER], "5");
    }
}
