//! The one acquisition algorithm. The faces differ only in how they wait for [`Queued`].

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use crate::{
    connector::Connector,
    machine::{self, Entry, Ticket},
    shared::{Refusal, Shared},
};

/// The answer to a checkout: at once, or after a wait.
pub(crate) enum Checkout<K: Connector> {
    Answered(Result<Entry<K::Connection>, Refusal<K>>),
    Queued(Queued<K>),
}

impl<K: Connector> Checkout<K> {
    pub(crate) fn begin(shared: &Arc<Shared<K>>) -> Self {
        match shared.enter(machine::Machine::checkout) {
            machine::Checkout::Lent(entry) => Self::Answered(Ok(entry)),
            machine::Checkout::Refused(refusal) => Self::Answered(Err(refusal)),
            machine::Checkout::Queued(ticket) => Self::Queued(Queued {
                is_overdue: false,
                shared: Arc::clone(shared),
                ticket,
            }),
        }
    }
}

/// A place in the queue. Dropped, it is given up, and what was lent in this moment goes to the next.
pub(crate) struct Queued<K: Connector> {
    shared: Arc<Shared<K>>,
    ticket: Ticket,
    is_overdue: bool,
}

impl<K: Connector> Queued<K> {
    /// Gives the place up because the caller's time is over.
    pub(crate) fn timed_out(mut self) {
        self.is_overdue = true;
    }
}

impl<K: Connector> Future for Queued<K> {
    type Output = Result<Entry<K::Connection>, Refusal<K>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = self
            .shared
            .enter(|machine, _| machine.collect(&self.ticket, context.waker()));
        answer.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<K: Connector> Drop for Queued<K> {
    fn drop(&mut self) {
        let is_overdue = self.is_overdue;
        self.shared.enter(|machine, now| match is_overdue {
            true => machine.timed_out(&self.ticket, now),
            false => machine.withdraw(&self.ticket, now),
        });
    }
}
