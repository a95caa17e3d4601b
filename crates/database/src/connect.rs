//! How a connection is made: where to, who we are, and whether we believe the other end.

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

use crate::{Error, cancel::Canceller, iam::IamLogin, session::span, tls::Trust};
use aws::Clock;

/// How long one address of the host has to answer.
const CONNECT: Duration = Duration::from_secs(3);

/// How long a connection may be silent before it is asked for a sign of life, how often it is asked again, and how many
/// times. A gateway or firewall in between forgets a silent connection after 350 s (Amazon VPC User Guide, "NAT gateways").
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_mins(1), Duration::from_secs(10), 3);

/// How long what was sent may stay unacknowledged before the connection counts as lost: the statement is sent once more
/// then, over another, and whoever waits for it is gone after 30 seconds.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// A connection that was not used for so long is not used again, in seconds: signs of life need a process that runs, and
/// in Lambda it stands still between events.
const UNUSED: u64 = 240;

/// Where Postgres is and how to be let in.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// Host name. With TLS the server's certificate must be for it.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Role.
    pub user: String,
    /// The database's name.
    pub name: String,
    /// What the role shows to be let in.
    pub password: Password,
    /// Whether the connection is encrypted and the server's certificate verified.
    pub tls: Tls,
    /// Connections at most.
    pub connections: usize,
    /// What time it is, by the clock on the wall.
    pub clock: Clock,
}

/// What a role shows to be let in.
#[derive(Clone)]
pub enum Password {
    /// Always the same.
    Fixed(Zeroizing<String>),
    /// An IAM authentication token, made anew for every connection. Needs TLS: it is sent as it is.
    Iam {
        /// The AWS region of the database.
        region: Region,
        /// Who is allowed `rds-db:connect`. Asked for every connection, so that rotated credentials are followed.
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

/// Whether a connection is encrypted.
#[derive(Debug, Clone)]
pub enum Tls {
    /// It is not.
    Off,
    /// It is, and to nobody but a server whose certificate is valid for its host name.
    Verified {
        /// Certificate authorities, in PEM, to believe beside the system's and those of Amazon RDS.
        extra_ca_file: Option<PathBuf>,
    },
}

/// A connection out of the pool.
pub(crate) type Connection = Object<Connector>;

/// Makes connections for the pool.
pub(crate) struct Connector {
    config: Config,
    iam: Option<Iam>,
    trust: Option<Trust>,
    clock: Clock,
}

/// A connection that the pool keeps.
pub(crate) struct Kept {
    pub(crate) client: Client,
    /// When it was last taken out of the pool, in seconds since the Unix epoch: the monotonic clock may stand still while
    /// the process does.
    taken_at: u64,
    /// How its statements are stopped.
    pub(crate) canceller: Arc<Canceller>,
}

struct Iam {
    login: IamLogin,
    credentials: SharedCredentialsProvider,
}

impl Connector {
    /// Connections as the configuration says, without TLS.
    pub(crate) fn plain(config: Config) -> Self {
        Self { config, iam: None, trust: None, clock: Clock::default() }
    }

    pub(crate) fn new(database: PoolConfig) -> Result<Self, Error> {
        let mut config = config(&database);
        let trust = match &database.tls {
            Tls::Off => None,
            Tls::Verified { extra_ca_file } => Some(Trust::new(extra_ca_file.as_deref())?),
        };
        config.ssl_mode(if trust.is_some() { SslMode::Require } else { SslMode::Disable });
        let PoolConfig { host, port, user, password, clock, .. } = database;
        let iam = match password {
            Password::Fixed(password) => {
                config.password(password.as_bytes());
                None
            }
            Password::Iam { .. } if trust.is_none() => {
                return Err(Error::Misconfigured("an IAM token must not be sent without TLS".to_owned()));
            }
            Password::Iam { region, credentials } => {
                Some(Iam { login: IamLogin { host, port, user, region }, credentials })
            }
        };
        Ok(Self { config, iam, trust, clock })
    }

    async fn connect(&self) -> Result<(Client, Arc<Canceller>), Error> {
        let mut config = self.config.clone();
        if let Some(iam) = &self.iam {
            config.password(iam.token(self.clock).await?.as_bytes());
        }
        let tls = self.trust.as_ref().map(Trust::connector);
        let (client, work) = match tls.clone() {
            Some(tls) => run(config.connect(tls).await.map_err(Error::unreachable)?),
            None => run(config.connect(NoTls).await.map_err(Error::unreachable)?),
        };
        let canceller = Canceller::new(client.cancel_token(), tls, work);
        Ok((client, canceller))
    }
}

/// Nothing is asked of the server beyond who and where: other start-up parameters would pin a session of RDS Proxy to
/// one connection.
fn config(database: &PoolConfig) -> Config {
    let (idle, interval, retries) = KEEPALIVE;
    let mut config = Config::new();
    config
        .host(&database.host)
        .port(database.port)
        .user(&database.user)
        .dbname(&database.name)
        .application_name("packages-service")
        .connect_timeout(CONNECT)
        .keepalives(true)
        .keepalives_idle(idle)
        .keepalives_interval(interval)
        .keepalives_retries(retries)
        .tcp_user_timeout(UNACKNOWLEDGED);
    config
}

/// Lets the connection do its work until its client is dropped.
fn run<T>(
    (client, connection): (Client, tokio_postgres::Connection<tokio_postgres::Socket, T>),
) -> (Client, AbortHandle)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let work = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(%error, "a connection to the database was lost");
        }
    });
    (client, work.abort_handle())
}

