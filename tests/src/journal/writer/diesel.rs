//! A worker of Diesel's.

use diesel::connection::SimpleConnection;
use everpool_diesel::{Driver, Engine, Retry, Session, SessionError, SessionMaker, create_engine};

use super::{Told, Writer, options};
use crate::journal::Failure;
use crate::journal::claim::Word;
use crate::journal::transaction::{Manner, Savepoint, Transaction};

pub(in crate::journal) struct DieselWriter<C: Driver> {
    sessions: SessionMaker<C>,
    session: Session<C>,
}

impl<C: Driver> Writer for DieselWriter<C> {
    type Engine = Engine<C>;

    fn engine(url: &str) -> Result<Engine<C>, Failure> {
        Ok(create_engine(url, options()?)?)
    }

    fn new(engine: &Engine<C>) -> Self {
        let sessions = SessionMaker::new(engine);
        let session = sessions.session();
        DieselWriter { sessions, session }
    }

    fn write(&mut self, transaction: &Transaction) -> Told {
        if transaction.manner == Manner::Run {
            return self.run(transaction);
        }
        let told = self.attempt(transaction);
        // After the other words the session promises to go on by itself.
        if told.word == Word::RolledBack {
            self.undo(transaction.manner);
        }
        told
    }
}

impl<C: Driver> DieselWriter<C> {
    fn attempt(&mut self, transaction: &Transaction) -> Told {
        if let Err(error) = insert(&mut self.session, transaction) {
            return Told::undone(Some(error));
        }
        match transaction.manner {
            Manner::RollBack | Manner::Drop => Told::undone::<diesel::result::Error>(None),
            // A thread cannot give up.
            Manner::Commit | Manner::Hurry(_) | Manner::Run => {
                Told::committed(self.session.commit())
            }
        }
    }

    fn undo(&mut self, manner: Manner) {
        if manner == Manner::Drop || self.session.rollback().is_err() {
            self.session = self.sessions.session();
        }
    }

    fn run(&self, transaction: &Transaction) -> Told {
        let mut attempts = 0;
        let done = self.sessions.run(Retry::default(), |session| {
            attempts += 1;
            insert(session, transaction)
        });
        Told::ran(done, attempts)
    }
}

fn insert<C: Driver>(
    session: &mut Session<C>,
    transaction: &Transaction,
) -> Result<(), SessionError> {
    for part in transaction.plain() {
        session.batch_execute(&transaction.insert(part))?;
    }
    if transaction.savepoint == Savepoint::None {
        return Ok(());
    }
    let mut nested = session.begin_nested()?;
    nested.batch_execute(&transaction.insert(transaction.nested()))?;
    match transaction.savepoint {
        Savepoint::Kept => nested.commit(),
        Savepoint::Undone | Savepoint::None => nested.rollback(),
    }
}
