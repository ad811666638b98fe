//! A database with one table, which says what SQL is legal, and fails when it is told to.

use std::fmt;

use everpool_session::stack::Control;

/// What becomes of something that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The database says no. A transaction that it does not commit is over.
    Refused,
    /// The connection is lost before it arrives.
    LostOnTheWay,
    /// It arrives, and the answer does not.
    AnswerLost,
    /// Whoever sent it does not wait for it, and it does not arrive. Tasks only.
    Abandoned,
    /// Nor for the answer, but it arrives.
    AnswerAbandoned,
}

impl Fate {
    /// Whether the answer never comes.
    pub(crate) fn is_abandoned(self) -> bool {
        matches!(self, Self::Abandoned | Self::AnswerAbandoned)
    }
}

/// What a savepoint does whose name is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// Hides the other: PostgreSQL, SQLite.
    Hide,
    /// Takes its place: MySQL.
    Replace,
}

#[derive(Debug)]
pub(crate) struct Trouble(pub(crate) &'static str);

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Trouble {}

/// What stands in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Row(u32),
    Savepoint(u32),
}

#[derive(Debug, Default)]
struct Transaction {
    log: Vec<Entry>,
    /// A statement failed, and all others do until the end.
    is_aborted: bool,
}

#[derive(Debug, Default)]
struct Connection {
    is_lost: bool,
    transaction: Option<Transaction>,
}

#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) committed: Vec<u32>,
    names: Names,
    /// What stands in the transaction that is prepared.
    prepared: Option<Vec<Entry>>,
    connection: Option<Connection>,
    /// What was sent so far, connects included.
    pub(crate) sent: usize,
    /// The fate of what is sent when so much was sent before.
    fate: Option<(usize, Fate)>,
}

impl Database {
    pub(crate) fn new(names: Names) -> Self {
        Self {
            committed: Vec::new(),
            names,
            prepared: None,
            connection: None,
            sent: 0,
            fate: None,
        }
    }

    /// The fate of what is sent so many steps from now.
    pub(crate) fn fate_from_now(&mut self, fate: Option<(usize, Fate)>) {
        self.fate = fate.map(|(after, fate)| (self.sent + after, fate));
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connection.as_ref().is_some_and(|c| !c.is_lost)
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.transaction().is_some_and(|open| open.is_aborted)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.transaction().is_some()
    }

    pub(crate) fn checkout(&mut self) -> Result<(), Trouble> {
        if self.is_connected() {
            return Ok(());
        }
        match self.next_fate() {
            None => {
                self.connection = Some(Connection::default());
                Ok(())
            }
            Some(_) => Err(Trouble("no connection")),
        }
    }

    /// The connection returns to the pool.
    pub(crate) fn release(&mut self) {
        assert!(!self.is_open(), "returned with a transaction open");
        self.connection = None;
    }

    pub(crate) fn invalidate(&mut self) {
        self.connection = None;
    }

