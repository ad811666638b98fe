//! Whether this process is a child of the one in which a pool was made.
#![expect(
    unsafe_code,
    reason = "pthread_atfork is the one way to learn of a fork without a system call a checkout"
)]

use std::sync::{
    Once,
    atomic::{AtomicU32, Ordering},
};

static FORKS: AtomicU32 = AtomicU32::new(0);

/// How many forks lie between this process and the first one with a pool.
#[inline]
pub(crate) fn generation() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// From now on, forks are counted.
pub(crate) fn watch() {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(register);
}

#[cfg(unix)]
fn register() {
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: the handler is a function of this library, which is never unloaded, and it only adds
    // to an atomic, which is allowed in the child of a process with threads (it is async-signal-safe).
    let outcome = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    if outcome != 0 {
        tracing::warn!(outcome, "forks are not noticed: pthread_atfork failed");
    }
}

#[cfg(not(unix))]
fn register() {}
