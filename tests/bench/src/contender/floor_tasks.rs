//! The floor for tasks: Tokio's semaphore, which is fair, and a locked list. It has no timeout and
//! checks nothing.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::{driver::Driver, pool::TaskPool};

#[derive(Clone, Debug)]
pub(crate) struct Floor(Arc<Shelf>);

#[derive(Debug)]
struct Shelf {
    permits: Semaphore,
    idle: Mutex<Vec<u64>>,
}

impl TaskPool for Floor {
    type Lease = Lease;

    async fn open(size: u32, driver: Driver) -> Self {
        let mut idle = Vec::new();
        for _ in 0..size {
            idle.push(driver.open().await);
        }
        Self(Arc::new(Shelf {
            permits: Semaphore::new(size as usize),
            idle: Mutex::new(idle),
        }))
    }

    async fn checkout(&self) -> Lease {
        let permit = self.0.permits.acquire().await;
        permit.expect("the semaphore is never closed").forget();
        let connection = self.0.idle.lock().pop();
        Lease {
            shelf: Arc::clone(&self.0),
            connection: connection.expect("there are as many connections as permits"),
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
        self.shelf.permits.add_permits(1);
    }
}
