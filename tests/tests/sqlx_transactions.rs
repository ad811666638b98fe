//! What a connection of SQLx's sends, in which order, what it tells, and what it does after an error.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    sync::{Arc, Mutex},
};

use everpool_sqlx::{
    AssertSqlSafe, Engine, EngineConnection as Connection, EngineOptions, Error, PoolClass,
    Postgres, Session, Sqlite, create_engine, query, query_scalar, raw_sql,
};
use everpool_tests::PostgreSql;
use futures_util::{FutureExt, StreamExt};

/// An engine with a table `t`; what is told of it.
async fn start() -> (Engine<Sqlite>, Told) {
    let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default()).unwrap();
    query("CREATE TABLE t (x INTEGER)")
        .execute(&engine)
        .await
        .unwrap();
    engine.events().handle_error(|context| {
        if context
            .original()
            .to_string()
            .contains("no such table: lost")
        {
            context.set_disconnect(true);
        }
        Ok(None)
    });
    let told = Told::default();
    told.listen(&engine);
    (engine, told)
}

/// What listeners are told, in its order.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn push(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// What was told of statements: what is sent.
    fn sent(&self) -> Vec<String> {
        let told = self.take().into_iter();
        told.filter_map(|told| Some(told.strip_prefix("before ")?.to_owned()))
            .collect()
    }

    fn listen(&self, engine: &Engine<Sqlite>) {
        let plain = |what: &'static str| {
            let told = self.clone();
            move || told.push(what)
        };
        let named = |what: &'static str| {
            let told = self.clone();
            move |name: &str| told.push(format!("{what} {name}"))
        };
        let (before, after) = (self.clone(), self.clone());
        engine
            .events()
            .engine_connect(plain("engine_connect"))
            .begin(plain("begin"))
            .commit(plain("commit"))
            .rollback(plain("rollback"))
            .savepoint(named("savepoint"))
            .rollback_savepoint(named("rollback_savepoint"))
            .release_savepoint(named("release_savepoint"))
            .engine_disposed(plain("engine_disposed"))
            .before_cursor_execute(move |sql| before.push(format!("before {sql}")))
            .after_cursor_execute(move |sql, error| {
                let answer = error.map_or("ok", |_| "error");
                after.push(format!("after {sql}: {answer}"));
            });
    }
}

async fn insert(connection: &mut Connection<Sqlite>) {
    query("INSERT INTO t VALUES (1)")
        .execute(connection)
        .await
        .unwrap();
}

async fn rows(engine: &Engine<Sqlite>) -> i64 {
    query_scalar("SELECT count(*) FROM t")
        .fetch_one(engine)
        .await
        .unwrap()
}

/// The first thing that a stream of rows says.
async fn streamed(connection: &mut Connection<Sqlite>) -> Result<(), Error> {
    let mut rows = query("SELECT 1").fetch(connection);
    rows.next().await.unwrap().map(drop)
}

const PENDING: &str = "can't reconnect until the invalid transaction is rolled back; \
     please rollback() fully before proceeding";
const LOSES: &str = "SELECT * FROM lost";

#[tokio::test]
async fn a_transaction_is_committed_when_it_is_told_to_and_else_rolled_back() {
    let (engine, told) = start().await;
    let mut connection = engine.connect().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    insert(&mut transaction).await;
    transaction.commit().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    insert(&mut transaction).await;
    transaction.rollback().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    insert(&mut transaction).await;
    drop(transaction);
    drop(connection);
    let sent = told.sent();
    let insert = "INSERT INTO t VALUES (1)";
    assert_eq!(
        sent,
        [
            "BEGIN", insert, "COMMIT", "BEGIN", insert, "ROLLBACK", "BEGIN", insert
        ]
    );
    assert_eq!(rows(&engine).await, 1);
}

#[tokio::test]
async fn a_savepoint_begins_the_transaction_that_it_needs_and_leaves_it_open() {
    let (engine, told) = start().await;
    let mut connection = engine.connect().await.unwrap();
    connection
        .begin_nested()
        .await
        .unwrap()
        .commit()
        .await
        .unwrap();
    assert!(connection.in_transaction());
    assert!(!connection.in_nested_transaction());
    connection
        .begin_nested()
        .await
        .unwrap()
        .rollback()
        .await
        .unwrap();
    connection.commit().await.unwrap();
    let expected = [
        "BEGIN",
        "SAVEPOINT _sqlx_savepoint_1",
        "RELEASE SAVEPOINT _sqlx_savepoint_1",
        "SAVEPOINT _sqlx_savepoint_1",
        "ROLLBACK TO SAVEPOINT _sqlx_savepoint_1",
        "COMMIT",
    ];
    assert_eq!(told.sent(), expected);
}

