//! The same Diesel code, over a bare connection and over ours, has the same results and errors.
#![expect(missing_docs, reason = "`table!` makes public items")]

use diesel::{
    connection::{AnsiTransactionManager, LoadConnection, TransactionManager},
    migration::MigrationConnection,
    prelude::*,
    query_dsl::UpdateAndFetchResults,
    result::Error,
    sql_query,
    sql_types::Integer,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use everpool_diesel::{EngineOptions, Session, create_engine};
use everpool_tests::{MariaDb, PostgreSql};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("tests/migrations");

diesel::table! {
    notes (id) {
        id -> Integer,
        body -> Text,
    }
}

#[derive(Debug, Clone, Queryable, Identifiable, AsChangeset)]
struct Note {
    id: i32,
    body: String,
}

/// What a program sees: every result and every error, in order.
type Seen = Vec<String>;

/// A program that uses most of what a connection can do, right and wrong. Written once; the macro is
/// for the three backends, because Diesel's query code is only generic over connections of one.
macro_rules! story {
    ($name:ident, $Backend:ty) => {
        fn $name<C>(c: &mut C) -> Seen
        where
            C: LoadConnection<Backend = $Backend, TransactionManager = AnsiTransactionManager>
                + MigrationConnection
                + for<'a> UpdateAndFetchResults<&'a Note, Note>
                + MigrationHarness<$Backend>,
        {
            let mut seen = Seen::new();
            macro_rules! see {
                ($what:expr) => {{
                    let result = $what;
                    seen.push(format!("{}: {result:?}", stringify!($what)));
                }};
            }
            macro_rules! depth {
                () => {
                    AnsiTransactionManager::transaction_manager_status_mut(c)
                        .transaction_depth()
                        .map(|depth| depth.map_or(0, std::num::NonZeroU32::get))
                };
            }
            let note = |id: i32, body: &str| (notes::id.eq(id), notes::body.eq(body.to_owned()));
            let all = || notes::table.order(notes::id);

            see!(
                c.run_pending_migrations(MIGRATIONS)
                    .map_err(|error| error.to_string())
            );
            see!(
                c.run_pending_migrations(MIGRATIONS)
                    .map_err(|error| error.to_string())
            );
            see!(
                diesel::insert_into(notes::table)
                    .values([note(1, "a"), note(2, "b")])
                    .execute(c)
            );
            see!(all().load::<Note>(c));
            see!(
                all()
                    .load_iter::<Note, _>(c)
                    .map(|rows| rows.collect::<Vec<_>>())
            );
            see!(notes::table.find(9).first::<Note>(c));
            see!(notes::table.find(9).first::<Note>(c).optional());
            see!(notes::table.count().get_result::<i64>(c));
            see!(diesel::select(1.into_sql::<Integer>()).get_result::<i32>(c));
            see!(
                Note {
                    id: 1,
                    body: "saved".into()
                }
                .save_changes::<Note>(c)
            );
            see!(
                Note {
                    id: 9,
                    body: "absent".into()
                }
                .save_changes::<Note>(c)
            );

            // Errors of statements.
            see!(
                diesel::insert_into(notes::table)
                    .values(note(1, "again"))
                    .execute(c)
            );
            see!(sql_query("SELEC 1").execute(c));
            see!(c.batch_execute("SELECT * FROM nowhere"));
            see!(c.batch_execute("SELECT '\0'"));

            // Transactions.
            see!(depth!());
            see!(c.transaction(|c| {
                diesel::update(notes::table.find(1))
                    .set(notes::body.eq("kept"))
                    .execute(c)
            }));
            see!(c.transaction(|c| {
                diesel::delete(notes::table).execute(c)?;
                Err::<(), _>(Error::RollbackTransaction)
            }));
            see!(c.transaction(|c| {
                diesel::insert_into(notes::table)
                    .values(note(3, "outer"))
                    .execute(c)?;
                let inner = c.transaction(|c| {
                    diesel::insert_into(notes::table)
                        .values(note(4, "inner"))
                        .execute(c)?;
                    diesel::insert_into(notes::table)
                        .values(note(1, "twice"))
                        .execute(c)
                });
                QueryResult::Ok(format!("{inner:?}"))
            }));
            see!(c.transaction(|c| {
                // On PostgreSQL, nothing but the end can follow an error that is swallowed.
                let swallowed = diesel::insert_into(notes::table)
                    .values(note(1, "twice"))
                    .execute(c)
                    .is_err();
                let next = notes::table.count().get_result::<i64>(c);
                QueryResult::Ok((swallowed, format!("{next:?}")))
            }));
            see!(depth!());
            see!(all().load::<Note>(c));

            // The transaction manager, used by hand, right and wrong.
            see!(AnsiTransactionManager::commit_transaction(c));
            see!(AnsiTransactionManager::rollback_transaction(c));
            see!(AnsiTransactionManager::begin_transaction(c));
            see!(AnsiTransactionManager::begin_transaction(c));
            see!(depth!());
            see!(AnsiTransactionManager::begin_transaction_sql(c, "BEGIN"));
            see!(AnsiTransactionManager::rollback_transaction(c));
            see!(AnsiTransactionManager::commit_transaction(c));
            see!(depth!());
            c.test_transaction(|c| diesel::delete(notes::table).execute(c));
            see!(all().load::<Note>(c));

            // A commit that the transaction manager cannot carry out: it is no longer open.
            see!(c.transaction(|c| c.batch_execute("ROLLBACK")));
            see!(depth!());
            see!(
                c.revert_all_migrations(MIGRATIONS)
                    .map_err(|error| error.to_string())
            );
            see!(all().load::<Note>(c).is_err());
            seen
        }
    };
}

story!(sqlite_story, diesel::sqlite::Sqlite);
story!(postgres_story, diesel::pg::Pg);
story!(mysql_story, diesel::mysql::Mysql);

fn assert_same(bare: &Seen, ours: &Seen) {
    assert!(
        bare.len() > 30,
        "the story was not told to its end: {bare:#?}"
    );
    for (bare, ours) in bare.iter().zip(ours) {
        assert_eq!(bare, ours);
    }
    assert_eq!(bare.len(), ours.len());
}

#[test]
fn diesel_code_on_sqlite_sees_what_it_sees_on_a_bare_connection() {
    let bare = sqlite_story(&mut SqliteConnection::establish(":memory:").unwrap());

    let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default()).unwrap();
    let ours = sqlite_story(&mut engine.connect().unwrap());

    assert_same(&bare, &ours);
}

