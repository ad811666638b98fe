//! What waits for one request among all that pass.

use super::Ending;

/// Which half of an exchange gets lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The server never hears of it.
    Request,
    /// The server has done it, and the client never hears of that.
    Answer,
}

#[derive(Debug)]
pub(super) struct Snare {
    pub(super) text: Vec<u8>,
    pub(super) lost: Lost,
    pub(super) ending: Ending,
}

impl Snare {
    /// Whether the text stands in these bytes. One that arrives in two pieces is not seen.
    pub(super) fn catches(&self, request: &[u8]) -> bool {
        let length = self.text.len().max(1);
        request.windows(length).any(|window| window == self.text)
    }
}
