mod levels;
mod rows;
mod stage;

use std::{
    fmt,
    ops::{Deref, DerefMut},
    time::{Duration, Instant},
};

use everpool_engine::Backend;
use futures_util::StreamExt;
use sqlx::{Connection, Error, Execute};
use sqlx_core::transaction::TransactionManager;

use crate::{
    as_sqlx::out_of_step,
    classify,
    driver::Driver,
    flags::Flags,
    version::{Described, Prepared, Sql},
};

pub(crate) use levels::savepoint;
pub(crate) use rows::Rows;

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
    /// So many levels are a test's, in which the program begins its own.
    floor: usize,
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
            floor: 0,
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

    /// How many levels of transaction the program has open when the driver has sent what it still has to send.
    #[inline]
    pub(crate) fn depth(&self) -> usize {
        self.all_levels().saturating_sub(self.floor)
    }

    /// How many there are with those of a test.
    #[inline]
    fn all_levels(&self) -> usize {
        match self.flags.abandoned() {
            Some(abandoned) => abandoned.left,
            None => DB::TransactionManager::get_transaction_depth(&self.connection),
        }
    }

    /// Whether an operation was given up in the middle.
    #[inline]
    pub(crate) fn is_cut(&self) -> bool {
        self.flags.is_cut()
    }

    /// Whether the driver has kept something to be sent with the next statement.
    pub(crate) fn should_flush(&self) -> bool {
        self.connection.should_flush()
    }

    pub(crate) async fn execute<'q, E>(&mut self, sql: &str, query: E) -> Answer<DB::QueryResult>
    where
        E: Execute<'q, DB> + 'q,
    {
        self.flags.passes(sql);
        let answer = DB::execute(&mut self.connection, query).await;
        self.answered(answer)
    }

    pub(crate) async fn fetch_all<'q, E>(&mut self, sql: &str, query: E) -> Answer<Vec<DB::Row>>
    where
        E: Execute<'q, DB> + 'q,
    {
        self.flags.passes(sql);
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
        if self.flags.backend() == Backend::Mysql {
            return self.fetch_first(sql, query).await;
        }
        self.flags.passes(sql);
        let answer = DB::fetch_optional(&mut self.connection, query).await;
        self.answered(answer)
    }

    /// The first row, when all of the answer was read. On MySQL the driver leaves the rest unread: the
    /// table stays locked, and an error in it would be told to the next statement.
    async fn fetch_first<'q, E>(&mut self, sql: &str, query: E) -> Answer<Option<DB::Row>>
    where
        E: Execute<'q, DB> + 'q,
    {
        let mut rows = self.fetch_many(sql, query);
        let mut first = None;
        while let Some(piece) = rows.next().await {
            first = first.or(piece?.right());
        }
        Ok(first)
    }

    pub(crate) fn fetch_many<'e, 'q: 'e, E>(&'e mut self, sql: &str, query: E) -> Rows<'e, DB>
    where
        E: Execute<'q, DB> + 'q,
    {
        self.flags.passes(sql);
        let rows = DB::fetch_many(&mut self.connection, query);
        Rows::new(rows, &mut self.flags)
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

    /// Whether something is to be read, or to be sent, before the next statement.
    #[inline]
    pub(crate) fn is_behind(&self) -> bool {
        self.flags.is_behind()
    }

    /// Reads what is still to be read, and has sent what the driver has kept. The error of a statement
    /// that was given up is nobody's.
    #[cold]
    pub(crate) async fn catch_up(&mut self) -> Answer<()> {
        if self.flags.may_have_ended() {
            self.look_whether_open().await?;
        }
        match self.flags.is_behind() {
            true => self.finish().await,
            false => Ok(()),
        }
    }

    async fn finish(&mut self) -> Answer<()> {
        let abandoned = self.flags.abandoned();
        self.flush_all().await?;
        let Some(abandoned) = abandoned else {
            return Ok(());
        };
        // What was left unread came before it.
        self.flags.did(abandoned);
        // SQLx overhears a rollback on SQLite after an end that was given up.
        while self.all_levels() > abandoned.left {
            self.rollback().await?;
        }
        Ok(())
    }

    async fn flush_all(&mut self) -> Answer<()> {
        self.flags.gives_up();
        for _ in 0..MOST_ERRORS {
            match self.flush().await {
                Err(error) if !classify::fault(&error).is_disconnect() => {
                    tracing::debug!(target: "everpool::sqlx", %error, "Of a statement that was given up");
                }
                answer => return answer,
            }
        }
        Err(out_of_step())
    }

    async fn flush(&mut self) -> Answer<()> {
        self.flags.asks();
        let answer = match self.is_sqlite() {
            true => self.connection.ping().await,
            false => self.connection.flush().await,
        };
        self.answered(answer)
    }

    fn is_sqlite(&self) -> bool {
        self.flags.backend() == Backend::Sqlite
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

    /// Asks for one value of the server's, as a text.
    pub(crate) async fn word(&mut self, sql: String) -> Answer<Option<String>> {
        self.flags.sends(&sql);
        let answer = DB::word(&mut self.connection, sql).await;
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

    /// Whether the server answers what it is asked, and nothing that it was asked before. On SQLite each
    /// statement has an answer of its own.
    pub(crate) async fn is_in_step(&mut self) -> Answer<bool> {
        if self.is_sqlite() {
            return Ok(true);
        }
        self.echo = self.echo.wrapping_add(1) & 0xffff;
        let asked = i64::from(self.echo);
        let question = match self.flags.backend() {
            Backend::Mysql => format!("SELECT {asked} + {CHANGED} * ({HAS_CHANGED})"),
            _ => format!("SELECT {asked}"),
        };
        self.flags.asks();
        let answer = DB::number(&mut self.connection, question).await;
        let answer = self.answered(answer)?;
        self.flags.echoed();
        self.flags.is_trusted(answer == asked);
        Ok(answer == asked || answer == asked + CHANGED)
    }

    fn answered<T>(&mut self, answer: Answer<T>) -> Answer<T> {
        match &answer {
            Ok(_) => self.flags.succeeded(),
            Err(error) => self.flags.failed(error),
        }
        answer
    }
}

/// Added to an answer of MySQL's if its words do not mean any more what they meant at first.
const CHANGED: i64 = 1 << 16;
const HAS_CHANGED: &str = "@@autocommit = 0 OR @@completion_type <> 'NO_CHAIN'";

/// Each of what waits for an answer may have failed: a statement, and the rollbacks after it.
const MOST_ERRORS: usize = 16;

pub(crate) type Answer<T> = Result<T, Error>;

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
