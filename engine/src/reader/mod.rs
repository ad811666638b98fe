//! Whether a transaction is open on a connection whose client library does not tell: by reading along
//! what is sent on it. This file alone changes a [`Reader`]'s state.
//!
//! It never says that nothing is open where something is. Where a text is not understood it says
//! "maybe", and that costs a ROLLBACK.

mod effect;
mod mysql;
mod postgresql;
mod sqlite;
#[cfg(test)]
mod tests;
mod text;

use crate::Backend;
use effect::Effect;

/// Reads what is sent on one connection.
///
/// It is told of every text before it is sent, and of its answer. A connection to MySQL or MariaDB must
/// be in autocommit mode; where it is not, [`distrust`](Self::distrust) says so.
///
/// On MySQL and MariaDB a plain `COMMIT` begins the next transaction after `SET completion_type`. A
/// reader by [`default`](Self::default) knows nothing of that setting, so only an end with `AND NO CHAIN`
/// is one to it. To one that is [`new`](Self::new) the setting is as the server has it at first,
/// `NO_CHAIN`, until a text could have changed it. That a stored function or a trigger did, no text
/// tells.
///
/// What a ROLLBACK does not undo (user variables, `SET`, temporary
/// tables, `LOCK TABLES`, `GET_LOCK`) stays on the connection, as it does in SQLAlchemy.
///
/// ```
/// use everpool_engine::{Backend, reader::Reader};
///
/// let mut reader = Reader::default();
/// reader.sent("SELECT 1");
/// reader.succeeded();
/// assert!(!reader.may_be_open());
///
/// reader.sent("/* a leftover */ begin");
/// assert!(reader.may_be_open());
/// reader.sent("COMMIT AND NO CHAIN");
/// reader.succeeded();
/// assert!(!reader.may_be_open());
///
/// let mut reader = Reader::new(Backend::Postgresql);
/// reader.sent("CALL whoever_knows_what()");
/// assert!(!reader.may_be_open());
/// ```
#[derive(Debug)]
pub struct Reader {
    backend: Backend,
    state: State,
    /// What the text does that was sent last, until it is answered.
    sent: Effect,
    /// Something was sent after which any statement may open a transaction.
    distrusts: bool,
    /// A plain end may begin the next transaction.
    chains: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is open. → MaybeOpen
    Closed,
    /// → Closed by an end that succeeds; → Undone by a failure
    MaybeOpen,
    /// The program takes for open what the server will only roll back, or has. → Closed by an end that
    /// succeeds; → MaybeOpen by a return to a savepoint, or a begin
    Undone,
}

/// Error 1213: the whole transaction is rolled back, and what follows is committed by itself.
const DEADLOCK: &str = "Deadlock found when trying to get lock";

impl Default for Reader {
    /// One of a connection to MySQL or MariaDB, of whose settings nothing is known.
    fn default() -> Self {
        Self {
            chains: true,
            ..Self::new(Backend::Mysql)
        }
    }
}

impl Reader {
    /// Reads what is sent to this database. On MySQL and MariaDB the connection must have
    /// `autocommit = 1` and `completion_type = NO_CHAIN`.
    pub fn new(backend: Backend) -> Self {
        Self {
            backend,
            state: State::Closed,
            sent: Effect::Keeps,
            distrusts: false,
            chains: false,
        }
    }

    /// A text is about to be sent, of one statement or several.
    #[inline]
    pub fn sent(&mut self, sql: &str) {
        let effect = self.effect(sql);
        self.sent = effect;
        self.distrusts |= effect == Effect::Obscures;
        self.state = match (effect, self.state) {
            (Effect::Keeps | Effect::Returns, State::Closed) if !self.distrusts => State::Closed,
            (Effect::Ends, state) => state,
            (_, State::Undone) if self.stays_undone(effect) => State::Undone,
            _ => State::MaybeOpen,
        };
    }

    fn effect(&self, sql: &str) -> Effect {
        let effect = match self.backend {
            Backend::Postgresql => postgresql::effect(sql),
            Backend::Mysql => mysql::effect(sql),
            Backend::Sqlite => sqlite::effect(sql),
        };
        match effect {
            Effect::EndsUnlessChained if self.chains || self.distrusts => Effect::Opens,
            Effect::EndsUnlessChained => Effect::Ends,
            effect => effect,
        }
    }

    /// PostgreSQL refuses all but the end of a failed transaction; after a deadlock, MySQL takes anything.
    fn stays_undone(&self, effect: Effect) -> bool {
        effect == Effect::Keeps || self.backend == Backend::Postgresql
    }

    /// What was sent last succeeded.
    #[inline]
    pub fn succeeded(&mut self) {
        let sent = std::mem::replace(&mut self.sent, Effect::Keeps);
        self.state = match (sent, self.state) {
            (Effect::Ends, _) => State::Closed,
            (Effect::Begins | Effect::Returns, State::Undone) => State::MaybeOpen,
            (_, state) => state,
        };
    }

    /// The database answered what was sent last by an error with this message.
    pub fn failed(&mut self, message: &str) {
        self.given_up();
        let is_undone = match self.backend {
            Backend::Postgresql => true,
            Backend::Mysql => message.starts_with(DEADLOCK),
            Backend::Sqlite => false,
        };
        if is_undone && self.state == State::MaybeOpen {
            self.state = State::Undone;
        }
    }

    /// What was sent last was not answered by the database, or not sent after all.
    pub fn given_up(&mut self) {
        self.sent = Effect::Keeps;
    }

    /// Whether the server will only roll back what the program has not ended yet, or has already: on
    /// PostgreSQL after a statement failed, elsewhere after a deadlock. A COMMIT would succeed, and
    /// commit nothing.
    pub fn is_undone(&self) -> bool {
        self.state == State::Undone
    }

    /// Whether what was sent last, and is not answered yet, ends the transaction if it succeeds.
    pub fn is_ending(&self) -> bool {
        self.sent == Effect::Ends
    }

    /// Whether a transaction may be open. If not, none is.
    #[inline]
    pub fn may_be_open(&self) -> bool {
        self.state != State::Closed
    }

    /// Something was done that was not read, and left the meaning of words as it was.
    pub fn missed(&mut self) {
        self.state = State::MaybeOpen;
    }

    /// Something was done that was not read, or the connection is not in the mode that the words are
    /// read in. From now on it says "maybe" after every statement.
    pub fn distrust(&mut self) {
        self.distrusts = true;
        self.missed();
    }

    /// The connection is in the mode that the words are read in, for the server was asked.
    pub fn trust(&mut self) {
        self.distrusts = false;
    }
}
