//! What the face of a session needs of it.

use std::{sync::Arc, time::Duration};

use everpool_engine::twophase::Xid;
use everpool_session::{
    Listeners, TransactionId,
    future::{Participant, Transactional},
    stack::{Control, Stack, Standing},
};
use sqlx::Error;

use super::Session;
use crate::driver::Driver;

impl<DB: Driver> Transactional for Session<DB> {
    type Error = Error;

    #[inline]
    fn stack(&mut self) -> &mut Stack {
        &mut self.stack
    }

    fn listeners(&self) -> &Arc<Listeners<Participant<Self>>> {
        &self.listeners
    }

    #[inline]
    fn levels(&mut self) -> u32 {
        u32::try_from(self.connection.session_levels()).unwrap_or(u32::MAX)
    }

    fn standing(&mut self, levels: u32) -> Standing {
        self.connection.standing(levels)
    }

    fn is_connected(&mut self) -> bool {
        !self.connection.invalidated()
    }

    fn timeout(&self) -> Duration {
        self.connection.timeout()
    }

    async fn checkout(&mut self, timeout: Duration) -> Result<(), Error> {
        self.connection.checkout_for_session(timeout).await
    }

    async fn send(&mut self, control: Control) -> Result<(), Error> {
        match self.stack.is_twophase() {
            true => self.send_phase(control).await,
            false => self.connection.send_control(control).await,
        }
    }

    fn xid(&self) -> Option<&Xid> {
        Self::xid(self)
    }

    async fn transaction_id(&mut self) -> Result<TransactionId, Error> {
        self.connection.transaction_id().await
    }

    fn release(&mut self) {
        self.leave();
    }

    fn invalidate(&mut self) {
        self.connection.invalidate();
        self.leave();
    }
}
