use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::{Stream, stream::BoxStream};
use sqlx::Either;

use super::Answer;
use crate::{
    driver::{Driver, Piece},
    flags::Flags,
};

/// The rows of a statement.
pub(crate) struct Rows<'e, DB: Driver> {
    rows: BoxStream<'e, Answer<Piece<DB>>>,
    flags: &'e mut Flags,
}

impl<'e, DB: Driver> Rows<'e, DB> {
    pub(super) fn new(rows: BoxStream<'e, Answer<Piece<DB>>>, flags: &'e mut Flags) -> Self {
        Self { rows, flags }
    }
}

impl<DB: Driver> Stream for Rows<'_, DB> {
    type Item = Answer<Piece<DB>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.flags.asks();
        let piece = ready!(self.rows.as_mut().poll_next(context));
        match &piece {
            None => self.flags.succeeded(),
            Some(Ok(Either::Left(_) | Either::Right(_))) => self.flags.row(),
            Some(Err(error)) => self.flags.failed(error),
        }
        Poll::Ready(piece)
    }
}
