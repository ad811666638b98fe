//! Who is who among threads, for a checkout that waits for itself.

use std::{
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
};

thread_local! {
    static MARK: Cell<usize> = const { Cell::new(0) };
}

/// A number that no other thread has or had, and no task: it is odd, and a task's is an address.
#[inline]
pub(crate) fn thread_mark() -> usize {
    let mark = MARK.get();
    if mark == 0 { new_mark() } else { mark }
}

#[cold]
fn new_mark() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let mark = NEXT.fetch_add(2, Ordering::Relaxed);
    MARK.set(mark);
    mark
}
