//! Authentication and authorization of private routes: from the credential to the caller's claims on the dataset.

use std::sync::Arc;

use api::{App, CallerScope, Problem};
use authorize::{
    AuthenticationError, Authorization, AuthorizeError, Authorizer, Credential, log_malformed_credential,
};
use axum::{
    Router,
    extract::{Request, State},
    http::{header::AUTHORIZATION, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use packages::{access::Member, id::DatasetNodeId};

/// Why an `Authorization` header is refused that cannot be read.
const MALFORMED_HEADER: &str =
    "exactly one Authorization header with a bearer token or a callback is required";

/// Wraps routes with the authentication of their callers.
pub fn authenticate(authorizer: Authorizer) -> impl Fn(Router<Arc<App>>, CallerScope) -> Router<Arc<App>> {
    // Shared: axum clones the state for each request.
    let authorizer = Arc::new(authorizer);
    move |routes, scope| {
        let caller = CallerCheck { authorizer: Arc::clone(&authorizer), scope };
        routes.layer(from_fn_with_state(caller, authenticate_request))
    }
}

/// What checks the callers of some routes.
#[derive(Clone)]
struct CallerCheck {
    authorizer: Arc<Authorizer>,
    scope: CallerScope,
}

/// Middleware that puts the caller's claims into the request.
///
/// A request without a credential passes without claims; the endpoint then responds with 401. An invalid credential is 401
/// before the query is parsed. If it cannot be verified, the response is 503.
async fn authenticate_request(State(caller): State<CallerCheck>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let header = headers.next().map(|value| value.to_str().ok().and_then(Credential::parse));
    // A second header makes the credential ambiguous: a proxy may have checked the other one.
    let credential = match header.map(|credential| credential.filter(|_| headers.next().is_none())) {
        None => return next.run(Request::from_parts(parts, body)).await,
        Some(None) => {
            log_malformed_credential(MALFORMED_HEADER);
            return Problem::unauthorized(MALFORMED_HEADER).into_response();
        }
        Some(Some(credential)) => credential,
    };
    match insert_caller(&caller, &credential, &mut parts).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    }
}

/// Puts what the scope needs into the request.
async fn insert_caller(
    caller: &CallerCheck,
    credential: &Credential,
    parts: &mut Parts,
) -> Result<(), Problem> {
    let CallerCheck { authorizer, scope } = caller;
    let dataset = match parse_dataset(*scope, parts) {
        Ok(dataset) => dataset,
        Err(problem) => {
            // The credential first: without one, a caller learns nothing about the parameters.
            Box::pin(authorizer.authenticate(credential)).await.map_err(authorize_problem)?;
            return Err(problem);
        }
    };
    let Some(dataset) = dataset else {
        let member = Box::pin(authorizer.find_member(credential)).await.map_err(authorize_problem)?;
        parts.extensions.insert(member);
        return Ok(());
    };
    let package = if *scope == CallerScope::Package { api::find_package_id(parts) } else { None };
    let authorization = authorizer.authorize(credential, &dataset, package.as_ref()).await;
    let Authorization { claims, package } = authorization.map_err(authorize_problem)?;
    if let Some(package) = package {
        parts.extensions.insert(package);
    }
    if scope == &CallerScope::Workspace {
        parts.extensions.insert(Member::from_claims(&claims));
    }
    parts.extensions.insert(claims);
    Ok(())
}

/// The dataset that the request names. It may be absent where the scope is a workspace, and is not looked for where it is a member.
fn parse_dataset(scope: CallerScope, parts: &mut Parts) -> Result<Option<DatasetNodeId>, Problem> {
    match scope {
        CallerScope::Dataset | CallerScope::Package => api::parse_dataset_id(parts).map(Some),
        CallerScope::Workspace => api::parse_optional_dataset_id(parts),
        CallerScope::Member => Ok(None),
    }
}

fn authorize_problem(error: AuthorizeError) -> Problem {
    match error {
        AuthorizeError::Authentication(AuthenticationError::Invalid(cause)) => {
            Problem::unauthorized(cause.to_string())
        }
        AuthorizeError::Authentication(cause) => Problem::unavailable(cause.to_string()),
        AuthorizeError::NoAccess => Problem::forbidden(error.to_string()),
        AuthorizeError::Database(error) => error.into(),
    }
}
