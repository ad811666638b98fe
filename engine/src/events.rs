//! What an engine tells its listeners.

use std::{
    error::Error,
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

/// What happens on a Connection, told before it is done; SQLAlchemy's `ConnectionEvents`.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A Connection was made, and has taken a connection from the pool.
    EngineConnect,
    /// A transaction begins.
    Begin,
    /// It is to be committed. That the event came does not mean that it was.
    Commit,
    /// It is to be rolled back.
    Rollback,
    /// A savepoint of this name is set.
    Savepoint(&'a str),
    /// What was done since a savepoint is to be undone.
    RollbackSavepoint(&'a str),
    /// A savepoint is to be released.
    ReleaseSavepoint(&'a str),
    /// A two-phase transaction with this identifier begins.
    BeginTwophase(&'a str),
    /// Its first phase is to end.
    PrepareTwophase(&'a str),
    /// It is to be committed; whether it was prepared.
    CommitTwophase(&'a str, bool),
    /// It is to be rolled back; whether it was prepared.
    RollbackTwophase(&'a str, bool),
    /// A statement is to be sent.
    BeforeCursorExecute(&'a dyn fmt::Display),
    /// A statement was answered, if no error stands beside it.
    AfterCursorExecute(&'a dyn fmt::Display, Option<&'a (dyn Error + 'static)>),
    /// The engine was disposed of.
    EngineDisposed,
}

impl Event<'_> {
    fn bit(&self) -> u32 {
        let kind = match self {
            Self::EngineConnect => 0,
            Self::Begin => 1,
            Self::Commit => 2,
            Self::Rollback => 3,
            Self::Savepoint(_) => 4,
            Self::RollbackSavepoint(_) => 5,
            Self::ReleaseSavepoint(_) => 6,
            Self::BeginTwophase(_) => 7,
            Self::PrepareTwophase(_) => 8,
            Self::CommitTwophase(..) => 9,
            Self::RollbackTwophase(..) => 10,
            Self::BeforeCursorExecute(_) => 11,
            Self::AfterCursorExecute(..) => 12,
            Self::EngineDisposed => 13,
        };
        1 << kind
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("kind", &self.bit().trailing_zeros())
            .finish_non_exhaustive()
    }
}

type Hook = Arc<dyn Fn(Event<'_>) + Send + Sync>;

/// The listeners of an engine, and those of the engine that it is an option of.
#[derive(Default)]
pub struct Board {
    /// Which events have a listener here.
    heard: AtomicU32,
    hooks: RwLock<Arc<Vec<(u32, Hook)>>>,
    parent: Option<Arc<Self>>,
    /// Whether anybody listens to anything, here or at a board of the same pool.
    is_any_heard: Arc<AtomicBool>,
}

impl Board {
    /// The board of an option engine: its own listeners are told first, then those of `parent`,
    /// whenever they were registered.
    pub fn option_of(parent: &Arc<Self>) -> Self {
        Self {
            parent: Some(Arc::clone(parent)),
            is_any_heard: Arc::clone(&parent.is_any_heard),
            ..Self::default()
        }
    }

    /// Set as soon as anybody listens to anything, here or at a board of the same pool.
    pub fn is_any_heard(&self) -> &Arc<AtomicBool> {
        &self.is_any_heard
    }

    /// Tells whoever listens. Does not block, but for what the listeners do.
    #[inline]
    pub fn tell(&self, event: Event<'_>) {
        let mut board = Some(self);
        while let Some(this) = board {
            if this.heard.load(Ordering::Relaxed) & event.bit() != 0 {
                this.tell_own(event);
            }
            board = this.parent.as_deref();
        }
    }

    #[cold]
    fn tell_own(&self, event: Event<'_>) {
        // No lock is held while they run.
        let hooks = Arc::clone(&self.hooks.read().unwrap_or_else(PoisonError::into_inner));
        for (bit, hook) in hooks.iter() {
            if *bit == event.bit() {
                hook(event);
            }
        }
    }

    fn add(&self, example: Event<'_>, hook: Hook) {
        let bit = example.bit();
        let mut hooks = self.hooks.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut hooks).push((bit, hook));
        self.heard.fetch_or(bit, Ordering::Relaxed);
        self.is_any_heard.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board").finish_non_exhaustive()
    }
}

/// Registers listeners on an engine, under the names of SQLAlchemy's `ConnectionEvents`.
///
/// They run in the thread of the statement, in the order of their registration, before the action
/// that they are told of, and hold no lock. One that panics panics in the caller's statement, whose
/// connection is then given up. They live as long as the engine, so one that captures a handle to it
/// keeps it for ever.
///
/// ```
/// use everpool_engine::events::{Board, Event, Events};
///
/// let board = Board::default();
/// Events::new(&board).savepoint(|name| assert_eq!(name, "a"));
/// board.tell(Event::Savepoint("a"));
/// ```
#[derive(Debug)]
pub struct Events<'a> {
    board: &'a Board,
}

impl<'a> Events<'a> {
    /// Registers on `board`.
    pub fn new(board: &'a Board) -> Self {
        Self { board }
    }

    fn add(&self, example: Event<'_>, hook: impl Fn(Event<'_>) + Send + Sync + 'static) -> &Self {
        self.board.add(example, Arc::new(hook));
        self
    }

    fn add_plain(&self, event: Event<'_>, hook: impl Fn() + Send + Sync + 'static) -> &Self {
        self.add(event, move |_| hook())
    }

    /// A Connection has taken its first connection.
    pub fn engine_connect(&self, hook: impl Fn() + Send + Sync + 'static) -> &Self {
        self.add_plain(Event::EngineConnect, hook)
    }

    /// A transaction begins.
    pub fn begin(&self, hook: impl Fn() + Send + Sync + 'static) -> &Self {
        self.add_plain(Event::Begin, hook)
    }

    /// A transaction is to be committed.
    pub fn commit(&self, hook: impl Fn() + Send + Sync + 'static) -> &Self {
        self.add_plain(Event::Commit, hook)
    }

    /// A transaction is to be rolled back.
    pub fn rollback(&self, hook: impl Fn() + Send + Sync + 'static) -> &Self {
        self.add_plain(Event::Rollback, hook)
    }

    /// A savepoint is set; its name.
    pub fn savepoint(&self, hook: impl Fn(&str) + Send + Sync + 'static) -> &Self {
        self.add(Event::Savepoint(""), move |event| {
            if let Event::Savepoint(name) = event {
                hook(name);
            }
        })
    }

    /// What was done since a savepoint is to be undone; its name.
    pub fn rollback_savepoint(&self, hook: impl Fn(&str) + Send + Sync + 'static) -> &Self {
        self.add(Event::RollbackSavepoint(""), move |event| {
            if let Event::RollbackSavepoint(name) = event {
                hook(name);
            }
        })
    }

    /// A savepoint is to be released; its name.
    pub fn release_savepoint(&self, hook: impl Fn(&str) + Send + Sync + 'static) -> &Self {
        self.add(Event::ReleaseSavepoint(""), move |event| {
            if let Event::ReleaseSavepoint(name) = event {
                hook(name);
            }
        })
    }

    /// A two-phase transaction begins; its identifier.
    pub fn begin_twophase(&self, hook: impl Fn(&str) + Send + Sync + 'static) -> &Self {
        self.add(Event::BeginTwophase(""), move |event| {
            if let Event::BeginTwophase(xid) = event {
                hook(xid);
            }
        })
    }

    /// The first phase of a two-phase transaction is to end; its identifier.
    pub fn prepare_twophase(&self, hook: impl Fn(&str) + Send + Sync + 'static) -> &Self {
        self.add(Event::PrepareTwophase(""), move |event| {
            if let Event::PrepareTwophase(xid) = event {
                hook(xid);
            }
        })
    }

    /// A two-phase transaction is to be committed; its identifier, and whether it was prepared.
    pub fn commit_twophase(&self, hook: impl Fn(&str, bool) + Send + Sync + 'static) -> &Self {
        self.add(Event::CommitTwophase("", false), move |event| {
            if let Event::CommitTwophase(xid, is_prepared) = event {
                hook(xid, is_prepared);
            }
        })
    }

    /// A two-phase transaction is to be rolled back; its identifier, and whether it was prepared.
    pub fn rollback_twophase(&self, hook: impl Fn(&str, bool) + Send + Sync + 'static) -> &Self {
        self.add(Event::RollbackTwophase("", false), move |event| {
            if let Event::RollbackTwophase(xid, is_prepared) = event {
                hook(xid, is_prepared);
            }
        })
    }

    /// A statement is to be sent. Its text has the parameters too, as the driver shows them.
    pub fn before_cursor_execute(
        &self,
        hook: impl Fn(&dyn fmt::Display) + Send + Sync + 'static,
    ) -> &Self {
        self.add(Event::BeforeCursorExecute(&""), move |event| {
            if let Event::BeforeCursorExecute(statement) = event {
                hook(statement);
            }
        })
    }

    /// A statement was answered, by an error if there is one.
    pub fn after_cursor_execute(
        &self,
        hook: impl Fn(&dyn fmt::Display, Option<&(dyn Error + 'static)>) + Send + Sync + 'static,
    ) -> &Self {
        self.add(Event::AfterCursorExecute(&"", None), move |event| {
            if let Event::AfterCursorExecute(statement, error) = event {
                hook(statement, error);
            }
        })
    }

    /// The engine was disposed of.
    pub fn engine_disposed(&self, hook: impl Fn() + Send + Sync + 'static) -> &Self {
        self.add_plain(Event::EngineDisposed, hook)
    }
}
