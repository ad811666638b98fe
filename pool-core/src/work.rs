//! Who does what the machine asks for: connecting, pinging, resetting, closing.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Weak},
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    connector::Connector,
    error::ConnectFailure,
    held::{Held, Reason},
    home::Home,
    hook::{Answer, HookError, ResetState, Scene},
    info::Info,
    job::{Debt, Job},
    listeners::Event,
    machine::{Action, Cause, ConnectFault, Fault, Holder, Permit, ResetOnReturn, Residue, Time},
    now::now,
    panics::{shielded, survive},
    runtime::{Runtime, Work},
    shared::{Setting, Shared, wake},
};

impl<K: Connector, R: Runtime> Shared<K, R> {
    pub(crate) fn perform(self: &Arc<Self>, action: Action<Box<Held<K, R>>>) {
        match action {
            Action::Wake(waker) => wake(waker),
            Action::TickAt(at) => self.at(at, Self::tick_now),
            // In a model, time does not pass, and is not waited for.
            Action::Connect { permit, not_before } if cfg!(loom) || not_before <= now() => {
                self.launch(permit);
            }
            Action::Connect { permit, not_before } => {
                self.at(not_before, |pool| pool.launch(permit));
            }
            Action::Ping(entry) => {
                let home = Arc::clone(&entry.connection.home);
                let job = Job::new(self, Debt::Ping(entry));
                spawn(&home, Box::pin(ping(job)));
            }
            Action::Close(closing, held) => {
                let home = Arc::clone(&held.home);
                let job = Job::new(self, Debt::Close(closing));
                spawn(&home, Box::pin(close(job, held)));
            }
            Action::Leaked(holder, held) => {
                tracing::warn!(target: "everpool::pool", ?held, "A connection was not returned: {holder}");
                self.report_leak(holder, held);
            }
        }
    }

    /// Later, unless the pool is gone by then.
    fn at(self: &Arc<Self>, time: Time, then: impl FnOnce(&Arc<Self>) + Send + 'static) {
        let pool: Weak<Self> = Arc::downgrade(self);
        self.clock.at(time, move || {
            if let Some(pool) = pool.upgrade() {
                then(&pool);
            }
        });
    }

    fn tick_now(this: &Arc<Self>) {
        this.tick();
    }

    /// Time has passed.
    pub(crate) fn tick(self: &Arc<Self>) {
        self.report(|machine, now| {
            machine.tick(now, |after| Arc::new(ConnectFailure::Unanswered(after)));
        });
    }

    fn launch(self: &Arc<Self>, permit: Permit) {
        let Some(home) = self.here() else {
            let failure = Arc::new(ConnectFailure::NoRuntime);
            return self.report(|machine, now| {
                machine.connect_failed(permit, failure, ConnectFault::Permanent, now);
            });
        };
        let job = Job::new(self, Debt::Connect(permit, Arc::clone(&home)));
        spawn(&home, Box::pin(connect(job)));
    }

    /// A caller may have to wait. Whoever opens a connection for it later, like the clock's thread,
    /// may be in no runtime, and needs to know of this one.
    pub(crate) fn meet(self: &Arc<Self>) {
        if !R::IS_LASTING && shielded(|| self.homes.is_last_here()) != Some(true) {
            let _known_from_now_on = self.here();
        }
    }

    /// In the background: the hooks may take their time, and connections of this pool.
    fn report_leak(self: &Arc<Self>, holder: Holder, held: Duration) {
        if !self.board.is_any_heard(Event::Leak.bit()) {
            return;
        }
        let listeners = self.board.listeners();
        match self.here() {
            Some(home) => spawn(
                &home,
                Box::pin(async move { listeners.leaks(&holder, held) }),
            ),
            None => listeners.leaks(&holder, held),
        }
    }

    fn here(self: &Arc<Self>) -> Option<Arc<Home<R>>> {
        let (home, is_new) = shielded(|| self.homes.here()).flatten()?;
        if is_new && !R::IS_LASTING {
            shielded(|| self.watch(&home))?;
        }
        Some(home)
    }

    /// Leaves a task in a runtime that tells its end.
    fn watch(self: &Arc<Self>, home: &Arc<Home<R>>) {
        let sentinel = Sentinel(Arc::downgrade(self), Arc::clone(home));
        home.runtime.spawn(Box::pin(async move {
            poll_fn(|context| sentinel.1.is_left(context)).await;
        }));
    }

    /// The output, unless it takes longer. No timer is set for what is ready at once.
    pub(crate) async fn bounded<T>(
        &self,
        patience: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = pin!(work);
        let mut sleep = None;
        poll_fn(|context| {
            if let Poll::Ready(output) = work.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            let sleep = sleep.get_or_insert_with(|| Box::pin(self.clock.sleep(patience)));
            sleep.as_mut().poll(context).map(|()| None)
        })
        .await
    }