#[tokio::test]
async fn a_begin_within_a_transaction_is_a_savepoint_as_it_is_in_sqlx() {
    let (engine, told) = start().await;
    let mut connection = engine.connect().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    insert(&mut transaction).await;
    let mut savepoint = transaction.begin().await.unwrap();
    insert(&mut savepoint).await;
    drop(savepoint);
    transaction.commit().await.unwrap();
    drop(connection);
    assert_eq!(rows(&engine).await, 1);
    let plain: Vec<_> = told
        .take()
        .into_iter()
        .filter(|told| !told.contains("ore "))
        .collect();
    assert!(
        plain.contains(&"rollback_savepoint _sqlx_savepoint_1".to_owned()),
        "{plain:?}"
    );
}

#[tokio::test]
async fn in_a_scope_whose_transaction_was_ended_nothing_runs() {
    let (engine, told) = start().await;
    let mut connection = engine.connect().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    Connection::rollback(&mut transaction).await.unwrap();
    assert!(!transaction.is_open() && !transaction.is_valid());
    told.take();
    let refused = [
        query("SELECT 1")
            .execute(&mut *transaction)
            .await
            .map(drop)
            .unwrap_err(),
        transaction.begin().await.map(drop).unwrap_err(),
        transaction.commit().await.unwrap_err(),
    ];
    for refused in refused {
        let refused = refused.to_string();
        assert!(
            refused.contains("can't operate on a closed transaction"),
            "{refused}"
        );
    }
    assert_eq!(told.take(), [""; 0]);
    insert(&mut connection).await;
}

#[tokio::test]
async fn a_disconnect_in_a_transaction_is_pending_until_it_is_rolled_back() {
    let (engine, told) = start().await;
    let mut connection = engine.connect().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    query(LOSES).execute(&mut *transaction).await.unwrap_err();
    assert!(transaction.is_open() && !transaction.is_valid());
    told.take();
    let pending = [
        query("SELECT 1")
            .execute(&mut *transaction)
            .await
            .map(drop)
            .unwrap_err(),
        query("SELECT 1")
            .fetch_all(&mut *transaction)
            .await
            .map(drop)
            .unwrap_err(),
        streamed(&mut transaction).await.unwrap_err(),
        Connection::commit(&mut transaction).await.unwrap_err(),
    ];
    for pending in pending {
        assert!(pending.to_string().ends_with(PENDING), "{pending}");
    }
    assert!(!told.take().iter().any(|told| told.starts_with("before")));
    transaction.rollback().await.unwrap();
    assert!(connection.invalidated());
    query("SELECT 1").execute(&mut *connection).await.unwrap();
    assert!(!connection.invalidated());
    assert_eq!(told.sent(), ["SELECT 1"]);
}

#[tokio::test]
async fn a_savepoint_is_named_when_its_connection_was_lost() {
    let (engine, _told) = start().await;
    let mut connection = engine.connect().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let mut savepoint = transaction.begin().await.unwrap();
    savepoint.invalidate();
    let pending = query("SELECT 1")
        .execute(&mut *savepoint)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        pending.contains("invalid savepoint transaction"),
        "{pending}"
    );
    savepoint.rollback().await.unwrap();
    let pending = query("SELECT 1")
        .execute(&mut *transaction)
        .await
        .unwrap_err()
        .to_string();
    assert!(pending.ends_with(PENDING), "{pending}");
    transaction.rollback().await.unwrap();
    query("SELECT 1").execute(&mut *connection).await.unwrap();
}

#[tokio::test]
async fn what_happens_is_told_before_it_is_done_in_this_order() {
    let (engine, told) = start().await;
    let mut connection = engine.connect().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    transaction.begin().await.unwrap().rollback().await.unwrap();
    transaction.begin().await.unwrap().commit().await.unwrap();
    transaction.commit().await.unwrap();
    connection.begin().await.unwrap().rollback().await.unwrap();
    drop(connection.begin().await.unwrap());
    engine.dispose();
    engine.abandon();
    let told = told.take();
    assert_eq!(
        told[..4],
        ["engine_connect", "begin", "before BEGIN", "after BEGIN: ok"]
    );
    let is_plain = |told: &&String| !told.starts_with("before ") && !told.starts_with("after ");
    let plain: Vec<_> = told.iter().filter(is_plain).collect();
    let expected = [
        "engine_connect",
        "begin",
        "savepoint _sqlx_savepoint_1",
        "rollback_savepoint _sqlx_savepoint_1",
        "savepoint _sqlx_savepoint_1",
        "release_savepoint _sqlx_savepoint_1",
        "commit",
        "begin",
        "rollback",
        "begin",
        "rollback",
        "engine_disposed",
        "engine_disposed",
    ];
    assert_eq!(plain, expected);
}

