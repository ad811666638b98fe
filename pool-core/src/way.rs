use crate::sync::{AtomicU32, Ordering};

/// What a checkout or a return had better try first. If it is told the wrong way, it takes longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Way {
    /// The machine's short cuts. → Nests, Queue
    Plain,
    /// The nests: they are open. → Plain, Queue
    Nests,
    /// No short cut: many wait. → Plain
    Queue,
}

/// Shows the way. Changed under the machine's lock, and only when the way changes: all read it.
#[derive(Debug)]
pub(crate) struct Signpost(AtomicU32);

impl Signpost {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(Way::Plain as u32))
    }

    #[inline(always)]
    pub(crate) fn shows(&self, way: Way) -> bool {
        self.0.load(Ordering::Relaxed) == way as u32
    }

    #[inline]
    pub(crate) fn show(&self, way: Way) {
        if !self.shows(way) {
            self.0.store(way as u32, Ordering::Relaxed);
        }
    }
}
