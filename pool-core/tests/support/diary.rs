//! A scripted driver that writes down what is done with each connection, where hooks write too: so
//! a test reads the order of all that happened.

use std::{
    fmt,
    future::Future,
    pin::pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use everpool_core::{
    Capacity, CheckoutError, ConnectFault, Connector, Events, Fault, Handle, Options,
    ResetOnReturn, Residue, Runtime, blocking,
};

use crate::support::{Act, Connection, Failed, Method, Scripted};

/// Beyond what any test takes; only a deadlock lasts longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) type Pool = blocking::Pool<Told>;
pub(crate) type Lease = blocking::Lease<Told>;
pub(crate) type Refused = CheckoutError<Failed>;

/// What happened, one line each.
#[derive(Clone, Default)]
pub(crate) struct Diary(Arc<Book>);

#[derive(Default)]
struct Book {
    lines: Mutex<Vec<String>>,
    written: Condvar,
}

impl Diary {
    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self, line: impl fmt::Display) {
        self.lines().push(line.to_string());
        self.0.written.notify_all();
    }

    /// All since this was last asked, the driver's lines too.
    pub(crate) fn all(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines())
    }

    /// What hooks wrote since anything was last asked.
    pub(crate) fn events(&self) -> Vec<String> {
        let mut lines = self.all();
        lines.retain(|line| !line.starts_with("driver: "));
        lines
    }

    /// Until there is this line.
    pub(crate) fn wait_for(&self, line: &str) {
        let is_missing = |lines: &mut Vec<String>| !lines.iter().any(|known| known == line);
        let lines = self.lines();
        let waited = self
            .0
            .written
            .wait_timeout_while(lines, PATIENCE, is_missing);
        let (lines, timed_out) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!timed_out.timed_out(), "no {line:?} in {lines:?}");
    }
}

/// The scripted driver, with its diary.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) scripted: Scripted,
    pub(crate) diary: Diary,
}

impl Told {
    pub(crate) fn with(scripted: Scripted) -> Self {
        Self {
            scripted,
            diary: Diary::default(),
        }
    }

    pub(crate) fn will(&self, method: Method, act: Act) {
        self.scripted.will(method, act);
    }
}

impl Connector for Told {
    type Connection = Connection;
    type Error = Failed;

    async fn connect(&self) -> Result<Connection, Failed> {
        let connected = self.scripted.connect().await;
        match &connected {
            Ok(connection) => self
                .diary
                .write(format_args!("driver: connect {}", connection.number)),
            Err(_) => self.diary.write("driver: connect fails"),
        }
        connected
    }

    async fn ping(&self, connection: &mut Connection) -> Result<(), Failed> {
        self.diary
            .write(format_args!("driver: ping {}", connection.number));
        self.scripted.ping(connection).await
    }

    async fn reset(&self, connection: &mut Connection, how: ResetOnReturn) -> Result<(), Failed> {
        self.diary
            .write(format_args!("driver: {how:?} {}", connection.number));
        self.scripted.reset(connection, how).await
    }

    async fn close(&self, connection: Connection) {
        let number = connection.number;
        self.scripted.close(connection).await;
        self.diary.write(format_args!("driver: close {number}"));
    }

    fn residue(&self, connection: &mut Connection) -> Residue {
        self.scripted.residue(connection)
    }

    fn fault(&self, error: &Failed, connection: &mut Connection) -> Fault {
        self.scripted.fault(error, connection)
    }

    fn connect_fault(&self, error: &Failed) -> ConnectFault {
        self.scripted.connect_fault(error)
    }
}

/// Of one connection, unless told otherwise.
pub(crate) fn pool_over(connector: Told, change: impl FnOnce(&mut Options)) -> Pool {
    let mut options = Options::default();
    options.capacity = Capacity::Bounded {
        size: 1,
        overflow: 0,
    };
    change(&mut options);
    let pool = Pool::new(connector, options).expect("the options are valid");
    pool.with_timeout(PATIENCE)
}

pub(crate) fn pool_with(change: impl FnOnce(&mut Options)) -> Pool {
    pool_over(Told::default(), change)
}

pub(crate) fn pool() -> Pool {
    pool_with(|_| {})
}

pub(crate) fn lease(pool: &Pool) -> Lease {
    pool.checkout().expect("there is a connection")
}

/// Takes a connection and returns it with something left on it.
pub(crate) fn left(pool: &Pool, residue: Residue) {
    lease(pool).residue = residue;
}

pub(crate) fn refused(pool: &Pool) -> Refused {
    pool.checkout().expect_err("no connection is lent")
}

/// Until nothing is under way any more.
pub(crate) fn settled<R: Runtime>(pool: &Handle<Told, R>) {
    let end = Instant::now() + PATIENCE;
    loop {
        let status = pool.status();
        if status.connecting + status.checking + status.resetting + status.closing == 0 {
            return;
        }
        assert!(Instant::now() < end, "{status:?}");
        thread::yield_now();
    }
}

/// Has each event written down, with its connection's number.
pub(crate) fn listen(events: &Events<'_, Connection>, diary: &Diary) {
    let of = |event: &'static str| {
        let diary = diary.clone();
        move |connection: &Connection| {
            diary.write(format_args!("{event} {}", connection.number));
        }
    };
    let because = |event: &'static str| {
        let diary = diary.clone();
        move |connection: &Connection, reason: Option<&(dyn std::error::Error + 'static)>| {
            let reason = reason.map_or("-".to_owned(), ToString::to_string);
            diary.write(format_args!("{event} {}: {reason}", connection.number));
        }
    };
    let (first, connect, checkout) = (of("first_connect"), of("connect"), of("checkout"));
    let (close, detach, close_detached) = (of("close"), of("detach"), of("close_detached"));
    let (invalidate, soft) = (because("invalidate"), because("soft_invalidate"));
    let (reset, checkin) = (diary.clone(), diary.clone());
    events
        .first_connect(move |connection, _| {
            first(connection);
            Ok(())
        })
        .connect(move |connection, _| {
            connect(connection);
            Ok(())
        })
        .checkout(move |connection, _| {
            checkout(connection);
            Ok(())
        })
        .reset(move |connection, record, state| {
            let whose = if record.is_some() { "" } else { " of nobody" };
            let clean = if state.transaction_was_reset {
                ", clean"
            } else {
                ""
            };
            let last = if state.terminate_only {
                ", to be closed"
            } else {
                ""
            };
            reset.write(format_args!(
                "reset {}{whose}{clean}{last}",
                connection.number
            ));
            Ok(())
        })
        .checkin(move |connection, _| {
            match connection {
                Some(connection) => checkin.write(format_args!("checkin {}", connection.number)),
                None => checkin.write("checkin -"),
            }
            Ok(())
        })
        .invalidate(move |connection, _, reason| invalidate(connection, reason))
        .soft_invalidate(move |connection, _, reason| soft(connection, reason))
        .close(move |connection, _| close(connection))
        .detach(move |connection, _| detach(connection))
        .close_detached(move |connection| close_detached(connection));
}

/// A pool all of whose events are written down.
pub(crate) fn heard(change: impl FnOnce(&mut Options)) -> (Pool, Diary) {
    let pool = pool_with(change);
    let diary = pool.connector().diary.clone();
    listen(&pool.events(), &diary);
    (pool, diary)
}

struct Bell(Thread);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The least that a runtime does.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Bell(thread::current())));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}