impl Iam {
    async fn token(&self, clock: Clock) -> Result<Zeroizing<String>, Error> {
        let credentials = self.credentials.provide_credentials().await.map_err(Error::unreachable)?;
        self.login.token(&credentials, clock.now_utc().into()).map_err(Error::unreachable)
    }
}

impl Manager for Connector {
    type Type = Kept;
    type Error = Error;

    async fn create(&self) -> Result<Kept, Error> {
        let (client, canceller) = self.connect().instrument(span("connect")).await?;
        Ok(Kept { client, taken_at: self.clock.now(), canceller })
    }

    /// Makes no round trip: a connection that died unnoticed a moment ago shows on its next use.
    async fn recycle(&self, kept: &mut Kept, _: &Metrics) -> RecycleResult<Error> {
        let now = self.clock.now();
        let unused = now.abs_diff(mem::replace(&mut kept.taken_at, now));
        if kept.client.is_closed() || unused >= UNUSED || kept.canceller.is_abandoned() {
            return Err(RecycleError::message("closed, or it may be, or busy with what nobody waits for"));
        }
        Ok(())
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
            connections: 1,
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
    fn a_token_needs_tls() {
        let refused = Connector::new(database(iam(), Tls::Off)).err().map(|error| error.to_string());
        assert!(refused.is_some_and(|why| why.contains("TLS")));
        assert!(Connector::new(database(iam(), Tls::Verified { extra_ca_file: None })).is_ok());
    }

    #[test]
    fn tls_is_never_a_mere_preference() {
        let fixed = || Password::Fixed(Zeroizing::new("secret".to_owned()));
        let mode = |tls| Connector::new(database(fixed(), tls)).unwrap().config.get_ssl_mode();
        assert_eq!(mode(Tls::Off), SslMode::Disable);
        assert_eq!(mode(Tls::Verified { extra_ca_file: None }), SslMode::Require);
    }

    /// What a server says to whom it lets in without a word, and that it is ready.
    const WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

    #[tokio::test]
    async fn a_connection_that_was_not_used_for_long_is_not_used_again() {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        theirs.write_all(WELCOME).await.unwrap();
        let (client, _connection) = Config::new().user("user").connect_raw(ours, NoTls).await.unwrap();
        let work = tokio::spawn(std::future::pending::<()>()).abort_handle();
        let canceller = Canceller::new(client.cancel_token(), None, work);
        let mut kept = Kept { client, taken_at: 1000, canceller };
        for (now, is_used) in [(1239, true), (1478, true), (1718, false)] {
            let connector = Connector { clock: Clock::Fixed(now), ..Connector::plain(Config::new()) };
            let recycled = connector.recycle(&mut kept, &Metrics::default()).await;
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
