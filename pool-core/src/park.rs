//! Waiting with a thread: polls a future in place, and sleeps between the polls.

use std::{
    cell::Cell,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use crate::{machine::Time, now::now};

use crate::sync::{
    AtomicBool, Ordering,
    thread::{self, Thread},
    thread_local,
};

/// For how many looks a thread that waits goes on before it sleeps: some microseconds, which is less
/// than sleeping and being woken takes.
const LOOKS: usize = if cfg!(loom) { 0 } else { 100 };

struct Bell {
    sleeper: Thread,
    has_rung: AtomicBool,
}

impl Bell {
    fn of_this_thread() -> Arc<Self> {
        Arc::new(Self {
            sleeper: thread::current(),
            has_rung: AtomicBool::new(false),
        })
    }

    /// Whether it rings within a moment.
    fn rings_soon(&self) -> bool {
        (0..LOOKS).any(|_| {
            std::hint::spin_loop();
            self.has_rung.load(Ordering::Relaxed)
        })
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        self.sleeper.unpark();
    }
}

thread_local! {
    /// Kept for the next wait of this thread. Whoever waits has it, so that a wait within a poll has
    /// another one, and does not hear, and forget, what is meant for the outer one.
    static BELL: Cell<Option<Arc<Bell>>> = const { Cell::new(None) };
}

/// The future's output. At the deadline, if it comes, `is_over` is called, which is to see to it that there is
/// one.
pub(crate) fn block_until<F: Future>(
    future: F,
    deadline: Time,
    mut is_over: impl FnMut(),
) -> F::Output {
    let mut future = pin!(future);
    let mut deadline = deadline;
    // While a thread ends, there is none any more.
    let kept = BELL.try_with(Cell::take).ok().flatten();
    let bell = kept.unwrap_or_else(Bell::of_this_thread);
    let waker = Waker::from(Arc::clone(&bell));
    let mut context = Context::from_waker(&waker);
    loop {
        // What rings from here on is heard below; what rang before is seen by the poll.
        bell.has_rung.store(false, Ordering::Relaxed);
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            let _thread_ends = BELL.try_with(|kept| kept.set(Some(bell)));
            return output;
        }
        if bell.rings_soon() {
            continue;
        }
        if deadline == Time::NEVER {
            thread::park();
            continue;
        }
        let left = deadline.since(now());
        if left.is_zero() {
            deadline = Time::NEVER;
            is_over();
        } else {
            park_timeout(left);
        }
    }
}

#[cfg(not(loom))]
fn park_timeout(left: std::time::Duration) {
    thread::park_timeout(left);
}

/// Time does not pass in a model.
#[cfg(loom)]
fn park_timeout(_: std::time::Duration) {
    thread::park();
}

/// The future's output.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    block_until(future, Time::NEVER, || {})
}
