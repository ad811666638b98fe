use std::{error::Error, fmt, sync::Arc, time::Duration};

use crate::{
    hook::{Answer, BoxFuture, Hook, HookError, Record, ResetState, Scene},
    listeners::{Board, Event, LeakHook, Wait, WaitHook},
    machine::Holder,
    sync::Ordering,
};

/// Registers hooks on a pool; SQLAlchemy's `PoolEvents`.
///
/// Hooks run in the order of their registration, without any lock of the pool. One that fails or
/// panics costs at most its connection. Those registered while the pool is in use are called from
/// then on. They live as long as the pool, so one that captures a handle to it keeps it for ever.
///
/// A hook of `checkout` runs in the thread or task that takes the connection, within its deadline;
/// those of `connect` and `first_connect`, and those of connections that are closed, in the pool's
/// background. Those of `reset` and `checkin` run where the connection is returned, unless something
/// must be sent or awaited: then in the background.
///
/// ```
/// # use everpool_core::{Connector, ConnectFault, Fault, Residue, ResetOnReturn, Options, blocking::Pool};
/// # struct Numbers;
/// # impl Connector for Numbers {
/// #     type Connection = u32;
/// #     type Error = std::io::Error;
/// #     async fn connect(&self) -> std::io::Result<u32> { Ok(0) }
/// #     async fn ping(&self, _: &mut u32) -> std::io::Result<()> { Ok(()) }
/// #     async fn reset(&self, _: &mut u32, _: ResetOnReturn) -> std::io::Result<()> { Ok(()) }
/// #     async fn close(&self, _: u32) {}
/// #     fn residue(&self, _: &mut u32) -> Residue { Residue::Clean }
/// #     fn fault(&self, _: &std::io::Error, _: &mut u32) -> Fault { Fault::Server }
/// #     fn connect_fault(&self, _: &std::io::Error) -> ConnectFault { ConnectFault::Permanent }
/// # }
/// let pool = Pool::new(Numbers, Options::default())?;
/// pool.events().connect(|connection, _record| {
///     *connection = 42;
///     Ok(())
/// });
/// assert_eq!(*pool.checkout()?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Events<'a, C> {
    board: &'a Board<C>,
    /// Called when somebody has begun to listen.
    heed: Heed<'a>,
    is_first: bool,
}

type Heed<'a> = Box<dyn Fn() + Send + Sync + 'a>;

/// What hooks that may refuse a connection say.
type Verdict = Result<(), HookError>;

impl<'a, C> Events<'a, C> {
    pub(crate) fn new(board: &'a Board<C>, heed: Heed<'a>) -> Self {
        Self {
            board,
            heed,
            is_first: false,
        }
    }

    /// What is registered with this comes before all that is there (SQLAlchemy's `insert=True`).
    #[must_use]
    pub fn insert(self) -> Self {
        Self {
            is_first: true,
            ..self
        }
    }

    fn add(&self, event: Event, hook: Hook<C>) -> &Self {
        self.board.change(event, |listeners| {
            self.place(&mut listeners.hooks[event as usize], hook);
        });
        (self.heed)();
        self
    }

    fn place<H>(&self, hooks: &mut Vec<Arc<H>>, hook: H) {
        let at = if self.is_first { 0 } else { hooks.len() };
        hooks.insert(at, Arc::new(hook));
    }

