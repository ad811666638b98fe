use std::task::{Context, Poll};

use tokio::{runtime::Handle, task::coop};

use crate::runtime::{Runtime, Work};

/// The tokio runtime that the caller is in, whichever that is. A connection belongs to the runtime in
/// which it was opened, and is stale once that is shut down.
///
/// The pool needs no timer of tokio's.
#[derive(Clone, Debug, Default)]
pub struct Tokio(Option<Handle>);

impl Tokio {
    /// One runtime, wherever the callers are.
    pub fn new(handle: Handle) -> Self {
        Self(Some(handle))
    }
}

impl Runtime for Tokio {
    const IS_LASTING: bool = false;

    fn current(&self) -> Option<Self> {
        let handle = self.0.clone().or_else(|| Handle::try_current().ok());
        handle.map(Self::new)
    }

    fn is_same(&self, other: &Self) -> bool {
        let id = |tokio: &Self| tokio.0.as_ref().map(Handle::id);
        id(self) == id(other)
    }

    fn spawn(&self, work: Work) {
        if let Some(handle) = &self.0 {
            handle.spawn(work);
        }
    }

    #[inline]
    fn poll_proceed(&self, context: &mut Context<'_>) -> Poll<()> {
        coop::poll_proceed(context).map(|budget| budget.made_progress())
    }
}
