//! What the functions of one test work with: a tenant, an S3, and the variables to find them.

use std::{collections::BTreeMap, time::Duration};

use aws::Clock;
use local::{
    faults::FaultInjector,
    postgres,
    s3::{Credentials, S3Config, S3Server, S3Store},
    testing,
    workspace::{Dataset, Package, SourceFile, User, Workspace},
};
use serde_json::{Value, json};
use signing::cloudfront::PrivateKey;
use tempfile::TempDir;

/// The environment variables of a function.
pub(crate) type Variables = BTreeMap<&'static str, String>;

pub(crate) const STORAGE: &str = "test-storage";
pub(crate) const ASSETS: &str = "test-assets";

pub(crate) struct TestEnvironment {
    pub(crate) workspace: Workspace,
    pub(crate) dataset: Dataset,
    pub(crate) store: S3Store,
    pub(crate) faults: FaultInjector,
    pub(crate) variables: Variables,
    pub(crate) dir: TempDir,
    _s3: S3Server,
}

impl TestEnvironment {
    pub(crate) async fn start() -> Self {
        Self::start_in_database(testing::database_url().await).await
    }

    /// Starts with its own database, for schedules: these work on all workspaces.
    pub(crate) async fn start_with_own_database() -> Self {
        Self::start_in_database(&testing::isolated_database_url().await).await
    }

    async fn start_in_database(database: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = S3Store::open(&dir.path().join("s3"), Clock::System).unwrap();
        store.create_bucket(STORAGE).unwrap();
        store.create_bucket(ASSETS).unwrap();
        let faults = FaultInjector::default();
        let s3 = S3Server::start(S3Config { faults: faults.clone(), ..S3Config::new(store.clone()) })
            .await
            .unwrap();
        let key = dir.path().join("cloudfront.pem");
        std::fs::write(&key, &*PrivateKey::generate_p256().unwrap().to_pkcs8_pem().unwrap()).unwrap();

        let mut variables = platform_variables(database);
        variables.extend([
            ("AWS_ENDPOINT_URL_S3", s3.endpoint()),
            ("PENNSIEVE_DOMAIN", "example.org".to_owned()),
            ("VIEWER_ASSETS_BUCKET", ASSETS.to_owned()),
            ("CLOUDFRONT_DISTRIBUTION_DOMAIN", "d111111abcdef8.cloudfront.net".to_owned()),
            ("CLOUDFRONT_KEY_ID", "KTEST0000001".to_owned()),
            ("CLOUDFRONT_PRIVATE_KEY_FILE", key.to_str().unwrap().to_owned()),
            // Nothing listens on this port. A test of the queue sets its own URL.
            ("RESTORE_PACKAGE_QUEUE_URL", "http://127.0.0.1:1/000000000000/restore".to_owned()),
            ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1".to_owned()),
            ("DELETE_RECORD_DYNAMODB_TABLE_NAME", "none".to_owned()),
            ("JOBS_QUEUE_ID", "none".to_owned()),
        ]);
        let workspace = testing::create_workspace_in(database).await;
        let dataset = workspace.create_dataset("Test").await.unwrap();
        Self { workspace, dataset, store, faults, variables, dir, _s3: s3 }
    }

    pub(crate) async fn create_user(&self, role: &str) -> User {
        let user = self.workspace.create_user(&format!("{role}@example.org")).await.unwrap();
        self.workspace.grant_user_role(&self.dataset, &user, role).await.unwrap();
        user
    }

    /// The context that the authorizer returns for a user with this role number.
    pub(crate) fn authorizer_context(&self, role: u8) -> Value {
        json!({
            "user_claim": {"Id": 7, "NodeId": "N:user:7", "IsSuperAdmin": false},
            "org_claim": {
                "Role": 8, "IntId": self.workspace.id, "NodeId": "N:organization:2", "EnabledFeatures": null,
            },
            "dataset_claim": {"Role": role, "NodeId": self.dataset.node_id, "IntId": self.dataset.id},
            "team_claims": null,
        })
    }

    /// Creates a live package with a stored file.
    pub(crate) async fn create_file(&self, name: &str, bytes: &[u8]) -> Package {
        let key = self.workspace.storage_key(&self.dataset);
        self.store.put(STORAGE, &key, bytes.to_vec(), "text/plain").unwrap();
        let size = i64::try_from(bytes.len()).unwrap();
        self.workspace
            .create_file(&self.dataset, None, name, SourceFile::new(STORAGE, &key, size))
            .await
            .unwrap()
    }

    /// Deletes a package as the platform does.
    pub(crate) async fn trash_package(&self, package: &Package) {
        self.workspace.trash(package).await.unwrap();
        self.store.add_delete_marker(STORAGE, &self.load_key(package).await).unwrap();
    }

    /// Creates a package in the state RESTORING.
    pub(crate) async fn create_restoring(&self, name: &str) -> Package {
        let package = self.create_file(name, b"hello").await;
        self.trash_package(&package).await;
        self.workspace.set_state(&package, "RESTORING").await.unwrap();
        package
    }

    /// The message that orders the restore of a package.
    pub(crate) fn restore_message(&self, package: &Package) -> String {
        json!({
            "orgId": self.workspace.id, "datasetId": self.dataset.id, "userId": "N:user:7",
            "package": {
                "id": package.id, "nodeId": package.node_id, "name": "as it was", "parentId": null, "type": 10,
            },
        })
        .to_string()
    }

    /// Makes all waiting work due now.
    pub(crate) async fn make_due(&self) {
        for table in ["restore_claims", "restore_queue"] {
            let sql = format!(
                "UPDATE packages_service.{table} SET due_at = clock_timestamp() - interval '1 hour' WHERE workspace_id = $1"
            );
            self.workspace.client.execute(&sql, &[&self.workspace.id.0]).await.unwrap();
        }
    }

    pub(crate) async fn load_key(&self, package: &Package) -> String {
        self.workspace.load_keys(package.id).await.unwrap().remove(0)
    }

    pub(crate) async fn is_visible(&self, package: &Package) -> bool {
        let versions = self.store.list_versions(STORAGE, &self.load_key(package).await);
        versions.first().is_some_and(|top| !top.delete_marker)
    }

    pub(crate) async fn load_state(&self, package: &Package) -> String {
        self.workspace.load_state_and_name(package.id).await.unwrap().0
    }
}

/// Waits until a condition holds. Panics after half a minute: that is enough for a busy machine.
pub(crate) async fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let polling = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(30), polling).await;
    assert!(done.is_ok(), "timed out waiting until {what}");
}

/// The variables that every function needs.
fn platform_variables(database: &str) -> Variables {
    let keys = Credentials::local();
    let mut variables = Variables::from(postgres::environment_variables(database).unwrap());
    variables.extend([
        ("ENV", "test".to_owned()),
        ("AWS_ACCESS_KEY_ID", keys.access_key),
        ("AWS_SECRET_ACCESS_KEY", keys.secret_key),
    ]);
    variables
}
