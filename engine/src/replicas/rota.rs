//! Which of several replicas is asked for the next connection.

use std::{
    error::Error,
    fmt,
    time::{Duration, Instant},
};

use everpool_core::{CheckoutError, Phase};

/// For how long a replica that could not be reached is asked by nobody.
const AWAY: Duration = Duration::from_secs(1);

/// Whose turn it is among an engine's replicas, and which of them are away.
///
/// The least used is next, so that a slow replica is asked for less, and nobody waits for one that is full
/// while another is not; of several, the one whose turn it is. One that could not be reached is left alone for
/// a second. Then one caller asks it again, and the others go on without it until that one was served.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use everpool_engine::Rota;
///
/// let (mut rota, now) = (Rota::new(2), Instant::now());
/// assert_eq!(rota.next(now, |_| 0), Some(0));
/// assert_eq!(rota.next(now, |_| 0), Some(1));
///
/// rota.missed(0, now);
/// assert_eq!(rota.next(now, |_| 0), Some(1));
/// rota.missed(1, now);
/// assert_eq!(rota.next(now, |_| 0), None);
///
/// let later = now + Duration::from_secs(1);
/// assert_eq!(rota.next(later, |_| 0), Some(0));
/// assert_eq!(rota.next(later, |_| 0), Some(1));
/// assert_eq!(rota.next(later, |_| 0), None);
/// rota.reached(0);
/// assert_eq!(rota.next(later, |_| 0), Some(0));
/// ```
#[derive(Clone, Debug)]
pub struct Rota {
    /// Until when each is not asked. `None`: it is there.
    away: Vec<Option<Instant>>,
    /// Who is asked first, of those that are used alike.
    turn: usize,
}

impl Rota {
    /// Of so many replicas, all there.
    pub fn new(replicas: usize) -> Self {
        Self {
            away: vec![None; replicas],
            turn: 0,
        }
    }

    /// The replica to be asked next; `None` if all are away. `used` says how many connections of each are in
    /// use or waited for.
    pub fn next(&mut self, now: Instant, used: impl Fn(usize) -> usize) -> Option<usize> {
        let count = self.away.len();
        let in_turn = (0..count).map(|step| (self.turn + step) % count);
        let may_be_asked = |replica: &usize| self.away[*replica].is_none_or(|until| until <= now);
        let next = in_turn
            .filter(may_be_asked)
            .min_by_key(|replica| used(*replica))?;
        self.turn = next + 1;
        // Who was away is asked by this caller alone, until it is known to be back.
        self.away[next] = self.away[next].map(|_| now + AWAY);
        Some(next)
    }

    /// This replica has given a connection.
    pub fn reached(&mut self, replica: usize) {
        self.away[replica] = None;
    }

    /// This replica could not be reached.
    pub fn missed(&mut self, replica: usize, now: Instant) {
        self.away[replica] = Some(now + AWAY);
    }
}

/// Whether a checkout failed because the server is not there, or loses each connection, so that another one may
/// be asked: not because all connections are in use, nor because of what waiting does not mend.
pub fn is_unreachable<E: Error + 'static>(error: &CheckoutError<E>) -> bool {
    match error {
        CheckoutError::Outage(_) | CheckoutError::Rejected(_) => true,
        CheckoutError::TimedOut(late) => matches!(
            late.phase,
            Phase::Outage | Phase::Connect | Phase::Ping | Phase::Hanging
        ),
        _ => false,
    }
}

/// Writes that another is asked instead of this replica.
pub fn note_missed(replica: &dyn fmt::Debug, error: &dyn fmt::Display) {
    tracing::warn!(target: "everpool::engine", ?replica, %error, "Replica not reached");
}
