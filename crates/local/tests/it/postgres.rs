//! The PostgreSQL server: what its data survive, and what it ends with.

#![expect(clippy::unwrap_used, reason = "a test stops at an unexpected result")]

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use local::postgres::{Durability, PostgresConfig, PostgresError, PostgresServer, shared_server_url};
use tempfile::TempDir;

/// Directs the parent process in a test to its data directory.
const PARENT_DIR_VARIABLE: &str = "LOCAL_TESTS_PARENT_DIR_VARIABLE";

/// A directory that the server's account can enter.
pub(crate) fn create_temp_dir() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
    dir
}

pub(crate) fn config(dir: &Path) -> PostgresConfig {
    PostgresConfig {
        data_dir: dir.join("postgres"),
        port: None,
        durability: Durability::Throwaway,
        binaries: std::env::var_os("PG_BIN_DIR").map(PathBuf::from),
    }
}

fn start(dir: &Path) -> PostgresServer {
    PostgresServer::start(config(dir)).unwrap()
}

/// Runs statements. Returns the first value of the last row.
pub(crate) fn run_sql(url: &str, statements: &str) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let messages = client.simple_query(statements).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
        messages.iter().rev().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
    })
}

fn parse_address(url: &str) -> SocketAddr {
    let rest = url.split_once('@').unwrap().1;
    rest.split_once('/').unwrap().0.parse().unwrap()
}

fn is_listening(url: &str) -> bool {
    TcpStream::connect(parse_address(url)).is_ok()
}

fn read_pid(data_dir: &Path) -> u32 {
    fs::read_to_string(data_dir.join("postmaster.pid")).unwrap().lines().next().unwrap().parse().unwrap()
}

fn kill_process(pid: u32) {
    assert!(Command::new("sh").arg("-c").arg(format!("kill -9 {pid}")).status().unwrap().success());
}

