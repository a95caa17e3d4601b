//! An invocation that runs the doctor.

use std::time::{Duration, Instant};

use local::closed_port::bind_closed_port;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    environment::TestEnvironment,
    function::{AUTHORIZER, Function, RESTORE, SERVICE, load_event},
    pools::UserPools,
};

fn section_titles(report: &Value) -> Vec<&str> {
    let sections = report["sections"].as_array().unwrap();
    sections.iter().map(|section| section["title"].as_str().unwrap()).collect()
}

fn find_check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let sections = report["sections"].as_array().unwrap();
    let mut checks = sections.iter().flat_map(|section| section["checks"].as_array().unwrap());
    checks.find(|check| check["name"] == name).unwrap_or_else(|| panic!("no check {name}: {report}"))
}

#[tokio::test]
async fn each_function_checks_its_own_configuration() {
    let (mut environment, pools) =
        (TestEnvironment::start_with_own_database().await, UserPools::start().await);
    environment.variables.extend(pools.variables());
    environment.create_file("a.txt", b"precious").await;
    let doctor = json!({"doctor": true});
    let common = ["Configuration", "Network", "Database"];
    for (program, own) in [
        (SERVICE, &["Storage", "Signing key", "Clock"][..]),
        (RESTORE, &["Storage", "Restores", "Clock"]),
        (AUTHORIZER, &["User pools", "Clock"]),
    ] {
        let function = Function::start(program, &environment.variables).await;
        let report = function.invoke(doctor.clone()).await.unwrap();
        assert_eq!(section_titles(&report), [&common[..], own].concat(), "{program}: {report}");
        assert_eq!(find_check(&report, "database")["status"], "ok");
        assert_eq!(find_check(&report, "connection")["status"], "ok", "{report}");
        assert!(!function.stdout().contains("X-Amz-Signature"));
        let other = function.invoke(json!({"doctor": false})).await.unwrap_or_else(|error| error);
        assert!(other.get("sections").is_none(), "{other}");
    }
}

#[tokio::test]
async fn a_client_of_the_gateway_cannot_run_the_doctor() {
    let environment = TestEnvironment::start().await;
    let function = Function::start(SERVICE, &environment.variables).await;
    let mut event = load_event("post");
    event["body"] = json!(r#"{"doctor": true}"#);
    event["rawQueryString"] = json!("doctor=true");
    event["queryStringParameters"] = json!({"doctor": true});
    let response = function.invoke(event).await.unwrap();
    assert!(response["statusCode"].is_number() && response.get("sections").is_none(), "{response}");
}

/// A function that cannot load its key reports why.
#[tokio::test]
async fn a_function_that_cannot_start_reports_and_starts_later() {
    let mut environment = TestEnvironment::start().await;
    let closed = bind_closed_port().unwrap();
    let key = std::path::PathBuf::from(&environment.variables["CLOUDFRONT_PRIVATE_KEY_FILE"]);
    let hidden = key.with_extension("hidden");
    std::fs::rename(&key, &hidden).unwrap();
    environment.variables.insert("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned());
    environment.variables.insert("AWS_ENDPOINT_URL_SQS", format!("http://{}", closed.local_addr().unwrap()));
    let function = Function::start(SERVICE, &environment.variables).await;
    let started = Instant::now();
    let report = function.invoke(json!({"doctor": true})).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(report["status"], "failure");
    let found = find_check(&report, "private key");
    assert!(found["found"].as_str().unwrap().contains("CLOUDFRONT_PRIVATE_KEY_FILE"), "{found}");
    assert!(find_check(&report, "sqs")["found"].as_str().unwrap().contains("refuses connections"));

    let mut event = load_event("get");
    event["requestContext"]["http"]["path"] = json!("/health");
    let error = function.invoke(event.clone()).await.unwrap_err();
    assert!(error["errorMessage"].as_str().unwrap().contains("CLOUDFRONT_PRIVATE_KEY_FILE"), "{error}");
    let log = function.log();
    assert!(log.iter().any(|line| line["message"] == "the function could not start; each event tries again"));

    std::fs::rename(&hidden, &key).unwrap();
    assert_eq!(function.invoke(event).await.unwrap()["statusCode"], 200);
}

#[tokio::test]
async fn a_report_that_exceeds_the_timeout_is_an_error() {
    let mut environment = TestEnvironment::start().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    environment.variables.insert("POSTGRES_PORT", silent.local_addr().unwrap().port().to_string());
    let function = Function::start(SERVICE, &environment.variables).await;
    let error = function.invoke_within(json!({"doctor": true}), Duration::from_secs(4)).await.unwrap_err();
    assert!(error["errorMessage"].as_str().unwrap().contains("raise the timeout"), "{error}");
}
