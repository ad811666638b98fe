//! The pool for threads.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use crate::{
    checkout::Checkout,
    connector::Connector,
    error::CheckoutError,
    machine::{Entry, Fault, Generation, Machine, Options, ResetOnReturn, Residue, Status},
    park::block_until,
    shared::{Shared, shielded},
};

/// SQLAlchemy's `pool_timeout`.
const POOL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a return waits for the ROLLBACK. After it, the thread goes on and the ROLLBACK too.
const RESET_PATIENCE: Duration = Duration::from_secs(5);

/// A pool of connections. Cloning gives another handle to the same pool; when the last handle and
/// the last lease are gone, the idle connections are closed.
pub struct Pool<K: Connector> {
    shared: Arc<Shared<K>>,
    timeout: Duration,
}

impl<K: Connector> Clone for Pool<K> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            timeout: self.timeout,
        }
    }
}

impl<K: Connector> Pool<K> {
    /// An empty pool. Does not block: nothing is opened before the first checkout.
    pub fn new(connector: K, options: Options) -> Self {
        Self {
            shared: Shared::new(connector, options),
            timeout: POOL_TIMEOUT,
        }
    }

    /// This handle with another deadline for [`checkout`](Self::checkout), `pool_timeout`. It is 30
    /// seconds at first.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// How long [`checkout`](Self::checkout) waits.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Takes a connection; blocks until there is one, for at most the pool's timeout.
    ///
    /// # Errors
    ///
    /// See [`checkout_timeout`](Self::checkout_timeout).
    pub fn checkout(&self) -> Result<Lease<K>, CheckoutError<K::Error>> {
        self.checkout_timeout(self.timeout)
    }

    /// Takes a connection; blocks until there is one, for at most `timeout`. That covers all of it:
    /// the queue, opening a connection, the ping.
    ///
    /// # Errors
    ///
    /// - [`TimedOut`](CheckoutError::TimedOut) says what was waited for.
    /// - [`Connect`](CheckoutError::Connect), at once, if waiting would not help.
    /// - [`Outage`](CheckoutError::Outage), at once, if the server has been away for longer than the
    ///   pool's `outage_grace`.
    /// - [`Ping`](CheckoutError::Ping) if the ping failed and the connection is not lost.
    pub fn checkout_timeout(&self, timeout: Duration) -> Result<Lease<K>, CheckoutError<K::Error>> {
        let answer = match Checkout::begin(&self.shared) {
            Checkout::Answered(answer) => answer,
            Checkout::Queued(mut queued) => {
                let began = Instant::now();
                // A deadline beyond what the clock can tell is none.
                let deadline = began.checked_add(timeout);
                match block_until(&mut queued, deadline) {
                    Some(answer) => answer,
                    None => {
                        let told = self.shared.timed_out(began);
                        queued.timed_out();
                        return Err(told);
                    }
                }
            }
        };
        let entry = answer.map_err(|refusal| self.shared.refused(refusal))?;
        Ok(Lease {
            shared: Arc::clone(&self.shared),
            entry: Some(entry),
        })
    }

    /// Starts a new generation: idle connections are closed at once, those in use when they come
    /// back, and none of them is lent again. Does not block.
    pub fn recreate(&self) {
        self.shared.enter(Machine::recreate);
    }

    /// As [`recreate`](Self::recreate), unless that was already done since a connection of
    /// `generation` was opened: however many connections meet the same dead server, the pool is
    /// recreated once. Does not block.
    pub fn suspect(&self, generation: Generation) {
        self.shared
            .enter(|machine, now| machine.suspected(generation, now));
    }

    /// The pool's numbers at this moment. Does not block.
    pub fn status(&self) -> Status {
        self.shared.enter(|machine, _| machine.status())
    }

    /// What is sent when a connection comes back that may have a transaction open. Does not block.
    pub fn reset_on_return(&self) -> ResetOnReturn {
        self.shared
            .enter(|machine, _| machine.options().reset_on_return)
    }

    /// What this pool opens connections with.
    pub fn connector(&self) -> &K {
        &self.shared.connector
    }
}

impl<K: Connector> fmt::Debug for Pool<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

/// A checkout: a connection that returns to its pool when this is dropped.
///
/// The return does not talk to the server if the connector proves that no transaction is open. Else
/// it waits for the ROLLBACK, so that whoever comes next finds the locks gone; for at most five
/// seconds.
#[must_use = "a lease that is dropped returns its connection at once"]
pub struct Lease<K: Connector> {
    shared: Arc<Shared<K>>,
    entry: Option<Entry<K::Connection>>,
}

const PRESENT: &str = "only what takes the lease apart takes its entry";

impl<K: Connector> Lease<K> {
    /// The generation of this connection.
    pub fn generation(&self) -> Generation {
        self.entry.as_ref().expect(PRESENT).generation()
    }

    /// Returns the connection as one that is not to be lent again, and with a fault of the server's
    /// none of its generation. Its slot is free for the next as soon as it is closed. Does not block.
    pub fn invalidate(mut self, fault: Fault) {
        let entry = self.entry.take().expect(PRESENT);
        self.shared.enter(|machine, now| {
            machine.invalidated(entry, fault.max(Fault::Connection), now);
        });
    }
}

impl<K: Connector> Deref for Lease<K> {
    type Target = K::Connection;

    fn deref(&self) -> &K::Connection {
        &self.entry.as_ref().expect(PRESENT).connection
    }
}

impl<K: Connector> DerefMut for Lease<K> {
    fn deref_mut(&mut self) -> &mut K::Connection {
        &mut self.entry.as_mut().expect(PRESENT).connection
    }
}

impl<K: Connector> Drop for Lease<K> {
    fn drop(&mut self) {
        let Some(mut entry) = self.entry.take() else {
            return;
        };
        let residue = shielded(|| self.shared.connector.residue(&mut entry.connection));
        let residue = residue.unwrap_or(Residue::Broken);
        let to_reset = self
            .shared
            .enter(|machine, now| machine.given_back(entry, residue, now));
        if let Some(entry) = to_reset {
            let (done, finished) = mpsc::sync_channel::<()>(0);
            self.shared.employ(move |pool| {
                pool.reset(entry);
                drop(done);
            });
            // Nothing is ever sent: the wait ends when the sender is dropped, or with the patience.
            let _ended = finished.recv_timeout(RESET_PATIENCE);
        }
    }
}

impl<K: Connector> fmt::Debug for Lease<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generation = self.entry.as_ref().map(Entry::generation);
        f.debug_struct("Lease")
            .field("generation", &generation)
            .finish_non_exhaustive()
    }
}
