//! What PostgreSQL has beyond the others.

use diesel::{
    connection::SimpleConnection, deserialize::FromSqlRow, expression::AsExpression, pg::Pg,
    prelude::*, sql_query,
};
use everpool_diesel::r2d2::{Pool, PooledConnection, TestCustomizer};

use crate::support::{Postgres, pool, start, untested};

diesel::table! {
    users (id) {
        id -> Integer,
        name -> Text,
    }
}

const USERS: &str = "CREATE TABLE users (id SERIAL PRIMARY KEY, name TEXT NOT NULL)";

fn count(connection: &mut PooledConnection<Postgres>) -> QueryResult<i64> {
    users::table.count().get_result(connection)
}

#[test]
fn what_is_done_in_a_test_transaction_is_seen_in_it_alone() {
    let server = start();
    server.psql(USERS).unwrap();
    let testing = || {
        let builder = Pool::builder().max_size(1);
        pool(
            &server,
            builder.connection_customizer(Box::new(TestCustomizer)),
        )
    };
    let [one, other] = [testing(), testing()];
    diesel::insert_into(users::table)
        .values(users::name.eq("sandy"))
        .execute(&mut one.get().unwrap())
        .unwrap();
    assert_eq!(count(&mut one.get().unwrap()), Ok(1));
    assert_eq!(count(&mut other.get().unwrap()), Ok(0));
}

#[derive(Debug, Insertable)]
#[diesel(table_name = users, treat_none_as_default_value = false)]
struct User {
    id: i32,
    name: &'static str,
}

#[test]
fn rows_are_copied_in() {
    let server = start();
    let pool = pool(&server, untested().max_size(1));
    let mut connection = pool.get().unwrap();
    connection.batch_execute(USERS).unwrap();
    let names = ["sandy", "patrick"];
    let rows: Vec<_> = (1..)
        .zip(names)
        .map(|(id, name)| User { id, name })
        .collect();
    let copied = diesel::copy_from(users::table)
        .from_insertable(rows)
        .execute(&mut connection);
    assert_eq!(copied, Ok(2));
    assert_eq!(count(&mut connection), Ok(2));
}

mod sql {
    #[derive(diesel::sql_types::SqlType, diesel::query_builder::QueryId)]
    #[diesel(postgres_type(name = "mood"))]
    pub(crate) struct Mood;
}

#[derive(Debug, PartialEq, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql::Mood)]
struct Happy;

impl diesel::deserialize::FromSql<sql::Mood, Pg> for Happy {
    fn from_sql(bytes: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
        match bytes.as_bytes() {
            b"happy" => Ok(Self),
            other => Err(format!("{other:?} is no mood").into()),
        }
    }
}

/// A type of the database's own is looked up on the connection; `diesel::r2d2` cannot do that for
/// code that is generic over connections.
#[test]
fn types_of_the_database_s_own_are_looked_up() {
    fn mood<C>(connection: &mut C) -> QueryResult<Happy>
    where
        C: diesel::connection::LoadConnection<Backend = Pg> + diesel::pg::GetPgMetadataCache,
    {
        diesel::select(diesel::dsl::sql::<sql::Mood>("'happy'::mood")).get_result(connection)
    }
    let server = start();
    let pool = pool(&server, untested().max_size(1));
    let mut connection = pool.get().unwrap();
    sql_query("CREATE TYPE mood AS ENUM ('happy')")
        .execute(&mut connection)
        .unwrap();
    assert_eq!(mood(&mut connection), Ok(Happy));
}
