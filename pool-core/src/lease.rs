use std::{
    error::Error,
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use crate::{
    connector::Connector,
    crew::Threads,
    detached::Detached,
    held::{Finalizer, Held, HeldEntry, Reason},
    hook::{Answer, BoxFuture, HookError},
    info::Info,
    job::{Debt, Job},
    listeners::{Event, RETURN},
    machine::{Fault, Generation, Residue, SlotId},
    nests::take_back_to_nest,
    now::now,
    panics::shielded,
    park::block_on,
    reserved::Reserved,
    runtime::{Runtime, Work},
    shared::{PoolMachine, Shared, leave_alone},
    sync::{Guard, mpsc},
    work::{at_once, give_back, spawn},
};

/// A checkout: a connection that returns to its pool when this is dropped.
///
/// The return does not talk to the server if the connector proves that no transaction is open. Else
/// the ROLLBACK is sent in the pool's background; a lease of the blocking face waits for it, so that
/// whoever comes next finds the locks gone, for at most `reset_timeout`. Dropping a lease needs no
/// runtime and never panics.
#[must_use = "a lease that is dropped returns its connection at once"]
pub struct Lease<K: Connector, R: Runtime = Threads> {
    loan: Option<Loan<K, R>>,
    /// Whether the drop waits for the reset.
    waits: bool,
}

/// A connection that is out of the machine, and the pool it is to come back to.
pub(crate) struct Loan<K: Connector, R: Runtime> {
    pub(crate) shared: Arc<Shared<K, R>>,
    pub(crate) entry: HeldEntry<K, R>,
}

const PRESENT: &str = "only what takes the lease apart takes its entry";

impl<K: Connector, R: Runtime> Lease<K, R> {
    #[inline]
    pub(crate) fn new(shared: &Arc<Shared<K, R>>, entry: HeldEntry<K, R>, waits: bool) -> Self {
        let shared = Arc::clone(shared);
        Self::of(Loan { shared, entry }, waits)
    }

    #[inline]
    pub(crate) fn of(loan: Loan<K, R>, waits: bool) -> Self {
        Self {
            loan: Some(loan),
            waits,
        }
    }

    fn shared(&self) -> &Arc<Shared<K, R>> {
        &self.loan.as_ref().expect(PRESENT).shared
    }

    fn entry(&self) -> &HeldEntry<K, R> {
        &self.loan.as_ref().expect(PRESENT).entry
    }

    fn entry_mut(&mut self) -> &mut HeldEntry<K, R> {
        &mut self.loan.as_mut().expect(PRESENT).entry
    }

    fn take(&mut self) -> Loan<K, R> {
        self.loan.take().expect(PRESENT)
    }

    /// The generation of this connection.
    pub fn generation(&self) -> Generation {
        self.entry().generation()
    }

    /// The slot that this connection was opened in.
    pub fn slot(&self) -> SlotId {
        self.entry().slot()
    }

    /// What is kept beside this connection; it is gone when the connection is.
    pub fn info(&mut self) -> &mut Info {
        &mut self.entry_mut().connection.info
    }

    /// What is kept beside this connection's slot, whatever is connected in it.
    pub fn record_info(&mut self) -> &mut Info {
        &mut self.entry_mut().connection.record_info
    }

    /// Has something done with the connection on its return, after the reset and before anybody else
    /// gets it; what was asked for last is done first. Not done if the connection is lost. If it
    /// fails, the connection is closed.
    pub fn at_return<F>(&mut self, undo: F)
    where
        F: FnOnce(&mut K::Connection) -> Result<(), HookError> + Send + 'static,
    {
        let finalizer: Finalizer<K::Connection> =
            Box::new(move |connection| Answer::Now(undo(connection)));
        self.undo_at_return(finalizer);
    }

    /// As [`at_return`](Self::at_return), for what talks to an async driver.
    pub fn at_return_async<F>(&mut self, undo: F)
    where
        F: for<'a> FnOnce(&'a mut K::Connection) -> BoxFuture<'a, Result<(), HookError>>
            + Send
            + 'static,
    {
        self.undo_at_return(Box::new(move |connection| Answer::Later(undo(connection))));
        self.entry_mut().connection.awaits = true;
    }

    fn undo_at_return(&mut self, finalizer: Finalizer<K::Connection>) {
        let shared = Arc::clone(self.shared());
        let entry = self.entry_mut();
        entry.connection.finalizers.push(finalizer.into());
        if !shared.is_foreign() {
            shared.enter(|machine| machine.is_special(entry));
        }
    }

    /// Returns the connection as one that is not to be lent again, and with a fault of the server's
    /// none of its generation. Its slot is free for the next as soon as it is closed. Does not block.
    pub fn invalidate(self, fault: Fault) {
        self.invalidate_for(fault, None);
    }

    /// As [`invalidate`](Self::invalidate); hooks are told the reason.
    pub fn invalidate_because(self, fault: Fault, reason: impl Error + Send + Sync + 'static) {
        self.invalidate_for(fault, Some(Arc::new(reason)));
    }

    fn invalidate_for(mut self, fault: Fault, reason: Option<Reason>) {
        let Loan { shared, mut entry } = self.take();
        if shared.is_foreign() {
            return leave_alone(entry);
        }
        entry.connection.reason = reason;
        (entry.connection.is_spent, entry.connection.owes_checkin) = (false, true);
        let fault = fault.max(Fault::Connection);
        shared.report(|machine, now| machine.invalidated(entry, fault, now));
    }

    /// Has the connection replaced once it is returned; until then it can be used (SQLAlchemy's soft
    /// invalidation). Does not block.
    pub fn invalidate_soft(&mut self) {
        self.soften(None);
    }

    /// As [`invalidate_soft`](Self::invalidate_soft); hooks are told the reason.
    pub fn invalidate_soft_because(&mut self, reason: impl Error + Send + Sync + 'static) {
        self.soften(Some(Arc::new(reason)));
    }

    fn soften(&mut self, reason: Option<Reason>) {
        let shared = Arc::clone(self.shared());
        let entry = self.entry_mut();
        (entry.connection.is_spent, entry.connection.reason) = (true, reason);
        if shared.is_foreign() {
            return;
        }
        shared.enter(|machine| machine.spent(entry));
        shared.notice(Event::SoftInvalidate, entry);
    }

    /// Takes the connection out of the pool for good; its place is free at once. Does not block.
    pub fn detach(mut self) -> Detached<K, R> {
        let Loan { shared, mut entry } = self.take();
        let place = (entry.slot(), entry.generation());
        if shared.is_foreign() {
            return Detached::new(shared, entry.connection);
        }
        let record_info = std::mem::take(&mut entry.connection.record_info);
        shared.keep_record_info(place.0, record_info);
        // What was to be undone for the pool's next user is nobody's business any more.
        entry.connection.finalizers.clear();
        let mut held = shared.report(|machine, now| machine.detached(entry, now));
        block_on(shared.notify(Event::Detach, &mut held, place));
        Detached::new(shared, held)
    }

    /// The driver's connection by itself, and its place in the pool, to which it can be put back. Until then
    /// the pool counts it as lent, and no hook hears of it. Does not block.
    pub fn take_out(mut self) -> (K::Connection, Reserved<K, R>) {
        Reserved::take_out(self.take(), self.waits)
    }

    /// The driver's connection, which keeps its place in the pool for ever: the pool counts it as lent,
    /// and a close of the pool waits for it. No hook hears of it any more. Does not block.
    pub fn leak(mut self) -> K::Connection {
        let Loan { entry, .. } = self.take();
        entry.connection.connection
    }
}