    fn add_verdict<F>(&self, event: Event, hook: F) -> &Self
    where
        F: Fn(&mut C, Record<'_>) -> Verdict + Send + Sync + 'static,
    {
        self.add(
            event,
            Box::new(move |scene| {
                Answer::Now(with_record(scene, |connection, record, _| {
                    hook(connection, record)
                }))
            }),
        )
    }

    fn add_awaited<F>(&self, event: Event, hook: F) -> &Self
    where
        F: for<'h> Fn(&'h mut C, Record<'h>) -> BoxFuture<'h, Verdict> + Send + Sync + 'static,
    {
        self.board.awaited.fetch_or(event.bit(), Ordering::Relaxed);
        self.add(
            event,
            Box::new(move |scene| match (scene.connection, scene.record) {
                (Some(connection), Some(record)) => Answer::Later(hook(connection, record)),
                _ => Answer::Now(Ok(())),
            }),
        )
    }

    /// The first connection that this pool opens, before `connect`. No other connection's `connect`
    /// is called before this has succeeded once; a failure is told to a caller, and it is tried again.
    pub fn first_connect<F>(&self, hook: F) -> &Self
    where
        F: Fn(&mut C, Record<'_>) -> Verdict + Send + Sync + 'static,
    {
        self.add_verdict(Event::FirstConnect, hook)
    }

    /// As [`first_connect`](Self::first_connect), for hooks that talk to an async driver.
    pub fn first_connect_async<F>(&self, hook: F) -> &Self
    where
        F: for<'h> Fn(&'h mut C, Record<'h>) -> BoxFuture<'h, Verdict> + Send + Sync + 'static,
    {
        self.add_awaited(Event::FirstConnect, hook)
    }

    /// Each connection that is opened, before anybody gets it. If the hook fails, it is closed and a
    /// caller is told.
    pub fn connect<F>(&self, hook: F) -> &Self
    where
        F: Fn(&mut C, Record<'_>) -> Verdict + Send + Sync + 'static,
    {
        self.add_verdict(Event::Connect, hook)
    }

    /// As [`connect`](Self::connect), for hooks that talk to an async driver.
    pub fn connect_async<F>(&self, hook: F) -> &Self
    where
        F: for<'h> Fn(&'h mut C, Record<'h>) -> BoxFuture<'h, Verdict> + Send + Sync + 'static,
    {
        self.add_awaited(Event::Connect, hook)
    }

    /// Each checkout, when its connection is there. With [`HookError::Disconnection`] the
    /// connection is closed and another one taken, twice at most.
    pub fn checkout<F>(&self, hook: F) -> &Self
    where
        F: Fn(&mut C, Record<'_>) -> Verdict + Send + Sync + 'static,
    {
        self.add_verdict(Event::Checkout, hook)
    }

    /// As [`checkout`](Self::checkout), for hooks that talk to an async driver.
    pub fn checkout_async<F>(&self, hook: F) -> &Self
    where
        F: for<'h> Fn(&'h mut C, Record<'h>) -> BoxFuture<'h, Verdict> + Send + Sync + 'static,
    {
        self.add_awaited(Event::Checkout, hook)
    }

    /// Each return, before the connection is reset; not after it was invalidated. A detached
    /// connection has no record. If the hook fails, the connection is closed.
    pub fn reset<F>(&self, hook: F) -> &Self
    where
        F: Fn(&mut C, Option<Record<'_>>, ResetState) -> Verdict + Send + Sync + 'static,
    {
        self.add(
            Event::Reset,
            Box::new(move |scene| {
                let Scene {
                    connection,
                    record,
                    reset,
                    ..
                } = scene;
                let verdict = connection.map(|connection| hook(connection, record, reset));
                Answer::Now(verdict.unwrap_or(Ok(())))
            }),
        )
    }

    /// As [`reset`](Self::reset), for hooks that talk to an async driver.
    pub fn reset_async<F>(&self, hook: F) -> &Self
    where
        F: for<'h> Fn(&'h mut C, Option<Record<'h>>, ResetState) -> BoxFuture<'h, Verdict>
            + Send
            + Sync
            + 'static,
    {
        let awaited = Event::Reset.bit();
        self.board.awaited.fetch_or(awaited, Ordering::Relaxed);
        self.add(
            Event::Reset,
            Box::new(move |scene| match scene.connection {
                Some(connection) => Answer::Later(hook(connection, scene.record, scene.reset)),
                None => Answer::Now(Ok(())),
            }),
        )
    }

    /// Each return, after the connection was reset; with no connection if it was lost or
    /// invalidated. If the hook fails, the connection is closed.
    pub fn checkin<F>(&self, hook: F) -> &Self
    where
        F: Fn(Option<&mut C>, Record<'_>) -> Verdict + Send + Sync + 'static,
    {
        self.add(
            Event::Checkin,
            Box::new(move |scene| {
                let record = scene.record.map(|record| hook(scene.connection, record));
                Answer::Now(record.unwrap_or(Ok(())))
            }),
        )
    }

    /// A connection is about to be closed because it is lost, or was said to be invalid: why, if
    /// that is known.
    pub fn invalidate<F>(&self, hook: F) -> &Self
    where
        F: Fn(&mut C, Record<'_>, Option<&(dyn Error + 'static)>) + Send + Sync + 'static,
    {
        self.add_notice(Event::Invalidate, hook)
    }

    /// A connection is to be replaced once it is returned: why, if that is known.
    pub fn soft_invalidate<F>(&self, hook: F) -> &Self
    where
        F: Fn(&mut C, Record<'_>, Option<&(dyn Error + 'static)>) + Send + Sync + 'static,
    {
        self.add_notice(Event::SoftInvalidate, hook)
    }

    /// A connection of the pool is about to be closed.
    pub fn close<F>(&self, hook: F) -> &Self
    where
        F: Fn(&mut C, Record<'_>) + Send + Sync + 'static,
    {
        self.add_notice(Event::Close, move |connection, record, _| {
            hook(connection, record);
        })
    }

    /// A connection has left the pool, with whoever has it.
    pub fn detach<F>(&self, hook: F) -> &Self
    where
        F: Fn(&mut C, Record<'_>) + Send + Sync + 'static,
    {
        self.add_notice(Event::Detach, move |connection, record, _| {
            hook(connection, record);
        })
    }

    /// A connection that had left the pool is about to be closed.
    pub fn close_detached<F>(&self, hook: F) -> &Self
    where
        F: Fn(&mut C) + Send + Sync + 'static,
    {
        self.add(
            Event::CloseDetached,
            Box::new(move |scene| {
                scene.connection.into_iter().for_each(&hook);
                Answer::Now(Ok(()))
            }),
        )
    }

    /// A caller begins to wait in the queue, or ends it. Called in that caller.
    pub fn wait(&self, hook: impl Fn(Wait<'_>) + Send + Sync + 'static) -> &Self {
        let hook: WaitHook = Box::new(hook);
        self.board
            .change(Event::Wait, |at| self.place(&mut at.waits, hook));
        self
    }

    /// A connection has been out for longer than `leak_after`: who has it, and for how long. Called
    /// in the background, once a checkout.
    pub fn leak(&self, hook: impl Fn(&Holder, Duration) + Send + Sync + 'static) -> &Self {
        let hook: LeakHook = Box::new(hook);
        self.board
            .change(Event::Leak, |at| self.place(&mut at.leaks, hook));
        self
    }

    fn add_notice<F>(&self, event: Event, hook: F) -> &Self
    where
        F: Fn(&mut C, Record<'_>, Option<&(dyn Error + 'static)>) + Send + Sync + 'static,
    {
        self.add(
            event,
            Box::new(move |scene| {
                Answer::Now(with_record(scene, |connection, record, reason| {
                    hook(connection, record, reason);
                    Ok(())
                }))
            }),
        )
    }
}

fn with_record<'a, C>(
    scene: Scene<'a, C>,
    hook: impl FnOnce(&'a mut C, Record<'a>, Option<&'a (dyn Error + 'static)>) -> Verdict,
) -> Verdict {
    match (scene.connection, scene.record) {
        (Some(connection), Some(record)) => hook(connection, record, scene.reason),
        _ => Ok(()),
    }
}

impl<C> fmt::Debug for Events<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}
