//! Sessions that are prepared, and transactions over several databases, on a real PostgreSQL and a real MariaDB.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

mod lines;

use std::sync::{Arc, Mutex};

use diesel::{MysqlConnection, PgConnection, SqliteConnection, connection::SimpleConnection};
use everpool_diesel::{
    Driver, Engine, EngineOptions, GlobalTransaction, GroupError, Session, SessionError,
    SessionMaker, SessionOptions, SessionTransaction, StateError, create_engine, recover,
};
use everpool_tests::{MariaDb, PostgreSql};
use lines::Lines;
use tracing::Level;

const TABLE: &str = "CREATE TABLE t (x int)";
const ROWS: &str = "SELECT count(*) FROM t";

fn postgresql() -> (PostgreSql, Engine<PgConnection>) {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    server.psql(TABLE).unwrap();
    let engine = create_engine(server.url(), EngineOptions::default()).unwrap();
    (server, engine)
}

fn mariadb() -> (MariaDb, Engine<MysqlConnection>) {
    let server = MariaDb::start().expect("this needs MariaDB");
    server.sql(TABLE).unwrap();
    let engine = create_engine(server.url(), EngineOptions::default()).unwrap();
    (server, engine)
}

fn insert<C: Driver>(session: &mut Session<C>) {
    session.batch_execute("INSERT INTO t VALUES (1)").unwrap();
}

fn none_is_prepared<C: Driver>(engine: &Engine<C>) {
    assert_eq!(engine.recover_twophase().unwrap(), []);
}

fn every_end_of_a_prepared_session<C: Driver>(engine: &Engine<C>, rows: impl Fn() -> String) {
    let options = SessionOptions::default().twophase(true);
    let sessions = SessionMaker::with_options(engine, &options).unwrap();
    let mut session = sessions.session();
    insert(&mut session);
    session.prepare().unwrap();
    assert!(!session.is_active() && session.in_transaction());
    let refused = session.batch_execute("SELECT 1").unwrap_err().to_string();
    assert!(
        refused.starts_with("this session is in 'prepared' state"),
        "{refused}"
    );
    let again = session.prepare().unwrap_err();
    assert!(
        matches!(again, SessionError::State(StateError::Prepared)),
        "{again}"
    );
    assert_eq!(rows(), "0");
    session.commit().unwrap();
    assert_eq!(rows(), "1");

    insert(&mut session);
    session.prepare().unwrap();
    let xid = session.xid().cloned();
    assert_eq!(engine.recover_twophase().unwrap(), Vec::from_iter(xid));
    session.rollback().unwrap();
    assert_eq!(rows(), "1");

    insert(&mut session);
    session.prepare().unwrap();
    drop(session);
    none_is_prepared(engine);

    let mut session = sessions.session();
    let mut nested = session.begin_nested().unwrap();
    insert(&mut nested);
    nested.rollback().unwrap();
    let mut nested = session.begin_nested().unwrap();
    insert(&mut nested);
    nested.commit().unwrap();
    session.prepare().unwrap();
    session.commit().unwrap();
    assert_eq!(rows(), "2");

    // Not prepared: committed in one phase, or undone with its session.
    insert(&mut session);
    session.commit().unwrap();
    insert(&mut session);
    drop(session);
    assert_eq!(rows(), "3");
    none_is_prepared(engine);
}

#[test]
fn a_session_that_is_prepared_takes_nothing_but_its_end() {
    let (server, engine) = postgresql();
    every_end_of_a_prepared_session(&engine, || server.psql(ROWS).unwrap());
    let (server, engine) = mariadb();
    every_end_of_a_prepared_session(&engine, || server.sql(ROWS).unwrap());
}

