//! The traces of the functions, as the X-Ray daemon in Lambda receives them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, UdpSocket},
    time::Duration,
};

use aws::Clock;
use serde_json::{Value, json};

use crate::{
    environment::TestEnvironment,
    function::{AUTHORIZER, Function, RESTORE, SERVICE, load_event},
    pools::{UserPools, sign_user_token},
};

/// The id of the segment of the invocation, which Lambda creates.
const INVOCATION_SEGMENT_ID: &str = "53995c3f42cd8ad8";

/// A socket in the place of the daemon.
struct XrayDaemon(UdpSocket);

impl XrayDaemon {
    fn start(environment: &mut TestEnvironment) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        environment.variables.insert("AWS_XRAY_DAEMON_ADDRESS", socket.local_addr().unwrap().to_string());
        Self(socket)
    }

    /// The documents received so far.
    fn receive_documents(&self) -> Vec<Value> {
        let mut buffer = vec![0; 65_536];
        std::iter::from_fn(|| {
            let length = self.0.recv(&mut buffer).ok()?;
            let text = std::str::from_utf8(&buffer[..length]).unwrap();
            let (header, document) = text.split_once('\n').unwrap();
            assert_eq!(header, r#"{"format":"json","version":1}"#);
            Some(serde_json::from_str(document).unwrap())
        })
        .collect()
    }
}

/// The id and the header of a new trace.
fn create_trace() -> (String, String) {
    let root = format!("1-{:08x}-abcdef012345678912345678", Clock::System.now());
    let header = format!("Root={root};Parent={INVOCATION_SEGMENT_ID};Sampled=1");
    (root, header)
}

/// The document with this name, and the names of its subsegments. All documents must belong to this trace and to the document.
fn collect_subsegments<'a>(documents: &'a [Value], root: &str, name: &str) -> (&'a Value, BTreeSet<&'a str>) {
    let by_id: BTreeMap<&str, &Value> =
        documents.iter().map(|document| (document["id"].as_str().unwrap(), document)).collect();
    let top = documents.iter().find(|document| document["name"] == name).unwrap();
    let mut names = BTreeSet::new();
    for document in documents.iter().filter(|document| document["id"] != top["id"]) {
        assert_eq!((&document["trace_id"], &document["type"]), (&json!(root), &json!("subsegment")));
        let mut above = document;
        while above["id"] != top["id"] {
            above = by_id[above["parent_id"].as_str().unwrap()];
        }
        names.insert(document["name"].as_str().unwrap());
    }
    assert_eq!((&top["trace_id"], &top["parent_id"]), (&json!(root), &json!(INVOCATION_SEGMENT_ID)));
    (top, names)
}

#[tokio::test]
async fn a_request_is_a_subsegment_of_its_invocation() {
    let mut environment = TestEnvironment::start().await;
    let (daemon, (root, header)) = (XrayDaemon::start(&mut environment), create_trace());
    let function = Function::start(SERVICE, &environment.variables).await;
    let package = environment.create_file("a.txt", b"hello").await;
    let mut event = load_event("get");
    event["rawQueryString"] =
        json!(format!("dataset_id={}&package_id={}", environment.dataset.node_id, package.node_id));
    event["requestContext"]["authorizer"]["lambda"] = environment.authorizer_context(2);
    assert_eq!(function.invoke_in_trace(event, &header).await.unwrap()["statusCode"], 307);
    let documents = daemon.receive_documents();
    let (request, parts) = collect_subsegments(&documents, &root, "request");
    assert_eq!(request["type"], "subsegment");
    assert_eq!(parts, BTreeSet::from(["postgres", "sign"]));
}

#[tokio::test]
async fn a_restore_is_a_segment_of_the_trace_of_its_message() {
    let mut environment = TestEnvironment::start().await;
    let (daemon, (root, header)) = (XrayDaemon::start(&mut environment), create_trace());
    let function = Function::start(RESTORE, &environment.variables).await;
    let package = environment.create_restoring("a.txt").await;
    let mut event = load_event("sqs");
    event["Records"].as_array_mut().unwrap().truncate(1);
    event["Records"][0]["body"] = json!(environment.restore_message(&package));
    event["Records"][0]["attributes"]["AWSTraceHeader"] = json!(header);
    assert_eq!(function.invoke(event).await.unwrap(), json!({"batchItemFailures": []}));
    let documents = daemon.receive_documents();
    let (restore, parts) = collect_subsegments(&documents, &root, "restore");
    assert_eq!(restore["type"], Value::Null, "a segment");
    assert_eq!(parts, BTreeSet::from(["S3", "postgres"]));
}

#[tokio::test]
async fn an_authorization_is_a_subsegment_of_its_invocation() {
    let (mut environment, pools) = (TestEnvironment::start().await, UserPools::start().await);
    environment.variables.extend(pools.variables());
    let (daemon, (root, header)) = (XrayDaemon::start(&mut environment), create_trace());
    let function = Function::start(AUTHORIZER, &environment.variables).await;
    let user = environment.create_user("viewer").await;
    let token = sign_user_token(&user);
    let mut event = load_event("authorizer");
    event["identitySource"] = json!([format!("Bearer {token}"), environment.dataset.node_id]);
    assert_eq!(function.invoke_in_trace(event, &header).await.unwrap()["isAuthorized"], true);
    let documents = daemon.receive_documents();
    let (decision, parts) = collect_subsegments(&documents, &root, "authorize");
    assert_eq!(decision["type"], "subsegment");
    assert_eq!(parts, BTreeSet::from(["cognito", "postgres"]));
}
