//! The responses that several endpoints share: redirects, headers of objects, and problems.

use std::collections::BTreeMap;

use http::StatusCode;
use utoipa::{
    IntoResponses,
    openapi::{Content, Header, Object, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type},
};

use crate::problem::{problem_statuses, problem_titles};

/// The name of the shared response to `OPTIONS`.
pub(super) const PREFLIGHT_RESPONSE: &str = "Preflight";

type ResponseMap = BTreeMap<String, RefOr<Response>>;

/// Defines a type for each set of problems: `#[utoipa::path(responses(..))]` takes types.
macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident = $($status:ident)+;)+) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> ResponseMap {
                [$(StatusCode::$status),+].map(problem_reference).into()
            }
        }
    )+};
}

problems! {
    /// The problems of every private endpoint.
    PrivateRouteProblems = BAD_REQUEST UNAUTHORIZED FORBIDDEN SERVICE_UNAVAILABLE;
    /// The request is malformed.
    InvalidRequestProblem = BAD_REQUEST;
    /// The caller's URL has expired, or S3 refuses it.
    ForbiddenProblem = FORBIDDEN;
    /// The object must be restored from an archive first.
    ArchivedProblem = CONFLICT;
    /// The dataset, package or object does not exist.
    NotFoundProblem = NOT_FOUND;
    /// The request body is too slow or too large.
    RequestBodyProblems = REQUEST_TIMEOUT PAYLOAD_TOO_LARGE;
    /// S3 failed.
    StorageProblem = BAD_GATEWAY;
    /// A dependency is unavailable.
    UnavailableProblem = SERVICE_UNAVAILABLE;
}

/// The problems of every operation.
pub(super) fn common_problems() -> ResponseMap {
    [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::GATEWAY_TIMEOUT].map(problem_reference).into()
}

/// A redirect to a link.
pub(crate) struct RedirectResponse;

impl IntoResponses for RedirectResponse {
    fn responses() -> ResponseMap {
        let response = Response::builder()
            .description("A redirect to the object")
            .header(
                "Location",
                string_header("A presigned URL. Anyone who has it can read the object until it expires"),
            )
            .header("Cache-Control", string_header("`no-store`"));
        [("307".to_owned(), response.into())].into()
    }
}

/// The link itself, for clients that do not want a redirect.
pub(crate) struct LinkResponse;

impl IntoResponses for LinkResponse {
    fn responses() -> ResponseMap {
        let json = Content::new(Some(Ref::from_schema_name("PresignedLink")));
        let text = Content::new(Some(Object::builder().schema_type(Type::String).build()));
        let response = Response::builder()
            .description("The link, with `redirect=false` or if the client accepts only this")
            .content("application/json", json)
            .content("text/plain", text);
        [("200".to_owned(), response.into())].into()
    }
}

/// The headers of an object, from S3.
pub(crate) struct ObjectHeadResponses;

impl IntoResponses for ObjectHeadResponses {
    fn responses() -> ResponseMap {
        let problems = [
            StatusCode::NOT_FOUND,
            StatusCode::PRECONDITION_FAILED,
            StatusCode::RANGE_NOT_SATISFIABLE,
            StatusCode::BAD_GATEWAY,
        ];
        let partial = object_head_response("The requested `Range` is in the object")
            .header("Content-Range", string_header("`bytes FIRST-LAST/LENGTH`"));
        let successes = [
            ("200".to_owned(), object_head_response(
                    "The object exists. `x-amz-storage-class` and `x-amz-restore` are there if S3 sends them: they say whether \
                     it is archived.",
                )
                .into()),
            ("206".to_owned(), partial.into()),
            ("304".to_owned(), not_modified_response().into()),
        ];
        successes.into_iter().chain(problems.map(problem_reference)).collect()
    }
}

fn not_modified_response() -> ResponseBuilder {
    Response::builder()
        .description("The client has this object already (`If-None-Match`, `If-Modified-Since`)")
        .header("ETag", string_header("The value in S3"))
        .header("Last-Modified", string_header("The value in S3"))
}

fn object_head_response(description: &str) -> ResponseBuilder {
    Response::builder()
        .description(description)
        .header(
            "Content-Length",
            integer_header("The length of the whole object in bytes, also with status 206"),
        )
        .header("Accept-Ranges", string_header("`bytes`"))
        .header("ETag", string_header("The value in S3"))
        .header("Last-Modified", string_header("The value in S3"))
}

/// Adds the `X-Request-Id` header, which every response has.
pub(super) fn add_request_id_header(response: &mut RefOr<Response>) {
    if let RefOr::T(response) = response {
        response
            .headers
            .insert("X-Request-Id".to_owned(), RefOr::Ref(Ref::new("#/components/headers/X-Request-Id")));
    }
}

/// The headers that responses refer to.
pub(super) fn shared_headers() -> BTreeMap<String, RefOr<Header>> {
    let id = string_header(
        "The request's id, as in a problem's `requestId`. Responses of API Gateway itself have `Apigw-Requestid`",
    );
    [("X-Request-Id".to_owned(), id.into())].into()
}

/// The responses that operations refer to.
pub(super) fn shared_responses() -> ResponseMap {
    let mut statuses = problem_statuses();
    // The document has no operation for a method that is not allowed.
    statuses.remove(&StatusCode::METHOD_NOT_ALLOWED);
    let problems =
        statuses.into_iter().map(|status| (response_name(status), problem_response(status).into()));
    let mut responses: ResponseMap = problems.collect();
    responses.insert(PREFLIGHT_RESPONSE.to_owned(), preflight_response().into());
    responses.values_mut().for_each(add_request_id_header);
    responses
}

fn preflight_response() -> ResponseBuilder {
    Response::builder()
        .description("The allowed methods and headers, valid for an hour")
        .header("Allow", string_header("The allowed methods"))
        .header(
            "Access-Control-Allow-Origin",
            string_header("`*`. Behind API Gateway, one of the configured origins"),
        )
        .header("Access-Control-Allow-Methods", string_header("The same as `Allow`"))
        .header("Access-Control-Allow-Headers", string_header("The request headers that a page may set"))
        .header("Access-Control-Max-Age", string_header("In seconds"))
}

fn problem_response(status: StatusCode) -> ResponseBuilder {
    let response = Response::builder()
        .description(problem_titles(status).join("; "))
        .content("application/problem+json", Content::new(Some(Ref::from_schema_name("Problem"))));
    match status {
        StatusCode::UNAUTHORIZED => response
            .header("WWW-Authenticate", string_header("`Bearer`, with the platform's domain as realm")),
        StatusCode::RANGE_NOT_SATISFIABLE => {
            response.header("Content-Range", string_header("`bytes */LENGTH`"))
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            response.header("Retry-After", integer_header("How long to wait, in seconds"))
        }
        _ => response,
    }
}

fn string_header(description: &str) -> Header {
    build_header(description, Object::builder().schema_type(Type::String))
}

fn integer_header(description: &str) -> Header {
    build_header(description, Object::builder().schema_type(Type::Integer).minimum(Some(0)))
}

fn build_header(description: &str, schema: ObjectBuilder) -> Header {
    Header::builder().schema(Some(schema)).description(Some(description)).build()
}

fn problem_reference(status: StatusCode) -> (String, RefOr<Response>) {
    (status.as_str().to_owned(), Ref::from_response_name(response_name(status)).into())
}

/// The name of a shared response: `NotFound` for 404.
fn response_name(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or_default().split(' ').collect()
}
