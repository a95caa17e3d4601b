//! Connections to Postgres as they are made on AWS: encrypted, to a server that can prove who it is, with a password that
//! lives for minutes. The server is a real one, and it is the server that checks.

use restore::db::check_tables;
use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use authorize::db::{Identity, find_member};
use aws::Clock;
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, future},
};
use database::{Db, Error, IamLogin, Password, PoolConfig, Tls};
use local::postgres::{Durability, PostgresConfig, PostgresServer, shared_server_url};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use signing::s3::Region;
use tempfile::TempDir;
use tokio_postgres::Client;

use crate::{app, limits::until};

const NOW: Clock = Clock::Fixed(1_793_881_845);

/// A Postgres with TLS. Its certificate is for `localhost`, by an authority that nobody else knows.
struct Server {
    postgres: PostgresServer,
    dir: TempDir,
}

impl Server {
    /// The tests that run at the same time share one.
    async fn shared() -> Arc<Self> {
        static RUNNING: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let server = {
            let mut running = RUNNING.lock().unwrap();
            running.upgrade().unwrap_or_else(|| {
                let server = Arc::new(Self::start());
                *running = Arc::downgrade(&server);
                server
            })
        };
        // One test at a time makes the tables, and all but the first find them.
        server.sql(&format!("SELECT pg_advisory_xact_lock(1); {}", restore::SCHEMA)).await;
        server
    }

    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let postgres = PostgresServer::start(PostgresConfig {
            data_dir: dir.path().join("postgres"),
            port: None,
            durability: Durability::Throwaway,
            binaries: std::env::var_os("PG_BIN_DIR").map(PathBuf::from),
        })
        .unwrap();
        let server = Self { postgres, dir };
        server.certify();
        server
    }

    /// Turns TLS on, and lets roles whose name begins with `iam_` in by a password that is sent as it is, which is how a
    /// token is sent to RDS.
    fn certify(&self) {
        let mut authority = CertificateParams::new([]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let server = server.signed_by(&key, &authority).unwrap();
        fs::write(self.ca_file(), authority.pem()).unwrap();
        self.write("server.crt", &server.pem());
        self.write("server.key", &key.serialize_pem());
        let hba = fs::read_to_string(self.postgres.data_dir().join("pg_hba.conf")).unwrap();
        self.write("pg_hba.conf", &format!("hostssl all /^iam_ all password\n{hba}"));
        self.write("postgresql.auto.conf", "ssl = on\n");
        let pid = fs::read_to_string(self.postgres.data_dir().join("postmaster.pid")).unwrap();
        let reload = std::process::Command::new("kill").args(["-HUP", pid.lines().next().unwrap()]).status();
        assert!(reload.unwrap().success());
    }

    /// A file that is the server's own, as it insists.
    fn write(&self, name: &str, text: &str) {
        let path = self.postgres.data_dir().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let owner = fs::metadata(self.postgres.data_dir()).unwrap();
        chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
    }

    fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    async fn sql(&self, sql: &str) {
        let client = local::testing::connect(&self.postgres.url()).await.unwrap();
        client.batch_execute(sql).await.unwrap();
    }

    /// Lets `iam_service` in by this password only, and nobody who came by another.
    async fn admit_anew(&self, password: &str) {
        self.sql(&format!("ALTER ROLE iam_service PASSWORD '{password}'")).await;
        let sessions = "FROM pg_stat_activity WHERE usename = 'iam_service'";
        self.sql(&format!("SELECT pg_terminate_backend(pid, 5000) {sessions}")).await;
    }

    /// One connection over TLS, as a role of its own that is set up so.
    async fn as_role(&self, role: &str, setup: &str) -> Db {
        self.sql(&format!("CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{role}'; {setup}")).await;
        let mut database = self.database(Some(&self.ca_file()));
        role.clone_into(&mut database.user);
        database.password = Password::Fixed(role.to_owned().into());
        database.max_connections = 1;
        Db::from_config(database).unwrap()
    }

    /// Whoever keeps what [`Db::check`] reads.
    async fn lock(&self) -> Client {
        let client = local::testing::connect(&self.postgres.url()).await.unwrap();
        client.batch_execute("BEGIN; LOCK packages_service.restore_failures").await.unwrap();
        client
    }

    fn database(&self, ca_file: Option<&Path>) -> PoolConfig {
        database(&self.postgres.url(), Tls::Verified { extra_ca_file: ca_file.map(Path::to_owned) })
    }
}

