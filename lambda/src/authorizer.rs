//! The gateway's authorizer: a Lambda authorizer of an HTTP API, payload format 2.0 with simple responses (Amazon API
//! Gateway Developer Guide, "Control access to HTTP APIs with AWS Lambda authorizers").
//!
//! The gateway caches a response under the identity sources of the request, for as long as the API is configured to. So
//! a response depends on nothing but these: the `Authorization` header and, for most routes, `dataset_id`. If the database or Cognito
//! does not respond, the result is an error, which the gateway does not cache.

use std::{fmt, time::Duration};

use authorize::{AuthenticationError, AuthorizeError, Authorizer, Credential, log_malformed_credential};
use lambda_runtime::{Error, LambdaEvent};
use packages::id::DatasetNodeId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use signing::percent;
use telemetry::TraceContext;
use tracing::{Instrument, field::Empty};

use crate::event::or_default;

/// How long a decision may take. The gateway waits ten seconds (Amazon API Gateway Developer Guide, "Quotas for HTTP
/// APIs"). After the same time Lambda ends the process: nothing would be logged or counted, and the next event would
/// wait for a start.
const DECISION_TIMEOUT: Duration = Duration::from_secs(8);

/// Why sources are refused that cannot be parsed.
const MALFORMED_SOURCES: &str = "exactly one credential and at most one dataset are required";

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
    let Some((credential, dataset)) = parse_identity(&event.identity_source) else {
        return Ok(span.in_scope(|| {
            log_malformed_credential(MALFORMED_SOURCES);
            deny_request("malformed")
        }));
    };
    span.record("dataset", dataset.as_ref().map(DatasetNodeId::as_str));
    let decision = tokio::time::timeout(
        DECISION_TIMEOUT,
        Box::pin(decide_access(authorizer, &credential, dataset.as_ref())),
    );
    async { decision.await.unwrap_or_else(|_| Err(unavailable_error("no decision in time"))) }
        .instrument(span)
        .await
}

/// Parses the credential, and the dataset where the route has it among its identity sources.
fn parse_identity(sources: &[Option<String>]) -> Option<(Credential, Option<DatasetNodeId>)> {
    // The gateway joins repeated headers and parameters with commas. Such a value is not one token or one id, and fails
    // to parse.
    match sources {
        [Some(header)] => Some((Credential::parse(header)?, None)),
        [Some(header), Some(dataset)] => Some((Credential::parse(header)?, Some(parse_dataset(dataset)?))),
        _ => None,
    }
}

/// The gateway may pass a parameter on as it stands in the URL. It is decoded once: `N%3Adataset%3A…` is `N:dataset:…`, and
/// `N%253Adataset…` is no id.
fn parse_dataset(source: &str) -> Option<DatasetNodeId> {
    let decoded = String::from_utf8(percent::decode(source)?).ok()?;
    DatasetNodeId::parse(&decoded).ok()
}

async fn decide_access(
    authorizer: &Authorizer,
    credential: &Credential,
    dataset: Option<&DatasetNodeId>,
) -> Result<AuthorizerResponse, Error> {
    let context = if let Some(dataset) = dataset {
        authorizer.authorize(credential, dataset, None).await.map(|caller| caller.claims.to_context())
    } else {
        // Without a dataset the caller gets no permission: the service looks up their roles itself.
        authorizer.find_member(credential).await.map(|member| member.to_context())
    };
    match context {
        Ok(context) => Ok(AuthorizerResponse { is_authorized: true, context }),
        Err(AuthorizeError::NoAccess) => Ok(deny_request("forbidden")),
        Err(AuthorizeError::Authentication(AuthenticationError::Invalid(_))) => {
            Ok(deny_request("unauthorized"))
        }
        Err(error @ (AuthorizeError::Authentication(_) | AuthorizeError::Database(_))) => {
            Err(unavailable_error(error))
        }
    }
}

/// Counts a denied request. The audit event has the reason; the gateway does not get it.
fn deny_request(label: &'static str) -> AuthorizerResponse {
    metrics::counter!(metric_names::REFUSALS_TOTAL.name, "reason" => label).increment(1);
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
            parse_identity(&sources).map(|(credential, dataset)| match credential {
                Credential::Bearer(token) => format!("{token} {dataset:?}"),
                Credential::Callback(callback) => format!("{} {dataset:?}", callback.run),
            })
        };
        assert_eq!(
            parse(&["Bearer a.b.c", "N:dataset:1"]).unwrap(),
            r#"a.b.c Some(DatasetNodeId("N:dataset:1"))"#
        );
        assert_eq!(parse(&["Bearer a.b.c"]).unwrap(), "a.b.c None");
        for encoded in ["N%3Adataset%3A1", "N%3adataset:1", "%4E:dataset:%31"] {
            let parsed = parse(&["Callback workflow-service:7:secret", encoded]).unwrap();
            assert_eq!(parsed, r#"7 Some(DatasetNodeId("N:dataset:1"))"#);
        }
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
            &["Bearer a.b.c", "N%253Adataset%253A1"],
            &["Bearer a.b.c", "N%3Adataset%3A%"],
            &["Bearer a.b.c", "N%3Adataset%3A1%2CN:dataset:2"],
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
