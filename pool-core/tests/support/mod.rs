//! A database that does what a test says, call by call.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
};

use everpool_core::{ConnectFault, Connector, Fault, ResetOnReturn, Residue, blocking::Pool};

/// What a driver's call does.
#[derive(Debug)]
pub(crate) enum Act {
    Ok,
    Fail,
    Panic,
    /// Says that it has begun, then blocks until the test drops or uses its end.
    Block(Sender<()>, Receiver<()>),
}

/// The test's end of a call that blocks.
pub(crate) struct Blocked {
    begun: Receiver<()>,
    release: Sender<()>,
}

impl Blocked {
    pub(crate) fn wait_until_begun(&self) {
        self.begun.recv().expect("the call begins");
    }

    pub(crate) fn release(self) {
        drop(self.release);
    }
}

pub(crate) fn block() -> (Act, Blocked) {
    let (says_begun, begun) = channel();
    let (release, released) = channel();
    (Act::Block(says_begun, released), Blocked { begun, release })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Method {
    Connect,
    Ping,
    Reset,
    Close,
    Residue,
    Fault,
    ConnectFault,
    IsAlive,
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
}

/// A connector whose every call does what its script says next, or what is usual.
pub(crate) struct Scripted {
    script: Mutex<VecDeque<(Method, Act)>>,
    calls: Mutex<Vec<Method>>,
    connections: AtomicU32,
    fault: Fault,
    connect_fault: ConnectFault,
    /// What is seen of a connection without asking the server.
    is_alive: Option<bool>,
    /// Asked for its status in every call.
    pub(crate) watched: OnceLock<Pool<Self>>,
}

impl Default for Scripted {
    fn default() -> Self {
        Self {
            script: Mutex::default(),
            calls: Mutex::default(),
            connections: AtomicU32::new(0),
            fault: Fault::Connection,
            connect_fault: ConnectFault::Permanent,
            is_alive: None,
            watched: OnceLock::new(),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Scripted {
    /// Whose fault it says the errors of ping and reset are.
    pub(crate) fn with_fault(fault: Fault) -> Self {
        Self {
            fault,
            ..Self::default()
        }
    }

    /// Connections of which it can be seen whether they are alive.
    pub(crate) fn that_looks(is_alive: bool) -> Self {
        Self {
            is_alive: Some(is_alive),
            ..Self::default()
        }
    }

    /// A server whose failed connects are worth another attempt.
    pub(crate) fn away() -> Self {
        Self {
            connect_fault: ConnectFault::Transient,
            ..Self::default()
        }
    }

    /// What the next call of `method` that has no script yet will do.
    pub(crate) fn will(&self, method: Method, act: Act) {
        locked(&self.script).push_back((method, act));
    }

    pub(crate) fn forget_script(&self) {
        locked(&self.script).clear();
    }

    pub(crate) fn calls(&self, method: Method) -> usize {
        let calls = locked(&self.calls);
        calls.iter().filter(|call| **call == method).count()
    }

    fn perform(&self, method: Method) -> Result<(), Failed> {
        if let Some(pool) = self.watched.get() {
            let _numbers = pool.status();
        }
        locked(&self.calls).push(method);
        let act = {
            let mut script = locked(&self.script);
            let next = script.iter().position(|(scripted, _)| *scripted == method);
            next.and_then(|next| script.remove(next))
        };
        match act.map_or(Act::Ok, |(_, act)| act) {
            Act::Ok => Ok(()),
            Act::Fail => Err(Failed),
            Act::Panic => panic!("{method:?} panics as scripted"),
            Act::Block(begun, released) => {
                // The test may have ended without waiting.
                let _nobody_waits = begun.send(());
                let _released = released.recv();
                Ok(())
            }
        }
    }
}

impl Connector for Scripted {
    type Connection = Connection;
    type Error = Failed;

    async fn connect(&self) -> Result<Connection, Failed> {
        self.perform(Method::Connect)?;
        Ok(Connection {
            number: self.connections.fetch_add(1, Ordering::Relaxed) + 1,
            residue: Residue::Clean,
        })
    }

    async fn ping(&self, _: &mut Connection) -> Result<(), Failed> {
        self.perform(Method::Ping)
    }

    fn is_alive(&self, _: &mut Connection) -> Option<bool> {
        let outcome = self.perform(Method::IsAlive);
        outcome.map_or(Some(false), |()| self.is_alive)
    }

    async fn reset(&self, connection: &mut Connection, _: ResetOnReturn) -> Result<(), Failed> {
        self.perform(Method::Reset)?;
        connection.residue = Residue::Clean;
        Ok(())
    }

    async fn close(&self, _: Connection) {
        // Closing has no outcome.
        let _outcome = self.perform(Method::Close);
    }

    fn residue(&self, connection: &mut Connection) -> Residue {
        let outcome = self.perform(Method::Residue);
        outcome.map_or(Residue::Broken, |()| connection.residue)
    }

    fn fault(&self, _: &Failed, _: &mut Connection) -> Fault {
        let outcome = self.perform(Method::Fault);
        outcome.map_or(Fault::Connection, |()| self.fault)
    }

    fn connect_fault(&self, _: &Failed) -> ConnectFault {
        let outcome = self.perform(Method::ConnectFault);
        outcome.map_or(ConnectFault::Permanent, |()| self.connect_fault)
    }
}
