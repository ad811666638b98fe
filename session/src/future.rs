//! The session, for tasks: what its [`Stack`] says, carried out.
//!
//! A task may leave at every `await`. What was sent and not answered counts as lost, with its connection;
//! the next method goes on with what is left ([`Stack::resume`]).

#[cfg(feature = "tokio")]
mod attempts;
mod begin;
mod events;
mod global;

use std::{error::Error, future::Future, pin::Pin, sync::Arc, time::Duration};

#[cfg(feature = "tokio")]
pub use attempts::pause;
pub use begin::{Begins, begin};
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

/// What a listener does with the session.
pub type Participation<'a, E> = Pin<Box<dyn Future<Output = Result<(), E>> + Send + 'a>>;

/// A listener that may use the session. If it fails, see [`SessionError::Listener`].
pub type Participant<S> = dyn for<'a> Fn(&'a mut S, &'a SessionTransaction) -> Participation<'a, <S as Transactional>::Error>
    + Send
    + Sync;

/// What an adapter's session is made of.
pub trait Transactional: Send + Sized {
    /// The driver's error.
    type Error: Error + Send + 'static;

    /// What it decides by.
    fn stack(&mut self) -> &mut Stack;

    /// Whom it tells.
    fn listeners(&self) -> &Arc<Listeners<Participant<Self>>>;

    /// How many levels of transaction the connection has, or had when it was lost. Does not wait, and
    /// is asked before every statement.
    fn levels(&mut self) -> u32;

    /// How the transaction stands, which has so many levels to the session. Does not wait.
    fn standing(&mut self, levels: u32) -> Standing;

    /// Whether there is a connection that is not known to be lost. Does not wait.
    fn is_connected(&mut self) -> bool;

    /// How long a checkout may take.
    fn timeout(&self) -> Duration;

