//! Authentication and authorization of private routes: from the bearer token to the caller's claims on the dataset.

use api::{App, CallerScope, Problem};
use authorize::{AuthenticationError, AuthorizeError, Authorizer, parse_bearer_token};
use axum::{
    Router,
    extract::{Request, State},
    http::{header::AUTHORIZATION, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};

/// Wraps routes with the authentication of their callers.
pub fn authenticate(authorizer: Authorizer) -> impl Fn(Router<App>, CallerScope) -> Router<App> {
    move |routes, scope| {
        let caller = CallerCheck { authorizer: authorizer.clone(), scope };
        routes.layer(from_fn_with_state(caller, authenticate_request))
    }
}

/// What checks the callers of some routes.
#[derive(Clone)]
struct CallerCheck {
    authorizer: Authorizer,
    scope: CallerScope,
}

/// Middleware that puts the caller's claims into the request.
///
/// A request without a token passes without claims; the endpoint then responds with 401. An invalid token is 401 before
/// the query is parsed. If the issuer's keys cannot be loaded, the response is 503.
async fn authenticate_request(State(caller): State<CallerCheck>, request: Request, next: Next) -> Response {
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
    match insert_caller(&caller, &token, &mut parts).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    }
}

/// Puts what the scope needs into the request.
async fn insert_caller(caller: &CallerCheck, token: &str, parts: &mut Parts) -> Result<(), Problem> {
    let CallerCheck { authorizer, scope } = caller;
    let identity = authorizer.authenticate(token).await.map_err(|error| match error {
        AuthenticationError::Invalid(cause) => Problem::unauthorized(cause.to_string()),
        AuthenticationError::Unavailable(cause) => Problem::unavailable(cause.to_string()),
    })?;
    match scope {
        CallerScope::Dataset => {
            let dataset = api::parse_dataset_id(parts)?;
            let claims = authorizer.authorize(&identity, &dataset).await.map_err(authorize_problem)?;
            parts.extensions.insert(claims);
        }
        CallerScope::Workspace => {
            let member = authorizer.find_member(&identity).await.map_err(authorize_problem)?;
            parts.extensions.insert(member);
        }
    }
    Ok(())
}

fn authorize_problem(error: AuthorizeError) -> Problem {
    match error {
        AuthorizeError::NoAccess => Problem::forbidden(error.to_string()),
        AuthorizeError::Database(error) => error.into(),
    }
}
