//! One restore from the order to the changelog over AWS protocols. Each function has the policy that Terraform gives it.

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
    environment::TestEnvironment,
    function::{Function, RESTORE, SERVICE, load_event},
};

const TRACE: &str = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1";

/// AWS resources that the functions share, with names unique to the test.
struct AwsEnvironment {
    root: Account,
    environment: TestEnvironment,
    id: String,
    /// Delivers a message once, hides it for 90 minutes, and then moves it to the dead letters.
    orders: SqsQueue,
    dead: SqsQueue,
    jobs: SqsQueue,
    bucket: String,
}

impl AwsEnvironment {
    async fn create() -> Self {
        let (root, mut environment) = (Account::root().unwrap(), TestEnvironment::start().await);
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

        environment.variables.extend([
            ("RESTORE_PACKAGE_QUEUE_URL", orders.url.clone()),
            ("JOBS_QUEUE_ID", jobs.url.clone()),
            ("DELETE_RECORD_DYNAMODB_TABLE_NAME", format!("records-{id}")),
            ("CLOUDFRONT_PRIVATE_KEY_SSM_PARAM", format!("/test/{id}/private-key")),
        ]);
        environment.variables.remove("CLOUDFRONT_PRIVATE_KEY_FILE");
        environment.variables.remove("AWS_ENDPOINT_URL_SQS");
        Self { root, environment, id, orders, dead, jobs, bucket }
    }

    /// Starts a function as a user with its policy.
    async fn start_function(&self, name: &str, program: &str) -> Function {
        let id = &self.id;
        let resources = FunctionResources {
            restore_queue: &format!("orders-{id}"),
            changelog_queue: &format!("jobs-{id}"),
            delete_record_table: &format!("records-{id}"),
            bucket: &self.bucket,
            key_parameter: &format!("/test/{id}/private-key"),
            ..FunctionResources::default()
        };
        let mut variables = self.environment.variables.clone();
        variables.extend(self.root.create_function_user(name, resources).await.unwrap().environment());
        Function::start(program, &variables).await
    }

    /// Creates a deleted file as the platform leaves it: package, object and delete record.
    async fn create_deleted_file(&self, key: &str) -> Package {
        let Self { root, environment, bucket, .. } = self;
        root.put_object(bucket, key, b"hello").await.unwrap();
        let package = environment
            .workspace
            .create_file(&environment.dataset, None, "a.txt", SourceFile::new(bucket, key, 5))
            .await
            .unwrap();
        environment.workspace.trash(&package).await.unwrap();
        root.delete_object(bucket, key).await.unwrap();
        let record = json!({"NodeId": {"S": package.node_id}, "Bucket": {"S": bucket}, "Key": {"S": key}});
        root.put_item(&format!("records-{}", self.id), record).await.unwrap();
        package
    }

    /// A recorded request of an editor for this package.
    fn build_request(&self, name: &str, package: &Package) -> Value {
        let mut event = load_event(name);
        let (dataset, package) = (&self.environment.dataset.node_id, &package.node_id);
        event["rawQueryString"] = match name {
            "post" => json!(format!("dataset_id={dataset}")),
            _ => json!(format!("dataset_id={dataset}&package_id={package}")),
        };
        event["requestContext"]["authorizer"]["lambda"] = self.environment.authorizer_context(3);
        event["body"] = json!(json!({"nodeIds": [package]}).to_string());
        event
    }
}

/// The event that Lambda builds from received messages. The trace header is added here: ministack drops it from messages that
/// are sent in batches.
fn build_event(messages: &[Value]) -> Value {
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
async fn a_restore_runs_from_the_gateway_to_the_changelog() {
    let aws_environment = AwsEnvironment::create().await;
    let AwsEnvironment { root, environment, bucket, .. } = &aws_environment;
    let key = format!("{}/{}", Uuid::new_v4(), Uuid::new_v4());
    let package = aws_environment.create_deleted_file(&key).await;

    // The order.
    let service = aws_environment.start_function("service", SERVICE).await;
    let ordered =
        service.invoke_in_trace(aws_environment.build_request("post", &package), TRACE).await.unwrap();
    let response: Value = serde_json::from_str(ordered["body"].as_str().unwrap()).unwrap();
    assert_eq!(response, json!({"success": [package.node_id], "failures": []}));
    assert_eq!(environment.load_state(&package).await, "RESTORING");

    // The message and its effects.
    let messages = root.drain_queue(&aws_environment.orders).await.unwrap();
    assert_eq!(messages.len(), 1, "{messages:?}");
    let restore = aws_environment.start_function("restore", RESTORE).await;
    let done = restore.invoke(build_event(&messages)).await.unwrap();
    assert_eq!(done, json!({"batchItemFailures": []}), "{}", restore.stdout());
    assert_eq!(environment.load_state(&package).await, "READY");
    assert_eq!(root.get_object(bucket, &key).await.unwrap().as_deref(), Some(&b"hello"[..]));
    assert!(
        root.scan_items(&format!("records-{}", aws_environment.id)).await.unwrap().is_empty(),
        "{}",
        restore.stdout()
    );
    let jobs = root.drain_queue(&aws_environment.jobs).await.unwrap();
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
async fn the_service_may_tell_existing_from_missing_objects() {
    let aws_environment = AwsEnvironment::create().await;
    let (root, service) = (&aws_environment.root, aws_environment.start_function("service", SERVICE).await);
    root.put_object(&aws_environment.bucket, "there", b"hello").await.unwrap();
    for (key, status) in [("there", 206), ("missing", 404)] {
        let file = SourceFile::new(&aws_environment.bucket, key, 5);
        let package = aws_environment
            .environment
            .workspace
            .create_file(&aws_environment.environment.dataset, None, key, file)
            .await
            .unwrap();
        let response = service.invoke(aws_environment.build_request("head", &package)).await.unwrap();
        assert_eq!(response["statusCode"], status, "{key}: {response}");
    }
}

#[tokio::test]
async fn a_failed_message_is_visible_before_the_visibility_timeout() {
    let aws_environment = AwsEnvironment::create().await;
    assert!(aws_environment.orders.send(&["\"no order\"".to_owned()]).await.is_empty());
    let received = aws_environment.root.receive_messages(&aws_environment.orders).await.unwrap();

    let restore = aws_environment.start_function("restore", RESTORE).await;
    for (attempt, shown) in [(1, 0), (MAX_ATTEMPTS, 1)] {
        let mut event = build_event(&received);
        event["Records"][0]["attributes"]["ApproximateReceiveCount"] = json!(attempt.to_string());
        let response = restore.invoke(event).await.unwrap();
        assert_eq!(response["batchItemFailures"].as_array().unwrap().len(), 1, "{response}");
        // The queue allows one delivery. A message that becomes visible again goes to the dead letters.
        assert!(aws_environment.root.receive_messages(&aws_environment.orders).await.unwrap().is_empty());
        let letters = aws_environment.root.receive_messages(&aws_environment.dead).await.unwrap();
        assert_eq!(letters.len(), shown, "attempt {attempt}: {}", restore.stdout());
    }
}
