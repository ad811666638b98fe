use std::{
    fmt,
    ops::{Deref, DerefMut},
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use everpool_engine::Backend;
use futures_core::{Stream, stream::BoxStream};
use sqlx::{Connection, Either, Error, Execute};
use sqlx_core::transaction::TransactionManager;

use crate::{
    driver::{Driver, Piece},
    flags::{Flags, Progress},
    version::{Begin, Described, Prepared, Sql},
};

/// A driver's connection as the pool has it, with what is known of it without asking: what
/// [`Engine::raw_connection`](crate::Engine::raw_connection) lends, and what the hooks of the pool's events
/// are given.
///
/// A mutable reference to it executes queries. It derefs to the driver's connection; whoever takes that
/// mutably is trusted with nothing: the connection is checked when it returns to the pool.
#[cfg_attr(
    feature = "_sqlite",
    doc = r#"
```
use everpool_sqlx::{EngineOptions, Sqlite, create_engine, query, query_scalar};

# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default())?;
engine.pool().events().connect_async(|wire, _record| {
    Box::pin(async move {
        query("PRAGMA cache_size = 4000").execute(wire).await?;
        Ok(())
    })
});
let size: i64 = query_scalar("PRAGMA cache_size").fetch_one(&engine).await?;
assert_eq!(size, 4000);
# Ok(())
# }
```
"#
)]
pub struct Wire<DB: Driver> {
    connection: DB::Connection,
    flags: Flags,
    keeps_statements: bool,
    /// What the server was last asked to repeat.
    echo: i32,
    /// What is to be sent before somebody else gets this.
    owed: Vec<String>,
    opened: Instant,
    /// Since when it has rested in the pool, if anybody wants to know and it was in use before.
    rests_since: Option<Instant>,
}

impl<DB: Driver> Wire<DB> {
    pub(crate) fn new(
        connection: DB::Connection,
        backend: Backend,
        keeps_statements: bool,
    ) -> Self {
        Self {
            connection,
            flags: Flags::new(backend),
            keeps_statements,
            echo: 0,
            owed: Vec::new(),
            opened: Instant::now(),
            rests_since: None,
        }
    }

    /// How long ago it was opened.
    pub(crate) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// How long it has rested in the pool, if it was in use before.
    pub(crate) fn rested_for(&self) -> Option<Duration> {
        self.rests_since.map(|since| since.elapsed())
    }

    /// It goes to rest.
    pub(crate) fn rests(&mut self) {
        self.rests_since = Some(Instant::now());
    }

    pub(crate) fn into_inner(self) -> DB::Connection {
        self.connection
    }

    /// Whether prepared statements stay on it, which is what they have names for.
    pub(crate) fn keeps_statements(&self) -> bool {
        self.keeps_statements
    }

    pub(crate) fn flags(&self) -> &Flags {
        &self.flags
    }

    pub(crate) fn flags_mut(&mut self) -> &mut Flags {
        &mut self.flags
    }

    /// The driver's connection, for what this crate does with it.
    pub(crate) fn own(&mut self) -> &mut DB::Connection {
        &mut self.connection
    }

    /// How many levels of transaction the driver counts.
    pub(crate) fn depth(&self) -> usize {
        DB::TransactionManager::get_transaction_depth(&self.connection)
    }

    /// Whether an operation was given up in the middle.
    pub(crate) fn is_cut(&self) -> bool {
        self.flags.progress() == Progress::Sent
    }

    /// Whether the driver has kept something to be sent with the next statement.
    pub(crate) fn should_flush(&self) -> bool {
        self.connection.should_flush()
    }

    pub(crate) async fn execute<'q, E>(&mut self, sql: &str, query: E) -> Answer<DB::QueryResult>
    where
        E: Execute<'q, DB> + 'q,
    {
        self.flags.sends(sql);
        let answer = DB::execute(&mut self.connection, query).await;
        self.answered(answer)
    }

    pub(crate) async fn fetch_all<'q, E>(&mut self, sql: &str, query: E) -> Answer<Vec<DB::Row>>
    where
        E: Execute<'q, DB> + 'q,
    {
        self.flags.sends(sql);
        let answer = DB::fetch_all(&mut self.connection, query).await;
        self.answered(answer)
    }

