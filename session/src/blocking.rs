//! The session, for threads: what its [`Stack`] says, carried out.

mod attempts;
mod events;
mod global;

use std::{error::Error, sync::Arc, time::Duration};

pub use attempts::run;
pub use events::SessionEvents;
pub use global::{Branch, GlobalTransaction, PreparedTransaction, Recovers, recover};

use everpool_engine::twophase::Xid;

use crate::{
    InDoubt, Listeners, LostCommit, SessionError, TransactionId,
    deadline::Deadline,
    stack::{
        Callback, Control, EndingId, Failed, LevelId, Method, Moment, On, SessionTransaction,
        Stack, Standing, Step, Verdict,
    },
};

/// A listener that may use the session. If it fails, see [`SessionError::Listener`].
pub type Participant<S> =
    dyn Fn(&mut S, &SessionTransaction) -> Result<(), <S as Transactional>::Error> + Send + Sync;

/// What an adapter's session is made of.
pub trait Transactional: Sized {
    /// The driver's error.
    type Error: Error + 'static;

    /// What it decides by.
    fn stack(&mut self) -> &mut Stack;

    /// Whom it tells.
    fn listeners(&self) -> &Arc<Listeners<Participant<Self>>>;

    /// How many levels of transaction the connection has, or had when it was lost. Does not block, and
    /// is asked before every statement.
    fn levels(&mut self) -> u32;

    /// How the transaction stands, which has so many levels to the session. Does not block.
    fn standing(&mut self, levels: u32) -> Standing;

    /// Whether there is a connection that is not known to be lost. Does not block.
    fn is_connected(&mut self) -> bool;

    /// How long a checkout may take.
    fn timeout(&self) -> Duration;

    /// Takes a connection, unless there is one. Blocks for at most `timeout`.
    ///
    /// # Errors
    ///
    /// That there is none.
    fn checkout(&mut self, timeout: Duration) -> Result<(), Self::Error>;

    /// Sends one of these. If it panics, the connection is lost.
    ///
    /// # Errors
    ///
    /// The driver's.
    fn send(&mut self, control: Control) -> Result<(), Self::Error>;

    /// Asks the server which transaction this is. Called only if the settings ask for it.
    ///
    /// # Errors
    ///
    /// The driver's.
    fn transaction_id(&mut self) -> Result<TransactionId, Self::Error>;

    /// The name of the two-phase transaction, if it is one.
    fn xid(&self) -> Option<&Xid> {
        None
    }

    /// Returns the connection to the pool, or to who has bound the session to it
    /// ([`Stack::outside`]). Nothing of the session's is open on it, unless it is lost.
    fn release(&mut self);

    /// Gives the connection up. Does not block.
    fn invalidate(&mut self);
}

/// Has the session ready for a statement: BEGIN and the savepoints that were begun are sent. A connection
/// that turns out dead at BEGIN is replaced, and the caller does not hear of it. Blocks if there is
/// anything to be sent.
///
/// # Errors
///
/// The driver's, of the checkout, of BEGIN or SAVEPOINT; a listener's; or that statements are not taken.
#[inline]
pub fn ready<S: Transactional>(session: &mut S) -> Result<(), SessionError<S::Error>> {
    let levels = session.levels();
    match session.stack().is_ready(levels) {
        true => Ok(()),
        false => prepare(session),
    }
}

#[cold]
fn prepare<S: Transactional>(session: &mut S) -> Result<(), SessionError<S::Error>> {
    resume(session)?;
    let until = Deadline::after(session.timeout());
    loop {
        let levels = session.levels();
        match session.stack().before_statement(levels)? {
            Step::Done => return Ok(()),
            step => perform(session, step, until)?,
        }
    }
}

/// Begins a transaction. Nothing is sent, but for what listeners do.
///
/// # Errors
///
/// There is one; or the session is closed.
pub fn begin_transaction<S: Transactional>(
    session: &mut S,
) -> Result<LevelId, SessionError<S::Error>> {
    resume(session)?;
    let level = session.stack().begin_transaction()?;
    announce(session)?;
    Ok(level)
}

