use std::collections::HashMap;

use crate::config::*;

fn complete() -> HashMap<&'static str, &'static str> {
    HashMap::from([
        ("ENV", "dev"),
        ("PENNSIEVE_DOMAIN", "example.org"),
        ("AWS_REGION", "us-east-1"),
        ("RDS_PROXY_ENDPOINT", "proxy.example.org"),
        ("VIEWER_ASSETS_BUCKET", "viewer-assets"),
        ("CLOUDFRONT_DISTRIBUTION_DOMAIN", "d111111abcdef8.cloudfront.net"),
        ("CLOUDFRONT_KEY_ID", "K2JCJMDEHXQW5F"),
        ("CLOUDFRONT_PRIVATE_KEY_SSM_PARAM", "/dev/packages-service/cloudfront/private-key"),
        ("RESTORE_PACKAGE_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/1/restore"),
        ("DELETE_RECORD_DYNAMODB_TABLE_NAME", "records"),
        ("JOBS_QUEUE_ID", "https://sqs.us-east-1.amazonaws.com/1/jobs"),
        ("USER_POOL", "us-east-1_people"),
        ("USER_CLIENT", "people"),
        ("TOKEN_POOL", "us-east-1_keys"),
        ("TOKEN_CLIENT", "keys"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
    ])
}

fn changed(changes: &[(&'static str, &'static str)]) -> HashMap<&'static str, &'static str> {
    let mut variables = complete();
    variables.extend(changes.iter().copied());
    variables
}

fn service(host: Host, variables: &HashMap<&'static str, &'static str>) -> Result<ServiceConfig, String> {
    let lookup = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    ServiceConfig::read(host, &lookup).map_err(|faults| faults.to_string())
}

#[test]
fn a_complete_environment_is_read() {
    let service = service(Host::Lambda, &complete()).unwrap();
    assert_eq!(service.platform.database.host, "proxy.example.org");
    assert_eq!(service.platform.database.port, 5432);
    assert_eq!(service.platform.database.user, "dev_rds_proxy_user");
    assert_eq!(service.platform.database.name, "pennsieve_postgres");
    assert!(service.platform.database.tls && service.platform.database.password.is_none());
    assert_eq!(service.platform.region.as_str(), "us-east-1");
    assert_eq!(service.cdn.origin, "https://d111111abcdef8.cloudfront.net");
    assert_eq!(service.proxy_buckets, [Bucket::new("viewer-assets").unwrap()]);
    assert_eq!(service.platform.log, "info");
}

#[test]
fn every_fault_is_named_at_once_and_no_value_is() {
    let nothing = service(Host::Lambda, &HashMap::new()).unwrap_err();
    for name in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "CLOUDFRONT_DISTRIBUTION_DOMAIN",
        "CLOUDFRONT_KEY_ID",
        "CLOUDFRONT_PRIVATE_KEY_SSM_PARAM (or CLOUDFRONT_PRIVATE_KEY_FILE)",
        "ENV",
        "PENNSIEVE_DOMAIN",
        "POSTGRES_HOST (or RDS_PROXY_ENDPOINT)",
        "REGION",
        "RESTORE_PACKAGE_QUEUE_URL",
        "VIEWER_ASSETS_BUCKET",
    ] {
        assert!(nothing.contains(name), "{name}: {nothing}");
    }
    let odd = changed(&[
        ("VIEWER_ASSETS_BUCKET", "HUNTER2"),
        ("CLOUDFRONT_HASH_ALGORITHM", "hunter2"),
        ("RDS_PROXY_ENDPOINT", "hunter2:x"),
        ("POSTGRES_CONNECTIONS", "0"),
        ("AWS_ENDPOINT_URL", "hunter2"),
        ("AWS_ENDPOINT_URL_SQS", "http://"),
        ("AWS_ENDPOINT_URL_SSM", "https://hunter2 "),
        ("AWS_ENDPOINT_URL_DYNAMODB", "http://hunter 2/"),
        ("ENV", " "),
    ]);
    let odd = service(Host::Lambda, &odd).unwrap_err();
    for name in [
        "not set: ENV;",
        "AWS_ENDPOINT_URL,",
        "AWS_ENDPOINT_URL_DYNAMODB",
        "AWS_ENDPOINT_URL_SQS",
        "CLOUDFRONT_HASH_ALGORITHM",
        "POSTGRES_CONNECTIONS",
        "RDS_PROXY_ENDPOINT",
        "VIEWER_ASSETS_BUCKET",
    ] {
        assert!(odd.contains(name), "{name}: {odd}");
    }
    assert!(!odd.to_lowercase().contains("hunter2") && !odd.contains("POSTGRES_HOST"), "{odd}");
}