    async fn open(
        &self,
        permit: &Permit,
        home: Arc<Home<R>>,
    ) -> Result<Box<Held<K, R>>, ConnectFailure<K::Error>> {
        let connected = self.connector.connect().await;
        let connection = connected.map_err(ConnectFailure::Driver)?;
        let info = self.take_record_info(permit.slot());
        let mut held = Box::new(Held::new(connection, info, home));
        match self.introduce(&mut held, permit).await {
            Ok(()) => Ok(held),
            Err(error) => {
                self.keep_record_info(permit.slot(), std::mem::take(&mut held.record_info));
                self.connector.close(held.connection).await;
                Err(ConnectFailure::Hook(error.into_inner()))
            }
        }
    }

    /// The hooks of a new connection.
    async fn introduce(&self, held: &mut Held<K, R>, permit: &Permit) -> Result<(), HookError> {
        if self.board.is_any_heard(Event::FirstConnect.bit())
            && let Some(turn) = self.first.turn().await
        {
            self.tell(Event::FirstConnect, held, permit.place()).await?;
            turn.succeeded();
        }
        self.tell(Event::Connect, held, permit.place()).await
    }

    /// All that is done with a connection that came back, before it can be lent again.
    async fn undo(
        &self,
        held: &mut Held<K, R>,
        place: Place,
        residue: Residue,
    ) -> Result<(), ReturnFailure<K::Error>> {
        held.owes_checkin = true;
        let state = ResetState {
            transaction_was_reset: residue == Residue::Clean,
            terminate_only: false,
        };
        let told = self.tell_with(Event::Reset, held, place, state).await;
        told.map_err(ReturnFailure::Hook)?;
        if self.is_to_be_reset(residue) {
            let how = self.options.reset_on_return;
            let reset = self.connector.reset(&mut held.connection, how).await;
            reset.map_err(ReturnFailure::Driver)?;
        }
        while let Some(finalizer) = held.finalizers.pop() {
            let undone = survive(|| finalizer(&mut held.connection).verdict()).await;
            let undone = undone.unwrap_or_else(|panic| Err(hook_panicked(&panic)));
            undone.map_err(ReturnFailure::Hook)?;
        }
        (held.awaits, held.owes_checkin) = (false, false);
        let told = self.tell(Event::Checkin, held, place).await;
        told.map_err(ReturnFailure::Hook)
    }

    pub(crate) fn is_to_be_reset(&self, residue: Residue) -> bool {
        let is_due = residue != Residue::Clean || self.options.reset_always;
        is_due && self.options.reset_on_return != ResetOnReturn::Nothing
    }

    pub(crate) fn fault(&self, error: &K::Error, held: &mut Held<K, R>) -> Fault {
        shielded(|| self.connector.fault(error, &mut held.connection)).unwrap_or(Fault::Connection)
    }
}

impl<K: Connector, R: Runtime> Setting<K, R> {
    /// Calls the hooks of an event, one after another, until one fails. A panic is a failure.
    pub(crate) async fn tell(
        &self,
        event: Event,
        held: &mut Held<K, R>,
        place: Place,
    ) -> Result<(), HookError> {
        self.tell_with(event, held, place, NO_RESET).await
    }

    async fn tell_with(
        &self,
        event: Event,
        held: &mut Held<K, R>,
        place: Place,
        reset: ResetState,
    ) -> Result<(), HookError> {
        if !self.board.is_any_heard(event.bit()) {
            return Ok(());
        }
        let told = survive(|| self.tell_each(event, held, place, reset)).await;
        told.unwrap_or_else(|panic| Err(hook_panicked(&panic)))
    }

    async fn tell_each(
        &self,
        event: Event,
        held: &mut Held<K, R>,
        (slot, generation): Place,
        reset: ResetState,
    ) -> Result<(), HookError> {
        let listeners = self.board.listeners();
        for hook in listeners.of(event) {
            let reason = held.reason.clone();
            let (connection, record) = held.open(slot, generation);
            let answer = hook(Scene {
                connection: Some(connection),
                record: Some(record),
                reset,
                reason: reason.as_ref().map(|reason| &**reason as _),
            });
            answer.verdict().await?;
        }
        Ok(())
    }

    /// A notice: its hooks cannot refuse anything, and their panics end here.
    pub(crate) async fn notify(&self, event: Event, held: &mut Held<K, R>, place: Place) {
        if let Err(error) = self.tell(event, held, place).await {
            tracing::error!(target: "everpool::pool", ?event, %error, "a notice was not taken");
        }
    }
}

