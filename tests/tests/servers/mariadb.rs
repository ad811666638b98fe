//! MariaDB does as told.

use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::panic::{self, AssertUnwindSafe};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use everpool_tests::{MariaDb, ServerError};

use crate::traces::{Traces, assert_none_is_roots, family, field, has_ended};
use crate::until::until;

fn start() -> MariaDb {
    MariaDb::start().unwrap()
}

/// A session before its login, at rest until the server says something.
fn greeted(server: &MariaDb) -> TcpStream {
    let mut session = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).unwrap();
    session.read_exact(&mut [0; 5]).unwrap();
    session
}

#[test]
fn a_started_mariadb_accepts_at_its_port_and_at_its_socket() {
    let server = start();
    assert_eq!(server.sql("select 1").unwrap(), "1");
    greeted(&server);
    UnixStream::connect(server.socket()).unwrap();
}

#[test]
fn a_mariadb_listens_on_loopback_only() {
    let server = start();
    let addresses = server.sql("select @@bind_address, @@port").unwrap();
    assert_eq!(addresses, format!("127.0.0.1\t{}", server.port()));
}

#[test]
fn the_urls_of_a_mariadb_lead_to_its_user_and_database() {
    let server = start();
    let port = server.port();
    assert_eq!(
        server.url(),
        format!("mysql://everpool@127.0.0.1:{port}/everpool")
    );
    let socket = server.socket();
    let socket = socket.display();
    assert_eq!(
        server.socket_url(),
        format!("mysql://everpool@localhost/everpool?unix_socket={socket}")
    );
    let user = "select concat(user, '@', host) from mysql.user where user = 'everpool'";
    assert_eq!(server.sql(user).unwrap(), "everpool@%");
    assert_eq!(server.sql("select database()").unwrap(), "everpool");
}

#[test]
fn a_restarted_mariadb_keeps_its_data_and_its_url() {
    let mut server = start();
    let (url, process) = (server.url(), server.process_id());
    server.sql("create table kept as select 7 as n").unwrap();
    server.restart().unwrap();
    assert_eq!(server.sql("select n from kept").unwrap(), "7");
    assert_eq!(server.url(), url);
    assert_ne!(server.process_id(), process);
}

#[test]
fn a_stopped_mariadb_refuses_until_it_is_started_again() {
    let mut server = start();
    server.stop().unwrap();
    server.stop().unwrap();
    assert_eq!(server.process_id(), None);
    server.sql("select 1").unwrap_err();
    TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).unwrap_err();
    assert!(matches!(server.freeze(), Err(ServerError::NotRunning)));
    server.start_again().unwrap();
    assert_eq!(server.sql("select 1").unwrap(), "1");
    assert!(matches!(server.launch(), Err(ServerError::AlreadyRunning)));
}

#[test]
fn a_launched_mariadb_tells_when_it_first_accepted() {
    let mut server = start();
    server.kill().unwrap();
    let launched = Instant::now();
    server.launch().unwrap();
    let ready = server.wait_until_ready().unwrap();
    assert!(launched < ready && ready < Instant::now());
    assert_eq!(server.sql("select 1").unwrap(), "1");
}

#[test]
fn a_killed_mariadb_closes_its_sessions_and_keeps_what_was_committed() {
    let mut server = start();
    server
        .sql("create table kept (n int); insert into kept values (7)")
        .unwrap();
    let mut session = greeted(&server);
    let process = server.process_id().unwrap();
    server.kill().unwrap();
    assert_eq!(server.process_id(), None);
    assert!(has_ended(process), "{process} still lives");
    // Nobody is left who could say goodbye: what is left of the greeting, then an end or a reset.
    let _ = session.read_to_end(&mut Vec::new());
    assert_eq!(session.read(&mut [0]).unwrap_or(0), 0);
    server.sql("select 1").unwrap_err();
    server.start_again().unwrap();
    assert_eq!(server.sql("select n from kept").unwrap(), "7");
}

#[test]
fn a_frozen_mariadb_answers_nobody_until_it_is_thawed() {
    let server = start();
    let (answers, answer) = mpsc::channel();
    server.freeze().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| answers.send(server.sql("select 1").unwrap()).unwrap());
        let early = answer.recv_timeout(Duration::from_millis(300));
        // Before any assertion: a scope that panics waits for its threads first.
        server.thaw().unwrap();
        assert_eq!(early, Err(RecvTimeoutError::Timeout));
        assert_eq!(answer.recv_timeout(Duration::from_secs(10)).unwrap(), "1");
    });
}

