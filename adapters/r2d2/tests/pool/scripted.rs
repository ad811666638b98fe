//! A manager that does what a test says.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use everpool_r2d2::{
    Builder, CustomizeConnection, HandleError, HandleEvent, ManageConnection, Pool,
    event::{AcquireEvent, CheckinEvent, CheckoutEvent, ReleaseEvent, TimeoutEvent},
};

#[derive(Debug, PartialEq)]
pub(crate) struct Failed(pub(crate) &'static str);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Failed {}

/// What a manager and all that listen to its pool have written down, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap()
    }

    pub(crate) fn note(&self, line: impl Into<String>) {
        self.lock().push(line.into());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.lock())
    }

    pub(crate) fn count(&self, line: &str) -> usize {
        self.lock().iter().filter(|noted| *noted == line).count()
    }
}

/// A connection is a number, and notes when it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) number: u32,
    diary: Diary,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.diary.note(format!("drop {}", self.number));
    }
}

/// What a server can do to a pool.
#[derive(Debug, Default)]
pub(crate) struct Server {
    opened: AtomicU32,
    pub(crate) is_down: AtomicBool,
    pub(crate) is_invalid: AtomicBool,
    pub(crate) is_broken: AtomicBool,
    pub(crate) diary: Diary,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Manager(pub(crate) Arc<Server>);

impl ManageConnection for Manager {
    type Connection = Connection;
    type Error = Failed;

    fn connect(&self) -> Result<Connection, Failed> {
        if self.0.is_down.load(Ordering::SeqCst) {
            return Err(Failed("the server is down"));
        }
        Ok(Connection {
            number: self.0.opened.fetch_add(1, Ordering::SeqCst) + 1,
            diary: self.0.diary.clone(),
        })
    }

    fn is_valid(&self, conn: &mut Connection) -> Result<(), Failed> {
        self.0.diary.note(format!("valid? {}", conn.number));
        match self.0.is_invalid.load(Ordering::SeqCst) {
            true => Err(Failed("no sign of life")),
            false => Ok(()),
        }
    }

    fn has_broken(&self, conn: &mut Connection) -> bool {
        self.0.diary.note(format!("broken? {}", conn.number));
        self.0.is_broken.load(Ordering::SeqCst)
    }
}

/// Writes everything down.
#[derive(Clone, Debug)]
pub(crate) struct Listener(pub(crate) Diary);

impl HandleEvent for Listener {
    fn handle_acquire(&self, _: AcquireEvent) {
        self.0.note("acquire");
    }
    fn handle_release(&self, _: ReleaseEvent) {
        self.0.note("release");
    }
    fn handle_checkout(&self, _: CheckoutEvent) {
        self.0.note("checkout");
    }
    fn handle_timeout(&self, event: TimeoutEvent) {
        self.0.note(format!("timeout {:?}", event.timeout()));
    }
    fn handle_checkin(&self, _: CheckinEvent) {
        self.0.note("checkin");
    }
}

impl CustomizeConnection<Connection, Failed> for Listener {
    fn on_acquire(&self, conn: &mut Connection) -> Result<(), Failed> {
        self.0.note(format!("on_acquire {}", conn.number));
        Ok(())
    }
    fn on_release(&self, conn: Connection) {
        self.0.note(format!("on_release {}", conn.number));
    }
}

impl HandleError<Failed> for Listener {
    fn handle_error(&self, error: Failed) {
        self.0.note(format!("error: {error}"));
    }
}

pub(crate) fn listened_to(manager: &Manager) -> Builder<Manager> {
    let listener = Listener(manager.0.diary.clone());
    Pool::builder()
        .max_size(1)
        .event_handler(Box::new(listener.clone()))
        .connection_customizer(Box::new(listener.clone()))
        .error_handler(Box::new(listener))
}

pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..20_000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("not within 20 s: {what}");
}
