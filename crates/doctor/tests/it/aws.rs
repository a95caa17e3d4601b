//! AWS services through a stand-in that checks signatures and policies: with Terraform's settings, and with wrong ones.

use doctor::Status::{Failure, Ok, Skipped, Warning};
use local::aws::{Account, FunctionResources};
use serde_json::json;

use crate::environment::{TestEnvironment, assert_check};

/// The environment with its queues, table, parameter and stored files in AWS.
struct AwsEnvironment {
    environment: TestEnvironment,
    root: Account,
    bucket: String,
    name: String,
}

impl AwsEnvironment {
    async fn start() -> Self {
        let mut environment = TestEnvironment::start().await;
        let root = Account::root().unwrap();
        let name = format!("doctor-{}", environment.workspace.id);
        let name = format!("{name}-{}", environment.database.rsplit('_').next().unwrap());
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
        let pem = std::fs::read_to_string(environment.dir.path().join("key.pem")).unwrap();
        root.put_parameter(&format!("/{name}/key"), "SecureString", &pem).await.unwrap();

        environment
            .run_sql(&format!("UPDATE WORKSPACE.files SET s3_bucket = '{bucket}', s3_key = 'stored'"))
            .await;
        environment.set_variable("RESTORE_PACKAGE_QUEUE_URL", &orders.url);
        environment.set_variable("JOBS_QUEUE_ID", &jobs.url);
        environment.set_variable("DELETE_RECORD_DYNAMODB_TABLE_NAME", &format!("{name}-records"));
        environment.set_variable("VIEWER_ASSETS_BUCKET", &bucket);
        environment.variables.remove("CLOUDFRONT_PRIVATE_KEY_FILE");
        environment.set_variable("CLOUDFRONT_PRIVATE_KEY_SSM_PARAM", &format!("/{name}/key"));
        let mut cloud = Self { environment, root: root.clone(), bucket, name };
        cloud.act_as(&root);
        cloud
    }

    fn act_as(&mut self, account: &Account) {
        for (name, value) in account.environment() {
            if name != "AWS_REGION" {
                self.environment.set_variable(name, &value);
            }
        }
    }
}

#[tokio::test]
async fn a_working_service_in_aws_is_healthy() {
    let cloud = AwsEnvironment::start().await;
    let report = cloud.environment.run_checks().await;
    assert_check(&report, "restore orders", Ok, ["0 waiting, 0 in progress", ""]);
    assert_check(&report, "dead letters", Ok, ["none", ""]);
    assert_check(&report, "changelog", Ok, ["the queue exists", ""]);
    assert_check(&report, "delete records", Ok, ["with the key NodeId", ""]);
    assert_check(&report, "ssm", Ok, ["", ""]);
    assert_check(&report, "key id", Ok, ["from CLOUDFRONT_KEY_ID", ""]);
    // The distribution of the environment serves another bucket.
    assert_check(&report, "a signed link", Failure, ["404", ""]);
}

#[tokio::test]
async fn warns_of_a_key_that_was_replaced_by_hand() {
    let cloud = AwsEnvironment::start().await;
    let pem = std::fs::read_to_string(cloud.environment.dir.path().join("key.pem")).unwrap();
    cloud.root.put_parameter(&format!("/{}/key", cloud.name), "SecureString", &pem).await.unwrap();
    let report = cloud.environment.run_checks().await;
    assert_check(&report, "key id", Warning, ["from CLOUDFRONT_KEY_ID", "Put a line Key-Pair-Id"]);
}

#[tokio::test]
async fn reports_a_bucket_without_versioning_or_cors() {
    let mut cloud = AwsEnvironment::start().await;
    let name = format!("{}-plain", cloud.name);
    cloud.root.create_unversioned_bucket(&name).await.unwrap();
    cloud.root.put_object(&name, "stored", b"precious").await.unwrap();
    cloud.environment.run_sql(&format!("UPDATE WORKSPACE.files SET s3_bucket = '{name}'")).await;
    cloud.environment.set_variable("VIEWER_ASSETS_BUCKET", &cloud.bucket.clone());
    let report = cloud.environment.run_checks().await;
    assert_check(&report, &format!("{name}: versioning"), Failure, ["off", "before anything is deleted"]);
    assert_check(&report, &format!("{name}: pages"), Failure, ["Origin: null", "a CORS rule"]);
}