/// The database of a URL, as `localhost`.
fn database(url: &str, tls: Tls) -> PoolConfig {
    PoolConfig { host: "localhost".to_owned(), tls, max_connections: 2, clock: NOW, ..app::database(url) }
}

async fn refusal(database: PoolConfig) -> String {
    check_tables(&Db::from_config(database).unwrap()).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_server_that_proves_who_it_is_is_believed() {
    let server = Server::shared().await;
    let db = Db::from_config(server.database(Some(&server.ca_file()))).unwrap();
    check_tables(&db).await.unwrap();
    let encrypted = "SELECT 1 / count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                     WHERE ssl AND application_name = 'packages-service'";
    server.sql(encrypted).await;
}

#[tokio::test]
async fn a_server_that_an_unknown_authority_vouches_for_is_not() {
    let server = Server::shared().await;
    let refused = refusal(server.database(None)).await;
    assert!(refused.contains("UnknownIssuer"), "{refused}");
}

#[tokio::test]
async fn a_server_with_the_certificate_of_another_is_not() {
    let server = Server::shared().await;
    let mut database = server.database(Some(&server.ca_file()));
    database.host = "127.0.0.1".to_owned();
    let refused = refusal(database).await;
    assert!(refused.contains("not valid for name"), "{refused}");
}

#[tokio::test]
async fn a_server_without_tls_gets_no_password() {
    let url = tokio::task::spawn_blocking(shared_server_url).await.unwrap();
    let refused = refusal(database(&url, Tls::Verified { extra_ca_file: None })).await;
    assert!(refused.contains("does not support TLS"), "{refused}");
    let plain = refusal(database(&url, Tls::Disabled)).await;
    assert!(plain.contains("packages_service"), "it was let in, and found no tables: {plain}");
}

/// Who answers with other credentials each time it is asked.
#[derive(Debug, Default, Clone)]
struct Rotating(Arc<AtomicUsize>);

impl Rotating {
    fn nth(n: usize) -> Credentials {
        Credentials::new(format!("AKID{n}"), "secret", Some("session token".repeat(80)), None, "test")
    }
}

impl ProvideCredentials for Rotating {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Ok(Self::nth(self.0.fetch_add(1, Relaxed))))
    }
}

#[tokio::test]
async fn every_connection_shows_a_token_of_its_own() {
    let server = Server::shared().await;
    let (mut database, asked) = (server.database(Some(&server.ca_file())), Rotating::default());
    "iam_service".clone_into(&mut database.user);
    let region = Region::new("us-east-1").unwrap();
    let login = IamLogin {
        host: database.host.clone(),
        port: database.port,
        user: database.user.clone(),
        region: region.clone(),
    };
    database.password = Password::Iam { region, credentials: SharedCredentialsProvider::new(asked.clone()) };
    let db = Db::from_config(database).unwrap();
    server.sql("CREATE ROLE iam_service LOGIN SUPERUSER").await;
    for n in 0..3 {
        let token = login.generate_token(&Rotating::nth(n), NOW.now_utc().into()).unwrap();
        server.admit_anew(&token).await;
        check_tables(&db).await.unwrap();
        check_tables(&db).await.unwrap();
        assert_eq!(asked.0.load(Relaxed), n + 1, "a connection that lives on is not asked again");
    }
    server.admit_anew("another").await;
    let refused = check_tables(&db).await.unwrap_err().to_string();
    assert!(refused.contains("password authentication failed"), "{refused}");
    assert!(!refused.contains("X-Amz"), "{refused}");
}

#[derive(Debug)]
struct Nobody;

