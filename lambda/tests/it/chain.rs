//! One restore from its order to its end, over the protocols of AWS, by functions that may do what Terraform lets them.

use aws::SqsQueue;
use local::{
    aws::{Account, FunctionResources},
    workspace::{Package, SourceFile},
};
use restore::MAX_ATTEMPTS;
use serde_json::{Value, json};
use signing::cloudfront::PrivateKey;
use uuid::Uuid;

use crate::{
    function::{Function, RESTORE, SERVICE, recorded},
    stand::Stand,
};

const TRACE: &str = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1";

/// What the functions share in AWS, under names of this test's own.
struct Place {
    root: Account,
    stand: Stand,
    id: String,
    /// Shows a message once in an hour and a half, and the next time to the dead letters.
    orders: SqsQueue,
    dead: SqsQueue,
    jobs: SqsQueue,
    bucket: String,
}

impl Place {
    async fn make() -> Self {
        let (root, mut stand) = (Account::root().unwrap(), Stand::start().await);
        let id = Uuid::new_v4().simple().to_string();
        let bucket = format!("storage-{id}");
        root.create_bucket(&bucket).await.unwrap();
        root.create_table(&format!("records-{id}"), None).await.unwrap();
        let dead = root.create_queue(&format!("dead-{id}"), json!({})).await.unwrap();
        let redrive = json!({
            "deadLetterTargetArn": Account::queue_arn(&format!("dead-{id}")), "maxReceiveCount": 1,
        });
        let once = json!({"VisibilityTimeout": "5400", "RedrivePolicy": redrive.to_string()});
        let orders = root.create_queue(&format!("orders-{id}"), once).await.unwrap();
        let jobs = root.create_queue(&format!("jobs-{id}"), json!({})).await.unwrap();
        let key = PrivateKey::generate_p256().unwrap().to_pkcs8_pem().unwrap();
        root.put_parameter(&format!("/test/{id}/private-key"), "SecureString", &key).await.unwrap();

        stand.variables.extend([
            ("RESTORE_PACKAGE_QUEUE_URL", orders.url.clone()),
            ("JOBS_QUEUE_ID", jobs.url.clone()),
            ("DELETE_RECORD_DYNAMODB_TABLE_NAME", format!("records-{id}")),
            ("CLOUDFRONT_PRIVATE_KEY_SSM_PARAM", format!("/test/{id}/private-key")),
        ]);
        stand.variables.remove("CLOUDFRONT_PRIVATE_KEY_FILE");
        stand.variables.remove("AWS_ENDPOINT_URL_SQS");
        Self { root, stand, id, orders, dead, jobs, bucket }
    }

    /// A function, as somebody with its policy.
    async fn start(&self, name: &str, program: &str) -> Function {
        let id = &self.id;
        let resources = FunctionResources {
            restore_queue: &format!("orders-{id}"),
            changelog_queue: &format!("jobs-{id}"),
            delete_record_table: &format!("records-{id}"),
            bucket: &self.bucket,
            key_parameter: &format!("/test/{id}/private-key"),
            ..FunctionResources::default()
        };
        let mut variables = self.stand.variables.clone();
        variables.extend(self.root.create_function_user(name, resources).await.unwrap().environment());
        Function::start(program, &variables).await
    }

    /// A file in the trash, as the platform leaves it: package, object and record.
    async fn trashed(&self, key: &str) -> Package {
        let Self { root, stand, bucket, .. } = self;
        root.put_object(bucket, key, b"hello").await.unwrap();
        let package = stand
            .workspace
            .create_file(&stand.dataset, None, "a.txt", SourceFile::new(bucket, key, 5))
            .await
            .unwrap();
        stand.workspace.trash(&package).await.unwrap();
        root.delete_object(bucket, key).await.unwrap();
        let record = json!({"NodeId": {"S": package.node_id}, "Bucket": {"S": bucket}, "Key": {"S": key}});
        root.put_item(&format!("records-{}", self.id), record).await.unwrap();
        package
    }

    /// A recorded request, about a package, by an editor.
    fn request(&self, name: &str, package: &Package) -> Value {
        let mut event = recorded(name);
        let (dataset, package) = (&self.stand.dataset.node_id, &package.node_id);
        event["rawQueryString"] = match name {
            "post" => json!(format!("dataset_id={dataset}")),
            _ => json!(format!("dataset_id={dataset}&package_id={package}")),
        };
        event["requestContext"]["authorizer"]["lambda"] = self.stand.context(3);
        event["body"] = json!(json!({"nodeIds": [package]}).to_string());
        event
    }
}

