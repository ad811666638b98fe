use std::{fmt, sync::Arc};

use crate::stack::{Moment, SessionTransaction};

type Observer = Arc<dyn Fn(&SessionTransaction) + Send + Sync>;

/// Who is told what happens to a session's transactions. `F` is a listener that may use the session
/// meanwhile; it is of the face.
pub struct Listeners<F: ?Sized> {
    observers: Vec<(Moment, Observer)>,
    participants: Vec<(Moment, Arc<F>)>,
}

impl<F: ?Sized> Listeners<F> {
    /// Adds one that is told. The transaction is over or not begun, so there is no session for it to use.
    pub fn observe(
        &mut self,
        moment: Moment,
        listener: impl Fn(&SessionTransaction) + Send + Sync + 'static,
    ) {
        self.observers.push((moment, Arc::new(listener)));
    }

    /// Adds one that is given the session.
    pub fn participate(&mut self, moment: Moment, listener: Arc<F>) {
        self.participants.push((moment, listener));
    }

    /// Tells all that were to be told only, in the order of their registration.
    pub fn tell(&self, moment: Moment, transaction: &SessionTransaction) {
        let of = self.observers.iter().filter(|(of, _)| *of == moment);
        of.for_each(|(_, listener)| listener(transaction));
    }

    /// Those that are to be given the session, in the order of their registration.
    pub fn participants(&self, moment: Moment) -> impl Iterator<Item = Arc<F>> + use<F> {
        let of = self.participants.iter().filter(|(of, _)| *of == moment);
        let found: Vec<_> = of.map(|(_, listener)| Arc::clone(listener)).collect();
        found.into_iter()
    }
}

impl<F: ?Sized> Default for Listeners<F> {
    fn default() -> Self {
        Self {
            observers: Vec::new(),
            participants: Vec::new(),
        }
    }
}

impl<F: ?Sized> Clone for Listeners<F> {
    fn clone(&self) -> Self {
        Self {
            observers: self.observers.clone(),
            participants: self.participants.clone(),
        }
    }
}

impl<F: ?Sized> fmt::Debug for Listeners<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listeners").finish_non_exhaustive()
    }
}
