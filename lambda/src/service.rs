//! The function behind an HTTP API of API Gateway.

use std::{sync::Arc, time::Duration};

use api::{App, CallerScope, Cdn, Problem};
use aws::Clock;
use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use lambda_runtime::{Error, LambdaEvent};
use packages::access::{Claims, Member};
use serde_json::Value;
use signing_keys::KeyRotation;
use tower::ServiceExt;

use crate::gateway::{AuthorizerContext, GatewayResponse, request_from_event};

/// How long a request waits for a reload of the signing key, which is due every few minutes.
const KEY_RELOAD_TIMEOUT: Duration = Duration::from_millis(500);

/// The largest body of a response. A function's response, which has the body as a JSON string, has at most 6 MB (AWS Lambda
/// Developer Guide, "Lambda quotas").
const MAX_RESPONSE_BYTES: usize = 5_500_000;

/// The router, and what reloads the key for signed links.
#[derive(Debug)]
pub struct Service {
    router: Router,
    cdn: Cdn,
    clock: Clock,
    rotation: KeyRotation,
}

impl Service {
    /// Builds the router. Its private routes take their claims from the gateway's authorizer.
    #[must_use]
    pub fn new(app: App, rotation: KeyRotation) -> Self {
        let app = App { max_response_bytes: Some(MAX_RESPONSE_BYTES), ..app };
        let (cdn, clock) = (app.cdn.clone(), app.clock);
        let router = api::router(app, |routes, scope| match scope {
            CallerScope::Dataset | CallerScope::Package => routes.layer(from_fn(insert_claims)),
            CallerScope::Workspace | CallerScope::Member => routes.layer(from_fn(insert_member)),
        });
        Self { router, cdn, clock, rotation }
    }

    /// Handles one event. It fails only if the event is not a request of the gateway.
    pub async fn handle_event(&self, event: LambdaEvent<Value>) -> Result<GatewayResponse, Error> {
        self.reload_key().await;
        let request = request_from_event(event.payload, event.context.xray_trace_id.as_deref())?;
        let response = self.router.clone().oneshot(request).await?;
        Ok(GatewayResponse::from_response(response).await?)
    }

    /// Reloads the signing key if that is due. Lambda freezes the process between events, so a background task would
    /// not run.
    async fn reload_key(&self) {
        let reload = self.cdn.reload_signer(&self.rotation, self.clock.now());
        if tokio::time::timeout(KEY_RELOAD_TIMEOUT, reload).await.is_err() {
            tracing::warn!("reloading the signing key took too long; the old key stays in use");
        }
    }
}

/// Puts the claims into a request. Without valid claims the response is 403 and not 401: the gateway did not run its
/// authorizer, and a different token would not help.
async fn insert_claims(mut request: Request, next: Next) -> Response {
    // Removed, so that no handler can read unparsed claims.
    let context = request.extensions_mut().remove::<AuthorizerContext>();
    match Claims::from_context(&context.map_or(Value::Null, |context| context.0)) {
        Ok(claims) => {
            request.extensions_mut().insert(Arc::new(claims));
            next.run(request).await
        }
        Err(error) => Problem::forbidden(error.to_string()).into_response(),
    }
}

/// The same for routes that need not name a dataset.
async fn insert_member(mut request: Request, next: Next) -> Response {
    let context = request.extensions_mut().remove::<AuthorizerContext>();
    match Member::from_context(&context.map_or(Value::Null, |context| context.0)) {
        Ok(member) => {
            request.extensions_mut().insert(member);
            next.run(request).await
        }
        Err(error) => Problem::forbidden(error.to_string()).into_response(),
    }
}