    pub(crate) async fn fetch_optional<'q, E>(
        &mut self,
        sql: &str,
        query: E,
    ) -> Answer<Option<DB::Row>>
    where
        E: Execute<'q, DB> + 'q,
    {
        self.flags.sends(sql);
        let answer = DB::fetch_optional(&mut self.connection, query).await;
        self.answered(answer)
    }

    pub(crate) fn fetch_many<'e, 'q: 'e, E>(&'e mut self, sql: &str, query: E) -> Rows<'e, DB>
    where
        E: Execute<'q, DB> + 'q,
    {
        self.flags.sends(sql);
        Rows {
            depth: self.depth(),
            rows: DB::fetch_many(&mut self.connection, query),
            flags: &mut self.flags,
        }
    }

    pub(crate) async fn prepare_with<'q>(
        &mut self,
        sql: Sql<'q>,
        parameters: &[DB::TypeInfo],
    ) -> Answer<Prepared<'q, DB>> {
        self.flags.asks();
        let answer = DB::prepare_with(&mut self.connection, sql, parameters).await;
        self.answered(answer)
    }

    pub(crate) async fn describe(&mut self, sql: Sql<'_>) -> Answer<Described<DB>> {
        self.flags.asks();
        let answer = DB::describe(&mut self.connection, sql).await;
        self.answered(answer)
    }

    pub(crate) async fn clear_cached_statements(&mut self) -> Answer<()>
    where
        DB: sqlx::database::HasStatementCache,
    {
        self.flags.asks();
        let answer = self.connection.clear_cached_statements().await;
        self.answered(answer)
    }

    pub(crate) async fn ping(&mut self) -> Answer<()> {
        self.flags.asks();
        let answer = self.connection.ping().await;
        self.answered(answer)
    }

    /// Begins a transaction or sets a savepoint.
    pub(crate) async fn begin(&mut self, statement: Option<Begin>) -> Answer<()> {
        self.flags.sends(BEGIN);
        let answer = DB::TransactionManager::begin(&mut self.connection, statement).await;
        self.answered(answer)
    }

    /// Commits the innermost level.
    pub(crate) async fn commit(&mut self) -> Answer<()> {
        let depth = self.depth();
        self.flags.sends(end(depth, COMMIT));
        let answer = DB::TransactionManager::commit(&mut self.connection).await;
        self.level_ended(answer)
    }

    /// Rolls the innermost level back.
    pub(crate) async fn rollback(&mut self) -> Answer<()> {
        let depth = self.depth();
        self.flags.sends(end(depth, ROLLBACK));
        let answer = DB::TransactionManager::rollback(&mut self.connection).await;
        self.level_ended(answer)
    }

    /// Has the innermost level rolled back with the next statement. No I/O.
    pub(crate) fn start_rollback(&mut self) {
        DB::TransactionManager::start_rollback(&mut self.connection);
        let depth = self.depth();
        self.flags.is_at(depth);
    }

    /// Sends statements of this crate's own.
    pub(crate) async fn run(&mut self, sql: String) -> Answer<()> {
        self.flags.sends(&sql);
        let answer = DB::run(&mut self.connection, sql).await;
        self.answered(answer)
    }

    /// Asks for values of the server's, as texts.
    pub(crate) async fn texts(&mut self, sql: &'static str) -> Answer<Vec<Vec<String>>> {
        self.flags.sends(sql);
        let answer = DB::texts(&mut self.connection, sql).await;
        self.answered(answer)
    }

    /// Leaves statements to be sent when the connection returns, before anybody else gets it.
    pub(crate) fn owes(&mut self, statements: Vec<String>) {
        self.owed = statements;
    }

    pub(crate) fn owes_anything(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Sends what was left to be sent.
    pub(crate) async fn pay(&mut self) -> Answer<()> {
        for statement in std::mem::take(&mut self.owed) {
            self.run(statement).await?;
        }
        Ok(())
    }

    /// Whether the server answers what it is asked, and nothing that it was asked before.
    pub(crate) async fn is_in_step(&mut self) -> Answer<bool> {
        self.echo = self.echo.wrapping_add(1) & 0xffff;
        let asked = self.echo;
        self.flags.asks();
        let answer = DB::number(&mut self.connection, format!("SELECT {asked}")).await;
        self.answered(answer)
            .map(|answer| answer == i64::from(asked))
    }

    fn level_ended(&mut self, answer: Answer<()>) -> Answer<()> {
        let answer = self.answered(answer);
        let depth = self.depth();
        self.flags.is_at(depth);
        answer
    }

    fn answered<T>(&mut self, answer: Answer<T>) -> Answer<T> {
        match &answer {
            Ok(_) => self.flags.succeeded(),
            Err(error) => {
                let depth = DB::TransactionManager::get_transaction_depth(&self.connection);
                self.flags.failed(error, depth);
            }
        }
        answer
    }
}

const BEGIN: &str = "BEGIN";
/// What the driver sends is a plain COMMIT. It ends the transaction for sure, because each connection
/// is told at its beginning that it shall not chain.
const COMMIT: &str = "COMMIT AND NO CHAIN";
const ROLLBACK: &str = "ROLLBACK AND NO CHAIN";
const SAVEPOINT: &str = "RELEASE SAVEPOINT it";

/// What the end of a level does, for who reads along.
fn end(depth: usize, outermost: &'static str) -> &'static str {
    if depth > 1 { SAVEPOINT } else { outermost }
}

pub(crate) type Answer<T> = Result<T, Error>;

/// The rows of a statement.
pub(crate) struct Rows<'e, DB: Driver> {
    rows: BoxStream<'e, Result<Piece<DB>, Error>>,
    flags: &'e mut Flags,
    depth: usize,
}

impl<DB: Driver> Stream for Rows<'_, DB> {
    type Item = Answer<Piece<DB>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.flags.asks();
        let piece = ready!(self.rows.as_mut().poll_next(context));
        let depth = self.depth;
        match &piece {
            None => self.flags.succeeded(),
            Some(Ok(Either::Left(_) | Either::Right(_))) => self.flags.row(),
            Some(Err(error)) => self.flags.failed(error, depth),
        }
        Poll::Ready(piece)
    }
}

impl<DB: Driver> Deref for Wire<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        &self.connection
    }
}

impl<DB: Driver> DerefMut for Wire<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        self.flags.lent_out();
        &mut self.connection
    }
}

impl<DB: Driver> fmt::Debug for Wire<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("flags", &self.flags)
            .finish_non_exhaustive()
    }
}
