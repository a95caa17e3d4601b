//! The gateway's authorizer: a Lambda authorizer of an HTTP API, payload format 2.0 with simple responses (Amazon API
//! Gateway Developer Guide, "Control access to HTTP APIs with AWS Lambda authorizers").
//!
//! The gateway keeps an answer for as long as its API is configured to, under the identity sources of the request. So an
//! answer is made of these and nothing else: of the `Authorization` header and of `dataset_id`. Where nothing could be
//! decided, since the database or Cognito did not answer, there is no answer but an error, which nobody keeps.

use std::{fmt, time::Duration};

use authorize::{AuthenticationError, AuthorizeError, Authorizer, parse_bearer_token};
use lambda_runtime::{Error, LambdaEvent};
use packages::{access::Claims, id::DatasetNodeId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use telemetry::TraceContext;
use tracing::{Instrument, field::Empty};

use crate::event::or_default;

/// How long a decision may take. The gateway waits ten seconds (quotas of HTTP APIs), and after as many Lambda ends the
/// process: nothing would be logged or counted, and the next event would wait for a start.
const PATIENCE: Duration = Duration::from_secs(8);

/// Who asks for what, as far as it is of interest.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Event {
    /// The header `Authorization`, then the query parameter `dataset_id`, as the API names them.
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

/// Whether the request may go on, and what the service is told of who asks.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    is_authorized: bool,
    context: Value,
}

impl Answer {
    fn allow(claims: &Claims) -> Self {
        Self { is_authorized: true, context: claims.to_context() }
    }
}

/// Decides one event. An error decides nothing.
pub async fn handle(authorizer: &Authorizer, event: LambdaEvent<Value>) -> Result<Answer, Error> {
    let trace = TraceContext::from_header(event.context.xray_trace_id.as_deref());
    let event: Event = serde_json::from_value(event.payload).unwrap_or_default();
    let span = tracing::error_span!(
        target: "trace.root", "authorize", request_id = event.request_context.request_id, dataset = Empty,
        trace_id = trace.trace_id(), parent_id = trace.parent_id(), segment_id = trace.segment_id(),
    );
    let Some((token, dataset)) = asked(&event.identity_source) else {
        return Ok(span.in_scope(|| deny("malformed", "not one token and one dataset")));
    };
    span.record("dataset", dataset.as_str());
    let decision = tokio::time::timeout(PATIENCE, Box::pin(decide(authorizer, token, &dataset)));
    async { decision.await.unwrap_or_else(|_| Err(undecided("no answer in time"))) }.instrument(span).await
}

/// A token and a dataset, from exactly one of each.
fn asked(sources: &[Option<String>]) -> Option<(&str, DatasetNodeId)> {
    let [Some(header), Some(dataset)] = sources else { return None };
    Some((parse_bearer_token(header)?, DatasetNodeId::parse(dataset).ok()?))
}

async fn decide(authorizer: &Authorizer, token: &str, dataset: &DatasetNodeId) -> Result<Answer, Error> {
    let identity = match authorizer.authenticate(token).await {
        Ok(identity) => identity,
        Err(AuthenticationError::Invalid(error)) => return Ok(deny("unauthorized", error)),
        Err(AuthenticationError::Unavailable(error)) => return Err(undecided(error)),
    };
    match authorizer.authorize(&identity, dataset).await {
        Ok(claims) => {
            tracing::info!(user = claims.user.node_id.as_str(), "allowed");
            Ok(Answer::allow(&claims))
        }
        Err(denied @ AuthorizeError::NoAccess) => Ok(deny("forbidden", denied)),
        Err(AuthorizeError::Database(error)) => Err(undecided(error)),
    }
}

/// Counts and logs why; the gateway is told only that.
fn deny(reason: &'static str, why: impl fmt::Display) -> Answer {
    metrics::counter!(metric_names::REFUSALS_TOTAL.name, "reason" => reason).increment(1);
    tracing::info!(reason = %why, "denied");
    Answer { is_authorized: false, context: json!({}) }
}

/// Logs why, and says nothing of it to the gateway.
fn undecided(error: impl fmt::Display) -> Error {
    tracing::error!(error = %error, "nothing could be decided");
    "nothing could be decided".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_token_and_one_dataset_are_needed() {
        let asked = |sources: &[&str]| {
            let sources: Vec<_> = sources.iter().map(|&source| Some(source.to_owned())).collect();
            asked(&sources).map(|(token, dataset)| format!("{token} {dataset}"))
        };
        assert_eq!(asked(&["Bearer a.b.c", "N:dataset:1"]).unwrap(), "a.b.c N:dataset:1");
        for sources in [
            &[][..],
            &["Bearer a.b.c"],
            &["N:dataset:1", "Bearer a.b.c"],
            &["Bearer a.b.c", "Bearer a.b.c"],
            &["Bearer a.b.c", "N:dataset:1,N:dataset:2"],
            &["Bearer a.b.c,Bearer d.e.f", "N:dataset:1"],
            &["Bearer a.b.c", "N:dataset:1", "N:dataset:2"],
            &["Basic a", "N:dataset:1"],
            &["Bearer a.b.c", "N:package:1"],
            &["Bearer a.b.c", "' OR 1=1"],
        ] {
            assert_eq!(asked(sources), None, "{sources:?}");
        }
    }

    #[test]
    fn members_that_are_null_are_as_if_they_were_absent() {
        for event in [
            json!({"identitySource": null, "requestContext": null, "headers": null}),
            json!({"identitySource": [null, "N:dataset:1"], "requestContext": {"requestId": null}}),
        ] {
            let event: Event = serde_json::from_value(event).unwrap();
            assert_eq!(
                (asked(&event.identity_source), event.request_context.request_id.as_str()),
                (None, "")
            );
        }
        let event = json!({"identitySource": ["Bearer a.b.c", "N:dataset:1"], "requestContext": null});
        let event: Event = serde_json::from_value(event).unwrap();
        assert!(asked(&event.identity_source).is_some());
    }
}
