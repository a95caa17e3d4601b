//! What the functions tell X-Ray, as its daemon in Lambda would receive it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, UdpSocket},
    time::Duration,
};

use aws::Clock;
use serde_json::{Value, json};

use crate::{
    function::{AUTHORIZER, Function, RESTORE, SERVICE, recorded},
    pools::{Pools, token},
    stand::Stand,
};

/// The segment that Lambda has for an invocation.
const INVOCATION: &str = "53995c3f42cd8ad8";

/// A socket in place of the daemon.
struct Daemon(UdpSocket);

impl Daemon {
    fn start(stand: &mut Stand) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        stand.variables.insert("AWS_XRAY_DAEMON_ADDRESS", socket.local_addr().unwrap().to_string());
        Self(socket)
    }

    /// The documents that have arrived.
    fn documents(&self) -> Vec<Value> {
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

/// A trace that begins now, and its header.
fn trace() -> (String, String) {
    let root = format!("1-{:08x}-abcdef012345678912345678", Clock::System.now());
    let header = format!("Root={root};Parent={INVOCATION};Sampled=1");
    (root, header)
}

/// The names of a document's own parts. All documents must be of one trace, and lead up to the document.
fn parts<'a>(documents: &'a [Value], root: &str, name: &str) -> (&'a Value, BTreeSet<&'a str>) {
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
    assert_eq!((&top["trace_id"], &top["parent_id"]), (&json!(root), &json!(INVOCATION)));
    (top, names)
}

#[tokio::test]
async fn a_request_is_part_of_its_invocation() {
    let mut stand = Stand::start().await;
    let (daemon, (root, header)) = (Daemon::start(&mut stand), trace());
    let function = Function::start(SERVICE, &stand.variables).await;
    let package = stand.file("a.txt", b"hello").await;
    let mut event = recorded("get");
    event["rawQueryString"] =
        json!(format!("dataset_id={}&package_id={}", stand.dataset.node_id, package.node_id));
    event["requestContext"]["authorizer"]["lambda"] = stand.context(2);
    assert_eq!(function.invoke_in_trace(event, &header).await.unwrap()["statusCode"], 307);
    let documents = daemon.documents();
    let (request, parts) = parts(&documents, &root, "request");
    assert_eq!(request["type"], "subsegment");
    assert_eq!(parts, BTreeSet::from(["postgres", "sign"]));
}

#[tokio::test]
async fn a_restore_is_a_segment_of_the_trace_that_its_message_carries() {
    let mut stand = Stand::start().await;
    let (daemon, (root, header)) = (Daemon::start(&mut stand), trace());
    let function = Function::start(RESTORE, &stand.variables).await;
    let package = stand.restoring("a.txt").await;
    let mut event = recorded("sqs");
    event["Records"].as_array_mut().unwrap().truncate(1);
    event["Records"][0]["body"] = json!(stand.message(&package));
    event["Records"][0]["attributes"]["AWSTraceHeader"] = json!(header);
    assert_eq!(function.invoke(event).await.unwrap(), json!({"batchItemFailures": []}));
    let documents = daemon.documents();
    let (restore, parts) = parts(&documents, &root, "restore");
    assert_eq!(restore["type"], Value::Null, "a segment");
    assert_eq!(parts, BTreeSet::from(["S3", "postgres"]));
}

#[tokio::test]
async fn a_decision_is_part_of_its_invocation() {
    let (mut stand, pools) = (Stand::start().await, Pools::publish().await);
    stand.variables.extend(pools.variables());
    let (daemon, (root, header)) = (Daemon::start(&mut stand), trace());
    let function = Function::start(AUTHORIZER, &stand.variables).await;
    let user = stand.user("viewer").await;
    let token = token(&user);
    let mut event = recorded("authorizer");
    event["identitySource"] = json!([format!("Bearer {token}"), stand.dataset.node_id]);
    assert_eq!(function.invoke_in_trace(event, &header).await.unwrap()["isAuthorized"], true);
    let documents = daemon.documents();
    let (decision, parts) = parts(&documents, &root, "authorize");
    assert_eq!(decision["type"], "subsegment");
    assert_eq!(parts, BTreeSet::from(["cognito", "postgres"]));
}
