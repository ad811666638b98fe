//! What the tests have in common.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use diesel::{PgConnection, SqliteConnection};
use everpool_diesel::r2d2::{
    Builder, ConnectionManager, HandleEvent, Pool,
    event::{AcquireEvent, CheckinEvent, CheckoutEvent, ReleaseEvent, TimeoutEvent},
};
use everpool_tests::PostgreSql;

pub(crate) type Sqlite = ConnectionManager<SqliteConnection>;
pub(crate) type Postgres = ConnectionManager<PgConnection>;

pub(crate) fn in_memory() -> Sqlite {
    ConnectionManager::new(":memory:")
}

pub(crate) fn start() -> PostgreSql {
    PostgreSql::start().expect("these tests need PostgreSQL")
}

/// A pool that tests nothing, as an app has it that wants to be fast.
pub(crate) fn untested() -> Builder<Postgres> {
    Pool::builder().test_on_check_out(false)
}

pub(crate) fn pool(server: &PostgreSql, builder: Builder<Postgres>) -> Pool<Postgres> {
    builder.build(ConnectionManager::new(server.url())).unwrap()
}

/// Counts what it is told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(Arc<[AtomicUsize; 5]>);

impl Counts {
    fn count(&self, event: usize) {
        self.0[event].fetch_add(1, Ordering::SeqCst);
    }

    /// Acquired, released, checked out, checked in, timed out.
    pub(crate) fn get(&self) -> [usize; 5] {
        [0, 1, 2, 3, 4].map(|event| self.0[event].load(Ordering::SeqCst))
    }
}

impl HandleEvent for Counts {
    fn handle_acquire(&self, _: AcquireEvent) {
        self.count(0);
    }
    fn handle_release(&self, _: ReleaseEvent) {
        self.count(1);
    }
    fn handle_checkout(&self, _: CheckoutEvent) {
        self.count(2);
    }
    fn handle_checkin(&self, _: CheckinEvent) {
        self.count(3);
    }
    fn handle_timeout(&self, _: TimeoutEvent) {
        self.count(4);
    }
}
