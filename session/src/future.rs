//! The session, for tasks.

use std::{
    error::Error,
    future::Future,
    time::{Duration, Instant},
};

use crate::{
    error::SessionError,
    transaction::{self, Commit, Refused},
};

pub use crate::transaction::Standing;

/// What a session needs of an adapter's Connection.
pub trait Transactional: Send {
    /// The driver's error.
    type Error: Error + Send + 'static;

    /// Whether a transaction is open, or was when the connection was lost. Does not block, and is
    /// asked before every statement.
    fn has_begun(&mut self) -> bool;

    /// How the transaction stands. Does not block.
    fn standing(&mut self) -> Standing;

    /// Whether there is a connection that is not known to be lost. Does not block.
    fn is_connected(&mut self) -> bool;

    /// How long a checkout may take.
    fn timeout(&self) -> Duration;

    /// Takes a connection, unless there is one. Waits for at most `timeout`.
    ///
    /// # Errors
    ///
    /// That there is none.
    fn checkout(
        &mut self,
        timeout: Duration,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Sends BEGIN.
    ///
    /// # Errors
    ///
    /// The driver's.
    fn begin(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Commits all levels.
    ///
    /// # Errors
    ///
    /// The driver's. Unless the connection is lost, nothing is open afterwards.
    fn commit(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Rolls all levels back; on a lost connection without a word to the server.
    ///
    /// # Errors
    ///
    /// The driver's.
    fn rollback(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Returns the connection to the pool. Does not block.
    fn release(&mut self);
}

/// A transaction scope over a Connection. Nothing is sent before the first statement; after commit
/// or rollback the connection is back in the pool, and the next statement begins anew.
#[derive(Debug)]
pub struct Session<T: Transactional> {
    connection: T,
}

impl<T: Transactional> Session<T> {
    /// A session that has begun nothing. Does not block.
    pub fn new(connection: T) -> Self {
        Self { connection }
    }

    /// The connection for the next statement, with BEGIN sent. Waits for a checkout and a BEGIN if
    /// there is no transaction yet. A connection that turns out dead at BEGIN is replaced, and the
    /// caller does not hear of it.
    ///
    /// # Errors
    ///
    /// The driver's, of the checkout or of BEGIN.
    pub async fn ready(&mut self) -> Result<&mut T, T::Error> {
        if !self.connection.has_begun() {
            begin(&mut self.connection).await?;
        }
        Ok(&mut self.connection)
    }

    /// The connection as it stands.
    pub fn connection(&mut self) -> &mut T {
        &mut self.connection
    }

    /// Commits what was done since the first statement, if there was one, and returns the
    /// connection. Waits for COMMIT.
    ///
    /// # Errors
    ///
    /// See [`SessionError`]. After `CommitOutcomeUnknown` and `Database` the session may go on with a
    /// new transaction; after the others it must be rolled back first.
    pub async fn commit(&mut self) -> Result<(), SessionError<T::Error>> {
        match transaction::commit(self.connection.standing()) {
            Commit::Nothing => return Ok(()),
            Commit::Refuse(Refused::Aborted) => return Err(SessionError::Aborted),
            Commit::Refuse(Refused::Lost(pending)) => return Err(pending.into()),
            Commit::Send => {}
        }
        let committed = self.connection.commit().await.map_err(|error| {
            if self.connection.is_connected() {
                SessionError::Database(error)
            } else {
                SessionError::CommitOutcomeUnknown(error)
            }
        });
        self.connection.release();
        committed
    }

    /// Undoes what was done since the first statement, if there was one, and returns the connection.
    /// Waits for ROLLBACK.
    ///
    /// # Errors
    ///
    /// The driver's. A lost connection is none: what was done on it is undone.
    pub async fn rollback(&mut self) -> Result<(), SessionError<T::Error>> {
        let rolled_back = match self.connection.standing() {
            Standing::Pending => Ok(()),
            _ => self.connection.rollback().await.or_else(|error| {
                if self.connection.is_connected() {
                    Err(error)
                } else {
                    Ok(())
                }
            }),
        };
        self.connection.release();
        rolled_back.map_err(SessionError::Database)
    }
}

/// Takes a connection and begins a transaction on it. One that turns out dead at BEGIN is replaced, and
/// the caller does not hear of it: no statement of the program was sent.
///
/// # Errors
///
/// The driver's, of the checkout or of BEGIN.
pub async fn begin<T: Transactional>(connection: &mut T) -> Result<(), T::Error> {
    let timeout = connection.timeout();
    let began = Instant::now();
    for attempt in 1.. {
        connection
            .checkout(timeout.saturating_sub(began.elapsed()))
            .await?;
        let Err(error) = connection.begin().await else {
            break;
        };
        let lost = !connection.is_connected();
        if !transaction::begins_again(attempt, lost) || began.elapsed() >= timeout {
            return Err(error);
        }
        tracing::info!(target: "everpool::session", %error, "Lost at BEGIN; trying another connection");
    }
    Ok(())
}
