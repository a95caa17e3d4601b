//! A PostgreSQL server of our own: native, on loopback, started in milliseconds, gone when we are.
//!
//! [`Postgres::start`] finds the programs (`binaries`), settles who the server runs as (`account`) and where its
//! data live (`place`), makes the data directory where there is none (`cluster`), and starts the server with
//! `settings` from a thread that outlives every caller (`crate::spawn`). What a killed predecessor left behind is cleared
//! away first (`postmaster`).

mod account;
mod binaries;
mod cluster;
mod error;
mod place;
mod postmaster;
mod settings;
mod testing;

use std::{
    fmt, fs,
    fs::{File, OpenOptions},
    io,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::Duration,
};

use url::Url;

use self::{
    account::Account,
    binaries::{Binaries, Candidates},
    error::Context as _,
};
pub use self::{error::PostgresError, testing::shared_for_tests};

/// For the server to accept connections. Recovery after a crash is the only thing that takes more than a moment.
const START_LIMIT: Duration = Duration::from_mins(1);

/// Another start may help: where a free port was taken before the server could bind it, and where sessions of a
/// killed predecessor have not yet noticed that they are orphans.
const ATTEMPTS: u32 = 5;

/// Between two attempts.
const BREATH: Duration = Duration::from_millis(100);

/// Whether data must survive a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// They must: for a developer's own data.
    Durable,
    /// They need not: for tests. Nothing waits for the disk, and a data directory that another version of
    /// PostgreSQL made is discarded.
    Throwaway,
}

/// How to start a server.
#[derive(Debug, Clone)]
pub struct PostgresConfig {
    /// The data directory; it is made where it is missing or empty. Two servers must never share one.
    pub data_dir: PathBuf,
    /// The TCP port on 127.0.0.1; by default any free one.
    pub port: Option<u16>,
    /// Whether data must survive a crash.
    pub durability: Durability,
    /// The directory with `postgres` and `initdb`; by default, or if it is empty, it is looked for: Debian's newest, what
    /// `make setup` unpacked into `.tools`, `PATH`.
    pub binaries: Option<PathBuf>,
}

/// A running server. Dropping it stops it as [`Postgres::stop`] does. It also ends when this process does, even by a
/// kill (on Linux; elsewhere a kill of this process leaves it running).
pub struct Postgres {
    server: Child,
    data_dir: PathBuf,
    port: u16,
    password: String,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("data_dir", &self.data_dir)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Postgres {
    /// Starts a server and returns once it accepts connections: after about a second where the data directory must
    /// be made, else well under 150 ms. Blocks.
    ///
    /// Run by root, the server becomes `postgres` or `nobody`, since PostgreSQL refuses to run as root. Where that
    /// account cannot reach the data directory, the data live below `/var/tmp` and a link leads there.
    ///
    /// A server that still runs on the data directory is a killed predecessor's, and is stopped: its settings need
    /// not be ours, and nobody would stop it later. The log lies beside the data directory, as `….log`; each start
    /// begins it anew.
    pub fn start(config: PostgresConfig) -> Result<Self, PostgresError> {
        let PostgresConfig { data_dir: wanted, port, durability, binaries } = config;
        let account = Account::of_server(&wanted)?;
        let data_dir = place::settle(&wanted, account)?;
        postmaster::clear(&data_dir)?;
        let candidates = binaries::find(binaries.as_deref(), account)?;
        let binaries = choose(candidates, &data_dir, durability)?;
        cluster::ensure(&data_dir, &binaries, account, durability)?;
        let password = cluster::password(&data_dir)?;
        let (server, port) = Launch { binaries, account, data_dir: &data_dir, durability }.run(port)?;
        Ok(Self { server, data_dir, port, password })
    }

    /// Where to connect as the superuser: `postgres://postgres:…@127.0.0.1:PORT/postgres`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres:{}@{}:{}/postgres", self.password, Ipv4Addr::LOCALHOST, self.port)
    }

