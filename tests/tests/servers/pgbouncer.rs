//! PgBouncer does as told.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use diesel::connection::{CacheSize, SimpleConnection};
use diesel::prelude::*;
use diesel::sql_types::Integer;
use everpool_tests::pgbouncer::PoolMode;
use everpool_tests::{PgBouncer, PostgreSql, ServerError};

use crate::traces::{Traces, assert_none_is_roots, family};

fn start() -> (PostgreSql, PgBouncer) {
    let server = PostgreSql::start().unwrap();
    let bouncer = PgBouncer::start(&server).unwrap();
    (server, bouncer)
}

fn connect(bouncer: &PgBouncer) -> PgConnection {
    PgConnection::establish(&bouncer.url()).unwrap()
}

/// The server's process behind a connection.
fn backend(connection: &mut PgConnection) -> i32 {
    let process = diesel::dsl::sql::<Integer>("pg_backend_pid()");
    diesel::select(process).get_result(connection).unwrap()
}

#[test]
fn a_started_pgbouncer_leads_to_its_server_by_both_urls() {
    let (_server, bouncer) = start();
    assert_eq!(bouncer.psql("select 1").unwrap(), "1");
    for url in [bouncer.url(), bouncer.socket_url()] {
        let mut connection = PgConnection::establish(&url).unwrap();
        assert!(backend(&mut connection) > 0);
    }
    let shown = bouncer.console("SHOW CONFIG").unwrap();
    assert!(shown.contains("listen_addr|127.0.0.1|"), "{shown}");
}

#[test]
fn a_transaction_mode_lends_one_server_connection_to_several_clients() {
    let (server, bouncer) = start();
    let mut clients = [connect(&bouncer), connect(&bouncer), connect(&bouncer)];
    for client in &mut clients {
        client.batch_execute("begin; select 1; commit").unwrap();
    }
    assert_eq!(sessions(&server), "1");
}

#[test]
fn a_session_mode_keeps_a_server_connection_for_each_client() {
    let server = PostgreSql::start().unwrap();
    let bouncer = PgBouncer::start_in(PoolMode::Session, &server).unwrap();
    let (mut one, mut other) = (connect(&bouncer), connect(&bouncer));
    assert_ne!(backend(&mut one), backend(&mut other));
    assert_eq!(sessions(&server), "2");
}

#[test]
fn a_statement_mode_refuses_transactions() {
    let server = PostgreSql::start().unwrap();
    let bouncer = PgBouncer::start_in(PoolMode::Statement, &server).unwrap();
    connect(&bouncer).batch_execute("select 1").unwrap();
    connect(&bouncer).batch_execute("begin").unwrap_err();
}

/// The client sessions of the server, but for the one that asks.
fn sessions(server: &PostgreSql) -> String {
    let others = "select count(*) from pg_stat_activity \
                  where backend_type = 'client backend' and pid <> pg_backend_pid()";
    server.psql(others).unwrap()
}

/// What Diesel does by default: its second use of a statement names the first one's.
#[test]
fn named_prepared_statements_survive_a_change_of_server_connection_if_the_version_keeps_them() {
    let (_server, bouncer) = start();
    let answers = answers_of_several_servers(&bouncer, CacheSize::Unbounded);
    let kept = answers.iter().all(|answer| *answer == Ok(1));
    assert_eq!(kept, bouncer.keeps_prepared_statements(), "{answers:?}");
}

#[test]
fn without_its_statement_cache_diesel_needs_no_prepared_statement() {
    let (_server, bouncer) = start();
    let answers = answers_of_several_servers(&bouncer, CacheSize::Disabled);
    assert_eq!(answers, [Ok(1), Ok(1), Ok(1), Ok(1)]);
}

/// What one client is answered that meets two server connections in turn.
fn answers_of_several_servers(bouncer: &PgBouncer, cache: CacheSize) -> Vec<QueryResult<i32>> {
    let (mut one, mut other) = (connect(bouncer), connect(bouncer));
    one.set_prepared_statement_cache_size(cache);
    let first = backend(&mut one);
    // Held meanwhile, so that there is a second server connection, which the next statement meets.
    one.batch_execute("begin").unwrap();
    let second = backend(&mut other);
    one.batch_execute("commit").unwrap();
    assert_ne!(first, second);
    (0..4).map(|_| answer(&mut one)).collect()
}

fn answer(connection: &mut PgConnection) -> QueryResult<i32> {
    diesel::select(1.into_sql::<Integer>()).get_result(connection)
}

