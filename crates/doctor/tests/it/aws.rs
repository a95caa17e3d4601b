//! AWS's own services, by a stand-in that checks signatures and policies: as Terraform lets the functions, and as it must
//! not be.

use doctor::Status::{Failure, Ok, Skipped, Warning};
use local::aws::{Account, FunctionResources};
use serde_json::json;

use crate::scene::{Scene, assert_check, failures};

/// The scene with its queues, table and stored files at AWS, as somebody.
struct Cloud {
    scene: Scene,
    root: Account,
    bucket: String,
    name: String,
}

impl Cloud {
    async fn start() -> Self {
        let mut scene = Scene::start().await;
        let root = Account::root().unwrap();
        let name = format!("doctor-{}", scene.workspace.id);
        let name = format!("{name}-{}", scene.database.rsplit('_').next().unwrap());
        let bucket = format!("{name}-bucket");
        root.create_bucket(&bucket).await.unwrap();
        root.put_object(&bucket, "stored", b"precious").await.unwrap();
        root.create_table(&format!("{name}-records"), None).await.unwrap();
        let dead = format!("{name}-dead");
        root.create_queue(&dead, json!({})).await.unwrap();
        let redrive = json!({"deadLetterTargetArn": Account::queue_arn(&dead), "maxReceiveCount": 3});
        let attributes = json!({"VisibilityTimeout": "5400", "RedrivePolicy": redrive.to_string()});
        let orders = root.create_queue(&format!("{name}-orders"), attributes).await.unwrap();
        let jobs = root.create_queue(&format!("{name}-jobs"), json!({})).await.unwrap();
        let pem = std::fs::read_to_string(scene.dir.path().join("key.pem")).unwrap();
        root.put_parameter(&format!("/{name}/key"), "SecureString", &pem).await.unwrap();

        scene.sql(&format!("UPDATE WORKSPACE.files SET s3_bucket = '{bucket}', s3_key = 'stored'")).await;
        scene.set("RESTORE_PACKAGE_QUEUE_URL", &orders.url);
        scene.set("JOBS_QUEUE_ID", &jobs.url);
        scene.set("DELETE_RECORD_DYNAMODB_TABLE_NAME", &format!("{name}-records"));
        scene.set("VIEWER_ASSETS_BUCKET", &bucket);
        scene.variables.remove("CLOUDFRONT_PRIVATE_KEY_FILE");
        scene.set("CLOUDFRONT_PRIVATE_KEY_SSM_PARAM", &format!("/{name}/key"));
        let mut cloud = Self { scene, root: root.clone(), bucket, name };
        cloud.act_as(&root);
        cloud
    }

    fn act_as(&mut self, account: &Account) {
        for (name, value) in account.environment() {
            if name != "AWS_REGION" {
                self.scene.set(name, &value);
            }
        }
    }
}

#[tokio::test]
async fn a_service_in_aws_is_found_to_work() {
    let cloud = Cloud::start().await;
    let report = cloud.scene.report().await;
    assert_check(&report, "restore orders", Ok, ["0 waiting, 0 in progress", ""]);
    assert_check(&report, "dead letters", Ok, ["none", ""]);
    assert_check(&report, "changelog", Ok, ["the queue exists", ""]);
    assert_check(&report, "delete records", Ok, ["with the key NodeId", ""]);
    assert_check(&report, "ssm", Ok, ["", ""]);
    assert_check(&report, "key id", Ok, ["from CLOUDFRONT_KEY_ID", ""]);
    // The distribution of the scene is before another bucket.
    assert_check(&report, "a signed link", Failure, ["404", ""]);
}

#[tokio::test]
async fn a_key_that_was_replaced_by_hand_is_doubted() {
    let cloud = Cloud::start().await;
    let pem = std::fs::read_to_string(cloud.scene.dir.path().join("key.pem")).unwrap();
    cloud.root.put_parameter(&format!("/{}/key", cloud.name), "SecureString", &pem).await.unwrap();
    let report = cloud.scene.report().await;
    assert_check(&report, "key id", Warning, ["from CLOUDFRONT_KEY_ID", "Put a line Key-Pair-Id"]);
}

#[tokio::test]
async fn a_bucket_that_keeps_no_versions_or_lets_no_page_read_is_told() {
    let mut cloud = Cloud::start().await;
    let name = format!("{}-plain", cloud.name);
    cloud.root.create_unversioned_bucket(&name).await.unwrap();
    cloud.root.put_object(&name, "stored", b"precious").await.unwrap();
    cloud.scene.sql(&format!("UPDATE WORKSPACE.files SET s3_bucket = '{name}'")).await;
    cloud.scene.set("VIEWER_ASSETS_BUCKET", &cloud.bucket.clone());
    let report = cloud.scene.report().await;
    assert_check(&report, &format!("{name}: versioning"), Failure, ["off", "before anything is deleted"]);
    assert_check(&report, &format!("{name}: pages"), Failure, ["Origin: null", "a CORS rule"]);
}

