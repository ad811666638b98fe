//! What all handles of a pool share: the machine behind its lock, and who does what it asks for.

use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Instant,
};

use crate::{
    connector::Connector,
    crew::Crew,
    error::{CheckoutError, ConnectError, ConnectFailure},
    machine::{self, Action, Closing, ConnectFault, Entry, Fault, Machine, Options, Permit, Time},
    park::block_on,
};

pub(crate) type Failure<K> = Arc<ConnectFailure<<K as Connector>::Error>>;
pub(crate) type Refusal<K> = machine::Refusal<Failure<K>>;
type PoolMachine<K> = Machine<<K as Connector>::Connection, Failure<K>>;

pub(crate) struct Shared<K: Connector> {
    pub(crate) connector: K,
    machine: Mutex<PoolMachine<K>>,
    began: Instant,
    pub(crate) crew: Crew,
}

impl<K: Connector> Shared<K> {
    pub(crate) fn new(connector: K, options: Options) -> Arc<Self> {
        Arc::new(Self {
            connector,
            machine: Mutex::new(Machine::new(options)),
            began: Instant::now(),
            crew: Crew::default(),
        })
    }

    /// Asks the machine, under the lock; then, without it, does what the machine wants done.
    ///
    /// The time is only right if the machine needs it.
    pub(crate) fn enter<T>(
        self: &Arc<Self>,
        ask: impl FnOnce(&mut PoolMachine<K>, Time) -> T,
    ) -> T {
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        let now = if machine.needs_time() {
            self.now()
        } else {
            Time::START
        };
        let answer = ask(&mut machine, now);
        let mut next = machine.next_action();
        drop(machine);
        while let Some(action) = next {
            self.perform(action);
            next = self.next_action();
        }
        answer
    }

    /// Tells the machine what came of an action, at the right time.
    fn report(self: &Arc<Self>, tell: impl FnOnce(&mut PoolMachine<K>, Time)) {
        let now = self.now();
        self.enter(|machine, _| tell(machine, now));
    }

    fn next_action(&self) -> Option<Action<K::Connection>> {
        self.machine
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next_action()
    }

    fn now(&self) -> Time {
        Time::after_start(self.began.elapsed())
    }

    fn perform(self: &Arc<Self>, action: Action<K::Connection>) {
        match action {
            // A waker that panics costs its own task its wake-up, and nobody else theirs.
            Action::Wake(waker) => drop(shielded(|| waker.wake())),
            Action::Connect { permit, not_before } => {
                let pool = Arc::downgrade(self);
                let wait = not_before.since(self.now());
                self.crew.run(Box::new(move || {
                    thread::sleep(wait);
                    if let Some(pool) = pool.upgrade() {
                        pool.connect(permit);
                    }
                }));
            }
            Action::Ping(entry) => self.employ(|pool| pool.ping(entry)),
            Action::Close(closing, connection) => {
                self.employ(move |pool| pool.close(&closing, connection));
            }
        }
    }

    pub(crate) fn employ(self: &Arc<Self>, work: impl FnOnce(&Arc<Self>) + Send + 'static) {
        let pool = Arc::clone(self);
        self.crew.run(Box::new(move || work(&pool)));
    }

    fn connect(self: &Arc<Self>, permit: Permit) {
        match survive(|| self.connector.connect()) {
            Ok(connection) => {
                tracing::debug!(target: "everpool::pool", "Created new connection");
                self.report(|machine, now| machine.connected(permit, connection, now));
            }
            Err(failure) => {
                let fault = match &failure {
                    ConnectFailure::Driver(error) => {
                        shielded(|| self.connector.connect_fault(error))
                            .unwrap_or(ConnectFault::Permanent)
                    }
                    ConnectFailure::Panicked(_) => ConnectFault::Permanent,
                };
                tracing::info!(target: "everpool::pool", %failure, ?fault, "Could not connect");
                let failure = Arc::new(failure);
                self.report(|machine, now| machine.connect_failed(permit, failure, fault, now));
            }
        }
    }

