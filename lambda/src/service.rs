//! The API, behind an HTTP API of API Gateway.

use std::time::Duration;

use api::{App, Cdn, Problem};
use aws::Clock;
use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use lambda_runtime::{Error, LambdaEvent};
use packages::access::Claims;
use serde_json::Value;
use signing_keys::KeyRotation;
use tower::ServiceExt;

use crate::gateway::{self, Answer, AuthorizerContext};

/// How long a request waits for a look at the signing key, which every few minutes one has to.
const LOOK: Duration = Duration::from_millis(500);

/// The API, and the key that its links are signed with.
#[derive(Debug)]
pub struct Service {
    router: Router,
    cdn: Cdn,
    clock: Clock,
    rotation: KeyRotation,
}

impl Service {
    /// The same routes as everywhere; the private ones take their claims from the gateway's authorizer.
    #[must_use]
    pub fn new(app: App, rotation: KeyRotation) -> Self {
        let (cdn, clock) = (app.cdn.clone(), app.clock);
        let router = api::router(app, |private| private.layer(from_fn(claims)));
        Self { router, cdn, clock, rotation }
    }

    /// Answers one event. An error is an event that is none of the gateway's.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Answer, Error> {
        self.look_at_key().await;
        let request = gateway::request(event.payload, event.context.xray_trace_id.as_deref())?;
        let response = self.router.clone().oneshot(request).await?;
        Ok(gateway::answer(response).await?)
    }

    /// Takes another key into use, if it is time to look for one and there is one. Between events the process is frozen, so
    /// it cannot be looked for in the background.
    async fn look_at_key(&self) {
        let look = self.cdn.reload_signer(&self.rotation, self.clock.now());
        if tokio::time::timeout(LOOK, look).await.is_err() {
            tracing::warn!("no look at the signing key in time; the old one stays in use");
        }
    }
}

/// Puts the claims into a request. Without usable ones nobody has been let in by the authorizer: that is not 401, for no
/// token would help.
async fn claims(mut request: Request, next: Next) -> Response {
    let context = request.extensions_mut().remove::<AuthorizerContext>();
    match Claims::from_context(&context.map_or(Value::Null, |context| context.0)) {
        Ok(claims) => {
            request.extensions_mut().insert(claims);
            next.run(request).await
        }
        Err(error) => Problem::forbidden(error.to_string()).into_response(),
    }
}
