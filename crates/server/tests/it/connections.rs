//! The limits of connections, over real sockets: each phase ends in time, and no client holds up the others.

use std::{num::NonZeroUsize, time::Duration};

use api::RequestLimits;
use axum::{Router, body::Bytes, routing::get};
use futures_util::future::join_all;
use server::serve::{ConnectionLimits, serve};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::{
    app::{TestApp, TestResponse, build_router, wait_until},
    limits::lock_packages,
    listener::{connection_limits, parse_responses},
};

const REQUEST: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
const LAST_REQUEST: &str = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
const LARGE_REQUEST: &str = "GET /large HTTP/1.1\r\nhost: x\r\n\r\n";

/// More than the socket buffers of both sides hold.
const LARGE_BYTES: usize = 32 << 20;

/// A phase that must not end during a test.
const LONG: Duration = Duration::from_mins(5);

struct Service {
    address: std::net::SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

impl Service {
    async fn start(limits: ConnectionLimits) -> Self {
        let large = Bytes::from(vec![b'x'; LARGE_BYTES]);
        let slow = async || {
            sleep(Duration::from_millis(300)).await;
            ([("x-request-id", "1")], "slow")
        };
        let panicking = async || {
            panic!("hunter2");
            #[expect(unreachable_code, reason = "the type of the handler")]
            ""
        };
        let router = Router::new()
            .route("/", get(async || ([("x-request-id", "1")], "hello")))
            .route("/large", get(async move || ([("x-request-id", "1")], large.clone())))
            .route("/slow", get(slow))
            .route("/panic", get(panicking));
        Self::start_with(router, limits).await
    }

    async fn start_with(router: Router, limits: ConnectionLimits) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { drop(stopped.await) };
        let served = tokio::spawn(serve(listener, router, limits, stopped));
        Self { address, stop: Some(stop), served }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Connects and sends this.
    async fn send(&self, bytes: &str) -> TcpStream {
        let mut stream = self.connect().await;
        // A refused connection may be closed already.
        let _ = stream.write_all(bytes.as_bytes()).await;
        stream
    }

    /// Whether a new connection gets its response. A refused one may be reset.
    async fn is_served(&self) -> bool {
        let mut text = String::new();
        let read = self.send(LAST_REQUEST).await.read_to_string(&mut text).await;
        read.is_ok() && text.ends_with("hello")
    }

