//! Sessions of SQLx that are prepared, and transactions over several databases, on a real PostgreSQL and a real
//! MariaDB.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

mod lines;

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Waker},
};

use everpool_sqlx::{
    Driver, Engine, EngineOptions, GlobalTransaction, GroupError, MySql, Postgres, Session,
    SessionError, SessionMaker, SessionOptions, Sqlite, StateError, create_engine, raw_sql,
    recover,
};
use everpool_tests::{MariaDb, PostgreSql};
use lines::Lines;
use tracing::Level;

const TABLE: &str = "CREATE TABLE t (x int)";
const ROWS: &str = "SELECT count(*) FROM t";

fn postgresql() -> (PostgreSql, Engine<Postgres>) {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    server.psql(TABLE).unwrap();
    let engine = create_engine(server.url(), EngineOptions::default()).unwrap();
    (server, engine)
}

fn mariadb() -> (MariaDb, Engine<MySql>) {
    let server = MariaDb::start().expect("this needs MariaDB");
    server.sql(TABLE).unwrap();
    let engine = create_engine(server.url(), EngineOptions::default()).unwrap();
    (server, engine)
}

async fn insert<DB: Driver>(session: &mut Session<DB>) {
    let insert = raw_sql("INSERT INTO t VALUES (1)");
    insert.execute(session).await.unwrap();
}

async fn none_is_prepared<DB: Driver>(engine: &Engine<DB>) {
    assert_eq!(engine.recover_twophase().await.unwrap(), []);
}

async fn every_end<DB: Driver>(engine: &Engine<DB>, rows: impl Fn() -> String) {
    let options = SessionOptions::default().twophase(true);
    let sessions = SessionMaker::with_options(engine, &options).unwrap();
    let mut session = sessions.session();
    insert(&mut session).await;
    session.prepare().await.unwrap();
    assert!(!session.is_active() && session.in_transaction());
    let refused = raw_sql("SELECT 1").execute(&mut session).await.map(drop);
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("this session is in 'prepared' state"),
        "{refused}"
    );
    assert_eq!(rows(), "0");
    session.commit().await.unwrap();
    assert_eq!(rows(), "1");

    insert(&mut session).await;
    session.prepare().await.unwrap();
    let xid = session.xid().cloned();
    assert_eq!(
        engine.recover_twophase().await.unwrap(),
        Vec::from_iter(xid)
    );
    session.rollback().await.unwrap();
    assert_eq!(rows(), "1");

    // The pool does what a drop cannot wait for.
    insert(&mut session).await;
    session.prepare().await.unwrap();
    drop(session);
    while engine.status().idle < 2 {
        tokio::task::yield_now().await;
    }
    none_is_prepared(engine).await;

    let mut session = sessions.session();
    let mut nested = session.begin_nested().await.unwrap();
    insert(&mut nested).await;
    nested.rollback().await.unwrap();
    let mut nested = session.begin_nested().await.unwrap();
    insert(&mut nested).await;
    nested.commit().await.unwrap();
    session.prepare().await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(rows(), "2");

    // Not prepared: committed in one phase, or undone with its session.
    insert(&mut session).await;
    session.commit().await.unwrap();
    insert(&mut session).await;
    drop(session);
    none_is_prepared(engine).await;
    assert_eq!(rows(), "3");
    while engine.status().resetting > 0 {
        tokio::task::yield_now().await;
    }
    let pool = engine.pool().snapshot();
    assert_eq!(pool.closed_in_all(), 0, "a connection was given up");
}

#[tokio::test]
async fn a_session_of_sqlx_that_is_prepared_takes_nothing_but_its_end() {
    let (server, engine) = postgresql();
    every_end(&engine, || server.psql(ROWS).unwrap()).await;
    let (server, engine) = mariadb();
    every_end(&engine, || server.sql(ROWS).unwrap()).await;
}

