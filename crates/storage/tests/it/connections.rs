//! Calls to S3 over connections that break.

use aws::HttpClient;
use local::aws::scripted::{ScriptedReply, ScriptedServer};
use packages::links::Location;
use signing::s3::{Bucket, CustomEndpoint};
use storage::{HeadError, ObjectStore, ResponseHeaders, StorageConfig};

/// A server may close an idle connection at any time, even while the next request is being sent.
#[tokio::test]
async fn a_broken_connection_is_retried_once() {
    let server = ScriptedServer::start([
        ScriptedReply::Response(200, "abc".to_owned()),
        ScriptedReply::Disconnect,
        ScriptedReply::Response(200, "abcd".to_owned()),
        ScriptedReply::Disconnect,
        ScriptedReply::Disconnect,
    ])
    .await
    .unwrap();
    let aws = server.settings().unwrap();
    let endpoint = aws.endpoint.map(|url| CustomEndpoint::parse(&url).unwrap());
    let settings = StorageConfig { endpoint, region: aws.region, credentials: aws.credentials };
    let objects = ObjectStore::new(settings, HttpClient::new().unwrap());
    let bucket = Bucket::new("bucket").unwrap();
    let location = Location { bucket, key: "key".to_owned(), version: None };
    for length in [3, 4] {
        assert_eq!(
            objects.head_object(&location, &ResponseHeaders::default(), 1_793_881_845).await.unwrap().length,
            length
        );
    }
    assert!(matches!(
        objects.head_object(&location, &ResponseHeaders::default(), 1_793_881_845).await,
        Err(HeadError::Unavailable(_))
    ));
    assert_eq!(server.requests().len(), 5, "one retry per call");
}
