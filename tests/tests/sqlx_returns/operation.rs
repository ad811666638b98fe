//! What can be given up.

use std::time::Duration;

use everpool_sqlx::{Engine, Session};
use futures_util::StreamExt;
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

use crate::{
    cut::cut,
    database::{Database, insert, send},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Connect,
    Acquire,
    Begin,
    BeginNested,
    EngineBegin,
    NewStatement,
    CachedStatement,
    SimpleStatement,
    SeveralStatements,
    EngineStatement,
    FetchAll,
    FetchOptional,
    Stream,
    Prepare,
    Commit,
    CommitNested,
    Rollback,
    RollbackNested,
    Ping,
    Release,
    SessionStatement,
    SessionSecondStatement,
    SessionCommit,
    SessionRollback,
}

impl Operation {
    pub(crate) const ALL: [Self; 24] = [
        Self::Connect,
        Self::Acquire,
        Self::Begin,
        Self::BeginNested,
        Self::EngineBegin,
        Self::NewStatement,
        Self::CachedStatement,
        Self::SimpleStatement,
        Self::SeveralStatements,
        Self::EngineStatement,
        Self::FetchAll,
        Self::FetchOptional,
        Self::Stream,
        Self::Prepare,
        Self::Commit,
        Self::CommitNested,
        Self::Rollback,
        Self::RollbackNested,
        Self::Ping,
        Self::Release,
        Self::SessionStatement,
        Self::SessionSecondStatement,
        Self::SessionCommit,
        Self::SessionRollback,
    ];

    /// How many rows it has committed, if it came to its end; if it did not, none or so many. `None` if it
    /// inserts nothing.
    pub(crate) fn commits(self) -> Option<i64> {
        match self {
            Self::Commit | Self::SessionCommit | Self::EngineStatement => Some(1),
            Self::Connect
            | Self::Acquire
            | Self::Begin
            | Self::EngineBegin
            | Self::NewStatement
            | Self::CachedStatement
            | Self::SimpleStatement
            | Self::FetchAll
            | Self::FetchOptional
            | Self::Stream
            | Self::Prepare
            | Self::Ping => None,
            _ => Some(0),
        }
    }
}

/// An operation on a database, which inserts this row at most, and is given up after so many waits.
pub(crate) struct Attempt<'a, D: Database> {
    pub(crate) database: &'a D,
    pub(crate) engine: &'a Engine<D::Sqlx>,
    pub(crate) row: usize,
    pub(crate) waits: usize,
}

impl<D: Database> Attempt<'_, D> {
    /// The operation, byte by byte if there is a network. Whether it came to its end.
    async fn slowly<F: Future<Output: Send>>(&self, operation: F) -> bool {
        let pace = |pause| {
            if let Some(proxy) = self.database.proxy() {
                proxy.trickle(pause);
            }
        };
        pace(Duration::from_millis(1));
        let output = cut(self.waits, operation).await;
        pace(Duration::ZERO);
        output.is_some()
    }

    pub(crate) async fn make(&self, operation: Operation) -> bool {
        match operation {
            Operation::Connect => {
                self.engine.dispose();
                self.slowly(self.engine.connect()).await
            }
            Operation::Acquire => self.slowly(self.engine.connect()).await,
            Operation::EngineBegin => self.slowly(self.engine.begin()).await,
            Operation::EngineStatement => {
                self.slowly(send::<D, _>(self.engine, &insert(self.row)))
                    .await
            }
            Operation::SessionStatement
            | Operation::SessionSecondStatement
            | Operation::SessionCommit
            | Operation::SessionRollback => self.in_session(operation).await,
            Operation::BeginNested
            | Operation::Commit
            | Operation::CommitNested
            | Operation::Rollback
            | Operation::RollbackNested
            | Operation::Release => self.in_transaction(operation).await,
            _ => self.on_connection(operation).await,
        }
    }

    async fn on_connection(&self, operation: Operation) -> bool {
        let mut connection = self.engine.connect().await.unwrap();
        let echo = D::echo(self.row as i64);
        let query = || sqlx::query(AssertSqlSafe(echo.as_str()));
        let connection = &mut *connection;
        match operation {
            Operation::Begin => self.slowly(connection.begin()).await,
            Operation::NewStatement => self.slowly(connection.execute(query())).await,
            Operation::CachedStatement => {
                connection.execute(query()).await.unwrap();
                self.slowly(connection.execute(query())).await
            }
            Operation::SimpleStatement => self.slowly(send::<D, _>(connection, &echo)).await,
            Operation::SeveralStatements => {
                let several = format!("BEGIN; {}; {echo}", insert(self.row));
                self.slowly(send::<D, _>(connection, &several)).await
            }
            Operation::FetchAll => self.slowly(connection.fetch_all(query())).await,
            Operation::FetchOptional => self.slowly(connection.fetch_optional(query())).await,
            Operation::Stream => {
                let three = format!("{echo} UNION ALL {echo} UNION ALL {echo}");
                let rows = connection.fetch(sqlx::raw_sql(AssertSqlSafe(three.as_str())));
                self.slowly(rows.for_each(async |row| drop(row.unwrap())))
                    .await
            }
            Operation::Prepare => {
                let sql = AssertSqlSafe(echo.as_str()).into_sql_str();
                self.slowly(connection.prepare(sql)).await
            }
            Operation::Ping => self.slowly(connection.ping()).await,
            other => unreachable!("{other:?} is made elsewhere"),
        }
    }

    async fn in_transaction(&self, operation: Operation) -> bool {
        let mut connection = self.engine.connect().await.unwrap();
        let mut transaction = connection.begin().await.unwrap();
        send::<D, _>(&mut *transaction, &insert(self.row))
            .await
            .unwrap();
        match operation {
            Operation::BeginNested => self.slowly(transaction.begin()).await,
            Operation::Commit => self.slowly(transaction.commit()).await,
            Operation::Rollback => self.slowly(transaction.rollback()).await,
            Operation::CommitNested => {
                let savepoint = transaction.begin().await.unwrap();
                self.slowly(savepoint.commit()).await
            }
            Operation::RollbackNested => {
                let savepoint = transaction.begin().await.unwrap();
                self.slowly(savepoint.rollback()).await
            }
            Operation::Release => {
                std::mem::forget(transaction);
                self.slowly(connection.release()).await
            }
            other => unreachable!("{other:?} is made elsewhere"),
        }
    }

    async fn in_session(&self, operation: Operation) -> bool {
        let mut session = Session::begin(self.engine).await.unwrap();
        let insert = insert(self.row);
        if operation == Operation::SessionStatement {
            return self.slowly(send::<D, _>(&mut session, &insert)).await;
        }
        send::<D, _>(&mut session, &insert).await.unwrap();
        let echo = D::echo(self.row as i64);
        match operation {
            Operation::SessionCommit => self.slowly(session.commit()).await,
            Operation::SessionRollback => self.slowly(session.rollback()).await,
            _ => self.slowly(send::<D, _>(&mut session, &echo)).await,
        }
    }
}
