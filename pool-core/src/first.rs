//! Whose turn it is to be the first connection.

use std::{
    future::poll_fn,
    task::{Poll, Waker},
};

use crate::sync::Lock;

/// The first connection's hooks run once; every other connection's wait for them.
#[derive(Default)]
pub(crate) struct First(Lock<State>);

#[derive(Default)]
enum State {
    /// → Running
    #[default]
    NotYet,
    /// Somebody's hooks are running. → NotYet if they fail or are cancelled, Done
    Running(Vec<Waker>),
    Done,
}

/// It is this one's turn: to be told how it went. Dropped, it is the next one's turn.
pub(crate) struct Turn<'a>(&'a First);

impl First {
    /// Waits until it is this one's turn, or was somebody's.
    pub(crate) async fn turn(&self) -> Option<Turn<'_>> {
        poll_fn(|context| {
            let mut waker = Some(context.waker().clone());
            let mut state = self.0.lock();
            match &mut *state {
                State::Done => Poll::Ready(None),
                State::Running(waiting) => {
                    waiting.extend(waker.take());
                    Poll::Pending
                }
                State::NotYet => {
                    *state = State::Running(Vec::new());
                    Poll::Ready(Some(Turn(self)))
                }
            }
        })
        .await
    }

    fn becomes(&self, state: State) {
        let was = std::mem::replace(&mut *self.0.lock(), state);
        if let State::Running(waiting) = was {
            waiting.into_iter().for_each(Waker::wake);
        }
    }
}

impl Turn<'_> {
    pub(crate) fn succeeded(self) {
        self.0.becomes(State::Done);
        std::mem::forget(self);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.becomes(State::NotYet);
    }
}
