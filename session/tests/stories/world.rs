//! What a program does with a session, on either face.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use everpool_session::{
    SessionError, blocking, future,
    stack::{Callback, LevelId, Method, On},
};

use crate::{
    database::{Fate, Trouble},
    session::{Now, Session, now},
};

/// Which face carries it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    Blocking,
    Future,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Begin,
    Nest,
    Insert,
    CommitInner,
    RollBackInner,
    /// The scope of the innermost savepoint is gone, in a task that cannot wait.
    ForsakeInner,
    Prepare,
    Commit,
    RollBack,
    Close,
    Invalidate,
    /// The connection dies while nobody uses it.
    Dies,
    /// The transaction is rolled back past the session.
    EndsElsewhere,
}

pub(crate) const EVENTS: [Event; 13] = [
    Event::Begin,
    Event::Nest,
    Event::Insert,
    Event::CommitInner,
    Event::RollBackInner,
    Event::ForsakeInner,
    Event::Prepare,
    Event::Commit,
    Event::RollBack,
    Event::Close,
    Event::Invalidate,
    Event::Dies,
    Event::EndsElsewhere,
];

/// What the program was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Fine,
    Failed,
    Unknown,
    /// Nothing: a listener panicked, or the program did not wait.
    Abandoned,
}

type Done = Result<(), SessionError<Trouble>>;

impl Session {
    /// Does it, with this fate of what is sent so many steps from now. What a listener panics with is
    /// caught.
    pub(crate) fn happens(
        &mut self,
        event: Event,
        face: Face,
        fate: Option<(usize, Fate)>,
    ) -> Outcome {
        self.database().fate_from_now(fate);
        let happened = catch_unwind(AssertUnwindSafe(|| self.happen(event, face)));
        self.database().fate_from_now(None);
        match happened {
            Ok(Now::Done(Ok(()))) => Outcome::Fine,
            Ok(Now::Done(Err(
                SessionError::CommitOutcomeUnknown(_) | SessionError::InDoubt(_),
            ))) => Outcome::Unknown,
            Ok(Now::Done(Err(_))) => Outcome::Failed,
            Ok(Now::Abandoned) => Outcome::Abandoned,
            Err(panic) if panic.downcast_ref::<&str>() == Some(&crate::LISTENER) => {
                Outcome::Abandoned
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    fn happen(&mut self, event: Event, face: Face) -> Now<Done> {
        match event {
            Event::Dies => self.database().lose(),
            Event::EndsElsewhere => self.ends_elsewhere(),
            Event::ForsakeInner => self.forsakes_inner(),
            _ if face == Face::Future => return now(self.do_in_a_task(event)),
            _ => return Now::Done(self.do_in_a_thread(event)),
        }
        Now::Done(Ok(()))
    }

    fn forsakes_inner(&mut self) {
        if let Some(level) = self.stack.innermost_nested() {
            self.stack.forsake(level);
        }
    }

    fn do_in_a_thread(&mut self, event: Event) -> Done {
        match event {
            Event::Begin => blocking::begin_transaction(self).map(drop),
            Event::Nest => blocking::begin_nested(self).map(drop),
            Event::Insert => {
                self.insert()?;
                for (on, callback) in self.callbacks() {
                    blocking::add_callback(self, on, callback)?;
                }
                Ok(())
            }
            _ => match self.ends(event) {
                (None, method) => blocking::end(self, method),
                (Some(Some(level)), method) => blocking::end_level(self, level, method),
                (Some(None), _) => Ok(()),
            },
        }
    }

    async fn do_in_a_task(&mut self, event: Event) -> Done {
        match event {
            Event::Begin => future::begin_transaction(self).await.map(drop),
            Event::Nest => future::begin_nested(self).await.map(drop),
            Event::Insert => {
                self.insert_in_a_task().await?;
                for (on, callback) in self.callbacks() {
                    future::add_callback(self, on, callback).await?;
                }
                Ok(())
            }
            _ => match self.ends(event) {
                (None, method) => future::end(self, method).await,
                (Some(Some(level)), method) => future::end_level(self, level, method).await,
                (Some(None), _) => Ok(()),
            },
        }
    }

    /// The innermost savepoint, if that is what ends; and how.
    fn ends(&self, event: Event) -> (Option<Option<LevelId>>, Method) {
        let innermost = self.stack.innermost_nested();
        match event {
            Event::CommitInner => (Some(innermost), Method::Commit),
            Event::RollBackInner => (Some(innermost), Method::Rollback),
            Event::Prepare => (None, Method::Prepare),
            Event::Commit => (None, Method::Commit),
            Event::Close => (None, Method::Close),
            Event::Invalidate => (None, Method::Invalidate),
            _ => (None, Method::Rollback),
        }
    }

    /// Both callbacks of the last row.
    fn callbacks(&mut self) -> [(On, Callback); 2] {
        let row = self.next_row;
        self.registered.push(row);
        [On::Commit, On::Rollback].map(|on| {
            let called = Arc::clone(&self.called);
            let callback = Callback::new(move || called.lock().unwrap().push((row, on)));
            (on, callback)
        })
    }
}
