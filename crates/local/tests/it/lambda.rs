//! The Runtime API, as a function calls it.

#![allow(clippy::unwrap_used, reason = "a test stops at an unexpected result")]

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use local::lambda::{Invocation, RuntimeApi};
use serde_json::{Value, json};

/// The URL at which a function finds the API.
fn endpoint(api: &RuntimeApi) -> String {
    let command = api.command("function");
    let address = command.get_envs().find(|(name, _)| *name == "AWS_LAMBDA_RUNTIME_API").unwrap();
    format!("http://{}/2018-06-01/runtime", address.1.unwrap().to_str().unwrap())
}

async fn send(method: &str, url: &str, body: &Value) -> (StatusCode, HeaderMap, Value) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let body = Full::new(body.to_string().into());
    let request = Request::builder().method(method).uri(url).body(body).unwrap();
    let (parts, body) = client.request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn a_function_gets_an_event_and_returns_a_response() {
    let api = RuntimeApi::start().await.unwrap();
    let endpoint = endpoint(&api);
    let invocation = Invocation {
        timeout: Duration::from_mins(1),
        trace_header: Some("Root=1-67891233-abcdef012345678912345678".to_owned()),
        request_id: "id-1".to_owned(),
    };
    let function = async {
        let (status, headers, event) =
            send("GET", &format!("{endpoint}/invocation/next"), &json!(null)).await;
        assert_eq!((status, event), (StatusCode::OK, json!({"a": 1})));
        assert_eq!(headers["lambda-runtime-aws-request-id"], "id-1");
        assert_eq!(headers["lambda-runtime-trace-id"], "Root=1-67891233-abcdef012345678912345678");
        let deadline: u64 = headers["lambda-runtime-deadline-ms"].to_str().unwrap().parse().unwrap();
        // Milliseconds since the Unix epoch.
        assert!(deadline / 1000 > aws::Clock::System.now() + 50);
        send("POST", &format!("{endpoint}/invocation/id-1/response"), &json!({"b": 2})).await.0
    };
    let (result, status) = tokio::join!(api.invoke(json!({"a": 1}), invocation), function);
    assert_eq!((result, status), (Ok(json!({"b": 2})), StatusCode::ACCEPTED));
}

#[tokio::test]
async fn a_function_may_report_errors_and_may_be_late() {
    let api = RuntimeApi::start().await.unwrap();
    let endpoint = endpoint(&api);
    let function = async {
        let (_, headers, _) = send("GET", &format!("{endpoint}/invocation/next"), &json!(null)).await;
        let id = headers["lambda-runtime-aws-request-id"].to_str().unwrap().to_owned();
        send("POST", &format!("{endpoint}/invocation/{id}/error"), &json!({"errorMessage": "x"})).await;
    };
    let (result, ()) = tokio::join!(api.invoke(json!(1), Invocation::default()), function);
    assert_eq!(result, Err(json!({"errorMessage": "x"})));

    let short =
        Invocation { timeout: Duration::from_millis(10), request_id: "late".into(), ..Invocation::default() };
    let error = api.invoke(json!(2), short).await.unwrap_err();
    assert_eq!(error["errorType"], "Sandbox.Timedout");
    let (status, ..) = send("POST", &format!("{endpoint}/invocation/late/response"), &json!(1)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, ..) = send("POST", &format!("{endpoint}/init/error"), &json!({"errorMessage": "y"})).await;
    assert_eq!((status, api.init_error()), (StatusCode::ACCEPTED, Some(json!({"errorMessage": "y"}))));
    assert_eq!(send("GET", &format!("{endpoint}/other"), &json!(1)).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn several_connections_may_wait_for_events() {
    let api = RuntimeApi::start().await.unwrap();
    let next = format!("{}/invocation/next", endpoint(&api));
    let short = || Invocation { timeout: Duration::from_millis(100), ..Invocation::default() };
    let (null, events) = (json!(null), (api.invoke(json!(1), short()), api.invoke(json!(2), short())));
    let (first, second, ..) =
        tokio::join!(send("GET", &next, &null), send("GET", &next, &null), events.0, events.1);
    let mut received = [first.2, second.2].map(|event| event.as_u64().unwrap());
    received.sort_unstable();
    assert_eq!(received, [1, 2]);
    assert!(api.init_duration().await > Duration::ZERO);
}