/// Begins a transaction that is in no other. Nothing is sent, but for what listeners do.
///
/// # Errors
///
/// There is one; or the session is closed.
pub fn begin_durable<S: Transactional>(session: &mut S) -> Result<LevelId, SessionError<S::Error>> {
    resume(session)?;
    let level = session.stack().begin_durable()?;
    announce(session)?;
    Ok(level)
}

/// Begins a savepoint. Nothing is sent, but for what listeners do.
///
/// # Errors
///
/// The transaction takes nothing more.
pub fn begin_nested<S: Transactional>(session: &mut S) -> Result<LevelId, SessionError<S::Error>> {
    resume(session)?;
    let level = session.stack().begin_nested()?;
    announce(session)?;
    Ok(level)
}

/// Has `callback` called after the transaction; see [`Stack::add_callback`]. Nothing is sent.
///
/// # Errors
///
/// There is no transaction that could be committed.
pub fn add_callback<S: Transactional>(
    session: &mut S,
    on: On,
    callback: Callback,
) -> Result<(), SessionError<S::Error>> {
    resume(session)?;
    session.stack().add_callback(on, callback)?;
    announce(session)
}

/// Ends everything, by commit, rollback, close, reset or invalidate. Blocks for what is sent.
///
/// # Errors
///
/// See [`SessionError`]. After `CommitOutcomeUnknown` and `Database` the session may go on with a
/// new transaction; after the others it must be rolled back first.
pub fn end<S: Transactional>(
    session: &mut S,
    method: Method,
) -> Result<(), SessionError<S::Error>> {
    resume(session)?;
    let ending = session.stack().end(method)?;
    carry_out(session, ending)
}

/// Ends one level and those inside of it. If it cannot be committed, it is rolled back. Blocks for what
/// is sent.
///
/// # Errors
///
/// As [`end`].
pub fn end_level<S: Transactional>(
    session: &mut S,
    level: LevelId,
    method: Method,
) -> Result<(), SessionError<S::Error>> {
    resume(session)?;
    let ended = try_to_end_level(session, level, method);
    if ended.is_err() && session.stack().is_open(level) && method == Method::Commit {
        // The first error is the one to be told; if this fails too, the stack knows it.
        let _: Result<(), _> = try_to_end_level(session, level, Method::Rollback);
    }
    ended
}

fn try_to_end_level<S: Transactional>(
    session: &mut S,
    level: LevelId,
    method: Method,
) -> Result<(), SessionError<S::Error>> {
    let ending = session.stack().end_level(level, method)?;
    carry_out(session, ending)
}

/// Called by a session's destructor, when its connection is back: what is to be done after a rollback is
/// done. What panics there is not heard of.
pub fn abandon(stack: &mut Stack) {
    for callback in stack.abandon() {
        let call = std::panic::AssertUnwindSafe(|| callback.call());
        // A destructor has nobody to tell, and may run while another panic unwinds.
        let _: std::thread::Result<()> = std::panic::catch_unwind(call);
    }
}

/// Called by a session's destructor, if what its two-phase transaction has come to was not undone. Nobody
/// can be told but the operator, who has its locks to free.
pub fn left_prepared(xid: &Xid) {
    tracing::error!(
        target: "everpool::session", %xid,
        "A session was dropped, and its transaction may be prepared, with its locks, until it is ended by its xid: see recover_twophase()"
    );
}

fn resume<S: Transactional>(session: &mut S) -> Result<(), SessionError<S::Error>> {
    while session.stack().is_interrupted() {
        let ending = session.stack().resume();
        carry_out(session, ending)?;
    }
    Ok(())
}

