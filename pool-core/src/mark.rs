//! Who is who among threads, for a checkout that waits for itself.

use std::{
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::sync::{global, thread_local};

global! {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
}

thread_local! {
    static MARK: Cell<usize> = const { Cell::new(0) };
}

/// A number that no other thread has or had, and no task: it is odd, and a task's is an address.
#[inline]
pub(crate) fn thread_mark() -> usize {
    let mark = MARK.with(Cell::get);
    if mark == 0 { new_mark() } else { mark }
}

#[cold]
fn new_mark() -> usize {
    let mark = NEXT.fetch_add(2, Ordering::Relaxed);
    MARK.with(|known| known.set(mark));
    mark
}