#[tokio::test]
async fn queues_and_tables_that_are_not_there_are_told() {
    let mut cloud = Cloud::start().await;
    let orders = cloud.scene.variables["RESTORE_PACKAGE_QUEUE_URL"].clone();
    cloud.scene.set("RESTORE_PACKAGE_QUEUE_URL", &format!("{orders}-none"));
    cloud.scene.set("JOBS_QUEUE_ID", &format!("{orders}-none"));
    cloud.scene.set("DELETE_RECORD_DYNAMODB_TABLE_NAME", "no-such-table");
    cloud.scene.set("CLOUDFRONT_PRIVATE_KEY_SSM_PARAM", "/no/such/parameter");
    let report = cloud.scene.report().await;
    assert_check(
        &report,
        "restore orders",
        Failure,
        ["the queue does not exist", "RESTORE_PACKAGE_QUEUE_URL"],
    );
    assert_check(&report, "changelog", Failure, ["the queue does not exist", "JOBS_QUEUE_ID"]);
    assert_check(
        &report,
        "delete records",
        Failure,
        ["the table does not exist", "DELETE_RECORD_DYNAMODB_TABLE_NAME"],
    );
    assert_check(&report, "private key", Failure, ["does not exist", "does not start"]);
}

#[tokio::test]
async fn queues_that_are_not_set_up_for_restores_are_told() {
    let mut cloud = Cloud::start().await;
    let plain = cloud.root.create_queue(&format!("{}-plain", cloud.name), json!({})).await.unwrap();
    cloud.scene.set("RESTORE_PACKAGE_QUEUE_URL", &plain.url);
    let report = cloud.scene.report().await;
    assert_check(&report, "restore orders", Warning, ["hidden for only 30 s", "VisibilityTimeout to 5400"]);
    assert_check(&report, "dead letters", Warning, ["has none", "redrive policy with maxReceiveCount 3"]);

    let dead = format!("{}-dead", cloud.name);
    let redrive = json!({"deadLetterTargetArn": Account::queue_arn(&dead), "maxReceiveCount": "7"});
    let attributes = json!({"VisibilityTimeout": "5400", "RedrivePolicy": redrive.to_string()});
    let odd = cloud.root.create_queue(&format!("{}-odd", cloud.name), attributes).await.unwrap();
    let letters = cloud.root.create_queue(&dead, json!({})).await.unwrap();
    assert!(letters.send(&["{}".to_owned(), "{}".to_owned()]).await.is_empty());
    cloud.scene.set("RESTORE_PACKAGE_QUEUE_URL", &odd.url);
    let report = cloud.scene.report().await;
    assert_check(&report, "attempts", Warning, ["maxReceiveCount is 7", "set it to 3"]);
    assert_check(&report, "dead letters", Warning, ["2 orders were given up", "Drain the dead letters"]);
    // They were looked at, and not received.
    let received = cloud.root.receive_messages(&letters).await.unwrap();
    assert!(
        received.iter().all(|message| message["Attributes"]["ApproximateReceiveCount"] == "1"),
        "{received:?}"
    );
}

#[tokio::test]
async fn what_a_role_may_not_look_at_is_skipped() {
    let mut cloud = Cloud::start().await;
    let parameter = format!("/{}/key", cloud.name);
    let (orders, bucket) = (format!("{}-orders", cloud.name), cloud.bucket.clone());
    let resources = FunctionResources {
        restore_queue: &orders,
        bucket: &bucket,
        key_parameter: &parameter,
        ..FunctionResources::default()
    };
    let service = cloud.root.create_function_user("service", resources).await.unwrap();
    cloud.act_as(&service);
    cloud.scene.set("JOBS_QUEUE_ID", "none");
    cloud.scene.set("DELETE_RECORD_DYNAMODB_TABLE_NAME", "none");
    let report = cloud.scene.report().await;
    assert_check(&report, "restore orders", Skipped, ["sqs:GetQueueAttributes", ""]);
    assert_check(&report, &format!("{bucket}: a missing file"), Ok, ["404", ""]);
    assert_check(&report, "private key", Ok, ["ECDSA", ""]);
    assert!(!failures(&report).contains(&"restore orders"));

    // Somebody else's keys open nothing.
    let nobody =
        cloud.root.create_user(
        &json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}).to_string(),
    ).await.unwrap();
    cloud.act_as(&nobody);
    let report = cloud.scene.report().await;
    assert_check(&report, "private key", Failure, ["AccessDenied", ""]);
    assert_check(&report, &bucket, Warning, ["access denied", "s3:ListBucket"]);
}
