//! Waiting for what `min_idle` opens ahead, and taking what is there without a question.

use std::{future::poll_fn, panic::Location, task::Poll, time::Duration};

use crate::{
    blocking::Pool, connector::Connector, lease::Lease, machine::Borrower, mark::thread_mark,
    park::block_on, runtime::Runtime,
};

impl<K: Connector, R: Runtime> Pool<K, R> {
    /// Blocks until as many connections are open as `min_idle` asks for, for at most `timeout`. False
    /// if they are not; the pool goes on opening them.
    pub fn wait_for_min_idle(&self, timeout: Duration) -> bool {
        let pool = self.shared.live();
        let stocked = poll_fn(|context| {
            let mut waker = Some(context.waker().clone());
            match pool.report(|machine, now| machine.is_stocked(&mut waker, now)) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        block_on(pool.bounded(timeout, stocked)).is_some()
    }

    /// Takes a connection if one is idle, though it is due for a ping (`pre_ping`): the caller asks it
    /// for a sign of life, or does without. Not if a hook of `checkout` is to be asked. Does not block.
    #[track_caller]
    pub fn try_checkout_untested(&self) -> Option<Lease<K, R>> {
        let borrower = Borrower {
            place: Location::caller(),
            owner: thread_mark(),
        };
        let pool = &self.mine();
        if !pool.needs_no_hook() {
            return None;
        }
        let entry = pool.report(|machine, now| machine.try_checkout_untested(borrower, now))?;
        Some(Lease::new(pool, entry, true))
    }
}
