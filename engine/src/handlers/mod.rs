//! What a program has to say of an error before anybody else hears of it: SQLAlchemy's `handle_error`.

mod context;

use std::{
    error::Error,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    Backend,
    fault::{ConnectFault, Fault},
};

pub use context::{ErrorContext, Origin};

/// An error that is told instead of the driver's.
pub type Replacement = Box<dyn Error + Send + Sync>;

/// What a handler answers: nothing, or an error to be told instead. With `Err`, no handler after
/// this one is asked.
pub type Answer = Result<Option<Replacement>, Replacement>;

type Handler<E> = dyn Fn(&mut ErrorContext<'_, E>) -> Answer + Send + Sync;
type Registered<E> = Arc<[Arc<Handler<E>>]>;

/// What came of an error after all handlers were asked.
#[derive(Debug)]
#[must_use]
pub struct Handled {
    /// Whose fault it is now.
    pub fault: Fault,
    /// What is told instead of the driver's error; `None` is the driver's own.
    pub replacement: Option<Replacement>,
}

/// The handlers of one engine, in the order in which they are asked. Clones are the same registry.
///
/// The rules are SQLAlchemy's. An answer with an error replaces what is told, and the last one
/// stands; an answer without leaves a replacement before it as it is. What a handler decided of the
/// connection holds, even if that handler or one after it failed: what is told and what becomes of
/// the connection are two things. A handler that panics costs nothing but what it would have said;
/// the panic is logged.
///
/// ```
/// use everpool_engine::{Backend, fault::Fault, handlers::{Handlers, Origin}};
///
/// let handlers = Handlers::<std::io::Error>::default();
/// handlers.listen(|context| {
///     if context.original().to_string().contains("read-only replica") {
///         context.set_disconnect(true);
///     }
///     Ok(None)
/// });
/// let error = std::io::Error::other("this is a read-only replica");
/// let origin = Origin::Execution(Some("INSERT INTO users VALUES (1)"));
/// let handled = handlers.handle(&error, Backend::Postgresql, origin, Fault::Statement);
/// assert_eq!(handled.fault, Fault::Server);
/// assert!(handled.replacement.is_none());
/// ```
pub struct Handlers<E> {
    /// Replaced, never changed, so that handlers run without the lock.
    handlers: Arc<Mutex<Registered<E>>>,
}

impl<E> Handlers<E> {
    /// Adds a handler behind those that are there. It may be called by many threads at once, and
    /// must not block: a task may be waiting for it.
    pub fn listen(
        &self,
        handler: impl Fn(&mut ErrorContext<'_, E>) -> Answer + Send + Sync + 'static,
    ) {
        let mut handlers = self.handlers.lock().unwrap_or_else(PoisonError::into_inner);
        let added: Arc<Handler<E>> = Arc::new(handler);
        *handlers = handlers.iter().cloned().chain([added]).collect();
    }

    /// Asks every handler about an error, from ping, connect or execution. `fault` is what the
    /// tables say of it, and what comes back if no handler is there. No I/O.
    pub fn handle(
        &self,
        original: &E,
        backend: Backend,
        origin: Origin<'_>,
        fault: Fault,
    ) -> Handled {
        let mut context = ErrorContext::new(original, backend, origin, fault);
        for handler in self.registered().iter() {
            match ask(handler.as_ref(), &mut context) {
                Ok(None) => {}
                Ok(answer) => context.chained = answer,
                Err(raised) => {
                    context.chained = Some(raised);
                    break;
                }
            }
        }
        Handled {
            fault: context.fault(),
            replacement: context.chained,
        }
    }

    /// As [`handle`](Self::handle), of a failed connect that counts as `assumed`. What handlers make of it:
    /// an error to be told, or none, and how it counts; `None` if all stays as it is. No I/O.
    ///
    /// ```
    /// use everpool_engine::{Backend, fault::ConnectFault, handlers::Handlers};
    ///
    /// let handlers = Handlers::<std::io::Error>::default();
    /// let error = std::io::Error::other("not in the list of servers");
    /// let permanent = ConnectFault::Permanent;
    /// assert!(handlers.handle_connect(&error, Backend::Postgresql, permanent).is_none());
    ///
    /// handlers.listen(|context| {
    ///     context.set_disconnect(true);
    ///     Ok(None)
    /// });
    /// let handled = handlers.handle_connect(&error, Backend::Postgresql, permanent);
    /// assert!(matches!(handled, Some((None, ConnectFault::Transient))));
    /// ```
    pub fn handle_connect(
        &self,
        original: &E,
        backend: Backend,
        assumed: ConnectFault,
    ) -> Option<(Option<Replacement>, ConnectFault)> {
        let fault = match assumed {
            ConnectFault::Transient => Fault::Server,
            ConnectFault::Permanent => Fault::Statement,
        };
        let handled = self.handle(original, backend, Origin::Connect, fault);
        let connect_fault = match handled.fault.is_disconnect() {
            true => ConnectFault::Transient,
            false => ConnectFault::Permanent,
        };
        let is_other = handled.replacement.is_some() || connect_fault != assumed;
        is_other.then_some((handled.replacement, connect_fault))
    }

    fn registered(&self) -> Registered<E> {
        let handlers = self.handlers.lock();
        Arc::clone(&handlers.unwrap_or_else(PoisonError::into_inner))
    }
}

/// A panic leaves the context as it was.
fn ask<E>(handler: &Handler<E>, context: &mut ErrorContext<'_, E>) -> Answer {
    let before = context.flags;
    catch_unwind(AssertUnwindSafe(|| handler(context))).unwrap_or_else(|_| {
        tracing::error!(target: "everpool::engine", "a handler of handle_error panicked; it is passed over");
        context.flags = before;
        Ok(None)
    })
}

impl<E> Default for Handlers<E> {
    fn default() -> Self {
        Self {
            handlers: Arc::new(Mutex::new(Arc::new([]))),
        }
    }
}

impl<E> Clone for Handlers<E> {
    fn clone(&self) -> Self {
        Self {
            handlers: Arc::clone(&self.handlers),
        }
    }
}

impl<E> fmt::Debug for Handlers<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handlers")
            .field("registered", &self.registered().len())
            .finish()
    }
}
