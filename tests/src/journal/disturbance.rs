//! What is done to a server or to its network, drawn by lot.

use std::time::Duration;

use fastrand::Rng;

use crate::proxy::{Ending, Lost};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disturbance {
    /// The server is killed, and started after so long.
    Kill(Duration),
    /// It ends in good order and is started.
    Restart,
    /// It stands still for so long.
    Freeze(Duration),
    /// It stands still and is killed, with the requests that have reached it.
    FreezeAndKill(Duration),
    /// The network holds everything for so long.
    Hold(Duration),
    /// It holds for so long what is open; later connections live.
    Forget(Duration),
    /// It refuses connections for so long; open ones live.
    Refuse(Duration),
    /// It cuts all connections.
    Cut(Ending),
    /// It cuts one connection after so many bytes of its next answer.
    CutAnswer(usize, Ending),
    /// It cuts one connection at its next COMMIT.
    CutCommit(Lost, Ending),
    /// The server ends all sessions.
    EndSessions,
}

impl Disturbance {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        match rng.u8(0..20) {
            0..2 => Disturbance::Kill(pause(rng)),
            2 => Disturbance::Restart,
            3..5 => Disturbance::Freeze(pause(rng)),
            5 => Disturbance::FreezeAndKill(pause(rng)),
            6 => Disturbance::Hold(pause(rng)),
            7 => Disturbance::Forget(pause(rng)),
            8 => Disturbance::Refuse(pause(rng)),
            9..11 => Disturbance::Cut(ending(rng)),
            11..13 => Disturbance::CutAnswer(rng.usize(0..64), ending(rng)),
            13..16 => Disturbance::CutCommit(Lost::Request, ending(rng)),
            16..19 => Disturbance::CutCommit(Lost::Answer, ending(rng)),
            _ => Disturbance::EndSessions,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Disturbance::Kill(_) => "the server was killed",
            Disturbance::Restart => "the server was restarted",
            Disturbance::Freeze(_) => "the server stood still",
            Disturbance::FreezeAndKill(_) => "the server stood still and was killed",
            Disturbance::Hold(_) => "the network held everything",
            Disturbance::Forget(_) => "the network held what was open",
            Disturbance::Refuse(_) => "the network refused connections",
            Disturbance::Cut(_) => "all connections were cut",
            Disturbance::CutAnswer(..) => "an answer was cut",
            Disturbance::CutCommit(Lost::Request, _) => "a COMMIT was lost",
            Disturbance::CutCommit(Lost::Answer, _) => "the answer to a COMMIT was lost",
            Disturbance::EndSessions => "all sessions were ended",
        }
    }

    /// Whether it may be that nobody can work meanwhile: of what is held, Diesel's threads wait for all, and
    /// where no connection is accepted, those that are open come to an end.
    pub(super) fn takes_it_away(self) -> bool {
        match self {
            Disturbance::Kill(_)
            | Disturbance::Restart
            | Disturbance::Freeze(_)
            | Disturbance::FreezeAndKill(_)
            | Disturbance::Hold(_)
            | Disturbance::Forget(_)
            | Disturbance::Refuse(_) => true,
            Disturbance::Cut(_)
            | Disturbance::CutAnswer(..)
            | Disturbance::CutCommit(..)
            | Disturbance::EndSessions => false,
        }
    }
}

/// Mostly shorter than all that the engine's options bound, now and then longer.
fn pause(rng: &mut Rng) -> Duration {
    let milliseconds = match rng.u8(0..10) {
        0 => rng.u64(3_000..7_000),
        _ => rng.u64(10..800),
    };
    Duration::from_millis(milliseconds)
}

fn ending(rng: &mut Rng) -> Ending {
    match rng.bool() {
        true => Ending::Fin,
        false => Ending::Reset,
    }
}
