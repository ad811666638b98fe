//! What the face of a session needs of it.

use std::{sync::Arc, time::Duration};

use diesel::{QueryResult, result::Error};
use everpool_engine::twophase::Xid;
use everpool_session::{
    Listeners, TransactionId,
    blocking::{Participant, Transactional},
    stack::{Control, Stack, Standing},
};

use super::Session;
use crate::driver::Driver;

impl<C: Driver> Transactional for Session<C> {
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
        self.connection.levels()
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

    fn checkout(&mut self, timeout: Duration) -> QueryResult<()> {
        self.connection.checkout_for_session(timeout)
    }

    fn send(&mut self, control: Control) -> QueryResult<()> {
        match self.stack.is_twophase() {
            true => self.send_phase(control),
            false => self.connection.send_control(control),
        }
    }

    fn xid(&self) -> Option<&Xid> {
        Self::xid(self)
    }

    fn transaction_id(&mut self) -> QueryResult<TransactionId> {
        self.connection
            .run(C::transaction_id, || TransactionId::QUERY.to_owned())
    }

    fn release(&mut self) {
        self.leave();
    }

    fn invalidate(&mut self) {
        self.connection.invalidate();
        self.leave();
    }
}
