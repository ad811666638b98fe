use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use everpool_session::future;
use sqlx::Error;

use crate::{
    connection::Connection,
    driver::Driver,
    lent::PoolConnection,
    version::{Begin, BeginStatement},
};

/// A transaction or a savepoint, rolled back if it is dropped.
///
/// It derefs to the [`Connection`], on which statements run: `.execute(&mut *transaction)`. If the
/// transaction is ended past it, by [`Connection::rollback`] or by a lost connection, statements fail
/// until this is gone, because they would run outside of the transaction that the code shows.
#[cfg_attr(
    feature = "_sqlite",
    doc = r#"
```
# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# use everpool_sqlx::{EngineOptions, Sqlite, create_engine, query};
# let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default())?;
let mut connection = engine.connect().await?;
let mut transaction = connection.begin().await?;
query("CREATE TABLE t (x INTEGER)").execute(&mut *transaction).await?;
let savepoint = transaction.begin().await?;
savepoint.rollback().await?;
transaction.commit().await?;
# Ok(())
# }
```
"#
)]
#[must_use = "a transaction that is dropped is rolled back at once"]
pub struct Transaction<'c, DB: Driver> {
    connection: Held<'c, DB>,
    /// At which level of transaction this is.
    level: usize,
    /// The level of the scope around it.
    outer: usize,
    is_over: bool,
}

enum Held<'c, DB: Driver> {
    Borrowed(&'c mut Connection<DB>),
    Owned(Box<PoolConnection<DB>>),
}

impl<'c, DB: Driver> Transaction<'c, DB> {
    /// The transaction at `level`, which was just begun.
    pub(crate) fn new(connection: &'c mut Connection<DB>, level: usize) -> Self {
        Self::of(Held::Borrowed(connection), level)
    }

    fn of(mut connection: Held<'c, DB>, level: usize) -> Self {
        let outer = connection.enter_scope(level);
        Self {
            connection,
            level,
            outer,
            is_over: false,
        }
    }

    /// The first transaction on a connection that was not taken yet.
    pub(crate) async fn begin_first(
        mut connection: PoolConnection<DB>,
        statement: Option<Begin>,
    ) -> Result<Transaction<'static, DB>, Error> {
        match statement {
            None => future::begin(&mut *connection).await?,
            statement => connection.send_begin(statement).await?,
        }
        Ok(Transaction::of(Held::Owned(Box::new(connection)), 1))
    }

    /// Whether it is still to be ended: by a rollback, if the connection was lost. Does not block.
    pub fn is_open(&mut self) -> bool {
        self.connection.levels() >= self.level
    }

    /// Whether it can still be committed: it is open, and the connection not lost (SQLAlchemy's
    /// `is_valid`). Does not block.
    pub fn is_valid(&mut self) -> bool {
        self.is_open() && !self.connection.invalidated()
    }

    /// Sets a savepoint in it: [`Connection::begin`].
    ///
    /// # Errors
    ///
    /// The driver's.
    pub async fn begin(&mut self) -> Result<Transaction<'_, DB>, Error> {
        self.connection.begin().await
    }

    /// As [`Connection::begin_with`], which asks that no transaction is open.
    ///
    /// # Errors
    ///
    /// That one is.
    pub async fn begin_with(
        &mut self,
        statement: impl BeginStatement,
    ) -> Result<Transaction<'_, DB>, Error> {
        self.connection.begin_with(statement).await
    }

    /// Commits it, or releases the savepoint.
    ///
    /// # Errors
    ///
    /// The driver's. If the connection was lost at COMMIT, it is not known whether it was committed. If
    /// a statement had failed and the server would answer COMMIT by a rollback and no error, it is
    /// rolled back here, and that is the error.
    pub async fn commit(mut self) -> Result<(), Error> {
        let level = self.level;
        if self.connection.levels() < level {
            return Err(crate::as_sqlx::scope_is_over());
        }
        let committed = self.connection.commit_level(level).await;
        if committed.is_ok() {
            self.leave();
        }
        committed
    }

    /// Undoes it, or all since the savepoint. If the connection was lost, or the transaction ended
    /// before, there is nothing left to undo.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub async fn rollback(mut self) -> Result<(), Error> {
        let level = self.level;
        self.connection.rollback_level(level).await?;
        self.leave();
        Ok(())
    }

    fn leave(&mut self) {
        self.is_over = true;
        let outer = self.outer;
        self.connection.leave_scope(outer);
    }
}

impl<DB: Driver> Drop for Transaction<'_, DB> {
    fn drop(&mut self) {
        if !self.is_over {
            self.leave();
            let level = self.level;
            self.connection.abandon_level(level);
        }
    }
}

impl<DB: Driver> Deref for Held<'_, DB> {
    type Target = Connection<DB>;

    fn deref(&self) -> &Connection<DB> {
        match self {
            Self::Borrowed(connection) => connection,
            Self::Owned(connection) => connection,
        }
    }
}

impl<DB: Driver> DerefMut for Held<'_, DB> {
    fn deref_mut(&mut self) -> &mut Connection<DB> {
        match self {
            Self::Borrowed(connection) => connection,
            Self::Owned(connection) => connection,
        }
    }
}

impl<DB: Driver> Deref for Transaction<'_, DB> {
    type Target = Connection<DB>;

    fn deref(&self) -> &Connection<DB> {
        &self.connection
    }
}

impl<DB: Driver> DerefMut for Transaction<'_, DB> {
    fn deref_mut(&mut self) -> &mut Connection<DB> {
        &mut self.connection
    }
}

/// The driver's own connection: see [`Connection`].
impl<DB: Driver> AsRef<DB::Connection> for Transaction<'_, DB> {
    fn as_ref(&self) -> &DB::Connection {
        self
    }
}

/// The driver's own connection: see [`Connection`].
impl<DB: Driver> AsMut<DB::Connection> for Transaction<'_, DB> {
    fn as_mut(&mut self) -> &mut DB::Connection {
        self
    }
}

impl<DB: Driver> fmt::Debug for Transaction<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("connection", &**self)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}