#[tokio::test]
async fn reports_missing_queues_and_tables() {
    let mut cloud = AwsEnvironment::start().await;
    let orders = cloud.environment.variables["RESTORE_PACKAGE_QUEUE_URL"].clone();
    cloud.environment.set_variable("RESTORE_PACKAGE_QUEUE_URL", &format!("{orders}-none"));
    cloud.environment.set_variable("JOBS_QUEUE_ID", &format!("{orders}-none"));
    cloud.environment.set_variable("DELETE_RECORD_DYNAMODB_TABLE_NAME", "no-such-table");
    cloud.environment.set_variable("CLOUDFRONT_PRIVATE_KEY_SSM_PARAM", "/no/such/parameter");
    let report = cloud.environment.run_checks().await;
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
async fn reports_queues_with_wrong_settings() {
    let mut cloud = AwsEnvironment::start().await;
    let plain = cloud.root.create_queue(&format!("{}-plain", cloud.name), json!({})).await.unwrap();
    cloud.environment.set_variable("RESTORE_PACKAGE_QUEUE_URL", &plain.url);
    let report = cloud.environment.run_checks().await;
    assert_check(&report, "restore orders", Warning, ["hidden for only 30 s", "VisibilityTimeout to 5400"]);
    assert_check(&report, "dead letters", Warning, ["has none", "redrive policy with maxReceiveCount 3"]);

    let dead = format!("{}-dead", cloud.name);
    let redrive = json!({"deadLetterTargetArn": Account::queue_arn(&dead), "maxReceiveCount": "7"});
    let attributes = json!({"VisibilityTimeout": "5400", "RedrivePolicy": redrive.to_string()});
    let odd = cloud.root.create_queue(&format!("{}-odd", cloud.name), attributes).await.unwrap();
    let letters = cloud.root.create_queue(&dead, json!({})).await.unwrap();
    assert!(letters.send(&["{}".to_owned(), "{}".to_owned()]).await.is_empty());
    cloud.environment.set_variable("RESTORE_PACKAGE_QUEUE_URL", &odd.url);
    let report = cloud.environment.run_checks().await;
    assert_check(&report, "attempts", Warning, ["maxReceiveCount is 7", "set it to 3"]);
    assert_check(&report, "dead letters", Warning, ["2 orders were given up", "Drain the dead letters"]);
    // The dead letters were counted, not received.
    let received = cloud.root.receive_messages(&letters).await.unwrap();
    assert!(
        received.iter().all(|message| message["Attributes"]["ApproximateReceiveCount"] == "1"),
        "{received:?}"
    );
}

/// The policies of terraform/policies allow all checks of queues, tables and versioning.
#[tokio::test]
async fn the_roles_of_the_functions_may_make_their_checks() {
    let mut cloud = AwsEnvironment::start().await;
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
        bucket_role_arns: &[],
    };
    // A bucket of viewer assets only is not checked for versions.
    cloud.root.create_bucket(&assets).await.unwrap();
    cloud.environment.set_variable("VIEWER_ASSETS_BUCKET", &assets);
    let service = cloud.root.create_function_user("service", resources).await.unwrap();
    cloud.act_as(&service);
    let report = cloud.environment.run_checks().await;
    assert_check(&report, "restore orders", Ok, ["0 waiting", ""]);
    assert_check(&report, "dead letters", Ok, ["none", ""]);
    assert_check(&report, &format!("{bucket}: versioning"), Ok, ["on", ""]);
    assert_check(&report, &format!("{bucket}: lifecycle"), Ok, ["", ""]);
    assert_check(&report, &format!("{bucket}: a missing file"), Ok, ["404", ""]);
    assert_check(&report, "private key", Ok, ["ECDSA", ""]);

    let restore = cloud.root.create_function_user("restore", resources).await.unwrap();
    cloud.act_as(&restore);
    let report = cloud.environment.run_checks().await;
    assert_check(&report, "restore orders", Ok, ["0 waiting", ""]);
    assert_check(&report, "dead letters", Ok, ["none", ""]);
    assert_check(&report, "changelog", Ok, ["the queue exists", ""]);
    assert_check(&report, "delete records", Ok, ["with the key NodeId", ""]);
}

#[tokio::test]
async fn checks_without_permission_are_skipped() {
    let mut cloud = AwsEnvironment::start().await;
    let bucket = cloud.bucket.clone();
    let deny_all =
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]});
    let user = cloud.root.create_user(&deny_all.to_string()).await.unwrap();
    cloud.act_as(&user);
    let report = cloud.environment.run_checks().await;
    assert_check(&report, "restore orders", Skipped, ["this role lacks sqs:GetQueueAttributes", ""]);
    assert_check(&report, "changelog", Skipped, ["this role lacks sqs:GetQueueAttributes", ""]);
    assert_check(&report, "delete records", Skipped, ["this role lacks dynamodb:DescribeTable", ""]);
    assert_check(&report, "private key", Failure, ["AccessDenied", ""]);
    assert_check(&report, &bucket, Warning, ["access denied", "s3:ListBucket"]);
}

#[tokio::test]
async fn checks_the_role_that_reads_a_bucket() {
    let mut cloud = AwsEnvironment::start().await;
    let bucket = cloud.bucket.clone();
    let reader = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{bucket}/*")},
    ]});
    let role = cloud.root.create_role(&reader.to_string()).await.unwrap();
    let map = json!({ bucket.as_str(): role }).to_string();
    cloud.environment.set_variable("EXTERNAL_BUCKETS_ROLE_MAP", &map);
    let assets = format!("{}-assets", cloud.name);
    cloud.root.create_bucket(&assets).await.unwrap();
    cloud.environment.set_variable("VIEWER_ASSETS_BUCKET", &assets);

    let assume = |effect: &str| {
        let statement = json!({"Effect": effect, "Action": "sts:AssumeRole", "Resource": role});
        json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
    };
    let user = cloud.root.create_user(&assume("Allow")).await.unwrap();
    cloud.act_as(&user);
    let report = cloud.environment.run_checks().await;
    assert_check(&report, "BUCKETS", Ok, ["1 entries, with roles", ""]);
    assert_check(&report, "sts", Ok, ["", ""]);
    assert_check(&report, &bucket, Ok, ["read with a role, in us-east-1", ""]);
    assert_check(&report, &format!("{bucket}: a stored file"), Ok, ["8 bytes", ""]);

    let user = cloud.root.create_user(&assume("Deny")).await.unwrap();
    cloud.act_as(&user);
    let report = cloud.environment.run_checks().await;
    assert_check(&report, &bucket, Failure, ["AccessDenied", "allow sts:AssumeRole"]);
}