#[test]
fn a_paused_pgbouncer_answers_nobody_until_it_is_resumed() {
    let (_server, bouncer) = start();
    bouncer.pause().unwrap();
    assert_waits(&bouncer, || bouncer.resume().unwrap());
}

#[test]
fn a_frozen_pgbouncer_answers_nobody_until_it_is_thawed() {
    let (_server, bouncer) = start();
    bouncer.freeze().unwrap();
    assert_waits(&bouncer, || bouncer.thaw().unwrap());
}

fn assert_waits(bouncer: &PgBouncer, until: impl FnOnce()) {
    let (answers, answer) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| answers.send(bouncer.psql("select 1").unwrap()).unwrap());
        let early = answer.recv_timeout(Duration::from_millis(300));
        // Before any assertion: a scope that panics waits for its threads first.
        until();
        assert_eq!(early, Err(RecvTimeoutError::Timeout));
        assert_eq!(answer.recv_timeout(Duration::from_secs(10)).unwrap(), "1");
    });
}

#[test]
fn dropped_connections_are_lost_and_new_ones_are_accepted() {
    let (_server, bouncer) = start();
    let mut client = connect(&bouncer);
    let before = backend(&mut client);
    bouncer.drop_connections().unwrap();
    client.batch_execute("select 1").unwrap_err();
    assert_ne!(backend(&mut connect(&bouncer)), before);
}

#[test]
fn who_asks_while_the_server_is_away_is_answered_when_it_is_back() {
    let (mut server, bouncer) = start();
    assert_eq!(bouncer.psql("select 1").unwrap(), "1");
    server.stop().unwrap();
    assert_waits(&bouncer, || server.start_again().unwrap());
}

#[test]
fn a_restarted_pgbouncer_keeps_its_url_and_disconnects_its_clients() {
    let (_server, mut bouncer) = start();
    let (url, process) = (bouncer.url(), bouncer.process_id());
    let mut client = connect(&bouncer);
    bouncer.restart().unwrap();
    client.batch_execute("select 1").unwrap_err();
    assert_eq!(bouncer.url(), url);
    assert_ne!(bouncer.process_id(), process);
    connect(&bouncer).batch_execute("select 1").unwrap();
    assert!(matches!(bouncer.launch(), Err(ServerError::AlreadyRunning)));
}

#[test]
fn a_stopped_pgbouncer_refuses_until_it_is_started_again() {
    let (_server, mut bouncer) = start();
    bouncer.freeze().unwrap();
    bouncer.stop().unwrap();
    bouncer.stop().unwrap();
    assert_eq!(bouncer.process_id(), None);
    TcpStream::connect((Ipv4Addr::LOCALHOST, bouncer.port())).unwrap_err();
    assert!(matches!(bouncer.freeze(), Err(ServerError::NotRunning)));
    bouncer.start_again().unwrap();
    assert_eq!(bouncer.psql("select 1").unwrap(), "1");
}

#[test]
fn a_killed_pgbouncer_closes_its_connections_and_starts_again() {
    let (_server, mut bouncer) = start();
    let mut client = connect(&bouncer);
    bouncer.kill().unwrap();
    client.batch_execute("select 1").unwrap_err();
    bouncer.start_again().unwrap();
    assert_eq!(bouncer.psql("select 1").unwrap(), "1");
}

#[test]
fn a_pgbouncer_never_runs_as_root() {
    let (_server, bouncer) = start();
    assert_none_is_roots(family(bouncer.process_id().unwrap()));
}

#[test]
fn a_failed_start_of_pgbouncer_shows_the_log() {
    let (_server, mut bouncer) = start();
    bouncer.stop().unwrap();
    let configuration = bouncer.directory().join("pgbouncer.ini");
    fs::write(configuration, "[pgbouncer]\npool_mode = nonsense\n").unwrap();
    let error = bouncer.start_again().unwrap_err().to_string();
    assert!(error.starts_with("pgbouncer failed"), "{error}");
    assert!(error.contains("nonsense"), "{error}");
}

#[test]
fn a_dropped_pgbouncer_leaves_nothing_and_spares_its_server() {
    let (server, bouncer) = start();
    let traces = Traces::of(bouncer.directory(), bouncer.process_id());
    drop(bouncer);
    traces.assert_gone();
    assert_eq!(server.psql("select 1").unwrap(), "1");
}
