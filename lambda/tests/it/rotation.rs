//! Another signing key, while the service runs.

use signing_keys::{KeyRotation, KeySource};
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

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
use tokio::net::TcpListener;

use crate::{function::recorded, stand::Stand};

fn write_key(path: &Path, id: &str) {
    let key = PrivateKey::generate_p256().unwrap().to_pkcs8_pem().unwrap();
    fs::write(path, format!("Key-Pair-Id: {id}\n{}", *key)).unwrap();
}

/// The service, which looks for another key at every request but the first.
async fn service(stand: &mut Stand, source: KeySource) -> Service {
    stand.variables.insert("AWS_REGION", "us-east-1".to_owned());
    let config =
        config::ServiceConfig::read(Host::Lambda, &|name| stand.variables.get(name).cloned()).unwrap();
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
async fn link(stand: &Stand, service: &Service) -> String {
    let package = stand.file(&uuid::Uuid::new_v4().to_string(), b"hello").await;
    let (dataset, package) = (&stand.dataset.node_id, &package.node_id);
    let mut event = recorded("get");
    event["requestContext"]["http"]["path"] = json!("/cloudfront/sign");
    event["rawQueryString"] = json!(format!("dataset_id={dataset}&package_id={package}&path=a.parquet"));
    event["requestContext"]["authorizer"]["lambda"] = stand.context(2);
    let answer = service.handle_event(LambdaEvent::new(event, Context::default())).await.unwrap();
    let answer = serde_json::to_value(answer).unwrap();
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    body["signed_url"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn another_key_is_taken_into_use() {
    let mut stand = Stand::start().await;
    let path = stand.dir.path().join("cloudfront.pem");
    write_key(&path, "KOLD");
    let service = Box::pin(service(&mut stand, KeySource::File(path.clone()))).await;
    assert!(link(&stand, &service).await.contains("Key-Pair-Id=KOLD"));
    write_key(&path, "KNEW");
    assert!(link(&stand, &service).await.contains("Key-Pair-Id=KNEW"));
    fs::write(&path, "dummy").unwrap();
    assert!(link(&stand, &service).await.contains("Key-Pair-Id=KNEW"), "a bad one is not taken");
}

#[tokio::test]
async fn a_look_at_the_key_keeps_a_request_waiting_only_briefly() {
    let mut stand = Stand::start().await;
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
    let service = Box::pin(service(&mut stand, source)).await;
    link(&stand, &service).await;
    let begun = Instant::now();
    assert!(link(&stand, &service).await.contains("Key-Pair-Id=KTEST0000001"));
    // A call that nobody answers would take ten seconds a try.
    assert!((500..8000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
}