impl<K: Connector, R: Runtime> Deref for Lease<K, R> {
    type Target = K::Connection;

    #[inline]
    fn deref(&self) -> &K::Connection {
        &self.entry().connection.connection
    }
}

impl<K: Connector, R: Runtime> DerefMut for Lease<K, R> {
    #[inline]
    fn deref_mut(&mut self) -> &mut K::Connection {
        &mut self.entry_mut().connection.connection
    }
}

impl<K: Connector, R: Runtime> Drop for Lease<K, R> {
    #[inline]
    fn drop(&mut self) {
        if let Some(loan) = self.loan.take() {
            take_back(loan, self.waits);
        }
    }
}

/// What almost every return comes to, or `rest_by_age`, `take_back_to_nest`, or `take_back_slowly`.
#[inline]
fn take_back<K: Connector, R: Runtime>(loan: Loan<K, R>, waits: bool) {
    let Loan { shared, mut entry } = loan;
    let residue = shared.residue(&mut entry.connection);
    if residue != Residue::Clean {
        return shared.take_back_slowly(entry, residue, waits);
    }
    let Some(mut machine) = shared.try_lock() else {
        return take_back_to_nest(Loan { shared, entry }, waits);
    };
    if let Some(entry) = machine.rest_plainly(entry) {
        shared.rest_by_age(machine, entry, waits);
    }
}

