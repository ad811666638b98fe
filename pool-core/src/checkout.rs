//! The one acquisition algorithm. The faces differ only in how they wait for [`Admission`].

use std::{
    future::Future,
    panic::Location,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use crate::{
    connector::Connector,
    error::CheckoutError,
    held::HeldEntry,
    hook::{BoxError, BoxFuture, HookError},
    job::{Debt, Job},
    lease::Lease,
    listeners::{Event, Wait},
    machine::{self, Borrower, Fault, Phase, Ticket, Time},
    now::now,
    runtime::Runtime,
    shared::{Answer, PoolMachine, Refusal, Shared, own},
    sync::Guard,
};

/// How many connections hooks may refuse in one checkout, as in SQLAlchemy.
const REFUSALS: usize = 2;
/// More holders than this are not searched for the caller's own.
const FEW: usize = 16;

/// A checkout: who asks, since when, and for how long it may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) borrower: Borrower,
    began: Time,
    timeout: Duration,
}

impl Request {
    pub(crate) fn new(borrower: Borrower, timeout: Duration) -> Self {
        Self {
            borrower,
            began: now(),
            timeout,
        }
    }

    /// When the time is up.
    pub(crate) fn deadline(&self) -> Time {
        self.began + self.timeout
    }

    fn left(&self, now: Time) -> Duration {
        if now == self.began {
            return self.timeout;
        }
        self.timeout.saturating_sub(now.since(self.began))
    }
}

type Preparing<'a, K, R> =
    BoxFuture<'a, Result<Prepared<K, R>, CheckoutError<<K as Connector>::Error>>>;
type Outcome<K, R> = Result<HeldEntry<K, R>, CheckoutError<<K as Connector>::Error>>;

/// From a request to a connection: waits in the queue, calls the hooks, and takes another connection
/// if they refuse it. Dropped, it gives its place up.
pub(crate) struct Admission<'a, K: Connector, R: Runtime> {
    pool: &'a Arc<Shared<K, R>>,
    request: Request,
    refusals: usize,
    stage: Stage<'a, K, R>,
}

enum Stage<'a, K: Connector, R: Runtime> {
    /// Nobody was asked yet. → Queued, Hooked
    Asking(Time),
    /// Waits for an answer. → Hooked
    Queued(Place<'a, K, R>),
    /// Hooks look at the connection. → Asking
    Hooked(Preparing<'a, K, R>),
}

impl<'a, K: Connector, R: Runtime> Admission<'a, K, R> {
    pub(crate) fn new(pool: &'a Arc<Shared<K, R>>, request: Request) -> Self {
        Self {
            pool,
            request,
            refusals: 0,
            stage: Stage::Asking(request.began),
        }
    }

    /// Asks the machine; if there is no answer yet, it is to be waited for.
    fn ask(&mut self, now: Time, waker: &Waker) -> Option<Result<HeldEntry<K, R>, Refusal<K>>> {
        let (pool, request) = (self.pool, self.request);
        pool.meet();
        // Cloned before the lock is taken: it is the runtime's code.
        let mut waker = Some(waker.clone());
        let patience = pool.options.own_patience;
        let (answer, own) = pool.enter(|machine| {
            let answer = begin(machine, request, patience, now);
            let machine::Checkout::Queued(ticket) = &answer else {
                return (answer, None);
            };
            if let Some(by) = refuses_own::<K, R>(machine, request.borrower, patience) {
                drop(machine.withdraw(ticket, now));
                return (machine::Checkout::Refused(by), None);
            }
            let nothing = machine.collect(ticket, &mut waker);
            debug_assert!(
                nothing.is_none(),
                "what can be answered at once is not queued"
            );
            let own = waits_for_itself::<K, R>(machine, request.borrower);
            (answer, own)
        });
        match answer {
            machine::Checkout::Lent(entry) => Some(Ok(entry)),
            machine::Checkout::Refused(refusal) => Some(Err(refusal)),
            machine::Checkout::Queued(ticket) => {
                self.stage = Stage::Queued(Place {
                    pool,
                    ticket: Some(ticket),
                    place: request.borrower.place,
                    since: now,
                });
                let place = request.borrower.place;
                if let Some(own) = own {
                    tracing::warn!(target: "everpool::pool", %place, %own,
                        "All connections are in use, and this thread or task waits for one while it has one itself");
                }
                pool.hear(|| Wait::Started { place });
                None
            }
        }
    }

    /// An answer has come.
    fn answered(&mut self, answer: Result<HeldEntry<K, R>, Refusal<K>>) -> Option<Outcome<K, R>> {
        let (pool, request) = (self.pool, self.request);
        match answer {
            Err(refusal) => Some(Err(pool.refused(refusal, request.borrower, request.began))),
            Ok(entry) if pool.needs_no_hook() => Some(Ok(entry)),
            Ok(entry) => {
                let job = Job::new(pool, Debt::Return(entry));
                self.stage = Stage::Hooked(Box::pin(pool.prepare(job, request)));
                None
            }
        }
    }

    /// The hooks have answered.
    fn prepared(&mut self, prepared: Prepared<K, R>) -> Option<Outcome<K, R>> {
        match prepared {
            Prepared::Fit(entry) => Some(Ok(entry)),
            Prepared::Lost(error) => {
                self.refusals += 1;
                if self.refusals == REFUSALS {
                    tracing::info!(target: "everpool::pool", "Reconnection attempts exhausted on checkout");
                    return Some(Err(CheckoutError::Rejected(error)));
                }
                self.stage = Stage::Asking(now());
                None
            }
        }
    }
}

impl<K: Connector, R: Runtime> Future for Admission<'_, K, R> {
    type Output = Outcome<K, R>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let outcome = match &mut self.stage {
                Stage::Asking(now) => {
                    let now = *now;
                    let Some(answer) = self.ask(now, context.waker()) else {
                        return Poll::Pending;
                    };
                    self.answered(answer)
                }
                Stage::Queued(place) => {
                    let answer = ready!(place.collect(context.waker()));
                    let since = place.since;
                    self.pool.hear_end(&answer, self.request.borrower, since);
                    self.answered(answer)
                }
                Stage::Hooked(hooks) => {
                    let prepared = ready!(hooks.as_mut().poll(context))?;
                    self.prepared(prepared)
                }
            };
            if let Some(outcome) = outcome {
                return Poll::Ready(outcome);
            }
        }
    }
}

