//! A session for whoever asks for it in the same scope, without being handed on: SQLAlchemy's `scoped_session`.

mod entered;
mod error;
mod factory;
mod key;
mod places;
mod registry;
mod scoped;
mod session;
#[cfg(feature = "tokio")]
mod task;
mod thread;

pub use entered::Entered;
pub use error::ScopeError;
pub use factory::SessionFactory;
pub use key::ScopeKey;
pub use scoped::Scoped;
pub use session::ScopedSession;
#[cfg(feature = "tokio")]
pub use task::TaskScope;
pub use thread::ThreadScope;