    pub(crate) fn lose(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.is_lost = true;
            connection.transaction = None;
        }
    }

    /// Somebody sends ROLLBACK past the session.
    pub(crate) fn roll_back(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.transaction = None;
        }
    }

    pub(crate) fn control(&mut self, control: Control) -> Result<(), Trouble> {
        match self.next_fate() {
            None => self.obey(control),
            Some(Fate::Refused) => {
                if matches!(control, Control::Commit | Control::Prepare) {
                    self.roll_back();
                } else {
                    self.abort();
                }
                Err(Trouble("refused"))
            }
            Some(Fate::LostOnTheWay | Fate::Abandoned) => {
                self.lose();
                Err(Trouble("lost"))
            }
            Some(Fate::AnswerLost | Fate::AnswerAbandoned) => {
                let _: Result<(), Trouble> = self.obey(control);
                self.lose();
                Err(Trouble("lost"))
            }
        }
    }

    /// What is prepared ends, on whatever connection.
    pub(crate) fn end_prepared(&mut self, control: Control) -> Result<(), Trouble> {
        if !self.is_connected() {
            self.connection = Some(Connection::default());
        }
        let fate = self.next_fate();
        if matches!(fate, None | Some(Fate::AnswerLost | Fate::AnswerAbandoned)) {
            let log = self.prepared.take().expect("nothing is prepared");
            match control {
                Control::Commit => self.committed.extend(rows(&log)),
                Control::Rollback => {}
                other => panic!("{other:?} of what is prepared"),
            }
        }
        match fate {
            None => Ok(()),
            Some(Fate::Refused) => Err(Trouble("refused")),
            Some(_) => {
                self.lose();
                Err(Trouble("lost"))
            }
        }
    }

    /// Whether something is prepared, and holds its locks.
    pub(crate) fn is_prepared(&self) -> bool {
        self.prepared.is_some()
    }

    /// Somebody who has read of it ends what was left prepared.
    pub(crate) fn recover(&mut self) {
        self.prepared = None;
    }

    pub(crate) fn insert(&mut self, row: u32) -> Result<(), Trouble> {
        let fate = self.next_fate();
        if !self.is_connected() {
            return Err(Trouble("pending rollback"));
        }
        assert!(self.is_open(), "a statement outside of a transaction");
        match fate {
            Some(Fate::Refused) => self.abort(),
            Some(_) => self.lose(),
            None if self.is_aborted() => {}
            None => {
                self.open().log.push(Entry::Row(row));
                return Ok(());
            }
        }
        Err(Trouble("the statement failed"))
    }

    /// Whether what is sent next is not waited for.
    pub(crate) fn abandons(&self) -> bool {
        let fate = self.fate.filter(|(at, _)| *at == self.sent);
        fate.is_some_and(|(_, fate)| fate.is_abandoned())
    }

    fn next_fate(&mut self) -> Option<Fate> {
        let now = self.sent;
        self.sent += 1;
        self.fate.filter(|(at, _)| *at == now).map(|(_, fate)| fate)
    }

    fn abort(&mut self) {
        let connection = self.connection.as_mut();
        if let Some(open) = connection.and_then(|connection| connection.transaction.as_mut()) {
            open.is_aborted = true;
        }
    }

    fn transaction(&self) -> Option<&Transaction> {
        self.connection.as_ref()?.transaction.as_ref()
    }

    fn open(&mut self) -> &mut Transaction {
        let connection = self.connection.as_mut().expect("sent to nowhere");
        assert!(!connection.is_lost, "sent on a lost connection");
        let open = connection.transaction.as_mut();
        open.expect("sent outside of a transaction")
    }

    /// What is illegal panics; what the database may refuse is an error.
    fn obey(&mut self, control: Control) -> Result<(), Trouble> {
        if control == Control::Begin {
            let connection = self.connection.as_mut().expect("BEGIN sent to nowhere");
            assert!(connection.transaction.is_none(), "BEGIN in a transaction");
            connection.transaction = Some(Transaction::default());
            return Ok(());
        }
        let names = self.names;
        let is_aborted = self.open().is_aborted;
        let open = self.open();
        match control {
            Control::Savepoint(_) if is_aborted => return Err(Trouble("aborted")),
            Control::Savepoint(number) => {
                if names == Names::Replace {
                    open.log.retain(|entry| *entry != Entry::Savepoint(number));
                }
                open.log.push(Entry::Savepoint(number));
            }
            Control::Release(number) => {
                assert!(!is_aborted, "RELEASE in an aborted transaction");
                let at = open.savepoint(number);
                let kept = open.log.split_off(at);
                let rows = |entry: &Entry| matches!(entry, Entry::Row(_));
                open.log.extend(kept.into_iter().filter(rows));
            }
            Control::RollbackTo(number) => {
                let at = open.savepoint(number);
                open.log.truncate(at + 1);
                open.is_aborted = false;
            }
            Control::Commit => {
                assert!(!is_aborted, "COMMIT of an aborted transaction");
                let log = std::mem::take(&mut open.log);
                self.committed.extend(rows(&log));
                self.roll_back();
            }
            Control::Prepare => {
                assert!(!is_aborted, "PREPARE of an aborted transaction");
                self.prepared = Some(std::mem::take(&mut open.log));
                self.roll_back();
            }
            Control::Rollback => self.roll_back(),
            Control::Begin => unreachable!("it was obeyed above"),
        }
        Ok(())
    }
}

fn rows(log: &[Entry]) -> impl Iterator<Item = u32> {
    log.iter().filter_map(|entry| match entry {
        Entry::Row(row) => Some(*row),
        Entry::Savepoint(_) => None,
    })
}

impl Transaction {
    fn savepoint(&self, number: u32) -> usize {
        let is_it = |entry: &Entry| *entry == Entry::Savepoint(number);
        let at = self.log.iter().rposition(is_it);
        at.unwrap_or_else(|| panic!("no savepoint {number} in {:?}", self.log))
    }
}
