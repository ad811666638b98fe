//! The floor for threads: a lock, a list and a condition variable. It has no timeout, checks
//! nothing, and is not fair.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use crate::{driver::Driver, pool::ThreadPool};

#[derive(Clone, Debug)]
pub(crate) struct Floor(Arc<Shelf>);

#[derive(Debug)]
struct Shelf {
    idle: Mutex<Vec<u64>>,
    returned: Condvar,
}

impl ThreadPool for Floor {
    type Lease = Lease;

    fn open(size: u32, driver: Driver) -> Self {
        Self(Arc::new(Shelf {
            idle: Mutex::new((0..size).map(|_| driver.open_at_once()).collect()),
            returned: Condvar::new(),
        }))
    }

    fn checkout(&self) -> Lease {
        let mut idle = self.0.idle.lock();
        loop {
            if let Some(connection) = idle.pop() {
                drop(idle);
                let shelf = Arc::clone(&self.0);
                return Lease { shelf, connection };
            }
            self.0.returned.wait(&mut idle);
        }
    }
}

#[derive(Debug)]
pub(crate) struct Lease {
    shelf: Arc<Shelf>,
    connection: u64,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shelf.idle.lock().push(self.connection);
        self.shelf.returned.notify_one();
    }
}
