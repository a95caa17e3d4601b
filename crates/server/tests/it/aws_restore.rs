//! A restore through SQS, S3 and DynamoDB. The service and the worker are two users with the policies that Terraform gives the
//! two functions.

use aws::SqsQueue;
use local::{
    aws::{Account, FunctionResources},
    workspace::{Package, SourceFile},
};
use restore::{
    self, RestoreMessage, Restorer, changelog::Changelog, delete_records::DeleteRecords, queue::WorkerQueue,
};
use serde_json::{Value, json};
use signing::s3::Bucket;

use crate::app::{TestApp, build_router, fetch_url, new_uuid};

/// A service with its storage, queues and delete records in the AWS stand-in.
struct AwsEnvironment {
    app: TestApp,
    root: Account,
    bucket: String,
    table: String,
    orders: SqsQueue,
    jobs: SqsQueue,
    worker_records: DeleteRecords,
}

impl AwsEnvironment {
    async fn start() -> Self {
        let root = Account::root().unwrap();
        let name = |what: &str| format!("{what}-{}", new_uuid().simple());
        let (bucket, table) = (name("storage"), name("records"));
        let (orders_name, jobs_name) = (name("orders"), name("jobs"));
        root.create_bucket(&bucket).await.unwrap();
        root.create_table(&table, None).await.unwrap();
        let orders = root.create_queue(&orders_name, json!({})).await.unwrap();
        let jobs = root.create_queue(&jobs_name, json!({})).await.unwrap();

        let resources = FunctionResources {
            restore_queue: &orders_name,
            changelog_queue: &jobs_name,
            delete_record_table: &table,
            bucket: &bucket,
            ..FunctionResources::default()
        };
        let service = root.create_function_user("service", resources).await.unwrap();
        let worker = root.create_function_user("restore", resources).await.unwrap();

        let mut app = TestApp::start().await;
        app.app.objects = service.objects().unwrap();
        app.app.viewer_assets = Bucket::new(bucket.as_str()).unwrap();
        app.app.queue =
            WorkerQueue::Sqs(SqsQueue { client: service.sqs().unwrap(), url: orders.url.clone() });
        app.router = build_router(&app.app);
        app.restorer = Restorer {
            objects: worker.objects().unwrap(),
            changelog: Changelog::Sqs(SqsQueue { client: worker.sqs().unwrap(), url: jobs.url.clone() }),
            delete_records: DeleteRecords::dynamodb(worker.dynamodb().unwrap(), table.clone()),
            ..app.restorer
        };
        let worker_records = app.restorer.delete_records.clone();
        Self { app, root, bucket, table, orders, jobs, worker_records }
    }

    /// Creates a live package with a stored file.
    async fn create_file(&self, parent: Option<&Package>, name: &str) -> Package {
        let app = &self.app;
        let key = app.workspace.storage_key(&app.dataset);
        self.root.put_object(&self.bucket, &key, b"precious").await.unwrap();
        app.workspace
            .create_file(&app.dataset, parent, name, SourceFile::new(&self.bucket, &key, 8))
            .await
            .unwrap()
    }

    async fn load_key(&self, package: &Package) -> String {
        self.app.load_keys(package).await.remove(0)
    }

    /// Deletes packages as the platform does: rows, a delete marker and a delete record each.
    async fn trash_packages(&self, target: &Package, files: &[Package]) {
        self.app.workspace.trash(target).await.unwrap();
        for package in files {
            let key = self.load_key(package).await;
            self.root.delete_object(&self.bucket, &key).await.unwrap();
            let record = json!({
                "NodeId": {"S": package.node_id},
                "S3Bucket": {"S": self.bucket},
                "S3Key": {"S": key},
                "S3ObjectVersion": {"S": "whatever it is"},
                "ObjectSize": {"S": "8"},
            });
            self.root.put_item(&self.table, record).await.unwrap();
        }
    }

    async fn receive_bodies(&self, queue: &SqsQueue) -> Vec<Value> {
        let messages = self.root.drain_queue(queue).await.unwrap();
        messages
            .iter()
            .map(|message| serde_json::from_str(message["Body"].as_str().unwrap()).unwrap())
            .collect()
    }

    async fn get_object(&self, package: &Package) -> Option<Vec<u8>> {
        let object = self.root.get_object(&self.bucket, &self.load_key(package).await).await.unwrap();
        object.map(|bytes| bytes.to_vec())
    }
}

