//! PostgreSQL does as told.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use everpool_tests::{PostgreSql, ServerError};

use crate::traces::{self, assert_none_is_roots, family, field, has_ended};

#[test]
fn a_started_server_accepts() {
    let server = PostgreSql::start().unwrap();
    assert_eq!(server.psql("select 1").unwrap(), "1");
}

#[test]
fn a_started_server_has_no_session_of_ours() {
    let server = PostgreSql::start().unwrap();
    let others = "select count(*) from pg_stat_activity \
                  where backend_type = 'client backend' and pid <> pg_backend_pid()";
    assert_eq!(server.psql(others).unwrap(), "0");
}

#[test]
fn a_server_on_loopback_accepts_there() {
    let server = PostgreSql::start_tcp().unwrap();
    assert_eq!(
        server.psql("select host(inet_server_addr())").unwrap(),
        "127.0.0.1"
    );
}

#[test]
fn a_server_on_a_socket_listens_on_no_address() {
    let server = PostgreSql::start().unwrap();
    assert_eq!(server.psql("show listen_addresses").unwrap(), "");
}

#[test]
fn a_restarted_server_keeps_its_data_and_its_url() {
    let mut server = PostgreSql::start().unwrap();
    let (url, process) = (server.url(), server.process_id());
    server.psql("create table kept as select 7 as n").unwrap();
    server.restart().unwrap();
    assert_eq!(server.psql("select n from kept").unwrap(), "7");
    assert_eq!(server.url(), url);
    assert_ne!(server.process_id(), process);
}

#[test]
fn a_stopped_server_refuses_until_it_is_started_again() {
    let mut server = PostgreSql::start().unwrap();
    server.stop().unwrap();
    server.stop().unwrap();
    assert_eq!(server.process_id(), None);
    server.psql("select 1").unwrap_err();
    assert!(matches!(server.freeze(), Err(ServerError::NotRunning)));
    server.start_again().unwrap();
    assert_eq!(server.psql("select 1").unwrap(), "1");
    assert!(matches!(server.launch(), Err(ServerError::AlreadyRunning)));
}

#[test]
fn a_launched_server_tells_when_it_first_accepted() {
    let mut server = PostgreSql::start().unwrap();
    server.stop_immediately().unwrap();
    let launched = Instant::now();
    server.launch().unwrap();
    let ready = server.wait_until_ready().unwrap();
    assert!(launched < ready && ready < Instant::now());
    assert_eq!(server.psql("select 1").unwrap(), "1");
}

#[test]
fn a_killed_server_closes_its_sessions_and_starts_again() {
    let mut server = PostgreSql::start().unwrap();
    let mut session = UnixStream::connect(server.directory().join(".s.PGSQL.5432")).unwrap();
    let processes = family(server.process_id().unwrap());
    assert!(
        processes.len() > 1,
        "a server without children proves nothing"
    );
    server.kill().unwrap();
    assert_eq!(server.process_id(), None);
    assert!(processes.into_iter().all(has_ended), "some still live");
    // Nobody is left who could say goodbye: an end, or a reset.
    assert_eq!(session.read(&mut [0]).unwrap_or(0), 0);
    server.psql("select 1").unwrap_err();
    server.start_again().unwrap();
    assert_eq!(server.psql("select 1").unwrap(), "1");
}

#[test]
fn a_frozen_server_answers_nobody_until_it_is_thawed() {
    let server = PostgreSql::start().unwrap();
    let (answers, answer) = mpsc::channel();
    server.freeze().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| answers.send(server.psql("select 1").unwrap()).unwrap());
        let early = answer.recv_timeout(Duration::from_millis(300));
        // Before any assertion: a scope that panics waits for its threads first.
        server.thaw().unwrap();
        assert_eq!(early, Err(RecvTimeoutError::Timeout));
        assert_eq!(answer.recv_timeout(Duration::from_secs(10)).unwrap(), "1");
    });
}