fn announce<S: Transactional>(session: &mut S) -> Result<(), SessionError<S::Error>> {
    loop {
        match session.stack().announce() {
            Step::Done => return Ok(()),
            step => perform(session, step, Deadline::NONE)?,
        }
    }
}

/// The first error is the one that is told.
fn carry_out<S: Transactional>(
    session: &mut S,
    ending: EndingId,
) -> Result<(), SessionError<S::Error>> {
    let mut outcome = Ok(());
    loop {
        match session.stack().next_of_ending(ending) {
            Step::Done => return outcome,
            step => outcome = outcome.and(perform(session, step, Deadline::NONE)),
        }
    }
}

fn perform<S: Transactional>(
    session: &mut S,
    step: Step,
    until: Deadline,
) -> Result<(), SessionError<S::Error>> {
    match step {
        Step::Done => {}
        Step::Checkout => {
            session.checkout(until.left())?;
            session.stack().checked_out();
        }
        Step::Send(control) => {
            let answer = session.send(control);
            return answered(session, answer, until);
        }
        Step::Look(levels) => {
            let standing = session.standing(levels);
            session.stack().saw(standing)?;
        }
        Step::Identify => match session.transaction_id() {
            Ok(id) => session.stack().identified(id),
            Err(error) => return answered(session, Err(error), until),
        },
        Step::Tell(moment, transaction) => tell(session, moment, &transaction)?,
        Step::Release => session.release(),
        Step::Invalidate => session.invalidate(),
        Step::Call(callback) => callback.call(),
    }
    Ok(())
}

fn answered<S: Transactional>(
    session: &mut S,
    answer: Result<(), S::Error>,
    until: Deadline,
) -> Result<(), SessionError<S::Error>> {
    let Err(error) = answer else {
        session.stack().succeeded();
        return Ok(());
    };
    let failed = Failed {
        is_lost: !session.is_connected(),
        is_late: until.is_past(),
    };
    let is_prepared = session.stack().is_prepared();
    let xid = session.xid().cloned();
    match session.stack().failed(failed) {
        Verdict::Forgiven => Ok(()),
        Verdict::Again => {
            tracing::info!(target: "everpool::session", %error, "Lost at BEGIN; trying another connection");
            Ok(())
        }
        Verdict::Told => Err(error.into()),
        Verdict::ToldAfterRelease => {
            session.release();
            Err(error.into())
        }
        Verdict::InDoubt => Err(match xid {
            Some(xid) => SessionError::InDoubt(InDoubt { error, xid }),
            None => error.into(),
        }),
        Verdict::OutcomeUnknown(transaction) => {
            let lost = LostCommit {
                error,
                transaction,
                xid: xid.filter(|_| is_prepared),
            };
            Err(SessionError::CommitOutcomeUnknown(lost))
        }
    }
}

fn tell<S: Transactional>(
    session: &mut S,
    moment: Moment,
    transaction: &SessionTransaction,
) -> Result<(), SessionError<S::Error>> {
    let listeners = Arc::clone(session.listeners());
    listeners.tell(moment, transaction);
    for participant in listeners.participants(moment) {
        let telling = Telling::begin(session, moment, transaction);
        let told = participant(telling.session, transaction);
        telling.end(told.is_ok());
        told.map_err(|error| SessionError::Listener { moment, error })?;
    }
    Ok(())
}

/// A listener has the session. If it panics, its stack is told.
struct Telling<'a, S: Transactional> {
    session: &'a mut S,
    is_content: bool,
}

impl<'a, S: Transactional> Telling<'a, S> {
    fn begin(session: &'a mut S, moment: Moment, transaction: &SessionTransaction) -> Self {
        session.stack().telling(moment, *transaction);
        Self {
            session,
            is_content: false,
        }
    }

    fn end(mut self, is_content: bool) {
        self.is_content = is_content;
    }
}

impl<S: Transactional> Drop for Telling<'_, S> {
    fn drop(&mut self) {
        self.session.stack().told(self.is_content);
    }
}