#[tokio::test]
async fn restores_a_folder_through_sqs_s3_and_dynamodb() {
    let cloud = AwsEnvironment::start().await;
    let app = &cloud.app;
    let folder = app.create_folder(None, "study").await;
    let mut files = Vec::new();
    for number in 0..30 {
        files.push(cloud.create_file(Some(&folder), &format!("{number}.csv")).await);
    }
    let other = cloud.create_file(None, "other").await;
    app.workspace.populate_usage().await.unwrap();
    cloud.trash_packages(&folder, &files).await;
    cloud.trash_packages(&other, std::slice::from_ref(&other)).await;
    assert_eq!(cloud.get_object(&files[7]).await, None);

    let token = app.create_token("editor").await;
    let response = app.order_restore(&token, &[&folder.node_id]).await;
    assert_eq!(response.json()["success"], json!([folder.node_id]));
    let orders = cloud.receive_bodies(&cloud.orders).await;
    assert_eq!(orders.len(), 1);
    let message: RestoreMessage = serde_json::from_value(orders[0].clone()).unwrap();
    assert_eq!(message.package.id, folder.id);
    let outcome = app.run_orders().await;
    assert_eq!((outcome.restored, outcome.failed), (31, 0));

    for file in &files {
        assert_eq!(app.load_row(file.id).await.0, "READY");
        assert_eq!(
            cloud.get_object(file).await.as_deref(),
            Some(&b"precious"[..]),
            "the delete marker is removed"
        );
    }
    app.assert_usage_is_exact().await;
    let records = cloud.root.scan_items(&cloud.table).await.unwrap();
    assert_eq!(records.len(), 1, "the records of restored packages are removed");
    assert_eq!(records[0]["NodeId"]["S"], json!(other.node_id));
    assert_eq!(cloud.get_object(&other).await, None);

    let jobs = cloud.receive_bodies(&cloud.jobs).await;
    assert_eq!(jobs.len(), 1);
    let events = jobs[0]["DatasetChangelogEventJob"]["events"].as_array().unwrap();
    assert_eq!(events.len(), 31);

    let link = app.get(&app.presign_path(&files[0], ""), &token).await;
    assert_eq!(fetch_url("GET", link.header("location")).await.body, "precious");
    let head = app.head(&app.presign_path(&files[0], ""), &token, None).await;
    assert_eq!((head.status.as_u16(), head.header("content-length")), (200, "8"));
    let missing = app.head(&app.presign_path(&files[0], "&path=no/such"), &token, None).await;
    assert_eq!(
        missing.status, 404,
        "the service may list the bucket, so a missing object is 404 and not 403"
    );
}

#[tokio::test]
async fn an_order_is_recorded_when_sqs_refuses_the_message() {
    let mut cloud = AwsEnvironment::start().await;
    let file = cloud.create_file(None, "file").await;
    cloud.trash_packages(&file, std::slice::from_ref(&file)).await;
    let jobs = cloud.jobs.url.clone();
    let WorkerQueue::Sqs(sqs) = &cloud.app.app.queue else { unreachable!() };
    // The service may not send to the queue of the changelog.
    cloud.app.app.queue = WorkerQueue::Sqs(SqsQueue { url: jobs, ..sqs.clone() });
    cloud.app.router = build_router(&cloud.app.app);
    let response =
        cloud.app.order_restore(&cloud.app.create_token("editor").await, &[&file.node_id]).await.json();
    assert_eq!(response["success"], json!([file.node_id]));
    assert_eq!(cloud.app.run_orders().await.restored, 1, "a worker finds it without a message");
    assert_eq!(cloud.app.load_row(file.id).await.0, "READY");
}

#[tokio::test]
async fn restores_a_package_when_its_delete_record_cannot_be_removed() {
    let mut cloud = AwsEnvironment::start().await;
    let file = cloud.create_file(None, "file").await;
    cloud.trash_packages(&file, std::slice::from_ref(&file)).await;
    let DeleteRecords::DynamoDb(_) = &cloud.app.restorer.delete_records else { unreachable!() };
    let service = cloud.root.create_function_user("service", FunctionResources::default()).await.unwrap();
    cloud.app.restorer.delete_records =
        DeleteRecords::dynamodb(service.dynamodb().unwrap(), cloud.table.clone());
    cloud.app.order_restore(&cloud.app.create_token("editor").await, &[&file.node_id]).await;
    assert_eq!(cloud.app.run_orders().await.restored, 1);
    assert_eq!(cloud.app.load_row(file.id).await.0, "READY");
    assert_eq!(cloud.root.scan_items(&cloud.table).await.unwrap().len(), 1);
    assert_eq!(cloud.receive_bodies(&cloud.jobs).await.len(), 1, "the event is sent nevertheless");

    // The removal is tried again; the event is not sent again.
    cloud.app.restorer.delete_records = cloud.worker_records.clone();
    cloud
        .app
        .run_sql("UPDATE packages_service.restore_outbox SET due_at = now() WHERE workspace_id = WORKSPACE")
        .await;
    let delivered = restore::deliver_outbox(&cloud.app.restorer, Some(cloud.app.workspace.id)).await.unwrap();
    assert_eq!(delivered, 1);
    assert!(cloud.root.scan_items(&cloud.table).await.unwrap().is_empty());
    assert!(cloud.receive_bodies(&cloud.jobs).await.is_empty());
    cloud.app.assert_nothing_pending().await;
}
