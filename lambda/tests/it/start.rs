//! What a function needs in order to start, and what it does without.

use crate::{
    function::{AUTHORIZER, Function, RESTORE, SERVICE},
    stand::{Stand, Variables},
};

/// The exit code and the message of a function that does not start.
async fn refusal(program: &str, variables: &Variables) -> (i32, String) {
    let mut function = Function::begin(program, variables).await;
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
    let took = function.api.initialised().await;
    assert!(took.as_secs() < 10, "Lambda waits no longer: {took:?}");
    assert_eq!(function.api.init_error(), None);
}
