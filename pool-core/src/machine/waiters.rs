use alloc::vec::Vec;
use core::task::Waker;

use super::{holder::Borrower, time::Time};

/// One caller's place in the queue. It is worth one answer: collect it, or withdraw.
#[derive(Clone, Debug)]
#[must_use = "a ticket that is dropped takes a connection and never returns it"]
pub struct Ticket {
    place: u32,
    number: u64,
}

/// No place: the end of the queue, or of the list of free places.
const NONE: u32 = u32::MAX;

#[derive(Clone, Debug)]
struct Place<A> {
    number: u64,
    /// The neighbours in the queue, while in it; `next` of a free place is the next free one.
    previous: u32,
    next: u32,
    since: Time,
    /// When its patience is over.
    deadline: Time,
    borrower: Borrower,
    waker: Option<Waker>,
    state: State<A>,
}

#[derive(Clone, Debug)]
enum State<A> {
    /// Nobody's. → Waiting
    Free,
    /// In the queue. → Answered, Free
    Waiting,
    /// Out of the queue, not collected. → Free
    Answered(A),
}

/// The queue: first come, first served. `A` is what a caller waits for. A doubly linked list in a
/// vector, so that whoever leaves costs the same wherever it stands.
#[derive(Clone, Debug)]
pub(super) struct Waiters<A> {
    places: Vec<Place<A>>,
    first: u32,
    last: u32,
    free: u32,
    waiting: usize,
    next_number: u64,
    /// The latest deadline of those who came since the queue was empty, while nobody came whose
    /// deadline is earlier than that of who came before.
    sorted_until: Option<Time>,
}

/// Who has just left the queue with an answer.
pub(super) struct Served {
    pub(super) waker: Option<Waker>,
    pub(super) since: Time,
}

impl<A> Waiters<A> {
    pub(super) fn new() -> Self {
        Self {
            places: Vec::new(),
            first: NONE,
            last: NONE,
            free: NONE,
            waiting: 0,
            next_number: 0,
            sorted_until: Some(Time::START),
        }
    }

    /// How many have no answer yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Since when the first in line waits.
    pub(super) fn oldest(&self) -> Option<Time> {
        self.places
            .get(self.first as usize)
            .map(|place| place.since)
    }

    /// For whom the first in line waits.
    pub(super) fn first(&self) -> Option<Borrower> {
        let first = self.places.get(self.first as usize)?;
        Some(first.borrower)
    }

    /// When the first patience is over; and whose is over by then, to be answered.
    pub(super) fn expire(
        &mut self,
        now: Time,
        mut answer: impl FnMut() -> A,
    ) -> (Vec<Option<Waker>>, Time) {
        let mut wakers = Vec::new();
        let mut next = Time::NEVER;
        let mut at = self.first;
        while let Some(place) = self.places.get_mut(at as usize) {
            let (this, following) = (at, place.next);
            if place.deadline <= now {
                place.state = State::Answered(answer());
                wakers.push(place.waker.take());
                self.unlink(this);
            } else {
                next = next.min(place.deadline);
                // As a rule all have the same patience; then nobody behind is to be looked at.
                if self.sorted_until.is_some() {
                    break;
                }
            }
            at = following;
        }
        (wakers, next)
    }

    pub(super) fn join(&mut self, borrower: Borrower, now: Time, deadline: Time) -> Ticket {
        if self.waiting == 0 {
            self.sorted_until = Some(Time::START);
        }
        let is_later = |until: &Time| deadline >= *until;
        self.sorted_until = self.sorted_until.filter(is_later).map(|_| deadline);
        let number = self.next_number;
        self.next_number += 1;
        let place = self.occupy(Place {
            number,
            previous: self.last,
            next: NONE,
            since: now,
            deadline,
            borrower,
            waker: None,
            state: State::Waiting,
        });
        match self.places.get_mut(self.last as usize) {
            Some(last) => last.next = place,
            None => self.first = place,
        }
        self.last = place;
        self.waiting += 1;
        Ticket { place, number }
    }

    /// Answers the first in line; gives back the answer when nobody waits.
    pub(super) fn answer_first(&mut self, answer: A) -> Result<Served, A> {
        let first = self.first;
        if first == NONE {
            return Err(answer);
        }
        self.unlink(first);
        let place = &mut self.places[first as usize];
        place.state = State::Answered(answer);
        Ok(Served {
            waker: place.waker.take(),
            since: place.since,
        })
    }

    /// The answer, if it is there.
    pub(super) fn answer(&mut self, ticket: &Ticket) -> Option<A> {
        let place = self.place(ticket)?;
        let is_waiting = matches!(place.state, State::Waiting);
        (!is_waiting).then(|| self.vacate(ticket.place)).flatten()
    }

    /// The answer, if it is there; else `waker` is kept, to be woken when it is. A waker that is not
    /// needed (any more) is left in its place, to be dropped by the caller.
    pub(super) fn collect(&mut self, ticket: &Ticket, waker: &mut Option<Waker>) -> Option<A> {
        if let Some(answer) = self.answer(ticket) {
            return Some(answer);
        }
        let place = self.place(ticket)?;
        core::mem::swap(&mut place.waker, waker);
        None
    }

    /// Leaves the queue; an answer that was already there is given back.
    pub(super) fn leave(&mut self, ticket: &Ticket) -> (Option<A>, Option<Waker>) {
        let Some(place) = self.place(ticket) else {
            return (None, None);
        };
        let waker = place.waker.take();
        if matches!(place.state, State::Waiting) {
            self.unlink(ticket.place);
        }
        (self.vacate(ticket.place), waker)
    }

    fn place(&mut self, ticket: &Ticket) -> Option<&mut Place<A>> {
        let place = self.places.get_mut(ticket.place as usize)?;
        (place.number == ticket.number && !matches!(place.state, State::Free)).then_some(place)
    }

    fn occupy(&mut self, new: Place<A>) -> u32 {
        match self.places.get_mut(self.free as usize) {
            Some(place) => {
                let at = self.free;
                self.free = place.next;
                *place = new;
                at
            }
            None => {
                self.places.push(new);
                u32::try_from(self.places.len() - 1).expect("fewer callers than 2^32 wait")
            }
        }
    }

    fn unlink(&mut self, at: u32) {
        let Place { previous, next, .. } = self.places[at as usize];
        match self.places.get_mut(previous as usize) {
            Some(previous) => previous.next = next,
            None => self.first = next,
        }
        match self.places.get_mut(next as usize) {
            Some(next) => next.previous = previous,
            None => self.last = previous,
        }
        self.waiting -= 1;
    }

    fn vacate(&mut self, at: u32) -> Option<A> {
        let free = self.free;
        self.free = at;
        let place = &mut self.places[at as usize];
        place.next = free;
        match core::mem::replace(&mut place.state, State::Free) {
            State::Answered(answer) => Some(answer),
            State::Waiting | State::Free => None,
        }
    }
}
