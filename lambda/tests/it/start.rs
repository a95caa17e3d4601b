//! What a function needs to start, and what it can start without.

use std::time::Duration;

use local::full_backlog::FullBacklogListener;
use tokio::net::TcpListener;

use crate::{
    environment::{TestEnvironment, Variables},
    function::{AUTHORIZER, Function, RESTORE, SERVICE},
};

/// With provisioned concurrency, a function that cannot start ends instead of waiting for an event.
fn with_provisioned_concurrency(variables: &Variables) -> Variables {
    let mut variables = variables.clone();
    variables.insert("AWS_LAMBDA_INITIALIZATION_TYPE", "provisioned-concurrency".to_owned());
    variables
}

/// Runs a function that does not start. Returns its exit code and its error output.
async fn run_until_exit(program: &str, variables: &Variables) -> (i32, String) {
    let mut function = Function::spawn(program, &with_provisioned_concurrency(variables)).await;
    let status = function.process.wait().await.unwrap();
    (status.code().unwrap(), function.stderr())
}

#[tokio::test]
async fn names_all_missing_variables_at_once() {
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
        let (code, message) = run_until_exit(program, &Variables::new()).await;
        assert_ne!(code, 0);
        assert_eq!(message.lines().count(), 1, "{message}");
        for name in platform.iter().chain(own) {
            assert!(message.contains(name), "{program} does not name {name}: {message}");
        }
    }
}

#[tokio::test]
async fn the_service_does_not_start_without_a_signing_key() {
    let mut environment = TestEnvironment::start().await;
    let missing = environment.dir.path().join("missing.pem").to_str().unwrap().to_owned();
    let not_a_key = environment.dir.path().join("hunter2.pem");
    std::fs::write(&not_a_key, "hunter2").unwrap();
    for path in [missing, not_a_key.to_str().unwrap().to_owned()] {
        environment.variables.insert("CLOUDFRONT_PRIVATE_KEY_FILE", path);
        let (code, message) = run_until_exit(SERVICE, &environment.variables).await;
        assert_ne!(code, 0);
        assert!(message.to_lowercase().contains("private") && !message.contains("hunter2"), "{message}");
    }
}

#[tokio::test]
async fn the_service_starts_within_ten_seconds() {
    let environment = TestEnvironment::start().await;
    let function = Function::start(SERVICE, &environment.variables).await;
    let took = function.api.init_duration().await;
    assert!(took.as_secs() < 10, "Lambda ends a start after ten seconds: {took:?}");
    assert_eq!(function.api.init_error(), None);
}

/// Starts the service with this address for SSM. Asserts that it names SSM before Lambda ends the start.
async fn assert_ssm_is_named(address: std::net::SocketAddr) {
    let mut environment = TestEnvironment::start().await;
    environment.variables.remove("CLOUDFRONT_PRIVATE_KEY_FILE");
    environment.variables.insert("CLOUDFRONT_PRIVATE_KEY_SSM_PARAM", "secret-name".to_owned());
    environment.variables.insert("AWS_ENDPOINT_URL_SSM", format!("http://{address}"));
    let mut function = Function::spawn(SERVICE, &with_provisioned_concurrency(&environment.variables)).await;
    let status = function.process.wait().await.unwrap();
    assert_ne!(status.code().unwrap(), 0);

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
async fn names_ssm_when_it_accepts_and_never_answers() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    assert_ssm_is_named(silent.local_addr().unwrap()).await;
}

/// Packets are dropped, as in a subnet without a route. Here the accept queue of the socket is full.
#[tokio::test]
async fn names_ssm_when_it_cannot_be_reached() {
    let full = FullBacklogListener::start().await.unwrap();
    assert_ssm_is_named(full.local_addr().unwrap()).await;
}

#[tokio::test]
async fn starts_and_names_a_database_that_never_answers() {
    let mut environment = TestEnvironment::start().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    environment.variables.insert("POSTGRES_HOST", address.ip().to_string());
    environment.variables.insert("POSTGRES_PORT", address.port().to_string());
    let function = Function::start(SERVICE, &environment.variables).await;
    let took = function.api.init_duration().await;
    assert!(took < Duration::from_secs(8), "{took:?}");
    let log = function.log();
    let line = log.iter().find(|line| line["message"] == "the database does not answer yet").unwrap();
    assert_eq!((&line["service"], &line["endpoint"]), (&"postgres".into(), &address.to_string().into()));
}