fn begin<K: Connector, R: Runtime>(
    machine: &mut PoolMachine<K, R>,
    request: Request,
    patience: Option<Duration>,
    now: Time,
) -> Answer<K, R> {
    let (left, borrower) = (request.left(now), request.borrower);
    let patience = patience.filter(|_| own::<K, R>(machine, borrower).is_some());
    let left = patience.map_or(left, |patience| left.min(patience));
    machine.checkout_within(left, borrower, &now)
}

/// Whoever is not to wait for itself at all is told where it has what it waits for.
fn refuses_own<K: Connector, R>(
    machine: &PoolMachine<K, R>,
    borrower: Borrower,
    patience: Option<Duration>,
) -> Option<Refusal<K>> {
    let own = own::<K, R>(machine, borrower).filter(|_| patience == Some(Duration::ZERO))?;
    Some(machine::Refusal::InUse(Some(own.borrower)))
}

/// Whoever waits for a connection while all are out, and has one itself, may wait for itself.
fn waits_for_itself<K: Connector, R>(
    machine: &PoolMachine<K, R>,
    borrower: Borrower,
) -> Option<&'static Location<'static>> {
    // In a deadlock, whoever came first waits for itself; the others need not look.
    let is_first = machine.waiting() == 1 && machine.checked_out() <= FEW;
    if !is_first || machine.phase() != Phase::Queue {
        return None;
    }
    own::<K, R>(machine, borrower).map(|holder| holder.borrower.place)
}

/// A place in the queue. Dropped, it is given up, and what was lent in this moment goes to the next.
struct Place<'a, K: Connector, R: Runtime> {
    pool: &'a Arc<Shared<K, R>>,
    /// Until the answer is collected.
    ticket: Option<Ticket>,
    place: &'static Location<'static>,
    since: Time,
}

impl<K: Connector, R: Runtime> Place<'_, K, R> {
    fn collect(&mut self, waker: &Waker) -> Poll<Result<HeldEntry<K, R>, Refusal<K>>> {
        let Some(ticket) = &self.ticket else {
            return Poll::Pending;
        };
        let mut answer = self.pool.enter(|machine| machine.answer(ticket));
        if answer.is_none() {
            // Cloned before the lock is taken, and dropped after: both are the runtime's code.
            let mut waker = Some(waker.clone());
            answer = self
                .pool
                .enter(|machine| machine.collect(ticket, &mut waker));
        }
        let Some(answer) = answer else {
            return Poll::Pending;
        };
        self.ticket = None;
        Poll::Ready(answer)
    }
}