#[test]
fn diesel_code_on_postgresql_sees_what_it_sees_on_a_bare_connection() {
    let server = PostgreSql::start().unwrap();
    let bare = postgres_story(&mut PgConnection::establish(&server.url()).unwrap());
    server
        .psql("DROP TABLE __diesel_schema_migrations")
        .unwrap();

    let engine = create_engine::<PgConnection>(server.url(), EngineOptions::default()).unwrap();
    let ours = postgres_story(&mut engine.connect().unwrap());

    assert_same(&bare, &ours);
}

#[test]
fn diesel_code_on_mariadb_sees_what_it_sees_on_a_bare_connection() {
    let server = MariaDb::start().unwrap();
    let bare = mysql_story(&mut MysqlConnection::establish(&server.url()).unwrap());
    server.sql("DROP TABLE __diesel_schema_migrations").unwrap();

    let engine = create_engine::<MysqlConnection>(server.url(), EngineOptions::default()).unwrap();
    let ours = mysql_story(&mut engine.connect().unwrap());

    assert_same(&bare, &ours);
}

#[test]
fn migrations_and_queries_run_in_a_session() {
    let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default()).unwrap();

    let mut session = Session::begin(&engine).unwrap();
    session.run_pending_migrations(MIGRATIONS).unwrap();
    diesel::insert_into(notes::table)
        .values((notes::id.eq(1), notes::body.eq("a")))
        .execute(&mut session)
        .unwrap();
    let saved: Note = Note {
        id: 1,
        body: "b".into(),
    }
    .save_changes(&mut session)
    .unwrap();
    assert_eq!(saved.body, "b");
    session.commit().unwrap();

    let mut other = engine.connect().unwrap();
    assert_eq!(notes::table.count().get_result::<i64>(&mut other), Ok(1));
}
