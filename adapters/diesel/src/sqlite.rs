use std::time::Duration;

use diesel::{
    ConnectionError, QueryResult, QueryableByName, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    result::Error,
    sql_query,
    sql_types::{Integer, Text},
};
use everpool_core::{ConnectFault, Fault};
use everpool_engine::{Backend, fault::sqlite, isolation::IsolationLevel, wal};

use crate::{
    driver::{Driver, TransactionStatus, worst},
    status,
};

impl Driver for SqliteConnection {
    const BACKEND: Backend = Backend::Sqlite;

    fn fault(error: &Error) -> Fault {
        worst(error, sqlite::by_message)
    }

    fn connect_fault(error: &ConnectionError) -> ConnectFault {
        sqlite::connect_by_message(&error.to_string())
    }

    fn isolation_level(&mut self) -> QueryResult<String> {
        let asked = sql_query(IsolationLevel::query(Self::BACKEND));
        let answer: Level = asked.get_result(self)?;
        Ok(answer.read_uncommitted.to_string())
    }

    fn set_busy_timeout(&mut self, timeout: Duration) -> QueryResult<()> {
        self.batch_execute(&format!("PRAGMA busy_timeout = {}", timeout.as_millis()))
    }

    fn set_journal_mode_wal(&mut self) -> QueryResult<()> {
        let answer: Journal = sql_query(wal::STATEMENT).get_result(self)?;
        let checked = wal::check(&answer.journal_mode);
        checked.map_err(|error| Error::QueryBuilderError(Box::new(error)))
    }

    fn transaction_status(&mut self) -> TransactionStatus {
        status::probe(self, |connection| {
            let failed = connection.batch_execute("\0");
            debug_assert!(failed.is_err(), "a text with a NUL byte was executed");
        })
    }
}

#[derive(QueryableByName)]
struct Level {
    #[diesel(sql_type = Integer)]
    read_uncommitted: i32,
}

#[derive(QueryableByName)]
struct Journal {
    #[diesel(sql_type = Text)]
    journal_mode: String,
}
