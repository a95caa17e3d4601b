//! Variables: correct, missing, invalid and contradicting ones. The doctor writes nothing.

use doctor::Status::{Failure, Ok, Warning};

use crate::environment::{TestEnvironment, assert_check, list_failures};

#[tokio::test]
async fn a_working_service_is_healthy_and_nothing_is_written() {
    let environment = TestEnvironment::start().await;
    environment.faults.reset();
    let report = environment.run_checks().await;
    assert_eq!(list_failures(&report), [""; 0]);
    assert!(report.is_healthy());
    // A database that takes no writes: only that is reported, so the checks write nothing.
    environment
        .run_sql(
            "ALTER DATABASE CURRENT SET default_transaction_read_only = on"
                .replace("CURRENT", &find_database_name(&environment))
                .as_str(),
        )
        .await;
    let report = environment.run_checks().await;
    assert_eq!(list_failures(&report), ["writes"]);
    let titles: Vec<&str> = report.sections.iter().map(|section| section.title).collect();
    let expected =
        ["Configuration", "Network", "Database", "Storage", "Signing key", "Restores", "User pools", "Clock"];
    assert_eq!(titles, expected);
    assert_check(&report, "variables", Ok, ["the environment test in us-east-1", ""]);
    assert_check(&report, "AWS", Ok, ["custom endpoints: AWS_ENDPOINT_URL_S3", ""]);
    assert_check(&report, "clock", Ok, ["agrees", ""]);
    for operation in environment.faults.request_counts().keys() {
        assert!(
            operation.starts_with("Get") || operation.starts_with("Head") || operation.starts_with("List"),
            "{operation}"
        );
    }
}

fn find_database_name(environment: &TestEnvironment) -> String {
    environment.database.rsplit('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn no_secret_is_in_the_report() {
    let mut environment = TestEnvironment::start().await;
    environment.set_variable("POSTGRES_PASSWORD", "hunter2");
    environment.set_variable("AWS_SESSION_TOKEN", "hunter3");
    let key = std::fs::read_to_string(environment.dir.path().join("key.pem")).unwrap();
    let report = environment.run_checks().await;
    let text = serde_json::to_string(&report).unwrap() + &doctor::render(&report, true);
    let secret = environment.variables["AWS_SECRET_ACCESS_KEY"].as_str();
    for secret in ["hunter", secret, key.lines().nth(2).unwrap(), "X-Amz-Signature", "Signature="] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn reports_missing_and_invalid_variables_and_checks_the_rest() {
    let mut environment = TestEnvironment::start().await;
    environment.variables.remove("CLOUDFRONT_KEY_ID");
    environment.set_variable("TOKEN_POOL", "no pool");
    let report = environment.run_checks().await;
    assert_check(&report, "CLOUDFRONT_KEY_ID", Failure, ["not set", "the id of the public key"]);
    assert_check(&report, "TOKEN_POOL", Failure, ["invalid value", "user pool of API keys"]);
    assert_eq!(list_failures(&report), ["CLOUDFRONT_KEY_ID", "TOKEN_POOL"]);
    assert_check(&report, "privileges: restores", Ok, ["", ""]);

    environment.variables.clear();
    let report = environment.run_checks().await;
    assert_eq!(report.sections.len(), 1);
    assert!(list_failures(&report).contains(&"ENV") && list_failures(&report).len() > 8);
}

#[tokio::test]
async fn reports_contradicting_variables() {
    let environment = TestEnvironment::start().await;
    let report = environment
        .run_checks_with(&[
            ("AWS_REGION", "eu-west-1"),
            ("RESTORE_PACKAGE_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/1/orders"),
            ("JOBS_QUEUE_ID", "https://sqs.eu-central-1.amazonaws.com/1/jobs"),
            ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1"),
            ("USER_POOL", "eu-west-1_AbCdEf"),
            ("CLOUDFRONT_DISTRIBUTION_DOMAIN", "http://cdn.invalid"),
        ])
        .await;
    assert_check(&report, "REGION", Warning, ["AWS_REGION is eu-west-1", "REGION takes precedence"]);
    assert_check(
        &report,
        "RESTORE_PACKAGE_QUEUE_URL",
        Failure,
        ["the queue is in eu-west-1", "use a queue there"],
    );
    assert_check(&report, "JOBS_QUEUE_ID", Failure, ["the queue is in eu-central-1", "use a queue there"]);
    assert_check(&report, "USER_POOL", Failure, ["the pool is in eu-west-1", "use a pool there"]);
    assert_check(&report, "CLOUDFRONT_DISTRIBUTION_DOMAIN", Warning, ["not encrypted", "remove http://"]);
    let report = environment
        .run_checks_with(&[("RDS_PROXY_ENDPOINT", "proxy.invalid"), ("REGION", "us-east-1")])
        .await;
    assert_check(&report, "POSTGRES_HOST", Warning, ["RDS_PROXY_ENDPOINT is also set", "remove"]);
    let report = environment.run_checks_with(&[("POSTGRES_HOST", "database.invalid")]).await;
    assert_check(&report, "POSTGRES_SSL_MODE", Warning, ["not encrypted", "remove"]);
}
