use diesel::{Connection as _, SqliteConnection};
use tempfile::TempDir;

use crate::{adapter::Statements, database::Database};

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
    type Diesel = everpool_diesel::Engine<SqliteConnection>;
    type Sqlx = everpool_sqlx::Engine<sqlx::Sqlite>;

    const NAME: &str = "SQLite";

    const IS_REUSED: bool = false;

    fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let database = Self { directory };
        database.open().execute("CREATE TABLE t (i int)").unwrap();
        database
    }

    fn clear(&self) {
        let clear = "PRAGMA busy_timeout = 20000; DELETE FROM t";
        self.open().execute(clear).unwrap();
    }

    fn url(&self) -> String {
        format!("sqlite:///{}", self.path())
    }

    fn committed_rows(&self) -> i64 {
        self.open().rows().unwrap()
    }
}
