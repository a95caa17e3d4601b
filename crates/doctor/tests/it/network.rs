//! Places that are out of reach are told with what is commonly the reason, in time, and what needs them is left out.

use std::time::{Duration, Instant};

use doctor::Status::{Failure, Ok, Warning};
use local::full_backlog::FullBacklogListener;
use tokio::net::TcpListener;

use crate::scene::{Scene, assert_check, failures};

/// A port at which nobody listens.
async fn closed() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_told() {
    let scene = Scene::start().await;
    let report = scene
        .report_with(&[
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
    assert_eq!(failures(&report), ["database", "cognito"], "nothing else is tried there");
}

#[tokio::test]
async fn a_port_that_is_closed_is_told() {
    let scene = Scene::start().await;
    let (database, s3) = (closed().await, closed().await);
    let port = database.rsplit(':').next().unwrap();
    let report =
        scene.report_with(&[("POSTGRES_PORT", port), ("AWS_ENDPOINT_URL_S3", &format!("http://{s3}"))]).await;
    assert_check(&report, "database", Failure, ["refuses connections", "POSTGRES_PORT"]);
    assert_check(&report, "s3", Failure, ["refuses connections", "that the service is running"]);
}

/// As without a NAT gateway and without an endpoint: packets are dropped, here by a queue of connections that is full.
#[tokio::test]
async fn a_subnet_without_a_way_out_is_told_in_time() {
    let mut scene = Scene::start().await;
    let full = FullBacklogListener::start().await.unwrap();
    let address = full.local_addr().unwrap();
    let url = format!("http://{address}");
    for service in
        ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL_DYNAMODB"]
    {
        scene.set(service, &url);
    }
    scene.set("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", &url);
    scene.set("CLOUDFRONT_DISTRIBUTION_DOMAIN", &url);
    scene.set("POSTGRES_PORT", &address.port().to_string());
    scene.set("RESTORE_PACKAGE_QUEUE_URL", &format!("{url}/1/orders"));
    scene.set("DELETE_RECORD_DYNAMODB_TABLE_NAME", "records");
    scene.variables.remove("CLOUDFRONT_PRIVATE_KEY_FILE");
    scene.set("CLOUDFRONT_PRIVATE_KEY_SSM_PARAM", "key");
    let begun = Instant::now();
    let report = scene.report().await;
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
    // It only makes links to the distribution.
    assert_check(&report, "cdn", Warning, [late, "NAT gateway"]);
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
}
