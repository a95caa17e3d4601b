//! A PostgreSQL server of our own: what survives what, and who ends with whom.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use local::postgres::{Durability, Postgres, PostgresConfig, PostgresError, shared_for_tests};
use tempfile::TempDir;

/// Tells the process that plays the parent which data directory to serve.
const PARENT_OF: &str = "LOCAL_TESTS_PARENT_OF";

/// Within reach of the account that root hands the server to.
pub(crate) fn tempdir() -> TempDir {
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

fn start(dir: &Path) -> Postgres {
    Postgres::start(config(dir)).unwrap()
}

/// Runs statements; the answer is the first value of the last row.
pub(crate) fn sql(url: &str, statements: &str) -> Option<String> {
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

fn address(url: &str) -> SocketAddr {
    let rest = url.split_once('@').unwrap().1;
    rest.split_once('/').unwrap().0.parse().unwrap()
}

fn listens(url: &str) -> bool {
    TcpStream::connect(address(url)).is_ok()
}

/// The process id of the server on this data directory.
fn pid(data_dir: &Path) -> u32 {
    fs::read_to_string(data_dir.join("postmaster.pid")).unwrap().lines().next().unwrap().parse().unwrap()
}

fn kill(pid: u32) {
    assert!(Command::new("sh").arg("-c").arg(format!("kill -9 {pid}")).status().unwrap().success());
}

#[expect(clippy::disallowed_methods, reason = "these tests block")]
fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(20), "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn data_survive_a_restart_in_good_order() {
    let dir = tempdir();
    let first = start(dir.path());
    sql(&first.url(), "create table kept (it int); insert into kept values (7)");
    let url = first.url();
    first.stop().unwrap();
    assert!(!listens(&url));

    let durable = PostgresConfig { durability: Durability::Durable, ..config(dir.path()) };
    let second = Postgres::start(durable).unwrap();
    assert_eq!(sql(&second.url(), "select it from kept").as_deref(), Some("7"));
    assert_eq!(sql(&second.url(), "show fsync").as_deref(), Some("on"));
    assert_eq!(sql(&second.url(), "show server_encoding").as_deref(), Some("UTF8"));
}

#[test]
fn data_survive_a_kill_of_the_server() {
    let dir = tempdir();
    let durable = PostgresConfig { durability: Durability::Durable, ..config(dir.path()) };
    let first = Postgres::start(durable.clone()).unwrap();
    sql(&first.url(), "create table kept (it int); insert into kept values (7)");
    kill(pid(first.data_dir()));
    let second = Postgres::start(durable).unwrap();
    assert_eq!(sql(&second.url(), "select it from kept").as_deref(), Some("7"));
    first.stop().unwrap();
}

#[test]
fn a_server_that_still_runs_on_the_directory_is_stopped() {
    let dir = tempdir();
    let orphan = start(dir.path());
    sql(&orphan.url(), "create table kept (it int); insert into kept values (7)");
    let second = start(dir.path());
    assert!(!listens(&orphan.url()));
    assert_eq!(sql(&second.url(), "select it from kept").as_deref(), Some("7"));
}

#[test]
fn the_id_in_a_stale_file_may_be_anyones_by_now() {
    let dir = tempdir();
    let first = start(dir.path());
    let file = first.data_dir().join("postmaster.pid");
    let stale = fs::read_to_string(&file).unwrap();
    let (own, rest) = stale.split_once('\n').unwrap();
    kill(own.parse().unwrap());
    let mut bystander = Command::new("sleep").arg("60").spawn().unwrap();
    fs::write(&file, format!("{}\n{rest}", bystander.id())).unwrap();
    let second = start(dir.path());
    assert_eq!(sql(&second.url(), "select 1").as_deref(), Some("1"));
    assert_eq!(bystander.try_wait().unwrap(), None, "it has nothing to do with PostgreSQL");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[test]
fn two_servers_know_nothing_of_each_other() {
    let (one, two) = (tempdir(), tempdir());
    let (one, two) = thread::scope(|scope| {
        let one = scope.spawn(|| start(one.path()));
        let two = scope.spawn(|| start(two.path()));
        (one.join().unwrap(), two.join().unwrap())
    });
    sql(&one.url(), "create table here (it int)");
    assert_eq!(sql(&two.url(), "select to_regclass('here') is null").as_deref(), Some("t"));
    assert_ne!(one.url(), two.url());
}

#[test]
fn a_warm_start_takes_a_moment_and_begins_the_log_anew() {
    let dir = tempdir();
    let log = dir.path().join("postgres.log");
    let first = start(dir.path());
    sql(&first.url(), "DO $$ BEGIN RAISE LOG 'of the first start'; END $$");
    first.stop().unwrap();
    assert!(fs::read_to_string(&log).unwrap().contains("of the first start"));
    let begun = Instant::now();
    let second = start(dir.path());
    // Alone it takes about 50 ms; beside the other tests, more.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(sql(&second.url(), "select 1").as_deref(), Some("1"));
    assert!(!fs::read_to_string(&log).unwrap().contains("of the first start"));
    assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn dropping_the_server_stops_it() {
    let dir = tempdir();
    let server = start(dir.path());
    let url = server.url();
    assert!(listens(&url));
    drop(server);
    assert!(!listens(&url));
}

#[test]
fn the_server_outlives_the_thread_that_started_it() {
    let dir = tempdir();
    let dir = dir.path();
    let server = thread::scope(|scope| scope.spawn(|| start(dir)).join().unwrap());
    assert_eq!(sql(&server.url(), "select 1").as_deref(), Some("1"));
}

#[test]
fn the_server_ends_with_its_parent() {
    let dir = tempdir();
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "postgres::parent_of_a_server"])
        .env(PARENT_OF, dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let url = dir.path().join("url");
    eventually("the server starts", || url.exists());
    let url = fs::read_to_string(url).unwrap();
    assert!(listens(&url));
    parent.kill().unwrap();
    parent.wait().unwrap();
    // At once: the server may still be stopping.
    let next = start(dir.path());
    assert_eq!(sql(&next.url(), "select 1").as_deref(), Some("1"));
    next.stop().unwrap();
    eventually("the server ends", || !listens(&url));
}

#[test]
#[ignore = "a part of the_server_ends_with_its_parent, which runs it in a process of its own"]
fn parent_of_a_server() {
    let Some(dir) = std::env::var_os(PARENT_OF).map(PathBuf::from) else { return };
    let server = start(&dir);
    fs::write(dir.join("url.partial"), server.url()).unwrap();
    fs::rename(dir.join("url.partial"), dir.join("url")).unwrap();
    loop {
        thread::park();
    }
}

#[test]
fn what_a_killed_start_left_behind_is_no_obstacle() {
    let dir = tempdir();
    let partial = dir.path().join("postgres.partial");
    fs::create_dir_all(partial.join("data/base")).unwrap();
    fs::create_dir(dir.path().join("postgres")).unwrap();
    let server = start(dir.path());
    assert!(!partial.exists());
    assert_eq!(server.data_dir(), dir.path().join("postgres"));
}

#[test]
fn a_directory_of_something_else_is_left_alone() {
    let dir = tempdir();
    let precious = dir.path().join("postgres/thesis.tex");
    fs::create_dir(dir.path().join("postgres")).unwrap();
    fs::write(&precious, "42").unwrap();
    assert!(matches!(Postgres::start(config(dir.path())), Err(PostgresError::Occupied(_))));
    assert!(precious.exists());
}

#[test]
fn data_of_another_version_are_kept_unless_they_are_throwaway() {
    let dir = tempdir();
    let data_dir = dir.path().join("postgres");
    fs::create_dir(&data_dir).unwrap();
    fs::write(data_dir.join("PG_VERSION"), "7\n").unwrap();
    let durable = PostgresConfig { durability: Durability::Durable, ..config(dir.path()) };
    let refused = Postgres::start(durable);
    assert!(matches!(refused, Err(PostgresError::OtherVersion { version: 7, .. })));
    assert_eq!(sql(&start(dir.path()).url(), "select 1").as_deref(), Some("1"));
}

#[test]
fn a_port_that_is_taken_is_named_in_the_error() {
    let dir = tempdir();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let refused = Postgres::start(PostgresConfig { port: Some(port), ..config(dir.path()) });
    let Err(PostgresError::NotStarted { said, .. }) = refused else { panic!("{refused:?}") };
    assert!(said.contains(&port.to_string()), "{said}");
}

#[test]
fn only_who_knows_the_password_gets_in() {
    let dir = tempdir();
    let server = start(dir.path());
    let url = format!("postgres://postgres:guess@{}/postgres", address(&server.url()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert!(runtime.block_on(tokio_postgres::connect(&url, tokio_postgres::NoTls)).is_err());
    assert!(!format!("{server:?}").contains(server.url().split(['@', ':']).nth(2).unwrap()));
    let password = fs::metadata(server.data_dir().join("password")).unwrap();
    assert_eq!(password.permissions().mode() & 0o777, 0o600);
}

#[test]
fn root_works_from_a_directory_that_nobody_else_can_enter() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let server = start(dir.path());
    assert_eq!(sql(&server.url(), "select 1").as_deref(), Some("1"));
    let elsewhere = server.data_dir() != dir.path().join("postgres");
    let root = fs::metadata("/proc/self").is_ok_and(|us| us.uid() == 0);
    assert_eq!(elsewhere, root);
    let home = server.data_dir().parent().unwrap().to_owned();
    server.stop().unwrap();
    if elsewhere {
        fs::remove_dir_all(home).unwrap();
    }
}

#[test]
fn all_tests_of_a_process_share_one_server() {
    let url = shared_for_tests();
    assert_eq!(sql(&url, "select current_user").as_deref(), Some("postgres"));
    assert_eq!(thread::spawn(shared_for_tests).join().unwrap(), url);
}
