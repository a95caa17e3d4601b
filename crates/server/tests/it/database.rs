//! Connections to Postgres as on AWS: TLS, a verified server certificate, and a password that expires within minutes. The
//! server is a real Postgres.

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

use crate::app::{self, wait_until};

const NOW: Clock = Clock::Fixed(1_793_881_845);

/// A Postgres with TLS. A private authority signed its certificate for `localhost`.
struct TlsPostgres {
    postgres: PostgresServer,
    dir: TempDir,
}

impl TlsPostgres {
    /// The instance that concurrent tests share.
    async fn start_shared() -> Arc<Self> {
        static RUNNING: Mutex<Weak<TlsPostgres>> = Mutex::new(Weak::new());
        let server = {
            let mut running = RUNNING.lock().unwrap();
            running.upgrade().unwrap_or_else(|| {
                let server = Arc::new(Self::start());
                *running = Arc::downgrade(&server);
                server
            })
        };
        // The advisory lock lets one test at a time create the tables.
        server.run_sql(&format!("SELECT pg_advisory_xact_lock(1); {}", restore::SCHEMA)).await;
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
        server.enable_tls();
        server
    }

    /// Turns TLS on. Roles with the prefix `iam_` log in with a cleartext password, as IAM tokens do on RDS.
    fn enable_tls(&self) {
        let mut authority = CertificateParams::new([]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let server = server.signed_by(&key, &authority).unwrap();
        fs::write(self.ca_file(), authority.pem()).unwrap();
        self.write_server_file("server.crt", &server.pem());
        self.write_server_file("server.key", &key.serialize_pem());
        let hba = fs::read_to_string(self.postgres.data_dir().join("pg_hba.conf")).unwrap();
        self.write_server_file("pg_hba.conf", &format!("hostssl all /^iam_ all password\n{hba}"));
        self.write_server_file("postgresql.auto.conf", "ssl = on\n");
        let pid = fs::read_to_string(self.postgres.data_dir().join("postmaster.pid")).unwrap();
        let reload = std::process::Command::new("kill").args(["-HUP", pid.lines().next().unwrap()]).status();
        assert!(reload.unwrap().success());
    }

    /// Writes a file with the owner and mode that Postgres requires.
    fn write_server_file(&self, name: &str, text: &str) {
        let path = self.postgres.data_dir().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let owner = fs::metadata(self.postgres.data_dir()).unwrap();
        chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
    }

    fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    async fn run_sql(&self, sql: &str) {
        let client = local::testing::connect(&self.postgres.url()).await.unwrap();
        client.batch_execute(sql).await.unwrap();
    }

    /// Sets the password of `iam_service` and ends its sessions.
    async fn replace_password(&self, password: &str) {
        self.run_sql(&format!("ALTER ROLE iam_service PASSWORD '{password}'")).await;
        let sessions = "FROM pg_stat_activity WHERE usename = 'iam_service'";
        self.run_sql(&format!("SELECT pg_terminate_backend(pid, 5000) {sessions}")).await;
    }

    /// A pool of one TLS connection, as a new role with this set-up.
    async fn connect_as_role(&self, role: &str, setup: &str) -> Db {
        self.run_sql(&format!("CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{role}'; {setup}")).await;
        let mut database = self.pool_config(Some(&self.ca_file()));
        role.clone_into(&mut database.user);
        database.password = Password::Fixed(role.to_owned().into());
        database.max_connections = 1;
        Db::from_config(database).unwrap()
    }

    /// Locks the table that [`check_tables`] reads.
    async fn lock_failures(&self) -> Client {
        let client = local::testing::connect(&self.postgres.url()).await.unwrap();
        client.batch_execute("BEGIN; LOCK packages_service.restore_failures").await.unwrap();
        client
    }

    fn pool_config(&self, ca_file: Option<&Path>) -> PoolConfig {
        pool_config(&self.postgres.url(), Tls::Verified { extra_ca_file: ca_file.map(Path::to_owned) })
    }
}

/// The database of a URL, as `localhost`.
fn pool_config(url: &str, tls: Tls) -> PoolConfig {
    PoolConfig { host: "localhost".to_owned(), tls, max_connections: 2, clock: NOW, ..app::pool_config(url) }
}

async fn check_error(database: PoolConfig) -> String {
    check_tables(&Db::from_config(database).unwrap()).await.unwrap_err().to_string()
}

#[tokio::test]
async fn accepts_a_server_with_a_valid_certificate() {
    let server = TlsPostgres::start_shared().await;
    let db = Db::from_config(server.pool_config(Some(&server.ca_file()))).unwrap();
    check_tables(&db).await.unwrap();
    let encrypted = "SELECT 1 / count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                     WHERE ssl AND application_name = 'packages-service'";
    server.run_sql(encrypted).await;
}

#[tokio::test]
async fn rejects_a_certificate_of_an_unknown_authority() {
    let server = TlsPostgres::start_shared().await;
    let error = check_error(server.pool_config(None)).await;
    assert!(error.contains("UnknownIssuer"), "{error}");
}

#[tokio::test]
async fn rejects_a_certificate_for_another_host() {
    let server = TlsPostgres::start_shared().await;
    let mut database = server.pool_config(Some(&server.ca_file()));
    database.host = "127.0.0.1".to_owned();
    let error = check_error(database).await;
    assert!(error.contains("not valid for name"), "{error}");
}

#[tokio::test]
async fn sends_no_password_to_a_server_without_tls() {
    let url = tokio::task::spawn_blocking(shared_server_url).await.unwrap();
    let error = check_error(pool_config(&url, Tls::Verified { extra_ca_file: None })).await;
    assert!(error.contains("does not support TLS"), "{error}");
    let plain = check_error(pool_config(&url, Tls::Disabled)).await;
    assert!(plain.contains("packages_service"), "the login succeeds, but there are no tables: {plain}");
}

/// Credentials that change with each call.
#[derive(Debug, Default, Clone)]
struct RotatingCredentials(Arc<AtomicUsize>);

impl RotatingCredentials {
    fn nth(n: usize) -> Credentials {
        Credentials::new(format!("AKID{n}"), "secret", Some("session token".repeat(80)), None, "test")
    }
}

impl ProvideCredentials for RotatingCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Ok(Self::nth(self.0.fetch_add(1, Relaxed))))
    }
}