#[test]
fn the_restore_function_must_be_told_that_there_are_no_records() {
    let read = |variables: &HashMap<&'static str, &'static str>| {
        RestoreConfig::read(Host::Lambda, &|name: &str| variables.get(name).map(|value| (*value).to_owned()))
    };
    let restore = read(&changed(&[("DELETE_RECORD_DYNAMODB_TABLE_NAME", "none")])).unwrap();
    assert_eq!(restore.delete_records, None);
    assert!(restore.changelog.is_some());
    let mut variables = complete();
    variables.remove("JOBS_QUEUE_ID");
    assert!(read(&variables).unwrap_err().to_string().contains("not set: JOBS_QUEUE_ID"));
}

#[test]
fn a_server_needs_no_queue_no_credentials_and_no_proxy() {
    let mut variables = changed(&[
        ("POSTGRES_HOST", "db.example.org"),
        ("POSTGRES_PASSWORD", "hunter2"),
        ("POSTGRES_PORT", "6432"),
        ("CLOUDFRONT_PRIVATE_KEY_FILE", "/etc/key.pem"),
        ("PROXY_ALLOWED_BUCKETS", " a-bucket , ,b-bucket"),
        ("AWS_XRAY_DAEMON_ADDRESS", "tcp:127.0.0.1:2001 udp:127.0.0.1:2000"),
    ]);
    for name in [
        "RDS_PROXY_ENDPOINT",
        "RESTORE_PACKAGE_QUEUE_URL",
        "AWS_ACCESS_KEY_ID",
        "CLOUDFRONT_PRIVATE_KEY_SSM_PARAM",
    ] {
        variables.remove(name);
    }
    let service = service(Host::Server, &variables).unwrap();
    assert!(service.queue.is_none() && service.platform.credentials.is_none());
    assert!(service.platform.database.tls, "encryption must be switched off by name");
    assert_eq!(service.platform.database.port, 6432);
    assert_eq!(service.proxy_buckets.len(), 2);
    assert!(matches!(service.cdn.key, KeyLocation::File(_)));
    assert_eq!(service.platform.xray.as_deref(), Some("127.0.0.1:2000"));
    assert!(!format!("{service:?}").contains("hunter2"), "secrets do not print");
}

#[test]
fn a_server_that_restores_itself_names_what_that_takes_too() {
    let read = |variables: &HashMap<&'static str, &'static str>| {
        ServerConfig::read(&|name: &str| variables.get(name).map(|value| (*value).to_owned()))
    };
    assert!(read(&complete()).unwrap().restore.is_none());
    let mut variables = complete();
    for name in ["RESTORE_PACKAGE_QUEUE_URL", "JOBS_QUEUE_ID", "TOKEN_POOL"] {
        variables.remove(name);
    }
    assert!(read(&variables).unwrap_err().to_string().contains("not set: JOBS_QUEUE_ID, TOKEN_POOL"));
    variables.extend([("JOBS_QUEUE_ID", "none"), ("TOKEN_POOL", "us-east-1_keys")]);
    assert!(read(&variables).unwrap().restore.unwrap().changelog.is_none());
}

#[test]
fn one_endpoint_serves_all_services_that_have_none_of_their_own() {
    let variables = changed(&[
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566/"),
        ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:8000"),
    ]);
    let endpoints = service(Host::Lambda, &variables).unwrap().platform.endpoints;
    assert_eq!(endpoints.sqs.as_deref(), Some("http://127.0.0.1:4566"));
    assert_eq!(endpoints.dynamodb.as_deref(), Some("http://127.0.0.1:8000"));
    assert!(endpoints.s3.is_some());
}

#[test]
fn an_empty_list_of_proxy_buckets_counts_as_none_given() {
    assert_eq!(service(Host::Lambda, &changed(&[("PROXY_ALLOWED_BUCKETS", ",")])).unwrap().proxy_buckets, []);
    assert_eq!(
        service(Host::Lambda, &changed(&[("PROXY_ALLOWED_BUCKETS", "")])).unwrap().proxy_buckets.len(),
        1
    );
}

#[test]
fn the_readme_has_the_table() {
    let readme = include_str!("../../../../README.md");
    assert!(readme.contains(&readme_table()), "the README needs this table:\n{}", readme_table());
}

#[test]
fn ids_of_pools_that_would_change_a_url_are_refused() {
    for id in ["", "us-east-1", "_x", "us-east-1_", "a_b/../c", "a_b?x", "a_b@evil", "a_b.c", "a_é", "a_b c"]
    {
        assert!(UserPool::new(id, "client").is_none(), "{id}");
    }
    assert!(UserPool::new(&format!("a_{}", "b".repeat(54)), "client").is_none());
    for client in ["", "a b", "a/b", &"x".repeat(129)] {
        assert!(UserPool::new("us-east-1_a", client).is_none(), "{client}");
    }
    assert!(UserPool::new("us-east-1_AbC123", "3n4b5c").is_some());
}
