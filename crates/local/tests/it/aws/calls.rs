//! Signed calls: what is asked again, what is not, and who is refused.

use std::time::Instant;

use aws::{Error, HttpClient, JsonClient};
use aws_credential_types::Credentials;
use local::aws::{
    Account,
    scripted::{Scene, Scripted},
};
use packages::links::Location;
use serde_json::json;
use signing::s3::Bucket;
use signing::s3::CustomEndpoint;
use storage::{HeadError, ObjectStore, StorageConfig};

fn says(status: u16, body: &str) -> Scene {
    Scene::Says(status, body.to_owned())
}

async fn call(scenes: Vec<Scene>) -> (Result<serde_json::Value, Error>, usize) {
    let server = Scripted::start(scenes).await.unwrap();
    let service = JsonClient::ssm(&server.settings().unwrap(), HttpClient::new().unwrap()).unwrap();
    let answer = service.call("GetParameter", &json!({"Name": "secret-name"})).await;
    (answer, server.asked().len())
}

#[tokio::test]
async fn a_call_is_a_signed_post_of_the_documented_form() {
    let server = Scripted::start([says(200, "{}"), says(200, "{}"), says(200, "{}")]).await.unwrap();
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
        let (headers, body) = server.asked().remove(index);
        assert_eq!(body, json!({"a": [1, "ü"]}));
        assert_eq!(headers["x-amz-target"], target);
        assert_eq!(headers["content-type"], content_type);
        let authorization = headers["authorization"].to_str().unwrap();
        assert!(authorization.contains(&format!("/us-east-1/{name}/aws4_request")), "{authorization}");
        assert!(authorization.contains("content-type;host;x-amz-date;x-amz-target"), "{authorization}");
    }
}

#[tokio::test]
async fn what_may_pass_is_asked_three_times() {
    let throttled = r#"{"__type": "com.amazonaws.ssm#ThrottlingException", "message": "Rate exceeded"}"#;
    for passing in
        [says(400, throttled), says(500, ""), says(503, "<html>"), says(200, "<html>"), Scene::HangsUp]
    {
        let (answer, asked) =
            call(vec![passing.clone(), passing.clone(), says(200, r#"{"ok": true}"#)]).await;
        assert_eq!((answer.unwrap(), asked), (json!({"ok": true}), 3), "{passing:?}");
        let (answer, asked) = call(vec![passing.clone(); 5]).await;
        let Err(Error::Unavailable(text)) = answer else { panic!("{answer:?}") };
        assert!(
            asked == 3 && text.starts_with("GetParameter at 127.0.0.1:") && !text.contains("secret-name"),
            "{asked} {text}"
        );
    }
}

/// SQS says no more of what has no output, such as `ChangeMessageVisibility`.
#[tokio::test]
async fn an_answer_without_a_body_is_one() {
    assert_eq!(call(vec![says(200, "")]).await, (Ok(json!({})), 1));
}

/// A server may close a kept connection at any time, also when the next request is already on its way.
#[tokio::test]
async fn a_kept_connection_that_breaks_is_no_reason_not_to_know_an_object() {
    let server = Scripted::start([
        says(200, "abc"),
        Scene::HangsUp,
        says(200, "abcd"),
        Scene::HangsUp,
        Scene::HangsUp,
    ])
    .await
    .unwrap();
    let aws = server.settings().unwrap();
    let endpoint = aws.endpoint.map(|url| CustomEndpoint::parse(&url).unwrap());
    let settings = StorageConfig { endpoint, region: aws.region, credentials: aws.credentials };
    let objects = ObjectStore::new(settings, HttpClient::new().unwrap());
    let bucket = Bucket::new("bucket").unwrap();
    let location = Location { bucket, key: "key".to_owned(), version: None };
    for length in [3, 4] {
        assert_eq!(objects.head_object(&location, 1_793_881_845).await.unwrap().length, length);
    }
    assert!(matches!(objects.head_object(&location, 1_793_881_845).await, Err(HeadError::Unavailable(_))));
    assert_eq!(server.asked().len(), 5, "one more try is enough");
}

#[tokio::test]
async fn a_refusal_is_final() {
    let body = r#"{"__type": "ValidationException", "message": "no\nx-amz-security-token: abc"}"#;
    let (answer, asked) = call(vec![says(400, body), says(200, "{}")]).await;
    let refused = Error::Refused { code: "ValidationException".into(), message: "no".into() };
    assert_eq!((answer, asked), (Err(refused), 1));
}

#[tokio::test]
async fn nobody_there_is_said_after_three_tries() {
    let server = Scripted::start([]).await.unwrap();
    let settings = server.settings().unwrap();
    drop(server);
    // The port is free again only when the listener's task has ended.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let service = JsonClient::sqs(&settings, HttpClient::new().unwrap()).unwrap();
    let begun = Instant::now();
    let answer = service.call("SendMessage", &json!({})).await;
    assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
    assert!(begun.elapsed().as_millis() >= 150, "with pauses between them");
}

#[tokio::test]
async fn an_endpoint_that_is_no_url_is_said_at_once() {
    let server = Scripted::start([]).await.unwrap();
    for endpoint in ["localhost", "http://", "not a url"] {
        let settings = aws::ClientConfig { endpoint: Some(endpoint.into()), ..server.settings().unwrap() };
        let error = JsonClient::sqs(&settings, HttpClient::new().unwrap()).unwrap_err();
        assert!(error.to_string().contains(endpoint), "{error}");
    }
}

#[tokio::test]
async fn wrong_keys_are_refused() {
    let root = Account::root().unwrap();
    let all = r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;
    let user = root.user(all).await.unwrap();
    user.sqs().unwrap().call("ListQueues", &json!({})).await.unwrap();
    let wrong_secret = Credentials::new(user.credentials().access_key_id(), "another", None, None, "test");
    let unknown = Credentials::new("AKIAUNKNOWN000000000", "another", None, None, "test");
    for keys in [wrong_secret, unknown] {
        let stranger = root.with_keys(keys);
        let services = [
            (stranger.sqs().unwrap(), "ListQueues"),
            (stranger.dynamodb().unwrap(), "ListTables"),
            (stranger.ssm().unwrap(), "DescribeParameters"),
        ];
        for (service, operation) in services {
            let answer = service.call(operation, &json!({})).await;
            assert!(matches!(answer, Err(Error::Refused { .. })), "{operation}: {answer:?}");
        }
    }
}
