use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use crate::{
    connector::Connector,
    held::Held,
    hook::{Answer, ResetState, Scene},
    info::Info,
    listeners::Event,
    machine::{ResetOnReturn, Residue},
    panics::{shielded, survive},
    runtime::Runtime,
    shared::Shared,
};

/// A connection that has left its pool, and is closed in the background when this is dropped.
#[must_use = "a detached connection that is dropped is closed at once"]
pub struct Detached<K: Connector, R: Runtime> {
    shared: Arc<Shared<K, R>>,
    held: Option<Box<Held<K, R>>>,
}

const PRESENT: &str = "only what takes it apart takes the connection out";

impl<K: Connector, R: Runtime> Detached<K, R> {
    pub(crate) fn new(shared: Arc<Shared<K, R>>, held: Box<Held<K, R>>) -> Self {
        Self {
            shared,
            held: Some(held),
        }
    }

    /// What is kept beside this connection.
    pub fn info(&mut self) -> &mut Info {
        &mut self.held.as_mut().expect(PRESENT).info
    }

    /// The driver's connection: no hook hears of it any more, and closing it is the caller's affair.
    pub fn into_connection(mut self) -> K::Connection {
        self.held.take().expect(PRESENT).connection
    }
}

impl<K: Connector, R: Runtime> Deref for Detached<K, R> {
    type Target = K::Connection;

    fn deref(&self) -> &K::Connection {
        &self.held.as_ref().expect(PRESENT).connection
    }
}

impl<K: Connector, R: Runtime> DerefMut for Detached<K, R> {
    fn deref_mut(&mut self) -> &mut K::Connection {
        &mut self.held.as_mut().expect(PRESENT).connection
    }
}

impl<K: Connector, R: Runtime> Drop for Detached<K, R> {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        if self.shared.is_foreign() {
            return std::mem::forget(held);
        }
        let home = Arc::clone(&held.home);
        if home.is_over() {
            // The driver's own code; nobody could be told of a panic.
            let _panicked = shielded(|| drop(held));
            return;
        }
        let closing = end(Arc::clone(&self.shared), held);
        let _panicked = shielded(|| home.runtime.spawn(Box::pin(closing)));
    }
}

/// As the return of a lease, for one that goes nowhere.
async fn end<K: Connector, R: Runtime>(pool: Arc<Shared<K, R>>, mut held: Box<Held<K, R>>) {
    let patience = pool.options.reset_timeout;
    let undone = pool
        .bounded(patience, survive(|| undo(&pool, &mut held)))
        .await;
    if !matches!(undone, Some(Ok(()))) {
        tracing::error!(target: "everpool::pool", "Exception during reset or similar");
    }
    if survive(|| tell(&pool, Event::CloseDetached, &mut held))
        .await
        .is_err()
    {
        tracing::error!(target: "everpool::pool", "a hook panicked");
    }
    let closing = survive(|| pool.connector.close(held.connection));
    let closed = pool.bounded(pool.options.close_timeout, closing).await;
    if !matches!(closed, Some(Ok(()))) {
        tracing::error!(target: "everpool::pool", "Exception closing connection");
    }
}

async fn undo<K: Connector, R: Runtime>(pool: &Shared<K, R>, held: &mut Held<K, R>) {
    let residue = pool.connector.residue(&mut held.connection);
    if residue == Residue::Broken {
        return;
    }
    tell(pool, Event::Reset, held).await;
    let how = pool.options.reset_on_return;
    let is_open = residue != Residue::Clean;
    if is_open && how != ResetOnReturn::Nothing {
        // It is closed either way; what was open ends with it.
        let _reset = pool.connector.reset(&mut held.connection, how).await;
    }
}

async fn tell<K: Connector, R: Runtime>(pool: &Shared<K, R>, event: Event, held: &mut Held<K, R>) {
    let listeners = pool.board.listeners();
    for hook in listeners.of(event) {
        let answer = hook(Scene {
            connection: Some(&mut held.connection),
            record: None,
            reset: ResetState {
                transaction_was_reset: false,
                terminate_only: true,
            },
            reason: None,
        });
        if let Answer::Later(verdict) = answer {
            // It is closed whatever the hook has against it.
            let _verdict = verdict.await;
        }
    }
}

impl<K: Connector, R: Runtime> fmt::Debug for Detached<K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detached").finish_non_exhaustive()
    }
}