#[expect(clippy::disallowed_methods, reason = "these tests block")]
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let started_at = Instant::now();
    while !condition() {
        assert!(started_at.elapsed() < Duration::from_mins(1), "timeout: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn data_survive_a_restart() {
    let dir = create_temp_dir();
    let first = start(dir.path());
    run_sql(&first.url(), "create table numbers (n int); insert into numbers values (7)");
    let url = first.url();
    first.stop().unwrap();
    assert!(!is_listening(&url));

    let durable = PostgresConfig { durability: Durability::Durable, ..config(dir.path()) };
    let second = PostgresServer::start(durable).unwrap();
    assert_eq!(run_sql(&second.url(), "select n from numbers").as_deref(), Some("7"));
    assert_eq!(run_sql(&second.url(), "show fsync").as_deref(), Some("on"));
    assert_eq!(run_sql(&second.url(), "show server_encoding").as_deref(), Some("UTF8"));
}

#[test]
fn data_survive_a_kill_of_the_server() {
    let dir = create_temp_dir();
    let durable = PostgresConfig { durability: Durability::Durable, ..config(dir.path()) };
    let first = PostgresServer::start(durable.clone()).unwrap();
    run_sql(&first.url(), "create table numbers (n int); insert into numbers values (7)");
    kill_process(read_pid(first.data_dir()));
    let second = PostgresServer::start(durable).unwrap();
    assert_eq!(run_sql(&second.url(), "select n from numbers").as_deref(), Some("7"));
    first.stop().unwrap();
}

#[test]
fn an_orphaned_server_is_stopped() {
    let dir = create_temp_dir();
    let orphan = start(dir.path());
    run_sql(&orphan.url(), "create table numbers (n int); insert into numbers values (7)");
    let second = start(dir.path());
    assert!(!is_listening(&orphan.url()));
    assert_eq!(run_sql(&second.url(), "select n from numbers").as_deref(), Some("7"));
}

#[test]
fn the_process_in_a_stale_file_is_not_killed() {
    let dir = create_temp_dir();
    let first = start(dir.path());
    let file = first.data_dir().join("postmaster.pid");
    let stale = fs::read_to_string(&file).unwrap();
    let (pid, rest) = stale.split_once('\n').unwrap();
    kill_process(pid.parse().unwrap());
    // Another process with the id in the file, as after a restart of the machine.
    let mut bystander = Command::new("sleep").arg("60").spawn().unwrap();
    fs::write(&file, format!("{}\n{rest}", bystander.id())).unwrap();
    let second = start(dir.path());
    assert_eq!(run_sql(&second.url(), "select 1").as_deref(), Some("1"));
    assert_eq!(bystander.try_wait().unwrap(), None, "it is no PostgreSQL server");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[test]
fn two_servers_are_independent() {
    let (one, two) = (create_temp_dir(), create_temp_dir());
    let (one, two) = thread::scope(|scope| {
        let one = scope.spawn(|| start(one.path()));
        let two = scope.spawn(|| start(two.path()));
        (one.join().unwrap(), two.join().unwrap())
    });
    run_sql(&one.url(), "create table here (n int)");
    assert_eq!(run_sql(&two.url(), "select to_regclass('here') is null").as_deref(), Some("t"));
    assert_ne!(one.url(), two.url());
}

#[test]
fn a_second_start_keeps_the_data_and_overwrites_the_log() {
    let dir = create_temp_dir();
    let log = dir.path().join("postgres.log");
    let first = start(dir.path());
    run_sql(&first.url(), "DO $$ BEGIN RAISE LOG 'of the first start'; END $$");
    first.stop().unwrap();
    assert!(fs::read_to_string(&log).unwrap().contains("of the first start"));
    let second = start(dir.path());
    assert_eq!(run_sql(&second.url(), "select 1").as_deref(), Some("1"));
    assert!(!fs::read_to_string(&log).unwrap().contains("of the first start"));
    assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn dropping_the_server_stops_it() {
    let dir = create_temp_dir();
    let server = start(dir.path());
    let url = server.url();
    assert!(is_listening(&url));
    drop(server);
    assert!(!is_listening(&url));
}

#[test]
fn the_server_outlives_the_thread_that_started_it() {
    let dir = create_temp_dir();
    let dir = dir.path();
    let server = thread::scope(|scope| scope.spawn(|| start(dir)).join().unwrap());
    assert_eq!(run_sql(&server.url(), "select 1").as_deref(), Some("1"));
}

#[test]
fn the_server_ends_with_its_parent() {
    let dir = create_temp_dir();
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "postgres::parent_process"])
        .env(PARENT_DIR_VARIABLE, dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let url = dir.path().join("url");
    wait_until("the server starts", || url.exists());
    let url = fs::read_to_string(url).unwrap();
    assert!(is_listening(&url));
    parent.kill().unwrap();
    parent.wait().unwrap();
    // Without a pause: the old server may still be stopping.
    let next = start(dir.path());
    assert_eq!(run_sql(&next.url(), "select 1").as_deref(), Some("1"));
    next.stop().unwrap();
    wait_until("the server ends", || !is_listening(&url));
}

#[test]
#[ignore = "the_server_ends_with_its_parent runs it in another process"]
fn parent_process() {
    let Some(dir) = std::env::var_os(PARENT_DIR_VARIABLE).map(PathBuf::from) else { return };
    let server = start(&dir);
    // Renamed, so that the test never reads half of it.
    fs::write(dir.join("url.partial"), server.url()).unwrap();
    fs::rename(dir.join("url.partial"), dir.join("url")).unwrap();
    loop {
        thread::park();
    }
}

#[test]
fn files_of_a_killed_start_are_removed() {
    let dir = create_temp_dir();
    let partial = dir.path().join("postgres.partial");
    fs::create_dir_all(partial.join("data/base")).unwrap();
    fs::create_dir(dir.path().join("postgres")).unwrap();
    let server = start(dir.path());
    assert!(!partial.exists());
    assert_eq!(server.data_dir(), dir.path().join("postgres"));
}

#[test]
fn a_directory_with_other_files_is_refused() {
    let dir = create_temp_dir();
    let other_file = dir.path().join("postgres/thesis.tex");
    fs::create_dir(dir.path().join("postgres")).unwrap();
    fs::write(&other_file, "42").unwrap();
    assert!(matches!(PostgresServer::start(config(dir.path())), Err(PostgresError::NotADataDir(_))));
    assert!(other_file.exists());
}

#[test]
fn only_throwaway_data_of_another_version_are_replaced() {
    let dir = create_temp_dir();
    let data_dir = dir.path().join("postgres");
    fs::create_dir(&data_dir).unwrap();
    // A version that is not installed.
    fs::write(data_dir.join("PG_VERSION"), "7\n").unwrap();
    let durable = PostgresConfig { durability: Durability::Durable, ..config(dir.path()) };
    let refused = PostgresServer::start(durable);
    assert!(matches!(refused, Err(PostgresError::VersionMismatch { version: 7, .. })));
    assert_eq!(run_sql(&start(dir.path()).url(), "select 1").as_deref(), Some("1"));
}

#[test]
fn the_error_names_a_port_in_use() {
    let dir = create_temp_dir();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let refused = PostgresServer::start(PostgresConfig { port: Some(port), ..config(dir.path()) });
    let Err(PostgresError::StartFailed { output, .. }) = refused else { panic!("{refused:?}") };
    assert!(output.contains(&port.to_string()), "{output}");
}

#[test]
fn connections_need_the_password() {
    let dir = create_temp_dir();
    let server = start(dir.path());
    let url = format!("postgres://postgres:guess@{}/postgres", parse_address(&server.url()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert!(runtime.block_on(tokio_postgres::connect(&url, tokio_postgres::NoTls)).is_err());
    assert!(!format!("{server:?}").contains(server.url().split(['@', ':']).nth(2).unwrap()));
    let password = fs::metadata(server.data_dir().join("password")).unwrap();
    assert_eq!(password.permissions().mode() & 0o777, 0o600);
}

#[test]
fn root_can_use_a_directory_that_other_accounts_cannot_enter() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let server = start(dir.path());
    assert_eq!(run_sql(&server.url(), "select 1").as_deref(), Some("1"));
    let is_elsewhere = server.data_dir() != dir.path().join("postgres");
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    assert_eq!(is_elsewhere, is_root);
    let parent = server.data_dir().parent().unwrap().to_owned();
    server.stop().unwrap();
    if is_elsewhere {
        fs::remove_dir_all(parent).unwrap();
    }
}

#[test]
fn the_tests_of_a_process_share_one_server() {
    let url = shared_server_url();
    assert_eq!(run_sql(&url, "select current_user").as_deref(), Some("postgres"));
    assert_eq!(thread::spawn(shared_server_url).join().unwrap(), url);
}