#[test]
fn every_process_of_a_frozen_server_stands_still() {
    let server = PostgreSql::start().unwrap();
    server.freeze().unwrap();
    let mut processes = family(server.process_id().unwrap());
    // A session that ended just before stays a zombie, as its stopped parent cannot wait for it.
    processes.retain(|process| !has_ended(*process));
    assert!(
        processes.len() > 1,
        "a server without children proves nothing"
    );
    for process in processes {
        let state = field(process, "State");
        assert!(state.starts_with('T'), "{process} is {state}");
    }
    server.thaw().unwrap();
    assert_eq!(server.psql("select 1").unwrap(), "1");
}

#[test]
fn a_frozen_server_can_be_stopped() {
    let mut server = PostgreSql::start().unwrap();
    server.freeze().unwrap();
    server.stop().unwrap();
    server.start_again().unwrap();
    assert_eq!(server.psql("select 1").unwrap(), "1");
}

#[test]
fn two_servers_live_side_by_side() {
    let mut one = PostgreSql::start().unwrap();
    let other = PostgreSql::start().unwrap();
    assert_ne!(one.url(), other.url());
    one.psql("create table here (n int)").unwrap();
    other.psql("select n from here").unwrap_err();
    one.kill().unwrap();
    assert_eq!(other.psql("select 1").unwrap(), "1");
}

#[test]
fn a_server_never_runs_as_root() {
    let server = PostgreSql::start().unwrap();
    assert_none_is_roots(family(server.process_id().unwrap()));
}

#[test]
fn a_failure_of_psql_says_why() {
    let server = PostgreSql::start().unwrap();
    let error = server.psql("select nonsense").unwrap_err().to_string();
    assert!(error.starts_with("psql failed"), "{error}");
    assert!(
        error.contains("column \"nonsense\" does not exist"),
        "{error}"
    );
}

#[test]
fn a_failed_start_shows_the_log() {
    let mut server = PostgreSql::start().unwrap();
    server.stop().unwrap();
    fs::remove_file(server.directory().join("data/global/pg_control")).unwrap();
    let error = server.start_again().unwrap_err().to_string();
    assert!(error.starts_with("postgres failed"), "{error}");
    assert!(
        error.contains("could not find the database system"),
        "{error}"
    );
}

#[test]
fn a_dropped_server_leaves_nothing() {
    leaves_nothing(|_| ());
}

#[test]
fn a_server_dropped_when_frozen_leaves_nothing() {
    leaves_nothing(|server| server.freeze().unwrap());
}

#[test]
fn a_server_dropped_when_killed_leaves_nothing() {
    leaves_nothing(|server| server.kill().unwrap());
}

#[test]
fn a_server_dropped_by_a_panic_leaves_nothing() {
    let server = PostgreSql::start().unwrap();
    let traces = Traces::of(&server);
    panic::catch_unwind(AssertUnwindSafe(move || {
        let _server = server;
        panic::resume_unwind(Box::new("a test fails"));
    }))
    .unwrap_err();
    traces.assert_gone();
}

fn leaves_nothing(before_the_drop: impl FnOnce(&mut PostgreSql)) {
    let mut server = PostgreSql::start().unwrap();
    let traces = Traces::of(&server);
    before_the_drop(&mut server);
    drop(server);
    traces.assert_gone();
}

/// What a server has outside of our process.
struct Traces {
    traces: traces::Traces,
    segment: String,
}

impl Traces {
    fn of(server: &PostgreSql) -> Self {
        let lock = fs::read_to_string(server.directory().join("data/postmaster.pid")).unwrap();
        let segment = lock
            .lines()
            .nth(6)
            .unwrap()
            .split_whitespace()
            .last()
            .unwrap()
            .to_owned();
        assert!(segments().contains(&segment));
        Traces {
            traces: traces::Traces::of(server.directory(), server.process_id()),
            segment,
        }
    }

    fn assert_gone(self) {
        self.traces.assert_gone();
        assert!(!segments().contains(&self.segment));
    }
}

/// The ids of the System V segments of this machine, which stand in the second column.
fn segments() -> Vec<String> {
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap();
    let column = table
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().nth(1));
    column.map(str::to_owned).collect()
}
