//! A child of a fork never closes what its parent has open, and has connections of its own.
//!
//! The child has an alarm set: if it hangs, it is killed, and that is a failure. No harness, whose
//! threads would be in the way.
#![expect(unsafe_code, reason = "a fork is unsafe, and what this is about")]

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use everpool_r2d2::{ManageConnection, Pool, PooledConnection};
use nix::{
    sys::wait::{WaitStatus, waitpid},
    unistd::{ForkResult, alarm, fork},
};

/// Seconds; only a deadlock lasts longer.
const PATIENCE: u32 = 10;

/// How often this process closed what another had opened.
static TRESPASSES: AtomicU32 = AtomicU32::new(0);

/// A connection knows the process that opened it.
struct Connection {
    process: u32,
    is_broken: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.process != process::id() {
            TRESPASSES.fetch_add(1, Ordering::SeqCst);
        }
    }
}

struct Manager;

impl ManageConnection for Manager {
    type Connection = Connection;
    type Error = Infallible;

    fn connect(&self) -> Result<Connection, Infallible> {
        let (process, is_broken) = (process::id(), false);
        Ok(Connection { process, is_broken })
    }

    fn is_valid(&self, conn: &mut Connection) -> Result<(), Infallible> {
        assert_eq!(
            conn.process,
            process::id(),
            "nobody asks another's connection"
        );
        Ok(())
    }

    fn has_broken(&self, conn: &mut Connection) -> bool {
        conn.is_broken
    }
}

/// The child returns a broken connection of its parent's, uses one of its own, and drops the pool.
fn child(pool: Pool<Manager>, inherited: PooledConnection<Manager>) -> bool {
    drop(inherited);
    let own = pool
        .get()
        .map(|connection| connection.process == process::id());
    drop(pool);
    own.unwrap_or(false) && TRESPASSES.load(Ordering::SeqCst) == 0
}

fn main() {
    let built = Pool::builder().max_size(2).build(Manager);
    let pool = built.expect("connecting does not fail");
    let mut connection = pool.get().expect("one is idle");
    connection.is_broken = true;
    // SAFETY: the child does what its parent's threads may not have finished doing nowhere but in the
    // pool, which is what is tried here, and ends without running what is registered for an exit.
    match unsafe { fork() }.expect("a process can be forked") {
        ForkResult::Child => {
            alarm::set(PATIENCE);
            let outcome = catch_unwind(AssertUnwindSafe(|| child(pool, connection)));
            // SAFETY: ends this process and does nothing else.
            unsafe { libc::_exit(i32::from(!outcome.unwrap_or(false))) }
        }
        ForkResult::Parent { child } => {
            let ended = waitpid(child, None).expect("the child can be waited for");
            assert_eq!(ended, WaitStatus::Exited(child, 0));
            assert_eq!(connection.process, process::id());
            println!("a forked child closes nothing of its parent's ... ok");
        }
    }
}