    fn ping(self: &Arc<Self>, mut entry: Entry<K::Connection>) {
        match survive(|| self.connector.ping(&mut entry.connection)) {
            Ok(()) => self.report(|machine, now| machine.pinged(entry, now)),
            Err(failure) => {
                let fault = self.fault(&failure, &mut entry);
                tracing::info!(target: "everpool::pool", %failure, ?fault, "Ping failed");
                let failure = Arc::new(failure);
                self.report(|machine, now| machine.ping_failed(entry, failure, fault, now));
            }
        }
    }

    pub(crate) fn reset(self: &Arc<Self>, mut entry: Entry<K::Connection>) {
        let how = self.enter(|machine, _| machine.options().reset_on_return);
        match survive(|| self.connector.reset(&mut entry.connection, how)) {
            Ok(()) => self.report(|machine, now| machine.was_reset(entry, now)),
            Err(failure) => {
                // Whatever the error is, what was open may still be.
                let fault = self.fault(&failure, &mut entry).max(Fault::Connection);
                tracing::error!(target: "everpool::pool", %failure, "Exception during reset or similar");
                self.report(|machine, now| machine.invalidated(entry, fault, now));
            }
        }
    }

    fn close(self: &Arc<Self>, closing: &Closing, connection: K::Connection) {
        let closed: Result<(), ConnectFailure<K::Error>> = survive(|| async {
            self.connector.close(connection).await;
            Ok(())
        });
        if let Err(failure) = closed {
            tracing::error!(target: "everpool::pool", %failure, "Exception closing connection");
        }
        self.report(|machine, now| machine.closed(closing, now));
    }

    fn fault(&self, failure: &ConnectFailure<K::Error>, entry: &mut Entry<K::Connection>) -> Fault {
        match failure {
            ConnectFailure::Driver(error) => {
                shielded(|| self.connector.fault(error, &mut entry.connection))
                    .unwrap_or(Fault::Connection)
            }
            ConnectFailure::Panicked(_) => Fault::Connection,
        }
    }

    pub(crate) fn refused(&self, refusal: Refusal<K>) -> CheckoutError<K::Error> {
        match refusal {
            machine::Refusal::Connect(failure) => CheckoutError::Connect(failure),
            machine::Refusal::Ping(failure) => CheckoutError::Ping(failure),
            machine::Refusal::Outage(failure, at) => CheckoutError::Outage(ConnectError {
                failure,
                age: self.now().since(at),
            }),
        }
    }

    pub(crate) fn timed_out(self: &Arc<Self>, began: Instant) -> CheckoutError<K::Error> {
        let now = self.now();
        self.enter(|machine, _| CheckoutError::TimedOut {
            phase: machine.phase(),
            waited: began.elapsed(),
            status: Box::new(machine.status()),
            last_connect_error: machine
                .last_connect_error()
                .map(|(failure, at)| ConnectError {
                    failure: Arc::clone(failure),
                    age: now.since(*at),
                }),
        })
    }
}

/// The driver's answer, or its panic.
fn survive<T, E, F>(work: impl FnOnce() -> F) -> Result<T, ConnectFailure<E>>
where
    F: Future<Output = Result<T, E>>,
{
    match catch_unwind(AssertUnwindSafe(|| block_on(work()))) {
        Ok(answer) => answer.map_err(ConnectFailure::Driver),
        Err(panic) => Err(ConnectFailure::Panicked(message(panic.as_ref()))),
    }
}

/// The answer, unless the user's code panicked.
pub(crate) fn shielded<T>(ask: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(ask)).ok()
}

fn message(panic: &(dyn Any + Send)) -> String {
    let literal = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    literal
        .or_else(|| panic.downcast_ref().cloned())
        .unwrap_or_else(|| "no message".into())
}
