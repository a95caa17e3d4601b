//! What is answered in the same way by several endpoints: redirects, descriptions of objects, and problems.

use std::collections::BTreeMap;

use http::StatusCode;
use utoipa::{
    IntoResponses,
    openapi::{Content, Header, Object, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type},
};

use crate::problem;

/// The name of the shared answer to `OPTIONS`.
pub(super) const PREFLIGHT: &str = "Preflight";

type Answers = BTreeMap<String, RefOr<Response>>;

/// Names sets of problems for `#[utoipa::path(responses(..))]`, which takes types.
macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident = $($status:ident)+;)+) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> Answers {
                [$(StatusCode::$status),+].map(refer).into()
            }
        }
    )+};
}

problems! {
    /// What any private endpoint may answer: the caller is nobody, asks badly or may not, or the database is away.
    Private = BAD_REQUEST UNAUTHORIZED FORBIDDEN SERVICE_UNAVAILABLE;
    /// The caller asks badly.
    Invalid = BAD_REQUEST;
    /// S3 refuses what the caller brought.
    Refused = FORBIDDEN;
    /// There is no such thing.
    Absent = NOT_FOUND;
    /// The body is too slow or too large.
    Body = REQUEST_TIMEOUT PAYLOAD_TOO_LARGE;
    /// Something that is needed is away.
    Unavailable = SERVICE_UNAVAILABLE;
}

/// What any request may come to.
pub(super) fn always() -> Answers {
    [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::GATEWAY_TIMEOUT].map(refer).into()
}

/// Sent on to where the bytes are.
pub(crate) struct Redirected;

impl IntoResponses for Redirected {
    fn responses() -> Answers {
        let answer = Response::builder()
            .description("Where the object is")
            .header("Location", text("A presigned URL: whoever has it can read the object until it expires"))
            .header("Cache-Control", text("`no-store`"));
        [("307".to_owned(), answer.into())].into()
    }
}

/// What an object is like, as S3 says it.
pub(crate) struct Probed;

impl IntoResponses for Probed {
    fn responses() -> Answers {
        let part = "The `Range` asked for lies in the object";
        let problems = [StatusCode::NOT_FOUND, StatusCode::RANGE_NOT_SATISFIABLE, StatusCode::BAD_GATEWAY];
        let described = [
            ("200".to_owned(), object("The object is there").into()),
            (
                "206".to_owned(),
                object(part).header("Content-Range", text("`bytes FIRST-LAST/LENGTH`")).into(),
            ),
        ];
        described.into_iter().chain(problems.map(refer)).collect()
    }
}

fn object(description: &str) -> ResponseBuilder {
    Response::builder()
        .description(description)
        .header("Content-Length", number("Of the whole object, in bytes, beside 206 too"))
        .header("Accept-Ranges", text("`bytes`"))
        .header("ETag", text("As S3 has it"))
        .header("Last-Modified", text("As S3 has it"))
}

/// Every answer names its request.
pub(super) fn name_the_request(answer: &mut RefOr<Response>) {
    if let RefOr::T(answer) = answer {
        answer
            .headers
            .insert("X-Request-Id".to_owned(), RefOr::Ref(Ref::new("#/components/headers/X-Request-Id")));
    }
}

/// The headers that [`shared`] and others refer to.
pub(super) fn headers() -> BTreeMap<String, RefOr<Header>> {
    let id = text(
        "The request's id, as in a problem's `requestId`. What API Gateway answers itself has `Apigw-Requestid`",
    );
    [("X-Request-Id".to_owned(), id.into())].into()
}

/// The answers that operations refer to.
pub(super) fn shared() -> Answers {
    let mut statuses = problem::statuses();
    // A method that is not allowed is no operation, so none answers this.
    statuses.remove(&StatusCode::METHOD_NOT_ALLOWED);
    let answers = statuses.into_iter().map(|status| (name(status), described(status).into()));
    let mut answers: Answers = answers.collect();
    answers.insert(PREFLIGHT.to_owned(), preflight().into());
    answers.values_mut().for_each(name_the_request);
    answers
}

fn preflight() -> ResponseBuilder {
    Response::builder()
        .description("What may be asked here, for an hour")
        .header("Allow", text("The methods that there are"))
        .header(
            "Access-Control-Allow-Origin",
            text("`*`; behind API Gateway one of the origins that it lists"),
        )
        .header("Access-Control-Allow-Methods", text("The same as `Allow`"))
        .header("Access-Control-Allow-Headers", text("Request headers that a page may set"))
        .header("Access-Control-Max-Age", text("In seconds"))
}

fn described(status: StatusCode) -> ResponseBuilder {
    let answer = Response::builder()
        .description(problem::titles(status).join("; "))
        .content("application/problem+json", Content::new(Some(Ref::from_schema_name("Problem"))));
    match status {
        StatusCode::UNAUTHORIZED => {
            answer.header("WWW-Authenticate", text("`Bearer`, with the platform's domain as realm"))
        }
        StatusCode::RANGE_NOT_SATISFIABLE => answer.header("Content-Range", text("`bytes */LENGTH`")),
        StatusCode::SERVICE_UNAVAILABLE => {
            answer.header("Retry-After", number("How long to wait, in seconds"))
        }
        _ => answer,
    }
}

fn text(description: &str) -> Header {
    header(description, Object::builder().schema_type(Type::String))
}

fn number(description: &str) -> Header {
    header(description, Object::builder().schema_type(Type::Integer).minimum(Some(0)))
}

fn header(description: &str, schema: ObjectBuilder) -> Header {
    Header::builder().schema(Some(schema)).description(Some(description)).build()
}

fn refer(status: StatusCode) -> (String, RefOr<Response>) {
    (status.as_str().to_owned(), Ref::from_response_name(name(status)).into())
}

/// `NotFound` for 404.
fn name(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or_default().split(' ').collect()
}
