//! Where a request's session is.

use std::{
    any::type_name,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::request::Parts;
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard},
};

use crate::{EndsWithRequest, SessionRejection};

/// How a request gets its session.
pub(crate) type Make<S> = dyn Fn(&Parts) -> S + Send + Sync;

/// Whoever has the session alone. The next one can have it when this is dropped.
pub(crate) type Lent<S> = OwnedMappedMutexGuard<Place<S>, S>;

/// Has a request's session made when it is asked for, and lends it to one at a time. It is an extension of the
/// request.
pub(crate) struct Slot<S: EndsWithRequest> {
    make: Arc<Make<S>>,
    place: Arc<Mutex<Place<S>>>,
    /// There is a response, or there will be none, and nobody would commit a session.
    is_over: Arc<AtomicBool>,
}

pub(crate) struct Place<S: EndsWithRequest>(Option<S>);

/// What there is to be ended when the response is made.
pub(crate) enum Left<S> {
    Nothing,
    Session(S),
    /// Somebody has the session still, and nobody will commit it.
    InUse,
}

impl<S: EndsWithRequest> Slot<S> {
    pub(crate) fn new(make: Arc<Make<S>>) -> Self {
        Self {
            make,
            place: Arc::new(Mutex::new(Place(None))),
            is_over: Arc::default(),
        }
    }

    /// That of a request.
    pub(crate) fn of(request: &Parts) -> Result<&Self, SessionRejection> {
        let slot = request.extensions.get();
        slot.ok_or(SessionRejection::NoLayer(type_name::<S>()))
    }

    /// Does not wait: who has it may be the one who asks.
    pub(crate) fn borrow(&self, request: &Parts) -> Result<Lent<S>, SessionRejection> {
        let place = Arc::clone(&self.place).try_lock_owned();
        let place = place.map_err(|_| SessionRejection::InUse)?;
        if self.is_over() {
            return Err(SessionRejection::Over);
        }
        let lent = OwnedMutexGuard::map(place, |place| {
            place.0.get_or_insert_with(|| (self.make)(request))
        });
        Ok(lent)
    }

    /// Waits until nobody has it. `None` if it is over, or nobody has borrowed it before.
    #[cfg(feature = "diesel")]
    pub(crate) async fn wait(&self) -> Option<Lent<S>> {
        let place = Arc::clone(&self.place).lock_owned().await;
        let is_there = !self.is_over();
        OwnedMutexGuard::try_map(place, |place| place.0.as_mut().filter(|_| is_there)).ok()
    }

    /// Nobody gets it from now on. What is in use then is abandoned when it is not.
    pub(crate) fn close(&self) -> Left<S> {
        if self.is_over.swap(true, Ordering::SeqCst) {
            return Left::Nothing;
        }
        let Ok(mut place) = self.place.try_lock() else {
            self.abandon_later();
            return Left::InUse;
        };
        place.0.take().map_or(Left::Nothing, Left::Session)
    }

    fn abandon_later(&self) {
        let place = Arc::clone(&self.place);
        // Without a runtime it is abandoned with the last that could have had it.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { place.lock().await.abandon() });
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}

impl<S: EndsWithRequest> Clone for Slot<S> {
    fn clone(&self) -> Self {
        Self {
            make: Arc::clone(&self.make),
            place: Arc::clone(&self.place),
            is_over: Arc::clone(&self.is_over),
        }
    }
}

impl<S: EndsWithRequest> Place<S> {
    fn abandon(&mut self) {
        if let Some(session) = self.0.take() {
            session.abandon();
        }
    }
}

impl<S: EndsWithRequest> Drop for Place<S> {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl<S: EndsWithRequest> fmt::Debug for Slot<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}
