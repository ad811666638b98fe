//! Waiting for what `min_idle` opens ahead, and taking what is there without a question.

use std::{future::poll_fn, panic::Location, sync::Arc, task::Poll, time::Duration};

use crate::{
    blocking, connector::Connector, future, handle::Handle, lease::Lease, machine::Borrower,
    mark::thread_mark, park::block_on, runtime::Runtime, shared::Shared,
};

impl<K: Connector, R: Runtime> Handle<K, R> {
    async fn stocked(&self, timeout: Duration) -> bool {
        let pool = self.shared.live();
        let stocked = poll_fn(|context| {
            let mut waker = Some(context.waker().clone());
            match pool.report(|machine, now| machine.is_stocked(&mut waker, now)) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        pool.bounded(timeout, stocked).await.is_some()
    }
}

impl<K: Connector, R: Runtime> blocking::Pool<K, R> {
    /// Blocks until as many connections are open as `min_idle` asks for, for at most `timeout`. False
    /// if they are not; the pool goes on opening them.
    pub fn wait_for_min_idle(&self, timeout: Duration) -> bool {
        block_on(self.stocked(timeout))
    }

    /// Takes a connection if one is idle, though it is due for a ping (`pre_ping`): the caller asks it
    /// for a sign of life, or does without. Not if a hook of `checkout` is to be asked. Does not block.
    #[track_caller]
    pub fn try_checkout_untested(&self) -> Option<Lease<K, R>> {
        let borrower = Borrower {
            place: Location::caller(),
            owner: thread_mark(),
        };
        try_untested(&self.mine(), borrower, true)
    }
}

impl<K: Connector, R: Runtime> future::Pool<K, R> {
    /// Waits until as many connections are open as `min_idle` asks for, for at most `timeout`. False
    /// if they are not; the pool goes on opening them.
    pub async fn wait_for_min_idle(&self, timeout: Duration) -> bool {
        self.stocked(timeout).await
    }

    /// Takes a connection if one is idle, though it is due for a ping (`pre_ping`): the caller asks it
    /// for a sign of life, or does without. Not if a hook of `checkout` is to be asked. Does not block.
    #[track_caller]
    pub fn try_checkout_untested(&self) -> Option<Lease<K, R>> {
        let borrower = Borrower {
            place: Location::caller(),
            owner: 0,
        };
        try_untested(self.shared.live(), borrower, false)
    }
}

fn try_untested<K: Connector, R: Runtime>(
    pool: &Arc<Shared<K, R>>,
    borrower: Borrower,
    waits: bool,
) -> Option<Lease<K, R>> {
    if !pool.needs_no_hook() {
        return None;
    }
    let entry = pool.report(|machine, now| machine.try_checkout_untested(borrower, now))?;
    Some(Lease::new(pool, entry, waits))
}
