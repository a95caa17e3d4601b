//! Opening connections: address, login and TLS.

use std::{fmt, mem, path::PathBuf, sync::Arc, time::Duration};

use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use deadpool::managed::{Manager, Metrics, Object, RecycleError, RecycleResult};
use signing::s3::Region;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::AbortHandle,
};
use tokio_postgres::{Client, Config, NoTls, config::SslMode};
use tracing::Instrument as _;
use zeroize::Zeroizing;

use crate::{
    Error,
    cancel::Canceller,
    generation::{ConnectionGeneration, PoolGeneration},
    iam::IamLogin,
    session::statement_span,
    statement_cache::{PreparedStatements, StatementCache},
    tls::TlsConnector,
};
use aws::Clock;

/// How long one address of the host may take to accept a TCP connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a connection may be silent before TCP probes it. NAT gateways drop silent connections after 350 s (Amazon VPC
/// User Guide, "NAT gateways").
const KEEPALIVE_IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// The time between two probes.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Unanswered probes before the connection is closed.
const MAX_KEEPALIVE_PROBES: u32 = 3;

/// How long sent bytes may stay unacknowledged before the connection counts as lost (`TCP_USER_TIMEOUT`). The statement
/// is then sent once more over another connection, within the 30 seconds of its request.
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that was idle for this long is not used again. Probes need a running process, and Lambda freezes it
/// between events.
const MAX_IDLE_SECONDS: u64 = 240;

/// The address, login and limits of a pool.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// Host name. With TLS the server's certificate must be for it.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The role to log in as.
    pub user: String,
    /// The database's name.
    pub name: String,
    /// The role's password.
    pub password: Password,
    /// Whether the connection is encrypted and the server's certificate verified.
    pub tls: Tls,
    /// The largest number of connections.
    pub max_connections: usize,
    /// The clock for IAM tokens and idle times.
    pub clock: Clock,
}

/// The password of a role.
#[derive(Clone)]
pub enum Password {
    /// Always the same.
    Fixed(Zeroizing<String>),
    /// An IAM authentication token, generated for every connection. It requires TLS, because it is sent in clear text.
    Iam {
        /// The AWS region of the database.
        region: Region,
        /// The credentials with `rds-db:connect`. They are asked for every connection, because they rotate.
        credentials: SharedCredentialsProvider,
    },
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fixed(_) => "Fixed(..)",
            Self::Iam { .. } => "Iam { .. }",
        })
    }
}

/// Whether connections are encrypted.
#[derive(Debug, Clone)]
pub enum Tls {
    /// No encryption.
    Disabled,
    /// Encryption, and a server certificate that is valid for the host name.
    Verified {
        /// A PEM file with certificate authorities to trust in addition to the system's and those of Amazon RDS.
        extra_ca_file: Option<PathBuf>,
    },
}

/// A connection taken from the pool.
pub(crate) type Connection = Object<Connector>;

/// Opens connections for the pool.
pub(crate) struct Connector {
    config: Config,
    iam: Option<IamAuthentication>,
    tls: Option<TlsConnector>,
    pub(crate) prepared_statements: PreparedStatements,
    generation: PoolGeneration,
    clock: Clock,
}

/// A connection in the pool.
pub(crate) struct PooledClient {
    pub(crate) client: Client,
    /// When it was last taken from the pool, in seconds since the Unix epoch. Not an `Instant`: the monotonic clock may
    /// stop while the process is frozen.
    last_used_at: u64,
    pub(crate) canceller: Arc<Canceller>,
    pub(crate) statements: StatementCache,
    pub(crate) generation: ConnectionGeneration,
}

struct IamAuthentication {
    login: IamLogin,
    credentials: SharedCredentialsProvider,
}

impl Connector {
    /// Opens connections by this configuration, without TLS.
    pub(crate) fn plain(config: Config) -> Self {
        Self::build(config, None, None, Clock::default())
    }

    pub(crate) fn new(database: PoolConfig) -> Result<Self, Error> {
        let mut config = build_config(&database);
        let tls = match &database.tls {
            Tls::Disabled => None,
            Tls::Verified { extra_ca_file } => Some(TlsConnector::new(extra_ca_file.as_deref())?),
        };
        // Never `Prefer`, which falls back to clear text where a server offers no TLS.
        config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        let PoolConfig { host, port, user, password, clock, .. } = database;
        let iam = match password {
            Password::Fixed(password) => {
                config.password(password.as_bytes());
                None
            }
            Password::Iam { .. } if tls.is_none() => {
                return Err(Error::Misconfigured("an IAM token requires TLS".to_owned()));
            }
            Password::Iam { region, credentials } => {
                Some(IamAuthentication { login: IamLogin { host, port, user, region }, credentials })
            }
        };
        Ok(Self::build(config, iam, tls, clock))
    }

    fn build(
        config: Config,
        iam: Option<IamAuthentication>,
        tls: Option<TlsConnector>,
        clock: Clock,
    ) -> Self {
        let (prepared_statements, generation) = (PreparedStatements::default(), PoolGeneration::default());
        Self { config, iam, tls, prepared_statements, generation, clock }
    }

    async fn connect(&self) -> Result<(Client, Arc<Canceller>), Error> {
        let mut config = self.config.clone();
        if let Some(iam) = &self.iam {
            config.password(iam.generate_token(self.clock).await?.as_bytes());
        }
        let tls = self.tls.as_ref().map(TlsConnector::get);
        let (client, task) = match tls.clone() {
            Some(tls) => spawn_connection(config.connect(tls).await.map_err(Error::unreachable)?),
            None => spawn_connection(config.connect(NoTls).await.map_err(Error::unreachable)?),
        };
        let canceller = Canceller::new(client.cancel_token(), tls, task);
        Ok((client, canceller))
    }
}

