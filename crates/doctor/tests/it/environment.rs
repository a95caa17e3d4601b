//! A working service, and its report.

use std::collections::BTreeMap;

use authorize::TokenSubject;
use aws::Clock;
use aws_credential_types::provider::SharedCredentialsProvider;
use doctor::{Check, Report, Status, check_server, render};
use local::{
    aws::scripted::{ScriptedReply, ScriptedServer},
    edge::{EdgeConfig, EdgeServer},
    faults::FaultInjector,
    postgres,
    s3::{Credentials, S3Config, S3Server, S3Store},
    testing,
    tokens::{LocalIssuer, pool},
    workspace::{Dataset, SourceFile, Workspace},
};
use signing::cloudfront::{KeyPairId, PrivateKey, Verifier};
use tempfile::TempDir;

pub(crate) const STORAGE: &str = "doctor-storage";
pub(crate) const ASSETS: &str = "doctor-assets";
pub(crate) const KEY_ID: &str = "KDOCTOR0000001";
pub(crate) const ASSET_KEY: &str = "O1/D1/P1/a b.parquet";

/// A service as `serve` runs it, restores included.
pub(crate) struct TestEnvironment {
    pub(crate) variables: BTreeMap<&'static str, String>,
    pub(crate) workspace: Workspace,
    pub(crate) dataset: Dataset,
    pub(crate) database: String,
    pub(crate) store: S3Store,
    pub(crate) faults: FaultInjector,
    pub(crate) dir: TempDir,
    _servers: (S3Server, EdgeServer, ScriptedServer),
}

impl TestEnvironment {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = S3Store::open(&dir.path().join("s3"), Clock::System).unwrap();
        store.create_bucket(STORAGE).unwrap();
        store.create_bucket(ASSETS).unwrap();
        store.put(ASSETS, ASSET_KEY, b"PAR1".to_vec(), "application/octet-stream").unwrap();
        let faults = FaultInjector::default();
        let s3 = S3Config { faults: faults.clone(), ..S3Config::new(store.clone()) };
        let s3 = S3Server::start(s3).await.unwrap();
        let key = write_key(&dir, "");
        let edge = start_edge(&store, ASSETS, &key).await;
        let cognito = start_cognito().await;

        let database = testing::isolated_database_url().await;
        let workspace = testing::create_workspace_in(&database).await;
        let dataset = workspace.create_dataset("Test").await.unwrap();
        let stored = workspace.storage_key(&dataset);
        store.put(STORAGE, &stored, b"precious".to_vec(), "text/plain").unwrap();
        workspace.create_file(&dataset, None, "a.txt", SourceFile::new(STORAGE, &stored, 8)).await.unwrap();