impl ProvideCredentials for Nobody {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let error = aws_credential_types::provider::error::CredentialsError::not_loaded("nobody is here");
        future::ProvideCredentials::ready(Err(error))
    }
}

#[tokio::test]
async fn without_credentials_there_is_no_connection() {
    let server = Server::shared().await;
    let mut database = server.database(Some(&server.ca_file()));
    let region = Region::new("us-east-1").unwrap();
    database.password = Password::Iam { region, credentials: SharedCredentialsProvider::new(Nobody) };
    let refused = check_tables(&Db::from_config(database).unwrap()).await.unwrap_err();
    assert!(matches!(refused, Error::Unreachable(_)), "{refused}");
}

/// Ends the sessions of a role while everything in this thread waits, so that nobody there notices.
fn end_unnoticed(url: &str, role: &str) {
    let (url, role) = (url.to_owned(), role.to_owned());
    let end = async move {
        let client = local::testing::connect(&url).await.unwrap();
        let sessions = format!("FROM pg_stat_activity WHERE usename = '{role}'");
        client.batch_execute(&format!("SELECT pg_terminate_backend(pid, 5000) {sessions}")).await.unwrap();
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    std::thread::spawn(move || runtime.block_on(end)).join().unwrap();
}

#[tokio::test]
async fn connections_that_died_unnoticed_are_replaced_however_few_there_may_be() {
    let server = Server::shared().await;
    server.sql("CREATE ROLE unlucky LOGIN SUPERUSER PASSWORD 'unlucky'").await;
    for connections in [1, 2] {
        let mut database = server.database(Some(&server.ca_file()));
        "unlucky".clone_into(&mut database.user);
        database.password = Password::Fixed("unlucky".to_owned().into());
        database.max_connections = connections;
        let db = Db::from_config(database).unwrap();
        let (one, other) = tokio::join!(check_tables(&db), check_tables(&db));
        one.and(other).unwrap();
        end_unnoticed(&server.postgres.url(), "unlucky");
        check_tables(&db).await.unwrap_or_else(|error| panic!("{connections}: {error}"));
    }
}

/// Whoever hung up while a statement waited for a lock must not leave it to the next one to wait for, nor to the server.
#[tokio::test]
async fn a_statement_that_nobody_waits_for_any_more_is_cancelled_over_tls() {
    let server = Server::shared().await;
    let db = server.as_role("hasty", "").await;
    let lock = server.lock().await;
    let someone = local::testing::connect(&server.postgres.url()).await.unwrap();
    let is_waiting = async |n| {
        let sql =
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'hasty' AND wait_event_type = 'Lock'";
        someone.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == n
    };
    tokio::select! {
        checked = check_tables(&db) => panic!("it waits: {checked:?}"),
        () = until("it waits", async || is_waiting(1).await) => {}
    }
    until("it is cancelled", async || is_waiting(0).await).await;
    // The platform's tables are not here: that this is said means that the statement was not held up.
    let said = find_member(&db, &Identity::ApiKey("key".to_owned())).await.unwrap_err();
    assert!(matches!(said, Error::Refused(_)), "{said}");
    lock.batch_execute("ROLLBACK").await.unwrap();
    check_tables(&db).await.unwrap();
}

/// What an operator sets once for the role.
#[tokio::test]
async fn the_limits_of_a_role_are_limits_of_time() {
    let server = Server::shared().await;
    for (role, setting, code) in
        [("patient", "lock_timeout = '50ms'", "55P03"), ("quick", "statement_timeout = '50ms'", "57014")]
    {
        let db = server.as_role(role, &format!("ALTER ROLE {role} SET {setting}")).await;
        let lock = server.lock().await;
        let sent = db.statement_count();
        let said = check_tables(&db).await.unwrap_err();
        assert!(matches!(said, Error::TimedOut(_)) && said.to_string().contains(code), "{role}: {said}");
        assert_eq!(db.statement_count() - sent, 1, "{role}: it is not sent once more");
        lock.batch_execute("ROLLBACK").await.unwrap();
    }
}