#[test]
fn a_session_is_prepared_only_in_twophase_mode() {
    let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default()).unwrap();
    let mut session = Session::begin(&engine).unwrap();
    let refused = session.prepare().unwrap_err().to_string();
    let said = "'twophase' mode not enabled, or not root transaction; can't prepare";
    assert_eq!(refused, said);

    let options = SessionOptions::default().twophase(true);
    let refused = SessionMaker::with_options(&engine, &options).unwrap_err();
    assert!(refused.to_string().contains("twophase"), "{refused}");
    let mut global = GlobalTransaction::named("transfer-7");
    let refused = SessionMaker::new(&engine)
        .branch_of(&mut global)
        .unwrap_err();
    assert!(
        refused.to_string().starts_with("sqlite has no"),
        "{refused}"
    );
}

#[test]
fn a_two_phase_session_that_commits_each_statement_is_refused() {
    let (_server, engine) = postgresql();
    let options = SessionOptions::default()
        .twophase(true)
        .isolation_level("AUTOCOMMIT");
    let sessions = SessionMaker::with_options(&engine, &options).unwrap();
    let refused = sessions.session().batch_execute(ROWS).unwrap_err();
    assert!(refused.to_string().contains("AUTOCOMMIT"), "{refused}");
}

#[test]
fn a_session_left_prepared_is_found_and_ended_by_its_xid() {
    let (server, engine) = postgresql();
    let mut global = GlobalTransaction::named("transfer-7");
    let maker = SessionMaker::new(&engine);
    for _ in 0..2 {
        let mut session = maker.branch_of(&mut global).unwrap();
        insert(&mut session);
        session.prepare().unwrap();
        session.invalidate().unwrap();
    }
    let found = recover(&[&engine, &engine]).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].name(), "transfer-7");
    let xids: Vec<_> = found[0].xids().map(ToString::to_string).collect();
    assert_eq!(xids, ["transfer-7.1", "transfer-7.2"]);
    for transaction in found {
        transaction.rollback().unwrap();
    }
    none_is_prepared(&engine);
    assert_eq!(server.psql(ROWS).unwrap(), "0");
}

#[test]
fn a_prepare_that_the_server_did_not_answer_is_in_doubt() {
    let (mut server, engine) = postgresql();
    let options = SessionOptions::default().twophase(true);
    let sessions = SessionMaker::with_options(&engine, &options).unwrap();
    let mut session = sessions.session();
    insert(&mut session);
    server.kill().unwrap();
    let in_doubt = session.prepare().unwrap_err();
    assert!(
        matches!(&in_doubt, SessionError::InDoubt(lost) if lost.xid.to_string().starts_with("_ep_"))
    );
    assert!(
        in_doubt.to_string().contains("recover_twophase"),
        "{in_doubt}"
    );
    assert!(session.is_active() && !session.in_transaction());
    server.start_again().unwrap();
    insert(&mut session);
    session.commit().unwrap();
}

#[test]
fn the_operator_is_told_of_what_a_dropped_session_leaves_prepared() {
    let (mut server, engine) = postgresql();
    let options = SessionOptions::default().twophase(true);
    let sessions = SessionMaker::with_options(&engine, &options).unwrap();
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.subscriber(Level::ERROR), || {
        let mut session = sessions.session();
        insert(&mut session);
        session.prepare().unwrap();
        drop(session);
    });
    assert_eq!(lines.text(), "", "it was rolled back");

    let mut session = sessions.session();
    insert(&mut session);
    session.prepare().unwrap();
    let xid = session.xid().unwrap().to_string();
    server.kill().unwrap();
    tracing::subscriber::with_default(lines.subscriber(Level::ERROR), || drop(session));
    let lines = lines.text();
    assert!(lines.contains(&xid), "{lines}");
    assert!(lines.contains("recover_twophase"), "{lines}");
    server.start_again().unwrap();
    let [transaction] = <[_; 1]>::try_from(recover(&[&engine]).unwrap()).unwrap();
    assert_eq!(transaction.name(), xid);
    transaction.rollback().unwrap();
}

/// Two databases, and a session of each in one transaction.
struct Two {
    postgresql: PostgreSql,
    mariadb: Arc<Mutex<MariaDb>>,
    orders: Engine<PgConnection>,
    stock: Engine<MysqlConnection>,
}

