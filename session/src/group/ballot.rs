/// Who does what next, so that all branches of a transaction are committed or none.
///
/// ```text
///            one cannot be prepared
///   voting ─────────────────────────► undoing: those that are left are rolled back
///     │ all are prepared
///     ▼
///   committing: each, whatever becomes of the others
/// ```
///
/// Those that send nothing vote first. If one alone has anything to send, it is not prepared: it is committed
/// before the others end.
///
/// ```
/// use everpool_session::group::{Ballot, Turn};
///
/// let (mut ballot, begun) = (Ballot::new(2), [true, true]);
/// assert_eq!(ballot.next(&begun), Turn::Prepare(0));
/// ballot.done(Turn::Prepare(0), true);
/// assert_eq!(ballot.next(&begun), Turn::Prepare(1));
/// ballot.done(Turn::Prepare(1), false);
/// assert_eq!(ballot.next(&begun), Turn::RollBack(0));
///
/// let (mut ballot, begun) = (Ballot::new(2), [true, false]);
/// assert_eq!(ballot.next(&begun), Turn::Prepare(1));
/// ballot.done(Turn::Prepare(1), true);
/// assert_eq!(ballot.next(&begun), Turn::CommitAlone(0));
/// ```
#[derive(Debug)]
pub struct Ballot {
    stage: Stage,
    voted: Vec<bool>,
    ended: Vec<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// → Decided, Undoing
    Voting,
    Decided,
    Undoing,
}

/// What is done next, by which of the branches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is prepared.
    Prepare(usize),
    /// It is committed in one phase: the others have nothing to send.
    CommitAlone(usize),
    /// All are prepared: none is undone from now on.
    Decide,
    /// What was prepared is committed.
    Commit(usize),
    /// It is rolled back.
    RollBack(usize),
    /// Nothing.
    Done,
}

impl Ballot {
    /// Of so many branches.
    pub fn new(branches: usize) -> Self {
        Self {
            stage: Stage::Voting,
            voted: vec![false; branches],
            ended: vec![false; branches],
        }
    }

    /// What comes next. `begun` says which branches are there on their databases.
    pub fn next(&self, begun: &[bool]) -> Turn {
        let to_be_ended = (0..self.ended.len()).find(|branch| !self.ended[*branch]);
        match (self.stage, to_be_ended) {
            (Stage::Voting, _) => self.next_vote(begun),
            (_, None) => Turn::Done,
            (Stage::Decided, Some(branch)) => Turn::Commit(branch),
            (Stage::Undoing, Some(branch)) => Turn::RollBack(branch),
        }
    }

    fn next_vote(&self, begun: &[bool]) -> Turn {
        let left = (0..self.voted.len()).filter(|branch| !self.voted[*branch]);
        let is_alone = begun.iter().filter(|begun| **begun).count() == 1;
        // What listeners do may begin more, so those that have not begun are heard first.
        match left.min_by_key(|branch| begun[*branch]) {
            Some(branch) if begun[branch] && is_alone => Turn::CommitAlone(branch),
            Some(branch) => Turn::Prepare(branch),
            None => Turn::Decide,
        }
    }

    /// What came of it.
    pub fn done(&mut self, turn: Turn, is_fine: bool) {
        match turn {
            Turn::Prepare(branch) if is_fine => self.voted[branch] = true,
            Turn::CommitAlone(branch) if is_fine => {
                (self.stage, self.ended[branch]) = (Stage::Decided, true);
            }
            Turn::Prepare(_) | Turn::CommitAlone(_) => self.stage = Stage::Undoing,
            Turn::Decide => self.stage = Stage::Decided,
            Turn::Commit(branch) | Turn::RollBack(branch) => self.ended[branch] = true,
            Turn::Done => {}
        }
    }
}