    /// Takes a connection, unless there is one. Waits for at most `timeout`.
    ///
    /// # Errors
    ///
    /// That there is none.
    fn checkout(
        &mut self,
        timeout: Duration,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Sends one of these. If it panics or is abandoned, the connection is lost.
    ///
    /// # Errors
    ///
    /// The driver's.
    fn send(&mut self, control: Control) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Asks the server which transaction this is. Called only if the settings ask for it.
    ///
    /// # Errors
    ///
    /// The driver's.
    fn transaction_id(&mut self)
    -> impl Future<Output = Result<TransactionId, Self::Error>> + Send;

    /// The name of the two-phase transaction, if it is one.
    fn xid(&self) -> Option<&Xid> {
        None
    }

    /// Returns the connection to the pool, or to who has bound the session to it
    /// ([`Stack::outside`]). Nothing of the session's is open on it, unless it is lost. Does not wait.
    fn release(&mut self);

    /// Gives the connection up. Does not wait.
    fn invalidate(&mut self);
}

/// Has the session ready for a statement: BEGIN and the savepoints that were begun are sent. A connection
/// that turns out dead at BEGIN is replaced, and the caller does not hear of it. Waits if there is
/// anything to be sent.
///
/// # Errors
///
/// The driver's, of the checkout, of BEGIN or SAVEPOINT; a listener's; or that statements are not taken.
#[inline]
pub async fn ready<S: Transactional>(session: &mut S) -> Result<(), SessionError<S::Error>> {
    let levels = session.levels();
    match session.stack().is_ready(levels) {
        true => Ok(()),
        false => prepare(session).await,
    }
}

#[cold]
async fn prepare<S: Transactional>(session: &mut S) -> Result<(), SessionError<S::Error>> {
    resume(session).await?;
    let until = Deadline::after(session.timeout());
    loop {
        let levels = session.levels();
        match session.stack().before_statement(levels)? {
            Step::Done => return Ok(()),
            step => perform(session, step, until).await?,
        }
    }
}

/// Begins a transaction. Nothing is sent, but for what listeners do.
///
/// # Errors
///
/// There is one; or the session is closed.
pub async fn begin_transaction<S: Transactional>(
    session: &mut S,
) -> Result<LevelId, SessionError<S::Error>> {
    resume(session).await?;
    let level = session.stack().begin_transaction()?;
    announce(session).await?;
    Ok(level)
}

/// Begins a transaction that is in no other. Nothing is sent, but for what listeners do.
///
/// # Errors
///
/// There is one; or the session is closed.
pub async fn begin_durable<S: Transactional>(
    session: &mut S,
) -> Result<LevelId, SessionError<S::Error>> {
    resume(session).await?;
    let level = session.stack().begin_durable()?;
    announce(session).await?;
    Ok(level)
}

/// Begins a savepoint. Nothing is sent, but for what listeners do.
///
/// # Errors
///
/// The transaction takes nothing more.
pub async fn begin_nested<S: Transactional>(
    session: &mut S,
) -> Result<LevelId, SessionError<S::Error>> {
    resume(session).await?;
    let level = session.stack().begin_nested()?;
    announce(session).await?;
    Ok(level)
}

/// Has `callback` called after the transaction; see [`Stack::add_callback`]. Nothing is sent.
///
/// # Errors
///
/// There is no transaction that could be committed.
pub async fn add_callback<S: Transactional>(
    session: &mut S,
    on: On,
    callback: Callback,
) -> Result<(), SessionError<S::Error>> {
    resume(session).await?;
    session.stack().add_callback(on, callback)?;
    announce(session).await
}

/// Ends everything, by commit, rollback, close, reset or invalidate. Waits for what is sent.
///
/// # Errors
///
/// See [`SessionError`]. After `CommitOutcomeUnknown` and `Database` the session may go on with a
/// new transaction; after the others it must be rolled back first.
pub async fn end<S: Transactional>(
    session: &mut S,
    method: Method,
) -> Result<(), SessionError<S::Error>> {
    resume(session).await?;
    let ending = session.stack().end(method)?;
    carry_out(session, ending).await
}

/// Ends one level and those inside of it. If it cannot be committed, it is rolled back. Waits for what
/// is sent.
///
/// # Errors
///
/// As [`end`].
pub async fn end_level<S: Transactional>(
    session: &mut S,
    level: LevelId,
    method: Method,
) -> Result<(), SessionError<S::Error>> {
    resume(session).await?;
    let ended = try_to_end_level(session, level, method).await;
    if ended.is_err() && session.stack().is_open(level) && method == Method::Commit {
        // The first error is the one to be told; if this fails too, the stack knows it.
        let _: Result<(), _> = try_to_end_level(session, level, Method::Rollback).await;
    }
    ended
}

async fn try_to_end_level<S: Transactional>(
    session: &mut S,
    level: LevelId,
    method: Method,
) -> Result<(), SessionError<S::Error>> {
    let ending = session.stack().end_level(level, method)?;
    carry_out(session, ending).await
}

async fn resume<S: Transactional>(session: &mut S) -> Result<(), SessionError<S::Error>> {
    while session.stack().is_interrupted() {
        let ending = session.stack().resume();
        carry_out(session, ending).await?;
    }
    Ok(())
}

async fn announce<S: Transactional>(session: &mut S) -> Result<(), SessionError<S::Error>> {
    loop {
        match session.stack().announce() {
            Step::Done => return Ok(()),
            step => perform(session, step, Deadline::NONE).await?,
        }
    }
}

/// The first error is the one that is told.
async fn carry_out<S: Transactional>(
    session: &mut S,
    ending: EndingId,
) -> Result<(), SessionError<S::Error>> {
    let mut outcome = Ok(());
    loop {
        match session.stack().next_of_ending(ending) {
            Step::Done => return outcome,
            step => outcome = outcome.and(perform(session, step, Deadline::NONE).await),
        }
    }
}

async fn perform<S: Transactional>(
    session: &mut S,
    step: Step,
    until: Deadline,
) -> Result<(), SessionError<S::Error>> {
    match step {
        Step::Done => {}
        Step::Checkout => {
            session.checkout(until.left()).await?;
            session.stack().checked_out();
        }
        Step::Send(control) => {
            let answer = session.send(control).await;
            return answered(session, answer, until);
        }
        Step::Look(levels) => {
            let standing = session.standing(levels);
            session.stack().saw(standing)?;
        }
        Step::Identify => match session.transaction_id().await {
            Ok(id) => session.stack().identified(id),
            Err(error) => return answered(session, Err(error), until),
        },
        Step::Tell(moment, transaction) => tell(session, moment, &transaction).await?,
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

async fn tell<S: Transactional>(
    session: &mut S,
    moment: Moment,
    transaction: &SessionTransaction,
) -> Result<(), SessionError<S::Error>> {
    let listeners = Arc::clone(session.listeners());
    listeners.tell(moment, transaction);
    for participant in listeners.participants(moment) {
        let telling = Telling::begin(session, moment, transaction);
        let told = participant(telling.session, transaction).await;
        let mut told = told.map_err(|error| SessionError::Listener { moment, error });
        if told.is_ok() && telling.session.stack().is_interrupted() {
            // A savepoint that it has dropped.
            told = Box::pin(resume(telling.session)).await;
        }
        telling.end(told.is_ok());
        told?;
    }
    Ok(())
}

/// A listener has the session. If it panics or is abandoned, its stack is told.
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