impl<K: Connector, R: Runtime> Shared<K, R> {
    /// Calls the hooks of a notice here and now.
    fn notice(&self, event: Event, entry: &mut HeldEntry<K, R>) {
        let place = (entry.slot(), entry.generation());
        block_on(self.notify(event, &mut entry.connection, place));
    }

    #[inline(never)]
    pub(crate) fn rest_by_age(
        self: &Arc<Self>,
        mut machine: Guard<'_, PoolMachine<K, R>>,
        entry: HeldEntry<K, R>,
        waits: bool,
    ) {
        let Some(entry) = machine.rest_by_age(entry) else {
            return self.leave(machine);
        };
        if self.is_special(&entry) {
            drop(machine);
            return self.take_back_slowly(entry, Residue::Clean, waits);
        }
        if self.nests.are_open() {
            let _checkouts = self.close_nests(&mut machine);
        }
        let to_reset = machine.given_back(entry, Residue::Clean, &now);
        self.leave(machine);
        if let Some(entry) = to_reset {
            self.return_in_background(entry, Residue::Clean, waits);
        }
    }

    /// Whether anything is to be known or done before this connection is given back.
    fn is_special(&self, entry: &HeldEntry<K, R>) -> bool {
        let held = &entry.connection;
        self.is_foreign()
            || held.home.is_over()
            || self.board.is_any_heard(RETURN)
            || !held.finalizers.is_empty()
    }

    #[inline]
    fn residue(&self, held: &mut Held<K, R>) -> Residue {
        let residue = shielded(|| self.connector.residue(&mut held.connection));
        residue.unwrap_or(Residue::Broken)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn take_back_slowly(
        self: &Arc<Self>,
        mut entry: HeldEntry<K, R>,
        residue: Residue,
        waits: bool,
    ) {
        if self.is_foreign() {
            return leave_alone(entry);
        }
        // Nothing is at rest that belongs to a runtime which is over, and no short cut leads there.
        let residue = at_home(&entry, residue);
        entry.connection.is_spent &= residue != Residue::Broken;
        if self.board.is_any_heard(RETURN) || !entry.connection.finalizers.is_empty() {
            return self.take_back_with_hooks(entry, residue, waits);
        }
        // Before the lock is taken, for which others wait.
        let now = now();
        let to_reset = self.enter(|machine| {
            // Again, under the lock: what the runtime's end means may have been told before.
            let residue = at_home(&entry, residue);
            machine.given_back(entry, residue, &now)
        });
        if let Some(entry) = to_reset {
            self.return_in_background(entry, residue, waits);
        }
    }

    fn take_back_with_hooks(
        self: &Arc<Self>,
        mut entry: HeldEntry<K, R>,
        residue: Residue,
        waits: bool,
    ) {
        if residue == Residue::Broken {
            entry.connection.owes_checkin = true;
            let now = now();
            let nothing = self.enter(|machine| machine.given_back(entry, residue, &now));
            return debug_assert!(nothing.is_none(), "what is broken is not reset");
        }
        self.report(|machine, now| machine.held_back(&entry, now));
        let awaits = self.board.is_any_awaited(RETURN) || entry.connection.awaits;
        if awaits || self.is_to_be_reset(residue) {
            return self.return_in_background(entry, residue, waits);
        }
        let job = Job::new(self, Debt::Return(entry));
        let mut work: Work = Box::pin(give_back(job, residue));
        let done = at_once(&mut work);
        debug_assert!(done.is_some(), "nothing in it waits");
    }

    fn return_in_background(
        self: &Arc<Self>,
        entry: HeldEntry<K, R>,
        residue: Residue,
        waits: bool,
    ) {
        let home = Arc::clone(&entry.connection.home);
        let work = give_back(Job::new(self, Debt::Return(entry)), residue);
        if !waits {
            return spawn(&home, Box::pin(work));
        }
        let (done, finished) = mpsc::sync_channel::<()>(0);
        let work = async move {
            let _dropped_at_the_end = done;
            work.await;
        };
        spawn(&home, Box::pin(work));
        // Nothing is ever sent: the wait ends when the sender is dropped, or with the patience.
        let _ended = finished.recv_timeout(self.options.reset_timeout);
    }
}

/// What is left on a connection, which is of no use without its runtime.
fn at_home<K: Connector, R>(entry: &HeldEntry<K, R>, residue: Residue) -> Residue {
    match entry.connection.home.is_over() {
        true => Residue::Broken,
        false => residue,
    }
}

impl<K: Connector, R: Runtime> fmt::Debug for Lease<K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generation = self.loan.as_ref().map(|loan| loan.entry.generation());
        f.debug_struct("Lease")
            .field("generation", &generation)
            .finish_non_exhaustive()
    }
}
