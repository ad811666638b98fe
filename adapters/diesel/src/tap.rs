use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use diesel::connection::{
    DynInstrumentation, Instrumentation, InstrumentationEvent, get_default_instrumentation,
};

use crate::{
    driver::Driver,
    seen::Seen,
    watch::{self, Watch},
};

/// Stands in the instrumentation slot of each driver connection and passes on what it is told, except
/// while this crate asks the connection something that the program did not.
pub(crate) struct Tap {
    user: DynInstrumentation,
    /// There is a user's instrumentation, or a reader.
    is_heard: bool,
    /// Somebody wants to know of what goes well, too: as `is_heard`, or the journal's readers.
    is_told: bool,
    /// So does a listener of the engine's.
    is_listened_to: Arc<AtomicBool>,
    /// The engine's.
    watch: Arc<Watch>,
    /// The program has put its own here, so it goes when the program returns the connection.
    replaced: bool,
    muted: bool,
    seen: Seen,
}

impl Tap {
    /// With what the program has set for all connections, if anything.
    fn by_default(seen: Seen, watch: &Arc<Watch>) -> Self {
        let user = get_default_instrumentation();
        let is_heard = user.is_some() || seen.reader.is_some();
        Self {
            is_heard,
            is_told: is_heard || watch.journal.is_read(),
            is_listened_to: Arc::clone(watch.board.is_any_heard()),
            user: user.map_or_else(DynInstrumentation::none, Into::into),
            watch: Arc::clone(watch),
            replaced: false,
            muted: false,
            seen,
        }
    }

    /// Called on a new connection.
    pub(crate) fn install_first<C: Driver>(connection: &mut C, watch: &Arc<Watch>) {
        connection.set_instrumentation(Self::by_default(Seen::nothing_yet::<C>(), watch));
    }

    /// The tap of a connection, unless the program put something else in its place.
    pub(crate) fn of<C: diesel::Connection>(connection: &mut C) -> Option<&mut Self> {
        connection.instrumentation().downcast_mut()
    }

    pub(crate) fn install<C: Driver>(
        connection: &mut C,
        user: DynInstrumentation,
        watch: &Arc<Watch>,
    ) {
        let seen = Self::take_seen(connection);
        connection.set_instrumentation(Self {
            user,
            is_heard: true,
            is_told: true,
            is_listened_to: Arc::clone(watch.board.is_any_heard()),
            watch: Arc::clone(watch),
            replaced: true,
            muted: false,
            seen,
        });
    }

    /// Called when the program returns the connection: the next one shall not be watched by it.
    pub(crate) fn restore<C: Driver>(connection: &mut C, watch: &Arc<Watch>) {
        if let Some(tap) = Self::of(connection).filter(|tap| !tap.replaced) {
            return tap.is_watched_by(watch);
        }
        let seen = Self::take_seen(connection);
        connection.set_instrumentation(Self::by_default(seen, watch));
    }

    fn take_seen<C: Driver>(connection: &mut C) -> Seen {
        match Self::of(connection) {
            Some(tap) => std::mem::replace(&mut tap.seen, Seen::nothing_yet::<C>()),
            None => Seen::not_everything::<C>(),
        }
    }

    /// An option engine has listeners of its own, and there may be some now where there were none.
    pub(crate) fn is_watched_by(&mut self, watch: &Arc<Watch>) {
        if !Arc::ptr_eq(&self.watch, watch) {
            self.watch = Arc::clone(watch);
        }
        self.is_told = self.is_heard || watch.journal.is_read();
    }

    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) fn mute<C: diesel::Connection>(connection: &mut C, muted: bool) {
        if let Some(tap) = Self::of(connection) {
            tap.muted = muted;
        }
    }

    pub(crate) fn seen<C: diesel::Connection>(connection: &mut C) -> Option<&mut Seen> {
        Self::of(connection).map(|tap| &mut tap.seen)
    }

    /// What the program has put here, for its next connection.
    pub(crate) fn take_user(&mut self) -> Option<DynInstrumentation> {
        self.replaced
            .then(|| std::mem::replace(&mut self.user, DynInstrumentation::none()))
    }

    pub(crate) fn user(&mut self) -> &mut dyn Instrumentation {
        &mut *self.user
    }
}

impl Instrumentation for Tap {
    #[inline]
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        let went_wrong = matches!(
            event,
            InstrumentationEvent::FinishQuery { error: Some(_), .. }
        );
        if self.is_told || went_wrong || self.is_listened_to.load(Ordering::Relaxed) {
            self.pass_on(event);
        }
    }
}

impl Tap {
    #[cold]
    #[inline(never)]
    fn pass_on(&mut self, event: InstrumentationEvent<'_>) {
        if !self.muted {
            self.seen.take_note(&event);
            watch::tell(&self.watch, &event);
            self.user.on_connection_event(event);
        }
    }
}
