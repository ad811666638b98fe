//! BEGIN on a connection that has no session.

use std::{error::Error, future::Future, time::Duration};

use crate::{
    deadline::Deadline,
    stack::{Failed, begins_again},
};

/// A connection on which a transaction can be begun.
pub trait Begins: Send {
    /// The driver's error.
    type Error: Error + Send + 'static;

    /// Whether there is a connection that is not known to be lost. Does not wait.
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
    fn send_begin(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Takes a connection and begins a transaction on it. One that turns out dead at BEGIN is replaced, and
/// the caller does not hear of it: no statement of the program was sent.
///
/// # Errors
///
/// The driver's, of the checkout or of BEGIN.
pub async fn begin<T: Begins>(connection: &mut T) -> Result<(), T::Error> {
    let until = Deadline::after(connection.timeout());
    let mut attempts = 0;
    loop {
        connection.checkout(until.left()).await?;
        let Err(error) = connection.send_begin().await else {
            return Ok(());
        };
        attempts += 1;
        let failed = Failed {
            is_lost: !connection.is_connected(),
            is_late: until.is_past(),
        };
        if !begins_again(attempts, failed) {
            return Err(error);
        }
        tracing::info!(target: "everpool::session", %error, "Lost at BEGIN; trying another connection");
    }
}
