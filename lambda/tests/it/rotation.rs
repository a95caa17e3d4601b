//! Replacing the signing key of a running service.

use signing_keys::{KeyRotation, KeySource};
use std::{fs, path::Path, time::Duration};

use aws::{ClientConfig, Clock, HttpClient, JsonClient};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use hosting::HostBuilder;
use hosting::config::{self, Host};
use lambda::service::Service;
use lambda_runtime::{Context, LambdaEvent};
use restore::queue::WorkerQueue;
use serde_json::{Value, json};
use signing::cloudfront::{HashAlgorithm, PrivateKey};
use signing::s3::Region;
use tokio::{net::TcpListener, time::Instant};

use crate::{environment::TestEnvironment, function::load_event};

fn write_key(path: &Path, id: &str) {
    let key = PrivateKey::generate_p256().unwrap().to_pkcs8_pem().unwrap();
    fs::write(path, format!("Key-Pair-Id: {id}\n{}", *key)).unwrap();
}

/// A service that reloads the key at each request but the first.
async fn build_service(environment: &mut TestEnvironment, source: KeySource) -> Service {
    environment.variables.insert("AWS_REGION", "us-east-1".to_owned());
    let config =
        config::ServiceConfig::read(Host::Lambda, &|name| environment.variables.get(name).cloned()).unwrap();
    let builder = HostBuilder::from_environment(config.platform.clone()).unwrap();
    let queue = WorkerQueue::Sqs(builder.sqs_queue(config.restore_queue_url.clone().unwrap()).unwrap());
    let db = builder.connect_db().await.unwrap();
    let (cdn, _) = builder.load_cdn(&config.cdn).await.unwrap();
    Service::new(
        builder.build_app(config, db, cdn, queue).unwrap(),
        KeyRotation::new(source, None, HashAlgorithm::Sha256, Duration::ZERO),
    )
}

/// A signed link to an asset of a new package.
async fn request_link(environment: &TestEnvironment, service: &Service) -> String {
    let package = environment.create_file(&uuid::Uuid::new_v4().to_string(), b"hello").await;
    let (dataset, package) = (&environment.dataset.node_id, &package.node_id);
    let mut event = load_event("get");
    event["requestContext"]["http"]["path"] = json!("/cloudfront/sign");
    event["rawQueryString"] = json!(format!("dataset_id={dataset}&package_id={package}&path=a.parquet"));
    event["requestContext"]["authorizer"]["lambda"] = environment.authorizer_context(2);
    let response = service.handle_event(LambdaEvent::new(event, Context::default())).await.unwrap();
    let response = serde_json::to_value(response).unwrap();
    let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    body["signed_url"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn uses_a_replaced_key() {
    let mut environment = TestEnvironment::start().await;
    let path = environment.dir.path().join("cloudfront.pem");
    write_key(&path, "KOLD");
    let service = Box::pin(build_service(&mut environment, KeySource::File(path.clone()))).await;
    assert!(request_link(&environment, &service).await.contains("Key-Pair-Id=KOLD"));
    write_key(&path, "KNEW");
    assert!(request_link(&environment, &service).await.contains("Key-Pair-Id=KNEW"));
    fs::write(&path, "dummy").unwrap();
    assert!(
        request_link(&environment, &service).await.contains("Key-Pair-Id=KNEW"),
        "an invalid key is not used"
    );
}

#[tokio::test]
async fn a_request_waits_half_a_second_for_a_new_key() {
    let mut environment = TestEnvironment::start().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let keys = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    let settings = ClientConfig {
        region: Region::new("us-east-1").unwrap(),
        credentials: SharedCredentialsProvider::new(keys),
        endpoint: Some(format!("http://{}", silent.local_addr().unwrap())),
        clock: Clock::System,
    };
    let ssm = JsonClient::ssm(&settings, HttpClient::new().unwrap()).unwrap();
    let source = KeySource::Ssm { client: ssm, name: "key".to_owned() };
    let service = Box::pin(build_service(&mut environment, source)).await;
    // The first request does not reload the key.
    let mut health = load_event("get");
    health["requestContext"]["http"]["path"] = json!("/health");
    service.handle_event(LambdaEvent::new(health.clone(), Context::default())).await.unwrap();

    // `/health` needs no other service, so only reloading the key takes time. The paused clock jumps to the next timer.
    tokio::time::pause();
    let started = Instant::now();
    service.handle_event(LambdaEvent::new(health, Context::default())).await.unwrap();
    let waited = started.elapsed().as_millis();
    assert!((500..=501).contains(&waited), "timers have milliseconds: {waited} ms");
    tokio::time::resume();
    assert!(request_link(&environment, &service).await.contains("Key-Pair-Id=KTEST0000001"));
}
