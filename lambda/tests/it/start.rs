//! What a function needs in order to start, and what it does without.

use std::time::{Duration, Instant};

use local::full_backlog::FullBacklogListener;
use tokio::net::TcpListener;

use crate::{
    function::{AUTHORIZER, Function, RESTORE, SERVICE},
    stand::{Stand, Variables},
};

/// With provisioned concurrency, where no event waits for the start.
fn provisioned(variables: &Variables) -> Variables {
    let mut variables = variables.clone();
    variables.insert("AWS_LAMBDA_INITIALIZATION_TYPE", "provisioned-concurrency".to_owned());
    variables
}

/// The exit code and the message of a function that does not start.
async fn refusal(program: &str, variables: &Variables) -> (i32, String) {
    let mut function = Function::begin(program, &provisioned(variables)).await;
    let status = function.process.wait().await.unwrap();
    (status.code().unwrap(), function.stderr())
}

#[tokio::test]
async fn all_that_is_missing_is_named_at_once() {
    let platform =
        ["ENV", "POSTGRES_HOST", "RDS_PROXY_ENDPOINT", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    let own: [(&str, &[&str]); 3] = [
        (
            SERVICE,
            &[
                "PENNSIEVE_DOMAIN",
                "VIEWER_ASSETS_BUCKET",
                "CLOUDFRONT_DISTRIBUTION_DOMAIN",
                "CLOUDFRONT_KEY_ID",
                "CLOUDFRONT_PRIVATE_KEY_SSM_PARAM",
                "RESTORE_PACKAGE_QUEUE_URL",
            ],
        ),
        (RESTORE, &["DELETE_RECORD_DYNAMODB_TABLE_NAME", "JOBS_QUEUE_ID"]),
        (AUTHORIZER, &["USER_POOL", "USER_CLIENT", "TOKEN_POOL", "TOKEN_CLIENT"]),
    ];
    for (program, own) in own {
        let (code, message) = refusal(program, &Variables::new()).await;
        assert_ne!(code, 0);
        assert_eq!(message.lines().count(), 1, "{message}");
        for name in platform.iter().chain(own) {
            assert!(message.contains(name), "{program} does not miss {name}: {message}");
        }
    }
}

#[tokio::test]
async fn without_a_signing_key_there_is_no_service() {
    let mut stand = Stand::start().await;
    let missing = stand.dir.path().join("missing.pem").to_str().unwrap().to_owned();
    let not_a_key = stand.dir.path().join("hunter2.pem");
    std::fs::write(&not_a_key, "hunter2").unwrap();
    for path in [missing, not_a_key.to_str().unwrap().to_owned()] {
        stand.variables.insert("CLOUDFRONT_PRIVATE_KEY_FILE", path);
        let (code, message) = refusal(SERVICE, &stand.variables).await;
        assert_ne!(code, 0);
        assert!(message.to_lowercase().contains("private") && !message.contains("hunter2"), "{message}");
    }
}

#[tokio::test]
async fn it_is_soon_there() {
    let stand = Stand::start().await;
    let function = Function::start(SERVICE, &stand.variables).await;
    let took = function.api.init_duration().await;
    assert!(took.as_secs() < 10, "Lambda waits no longer: {took:?}");
    assert_eq!(function.api.init_error(), None);
}

/// Starts the service with this address in place of SSM's, and asserts that it says so before Lambda ends it.
async fn assert_ssm_is_named(address: std::net::SocketAddr) {
    let mut stand = Stand::start().await;
    stand.variables.remove("CLOUDFRONT_PRIVATE_KEY_FILE");
    stand.variables.insert("CLOUDFRONT_PRIVATE_KEY_SSM_PARAM", "secret-name".to_owned());
    stand.variables.insert("AWS_ENDPOINT_URL_SSM", format!("http://{address}"));
    let begun = Instant::now();
    let mut function = Function::begin(SERVICE, &provisioned(&stand.variables)).await;
    let status = function.process.wait().await.unwrap();
    let took = begun.elapsed();
    assert_ne!(status.code().unwrap(), 0);
    assert!((Duration::from_secs(4)..Duration::from_secs(10)).contains(&took), "{took:?}");

    let message = function.stderr();
    assert!(message.contains(&format!("GetParameter at {address}: no answer in time")), "{message}");
    assert!(
        message.contains("NAT gateway or a VPC endpoint") && !message.contains("secret-name"),
        "{message}"
    );
    let log = function.log();
    let tries: Vec<_> = log.iter().filter(|line| line["message"] == "a call to AWS failed").collect();
    assert_eq!(tries.len(), 2, "{log:?}");
    for line in tries {
        assert_eq!((&line["level"], &line["service"]), (&"WARN".into(), &"ssm".into()));
        assert_eq!(line["endpoint"], address.to_string());
    }
}

#[tokio::test]
async fn ssm_that_accepts_and_never_answers_is_named_before_lambda_ends_the_start() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    assert_ssm_is_named(silent.local_addr().unwrap()).await;
}

/// As in a subnet without a route: packets are dropped, here by a queue of connections that is full.
#[tokio::test]
async fn ssm_that_cannot_be_reached_is_named_before_lambda_ends_the_start() {
    let full = FullBacklogListener::start().await.unwrap();
    assert_ssm_is_named(full.local_addr().unwrap()).await;
}

#[tokio::test]
async fn a_database_that_never_answers_is_named_and_keeps_nobody_from_starting() {
    let mut stand = Stand::start().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    stand.variables.insert("POSTGRES_HOST", address.ip().to_string());
    stand.variables.insert("POSTGRES_PORT", address.port().to_string());
    let function = Function::start(SERVICE, &stand.variables).await;
    let took = function.api.init_duration().await;
    assert!(took < Duration::from_secs(8), "{took:?}");
    let log = function.log();
    let line = log.iter().find(|line| line["message"] == "the database does not answer yet").unwrap();
    assert_eq!((&line["service"], &line["endpoint"]), (&"postgres".into(), &address.to_string().into()));
}