/// The event that Lambda makes of received messages. Their trace is put in here: ministack forgets it where messages come in
/// batches.
fn event(messages: &[Value]) -> Value {
    let record = |message: &Value| {
        let mut attributes = message["Attributes"].clone();
        attributes["AWSTraceHeader"] = json!(TRACE);
        json!({
            "messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"],
            "attributes": attributes, "messageAttributes": {}, "eventSource": "aws:sqs",
        })
    };
    json!({"Records": messages.iter().map(record).collect::<Vec<_>>()})
}

#[tokio::test]
async fn a_restore_goes_from_the_gateway_to_the_changelog() {
    let place = Place::make().await;
    let Place { root, stand, bucket, .. } = &place;
    let key = format!("{}/{}", Uuid::new_v4(), Uuid::new_v4());
    let package = place.trashed(&key).await;

    // Its order.
    let service = place.start("service", SERVICE).await;
    let ordered = service.invoke_in_trace(place.request("post", &package), TRACE).await.unwrap();
    let answer: Value = serde_json::from_str(ordered["body"].as_str().unwrap()).unwrap();
    assert_eq!(answer, json!({"success": [package.node_id], "failures": []}));
    assert_eq!(stand.state(&package).await, "RESTORING");

    // Its message, and what becomes of it.
    let messages = root.drain_queue(&place.orders).await.unwrap();
    assert_eq!(messages.len(), 1, "{messages:?}");
    let restore = place.start("restore", RESTORE).await;
    let done = restore.invoke(event(&messages)).await.unwrap();
    assert_eq!(done, json!({"batchItemFailures": []}), "{}", restore.stdout());
    assert_eq!(stand.state(&package).await, "READY");
    assert_eq!(root.get_object(bucket, &key).await.unwrap().as_deref(), Some(&b"hello"[..]));
    assert!(
        root.scan_items(&format!("records-{}", place.id)).await.unwrap().is_empty(),
        "{}",
        restore.stdout()
    );
    let jobs = root.drain_queue(&place.jobs).await.unwrap();
    assert_eq!(jobs.len(), 1, "{}", restore.stdout());
    let job: Value = serde_json::from_str(jobs[0]["Body"].as_str().unwrap()).unwrap();
    let detail = &job["DatasetChangelogEventJob"]["events"][0]["eventDetail"];
    assert_eq!((&detail["nodeId"], &detail["name"]), (&json!(package.node_id), &json!("a.txt")));

    for (function, message) in [(&service, "request completed"), (&restore, "packages restored")] {
        let log = function.log();
        let line = log.iter().find(|line| line["message"] == message).unwrap();
        assert_eq!(line["traceId"], "1-67891233-abcdef012345678912345678");
    }
}

#[tokio::test]
async fn the_service_may_see_what_is_there_and_what_is_not() {
    let place = Place::make().await;
    let (root, service) = (&place.root, place.start("service", SERVICE).await);
    root.put_object(&place.bucket, "there", b"hello").await.unwrap();
    for (key, status) in [("there", 206), ("missing", 404)] {
        let file = SourceFile::new(&place.bucket, key, 5);
        let package = place.stand.workspace.create_file(&place.stand.dataset, None, key, file).await.unwrap();
        let answer = service.invoke(place.request("head", &package)).await.unwrap();
        assert_eq!(answer["statusCode"], status, "{key}: {answer}");
    }
}

#[tokio::test]
async fn a_failed_message_does_not_wait_for_the_visibility_timeout() {
    let place = Place::make().await;
    assert!(place.orders.send(&["\"no order\"".to_owned()]).await.is_empty());
    let received = place.root.receive_messages(&place.orders).await.unwrap();

    let restore = place.start("restore", RESTORE).await;
    for (attempt, shown) in [(1, 0), (MAX_ATTEMPTS, 1)] {
        let mut event = event(&received);
        event["Records"][0]["attributes"]["ApproximateReceiveCount"] = json!(attempt.to_string());
        let answer = restore.invoke(event).await.unwrap();
        assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 1, "{answer}");
        // The one delivery that the queue allows is over: what it shows again, it shows to the dead letters.
        assert!(place.root.receive_messages(&place.orders).await.unwrap().is_empty());
        let letters = place.root.receive_messages(&place.dead).await.unwrap();
        assert_eq!(letters.len(), shown, "attempt {attempt}: {}", restore.stdout());
    }
}
