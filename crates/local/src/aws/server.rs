//! The server: one a process, started by the first test that needs it.

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
use crate::{spawn::spawn, testing::environment};

/// For the server to answer; it takes about a second.
const START_LIMIT: Duration = Duration::from_mins(1);

/// Between two looks.
const TICK: Duration = Duration::from_millis(50);

/// Where the set-up puts it, from the root of the checkout.
const PROGRAM: &str = ".tools/aws/bin/ministack";

/// Where AWS is, for this process's tests.
#[derive(Debug)]
pub(super) struct Server {
    endpoint: String,
    s3: Option<String>,
    dynamodb: Option<String>,
    root: Credentials,
    given: Option<Credentials>,
    /// Ends with us.
    _process: Option<Child>,
}

impl Server {
    /// # Panics
    /// Where none can be started: no test could go on.
    pub(super) fn shared() -> &'static Self {
        static SERVER: LazyLock<io::Result<Server>> = LazyLock::new(Server::new);
        match &*SERVER {
            Ok(server) => server,
            #[expect(clippy::panic, reason = "a test without its AWS cannot go on")]
            Err(error) => panic!("{error}"),
        }
    }

    fn new() -> io::Result<Self> {
        let given = environment("TEST_AWS_KEY").zip(environment("TEST_AWS_SECRET"));
        let given = given.map(|(key, secret)| Credentials::new(key, secret, None, None, "test"));
        let root = Credentials::new("AKIAROOT000000000000", "the-root-of-the-tests", None, None, "test");
        let (endpoint, process) = match environment("TEST_AWS_ENDPOINT_URL") {
            Some(endpoint) => (endpoint, None),
            None => start(&root).map(|(endpoint, process)| (endpoint, Some(process)))?,
        };
        Ok(Self {
            endpoint,
            s3: environment("TEST_AWS_ENDPOINT_URL_S3"),
            dynamodb: environment("TEST_AWS_ENDPOINT_URL_DYNAMODB"),
            root: given.clone().filter(|_| process.is_none()).unwrap_or(root),
            given,
            _process: process,
        })
    }

    pub(super) fn endpoint(&self, service: Service) -> &str {
        self.given(service).unwrap_or(&self.endpoint)
    }

    pub(super) fn root(&self) -> Credentials {
        self.root.clone()
    }

    /// The keys of a server that was given for this service alone.
    pub(super) fn given_keys(&self, service: Service) -> Option<Credentials> {
        self.given(service).and(self.given.clone())
    }

    fn given(&self, service: Service) -> Option<&str> {
        match service {
            Service::S3 => self.s3.as_deref(),
            Service::DynamoDb => self.dynamodb.as_deref(),
            _ => None,
        }
    }
}

fn start(root: &Credentials) -> io::Result<(String, Child)> {
    let program = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(PROGRAM);
    if !program.exists() {
        return Err(io::Error::other(format!("{PROGRAM} is missing: run scripts/setup")));
    }
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let mut command = Command::new(program);
    command.stderr(Stdio::null()).envs([
        ("AUTH", "true"),
        ("AWS_ACCESS_KEY_ID", root.access_key_id()),
        ("AWS_SECRET_ACCESS_KEY", root.secret_access_key()),
        ("AWS_SESSION_TOKEN", ""),
        ("BIND_HOST", "127.0.0.1"),
        ("GATEWAY_PORT", &port.to_string()),
        ("IOT_MTLS_ENABLED", "0"),
        ("MINISTACK_REGION", REGION),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("SERVICES", "dynamodb,iam,kms,s3,sqs,ssm,sts"),
    ]);
    let mut process = spawn(command)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let begun = Instant::now();
    while !is_ready(address) {
        if let Some(status) = process.try_wait()? {
            return Err(io::Error::other(format!("{PROGRAM} ended at once: {status}")));
        }
        if begun.elapsed() > START_LIMIT {
            process.kill()?;
            return Err(io::Error::other(format!("{PROGRAM} does not answer")));
        }
        pause();
    }
    Ok((format!("http://{address}"), process))
}

fn is_ready(address: SocketAddr) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream
            .write_all(b"GET /_ministack/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        io::Result::Ok(status.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

#[expect(clippy::disallowed_methods, reason = "to start a server blocks, as for Postgres")]
fn pause() {
    std::thread::sleep(TICK);
}
