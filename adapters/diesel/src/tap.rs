use std::sync::Arc;

use diesel::connection::{DynInstrumentation, Instrumentation, InstrumentationEvent};

use crate::watch::Watch;

/// Stands in the instrumentation slot of each driver connection and passes on what it is told, except
/// while this crate asks the connection something that the program did not.
pub(crate) struct Tap {
    user: DynInstrumentation,
    /// The engine's.
    watch: Arc<Watch>,
    /// The program has put its own here, so it goes when the program returns the connection.
    replaced: bool,
    muted: bool,
}

impl Tap {
    /// Called on a new connection.
    pub(crate) fn install_default<C: diesel::Connection>(connection: &mut C, watch: &Arc<Watch>) {
        let user = DynInstrumentation::default_instrumentation();
        connection.set_instrumentation(Self {
            user,
            watch: Arc::clone(watch),
            replaced: false,
            muted: false,
        });
    }

    /// The tap of a connection, unless the program put something else in its place.
    pub(crate) fn of<C: diesel::Connection>(connection: &mut C) -> Option<&mut Self> {
        connection.instrumentation().downcast_mut()
    }

    pub(crate) fn install<C: diesel::Connection>(
        connection: &mut C,
        user: DynInstrumentation,
        watch: &Arc<Watch>,
    ) {
        connection.set_instrumentation(Self {
            user,
            watch: Arc::clone(watch),
            replaced: true,
            muted: false,
        });
    }

    /// Called when the program returns the connection: the next one shall not be watched by it.
    pub(crate) fn restore<C: diesel::Connection>(connection: &mut C, watch: &Arc<Watch>) {
        match Self::of(connection) {
            Some(tap) if !tap.replaced => tap.is_watched_by(watch),
            _ => Self::install_default(connection, watch),
        }
    }

    /// An option engine has listeners of its own.
    pub(crate) fn is_watched_by(&mut self, watch: &Arc<Watch>) {
        if !Arc::ptr_eq(&self.watch, watch) {
            self.watch = Arc::clone(watch);
        }
    }

    pub(crate) fn mute<C: diesel::Connection>(connection: &mut C, muted: bool) {
        if let Some(tap) = Self::of(connection) {
            tap.muted = muted;
        }
    }

    pub(crate) fn user(&mut self) -> &mut dyn Instrumentation {
        &mut *self.user
    }
}

impl Instrumentation for Tap {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if !self.muted {
            self.watch.look(&event);
            self.user.on_connection_event(event);
        }
    }
}
