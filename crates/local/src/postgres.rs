//! A native PostgreSQL server on the loopback interface. It starts in milliseconds and ends with this process.
//!
//! [`PostgresServer::start`] finds the programs (`binaries`), chooses the account (`account`) and the location of the data
//! (`data_dir`), creates the data directory if it is missing (`cluster`), and starts the server with its settings
//! (`settings`) from a thread that outlives every caller (`crate::child_process`). It first stops or clears what a killed
//! process left behind (`postmaster`).

mod account;
mod binaries;
mod cluster;
mod data_dir;
mod error;
mod postmaster;
mod settings;
mod shared_server;

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
    account::SystemAccount,
    binaries::{Binaries, Candidates},
    error::{io_context, io_error},
};
pub use self::{error::PostgresError, shared_server::shared_server_url};

/// Time for the server to accept connections. Only the recovery after a crash takes more than a moment.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// A second attempt helps if another program took the free port first, or if sessions of a killed server have not ended
/// yet.
const MAX_ATTEMPTS: u32 = 5;

/// Pause between two attempts.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Whether data must survive a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// They must: for the data of a developer.
    Durable,
    /// They need not: for tests. The server does not wait for the disk, and replaces a data directory of another version of
    /// PostgreSQL.
    Throwaway,
}

/// How to start a server.
#[derive(Debug, Clone)]
pub struct PostgresConfig {
    /// The data directory. It is created if it is missing or empty. Two servers must not share one.
    pub data_dir: PathBuf,
    /// The TCP port on 127.0.0.1. `None` means any free port.
    pub port: Option<u16>,
    /// Whether data must survive a crash.
    pub durability: Durability,
    /// The directory with `postgres` and `initdb`. If it is `None` or empty, the programs are searched in this order: the
    /// newest version of Debian's packages, `.tools` (`make setup`), `PATH`.
    pub binaries: Option<PathBuf>,
}

/// A running server. Dropping it stops it as [`PostgresServer::stop`] does. The server also ends when this process ends,
/// even by a kill. Systems other than Linux keep it running after a kill.
pub struct PostgresServer {
    process: Child,
    data_dir: PathBuf,
    port: u16,
    password: String,
}

impl fmt::Debug for PostgresServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresServer")
            .field("data_dir", &self.data_dir)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl PostgresServer {
    /// Starts a server and returns when it accepts connections: after about a second if the data directory has to be
    /// created, else in less than 150 ms. Blocks.
    ///
    /// PostgreSQL refuses to run as root, so a process of root starts it as `postgres` or `nobody`. If that account cannot
    /// reach the data directory, the data are below `/var/tmp` and the path is a link.
    ///
    /// A server that still runs on the data directory was left behind by a killed process. It is stopped, because its
    /// settings may differ. The log is next to the data directory, with the suffix `.log`. Each start overwrites it.
    pub fn start(config: PostgresConfig) -> Result<Self, PostgresError> {
        let PostgresConfig { data_dir: configured, port, durability, binaries } = config;
        let account = SystemAccount::for_server(&configured)?;
        let data_dir = data_dir::resolve_path(&configured, account)?;
        // Two servers on one data directory would corrupt it.
        postmaster::clear_stale_server(&data_dir)?;
        let candidates = binaries::find_binaries(binaries.as_deref(), account)?;
        let binaries = choose_binaries(candidates, &data_dir, durability)?;
        cluster::ensure_cluster(&data_dir, &binaries, account, durability)?;
        let password = cluster::read_password(&data_dir)?;
        let launcher = ServerLauncher { binaries, account, data_dir: &data_dir, durability };
        let (process, port) = launcher.start(port)?;
        Ok(Self { process, data_dir, port, password })
    }

    /// The URL for connections as the superuser: `postgres://postgres:…@127.0.0.1:PORT/postgres`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres:{}@{}:{}/postgres", self.password, Ipv4Addr::LOCALHOST, self.port)
    }

    /// The real data directory. It may differ from the configured path: see [`PostgresServer::start`].
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Ends all sessions and stops the server with a fast shutdown, then with stronger signals if that takes too long.
    /// Returns when the server has exited. Blocks.
    pub fn stop(mut self) -> io::Result<()> {
        postmaster::stop_server(&mut self.process)
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // An error cannot be reported here. After `stop` the server has already exited.
        let _ = postmaster::stop_server(&mut self.process);
    }
}

