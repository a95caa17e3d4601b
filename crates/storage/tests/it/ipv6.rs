//! S3 at an IPv6 address, which stands in brackets in URLs and in the signed `Host`.

use aws::{Clock, HttpClient};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use local::s3::{S3Config, S3Server, S3Store};
use packages::links::Location;
use signing::s3::{Bucket, CustomEndpoint, Region};
use storage::{ObjectStore, ResponseHeaders, StorageConfig};

#[tokio::test]
async fn an_endpoint_may_be_an_ipv6_address() {
    let address = "[::1]:0".parse().unwrap();
    if tokio::net::TcpListener::bind(address).await.is_err() {
        println!("skipped: this machine has no IPv6");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = S3Store::open(dir.path(), Clock::System).unwrap();
    store.create_bucket("bucket").unwrap();
    store.put("bucket", "a key", b"hello".to_vec(), "text/plain").unwrap();
    let config = S3Config { address, ..S3Config::new(store) };
    let keys = config.credentials[0].clone();
    let server = S3Server::start(config).await.unwrap();
    let credentials = Credentials::new(keys.access_key, keys.secret_key, None, None, "test");
    let settings = StorageConfig {
        endpoint: Some(CustomEndpoint::parse(&server.endpoint()).unwrap()),
        region: Region::new("us-east-1").unwrap(),
        credentials: SharedCredentialsProvider::new(credentials),
    };
    let objects = ObjectStore::new(settings, HttpClient::new().unwrap());
    let location =
        Location { bucket: Bucket::new("bucket").unwrap(), key: "a key".to_owned(), version: None };
    let head =
        objects.head_object(&location, &ResponseHeaders::default(), Clock::System.now()).await.unwrap();
    assert_eq!(head.length, 5);
}