#[test]
fn every_thread_of_a_frozen_mariadb_stands_still() {
    let server = start();
    server.freeze().unwrap();
    let threads = fs::read_dir(format!("/proc/{}/task", server.process_id().unwrap())).unwrap();
    let threads = threads.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let states: Vec<_> = threads
        .map(|thread| field(thread.parse().unwrap(), "State"))
        .collect();
    assert!(states.len() > 1, "one thread proves nothing");
    assert!(
        states.iter().all(|state| state.starts_with('T')),
        "{states:?}"
    );
    server.thaw().unwrap();
    assert_eq!(server.sql("select 1").unwrap(), "1");
}

#[test]
fn a_frozen_mariadb_can_be_stopped() {
    let mut server = start();
    server.freeze().unwrap();
    server.stop().unwrap();
    server.start_again().unwrap();
    assert_eq!(server.sql("select 1").unwrap(), "1");
}

#[test]
fn two_mariadbs_live_side_by_side() {
    let mut one = start();
    let other = start();
    assert_ne!(one.url(), other.url());
    one.sql("create table here (n int)").unwrap();
    other.sql("select n from here").unwrap_err();
    one.kill().unwrap();
    assert_eq!(other.sql("select 1").unwrap(), "1");
}

#[test]
fn a_mariadb_never_runs_as_root() {
    let server = start();
    assert_none_is_roots(family(server.process_id().unwrap()));
}

#[test]
fn a_failure_of_sql_says_why() {
    let server = start();
    let error = server.sql("select nonsense").unwrap_err().to_string();
    assert!(error.starts_with("mariadb failed"), "{error}");
    assert!(error.contains("Unknown column 'nonsense'"), "{error}");
}

#[test]
fn a_failed_start_of_mariadb_shows_the_log() {
    let mut server = start();
    server.stop().unwrap();
    fs::write(server.directory().join("data/ibdata1"), "torn").unwrap();
    let error = server.start_again().unwrap_err().to_string();
    assert!(error.starts_with("mariadbd failed"), "{error}");
    assert!(error.contains("ibdata1"), "{error}");
}

#[test]
fn killed_sessions_are_gone_and_others_may_follow() {
    let server = start();
    assert_eq!(server.kill_sessions().unwrap(), 0);
    let mut session = sleeping(&server);
    let running =
        "select count(*) from information_schema.processlist where info like '%sleep(60)'";
    until(|| server.sql(running).unwrap() == "1");
    assert_eq!(server.kill_sessions().unwrap(), 1);
    assert!(!session.wait().unwrap().success());
    assert_eq!(server.sql(running).unwrap(), "0");
    assert_eq!(server.kill_sessions().unwrap(), 0);
}

/// A session of the url's user that does nothing for a minute.
fn sleeping(server: &MariaDb) -> Child {
    let mut client = Command::new("mariadb");
    client.args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1"]);
    client.arg(format!("--port={}", server.port()));
    client.args([
        "--user=everpool",
        "everpool",
        "--execute",
        "select sleep(60)",
    ]);
    client.stdout(Stdio::null()).stderr(Stdio::null());
    client.spawn().unwrap()
}

#[test]
fn a_dropped_mariadb_leaves_nothing() {
    leaves_nothing(|_| ());
}

#[test]
fn a_mariadb_dropped_when_frozen_leaves_nothing() {
    leaves_nothing(|server| server.freeze().unwrap());
}

#[test]
fn a_mariadb_dropped_by_a_panic_leaves_nothing() {
    let server = start();
    let traces = Traces::of(server.directory(), server.process_id());
    panic::catch_unwind(AssertUnwindSafe(move || {
        let _server = server;
        panic::resume_unwind(Box::new("a test fails"));
    }))
    .unwrap_err();
    traces.assert_gone();
}

fn leaves_nothing(before_the_drop: impl FnOnce(&mut MariaDb)) {
    let mut server = start();
    let traces = Traces::of(server.directory(), server.process_id());
    before_the_drop(&mut server);
    drop(server);
    traces.assert_gone();
}