    /// The response to a request of a new connection.
    async fn request(&self, bytes: &str) -> TestResponse {
        let mut text = String::new();
        self.send(bytes).await.read_to_string(&mut text).await.unwrap();
        parse_responses(&text).remove(0)
    }
}

/// Limits of which none is reached. A test shortens some.
fn long_limits() -> ConnectionLimits {
    ConnectionLimits { idle: LONG, head: LONG, write: LONG, ..connection_limits() }
}

/// Reads one response of a connection that stays open.
async fn read_response(stream: &mut TcpStream) -> TestResponse {
    let mut buffer = vec![0; 4096];
    let length = stream.read(&mut buffer).await.unwrap();
    parse_responses(std::str::from_utf8(&buffer[..length]).unwrap()).remove(0)
}

/// How long the server keeps a connection open from now on.
async fn wait_until_closed(stream: &mut TcpStream) -> Duration {
    let start = Instant::now();
    let read = timeout(Duration::from_secs(20), stream.read(&mut [0])).await;
    assert!(!matches!(read.expect("the connection must end"), Ok(length) if length > 0));
    start.elapsed()
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_the_idle_limit_only() {
    let limits =
        ConnectionLimits { idle: Duration::from_secs(4), head: Duration::from_millis(500), ..long_limits() };
    let service = Service::start(limits).await;
    let mut silent = service.connect().await;
    let mut used = service.connect().await;
    // Longer in all than the idle limit, and each wait longer than the limit for heads.
    for _ in 0..4 {
        sleep(Duration::from_millis(1200)).await;
        used.write_all(REQUEST.as_bytes()).await.unwrap();
        assert_eq!(read_response(&mut used).await.body, "hello");
    }
    assert!(wait_until_closed(&mut silent).await < Duration::from_secs(1), "it was never used");
    assert!(wait_until_closed(&mut used).await >= Duration::from_secs(2));
}

#[tokio::test]
async fn a_slow_head_is_cut_off() {
    let limits = ConnectionLimits { head: Duration::from_millis(500), ..long_limits() };
    let service = Service::start(limits).await;
    let mut stream = service.connect().await;
    // The limit begins with the first byte.
    sleep(Duration::from_millis(700)).await;
    let start = Instant::now();
    let (mut reader, mut writer) = stream.split();
    let sending = async {
        for byte in REQUEST.bytes().cycle() {
            sleep(Duration::from_millis(50)).await;
            if byte != b'\r' && byte != b'\n' && writer.write_all(&[byte]).await.is_err() {
                break;
            }
        }
    };
    let mut buffer = [0];
    tokio::select! {
        () = sending => {}
        read = reader.read(&mut buffer) => assert!(!matches!(read, Ok(length) if length > 0)),
    }
    let elapsed = start.elapsed();
    assert!(elapsed >= Duration::from_millis(500) && elapsed < Duration::from_secs(10), "{elapsed:?}");
}

#[tokio::test]
async fn a_client_that_reads_slowly_and_steadily_gets_all() {
    let limits = ConnectionLimits {
        write: Duration::from_secs(3),
        idle: Duration::from_millis(200),
        head: Duration::from_millis(200),
        ..long_limits()
    };
    let body = Bytes::from(vec![b'x'; 12 << 20]);
    let router = Router::new().route("/", get(async move || ([("x-request-id", "1")], body.clone())));
    let service = Service::start_with(router, limits).await;
    let start = Instant::now();
    let mut stream = service.send(LAST_REQUEST).await;
    let (mut buffer, mut received) = (vec![0; 32 << 10], 0);
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            length => received += length,
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert!(received > 12 << 20, "{received}");
    assert!(start.elapsed() > Duration::from_secs(5), "longer than each limit");
}

#[tokio::test]
async fn a_full_server_says_so_at_once() {
    // The silent clients keep their connections, however slow this machine is.
    let limits = ConnectionLimits { connections: NonZeroUsize::new(64).unwrap(), ..long_limits() };
    let service = Service::start(limits).await;
    let silent = join_all((0..300).map(|_| service.send(LARGE_REQUEST))).await;
    // Refused clients that do not read are waited for, a second each and some at a time. Others may meanwhile be reset.
    sleep(Duration::from_millis(1500)).await;
    let refused = service.request(LAST_REQUEST).await;
    let detail = refused.assert_problem(503);
    assert!(detail.contains("too many connections"), "{detail}");
    assert_eq!((refused.header("connection"), refused.header("retry-after")), ("close", "5"));
    drop(silent);
    wait_until("there is room", async || service.is_served().await).await;
}

#[tokio::test]
async fn clients_that_never_read_do_not_hold_up_others() {
    let limits = ConnectionLimits {
        write: Duration::from_millis(500),
        connections: NonZeroUsize::new(64).unwrap(),
        ..long_limits()
    };
    let service = Service::start(limits).await;
    let silent = join_all((0..300).map(|_| service.send(LARGE_REQUEST))).await;
    // In the end all connections of the silent clients have ended: there is room for as many others at once.
    wait_until("others are served", async || {
        join_all((0..64).map(|_| service.is_served())).await.iter().all(|served| *served)
    })
    .await;
    drop(silent);
}

#[tokio::test]
async fn a_refused_client_cannot_hold_its_connection() {
    let limits = ConnectionLimits { connections: NonZeroUsize::MIN, ..long_limits() };
    let service = Service::start(limits).await;
    let mut first = service.send(REQUEST).await;
    assert_eq!(read_response(&mut first).await.status, 200);
    let refused = join_all((0..100).map(|_| service.connect())).await;
    for mut stream in refused {
        // Answered before the client has sent anything.
        read_response(&mut stream).await.assert_problem(503);
        assert!(wait_until_closed(&mut stream).await < Duration::from_secs(5));
    }
    first.write_all(REQUEST.as_bytes()).await.unwrap();
    assert_eq!(read_response(&mut first).await.status, 200);
    drop(first);
    wait_until("the place is free", async || service.is_served().await).await;
}

#[tokio::test]
async fn a_client_may_close_its_sending_side() {
    let service = Service::start(long_limits()).await;
    let mut stream = service.send("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    stream.shutdown().await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(parse_responses(&text)[0].body, "slow");
}

#[tokio::test]
async fn a_stop_finishes_requests_and_closes_idle_connections() {
    let mut service = Service::start(long_limits()).await;
    let mut idle = service.send(REQUEST).await;
    assert_eq!(read_response(&mut idle).await.status, 200);
    let mut running = service.send("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    sleep(Duration::from_millis(100)).await;
    service.stop.take().unwrap().send(()).unwrap();
    assert!(wait_until_closed(&mut idle).await < Duration::from_secs(5));
    assert_eq!(read_response(&mut running).await.body, "slow");
    timeout(Duration::from_secs(5), &mut service.served).await.expect("it stops").unwrap();
    assert!(TcpStream::connect(service.address).await.is_err());
}

#[tokio::test]
async fn a_panic_beside_the_api_is_a_problem_without_detail() {
    let service = Service::start(long_limits()).await;
    let response = service.request("GET /panic HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(!response.assert_problem(500).contains("hunter2"));
    assert_eq!(service.request(LAST_REQUEST).await.status, 200);
}

/// The service with short limits for its requests.
async fn start_api(limits: RequestLimits) -> (TestApp, Service) {
    let mut app = TestApp::start().await;
    app.app.limits = limits;
    app.router = build_router(&app.app);
    let service = Service::start_with(app.router.clone(), long_limits()).await;
    (app, service)
}

#[tokio::test]
async fn a_slow_body_is_408() {
    let limits = RequestLimits { answer: LONG, body: Duration::from_millis(800) };
    let (app, service) = start_api(limits).await;
    let token = app.create_token("editor").await;
    let head = format!(
        "POST /packages/restore?dataset_id={} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-length: 1000\r\n\r\n",
        app.dataset.node_id
    );
    let mut stream = service.send(&head).await;
    let (mut reader, mut writer) = stream.split();
    let sending = async {
        while writer.write_all(b" ").await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    let mut text = String::new();
    tokio::select! {
        read = reader.read_to_string(&mut text) => drop(read),
        () = async { sending.await; sleep(LONG).await } => {}
    }
    parse_responses(&text)[0].assert_problem(408);
}

#[tokio::test]
async fn a_slow_answer_is_504() {
    let limits = RequestLimits { answer: Duration::from_millis(500), body: LONG };
    let (app, service) = start_api(limits).await;
    let (package, token) = (app.create_file(None, "a", b"-").await, app.create_token("viewer").await);
    let lock = lock_packages(&app).await;
    let request = format!(
        "GET {} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n",
        app.presign_path(&package, "")
    );
    service.request(&request).await.assert_problem(504);
    lock.batch_execute("ROLLBACK").await.unwrap();
    // The next request needs a new connection to Postgres, which may take as long on a busy machine.
    wait_until("it answers again", async || service.request(&request).await.status == 307).await;
}
