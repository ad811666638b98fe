use diesel::{
    ConnectionError, MysqlConnection, QueryResult,
    connection::{Connection, SimpleConnection},
    dsl::sql,
    mysql::Mysql,
    prelude::*,
    query_builder::{AstPass, QueryFragment, QueryId},
    result::Error,
    sql_query,
    sql_types::{BigInt, Integer, Text},
};
use everpool_core::{ConnectFault, Fault, ResetOnReturn};
use everpool_engine::{
    Backend,
    fault::mysql,
    isolation::IsolationLevel,
    reader::Reader,
    twophase::{self, Xid},
};

use crate::{
    driver::{Driver, TransactionStatus, ending, worst},
    error::bad_option,
    seen::Seen,
    tap::Tap,
};

impl Driver for MysqlConnection {
    const BACKEND: Backend = Backend::Mysql;

    fn fault(error: &Error) -> Fault {
        worst(error, mysql::by_message)
    }

    fn connect_fault(error: &ConnectionError) -> ConnectFault {
        mysql::connect_by_message(&error.to_string())
    }

    /// The client library has it, but Diesel shows nothing of it.
    fn transaction_status(&mut self) -> TransactionStatus {
        match Tap::seen(self).and_then(|seen| seen.reader.as_ref()) {
            Some(reader) if reader.is_undone() => TransactionStatus::Failed,
            Some(reader) if !reader.may_be_open() => TransactionStatus::Idle,
            _ => TransactionStatus::MaybeOpen,
        }
    }

    fn isolation_level(&mut self) -> QueryResult<String> {
        let answer: Level = sql_query(IsolationLevel::query(Self::BACKEND)).get_result(self)?;
        Ok(answer.value)
    }

    fn prepared_transactions(&mut self) -> QueryResult<Vec<Xid>> {
        let query = twophase::recover(Self::BACKEND).map_err(bad_option)?;
        let prepared: Vec<Prepared> = sql_query(query).load(self)?;
        let xid = |prepared: &Prepared| Xid::new(Self::BACKEND, &prepared.data).ok();
        Ok(prepared.iter().filter_map(xid).collect())
    }

    fn reader() -> Option<Reader> {
        Some(Reader::default())
    }

    /// Ends what the server's `init_connect` may have begun, and looks whether statements commit
    /// themselves; if not, the words do not tell what is open.
    fn greet(&mut self) -> QueryResult<()> {
        self.reset(ResetOnReturn::Rollback)?;
        let autocommit = diesel::select(sql::<BigInt>("@@autocommit"));
        if autocommit.get_result::<i64>(self)? != 1 {
            distrust(self);
        }
        Ok(())
    }

    /// As a prepared statement, because `batch_execute` costs three round trips.
    fn ping(&mut self) -> QueryResult<()> {
        let one = diesel::select(1.into_sql::<Integer>());
        self.execute_returning_count(&one).map(drop)
    }

    fn reset(&mut self, how: ResetOnReturn) -> QueryResult<()> {
        let is_prepared = |seen: &mut Seen| !seen.prepares_no_rollback;
        if how != ResetOnReturn::Commit && Tap::seen(self).is_none_or(is_prepared) {
            match self.execute_returning_count(&Rollback) {
                Err(error) if is_not_preparable(&error) => note_no_prepared_rollback(self),
                answer => return answer.map(drop),
            }
        }
        self.batch_execute(Self::wording(ending(how)))
    }

    /// A plain COMMIT or ROLLBACK begins the next transaction where `completion_type` says so.
    fn wording(query: &str) -> &str {
        match query {
            "COMMIT" => "COMMIT AND NO CHAIN NO RELEASE",
            "ROLLBACK" => ROLLBACK,
            _ => query,
        }
    }
}

#[derive(QueryableByName)]
struct Level {
    #[diesel(sql_type = Text, column_name = "Value")]
    value: String,
}

#[derive(QueryableByName)]
struct Prepared {
    #[diesel(sql_type = Text)]
    data: String,
}

fn distrust(connection: &mut MysqlConnection) {
    if let Some(reader) = Tap::seen(connection).and_then(|seen| seen.reader.as_mut()) {
        reader.distrust();
    }
}

fn note_no_prepared_rollback(connection: &mut MysqlConnection) {
    if let Some(seen) = Tap::seen(connection) {
        seen.prepares_no_rollback = true;
    }
}

const ROLLBACK: &str = "ROLLBACK AND NO CHAIN NO RELEASE";

/// ROLLBACK as a prepared statement: one round trip where `batch_execute` costs three. MariaDB takes it
/// from 10.6 on; MySQL prepares COMMIT, and no ROLLBACK.
#[derive(Debug, QueryId)]
struct Rollback;

impl QueryFragment<Mysql> for Rollback {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        out.push_sql(ROLLBACK);
        Ok(())
    }
}

/// Error 1295, which Diesel gives without its number.
fn is_not_preparable(error: &Error) -> bool {
    matches!(error, Error::DatabaseError(_, information)
        if information.message() == "This command is not supported in the prepared statement protocol yet")
}