/// The environment variables that direct the service to the database of this URL, without TLS.
pub fn environment_variables(url: &str) -> Result<[(&'static str, String); 6], url::ParseError> {
    let url = Url::parse(url)?;
    Ok([
        ("PENNSIEVE_DB", url.path().trim_start_matches('/').to_owned()),
        ("POSTGRES_HOST", url.host_str().unwrap_or_default().to_owned()),
        // The service requires a password, even if the server accepts connections without one.
        ("POSTGRES_PASSWORD", url.password().unwrap_or("none").to_owned()),
        ("POSTGRES_PORT", url.port().unwrap_or(5432).to_string()),
        ("POSTGRES_SSL_MODE", "disable".to_owned()),
        ("POSTGRES_USER", url.username().to_owned()),
    ])
}

/// Programs of the version that created the data directory, if it exists.
fn choose_binaries(
    candidates: Candidates,
    data_dir: &Path,
    durability: Durability,
) -> Result<Binaries, PostgresError> {
    let Some(version) = cluster::read_version(data_dir) else { return candidates.into_first() };
    match (candidates.find_version(version), durability) {
        (Some(binaries), _) => Ok(binaries),
        (None, Durability::Throwaway) => {
            fs::remove_dir_all(data_dir).map_err(io_error("cannot remove", data_dir))?;
            candidates.into_first()
        }
        (None, Durability::Durable) => {
            Err(PostgresError::VersionMismatch { data_dir: data_dir.to_owned(), version })
        }
    }
}

/// Starts the server on an existing data directory.
struct ServerLauncher<'a> {
    binaries: Binaries,
    account: Option<SystemAccount>,
    data_dir: &'a Path,
    durability: Durability,
}

impl ServerLauncher<'_> {
    /// Returns the process and its port when the server accepts connections.
    fn start(&self, port: Option<u16>) -> Result<(Child, u16), PostgresError> {
        let mut attempt = 1;
        loop {
            // Another program may take the port before the server binds it, so each attempt looks for a new one.
            let port = port.map_or_else(find_free_port, Ok).map_err(io_context("cannot find a free port"))?;
            let mut process = self.spawn(port)?;
            match postmaster::wait_until_ready(&mut process, self.data_dir, START_TIMEOUT) {
                Ok(true) => return Ok((process, port)),
                Ok(false) if attempt == MAX_ATTEMPTS => return Err(self.start_error()),
                Ok(false) => postmaster::sleep(RETRY_INTERVAL),
                Err(error) => return Err(io_context("cannot observe postgres")(error)),
            }
            attempt += 1;
        }
    }

    fn spawn(&self, port: u16) -> Result<Child, PostgresError> {
        let log = self.create_log().map_err(io_error("cannot write", &self.log_path()))?;
        let mut command = Command::new(self.binaries.postgres_path());
        command.arg("-D").arg(self.data_dir).arg("-p").arg(port.to_string()).stderr(log);
        // A setting that the version does not know would stop the server.
        let version = cluster::read_version(self.data_dir);
        for (name, value) in settings::server_settings(self.durability, version) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        account::spawn_as(self.account, command).map_err(io_context("cannot run postgres"))
    }

    /// Next to the data directory and not inside, because the server's account owns that directory: root must not open a
    /// file that this account may have replaced.
    fn log_path(&self) -> PathBuf {
        data_dir::sibling_path(self.data_dir, ".log")
    }

    fn create_log(&self) -> io::Result<File> {
        OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(self.log_path())
    }

    fn start_error(&self) -> PostgresError {
        let log_path = self.log_path();
        let log = fs::read_to_string(&log_path).unwrap_or_default();
        PostgresError::StartFailed { log_path, output: error::last_lines(&log) }
    }
}

fn find_free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
