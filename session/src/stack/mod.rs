//! What a session decides, as a value: when BEGIN and SAVEPOINT are sent and what ends them, whom it tells
//! and when, and what may be claimed of the outcome. It sends nothing and waits for nothing; a face
//! does, and says what came of it.
//!
//! ```text
//!            begin_transaction,            Send(Begin)
//!            the first statement           succeeded
//!   idle ─────────────────────► pending ─────────────► set ──┐ begin_nested: a level more,
//!     ▲                            │                     │ ▲ │ pending until a statement
//!     │                            │ end                 │ └─┘
//!     └────────────────────────────┴─────────────────────┘
//! ```
//!
//! This file changes the state of a [`Stack`], with `statements.rs`, what comes before a statement, `ends.rs`,
//! what ends a transaction, and `two_phase.rs`, what prepares one.

mod callbacks;
mod checks;
mod ending;
mod ends;
mod level;
mod refused;
mod root;
mod statements;
mod step;
mod two_phase;

use std::collections::VecDeque;

pub use callbacks::{Callback, On};
pub use ends::EndingId;
pub use level::{Origin, SessionTransaction};
pub use refused::{Cause, Refused, StateError};
pub use statements::begins_again;
pub use step::{Control, Failed, Moment, Standing, Step, Verdict};

use callbacks::Callbacks;
use checks::illegal;
use ending::{Ending, How};
use level::Level;
use root::Root;
use two_phase::Preparation;

use crate::{JoinTransactionMode, SessionSettings, TransactionId};

/// The methods of a session that change its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// `begin_nested()`
    BeginNested,
    /// A statement.
    Execute,
    /// `prepare()`
    Prepare,
    /// `commit()`
    Commit,
    /// `rollback()`
    Rollback,
    /// `close()`
    Close,
    /// `reset()`
    Reset,
    /// `invalidate()`
    Invalidate,
}

impl Method {
    const fn name(self) -> &'static str {
        match self {
            Self::BeginNested => "begin_nested",
            Self::Execute => "execute",
            Self::Prepare => "prepare",
            Self::Commit => "commit",
            Self::Rollback => "rollback",
            Self::Close => "close",
            Self::Reset => "reset",
            Self::Invalidate => "invalidate",
        }
    }
}

/// A level of a stack, as long as it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelId {
    depth: usize,
    id: u64,
}

/// The transaction of one session, with its savepoints.
#[derive(Debug, Default)]
pub struct Stack {
    settings: SessionSettings,
    /// It is bound to a connection, and this is what it makes of a transaction that is open there.
    joins: Option<JoinTransactionMode>,
    /// What the outermost level is on the database, from its first statement on.
    root: Root,
    /// The transaction, and the savepoints in it.
    levels: Vec<Level>,
    /// How many of them, from the outermost, are there on the database.
    set: usize,
    /// The number of the youngest level that there ever was.
    last_id: u64,
    /// There is a connection for it, or there was one that was lost.
    is_checked_out: bool,
    /// How often BEGIN was sent in vain.
    attempts: u32,
    /// What was sent, and not answered yet.
    awaited: Option<Awaited>,
    /// Ends under way: one, and those that its listeners call for.
    endings: Vec<Ending>,
    /// Listeners that are being told, outermost first.
    tellings: Vec<Telling>,
    /// Why nothing but a rollback can follow, and the depth of the innermost level whose rollback is
    /// enough.
    inactive: Option<(Cause, usize)>,
    /// The level whose scope the program is in. What it does belongs to that.
    scope: Option<LevelId>,
    /// The outermost level whose scope is gone, and which nobody has ended.
    forsaken: Option<LevelId>,
    transaction_id: Option<TransactionId>,
    preparation: Preparation,
    /// COMMIT was sent, now or earlier, and was not refused.
    may_have_committed: bool,
    /// It is committed, and not everybody was told.
    is_committed: bool,
    callbacks: Callbacks,
    /// Callbacks of a transaction that is over.
    due: VecDeque<Callback>,
    is_closed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Sent(Control),
    Identity,
}

/// A listener that is being told, and has the session meanwhile.
#[derive(Clone, Copy, Debug)]
struct Telling {
    moment: Moment,
    /// The method that tells it.
    method: Method,
    /// So many levels are not for it to end.
    floor: usize,
    /// So many were there.
    levels: usize,
    /// So many ends were under way.
    endings: usize,
}