#[tokio::test]
async fn each_connection_uses_a_new_iam_token() {
    let server = TlsPostgres::start_shared().await;
    let (mut database, provider) =
        (server.pool_config(Some(&server.ca_file())), RotatingCredentials::default());
    "iam_service".clone_into(&mut database.user);
    let region = Region::new("us-east-1").unwrap();
    let login = IamLogin {
        host: database.host.clone(),
        port: database.port,
        user: database.user.clone(),
        region: region.clone(),
    };
    database.password =
        Password::Iam { region, credentials: SharedCredentialsProvider::new(provider.clone()) };
    let db = Db::from_config(database).unwrap();
    server.run_sql("CREATE ROLE iam_service LOGIN SUPERUSER").await;
    for n in 0..3 {
        let token = login.generate_token(&RotatingCredentials::nth(n), NOW.now_utc().into()).unwrap();
        server.replace_password(&token).await;
        check_tables(&db).await.unwrap();
        check_tables(&db).await.unwrap();
        assert_eq!(provider.0.load(Relaxed), n + 1, "an open connection needs no new token");
    }
    server.replace_password("another").await;
    let error = check_tables(&db).await.unwrap_err().to_string();
    assert!(error.contains("password authentication failed"), "{error}");
    assert!(!error.contains("X-Amz"), "{error}");
}

#[derive(Debug)]
struct NoCredentials;

impl ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let error = aws_credential_types::provider::error::CredentialsError::not_loaded("no credentials");
        future::ProvideCredentials::ready(Err(error))
    }
}

#[tokio::test]
async fn connecting_without_credentials_fails() {
    let server = TlsPostgres::start_shared().await;
    let mut database = server.pool_config(Some(&server.ca_file()));
    let region = Region::new("us-east-1").unwrap();
    database.password = Password::Iam { region, credentials: SharedCredentialsProvider::new(NoCredentials) };
    let error = check_tables(&Db::from_config(database).unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)), "{error}");
}

/// Ends the sessions of a role while this thread is blocked, so that the pool cannot notice.
fn terminate_sessions_blocking(url: &str, role: &str) {
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
async fn dead_connections_are_replaced() {
    let server = TlsPostgres::start_shared().await;
    server.run_sql("CREATE ROLE unlucky LOGIN SUPERUSER PASSWORD 'unlucky'").await;
    for connections in [1, 2] {
        let mut database = server.pool_config(Some(&server.ca_file()));
        "unlucky".clone_into(&mut database.user);
        database.password = Password::Fixed("unlucky".to_owned().into());
        database.max_connections = connections;
        let db = Db::from_config(database).unwrap();
        let (one, other) = tokio::join!(check_tables(&db), check_tables(&db));
        one.and(other).unwrap();
        terminate_sessions_blocking(&server.postgres.url(), "unlucky");
        check_tables(&db).await.unwrap_or_else(|error| panic!("{connections}: {error}"));
    }
}

/// The statement of a disconnected client must not keep its connection busy, nor wait on in the server.
#[tokio::test]
async fn an_abandoned_statement_is_cancelled_over_tls() {
    let server = TlsPostgres::start_shared().await;
    let db = server.connect_as_role("hasty", "").await;
    let lock = server.lock_failures().await;
    let observer = local::testing::connect(&server.postgres.url()).await.unwrap();
    let is_waiting = async |n| {
        let sql =
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'hasty' AND wait_event_type = 'Lock'";
        observer.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == n
    };
    tokio::select! {
        checked = check_tables(&db) => panic!("the statement did not wait: {checked:?}"),
        () = wait_until("the statement waits", async || is_waiting(1).await) => {}
    }
    wait_until("the statement is cancelled", async || is_waiting(0).await).await;
    // The platform's tables do not exist here. The error shows that the statement ran.
    let said = find_member(&db, &Identity::ApiKey("key".to_owned())).await.unwrap_err();
    assert!(matches!(said, Error::Refused(_)), "{said}");
    lock.batch_execute("ROLLBACK").await.unwrap();
    check_tables(&db).await.unwrap();
}

/// An operator sets these once for the role.
#[tokio::test]
async fn the_timeouts_of_a_role_are_reported_as_timeouts() {
    let server = TlsPostgres::start_shared().await;
    for (role, setting, code) in
        [("patient", "lock_timeout = '50ms'", "55P03"), ("quick", "statement_timeout = '50ms'", "57014")]
    {
        let db = server.connect_as_role(role, &format!("ALTER ROLE {role} SET {setting}")).await;
        let lock = server.lock_failures().await;
        let sent = db.statement_count();
        let said = check_tables(&db).await.unwrap_err();
        assert!(matches!(said, Error::TimedOut(_)) && said.to_string().contains(code), "{role}: {said}");
        assert_eq!(db.statement_count() - sent, 1, "{role}: it is not sent again");
        lock.batch_execute("ROLLBACK").await.unwrap();
    }
}
