use everpool_sqlx::{
    AssertSqlSafe, Driver, Engine, EngineOptions, EngineOptionsBuilder, Error, Executor,
    PoolConnection, Status, create_engine, raw_sql,
};

/// What an error costs an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    Nothing,
    /// The connection that it came up on.
    Connection,
    /// All connections that were opened before it.
    Pool,
}

pub(crate) fn engine<DB: Driver>(url: &str, options: EngineOptionsBuilder) -> Engine<DB> {
    create_engine(url, options.build().unwrap()).unwrap()
}

pub(crate) fn defaults<DB: Driver>(url: &str) -> Engine<DB> {
    engine(url, EngineOptions::builder())
}

/// Sends one statement or several as they are.
pub(crate) async fn send<DB: Driver>(
    connection: &mut PoolConnection<DB>,
    statements: &str,
) -> Result<(), Error> {
    let statements = raw_sql(AssertSqlSafe(statements));
    connection.execute(statements).await.map(drop)
}

/// The error of statements, and what it cost.
pub(crate) async fn failure<DB: Driver>(
    connection: &mut PoolConnection<DB>,
    statements: &str,
) -> (Error, Cost) {
    let before = connection.engine().status();
    let error = send(connection, statements).await.unwrap_err();
    (error, cost(connection, &before))
}

/// What an error on the connection cost that came up since the pool had this status.
pub(crate) fn cost<DB: Driver>(connection: &mut PoolConnection<DB>, before: &Status) -> Cost {
    let is_recreated = connection.engine().status().generation != before.generation;
    match (connection.invalidated(), is_recreated) {
        (false, false) => Cost::Nothing,
        (true, false) => Cost::Connection,
        (true, true) => Cost::Pool,
        (false, true) => panic!("the others are given up, and this one is not"),
    }
}

/// The code that the database gave with its error.
pub(crate) fn code(error: &Error) -> String {
    let error = error.as_database_error();
    let code = error.and_then(everpool_sqlx::error::DatabaseError::code);
    code.map_or_else(String::new, Into::into)
}