fn hook_panicked(message: &str) -> HookError {
    HookError::Failed(format!("a hook panicked: {message}").into())
}

/// A slot, and the generation of what is in it.
pub(crate) type Place = (crate::machine::SlotId, crate::machine::Generation);

const NO_RESET: ResetState = ResetState {
    transaction_was_reset: false,
    terminate_only: false,
};

/// Why a returned connection cannot be lent again.
enum ReturnFailure<E> {
    Driver(E),
    Hook(HookError),
}

/// In a runtime that is over, or that panics, work is dropped; that tells its end.
pub(crate) fn spawn<R: Runtime>(home: &Home<R>, work: Work) {
    if !home.is_over() && shielded(|| home.runtime.spawn(work)).is_none() {
        tracing::error!(target: "everpool::pool", "a runtime panicked in spawn");
    }
}

async fn connect<K: Connector, R: Runtime>(job: Job<K, R>) {
    let pool = Arc::clone(job.pool());
    let Some((permit, home)) = job.permit() else {
        return;
    };
    let opening = survive(|| pool.open(permit, home));
    let patience = pool.options.connect_timeout;
    let outcome = match pool.bounded(patience, opening).await {
        None => Err(ConnectFailure::Unanswered(patience)),
        Some(Err(panic)) => Err(ConnectFailure::Panicked(panic)),
        Some(Ok(outcome)) => outcome,
    };
    let Some(Debt::Connect(permit, _)) = job.paid() else {
        return;
    };
    match outcome {
        Ok(held) => {
            tracing::debug!(target: "everpool::pool", "Created new connection");
            let stale = pool.report(|machine, now| {
                // Under the lock, as below: the end of its runtime may have been told before.
                if held.home.is_over() {
                    let ended = Arc::new(ConnectFailure::RuntimeEnded);
                    machine.connect_failed(permit, ended, ConnectFault::Transient, now);
                    return Some(held);
                }
                machine.connected(permit, held, now);
                None
            });
            let _panicked = shielded(|| drop(stale));
        }
        Err(failure) => {
            let fault = pool.connect_fault(&failure);
            tracing::info!(target: "everpool::pool", %failure, ?fault, "Error on connect()");
            let failure = Arc::new(failure);
            pool.report(|machine, now| machine.connect_failed(permit, failure, fault, now));
        }
    }
}

impl<K: Connector, R: Runtime> Shared<K, R> {
    fn connect_fault(&self, failure: &ConnectFailure<K::Error>) -> ConnectFault {
        match failure {
            ConnectFailure::Driver(error) => {
                let fault = shielded(|| self.connector.connect_fault(error));
                fault.unwrap_or(ConnectFault::Permanent)
            }
            ConnectFailure::Unanswered(_) | ConnectFailure::RuntimeEnded => ConnectFault::Transient,
            _ => ConnectFault::Permanent,
        }
    }
}

async fn ping<K: Connector, R: Runtime>(mut job: Job<K, R>) {
    let pool = Arc::clone(job.pool());
    let Some(entry) = job.entry() else { return };
    let pinging = survive(|| pool.connector.ping(&mut entry.connection.connection));
    let patience = pool.options.ping_timeout;
    let (failure, fault) = match pool.bounded(patience, pinging).await {
        Some(Ok(Ok(()))) => {
            let Some(Debt::Ping(entry)) = job.paid() else {
                return;
            };
            return pool.report(|machine, now| match entry.connection.home.is_over() {
                true => {
                    let ended = Arc::new(ConnectFailure::RuntimeEnded);
                    machine.ping_failed(entry, ended, Fault::Connection, now);
                }
                false => machine.pinged(entry, now),
            });
        }
        Some(Ok(Err(error))) => {
            let fault = pool.fault(&error, &mut entry.connection);
            (ConnectFailure::Driver(error), fault)
        }
        Some(Err(panic)) => (ConnectFailure::Panicked(panic), Fault::Connection),
        None => (ConnectFailure::Unanswered(patience), Fault::Server),
    };
    tracing::info!(target: "everpool::pool", %failure, ?fault, "Pool pre-ping on connection failed");
    let failure = Arc::new(failure);
    let Some(Debt::Ping(mut entry)) = job.paid() else {
        return;
    };
    entry.connection.reason = Some(Arc::<ConnectFailure<K::Error>>::clone(&failure) as Reason);
    pool.report(|machine, now| machine.ping_failed(entry, failure, fault, now));
}

