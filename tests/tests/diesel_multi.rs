//! `#[derive(MultiConnection)]`: one program, whichever database its URL names.
#![expect(missing_docs, reason = "`table!` makes public items")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use connection::AnyConnection;
use diesel::{MysqlConnection, PgConnection, SqliteConnection, prelude::*, result::Error};
use everpool_diesel::{
    Backend, CheckoutError, Engine, EngineError, EngineOptions, Session, Url, create_engine,
};
use everpool_tests::{MariaDb, PostgreSql};
use session::AnySession;

diesel::table! {
    notes (id) {
        id -> Integer,
        body -> Text,
    }
}

#[derive(Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset, Identifiable)]
struct Note {
    id: i32,
    body: String,
}

mod connection {
    use diesel::{MultiConnection, MysqlConnection, PgConnection, SqliteConnection};

    // The derive understands a name, and no type with parameters.
    type Mysql = everpool_diesel::Connection<MysqlConnection>;
    type Postgresql = everpool_diesel::Connection<PgConnection>;
    type Sqlite = everpool_diesel::Connection<SqliteConnection>;

    /// A connection from an engine for one of these databases.
    #[derive(MultiConnection)]
    pub(crate) enum AnyConnection {
        Mysql(Mysql),
        Postgresql(Postgresql),
        Sqlite(Sqlite),
    }
}

mod session {
    use diesel::{MultiConnection, MysqlConnection, PgConnection, SqliteConnection};

    type Mysql = everpool_diesel::Session<MysqlConnection>;
    type Postgresql = everpool_diesel::Session<PgConnection>;
    type Sqlite = everpool_diesel::Session<SqliteConnection>;

    /// A session of an engine for one of these databases.
    #[derive(MultiConnection)]
    pub(crate) enum AnySession {
        Mysql(Mysql),
        Postgresql(Postgresql),
        Sqlite(Sqlite),
    }
}

/// An engine for the database that the URL names.
enum AnyEngine {
    Mysql(Engine<MysqlConnection>),
    Postgresql(Engine<PgConnection>),
    Sqlite(Engine<SqliteConnection>),
}

impl AnyEngine {
    fn create(url: &str) -> Result<Self, EngineError> {
        let options = EngineOptions::default();
        match url.parse::<Url>()?.backend() {
            Backend::Mysql => create_engine(url, options).map(Self::Mysql),
            Backend::Postgresql => create_engine(url, options).map(Self::Postgresql),
            Backend::Sqlite => create_engine(url, options).map(Self::Sqlite),
            other => panic!("this program has no driver for {other:?}"),
        }
    }

    fn connect(&self) -> Result<AnyConnection, CheckoutError> {
        match self {
            Self::Mysql(engine) => engine.connect().map(AnyConnection::Mysql),
            Self::Postgresql(engine) => engine.connect().map(AnyConnection::Postgresql),
            Self::Sqlite(engine) => engine.connect().map(AnyConnection::Sqlite),
        }
    }

    fn begin(&self) -> AnySession {
        match self {
            Self::Mysql(engine) => AnySession::Mysql(Session::begin(engine).unwrap()),
            Self::Postgresql(engine) => AnySession::Postgresql(Session::begin(engine).unwrap()),
            Self::Sqlite(engine) => AnySession::Sqlite(Session::begin(engine).unwrap()),
        }
    }
}

impl AnySession {
    fn commit(&mut self) {
        match self {
            Self::Mysql(session) => session.commit().unwrap(),
            Self::Postgresql(session) => session.commit().unwrap(),
            Self::Sqlite(session) => session.commit().unwrap(),
        }
    }
}

fn note(id: i32, body: &str) -> Note {
    let body = body.to_owned();
    Note { id, body }
}

fn add(connection: &mut AnyConnection, id: i32, body: &str) -> QueryResult<usize> {
    diesel::insert_into(notes::table)
        .values(note(id, body))
        .execute(connection)
}

fn all(connection: &mut AnyConnection) -> Vec<Note> {
    let all = notes::table.order(notes::id).select(Note::as_select());
    all.load(connection).unwrap()
}

fn tell_the_story(engine: &AnyEngine) {
    let mut connection = engine.connect().unwrap();
    diesel::sql_query("CREATE TABLE notes (id int PRIMARY KEY, body varchar(99) NOT NULL)")
        .execute(&mut connection)
        .unwrap();

    connection.transaction(|c| add(c, 1, "a")).unwrap();
    let undone = connection.transaction(|c| {
        add(c, 2, "b")?;
        let inner = c.transaction(|c| add(c, 1, "twice"));
        assert!(matches!(inner, Err(Error::DatabaseError(..))), "{inner:?}");
        Err::<(), _>(Error::RollbackTransaction)
    });
    assert_eq!(undone, Err(Error::RollbackTransaction));
    assert_eq!(all(&mut connection), [note(1, "a")]);

    diesel::update(notes::table.find(1))
        .set(notes::body.eq("changed"))
        .execute(&mut connection)
        .unwrap();
    assert_eq!(all(&mut connection), [note(1, "changed")]);
    drop(connection);

    let mut session = engine.begin();
    diesel::delete(notes::table).execute(&mut session).unwrap();
    drop(session);
    let mut session = engine.begin();
    let insert = diesel::insert_into(notes::table).values(note(3, "c"));
    insert.execute(&mut session).unwrap();
    session.commit();
    let mut connection = engine.connect().unwrap();
    assert_eq!(all(&mut connection), [note(1, "changed"), note(3, "c")]);
}

#[test]
fn one_program_runs_on_whichever_database_its_url_names() {
    let (mariadb, postgresql) = (MariaDb::start().unwrap(), PostgreSql::start().unwrap());
    let urls = [mariadb.url(), postgresql.url(), "sqlite://".to_owned()];
    for url in urls {
        tell_the_story(&AnyEngine::create(&url).unwrap());
    }
}

#[test]
fn a_lost_connection_in_the_enum_is_replaced() {
    let (mariadb, postgresql) = (MariaDb::start().unwrap(), PostgreSql::start().unwrap());
    for url in [mariadb.url(), postgresql.url()] {
        let engine = AnyEngine::create(&url).unwrap();
        let mut connection = engine.connect().unwrap();
        let one = |c: &mut AnyConnection| diesel::sql_query("SELECT 1").execute(c);
        one(&mut connection).unwrap();
        match &connection {
            AnyConnection::Mysql(_) => assert_ne!(mariadb.kill_sessions().unwrap(), 0),
            _ => {
                let end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
                           WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
                assert_eq!(postgresql.psql(end).unwrap().trim(), "t");
            }
        }
        connection.transaction(one).unwrap_err();
        connection.transaction(one).unwrap();
    }
}

#[test]
fn established_by_a_url_the_enum_has_an_engine_of_its_own() {
    let mut connection = AnyConnection::establish("sqlite://").unwrap();
    assert!(matches!(connection, AnyConnection::Sqlite(_)));
    diesel::sql_query("SELECT 1")
        .execute(&mut connection)
        .unwrap();
}
