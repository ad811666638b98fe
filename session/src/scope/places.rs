//! Which session is whose, as a value. This file alone changes it.

use std::collections::HashMap;

use super::ScopeKey;

/// A place for each scope that is entered. What it gives back is dropped by whoever asked, without a lock.
pub(super) struct Places<K, S> {
    places: HashMap<K, Place<S>>,
    /// How many tickets were given.
    given: u64,
}

enum Place<S> {
    /// Nobody has asked yet, or what was here is removed. → Taken
    Vacant,
    /// → Taken; → Vacant by `remove`
    Resting(S),
    /// → Resting or Vacant, by who has this ticket; → Vacant by `remove`, and that ticket is void
    Taken(Ticket),
}

/// Of one use of a session; no two are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// Why nothing was given.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    NotEntered,
    InUse,
}

impl<K: ScopeKey, S> Places<K, S> {
    pub(super) fn new() -> Self {
        Self {
            places: HashMap::new(),
            given: 0,
        }
    }

    /// A scope begins. False if it is there already.
    pub(super) fn enter(&mut self, key: &K) -> bool {
        let is_new = !self.places.contains_key(key);
        if is_new {
            self.places.insert(key.clone(), Place::Vacant);
        }
        is_new
    }

    /// A scope is over.
    #[must_use]
    pub(super) fn leave(&mut self, key: &K) -> Option<(K, Option<S>)> {
        let (key, place) = self.places.remove_entry(key)?;
        Some((key, place.into_resting()))
    }

    /// The session of a scope; `None` if one is to be made.
    pub(super) fn take(&mut self, key: &K) -> Result<(Ticket, Option<S>), Refused> {
        let place = self.places.get_mut(key).ok_or(Refused::NotEntered)?;
        if matches!(place, Place::Taken(_)) {
            return Err(Refused::InUse);
        }
        self.given += 1;
        let ticket = Ticket(self.given);
        let session = std::mem::replace(place, Place::Taken(ticket)).into_resting();
        Ok((ticket, session))
    }

    /// The end of a use. Gives what is to be dropped: the session, if it was removed meanwhile, or its scope is over.
    #[must_use]
    pub(super) fn give_back(&mut self, key: &K, ticket: Ticket, session: Option<S>) -> Option<S> {
        match self.places.get_mut(key) {
            Some(place) if place.is_taken_by(ticket) => {
                *place = session.map_or(Place::Vacant, Place::Resting);
                None
            }
            _ => session,
        }
    }

    /// The next who asks gets another one.
    #[must_use]
    pub(super) fn remove(&mut self, key: &K) -> Option<S> {
        self.places.get_mut(key).and_then(Place::vacate)
    }

    /// The same, of all scopes.
    #[must_use]
    pub(super) fn remove_all(&mut self) -> Vec<S> {
        self.places.values_mut().filter_map(Place::vacate).collect()
    }

    /// How many scopes have a session.
    pub(super) fn len(&self) -> usize {
        let places = self.places.values();
        places
            .filter(|place| !matches!(place, Place::Vacant))
            .count()
    }
}

impl<S> Place<S> {
    fn is_taken_by(&self, ticket: Ticket) -> bool {
        matches!(self, Self::Taken(by) if *by == ticket)
    }

    fn vacate(&mut self) -> Option<S> {
        std::mem::replace(self, Self::Vacant).into_resting()
    }

    fn into_resting(self) -> Option<S> {
        match self {
            Self::Resting(session) => Some(session),
            Self::Vacant | Self::Taken(_) => None,
        }
    }
}
