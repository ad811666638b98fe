//! Whether a transaction is open on a connection whose client library does not tell: by reading along
//! what is sent on it. This file alone changes a [`Reader`]'s state.
//!
//! It never says that nothing is open where something is. Where a text is not understood it says
//! "maybe", and that costs a ROLLBACK.

mod mysql;

use crate::Backend;
use mysql::Effect;

/// Reads what is sent on one connection to MySQL or MariaDB.
///
/// It is told of every text before it is sent, and of its answer. The connection must be in autocommit
/// mode; where it is not, [`distrust`](Self::distrust) says so.
///
/// Only an end with `AND NO CHAIN` ends a transaction for sure, because after `SET completion_type` a
/// plain `COMMIT` begins the next.
///
/// What a ROLLBACK does not undo (user variables, `SET`, temporary
/// tables, `LOCK TABLES`, `GET_LOCK`) stays on the connection, as it does in SQLAlchemy.
///
/// ```
/// use everpool_engine::reader::Reader;
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
/// reader.sent("CALL whoever_knows_what()");
/// assert!(reader.may_be_open());
/// ```
#[derive(Debug, Default)]
pub struct Reader {
    state: State,
    /// Something was sent after which any statement may open a transaction.
    distrusts: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is open. → MaybeOpen, Ending
    #[default]
    Closed,
    /// A COMMIT or ROLLBACK was sent. → Closed if it succeeds, else MaybeOpen
    Ending,
    /// → Ending; → Undone by a deadlock
    MaybeOpen,
    /// The server has rolled back what the program takes for open. → MaybeOpen, Ending
    Undone,
}

/// Error 1213: the whole transaction is rolled back, and what follows is committed by itself.
const DEADLOCK: &str = "Deadlock found when trying to get lock";

impl Reader {
    /// Reads what is sent to this database.
    pub fn new(_backend: Backend) -> Self {
        Self::default()
    }

    /// A text is about to be sent, of one statement or several.
    pub fn sent(&mut self, sql: &str) {
        let effect = mysql::effect(sql);
        self.distrusts |= effect == Effect::Obscures;
        self.state = match (effect, self.state) {
            (Effect::Ends, _) => State::Ending,
            (Effect::Keeps, State::Closed) if !self.distrusts => State::Closed,
            (Effect::Keeps, State::Undone) => State::Undone,
            _ => State::MaybeOpen,
        };
    }

    /// What was sent last succeeded.
    pub fn succeeded(&mut self) {
        if self.state == State::Ending {
            self.state = State::Closed;
        }
    }

    /// What was sent last failed, with this message.
    pub fn failed(&mut self, message: &str) {
        let is_undone = message.starts_with(DEADLOCK);
        self.state = match self.state {
            State::MaybeOpen if is_undone => State::Undone,
            State::Ending => State::MaybeOpen,
            state => state,
        };
    }

    /// Whether the server has rolled back a transaction that the program has not ended yet: after a
    /// deadlock. A COMMIT would succeed, and commit nothing.
    pub fn is_undone(&self) -> bool {
        self.state == State::Undone
    }

    /// Whether a transaction may be open. If not, none is.
    pub fn may_be_open(&self) -> bool {
        self.state != State::Closed
    }

    /// Something was done that was not read, or the connection is not in the mode that the words are
    /// read in. From now on it says "maybe" after every statement.
    pub fn distrust(&mut self) {
        self.distrusts = true;
        self.state = State::MaybeOpen;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "COMMIT AND NO CHAIN";

    fn after(story: &[(&str, bool)]) -> Reader {
        let mut reader = Reader::default();
        for (sql, succeeds) in story {
            reader.sent(sql);
            match succeeds {
                true => reader.succeeded(),
                false => reader.failed("Duplicate entry '1' for key 'PRIMARY'"),
            }
        }
        reader
    }

    #[test]
    fn a_transaction_is_over_when_its_end_is_answered_and_not_before() {
        let mut reader = after(&[("BEGIN", true), ("INSERT INTO t VALUES (1)", true)]);
        assert!(reader.may_be_open());
        reader.sent(COMMIT);
        assert!(reader.may_be_open());
        reader.succeeded();
        assert!(!reader.may_be_open());
    }

    #[test]
    fn an_end_that_fails_or_is_never_answered_is_none() {
        assert!(after(&[("BEGIN", true), (COMMIT, false)]).may_be_open());
        let mut reader = after(&[("BEGIN", true)]);
        reader.sent(COMMIT);
        reader.sent("SELECT 1");
        reader.succeeded();
        assert!(reader.may_be_open());
    }

    #[test]
    fn a_failed_begin_may_have_begun() {
        assert!(after(&[("BEGIN", false)]).may_be_open());
    }

    #[test]
    fn an_end_that_may_chain_is_none() {
        assert!(after(&[("BEGIN", true), ("COMMIT", true)]).may_be_open());
    }

    #[test]
    fn a_deadlock_undoes_the_transaction_until_it_is_ended() {
        let mut reader = after(&[("BEGIN", true)]);
        reader.sent("UPDATE t SET i = 1");
        reader.failed("Deadlock found when trying to get lock; try restarting transaction");
        assert!(reader.is_undone() && reader.may_be_open());
        reader.sent("SELECT 1");
        reader.succeeded();
        assert!(reader.is_undone());
        reader.sent("ROLLBACK");
        reader.succeeded();
        assert!(!reader.is_undone());
    }

    #[test]
    fn a_deadlock_without_a_transaction_undoes_none() {
        let mut reader = Reader::default();
        reader.sent("UPDATE t SET i = 1");
        reader.failed("Deadlock found when trying to get lock; try restarting transaction");
        assert!(!reader.is_undone() && !reader.may_be_open());
    }

    #[test]
    fn a_savepoint_opens_and_ends_nothing() {
        let savepoints = [
            ("SAVEPOINT diesel_savepoint_1", true),
            ("ROLLBACK TO SAVEPOINT diesel_savepoint_1", true),
            ("RELEASE SAVEPOINT diesel_savepoint_1", true),
        ];
        assert!(!after(&savepoints).may_be_open());
        let mut story = vec![("BEGIN", true)];
        story.extend(savepoints);
        assert!(after(&story).may_be_open());
    }

    #[test]
    fn after_what_is_not_understood_every_statement_may_open_one() {
        let mut reader = after(&[("SET autocommit = 0", true)]);
        assert!(reader.may_be_open());
        for _ in 0..2 {
            reader.sent("ROLLBACK AND NO CHAIN");
            reader.succeeded();
            assert!(!reader.may_be_open());
            reader.sent("SELECT 1");
            reader.succeeded();
            assert!(reader.may_be_open());
        }
    }

    #[test]
    fn what_was_not_read_is_not_trusted() {
        let mut reader = Reader::default();
        reader.distrust();
        assert!(reader.may_be_open());
        reader.sent(COMMIT);
        reader.succeeded();
        assert!(!reader.may_be_open());
        reader.sent("SELECT 1");
        assert!(reader.may_be_open());
    }
}
