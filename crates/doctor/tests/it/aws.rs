//! AWS's own services, by a stand-in that checks signatures and policies: as Terraform lets the functions, and as it must
//! not be.

use doctor::Status::{Failure, Ok, Skipped, Warning};
use local::aws::{Account, FunctionResources};
use serde_json::json;

use crate::scene::{Scene, assert_check};

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

/// The policies of terraform/policies allow all checks of queues, tables and versioning.
#[tokio::test]
async fn the_roles_of_the_functions_may_make_their_checks() {
    let mut cloud = Cloud::start().await;
    let name = |what: &str| format!("{}-{what}", cloud.name);
    let (orders, dead, jobs) = (name("orders"), name("dead"), name("jobs"));
    let (records, assets) = (name("records"), name("assets"));
    let (parameter, bucket) = (format!("/{}/key", cloud.name), cloud.bucket.clone());
    let resources = FunctionResources {
        restore_queue: &orders,
        dead_letter_queue: &dead,
        changelog_queue: &jobs,
        delete_record_table: &records,
        bucket: &bucket,
        key_parameter: &parameter,
    };
    // A bucket of viewer assets only is not checked for versions.
    cloud.root.create_bucket(&assets).await.unwrap();
    cloud.scene.set("VIEWER_ASSETS_BUCKET", &assets);
    let service = cloud.root.create_function_user("service", resources).await.unwrap();
    cloud.act_as(&service);
    let report = cloud.scene.report().await;
    assert_check(&report, "restore orders", Ok, ["0 waiting", ""]);
    assert_check(&report, "dead letters", Ok, ["none", ""]);
    assert_check(&report, &format!("{bucket}: versioning"), Ok, ["on", ""]);
    assert_check(&report, &format!("{bucket}: lifecycle"), Ok, ["", ""]);
    assert_check(&report, &format!("{bucket}: a missing file"), Ok, ["404", ""]);
    assert_check(&report, "private key", Ok, ["ECDSA", ""]);

    let restore = cloud.root.create_function_user("restore", resources).await.unwrap();
    cloud.act_as(&restore);
    let report = cloud.scene.report().await;
    assert_check(&report, "restore orders", Ok, ["0 waiting", ""]);
    assert_check(&report, "dead letters", Ok, ["none", ""]);
    assert_check(&report, "changelog", Ok, ["the queue exists", ""]);
    assert_check(&report, "delete records", Ok, ["with the key NodeId", ""]);
}

#[tokio::test]
async fn checks_without_permission_are_skipped() {
    let mut cloud = Cloud::start().await;
    let bucket = cloud.bucket.clone();
    let deny_all =
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]});
    let user = cloud.root.create_user(&deny_all.to_string()).await.unwrap();
    cloud.act_as(&user);
    let report = cloud.scene.report().await;
    assert_check(&report, "restore orders", Skipped, ["this role lacks sqs:GetQueueAttributes", ""]);
    assert_check(&report, "changelog", Skipped, ["this role lacks sqs:GetQueueAttributes", ""]);
    assert_check(&report, "delete records", Skipped, ["this role lacks dynamodb:DescribeTable", ""]);
    assert_check(&report, "private key", Failure, ["AccessDenied", ""]);
    assert_check(&report, &bucket, Warning, ["access denied", "s3:ListBucket"]);
}