#[tokio::test]
async fn a_session_of_sqlx_is_prepared_only_in_twophase_mode() {
    let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default()).unwrap();
    let mut session = Session::begin(&engine).await.unwrap();
    let refused = session.prepare().await.unwrap_err().to_string();
    let said = "'twophase' mode not enabled, or not root transaction; can't prepare";
    assert_eq!(refused, said);
    let mut global = GlobalTransaction::named("transfer-7");
    let refused = SessionMaker::new(&engine)
        .branch_of(&mut global)
        .unwrap_err();
    assert!(
        refused.to_string().starts_with("sqlite has no"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_prepare_of_sqlx_that_nobody_waits_for_is_told_by_the_next_method() {
    let (server, engine) = postgresql();
    // So that no answer is there at once.
    server
        .psql(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END'; \
             CREATE CONSTRAINT TRIGGER slowly AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW EXECUTE FUNCTION wait()",
        )
        .unwrap();
    let options = SessionOptions::default().twophase(true);
    let sessions = SessionMaker::with_options(&engine, &options).unwrap();
    let mut session = sessions.session();
    insert(&mut session).await;
    {
        let prepare = pin!(session.prepare());
        let looked = prepare.poll(&mut Context::from_waker(Waker::noop()));
        assert!(looked.is_pending());
    }
    let refused = session.commit().await.unwrap_err();
    assert!(
        matches!(refused, SessionError::State(StateError::Inactive(_))),
        "{refused}"
    );
    assert!(
        refused.to_string().contains("recover_twophase"),
        "{refused}"
    );
    session.rollback().await.unwrap();
    for transaction in recover(&[&engine]).await.unwrap() {
        transaction.rollback().await.unwrap();
    }
    insert(&mut session).await;
    session.commit().await.unwrap();
    assert_eq!(server.psql(ROWS).unwrap(), "1");

    // And if there is no next method, the operator is told.
    let lines = Lines::default();
    let told = tracing::subscriber::set_default(lines.subscriber(Level::ERROR));
    insert(&mut session).await;
    let xid = session.xid().unwrap().to_string();
    {
        let prepare = pin!(session.prepare());
        let looked = prepare.poll(&mut Context::from_waker(Waker::noop()));
        assert!(looked.is_pending());
    }
    drop(session);
    drop(told);
    let lines = lines.text();
    assert!(lines.contains(&xid), "{lines}");
    assert!(lines.contains("recover_twophase"), "{lines}");
}

/// Two databases, and a session of each in one transaction.
struct Two {
    postgresql: Arc<Mutex<PostgreSql>>,
    mariadb: MariaDb,
    orders: Engine<Postgres>,
    stock: Engine<MySql>,
}

impl Two {
    fn start() -> Self {
        let ((postgresql, orders), (mariadb, stock)) = (postgresql(), mariadb());
        let postgresql = Arc::new(Mutex::new(postgresql));
        Self {
            postgresql,
            mariadb,
            orders,
            stock,
        }
    }

    fn sessions(&self, global: &mut GlobalTransaction) -> (Session<Postgres>, Session<MySql>) {
        let orders = SessionMaker::new(&self.orders).branch_of(global);
        let stock = SessionMaker::new(&self.stock).branch_of(global);
        (orders.unwrap(), stock.unwrap())
    }

    fn rows(&self) -> [String; 2] {
        let postgresql = self.postgresql.lock().unwrap();
        [
            postgresql.psql(ROWS).unwrap(),
            self.mariadb.sql(ROWS).unwrap(),
        ]
    }

    async fn none_is_prepared(&self) {
        none_is_prepared(&self.orders).await;
        none_is_prepared(&self.stock).await;
    }
}

#[tokio::test]
async fn a_transaction_of_sqlx_over_two_databases_is_committed_on_both_or_on_none() {
    let two = Two::start();
    let mut global = GlobalTransaction::new().unwrap();
    let (mut orders, mut stock) = two.sessions(&mut global);
    insert(&mut orders).await;
    insert(&mut stock).await;
    let all = global.commit(&mut [&mut orders, &mut stock]).await;
    all.unwrap();
    assert_eq!(two.rows(), ["1", "1"]);

    let mut global = GlobalTransaction::new().unwrap();
    let (mut orders, mut stock) = two.sessions(&mut global);
    insert(&mut stock).await;
    insert(&mut orders).await;
    let temporary = raw_sql("CREATE TEMPORARY TABLE mine (x int)");
    temporary.execute(&mut orders).await.unwrap();
    let failed = global.commit(&mut [&mut stock, &mut orders]).await;
    let failed = failed.unwrap_err();
    assert!(matches!(&failed, GroupError::RolledBack { in_doubt, .. } if in_doubt.is_empty()));
    assert!(failed.to_string().contains("temporary"), "{failed}");
    assert_eq!(two.rows(), ["1", "1"]);
    two.none_is_prepared().await;
}

#[tokio::test]
async fn a_commit_of_sqlx_over_two_databases_can_be_spawned() {
    let two = Two::start();
    let mut global = GlobalTransaction::new().unwrap();
    let (mut orders, mut stock) = two.sessions(&mut global);
    let work = async move {
        insert(&mut orders).await;
        global.commit(&mut [&mut orders, &mut stock]).await
    };
    tokio::spawn(work).await.unwrap().unwrap();
    assert_eq!(two.rows(), ["1", "0"]);
    assert_eq!(two.stock.pool().snapshot().opened, 0);
}

#[tokio::test]
async fn a_server_that_dies_after_the_decision_leaves_a_branch_of_sqlx_that_recovery_finds() {
    let two = Two::start();
    let mut global = GlobalTransaction::named("transfer-7");
    let (mut orders, mut stock) = two.sessions(&mut global);
    insert(&mut orders).await;
    insert(&mut stock).await;
    let postgresql = Arc::clone(&two.postgresql);
    two.stock.events().commit_twophase(move |_, _| {
        postgresql.lock().unwrap().kill().unwrap();
    });
    let failed = global.commit(&mut [&mut stock, &mut orders]).await;
    let GroupError::InDoubt {
        committed,
        in_doubt,
    } = failed.unwrap_err()
    else {
        panic!("it is in doubt");
    };
    assert_eq!(committed[0].to_string(), "transfer-7.2");
    assert_eq!(in_doubt[0].0.to_string(), "transfer-7.1");
    drop((orders, stock));

    two.postgresql.lock().unwrap().start_again().unwrap();
    assert_eq!(two.rows(), ["0", "1"]);
    for transaction in recover(&[&two.orders, &two.stock]).await.unwrap() {
        assert_eq!(transaction.name(), "transfer-7");
        transaction.commit().await.unwrap();
    }
    assert_eq!(two.rows(), ["1", "1"]);
    two.none_is_prepared().await;
}
