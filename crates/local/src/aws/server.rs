//! The ministack server: one per process. The first test that needs it starts it.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::LazyLock,
    time::{Duration, Instant},
};

use aws_credential_types::Credentials;

use super::{REGION, Service};
use crate::{child_process::spawn_child, testing::env_variable};

/// ministack usually starts within a second.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// How often it is started before its error counts.
const MAX_ATTEMPTS: u32 = 3;

/// Pause between two health checks.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The program, relative to the root of the checkout. `scripts/setup` installs it.
const MINISTACK_PATH: &str = ".tools/aws/bin/ministack";

/// The AWS servers of this process's tests.
#[derive(Debug)]
pub(super) struct AwsServer {
    endpoint: String,
    s3: Option<String>,
    dynamodb: Option<String>,
    root: Credentials,
    external: Option<Credentials>,
    /// Ends with this process.
    _process: Option<Child>,
}

impl AwsServer {
    /// # Panics
    /// If the server does not start. No test could continue.
    pub(super) fn shared() -> &'static Self {
        static SERVER: LazyLock<io::Result<AwsServer>> = LazyLock::new(AwsServer::new);
        match &*SERVER {
            Ok(server) => server,
            #[expect(clippy::panic, reason = "a test without its AWS cannot continue")]
            Err(error) => panic!("{error}"),
        }
    }

    fn new() -> io::Result<Self> {
        let external = env_variable("TEST_AWS_KEY").zip(env_variable("TEST_AWS_SECRET"));
        let external = external.map(|(key, secret)| Credentials::new(key, secret, None, None, "test"));
        let root = Credentials::new("AKIAROOT000000000000", "the-root-of-the-tests", None, None, "test");
        let (endpoint, process) = match env_variable("TEST_AWS_ENDPOINT_URL") {
            Some(endpoint) => (endpoint, None),
            None => start_ministack(&root).map(|(endpoint, process)| (endpoint, Some(process)))?,
        };
        Ok(Self {
            endpoint,
            s3: env_variable("TEST_AWS_ENDPOINT_URL_S3"),
            dynamodb: env_variable("TEST_AWS_ENDPOINT_URL_DYNAMODB"),
            root: external.clone().filter(|_| process.is_none()).unwrap_or(root),
            external,
            _process: process,
        })
    }

    pub(super) fn endpoint(&self, service: Service) -> &str {
        self.external_endpoint(service).unwrap_or(&self.endpoint)
    }

    pub(super) fn root(&self) -> Credentials {
        self.root.clone()
    }

    /// The access keys of an external server for this service.
    pub(super) fn external_credentials(&self, service: Service) -> Option<Credentials> {
        self.external_endpoint(service).and(self.external.clone())
    }

    fn external_endpoint(&self, service: Service) -> Option<&str> {
        match service {
            Service::S3 => self.s3.as_deref(),
            Service::DynamoDb => self.dynamodb.as_deref(),
            _ => None,
        }
    }
}

/// Another process may take the port before ministack binds it, so each attempt looks for a new one.
fn start_ministack(root: &Credentials) -> io::Result<(String, Child)> {
    let mut attempt = 1;
    loop {
        match try_start_ministack(root) {
            Err(_) if attempt < MAX_ATTEMPTS => attempt += 1,
            result => return result,
        }
    }
}

fn try_start_ministack(root: &Credentials) -> io::Result<(String, Child)> {
    let program = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(MINISTACK_PATH);
    if !program.exists() {
        return Err(io::Error::other(format!("{MINISTACK_PATH} is missing: run scripts/setup")));
    }
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let mut command = Command::new(program);
    command.stderr(Stdio::null()).envs([
        // Without it ministack checks neither signatures nor policies.
        ("AUTH", "true"),
        ("AWS_ACCESS_KEY_ID", root.access_key_id()),
        ("AWS_SECRET_ACCESS_KEY", root.secret_access_key()),
        ("AWS_SESSION_TOKEN", ""),
        ("BIND_HOST", "127.0.0.1"),
        ("GATEWAY_PORT", &port.to_string()),
        // A second port, which would collide between processes.
        ("IOT_MTLS_ENABLED", "0"),
        ("MINISTACK_REGION", REGION),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("SERVICES", "dynamodb,iam,kms,s3,sqs,ssm,sts"),
    ]);
    let mut process = spawn_child(command)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let started_at = Instant::now();
    while !is_ready(address) {
        if let Some(status) = process.try_wait()? {
            return Err(io::Error::other(format!("{MINISTACK_PATH} exited during start: {status}")));
        }
        if started_at.elapsed() > START_TIMEOUT {
            process.kill()?;
            return Err(io::Error::other(format!("{MINISTACK_PATH} does not respond")));
        }
        sleep();
    }
    Ok((format!("http://{address}"), process))
}

fn is_ready(address: SocketAddr) -> bool {
    let check_health = || {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream
            .write_all(b"GET /_ministack/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        io::Result::Ok(status.ends_with(b" 200"))
    };
    check_health().unwrap_or(false)
}

#[expect(clippy::disallowed_methods, reason = "starting the server blocks, like starting Postgres")]
fn sleep() {
    std::thread::sleep(POLL_INTERVAL);
}