impl<K: Connector, R: Runtime> Drop for Place<'_, K, R> {
    fn drop(&mut self) {
        let ticket = self.ticket.take();
        if let Some(ticket) = ticket.filter(|_| !self.pool.is_foreign()) {
            let waker = self.pool.enter(|machine| machine.withdraw(&ticket, now));
            drop(waker);
            let (place, since) = (self.place, self.since);
            self.pool.hear(|| Wait::Ended {
                place,
                waited: now().since(since),
            });
        }
    }
}

impl<K: Connector, R: Runtime> Shared<K, R> {
    /// What almost every checkout comes to; else `lend_by_age`, or an [`Admission`].
    ///
    /// The lease is made before the lock is let go, so that nothing is to be kept over that.
    #[inline(always)]
    pub(crate) fn lend_plainly(
        self: &Arc<Self>,
        machine: &mut PoolMachine<K, R>,
        borrower: Borrower,
        waits: bool,
    ) -> Option<Lease<K, R>> {
        let entry = machine.lend_plainly(borrower)?;
        Some(Lease::new(self, entry, waits))
    }

    /// The next shortest cut: the same with one look at the clock.
    pub(crate) fn lend_by_age(
        self: &Arc<Self>,
        mut machine: Guard<'_, PoolMachine<K, R>>,
        borrower: Borrower,
        waits: bool,
    ) -> Option<Lease<K, R>> {
        let entry = machine.lend_by_age(borrower, &now)?;
        let lease = Lease::new(self, entry, waits);
        self.leave(machine);
        Some(lease)
    }

    /// Whether a connection can be had as it is.
    pub(crate) fn needs_no_hook(&self) -> bool {
        !self.board.is_any_heard(Event::Checkout.bit())
    }

    fn hear(&self, wait: impl FnOnce() -> Wait<'static>) {
        if self.board.is_any_heard(Event::Wait.bit()) {
            self.board.listeners().waits(wait());
        }
    }

    fn hear_end(
        &self,
        answer: &Result<HeldEntry<K, R>, Refusal<K>>,
        Borrower { place, .. }: Borrower,
        since: Time,
    ) {
        self.hear(|| {
            let waited = now().since(since);
            match answer {
                Err(Refusal::<K>::TimedOut(_)) => Wait::TimedOut { place, waited },
                _ => Wait::Ended { place, waited },
            }
        });
    }

    /// The hooks of `checkout`.
    async fn prepare(
        self: &Arc<Self>,
        mut job: Job<K, R>,
        request: Request,
    ) -> Result<Prepared<K, R>, CheckoutError<K::Error>> {
        let Some(entry) = job.entry() else {
            unreachable!("a job that has just begun is not paid")
        };
        let place = (entry.slot(), entry.generation());
        let telling = self.tell(Event::Checkout, &mut entry.connection, place);
        let told = self.bounded(request.left(now()), telling).await;
        let Some(Debt::Return(mut entry)) = job.paid() else {
            unreachable!("nobody else pays")
        };
        let told = match told {
            Some(Ok(())) => return Ok(Prepared::Fit(entry)),
            Some(Err(error)) => {
                // The error itself is the caller's.
                let reason = BoxError::from(error.to_string());
                entry.connection.reason = Some(reason.into());
                Some(error)
            }
            None => None,
        };
        let (error, fault) = match told {
            Some(HookError::Disconnection(error)) => (error, Fault::Connection),
            Some(HookError::InvalidatePool(error)) => (error, Fault::Server),
            other => {
                entry.connection.owes_checkin = true;
                self.report(|machine, now| machine.invalidated(entry, Fault::Connection, now));
                return Err(match other {
                    None => self.timed_out(Phase::Hook, request.borrower, request.began),
                    Some(error) => CheckoutError::Hook(error.into_inner()),
                });
            }
        };
        self.report(|machine, now| machine.invalidated(entry, fault, now));
        Ok(Prepared::Lost(error))
    }
}

/// What hooks made of a connection.
enum Prepared<K: Connector, R> {
    Fit(HeldEntry<K, R>),
    /// It is not to be used, because of this; another may be.
    Lost(BoxError),
}