impl Stack {
    /// That of a session that has begun nothing.
    pub fn new(settings: SessionSettings) -> Self {
        Self {
            settings,
            ..Self::default()
        }
    }

    /// That of a session that is bound to a connection. It has no two-phase transactions: they cannot be in
    /// others.
    pub fn joined(settings: SessionSettings) -> Self {
        Self {
            joins: Some(settings.join_transaction_mode),
            ..Self::new(SessionSettings {
                twophase: false,
                ..settings
            })
        }
    }

    /// How many of the levels that its connection has now are not the session's; `None` if it is bound to
    /// none.
    pub fn outside(&self, levels: u32) -> Option<u32> {
        self.joins?;
        let outside = match self.set {
            0 => usize::MAX,
            _ => self.root.outside(),
        };
        Some(u32::try_from(outside).unwrap_or(u32::MAX).min(levels))
    }

    /// Whether a transaction was begun, by a statement or by the program.
    pub fn in_transaction(&self) -> bool {
        !self.in_scope().is_empty()
    }

    /// Whether a savepoint was begun in it.
    pub fn in_nested_transaction(&self) -> bool {
        self.in_scope().len() > 1
    }

    /// Whether statements are taken: not after [`StateError::Inactive`], nor in a transaction that is prepared,
    /// nor after the session was closed for good.
    pub fn is_active(&self) -> bool {
        self.inactive.is_none() && !self.is_closed && !self.is_prepared()
    }

    /// The transaction, if one was begun.
    pub fn transaction(&self) -> Option<SessionTransaction> {
        self.in_scope().first().map(|level| level.transaction)
    }

    /// The innermost savepoint, if there is one.
    pub fn nested_transaction(&self) -> Option<SessionTransaction> {
        let innermost = self.in_scope().get(1..)?.last()?;
        Some(innermost.transaction)
    }

    /// Whether anything that was done in this session is committed, or may be: COMMIT was sent, and the
    /// database has not refused it.
    pub fn may_have_committed(&self) -> bool {
        let is_sent = self.awaited == Some(Awaited::Sent(Control::Commit));
        self.may_have_committed || is_sent
    }

    /// How many levels were begun, be they sent or not.
    pub fn depth(&self) -> usize {
        self.in_scope().len()
    }

    /// Begins a transaction. [`announce`](Self::announce) is to follow.
    ///
    /// # Errors
    ///
    /// There is one; or the session is closed.
    pub fn begin_transaction(&mut self) -> Result<LevelId, Refused> {
        self.check_open()?;
        self.check_scope()?;
        if self.in_transaction() {
            return Err(Refused::State(StateError::AlreadyBegun));
        }
        Ok(self.push(Origin::Begin))
    }

    /// Begins a transaction that is in no other. [`announce`](Self::announce) is to follow.
    ///
    /// # Errors
    ///
    /// There is one; or the session is closed.
    pub fn begin_durable(&mut self) -> Result<LevelId, Refused> {
        match self.in_transaction() {
            true => Err(Refused::State(StateError::NotDurable)),
            false => self.begin_transaction(),
        }
    }

    /// Begins a savepoint, and a transaction first if there is none. [`announce`](Self::announce) is to
    /// follow.
    ///
    /// # Errors
    ///
    /// The transaction takes nothing more.
    pub fn begin_nested(&mut self) -> Result<LevelId, Refused> {
        self.check_open()?;
        self.check_usable()?;
        self.check_order()?;
        if !self.in_transaction() {
            self.check_autobegin()?;
            self.push(Origin::Begin);
        }
        Ok(self.push(Origin::BeginNested))
    }

    /// What is left to be told of levels that were begun; asked until it is `Done`.
    pub fn announce(&mut self) -> Step {
        let next = self.levels.iter_mut().find(|level| !level.is_announced);
        next.map_or(Step::Done, |level| {
            level.is_announced = true;
            Step::Tell(Moment::AfterTransactionCreate, level.transaction)
        })
    }

