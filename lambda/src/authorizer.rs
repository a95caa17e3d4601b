//! The gateway's authorizer: a Lambda authorizer of an HTTP API, payload format 2.0 with simple responses (Amazon API
//! Gateway Developer Guide, "Control access to HTTP APIs with AWS Lambda authorizers").
//!
//! The gateway caches a response under the identity sources of the request, for as long as the API is configured to. So
//! a response depends on nothing but these: the `Authorization` header and, for most routes, `dataset_id`. If the database or Cognito
//! does not respond, the result is an error, which the gateway does not cache.

use std::{fmt, time::Duration};

use authorize::{AuthenticationError, AuthorizeError, Authorizer, parse_bearer_token};
use lambda_runtime::{Error, LambdaEvent};
use packages::id::DatasetNodeId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use telemetry::TraceContext;
use tracing::{Instrument, field::Empty};

use crate::event::or_default;

/// How long a decision may take. The gateway waits ten seconds (Amazon API Gateway Developer Guide, "Quotas for HTTP
/// APIs"). After the same time Lambda ends the process: nothing would be logged or counted, and the next event would
/// wait for a start.
const DECISION_TIMEOUT: Duration = Duration::from_secs(8);

/// The members of an event that the authorizer reads.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AuthorizerEvent {
    /// The `Authorization` header, then the query parameter `dataset_id`, in the order of the API's configuration.
    #[serde(deserialize_with = "or_default")]
    identity_source: Vec<Option<String>>,
    #[serde(deserialize_with = "or_default")]
    request_context: RequestContext,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RequestContext {
    #[serde(deserialize_with = "or_default")]
    request_id: String,
}

/// Whether the request is allowed, and the caller's claims for the service.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizerResponse {
    is_authorized: bool,
    context: Value,
}

impl AuthorizerResponse {
    fn deny() -> Self {
        Self { is_authorized: false, context: json!({}) }
    }
}

/// Allows or denies the request of one event. The result is an error if that could not be decided.
pub async fn handle_event(
    authorizer: &Authorizer,
    event: LambdaEvent<Value>,
) -> Result<AuthorizerResponse, Error> {
    let trace = TraceContext::from_header(event.context.xray_trace_id.as_deref());
    // An unreadable event has no identity sources, and is denied below.
    let event: AuthorizerEvent = serde_json::from_value(event.payload).unwrap_or_default();
    let span = tracing::error_span!(
        target: "trace.root", "authorize", request_id = event.request_context.request_id, dataset = Empty,
        trace_id = trace.trace_id(), parent_id = trace.parent_id(), segment_id = trace.segment_id(),
    );
    let Some((token, dataset)) = parse_identity(&event.identity_source) else {
        return Ok(span.in_scope(|| {
            deny_request("malformed", "exactly one token and at most one dataset are required")
        }));
    };
    span.record("dataset", dataset.as_ref().map(DatasetNodeId::as_str));
    let decision =
        tokio::time::timeout(DECISION_TIMEOUT, Box::pin(decide_access(authorizer, token, dataset.as_ref())));
    async { decision.await.unwrap_or_else(|_| Err(unavailable_error("no decision in time"))) }
        .instrument(span)
        .await
}

/// Parses the token, and the dataset where the route has it among its identity sources.
fn parse_identity(sources: &[Option<String>]) -> Option<(&str, Option<DatasetNodeId>)> {
    // The gateway joins repeated headers and parameters with commas. Such a value is not one token or one id, and fails
    // to parse.
    match sources {
        [Some(header)] => Some((parse_bearer_token(header)?, None)),
        [Some(header), Some(dataset)] => {
            Some((parse_bearer_token(header)?, Some(DatasetNodeId::parse(dataset).ok()?)))
        }
        _ => None,
    }
}

async fn decide_access(
    authorizer: &Authorizer,
    token: &str,
    dataset: Option<&DatasetNodeId>,
) -> Result<AuthorizerResponse, Error> {
    let identity = match authorizer.authenticate(token).await {
        Ok(identity) => identity,
        Err(AuthenticationError::Invalid(error)) => return Ok(deny_request("unauthorized", error)),
        Err(AuthenticationError::Unavailable(error)) => return Err(unavailable_error(error)),
    };
    let decision = if let Some(dataset) = dataset {
        let claims = authorizer.authorize(&identity, dataset).await;
        claims.map(|claims| (claims.to_context(), claims.user.node_id))
    } else {
        // Without a dataset the caller gets no permission: the service looks up their roles itself.
        let member = authorizer.find_member(&identity).await;
        member.map(|member| (member.to_context(), member.user.node_id))
    };
    match decision {
        Ok((context, user)) => {
            tracing::info!(user = user.as_str(), "allowed");
            Ok(AuthorizerResponse { is_authorized: true, context })
        }
        Err(error @ AuthorizeError::NoAccess) => Ok(deny_request("forbidden", error)),
        Err(AuthorizeError::Database(error)) => Err(unavailable_error(error)),
    }
}

/// Counts and logs a denied request. The gateway does not get the reason.
fn deny_request(label: &'static str, reason: impl fmt::Display) -> AuthorizerResponse {
    metrics::counter!(metric_names::REFUSALS_TOTAL.name, "reason" => label).increment(1);
    tracing::info!(%reason, "denied");
    AuthorizerResponse::deny()
}

/// Logs the cause of a failed decision. The gateway does not get it.
fn unavailable_error(cause: impl fmt::Display) -> Error {
    const TEXT: &str = "authorization is unavailable";
    tracing::error!(error = %cause, "{TEXT}");
    TEXT.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_one_token_and_at_most_one_dataset() {
        let parse = |sources: &[&str]| {
            let sources: Vec<_> = sources.iter().map(|&source| Some(source.to_owned())).collect();
            parse_identity(&sources).map(|(token, dataset)| format!("{token} {dataset:?}"))
        };
        assert_eq!(
            parse(&["Bearer a.b.c", "N:dataset:1"]).unwrap(),
            r#"a.b.c Some(DatasetNodeId("N:dataset:1"))"#
        );
        assert_eq!(parse(&["Bearer a.b.c"]).unwrap(), "a.b.c None");
        for sources in [
            &[][..],
            &["a.b.c"],
            &["N:dataset:1", "Bearer a.b.c"],
            &["Bearer a.b.c", "Bearer a.b.c"],
            &["Bearer a.b.c", "N:dataset:1,N:dataset:2"],
            &["Bearer a.b.c,Bearer d.e.f", "N:dataset:1"],
            &["Bearer a.b.c", "N:dataset:1", "N:dataset:2"],
            &["Basic a", "N:dataset:1"],
            &["Bearer a.b.c", "N:package:1"],
            &["Bearer a.b.c", "' OR 1=1"],
        ] {
            assert_eq!(parse(sources), None, "{sources:?}");
        }
    }

    #[test]
    fn null_members_count_as_absent() {
        for event in [
            json!({"identitySource": null, "requestContext": null, "headers": null}),
            json!({"identitySource": [null, "N:dataset:1"], "requestContext": {"requestId": null}}),
        ] {
            let event: AuthorizerEvent = serde_json::from_value(event).unwrap();
            assert_eq!(
                (parse_identity(&event.identity_source), event.request_context.request_id.as_str()),
                (None, "")
            );
        }
        let event = json!({"identitySource": ["Bearer a.b.c", "N:dataset:1"], "requestContext": null});
        let event: AuthorizerEvent = serde_json::from_value(event).unwrap();
        assert!(parse_identity(&event.identity_source).is_some());
    }
}
