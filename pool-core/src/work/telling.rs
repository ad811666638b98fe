//! Calling the hooks of a connection.

use super::Place;
use crate::{
    connector::Connector,
    held::Held,
    hook::{Answer, HookError, Record, ResetState, Scene},
    info::Info,
    listeners::Event,
    panics::{shielded, survive},
    runtime::Runtime,
    shared::{Setting, Shared},
};

impl<K: Connector, R: Runtime> Setting<K, R> {
    /// Calls the hooks of an event, one after another, until one fails. A panic is a failure.
    pub(crate) async fn tell(
        &self,
        event: Event,
        held: &mut Held<K, R>,
        place: Place,
    ) -> Result<(), HookError> {
        self.tell_with(event, held, place, NO_RESET).await
    }

    pub(super) async fn tell_with(
        &self,
        event: Event,
        held: &mut Held<K, R>,
        place: Place,
        reset: ResetState,
    ) -> Result<(), HookError> {
        if !self.board.is_any_heard(event.bit()) {
            return Ok(());
        }
        let told = survive(|| self.tell_each(event, held, place, reset)).await;
        told.unwrap_or_else(|panic| Err(hook_panicked(&panic)))
    }

    async fn tell_each(
        &self,
        event: Event,
        held: &mut Held<K, R>,
        (slot, generation): Place,
        reset: ResetState,
    ) -> Result<(), HookError> {
        let listeners = self.board.listeners();
        for hook in listeners.of(event) {
            let reason = held.reason.clone();
            let (connection, record) = held.open(slot, generation);
            let answer = hook(Scene {
                connection: Some(connection),
                record: Some(record),
                reset,
                reason: reason.as_ref().map(|reason| &**reason as _),
            });
            answer.verdict().await?;
        }
        Ok(())
    }

    /// A notice: its hooks cannot refuse anything, and their panics end here.
    pub(crate) async fn notify(&self, event: Event, held: &mut Held<K, R>, place: Place) {
        if let Err(error) = self.tell(event, held, place).await {
            tracing::error!(target: "everpool::pool", ?event, %error, "a notice was not taken");
        }
    }
}

pub(super) fn hook_panicked(message: &str) -> HookError {
    HookError::Failed(format!("a hook panicked: {message}").into())
}

const NO_RESET: ResetState = ResetState {
    transaction_was_reset: false,
    terminate_only: false,
};

impl<K: Connector, R: Runtime> Shared<K, R> {
    /// A slot comes back without its connection.
    pub(super) async fn checked_in_without(
        &self,
        info: &mut Info,
        record_info: &mut Info,
        place: Place,
    ) {
        let listeners = self.board.listeners();
        for hook in listeners.of(Event::Checkin) {
            let record = Record {
                info,
                record_info,
                slot: place.0,
                generation: place.1,
            };
            let told = shielded(|| {
                hook(Scene {
                    connection: None,
                    record: Some(record),
                    reset: NO_RESET,
                    reason: None,
                })
            });
            if let Some(Answer::Later(verdict)) = told {
                let _nobody_cares = survive(|| verdict).await;
            }
        }
    }
}
