use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// Something that a pool wants done in the background: a connect, a ping, a reset, a close.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where a pool does its work.
///
/// [`Threads`](crate::Threads), for drivers that block, brings threads of its own. `Tokio` (feature
/// `tokio`) is for drivers whose sockets belong to a runtime. Others are a few lines:
///
/// ```
/// use everpool_core::{Runtime, Work};
///
/// /// An executor that never ends: it is there whoever asks.
/// #[derive(Clone, Debug)]
/// struct Forever(std::sync::mpsc::Sender<Work>);
///
/// impl Runtime for Forever {
///     const IS_LASTING: bool = true;
///
///     fn current(&self) -> Option<Self> {
///         Some(self.clone())
///     }
///
///     fn is_same(&self, _: &Self) -> bool {
///         true
///     }
///
///     fn spawn(&self, work: Work) {
///         // Work that cannot be done any more is dropped.
///         let _is_over = self.0.send(work);
///     }
/// }
/// ```
pub trait Runtime: Clone + fmt::Debug + Send + Sync + 'static {
    /// Whether this runs for as long as any pool does. If not, the pool leaves a task in it, which is
    /// dropped with the runtime: then the connections opened there are stale.
    const IS_LASTING: bool;

    /// The runtime that the calling code runs in, if it is in one. Called when a connection is to be
    /// opened.
    fn current(&self) -> Option<Self>;

    /// Whether these are the same runtime.
    fn is_same(&self, other: &Self) -> bool;

    /// Has work done. Does not block, and may be called from anywhere: from another runtime, from
    /// none, while unwinding. Dropping the work says that it will not be done.
    fn spawn(&self, work: Work);

    /// Called whenever a task is about to be given a connection without a wait. `Pending`, with the
    /// task woken, lets other tasks run first.
    #[inline]
    fn poll_proceed(&self, _context: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}
