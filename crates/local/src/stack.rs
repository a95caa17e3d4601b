//! All servers that the service needs, started from one directory: Postgres, S3, the edge, the identity provider.

use std::{fmt, io, net::SocketAddr, path::PathBuf, sync::Arc};

use aws::Clock;
use signing::cloudfront::{KeyPairId, PrivateKey, Verifier};

use crate::{
    edge::{EdgeConfig, EdgeServer},
    postgres::{Durability, PostgresConfig, PostgresServer},
    s3::{Credentials, S3Config, S3Server, S3Store},
    state::StateDir,
    tokens::LocalIssuer,
};

pub use crate::s3::REGION;

/// The bucket of source files.
pub const STORAGE_BUCKET: &str = "local-storage";

/// The bucket of viewer assets, which the edge serves.
pub const VIEWER_ASSETS_BUCKET: &str = "local-viewer-assets";

/// The id of the service's key at the edge.
pub const KEY_PAIR_ID: &str = "KLOCAL00000001";

/// The file with the private key for links to the edge, in the state directory.
pub const SIGNING_KEY_FILE: &str = "keys/cloudfront.pem";

/// The file with the private key for tokens, in the state directory.
const TOKEN_KEY_FILE: &str = "keys/tokens.pem";

/// The file with the access keys of S3, in the state directory.
const S3_KEY_FILE: &str = "keys/s3";

/// The ports of the stack on the loopback interface. 0 means any free port.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ports {
    /// Postgres.
    pub postgres: u16,
    /// S3.
    pub s3: u16,
    /// The edge.
    pub edge: u16,
}

/// The running stack.
pub struct Stack {
    /// The database server.
    pub postgres: PostgresServer,
    /// The S3 server.
    pub s3: S3Server,
    /// The access keys of S3, which are the state directory's own.
    pub s3_credentials: Credentials,
    /// The content of S3, for the demo data.
    pub store: S3Store,
    /// The stand-in for the CDN.
    pub edge: EdgeServer,
    /// The identity provider.
    pub issuer: Arc<LocalIssuer>,
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").finish_non_exhaustive()
    }
}

impl Stack {
    /// Starts all servers. `binaries` is the directory of Postgres's programs, if it is not a usual one.
    pub async fn start(state: &StateDir, binaries: Option<PathBuf>, ports: Ports) -> io::Result<Self> {
        let (clock, address) = (Clock::System, |port| SocketAddr::from(([127, 0, 0, 1], port)));
        let postgres = PostgresConfig {
            data_dir: state.path().join("postgres"),
            port: Some(ports.postgres).filter(|port| *port != 0),
            durability: Durability::Durable,
            binaries,
        };
        // Starting Postgres blocks, so it runs beside the rest.
        let postgres = tokio::task::spawn_blocking(move || PostgresServer::start(postgres));
        let store = S3Store::open(&state.path().join("s3"), clock)?;
        store.create_bucket(STORAGE_BUCKET)?;
        store.create_bucket(VIEWER_ASSETS_BUCKET)?;
        let s3_credentials = load_s3_credentials(state)?;
        let s3 = S3Config {
            address: address(ports.s3),
            credentials: vec![s3_credentials.clone()],
            ..S3Config::new(store.clone())
        };
        let s3 = S3Server::start(s3).await.map_err(|error| port_error("--s3-port", &error))?;
        // Keys survive a restart, so that links and tokens stay valid.
        let signing_key = state.read_or_create(SIGNING_KEY_FILE, generate_signing_key)?;
        let public_key = parse_private_key(&signing_key)?.public_key().map_err(io::Error::other)?;
        let edge = EdgeConfig {
            store: store.clone(),
            bucket: VIEWER_ASSETS_BUCKET.to_owned(),
            address: address(ports.edge),
            verifier: Verifier::new().with_key(key_pair_id()?, public_key),
            clock,
        };
        let edge = EdgeServer::start(edge).await.map_err(|error| port_error("--edge-port", &error))?;
        let generate_key = || LocalIssuer::generate_key().map_err(io::Error::other);
        let token_key = state.read_or_create(TOKEN_KEY_FILE, generate_key)?;
        let issuer = Arc::new(LocalIssuer::new(&token_key).map_err(io::Error::other)?);
        let postgres = postgres.await.map_err(io::Error::other)?.map_err(io::Error::other)?;
        Ok(Self { postgres, s3, s3_credentials, store, edge, issuer })
    }

    /// Connects to the database as its owner.
    pub async fn connect(&self) -> io::Result<tokio_postgres::Client> {
        let connected = tokio_postgres::connect(&self.postgres.url(), tokio_postgres::NoTls).await;
        let (client, connection) = connected.map_err(io::Error::other)?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Stops all servers.
    pub async fn stop(self) {
        self.edge.shutdown().await;
        self.s3.shutdown().await;
        // Stopping Postgres blocks.
        let postgres = self.postgres;
        let _ = tokio::task::spawn_blocking(move || postgres.stop()).await;
    }
}

fn port_error(option: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on the port of {option}: {error}"))
}

/// The access keys of earlier starts, so that links stay valid, or new ones.
fn load_s3_credentials(state: &StateDir) -> io::Result<Credentials> {
    let generate = || Ok::<_, io::Error>(Credentials::generate().to_text());
    let text = state.read_or_create(S3_KEY_FILE, generate)?;
    Credentials::parse(&text).ok_or_else(|| io::Error::other(format!("{S3_KEY_FILE} has no access keys")))
}

fn generate_signing_key() -> io::Result<String> {
    let pem = PrivateKey::generate_p256().and_then(|key| key.to_pkcs8_pem());
    pem.map(|pem| pem.to_string()).map_err(io::Error::other)
}

fn parse_private_key(pem: &str) -> io::Result<PrivateKey> {
    PrivateKey::from_pem(pem).map_err(io::Error::other)
}

fn key_pair_id() -> io::Result<KeyPairId> {
    KeyPairId::new(KEY_PAIR_ID).map_err(io::Error::other)
}
