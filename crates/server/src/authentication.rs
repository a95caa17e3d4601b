//! Authentication and authorization of private routes: from the bearer token to the caller's claims on the dataset.

use api::Problem;
use authorize::{AuthenticationError, AuthorizeError, Authorizer, parse_bearer_token};
use axum::{
    extract::{Request, State},
    http::{header::AUTHORIZATION, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use packages::access::Claims;

/// Middleware that puts [`packages::access::Claims`] into the request.
///
/// A request without a token passes without claims; the endpoint then responds with 401. An invalid token is 401 before
/// the query is parsed. If the issuer's keys cannot be loaded, the response is 503.
pub async fn authenticate(State(authorizer): State<Authorizer>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let header = headers.next().map(|value| value.to_str().ok().and_then(parse_bearer_token));
    // A second header makes the token ambiguous: a proxy may have checked the other one.
    let token = match header.map(|token| token.filter(|_| headers.next().is_none())) {
        None => return next.run(Request::from_parts(parts, body)).await,
        Some(None) => {
            return Problem::unauthorized("exactly one Authorization header with a bearer token is required")
                .into_response();
        }
        Some(Some(token)) => token.to_owned(),
    };
    match load_claims(&authorizer, &token, &mut parts).await {
        Ok(claims) => {
            parts.extensions.insert(claims);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn load_claims(authorizer: &Authorizer, token: &str, parts: &mut Parts) -> Result<Claims, Problem> {
    let identity = authorizer.authenticate(token).await.map_err(|error| match error {
        AuthenticationError::Invalid(cause) => Problem::unauthorized(cause.to_string()),
        AuthenticationError::Unavailable(cause) => Problem::unavailable(cause.to_string()),
    })?;
    let dataset = api::parse_dataset_id(parts)?;
    authorizer.authorize(&identity, &dataset).await.map_err(|error| match error {
        AuthorizeError::NoAccess => Problem::forbidden(error.to_string()),
        AuthorizeError::Database(error) => error.into(),
    })
}
