use alloc::collections::{BTreeMap, VecDeque};
use core::task::Waker;

/// One caller's place in the queue. It is worth one answer: collect it, or withdraw.
#[derive(Clone, Debug)]
#[must_use = "a ticket that is dropped takes a connection and never returns it"]
pub struct Ticket(u64);

#[derive(Clone, Debug)]
enum Place {
    Waiting(Option<Waker>),
    /// Left the queue before it was served.
    Left,
}

/// The queue: first come, first served. `A` is what a caller waits for.
#[derive(Clone, Debug)]
pub(super) struct Waiters<A> {
    /// Ordered by ticket number, because numbers are given in order.
    queue: VecDeque<(u64, Place)>,
    waiting: usize,
    answers: BTreeMap<u64, A>,
    next: u64,
}

impl<A> Waiters<A> {
    pub(super) fn new() -> Self {
        Self {
            queue: VecDeque::new(),
            waiting: 0,
            answers: BTreeMap::new(),
            next: 0,
        }
    }

    /// How many have no answer yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) fn join(&mut self) -> Ticket {
        let number = self.next;
        self.next += 1;
        self.queue.push_back((number, Place::Waiting(None)));
        self.waiting += 1;
        Ticket(number)
    }

    /// Answers the first in line; gives back the answer when nobody waits.
    pub(super) fn answer_first(&mut self, answer: A) -> Result<Option<Waker>, A> {
        while let Some((number, place)) = self.queue.pop_front() {
            if let Place::Waiting(waker) = place {
                self.waiting -= 1;
                self.answers.insert(number, answer);
                return Ok(waker);
            }
        }
        Err(answer)
    }

    /// The answer, if it is there; else `waker` is kept, to be woken when it is.
    pub(super) fn collect(&mut self, ticket: &Ticket, waker: &Waker) -> Option<A> {
        let answer = self.answers.remove(&ticket.0);
        if answer.is_none()
            && let Some(Place::Waiting(kept)) = self.place(ticket)
        {
            match kept {
                Some(kept) => kept.clone_from(waker),
                None => *kept = Some(waker.clone()),
            }
        }
        answer
    }

    /// Leaves the queue; an answer that was already there is given back.
    pub(super) fn leave(&mut self, ticket: &Ticket) -> Option<A> {
        if let Some(place @ Place::Waiting(_)) = self.place(ticket) {
            *place = Place::Left;
            self.waiting -= 1;
            self.sweep();
        }
        self.answers.remove(&ticket.0)
    }

    fn place(&mut self, ticket: &Ticket) -> Option<&mut Place> {
        let at = self
            .queue
            .binary_search_by_key(&ticket.0, |(number, _)| *number)
            .ok()?;
        self.queue.get_mut(at).map(|(_, place)| place)
    }

    /// Keeps the places of those who left fewer than those of who waits, at constant cost for each
    /// who leaves.
    fn sweep(&mut self) {
        if self.queue.len() > 2 * self.waiting {
            self.queue
                .retain(|(_, place)| matches!(place, Place::Waiting(_)));
        }
    }
}