impl Two {
    fn start() -> Self {
        let ((postgresql, orders), (mariadb, stock)) = (postgresql(), mariadb());
        let mariadb = Arc::new(Mutex::new(mariadb));
        Self {
            postgresql,
            mariadb,
            orders,
            stock,
        }
    }

    fn sessions(
        &self,
        global: &mut GlobalTransaction,
    ) -> (Session<PgConnection>, Session<MysqlConnection>) {
        let orders = SessionMaker::new(&self.orders).branch_of(global);
        let stock = SessionMaker::new(&self.stock).branch_of(global);
        (orders.unwrap(), stock.unwrap())
    }

    fn rows(&self) -> [String; 2] {
        let mariadb = self.mariadb.lock().unwrap();
        [
            self.postgresql.psql(ROWS).unwrap(),
            mariadb.sql(ROWS).unwrap(),
        ]
    }

    fn none_is_prepared(&self) {
        none_is_prepared(&self.orders);
        none_is_prepared(&self.stock);
    }
}

#[test]
fn a_transaction_over_two_databases_is_committed_on_both_or_on_none() {
    let two = Two::start();
    let mut global = GlobalTransaction::new().unwrap();
    let (mut orders, mut stock) = two.sessions(&mut global);
    insert(&mut orders);
    insert(&mut stock);
    global.commit(&mut [&mut orders, &mut stock]).unwrap();
    assert_eq!(two.rows(), ["1", "1"]);

    // A session goes on as one of its own.
    insert(&mut orders);
    orders.commit().unwrap();
    assert_eq!(two.rows(), ["2", "1"]);

    let mut global = GlobalTransaction::new().unwrap();
    let (mut orders, mut stock) = two.sessions(&mut global);
    insert(&mut orders);
    insert(&mut stock);
    orders.prepare().unwrap();
    stock.prepare().unwrap();
    drop(global);
    orders.rollback().unwrap();
    drop(stock);
    assert_eq!(two.rows(), ["2", "1"]);
    two.none_is_prepared();
}

#[test]
fn branches_are_committed_in_the_order_in_which_they_are_named() {
    fn telling<C: Driver>(
        engine: &Engine<C>,
        told: &Arc<Mutex<Vec<&'static str>>>,
    ) -> SessionMaker<C> {
        let (told, name) = (Arc::clone(told), C::BACKEND.name());
        let mut sessions = SessionMaker::new(engine);
        let tell = move |_: &SessionTransaction| told.lock().unwrap().push(name);
        sessions.events().after_commit(tell);
        sessions
    }
    let two = Two::start();
    let told = Arc::default();
    for _ in 0..2 {
        let mut global = GlobalTransaction::new().unwrap();
        let orders = telling(&two.orders, &told).branch_of(&mut global);
        let stock = telling(&two.stock, &told).branch_of(&mut global);
        let (mut orders, mut stock) = (orders.unwrap(), stock.unwrap());
        insert(&mut orders);
        insert(&mut stock);
        global.commit(&mut [&mut stock, &mut orders]).unwrap();
    }
    let (first, second) = (
        MysqlConnection::BACKEND.name(),
        PgConnection::BACKEND.name(),
    );
    assert_eq!(*told.lock().unwrap(), [first, second, first, second]);
}

#[test]
fn a_branch_that_cannot_be_prepared_rolls_all_back() {
    let two = Two::start();
    let mut global = GlobalTransaction::new().unwrap();
    let (mut orders, mut stock) = two.sessions(&mut global);
    insert(&mut stock);
    insert(&mut orders);
    let temporary = "CREATE TEMPORARY TABLE mine (x int)";
    orders.batch_execute(temporary).unwrap();
    let failed = global.commit(&mut [&mut stock, &mut orders]).unwrap_err();
    let GroupError::RolledBack { error, in_doubt } = &failed else {
        panic!("{failed}");
    };
    assert!(error.to_string().contains("temporary"), "{error}");
    assert_eq!(*in_doubt, []);
    assert!(
        failed
            .to_string()
            .starts_with("the transaction is committed nowhere")
    );
    assert!(!stock.in_transaction() && !orders.in_transaction());
    assert_eq!(two.rows(), ["0", "0"]);
    two.none_is_prepared();
}