async fn close<K: Connector, R: Runtime>(job: Job<K, R>, mut held: Box<Held<K, R>>) {
    let pool = Arc::clone(job.pool());
    let Some(closing) = job.closing() else { return };
    let (slot, place) = (closing.slot(), closing.place());
    let is_lost = match closing.cause() {
        Cause::Invalidated => !held.is_spent,
        Cause::PingFailed | Cause::ResetFailed => true,
        _ => false,
    };
    tracing::debug!(target: "everpool::pool", cause = ?closing.cause(), "Closing connection");
    if is_lost {
        pool.notify(Event::Invalidate, &mut held, place).await;
    }
    pool.notify(Event::Close, &mut held, place).await;
    let Held {
        connection,
        mut record_info,
        mut info,
        owes_checkin,
        ..
    } = *held;
    let closed = pool.bounded(
        pool.options.close_timeout,
        survive(|| pool.connector.close(connection)),
    );
    match closed.await {
        Some(Ok(())) => {}
        Some(Err(panic)) => {
            tracing::error!(target: "everpool::pool", panic, "Exception closing connection");
        }
        None => tracing::warn!(target: "everpool::pool", "a connection did not close in time"),
    }
    if owes_checkin {
        pool.checked_in_without(&mut info, &mut record_info, place)
            .await;
    }
    pool.keep_record_info(slot, record_info);
    let Some(Debt::Close(closing)) = job.paid() else {
        return;
    };
    pool.report(|machine, now| machine.closed(closing, now));
}

impl<K: Connector, R: Runtime> Shared<K, R> {
    /// A slot comes back without its connection.
    async fn checked_in_without(&self, info: &mut Info, record_info: &mut Info, place: Place) {
        let listeners = self.board.listeners();
        for hook in listeners.of(Event::Checkin) {
            let record = crate::hook::Record {
                info,
                record_info,
                slot: place.0,
                generation: place.1,
            };
            let told = shielded(|| {
                hook(Scene {
                    connection: None,
                    record: Some(record),
                    reset: NO_RESET,
                    reason: None,
                })
            });
            if let Some(Answer::Later(verdict)) = told {
                let _nobody_cares = survive(|| verdict).await;
            }
        }
    }
}

/// A connection came back and something is to be done with it; the machine knows.
pub(crate) async fn give_back<K: Connector, R: Runtime>(mut job: Job<K, R>, residue: Residue) {
    let pool = Arc::clone(job.pool());
    let Some(entry) = job.entry() else { return };
    let place = (entry.slot(), entry.generation());
    let undoing = survive(|| pool.undo(&mut entry.connection, place, residue));
    let patience = pool.options.reset_timeout;
    let (reason, fault): (Reason, Fault) = match pool.bounded(patience, undoing).await {
        Some(Ok(Ok(()))) => {
            let Some(Debt::Return(entry)) = job.paid() else {
                return;
            };
            return pool.report(|machine, now| match entry.connection.home.is_over() {
                true => machine.invalidated(entry, Fault::Connection, now),
                false => machine.was_reset(entry, now),
            });
        }
        Some(Ok(Err(ReturnFailure::Driver(error)))) => {
            // Whatever the error is, what was open may still be.
            let fault = pool.fault(&error, &mut entry.connection);
            (Arc::new(error), fault.max(Fault::Connection))
        }
        Some(Ok(Err(ReturnFailure::Hook(error)))) => {
            let fault = match error {
                HookError::InvalidatePool(_) => Fault::Server,
                _ => Fault::Connection,
            };
            (error.into_inner().into(), fault)
        }
        Some(Err(panic)) => (panicked::<K>(panic), Fault::Connection),
        None => {
            let failure = ConnectFailure::<K::Error>::Unanswered(patience);
            (Arc::new(failure), Fault::Connection)
        }
    };
    tracing::error!(target: "everpool::pool", %reason, "Exception during reset or similar");
    let Some(Debt::Return(mut entry)) = job.paid() else {
        return;
    };
    entry.connection.reason = Some(reason);
    pool.report(|machine, now| machine.invalidated(entry, fault, now));
}

fn panicked<K: Connector>(message: String) -> Reason {
    Arc::new(ConnectFailure::<K::Error>::Panicked(message))
}

/// Dropped with its runtime.
struct Sentinel<K: Connector, R: Runtime>(Weak<Shared<K, R>>, Arc<Home<R>>);

impl<K: Connector, R: Runtime> Drop for Sentinel<K, R> {
    fn drop(&mut self) {
        let pool = self.0.upgrade();
        if pool.as_ref().is_some_and(|pool| pool.is_foreign()) {
            return;
        }
        self.1.ends();
        if let Some(pool) = pool {
            pool.report(|machine, now| {
                machine.condemn(|held| held.home.is_over(), now);
            });
        }
    }
}

/// The future's output, if it has one at once.
pub(crate) fn at_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
