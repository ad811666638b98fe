//! Engines for what only reads.

use std::{sync::Arc, time::Duration};

use super::Engine;
use crate::{driver::Driver, shared::Shared};

/// The replicas of an engine; the last that is asked is what it has itself.
pub(crate) type Replicas<C> = everpool_engine::Replicas<Arc<Shared<C>>, Engine<C>>;

impl<C: Driver> Engine<C> {
    /// An engine for what only reads: the database refuses whatever writes on it. It has the options and
    /// listeners of this one. Does not block.
    ///
    /// With `sqlite_readers` it has a pool of its own, of connections that never write, and sees what is
    /// committed while the writer is in a transaction; [`status`](Self::status) and
    /// [`pool`](Self::pool) are that pool's, and [`dispose`](Self::dispose) spares the writer. Without,
    /// its connections are this engine's, told at their checkout to be read-only and at their return to
    /// write again, which costs a statement each. With [replicas](Self::with_replicas) they are those of the
    /// replicas.
    #[cfg_attr(
        feature = "sqlite",
        doc = r#"
```
# use diesel::prelude::*;
# use everpool_diesel::{EngineOptions, Session, create_engine};
let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default())?;
let mut session = Session::begin(&engine.read_only())?;
let refused = diesel::sql_query("CREATE TABLE t (x INTEGER)").execute(&mut session);
assert_eq!(refused.unwrap_err().to_string(), "attempt to write a readonly database");
# Ok::<(), Box<dyn std::error::Error>>(())
```
"#
    )]
    #[must_use]
    pub fn read_only(&self) -> Self {
        let readers = self.shared.readers.as_ref();
        let mut engine = self.reading(readers.unwrap_or(&self.shared));
        engine.is_routed = self.replicas.is_some();
        engine
    }

    /// The same over this pool, on which the database refuses whatever writes.
    pub(crate) fn reading(&self, shared: &Arc<Shared<C>>) -> Self {
        let mut engine = self.clone();
        let refuses_already = shared.characteristics.read_only == Some(true);
        engine.asked.read_only = (!refuses_already).then_some(true);
        engine.shared = Arc::clone(shared);
        engine
    }

    /// This engine, with replicas for what only reads: each connection of its [`read_only`](Self::read_only) is
    /// one of theirs, told to be read-only too, of the replica that is used least at that moment. Does not block.
    ///
    /// A replica that cannot be reached is replaced by another, and then by this engine's own database; it is
    /// tried again once a second. One whose connections are all in use is waited for, as this engine itself
    /// would be, and what waiting does not mend, such as a wrong password, is told. A replica that swallows
    /// everything keeps who opens a connection waiting for its `pool_connect_timeout` first, and who is lent one
    /// that rested for as long as the driver waits for an answer.
    ///
    /// The replicas keep their pools, with their pool events, `do_connect` and `handle_error`, and what the
    /// options that they were created with ask of each connection; the pools tell an outage at once from now on.
    /// All else is as this engine is: execution options, listeners, `pool_timeout`. What is asked of the read-only engine itself
    /// ([`status`](Self::status), [`raw_connection`](Self::raw_connection), [`dispose`](Self::dispose)) concerns
    /// this engine's pool; for theirs there is [`replicas`](Self::replicas).
    ///
    /// ```no_run
    /// # #[cfg(feature = "postgres")] {
    /// # use diesel::PgConnection;
    /// # use everpool_diesel::{EngineOptions, Session, create_engine};
    /// let options = EngineOptions::default();
    /// let replica = create_engine::<PgConnection>("postgresql://replica/shop", options.clone())?;
    /// let engine = create_engine::<PgConnection>("postgresql://primary/shop", options)?;
    /// let engine = engine.with_replicas([replica]);
    /// let reads = Session::begin(&engine.read_only())?;
    /// let writes = Session::begin(&engine)?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_replicas(mut self, replicas: impl IntoIterator<Item = Self>) -> Self {
        let own = self.shared.readers.as_ref().unwrap_or(&self.shared);
        let replicas: Vec<_> = replicas.into_iter().collect();
        for replica in &replicas {
            // There is somebody else to be asked, so nobody waits for the end of an outage.
            replica.pool().set_outage_grace(Duration::ZERO);
        }
        self.replicas = Replicas::new(Arc::clone(own), replicas).map(Arc::new);
        self
    }

    /// The replicas that it was given, each with its own [`status`](Self::status) and [`url`](Self::url).
    pub fn replicas(&self) -> &[Self] {
        let replicas = self.replicas.as_deref();
        replicas.map_or(&[], Replicas::all)
    }

    /// Where its connections come from, if not from its own pool.
    pub(crate) fn route(&self) -> Option<&Arc<Replicas<C>>> {
        self.replicas.as_ref().filter(|_| self.is_routed)
    }
}