    /// Where the data really are, which need not be where they were asked for: see [`Postgres::start`].
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Ends all sessions and stops the server in good order ("fast shutdown"), with more force if it takes too long.
    /// Returns when it is gone; blocks.
    pub fn stop(mut self) -> io::Result<()> {
        postmaster::stop(&mut self.server)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Nobody is left to tell; after `stop` this finds the server gone.
        let _ = postmaster::stop(&mut self.server);
    }
}

/// The variables by which a host of the service finds the database of a URL, without TLS.
pub fn variables(url: &str) -> Result<[(&'static str, String); 6], url::ParseError> {
    let url = Url::parse(url)?;
    Ok([
        ("PENNSIEVE_DB", url.path().trim_start_matches('/').to_owned()),
        ("POSTGRES_HOST", url.host_str().unwrap_or_default().to_owned()),
        // A host insists on a password, also where the server asks for none.
        ("POSTGRES_PASSWORD", url.password().unwrap_or("none").to_owned()),
        ("POSTGRES_PORT", url.port().unwrap_or(5432).to_string()),
        ("POSTGRES_SSL_MODE", "disable".to_owned()),
        ("POSTGRES_USER", url.username().to_owned()),
    ])
}

/// Programs of the version that made the data directory, if there is one.
fn choose(
    candidates: Candidates,
    data_dir: &Path,
    durability: Durability,
) -> Result<Binaries, PostgresError> {
    let Some(version) = cluster::version(data_dir) else { return candidates.best() };
    match (candidates.of_version(version), durability) {
        (Some(binaries), _) => Ok(binaries),
        (None, Durability::Throwaway) => {
            fs::remove_dir_all(data_dir).context(|| format!("cannot remove {}", data_dir.display()))?;
            candidates.best()
        }
        (None, Durability::Durable) => {
            Err(PostgresError::OtherVersion { data_dir: data_dir.to_owned(), version })
        }
    }
}

/// A start of the server on a data directory that exists.
struct Launch<'a> {
    binaries: Binaries,
    account: Option<Account>,
    data_dir: &'a Path,
    durability: Durability,
}

impl Launch<'_> {
    /// The server, accepting connections, and its port.
    fn run(&self, port: Option<u16>) -> Result<(Child, u16), PostgresError> {
        let mut attempt = 1;
        loop {
            let port = port.map_or_else(free_port, Ok).context(|| "cannot find a free port".to_owned())?;
            let mut server = self.spawn(port)?;
            match postmaster::wait_ready(&mut server, self.data_dir, START_LIMIT) {
                Ok(true) => return Ok((server, port)),
                Ok(false) if attempt == ATTEMPTS => return Err(self.failure()),
                Ok(false) => postmaster::pause(BREATH),
                Err(error) => return Err(error).context(|| "cannot watch postgres".to_owned()),
            }
            attempt += 1;
        }
    }

    fn spawn(&self, port: u16) -> Result<Child, PostgresError> {
        let log = self.begin_log().context(|| format!("cannot write {}", self.log().display()))?;
        let mut command = Command::new(self.binaries.postgres());
        command.arg("-D").arg(self.data_dir).arg("-p").arg(port.to_string()).stderr(log);
        for (name, value) in settings::of(self.durability, cluster::version(self.data_dir)) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        account::spawn_as(self.account, command).context(|| "cannot run postgres".to_owned())
    }

    /// Beside the data directory, because that one is the server's account's: root must not open what it may have
    /// put there.
    fn log(&self) -> PathBuf {
        place::beside(self.data_dir, ".log")
    }

    fn begin_log(&self) -> io::Result<File> {
        OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(self.log())
    }

    fn failure(&self) -> PostgresError {
        let log = self.log();
        let said = fs::read_to_string(&log).unwrap_or_default();
        PostgresError::NotStarted { log, said: error::tail(&said) }
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