        let (people, api_keys) = (pool(TokenSubject::People), pool(TokenSubject::ApiKeys));
        let keys = Credentials::local();
        let mut variables = BTreeMap::from(postgres::environment_variables(&database).unwrap());
        variables.extend([
            ("AWS_ACCESS_KEY_ID", keys.access_key),
            ("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", cognito.settings().unwrap().endpoint.unwrap()),
            ("AWS_ENDPOINT_URL_S3", s3.endpoint()),
            ("AWS_SECRET_ACCESS_KEY", keys.secret_key),
            ("CLOUDFRONT_DISTRIBUTION_DOMAIN", edge.endpoint()),
            ("CLOUDFRONT_KEY_ID", KEY_ID.to_owned()),
            ("CLOUDFRONT_PRIVATE_KEY_FILE", dir.path().join("key.pem").display().to_string()),
            ("DELETE_RECORD_DYNAMODB_TABLE_NAME", "none".to_owned()),
            ("ENV", "test".to_owned()),
            ("JOBS_QUEUE_ID", "none".to_owned()),
            ("PENNSIEVE_DOMAIN", "localhost".to_owned()),
            ("REGION", "us-east-1".to_owned()),
            ("TOKEN_CLIENT", api_keys.client_id.clone()),
            ("TOKEN_POOL", api_keys.pool_id().to_owned()),
            ("USER_CLIENT", people.client_id.clone()),
            ("USER_POOL", people.pool_id().to_owned()),
            ("VIEWER_ASSETS_BUCKET", ASSETS.to_owned()),
        ]);
        Self { variables, workspace, dataset, database, store, faults, dir, _servers: (s3, edge, cognito) }
    }

    pub(crate) fn set_variable(&mut self, name: &'static str, value: &str) {
        self.variables.insert(name, value.to_owned());
    }

    pub(crate) async fn run_checks(&self) -> Report {
        let lookup = |name: &str| self.variables.get(name).cloned();
        let credentials = async |platform: &hosting::config::PlatformConfig| {
            SharedCredentialsProvider::new(platform.credentials.clone().unwrap())
        };
        Box::pin(check_server(&lookup, credentials)).await
    }

    /// The report with these variables changed.
    pub(crate) async fn run_checks_with(&self, values: &[(&'static str, &str)]) -> Report {
        let mut variables = self.variables.clone();
        variables.extend(values.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let lookup = |name: &str| variables.get(name).cloned();
        let credentials = async |platform: &hosting::config::PlatformConfig| {
            SharedCredentialsProvider::new(platform.credentials.clone().unwrap())
        };
        Box::pin(check_server(&lookup, credentials)).await
    }

    pub(crate) async fn run_sql(&self, sql: &str) {
        let sql = sql.replace("WORKSPACE", &format!("\"{}\"", self.workspace.id));
        self.workspace.client.batch_execute(&sql).await.unwrap();
    }
}

/// Writes a new signing key to the environment's file, with a line before it.
pub(crate) fn write_key(dir: &TempDir, line: &str) -> PrivateKey {
    let key = PrivateKey::generate_p256().unwrap();
    let pem = key.to_pkcs8_pem().unwrap();
    std::fs::write(dir.path().join("key.pem"), format!("{line}\n{}", *pem)).unwrap();
    key
}

/// A distribution for a bucket that trusts this key.
pub(crate) async fn start_edge(store: &S3Store, bucket: &str, key: &PrivateKey) -> EdgeServer {
    let verifier = Verifier::new().with_key(KeyPairId::new(KEY_ID).unwrap(), key.public_key().unwrap());
    let address = ([127, 0, 0, 1], 0).into();
    let (store, bucket) = (store.clone(), bucket.to_owned());
    EdgeServer::start(EdgeConfig { store, bucket, address, verifier, clock: Clock::System }).await.unwrap()
}

/// A server that publishes the keys of both user pools.
async fn start_cognito() -> ScriptedServer {
    let issuer = LocalIssuer::new(&LocalIssuer::generate_key().unwrap()).unwrap();
    let keys = serde_json::to_string(issuer.jwks()).unwrap();
    ScriptedServer::start(vec![ScriptedReply::Response(200, keys); 40]).await.unwrap()
}

pub(crate) fn find_check<'a>(report: &'a Report, name: &str) -> &'a Check {
    let check = report.checks().find(|check| check.name == name);
    check.unwrap_or_else(|| panic!("no check {name}:\n{}", render(report, false)))
}

/// Asserts the status of a check, and that its finding and its advice contain these texts.
pub(crate) fn assert_check(report: &Report, name: &str, status: Status, texts: [&str; 2]) {
    let check = find_check(report, name);
    let [found, advice] = texts;
    let is_said = check.status == status
        && check.found.contains(found)
        && check.advice.as_deref().unwrap_or_default().contains(advice);
    assert!(is_said, "{check:?}");
    assert!(status < Status::Warning || check.advice.is_some(), "the check has no advice: {check:?}");
}

/// The names of all failed checks.
pub(crate) fn list_failures(report: &Report) -> Vec<&str> {
    report.checks().filter(|check| check.status == Status::Failure).map(|check| check.name.as_str()).collect()
}
