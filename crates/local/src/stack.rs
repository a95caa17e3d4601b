//! Everything that the service stands on, started from one directory: Postgres, S3, the edge, the identity provider.

use std::{fmt, io, net::SocketAddr, path::PathBuf};

use packages::clock::Clock;
use signing::cloudfront::{KeyPairId, PrivateKey, Verifier};

use crate::{
    edge::{Edge, EdgeConfig},
    postgres::{Durability, Postgres, PostgresConfig},
    s3::{S3, S3Config, S3Server},
    state::StateDir,
    tokens::Issuer,
};

pub use crate::s3::REGION;

/// The bucket of stored files.
pub const STORAGE_BUCKET: &str = "local-storage";

/// The bucket of viewer assets, which the edge serves.
pub const VIEWER_ASSETS_BUCKET: &str = "local-viewer-assets";

/// The id under which the edge knows the service's key.
pub const KEY_PAIR_ID: &str = "KLOCAL00000001";

/// The file with the private key that signs links to the edge, in the state directory.
pub const SIGNING_KEY: &str = "keys/cloudfront.pem";

/// The ports that the stack listens on, all on the loopback interface; 0 for any that is free.
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
    pub postgres: Postgres,
    /// S3, over its protocol.
    pub s3: S3Server,
    /// What S3 holds, for seeding.
    pub store: S3,
    /// The stand-in for the CDN.
    pub edge: Edge,
    /// The identity provider.
    pub issuer: Issuer,
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").finish_non_exhaustive()
    }
}

impl Stack {
    /// Starts everything. Postgres's programs are looked for in `binaries` first.
    pub async fn start(state: &StateDir, binaries: Option<PathBuf>, ports: Ports) -> io::Result<Self> {
        let (clock, address) = (Clock::System, |port| SocketAddr::from(([127, 0, 0, 1], port)));
        let postgres = PostgresConfig {
            data_dir: state.path().join("postgres"),
            port: Some(ports.postgres).filter(|port| *port != 0),
            durability: Durability::Durable,
            binaries,
        };
        let postgres = tokio::task::spawn_blocking(move || Postgres::start(postgres));
        let store = S3::open(&state.path().join("s3"), clock)?;
        store.create_bucket(STORAGE_BUCKET)?;
        store.create_bucket(VIEWER_ASSETS_BUCKET)?;
        let s3 = S3Config { address: address(ports.s3), ..S3Config::new(store.clone()) };
        let s3 = S3Server::start(s3).await.map_err(|error| unusable("--s3-port", &error))?;
        let signing_key = state.keep(SIGNING_KEY, new_signing_key)?;
        let verifier = Verifier::new()
            .with_key(key_pair_id()?, private_key(&signing_key)?.public_key().map_err(io::Error::other)?);
        let edge = EdgeConfig {
            store: store.clone(),
            bucket: VIEWER_ASSETS_BUCKET.to_owned(),
            address: address(ports.edge),
            verifier,
            clock,
        };
        let edge = Edge::start(edge).await.map_err(|error| unusable("--edge-port", &error))?;
        let issuer = state.keep("keys/tokens.pem", || Issuer::generate_key().map_err(io::Error::other))?;
        let issuer = Issuer::new(&issuer).map_err(io::Error::other)?;
        let postgres = postgres.await.map_err(io::Error::other)?.map_err(io::Error::other)?;
        Ok(Self { postgres, s3, store, edge, issuer })
    }

    /// A connection to the database, as its owner.
    pub async fn connect(&self) -> io::Result<tokio_postgres::Client> {
        let connected = tokio_postgres::connect(&self.postgres.url(), tokio_postgres::NoTls).await;
        let (client, connection) = connected.map_err(io::Error::other)?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Stops everything that is still running.
    pub async fn stop(self) {
        self.edge.shutdown().await;
        self.s3.shutdown().await;
        let postgres = self.postgres;
        let _ = tokio::task::spawn_blocking(move || postgres.stop()).await;
    }
}

fn unusable(option: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("the port of {option} cannot be used: {error}"))
}

fn new_signing_key() -> io::Result<String> {
    let pem = PrivateKey::generate_p256().and_then(|key| key.to_pkcs8_pem());
    pem.map(|pem| pem.to_string()).map_err(io::Error::other)
}

fn private_key(pem: &str) -> io::Result<PrivateKey> {
    PrivateKey::from_pem(pem).map_err(io::Error::other)
}

fn key_pair_id() -> io::Result<KeyPairId> {
    KeyPairId::new(KEY_PAIR_ID).map_err(io::Error::other)
}