    /// Has something done after the transaction, once it is certain what became of the innermost level: a
    /// savepoint that is rolled back, or all of it. Begins a transaction if there is none;
    /// [`announce`](Self::announce) is to follow.
    ///
    /// # Errors
    ///
    /// There is no transaction that could be committed.
    pub fn add_callback(&mut self, on: On, callback: Callback) -> Result<(), Refused> {
        self.check_open()?;
        self.check_usable()?;
        if !self.in_transaction() {
            self.check_autobegin()?;
            self.push(Origin::Autobegin);
        }
        let innermost = self.levels.len() - 1;
        self.callbacks.add(innermost, on, callback);
        Ok(())
    }

    /// The program is in the scope of this level: when it has ended, nothing is sent. Gives the scope
    /// around it, to be [left for](Self::leave) again.
    pub fn enter(&mut self, level: LevelId) -> Option<LevelId> {
        self.scope.replace(level)
    }

    /// Back to the scope that [`enter`](Self::enter) gave.
    pub fn leave(&mut self, outer: Option<LevelId>) {
        self.scope = outer;
    }

    /// The scope of a level is gone, and has not ended it. [`resume`](Self::resume) rolls it back, before
    /// anything else is done. For who cannot wait.
    pub fn forsake(&mut self, level: LevelId) {
        let is_around = |outer: LevelId| outer.depth <= level.depth && self.is_open(outer);
        if self.is_open(level) && !self.forsaken.is_some_and(is_around) {
            self.forsaken = Some(level);
        }
    }

    fn forsaken(&self) -> Option<LevelId> {
        self.forsaken.filter(|level| self.is_open(*level))
    }

    /// What is open to the program.
    fn in_scope(&self) -> &[Level] {
        let levels = self
            .forsaken()
            .map_or(self.levels.len(), |level| level.depth);
        &self.levels[..levels]
    }

    /// Whether this level is still to be ended.
    pub fn is_open(&self, level: LevelId) -> bool {
        let open = self.levels.get(level.depth);
        open.is_some_and(|open| open.transaction.id == level.id)
    }

    /// The innermost level, if it is a savepoint.
    pub fn innermost_nested(&self) -> Option<LevelId> {
        let SessionTransaction { id, depth, .. } = self.nested_transaction()?;
        Some(LevelId { depth, id })
    }

    /// A listener that is given the session is told of `moment` now. Until [`told`](Self::told), it may
    /// end only what it begins itself.
    pub fn telling(&mut self, moment: Moment, transaction: SessionTransaction) {
        let ending = self.endings.last();
        let method = ending.map_or(Method::Execute, |ending| ending.method);
        let floor = match moment {
            Moment::AfterSoftRollback => self.levels.len(),
            _ => transaction.depth + 1,
        };
        self.tellings.push(Telling {
            moment,
            method,
            floor,
            levels: self.levels.len(),
            endings: self.endings.len(),
        });
    }

    /// The listener has returned, and had nothing against it; or it has failed, panicked or was abandoned.
    pub fn told(&mut self, is_content: bool) {
        let Some(telling) = self.tellings.pop() else {
            return;
        };
        self.endings.truncate(telling.endings);
        if telling.moment != Moment::AfterSoftRollback {
            if let Some(level) = self.forsaken() {
                self.inactive = Some((Cause::RollbackToFailed, level.depth.saturating_sub(1)));
            }
            // Savepoints that it has left open are part of the level that it was told of.
            self.pop_to(telling.levels);
        }
        match telling.moment {
            _ if is_content => {}
            Moment::BeforeCommit => drop(self.endings.pop()),
            Moment::AfterBegin => {
                self.inactive = Some((Cause::AfterBeginFailed, telling.floor - 1));
            }
            _ => {}
        }
    }

    fn push(&mut self, origin: Origin) -> LevelId {
        self.last_id += 1;
        let (id, depth) = (self.last_id, self.levels.len());
        self.levels.push(Level {
            transaction: SessionTransaction { id, depth, origin },
            is_announced: false,
            is_begin_told: false,
        });
        LevelId { depth, id }
    }

    fn pop_to(&mut self, levels: usize) {
        while self.levels.len() > levels {
            self.callbacks.released(self.levels.len() - 1);
            self.levels.pop();
        }
        self.set = self.set.min(levels);
    }
}
