use diesel::{
    Connection, IntoSql, QueryResult, RunQueryDsl, SqliteConnection,
    connection::{LoadConnection, SimpleConnection},
    dsl::sql,
    sql_types::{BigInt, Integer},
};
use tempfile::TempDir;

use crate::database::Database;

/// A database in a file.
pub(crate) struct Sqlite {
    directory: TempDir,
}

impl Sqlite {
    fn path(&self) -> String {
        self.directory.path().join("app.db").display().to_string()
    }

    fn open(&self) -> SqliteConnection {
        SqliteConnection::establish(&self.path()).unwrap()
    }
}

impl Database for Sqlite {
    type Driver = SqliteConnection;

    const NAME: &str = "SQLite";

    fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let database = Self { directory };
        database
            .open()
            .batch_execute("CREATE TABLE t (i int)")
            .unwrap();
        database
    }

    fn url(&self) -> String {
        format!("sqlite:///{}", self.path())
    }

    fn number<C>(connection: &mut C, expression: &str) -> QueryResult<i64>
    where
        C: LoadConnection<Backend = diesel::sqlite::Sqlite>,
    {
        diesel::select(sql::<BigInt>(expression)).get_result(connection)
    }

    fn cacheable<C: LoadConnection<Backend = diesel::sqlite::Sqlite>>(
        connection: &mut C,
    ) -> QueryResult<i32> {
        diesel::select(1.into_sql::<Integer>()).get_result(connection)
    }

    fn committed_rows(&self) -> i64 {
        Self::rows(&mut self.open()).unwrap()
    }
}
