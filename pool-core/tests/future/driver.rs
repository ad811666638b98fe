//! A database behind an async driver that does what a test says, step by step.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    task::{Poll, Waker},
};

use everpool_core::{
    BoxFuture, ConnectFault, Connector, Fault, HookError, ResetOnReturn, Residue, Runtime,
    future::{Lease, Pool},
};

/// What a step does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Ok,
    Fail,
    Panic,
    /// Begins, and goes on when the test opens the gate, if ever.
    Slow(Gate),
}

/// Where an async driver waits for the test.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    has_begun: bool,
    is_open: bool,
    waiting: Vec<Waker>,
}

impl Gate {
    pub(crate) fn has_begun(&self) -> bool {
        locked(&self.0).has_begun
    }

    pub(crate) fn open(&self) {
        let waiting = {
            let mut state = locked(&self.0);
            state.is_open = true;
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    async fn pass(&self) {
        poll_fn(|context| {
            let mut state = locked(&self.0);
            state.has_begun = true;
            if state.is_open {
                return Poll::Ready(());
            }
            state.waiting.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Where a driver or a hook may be awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Connect,
    FirstConnectHook,
    ConnectHook,
    Ping,
    CheckoutHook,
    ResetHook,
    Reset,
    Finalizer,
    Checkin,
    Close,
}

#[derive(Debug)]
pub(crate) struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the script says no")
    }
}

impl std::error::Error for Failed {}

/// What a user leaves behind is what it wrote here.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) number: u32,
    pub(crate) residue: Residue,
    /// Something was begun on it that has not ended.
    pub(crate) is_amid: bool,
    script: Arc<Script>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.script.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connection {
    pub(crate) async fn step(&mut self, step: Step) -> Result<(), Failed> {
        self.is_amid = true;
        let outcome = self.script.perform(step).await;
        self.is_amid = false;
        outcome
    }

    pub(crate) fn hook(&mut self, step: Step) -> BoxFuture<'_, Result<(), HookError>> {
        Box::pin(async move { Ok(self.step(step).await?) })
    }
}

#[derive(Debug, Default)]
pub(crate) struct Script {
    acts: Mutex<VecDeque<(Step, Act)>>,
    steps: Mutex<Vec<Step>>,
    numbers: AtomicU32,
    open: AtomicUsize,
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Script {
    /// What the next step of this kind that has no script yet will do.
    pub(crate) fn will(&self, step: Step, act: Act) {
        locked(&self.acts).push_back((step, act));
    }

    /// The next step of this kind waits for the test.
    pub(crate) fn will_wait(&self, step: Step) -> Gate {
        let gate = Gate::default();
        self.will(step, Act::Slow(gate.clone()));
        gate
    }

    pub(crate) fn forget(&self) {
        locked(&self.acts).clear();
    }

    pub(crate) fn count(&self, step: Step) -> usize {
        let steps = locked(&self.steps);
        steps.iter().filter(|done| **done == step).count()
    }

    /// How many connections the program has.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    fn next(&self, step: Step) -> Act {
        locked(&self.steps).push(step);
        let mut acts = locked(&self.acts);
        let next = acts.iter().position(|(scripted, _)| *scripted == step);
        let next = next.and_then(|next| acts.remove(next));
        next.map_or(Act::Ok, |(_, act)| act)
    }

    pub(crate) fn perform_at_once(&self, step: Step) -> Result<(), Failed> {
        match self.next(step) {
            Act::Ok => Ok(()),
            Act::Fail => Err(Failed),
            Act::Panic => panic!("{step:?} panics as scripted"),
            Act::Slow(_) => unreachable!("{step:?} is not awaited"),
        }
    }

    async fn perform(&self, step: Step) -> Result<(), Failed> {
        match self.next(step) {
            Act::Ok => Ok(()),
            Act::Fail => Err(Failed),
            Act::Panic => panic!("{step:?} panics as scripted"),
            Act::Slow(gate) => {
                gate.pass().await;
                Ok(())
            }
        }
    }
}

pub(crate) struct Driver {
    pub(crate) script: Arc<Script>,
    fault: Fault,
    connect_fault: ConnectFault,
}

impl Default for Driver {
    fn default() -> Self {
        Self {
            script: Arc::default(),
            fault: Fault::Connection,
            connect_fault: ConnectFault::Permanent,
        }
    }
}

impl Driver {
    /// Whose fault it says the errors of ping and reset are.
    pub(crate) fn with_fault(fault: Fault) -> Self {
        Self {
            fault,
            ..Self::default()
        }
    }
}

impl Connector for Driver {
    type Connection = Connection;
    type Error = Failed;

    async fn connect(&self) -> Result<Connection, Failed> {
        self.script.perform(Step::Connect).await?;
        self.script.open.fetch_add(1, Ordering::Relaxed);
        Ok(Connection {
            number: self.script.numbers.fetch_add(1, Ordering::Relaxed) + 1,
            residue: Residue::Clean,
            is_amid: false,
            script: Arc::clone(&self.script),
        })
    }

    async fn ping(&self, connection: &mut Connection) -> Result<(), Failed> {
        connection.step(Step::Ping).await
    }

    async fn reset(&self, connection: &mut Connection, _: ResetOnReturn) -> Result<(), Failed> {
        connection.step(Step::Reset).await?;
        connection.residue = Residue::Clean;
        Ok(())
    }

    async fn close(&self, mut connection: Connection) {
        // Closing has no outcome.
        let _outcome = connection.step(Step::Close).await;
    }

    fn residue(&self, connection: &mut Connection) -> Residue {
        match connection.is_amid {
            true => Residue::Broken,
            false => connection.residue,
        }
    }

    fn fault(&self, _: &Failed, _: &mut Connection) -> Fault {
        self.fault
    }

    fn connect_fault(&self, _: &Failed) -> ConnectFault {
        self.connect_fault
    }
}

/// Has the hooks that are awaited do what the script says.
pub(crate) fn hooked<R: Runtime>(pool: &Pool<Driver, R>) {
    let script = Arc::clone(&pool.connector().script);
    pool.events()
        .first_connect_async(|connection, _| connection.hook(Step::FirstConnectHook))
        .connect_async(|connection, _| connection.hook(Step::ConnectHook))
        .checkout_async(|connection, _| connection.hook(Step::CheckoutHook))
        .reset_async(|connection, _, _| connection.hook(Step::ResetHook))
        .checkin(move |_, _| Ok(script.perform_at_once(Step::Checkin)?));
}

/// Leaves something to be undone, as a user may.
pub(crate) fn soil<R: Runtime>(lease: &mut Lease<Driver, R>) {
    lease.residue = Residue::Open;
    lease.at_return_async(|connection| connection.hook(Step::Finalizer));
}
