//! Unreachable services: the report names the usual cause in time, and skips the checks that need them.

use doctor::Status::{Failure, Ok, Warning};
use local::{closed_port::bind_closed_port, full_backlog::FullBacklogListener};

use crate::environment::{TestEnvironment, assert_check, list_failures};

#[tokio::test]
async fn reports_names_that_do_not_resolve() {
    let environment = TestEnvironment::start().await;
    let report = environment
        .run_checks_with(&[
            ("POSTGRES_HOST", "database.invalid"),
            ("CLOUDFRONT_DISTRIBUTION_DOMAIN", "cdn.invalid"),
            ("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", "http://cognito.invalid"),
        ])
        .await;
    let not_resolved = "check the name";
    assert_check(&report, "database", Failure, ["database.invalid does not resolve", not_resolved]);
    assert_check(&report, "cdn", Warning, ["does not resolve", "it is from CLOUDFRONT_DISTRIBUTION_DOMAIN"]);
    assert_check(&report, "cognito", Failure, ["does not resolve", "private DNS"]);
    assert_check(&report, "s3", Ok, ["127.0.0.1, a private address", ""]);
    assert_eq!(list_failures(&report), ["database", "cognito"], "no other check fails");
}

#[tokio::test]
async fn reports_closed_ports() {
    let environment = TestEnvironment::start().await;
    let closed = bind_closed_port().unwrap();
    let address = closed.local_addr().unwrap();
    let (port, s3) = (address.port().to_string(), format!("http://{address}"));
    let report = environment.run_checks_with(&[("POSTGRES_PORT", &port), ("AWS_ENDPOINT_URL_S3", &s3)]).await;
    assert_check(&report, "database", Failure, ["refuses connections", "POSTGRES_PORT"]);
    assert_check(&report, "s3", Failure, ["refuses connections", "that the service is running"]);
}

/// Packets are dropped, as without a NAT gateway and a VPC endpoint. Here the accept queue of the socket is full.
#[tokio::test]
async fn reports_unreachable_services_in_time() {
    let mut environment = TestEnvironment::start().await;
    let full = FullBacklogListener::start().await.unwrap();
    let address = full.local_addr().unwrap();
    let url = format!("http://{address}");
    for service in
        ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL_DYNAMODB"]
    {
        environment.set_variable(service, &url);
    }
    environment.set_variable("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", &url);
    environment.set_variable("CLOUDFRONT_DISTRIBUTION_DOMAIN", &url);
    environment.set_variable("POSTGRES_PORT", &address.port().to_string());
    environment.set_variable("RESTORE_PACKAGE_QUEUE_URL", &format!("{url}/1/orders"));
    environment.set_variable("DELETE_RECORD_DYNAMODB_TABLE_NAME", "records");
    environment.variables.remove("CLOUDFRONT_PRIVATE_KEY_FILE");
    environment.set_variable("CLOUDFRONT_PRIVATE_KEY_SSM_PARAM", "key");
    let report = environment.run_checks().await;
    let late = "does not answer within 3 s";
    for (name, advice) in [
        ("database", "security group"),
        ("s3", "a gateway endpoint with a route"),
        ("dynamodb", "a gateway endpoint with a route"),
        ("sqs", "a VPC endpoint for sqs"),
        ("ssm", "a VPC endpoint for ssm"),
        ("cognito", "NAT gateway"),
    ] {
        assert_check(&report, name, Failure, [late, advice]);
    }
    // The service does not connect to the distribution, it only makes links to it.
    assert_check(&report, "cdn", Warning, [late, "NAT gateway"]);
}
