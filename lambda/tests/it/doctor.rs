//! A one-off invocation that asks how the function is.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    function::{AUTHORIZER, Function, RESTORE, SERVICE, recorded},
    pools::Pools,
    stand::Stand,
};

fn titles(report: &Value) -> Vec<&str> {
    let sections = report["sections"].as_array().unwrap();
    sections.iter().map(|section| section["title"].as_str().unwrap()).collect()
}

fn find<'a>(report: &'a Value, name: &str) -> &'a Value {
    let sections = report["sections"].as_array().unwrap();
    let mut checks = sections.iter().flat_map(|section| section["checks"].as_array().unwrap());
    checks.find(|check| check["name"] == name).unwrap_or_else(|| panic!("no line {name}: {report}"))
}

#[tokio::test]
async fn each_function_reports_on_what_it_was_told() {
    let (mut stand, pools) = (Stand::start_alone().await, Pools::publish().await);
    stand.variables.extend(pools.variables());
    stand.file("a.txt", b"precious").await;
    let doctor = json!({"doctor": true});
    let common = ["Configuration", "Network", "Database"];
    for (program, own) in [
        (SERVICE, &["Storage", "Signing key", "Clock"][..]),
        (RESTORE, &["Storage", "Restores", "Clock"]),
        (AUTHORIZER, &["User pools", "Clock"]),
    ] {
        let function = Function::start(program, &stand.variables).await;
        let report = function.invoke(doctor.clone()).await.unwrap();
        assert_eq!(titles(&report), [&common[..], own].concat(), "{program}: {report}");
        assert_eq!(find(&report, "database")["status"], "ok");
        assert_eq!(find(&report, "connection")["status"], "ok", "{report}");
        assert!(!function.stdout().contains("X-Amz-Signature"));
        let other = function.invoke(json!({"doctor": false})).await.unwrap_or_else(|error| error);
        assert!(other.get("sections").is_none(), "{other}");
    }
}

#[tokio::test]
async fn a_client_of_the_gateway_cannot_ask_for_it() {
    let stand = Stand::start().await;
    let function = Function::start(SERVICE, &stand.variables).await;
    let mut event = recorded("post");
    event["body"] = json!(r#"{"doctor": true}"#);
    event["rawQueryString"] = json!("doctor=true");
    event["queryStringParameters"] = json!({"doctor": true});
    let answer = function.invoke(event).await.unwrap();
    assert!(answer["statusCode"].is_number() && answer.get("sections").is_none(), "{answer}");
}

/// The commonest first mistake: no way to SSM. The function cannot work, and says why.
#[tokio::test]
async fn a_function_that_cannot_start_reports_all_the_same_and_starts_when_it_can() {
    let mut stand = Stand::start().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let key = std::path::PathBuf::from(&stand.variables["CLOUDFRONT_PRIVATE_KEY_FILE"]);
    let hidden = key.with_extension("hidden");
    std::fs::rename(&key, &hidden).unwrap();
    stand.variables.insert("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned());
    stand.variables.insert("AWS_ENDPOINT_URL_SQS", format!("http://{closed}"));
    let function = Function::start(SERVICE, &stand.variables).await;
    let begun = Instant::now();
    let report = function.invoke(json!({"doctor": true})).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(report["status"], "failure");
    let found = find(&report, "private key");
    assert!(found["found"].as_str().unwrap().contains("CLOUDFRONT_PRIVATE_KEY_FILE"), "{found}");
    assert!(find(&report, "sqs")["found"].as_str().unwrap().contains("refuses connections"));

    let mut event = recorded("get");
    event["requestContext"]["http"]["path"] = json!("/health");
    let error = function.invoke(event.clone()).await.unwrap_err();
    assert!(error["errorMessage"].as_str().unwrap().contains("CLOUDFRONT_PRIVATE_KEY_FILE"), "{error}");
    let log = function.log();
    assert!(log.iter().any(|line| line["message"] == "the function could not start; each event tries again"));

    std::fs::rename(&hidden, &key).unwrap();
    assert_eq!(function.invoke(event).await.unwrap()["statusCode"], 200);
}

#[tokio::test]
async fn a_report_that_takes_longer_than_the_function_may_is_an_error_that_says_so() {
    let mut stand = Stand::start().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    stand.variables.insert("POSTGRES_PORT", silent.local_addr().unwrap().port().to_string());
    let function = Function::start(SERVICE, &stand.variables).await;
    let error = function.invoke_within(json!({"doctor": true}), Duration::from_secs(4)).await.unwrap_err();
    assert!(error["errorMessage"].as_str().unwrap().contains("raise the timeout"), "{error}");
}
