//! The body of a problem response (RFC 9457).

use std::{borrow::Cow, collections::BTreeSet};

use http::StatusCode;
use serde::Serialize;
use utoipa::{ToSchema, openapi};

use super::kind::Kind;

/// A problem without the id of its request. A host uses it for responses that bypass the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProblemDetails<'a> {
    /// The last part of the problem's type.
    pub name: &'a str,
    /// The problem in general.
    pub title: &'a str,
    /// The response's status.
    pub status: u16,
    /// The problem in this case.
    pub detail: &'a str,
}

impl ProblemDetails<'_> {
    /// The body of the response, as JSON.
    #[must_use]
    pub fn to_json(&self, request_id: &str) -> String {
        self.to_json_with(request_id, None)
    }

    /// The body about an expired link.
    pub(super) fn to_json_with(self, request_id: &str, expired_at: Option<u64>) -> String {
        let Self { name, title, status, detail } = self;
        let (kind, message) = (type_urn(name), detail);
        let body = ProblemBody { kind, title, status, detail, message, request_id, expired_at };
        serde_json::to_string(&body).unwrap_or_default()
    }
}

/// The body of an error response (RFC 9457).
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// The kind of problem, for programs.
    #[serde(rename = "type")]
    #[schema(schema_with = type_schema)]
    kind: String,
    /// The problem in general.
    #[schema(example = "The request is not valid")]
    title: &'a str,
    /// The status of the response.
    #[schema(example = 400, minimum = 400, maximum = 599)]
    status: u16,
    /// The problem in this case.
    #[schema(example = "missing required 'package_id' query parameter")]
    detail: &'a str,
    /// The same text as `detail`. Clients of the former service read this member.
    #[schema(example = "missing required 'package_id' query parameter")]
    message: &'a str,
    /// The id of the request, as in `X-Request-Id` and in the service's log.
    #[schema(example = "6f0f9b7e-0d0c-4a5c-9b42-0f5f0c0f7d11")]
    request_id: &'a str,
    /// When the link expired, in seconds since the Unix epoch. Only `link-expired` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1_795_522_730)]
    expired_at: Option<u64>,
}

/// The problem of one item in a response to many.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemProblem {
    /// The kind of problem, for programs.
    #[serde(rename = "type")]
    #[schema(schema_with = type_schema)]
    kind: String,
    /// The problem in general.
    #[schema(example = "The package was not found")]
    title: &'static str,
    /// The status that the response to a single request would have.
    #[schema(example = 404, minimum = 400, maximum = 599)]
    status: u16,
    /// The problem in this case.
    #[schema(example = "package not found in this dataset")]
    detail: Cow<'static, str>,
}

impl ItemProblem {
    pub(super) fn new(kind: Kind, detail: Cow<'static, str>) -> Self {
        let (title, status) = (kind.title(), kind.status().as_u16());
        Self { kind: type_urn(kind.name()), title, status, detail }
    }
}

fn type_urn(name: &str) -> String {
    format!("urn:packages-service:problem:{name}")
}

fn type_schema() -> openapi::Object {
    let urns = Kind::ALL.map(|kind| type_urn(kind.name()));
    openapi::Object::builder()
        .schema_type(openapi::Type::String)
        .description(Some("The kind of problem, for programs"))
        .enum_values(Some(urns))
        .build()
}

/// The statuses of all problems.
pub(crate) fn problem_statuses() -> BTreeSet<StatusCode> {
    Kind::ALL.iter().map(|kind| kind.status()).collect()
}

/// The titles of the problems with a status.
pub(crate) fn problem_titles(status: StatusCode) -> Vec<&'static str> {
    Kind::ALL.iter().filter(|kind| kind.status() == status).map(|kind| kind.title()).collect()
}