#[test]
fn a_branch_that_is_alone_is_not_prepared_and_one_without_a_statement_sends_nothing() {
    let two = Two::start();
    let prepared = Arc::new(Mutex::new(0));
    let count = Arc::clone(&prepared);
    let events = two.orders.events();
    events.prepare_twophase(move |_| *count.lock().unwrap() += 1);
    let mut global = GlobalTransaction::new().unwrap();
    let (mut orders, mut stock) = two.sessions(&mut global);
    insert(&mut orders);
    global.commit(&mut [&mut orders, &mut stock]).unwrap();
    assert_eq!(two.rows(), ["1", "0"]);
    assert_eq!(*prepared.lock().unwrap(), 0);
    assert_eq!(two.stock.pool().snapshot().opened, 0);
}

#[test]
fn a_transaction_is_committed_with_all_of_its_sessions_only() {
    let two = Two::start();
    let mut global = GlobalTransaction::named("transfer-7");
    let (mut orders, mut stock) = two.sessions(&mut global);
    insert(&mut orders);
    insert(&mut stock);
    let refused = global.commit(&mut [&mut orders]).unwrap_err();
    assert!(matches!(refused, GroupError::Sessions { .. }), "{refused}");
    assert!(refused.to_string().contains("transfer-7"), "{refused}");
    drop((orders, stock));
    assert_eq!(two.rows(), ["0", "0"]);
}

#[test]
fn a_server_that_dies_after_the_decision_leaves_a_branch_that_recovery_finds_and_commits() {
    let two = Two::start();
    let mut global = GlobalTransaction::named("transfer-7");
    let (mut orders, mut stock) = two.sessions(&mut global);
    insert(&mut orders);
    insert(&mut stock);
    let mariadb = Arc::clone(&two.mariadb);
    two.orders.events().commit_twophase(move |_, _| {
        mariadb.lock().unwrap().kill().unwrap();
    });
    let failed = global.commit(&mut [&mut orders, &mut stock]).unwrap_err();
    let told = failed.to_string();
    let GroupError::InDoubt {
        committed,
        in_doubt,
    } = failed
    else {
        panic!("{told}");
    };
    assert_eq!(committed.len(), 1);
    assert_eq!(committed[0].to_string(), "transfer-7.1");
    assert!(
        matches!(&in_doubt[..], [(xid, SessionError::CommitOutcomeUnknown(_))] if xid.to_string() == "transfer-7.2")
    );
    assert!(told.contains("committed: transfer-7.1;"), "{told}");
    assert!(told.contains("commit_prepared: transfer-7.2 ("), "{told}");
    drop((orders, stock));

    two.mariadb.lock().unwrap().start_again().unwrap();
    assert_eq!(two.rows(), ["1", "0"]);
    let found = recover(&[&two.orders, &two.stock]).unwrap();
    assert_eq!(format!("{found:?}").matches("transfer-7").count(), 1);
    for transaction in found {
        transaction.commit().unwrap();
    }
    assert_eq!(two.rows(), ["1", "1"]);
    two.none_is_prepared();
}

#[test]
fn what_is_decided_is_not_rolled_back_though_a_listener_panics_in_between() {
    let two = Two::start();
    let mut global = GlobalTransaction::named("transfer-7");
    let (mut orders, mut stock) = two.sessions(&mut global);
    insert(&mut orders);
    insert(&mut stock);
    orders.events().after_commit(|_| panic!("in between"));
    let committed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        global.commit(&mut [&mut orders, &mut stock])
    }));
    assert!(committed.is_err());
    let refused = stock.rollback().unwrap_err();
    assert!(
        matches!(refused, SessionError::State(StateError::Decided)),
        "{refused}"
    );
    drop((orders, stock));
    let found = recover(&[&two.orders, &two.stock]).unwrap();
    for transaction in found {
        transaction.commit().unwrap();
    }
    assert_eq!(two.rows(), ["1", "1"]);
}
