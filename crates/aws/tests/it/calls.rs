//! Signed calls: which errors are retried, and which access keys are refused.

use std::time::Instant;

use aws::{Error, HttpClient, JsonClient};
use aws_credential_types::Credentials;
use local::{
    aws::{
        Account,
        scripted::{RecordedRequest, ScriptedReply, ScriptedServer},
    },
    closed_port::bind_closed_port,
};
use serde_json::json;

fn response(status: u16, body: &str) -> ScriptedReply {
    ScriptedReply::Response(status, body.to_owned())
}

/// The result of a call, and the number of requests.
async fn call(replies: Vec<ScriptedReply>) -> (Result<serde_json::Value, Error>, usize) {
    let server = ScriptedServer::start(replies).await.unwrap();
    let service = JsonClient::ssm(&server.settings().unwrap(), HttpClient::new().unwrap()).unwrap();
    let result = service.call("GetParameter", &json!({"Name": "secret-name"})).await;
    (result, server.requests().len())
}

#[tokio::test]
async fn a_call_is_a_signed_post_in_the_documented_format() {
    let server =
        ScriptedServer::start([response(200, "{}"), response(200, "{}"), response(200, "{}")]).await.unwrap();
    let (settings, http) = (server.settings().unwrap(), HttpClient::new().unwrap());
    let services = [
        (JsonClient::sqs(&settings, http.clone()), "sqs", "AmazonSQS.X", "application/x-amz-json-1.0"),
        (
            JsonClient::dynamodb(&settings, http.clone()),
            "dynamodb",
            "DynamoDB_20120810.X",
            "application/x-amz-json-1.0",
        ),
        (JsonClient::ssm(&settings, http), "ssm", "AmazonSSM.X", "application/x-amz-json-1.1"),
    ];
    for (index, (service, name, target, content_type)) in services.into_iter().enumerate() {
        service.unwrap().call("X", &json!({"a": [1, "ü"]})).await.unwrap();
        let RecordedRequest { headers, body, .. } = server.requests().remove(index);
        assert_eq!(body, json!({"a": [1, "ü"]}));
        assert_eq!(headers["x-amz-target"], target);
        assert_eq!(headers["content-type"], content_type);
        let authorization = headers["authorization"].to_str().unwrap();
        assert!(authorization.contains(&format!("/us-east-1/{name}/aws4_request")), "{authorization}");
        assert!(authorization.contains("content-type;host;x-amz-date;x-amz-target"), "{authorization}");
    }
}

#[tokio::test]
async fn temporary_errors_are_tried_three_times() {
    let throttled = r#"{"__type": "com.amazonaws.ssm#ThrottlingException", "message": "Rate exceeded"}"#;
    for temporary in [
        response(400, throttled),
        response(500, ""),
        response(503, "<html>"),
        response(200, "<html>"),
        ScriptedReply::Disconnect,
    ] {
        let replies = vec![temporary.clone(), temporary.clone(), response(200, r#"{"ok": true}"#)];
        let (result, count) = call(replies).await;
        assert_eq!((result.unwrap(), count), (json!({"ok": true}), 3), "{temporary:?}");
        let (result, count) = call(vec![temporary.clone(); 5]).await;
        let Err(Error::Unavailable(text)) = result else { panic!("{result:?}") };
        assert!(
            count == 3 && text.starts_with("GetParameter at 127.0.0.1:") && !text.contains("secret-name"),
            "{count} {text}"
        );
    }
}

/// SQS sends an empty body for operations without output, such as `ChangeMessageVisibility`.
#[tokio::test]
async fn an_empty_body_is_a_valid_response() {
    assert_eq!(call(vec![response(200, "")]).await, (Ok(json!({})), 1));
}

#[tokio::test]
async fn a_refusal_is_not_retried() {
    let body = r#"{"__type": "ValidationException", "message": "no\nx-amz-security-token: abc"}"#;
    let (result, count) = call(vec![response(400, body), response(200, "{}")]).await;
    let refused = Error::Refused { code: "ValidationException".into(), message: "no".into() };
    assert_eq!((result, count), (Err(refused), 1));
}

#[tokio::test]
async fn a_closed_port_is_reported_after_three_attempts() {
    let server = ScriptedServer::start([]).await.unwrap();
    let closed = bind_closed_port().unwrap();
    let address = closed.local_addr().unwrap();
    let settings =
        aws::ClientConfig { endpoint: Some(format!("http://{address}")), ..server.settings().unwrap() };
    let service = JsonClient::sqs(&settings, HttpClient::new().unwrap()).unwrap();
    let started_at = Instant::now();
    let result = service.call("SendMessage", &json!({})).await;
    assert!(matches!(result, Err(Error::Unavailable(_))), "{result:?}");
    assert!(started_at.elapsed().as_millis() >= 150, "with pauses between the attempts");
}

#[tokio::test]
async fn a_malformed_endpoint_is_an_error() {
    let server = ScriptedServer::start([]).await.unwrap();
    for endpoint in ["localhost", "http://", "not a url"] {
        let settings = aws::ClientConfig { endpoint: Some(endpoint.into()), ..server.settings().unwrap() };
        let error = JsonClient::sqs(&settings, HttpClient::new().unwrap()).unwrap_err();
        assert!(error.to_string().contains(endpoint), "{error}");
    }
}

#[tokio::test]
async fn wrong_access_keys_are_refused() {
    let root = Account::root().unwrap();
    let all = r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;
    let user = root.create_user(all).await.unwrap();
    user.sqs().unwrap().call("ListQueues", &json!({})).await.unwrap();
    let wrong_secret = Credentials::new(user.credentials().access_key_id(), "another", None, None, "test");
    let unknown_id = Credentials::new("AKIAUNKNOWN000000000", "another", None, None, "test");
    for keys in [wrong_secret, unknown_id] {
        let stranger = root.with_credentials(keys);
        let services = [
            (stranger.sqs().unwrap(), "ListQueues"),
            (stranger.dynamodb().unwrap(), "ListTables"),
            (stranger.ssm().unwrap(), "DescribeParameters"),
        ];
        for (service, operation) in services {
            let result = service.call(operation, &json!({})).await;
            assert!(matches!(result, Err(Error::Refused { .. })), "{operation}: {result:?}");
        }
    }
}