/// No start-up parameters beyond role, database and application name: others would pin the session of an RDS Proxy to one
/// connection (Amazon RDS User Guide, "Avoiding pinning an RDS Proxy").
fn build_config(database: &PoolConfig) -> Config {
    let mut config = Config::new();
    config
        .host(&database.host)
        .port(database.port)
        .user(&database.user)
        .dbname(&database.name)
        .application_name("packages-service")
        .connect_timeout(CONNECT_TIMEOUT)
        .keepalives(true)
        .keepalives_idle(KEEPALIVE_IDLE_TIMEOUT)
        .keepalives_interval(KEEPALIVE_INTERVAL)
        .keepalives_retries(MAX_KEEPALIVE_PROBES)
        .tcp_user_timeout(UNACKNOWLEDGED_TIMEOUT);
    config
}

/// Drives the connection in a task, which ends when the client is dropped.
fn spawn_connection<T>(
    (client, connection): (Client, tokio_postgres::Connection<tokio_postgres::Socket, T>),
) -> (Client, AbortHandle)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let task = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(%error, "a connection to the database was lost");
        }
    });
    (client, task.abort_handle())
}

impl IamAuthentication {
    async fn generate_token(&self, clock: Clock) -> Result<Zeroizing<String>, Error> {
        let credentials = self.credentials.provide_credentials().await.map_err(Error::unreachable)?;
        self.login.generate_token(&credentials, clock.now_utc().into()).map_err(Error::unreachable)
    }
}

impl Manager for Connector {
    type Type = PooledClient;
    type Error = Error;

    async fn create(&self) -> Result<PooledClient, Error> {
        // Before: one that is opened during a failover may be to the server of before.
        let generation = self.generation.current();
        // Boxed: a request that finds an open connection would carry and copy this large future otherwise.
        let (client, canceller) = Box::pin(self.connect().instrument(statement_span("connect"))).await?;
        let statements = StatementCache::new(self.prepared_statements.clone());
        Ok(PooledClient { client, last_used_at: self.clock.now(), canceller, statements, generation })
    }

    /// Checks the connection without a round trip. A connection that broke unnoticed fails on its next statement, which
    /// [`Db::query`](crate::Db::query) sends again.
    async fn recycle(&self, pooled: &mut PooledClient, _: &Metrics) -> RecycleResult<Error> {
        let now = self.clock.now();
        // Not a subtraction: the wall clock may go back.
        let idle_seconds = now.abs_diff(mem::replace(&mut pooled.last_used_at, now));
        let is_usable = !pooled.client.is_closed()
            && idle_seconds < MAX_IDLE_SECONDS
            && !pooled.canceller.is_abandoned()
            && pooled.generation.is_current();
        if is_usable { Ok(()) } else { Err(RecycleError::message("the connection must not be used again")) }
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    fn database(password: Password, tls: Tls) -> PoolConfig {
        PoolConfig {
            host: "db.test".to_owned(),
            port: 5432,
            user: "user".to_owned(),
            name: "name".to_owned(),
            password,
            tls,
            max_connections: 1,
            clock: Clock::System,
        }
    }

    fn iam() -> Password {
        Password::Iam {
            region: Region::new("us-east-1").unwrap(),
            credentials: SharedCredentialsProvider::new(Credentials::new(
                "AKID", "SECRET", None, None, "test",
            )),
        }
    }

    #[test]
    fn an_iam_token_requires_tls() {
        let refused = Connector::new(database(iam(), Tls::Disabled)).err().map(|error| error.to_string());
        assert!(refused.is_some_and(|why| why.contains("requires TLS")));
        assert!(Connector::new(database(iam(), Tls::Verified { extra_ca_file: None })).is_ok());
    }

    #[test]
    fn tls_never_falls_back_to_clear_text() {
        let fixed = || Password::Fixed(Zeroizing::new("secret".to_owned()));
        let mode = |tls| Connector::new(database(fixed(), tls)).unwrap().config.get_ssl_mode();
        assert_eq!(mode(Tls::Disabled), SslMode::Disable);
        assert_eq!(mode(Tls::Verified { extra_ca_file: None }), SslMode::Require);
    }

    /// `AuthenticationOk` and `ReadyForQuery` (PostgreSQL documentation, "Message Formats").
    const LOGIN_RESPONSE: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

    #[tokio::test]
    async fn a_connection_idle_for_four_minutes_is_not_used_again() {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        theirs.write_all(LOGIN_RESPONSE).await.unwrap();
        let (client, _connection) = Config::new().user("user").connect_raw(ours, NoTls).await.unwrap();
        let task = tokio::spawn(std::future::pending::<()>()).abort_handle();
        let canceller = Canceller::new(client.cancel_token(), None, task);
        let statements = StatementCache::new(PreparedStatements::default());
        let generation = PoolGeneration::default().current();
        let mut pooled = PooledClient { client, last_used_at: 1000, canceller, statements, generation };
        for (now, is_used) in [(1239, true), (1478, true), (1718, false)] {
            let connector = Connector { clock: Clock::Fixed(now), ..Connector::plain(Config::new()) };
            let recycled = connector.recycle(&mut pooled, &Metrics::default()).await;
            assert_eq!(recycled.is_ok(), is_used, "at {now}");
        }
    }

    #[test]
    fn no_secret_is_printed() {
        let fixed = Password::Fixed(Zeroizing::new("SECRET".to_owned()));
        for password in [fixed, iam()] {
            let database = database(password, Tls::Verified { extra_ca_file: None });
            assert!(!format!("{database:?}").contains("SECRET"));
        }
    }
}
