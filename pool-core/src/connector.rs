use std::{error::Error, future::Future};

use crate::machine::{ConnectFault, Fault, ResetOnReturn, Residue};

/// What a pool needs to know of a driver.
///
/// The methods that talk to the server are async. A blocking driver does its work and is ready at
/// once; the pool calls it on threads of its own, so that the caller's deadline holds even if the
/// driver blocks for ever. No lock of the pool is held while any of these runs, and each may panic:
/// that costs its connection and nothing else.
pub trait Connector: Send + Sync + 'static {
    /// The driver's connection.
    type Connection: Send + 'static;
    /// The driver's error.
    type Error: Error + Send + Sync + 'static;

    /// Opens a connection. Called when somebody waits and there is room, or to probe in an outage.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, Self::Error>> + Send;

    /// Asks the server for a sign of life. Called before an idle connection is lent, if the pool
    /// was told to (`pre_ping`).
    fn ping(
        &self,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Whether the connection is alive, as far as can be told without asking the server; `None` if
    /// nothing can be told. Called in place of [`ping`](Self::ping), on the thread that takes the
    /// connection: no I/O that blocks. It is enough for a connection that was used within the last
    /// second; one that has rested for longer, and looks alive, is pinged all the same. With
    /// `ping_after_idle`, whatever rested for longer than that is pinged.
    fn is_alive(&self, connection: &mut Self::Connection) -> Option<bool> {
        let _nothing_is_known_of_it = connection;
        None
    }

    /// Ends the transaction that may be open. Called when a connection came back and
    /// [`residue`](Self::residue) was neither `Clean` nor `Broken`; never with
    /// [`ResetOnReturn::Nothing`].
    fn reset(
        &self,
        connection: &mut Self::Connection,
        how: ResetOnReturn,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Closes a connection, which may be a lost one. There is nobody to tell of an error.
    fn close(&self, connection: Self::Connection) -> impl Future<Output = ()> + Send;

    /// What the last user left on a connection. Called on every return, on the returning thread: no
    /// I/O, and it must not block.
    fn residue(&self, connection: &mut Self::Connection) -> Residue;

    /// Whose fault an error of `ping` or `reset` is. No I/O, and it must not block.
    fn fault(&self, error: &Self::Error, connection: &mut Self::Connection) -> Fault;

    /// Whether `connect`, having failed like this, may succeed if tried again soon.
    fn connect_fault(&self, error: &Self::Error) -> ConnectFault;
}
