//! Who asks: the bearer token of a private route becomes claims on the dataset that the request names.

use api::Problem;
use authorize::{AuthenticationError, AuthorizeError, Authorizer, parse_bearer_token};
use axum::{
    extract::{Request, State},
    http::{header::AUTHORIZATION, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use packages::access::Claims;

/// Puts [`packages::access::Claims`] into the request. A request without a token goes on without: the endpoint says
/// that it needs one. A token that is not to be believed is refused before anything else is looked at; where that cannot be
/// said, for want of the issuer's keys, the service is not available.
pub async fn authenticate(State(authorizer): State<Authorizer>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let header = headers.next().map(|value| value.to_str().ok().and_then(parse_bearer_token));
    let token = match header.map(|token| token.filter(|_| headers.next().is_none())) {
        None => return next.run(Request::from_parts(parts, body)).await,
        Some(None) => {
            return Problem::unauthorized("one Authorization header with one bearer token is needed")
                .into_response();
        }
        Some(Some(token)) => token.to_owned(),
    };
    match claims(&authorizer, &token, &mut parts).await {
        Ok(claims) => {
            parts.extensions.insert(claims);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn claims(authorizer: &Authorizer, token: &str, parts: &mut Parts) -> Result<Claims, Problem> {
    let identity = authorizer.authenticate(token).await.map_err(|unidentified| match unidentified {
        AuthenticationError::Invalid(why) => Problem::unauthorized(why.to_string()),
        AuthenticationError::Unavailable(why) => Problem::unavailable(why.to_string()),
    })?;
    let dataset = api::parse_dataset_id(parts)?;
    authorizer.authorize(&identity, &dataset).await.map_err(|denied| match denied {
        AuthorizeError::NoAccess => Problem::forbidden(denied.to_string()),
        AuthorizeError::Database(error) => error.into(),
    })
}