/// Whichever way its answer is read.
#[tokio::test]
async fn each_statement_is_told_of_before_and_after_with_its_error() {
    let (engine, told) = start().await;
    let mut connection = engine.connect().await.unwrap();
    for (sql, answer) in [("SELECT 1", "ok"), ("SELECT * FROM nowhere", "error")] {
        let sent = || raw_sql(AssertSqlSafe(sql));
        let one = [format!("before {sql}"), format!("after {sql}: {answer}")];
        let is_told_of = |way: &str| {
            let told = told.take().into_iter();
            let told: Vec<_> = told.filter(|told| told != "engine_connect").collect();
            assert_eq!(told, one, "{way}");
        };
        told.take();
        let _answer = sent().execute(&mut *connection).await;
        is_told_of("execute");
        let _answer = sent().fetch_all(&mut *connection).await;
        is_told_of("fetch_all");
        let _answer = sent().fetch_optional(&mut *connection).await;
        is_told_of("fetch_optional");
        let _pieces: Vec<_> = sent().fetch_many(&mut *connection).collect().await;
        is_told_of("fetch_many");
    }
    drop(connection);
    query("SELECT 2").execute(&engine).await.unwrap();
    assert_eq!(told.sent(), ["SELECT 2"]);
}

/// The program does not know what became of the transaction, so the connection is given up.
#[tokio::test]
async fn a_listener_that_panics_costs_the_connection_whatever_it_was_told_of() {
    for of in ["begin", "savepoint", "commit", "after"] {
        let (engine, _told) = start().await;
        let panics = || resume_unwind(Box::new("the listener's own"));
        match of {
            "begin" => drop(engine.events().begin(panics)),
            "savepoint" => drop(engine.events().savepoint(move |_| panics())),
            "commit" => drop(engine.events().commit(panics)),
            _ => drop(engine.events().after_cursor_execute(move |_, _| panics())),
        }
        let mut connection = engine.connect().await.unwrap();
        let work = AssertUnwindSafe(async {
            let mut transaction = connection.begin().await?;
            transaction.begin().await?.commit().await?;
            transaction.commit().await
        });
        assert!(work.catch_unwind().await.is_err(), "{of}");
        assert!(connection.invalidated(), "{of}");
    }
}

#[tokio::test]
async fn a_rollback_of_what_was_lost_is_not_told() {
    let (engine, told) = start().await;
    let mut connection = engine.connect().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    transaction.invalidate();
    told.take();
    transaction.rollback().await.unwrap();
    assert_eq!(told.take(), [""; 0]);
}

#[tokio::test]
async fn a_session_is_told_of_as_any_connection_and_once() {
    let (engine, told) = start().await;
    let connects = || {
        let told = told.take().into_iter();
        told.filter(|told| told == "engine_connect").count()
    };
    let mut session = Session::begin(&engine).await.unwrap();
    assert_eq!(connects(), 0);
    for _ in 0..2 {
        query("SELECT 1").execute(&mut session).await.unwrap();
        session.commit().await.unwrap();
    }
    assert_eq!(connects(), 1);
    let mut connection = engine.connect().await.unwrap();
    connection.invalidate();
    query("SELECT 1").execute(&mut *connection).await.unwrap();
    assert_eq!(connects(), 1);
}

#[tokio::test]
async fn with_a_null_pool_a_disconnect_is_the_same() {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    let options = EngineOptions::builder().poolclass(PoolClass::NullPool);
    let engine = create_engine::<Postgres>(server.url(), options.build().unwrap()).unwrap();
    let mut connection = engine.connect().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let suicide = "SELECT pg_terminate_backend(pg_backend_pid())";
    query(suicide).execute(&mut *transaction).await.unwrap_err();
    let pending = query("SELECT 1")
        .execute(&mut *transaction)
        .await
        .unwrap_err();
    assert!(matches!(pending, Error::Io(_)) && pending.to_string().ends_with(PENDING));
    transaction.rollback().await.unwrap();
    query("SELECT 1").execute(&mut *connection).await.unwrap();
}
