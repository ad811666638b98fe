//! What a proxy was told and what passed through it. This file alone changes its state.

use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{io, mem};

use parking_lot::{Condvar, Mutex, MutexGuard};
use rustix::net::connect_unspec;

use super::snare::{Lost, Snare};
use super::{Ending, Traffic};

const PATIENCE: Duration = Duration::from_secs(10);

/// The way from client to server, or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Request,
    Answer,
}

/// What becomes of the next answer.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    Cut { after: usize, ending: Ending },
    Garbage(Vec<u8>),
}

/// What becomes of bytes that have arrived.
#[derive(Debug)]
pub(super) enum Passage {
    Whole,
    Nothing,
    Instead(Vec<u8>),
    First(usize, Ending),
}

#[derive(Debug, Default)]
struct Connection {
    traffic: Traffic,
    /// `None` once both directions have ended.
    ends: Option<Ends>,
    cut: bool,
    /// It alone is frozen.
    frozen: bool,
    /// Of its answers, once one of them met the fate that was waiting for it.
    fate: Option<Fate>,
    /// How many directions have ended.
    ended: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Ends {
    pub(super) client: Arc<TcpStream>,
    pub(super) server: Arc<UnixStream>,
}

impl Ends {
    /// A socket that has gone already is as it shall be.
    fn end(&self, ending: Ending) {
        match ending {
            Ending::Fin => drop(self.client.shutdown(Shutdown::Both)),
            Ending::Reset => reset(&self.client),
        }
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

/// By connect(2) to nowhere, which resets at once, whoever else holds the socket.
pub(super) fn reset(client: &TcpStream) {
    // It fails for a socket that has gone already, which is as it shall be.
    let _ = connect_unspec(client);
}

#[derive(Debug, Default)]
struct State {
    frozen: bool,
    delay: Duration,
    /// Between one byte and the next.
    pause: Duration,
    fate: Option<Fate>,
    snare: Option<Snare>,
    /// How many are passing bytes on at this moment.
    passing: usize,
    connections: Vec<Connection>,
}

#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// What the proxy is told.
impl Shared {
    /// Returns when nothing is on its way any more.
    pub(super) fn freeze(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        state.frozen = true;
        self.wait(&mut state, "stand still", |state| state.passing == 0)
    }

    /// Returns when nothing is on its way any more.
    pub(super) fn freeze_open(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        for connection in &mut state.connections {
            connection.frozen = true;
        }
        self.wait(&mut state, "stand still", |state| state.passing == 0)
    }

    pub(super) fn thaw(&self) {
        self.change(|state| {
            state.frozen = false;
            state
                .connections
                .iter_mut()
                .for_each(|connection| connection.frozen = false);
        });
    }

    pub(super) fn trickle(&self, pause: Duration) {
        self.change(|state| state.pause = pause);
    }

    pub(super) fn delay(&self, delay: Duration) {
        self.change(|state| state.delay = delay);
    }

    pub(super) fn await_answer(&self, fate: Fate) {
        self.change(|state| state.fate = Some(fate));
    }

    pub(super) fn await_request(&self, snare: Snare) {
        self.change(|state| state.snare = Some(snare));
    }

    pub(super) fn has_snare(&self) -> bool {
        self.state.lock().snare.is_some()
    }

    /// Returns when all have ended, with their number.
    pub(super) fn cut_all(&self, ending: Ending) -> io::Result<usize> {
        let mut state = self.state.lock();
        let mut count = 0;
        for connection in &mut state.connections {
            count += usize::from(connection.cut(ending));
        }
        self.changed.notify_all();
        self.wait(&mut state, "end its connections", State::is_quiet)?;
        Ok(count)
    }

    pub(super) fn traffic(&self) -> Vec<Traffic> {
        self.state.lock().traffic()
    }

    pub(super) fn wait_until(&self, reached: impl Fn(&[Traffic]) -> bool) -> io::Result<()> {
        let mut state = self.state.lock();
        self.wait(&mut state, "see what was waited for", |state| {
            reached(&state.traffic())
        })
    }
}

/// What the connections say.
impl Shared {
    /// The number of a new connection; without ends, of one whose server could not be reached.
    pub(super) fn opened(&self, ends: Option<Ends>) -> usize {
        let connection = Connection {
            traffic: Traffic {
                open: ends.is_some(),
                ..Traffic::default()
            },
            ends,
            ..Connection::default()
        };
        let mut state = self.state.lock();
        state.connections.push(connection);
        self.changed.notify_all();
        state.connections.len() - 1
    }

    /// Waits until bytes that have arrived may pass; `None` when their connection was cut meanwhile.
    /// Whoever gets a passage says [`left`](Self::left).
    pub(super) fn enter(&self, id: usize, way: Direction, arrived: &[u8]) -> Option<Passage> {
        let arrival = Instant::now();
        let mut state = self.state.lock();
        *state.connections[id].traffic.arrived(way) += arrived.len() as u64;
        self.changed.notify_all();
        loop {
            if state.connections[id].cut {
                return None;
            }
            let due = arrival + state.delay;
            if state.frozen || state.connections[id].frozen {
                self.changed.wait(&mut state);
            } else if Instant::now() < due {
                self.changed.wait_until(&mut state, due);
            } else {
                break;
            }
        }
        state.passing += 1;
        Some(state.passage(id, way, arrived))
    }

    /// How many of so many bytes may pass together, after the pause between bytes, if there is one.
    pub(super) fn paces(&self, id: usize, bytes: usize) -> usize {
        let mut state = self.state.lock();
        let begun = Instant::now();
        while !state.pause.is_zero() && !state.connections[id].cut {
            let due = begun + state.pause;
            if Instant::now() >= due {
                return bytes.min(1);
            }
            self.changed.wait_until(&mut state, due);
        }
        bytes
    }

    pub(super) fn left(&self, id: usize, way: Direction, passed: usize) {
        self.change(|state| {
            state.passing -= 1;
            *state.connections[id].traffic.passed(way) += passed as u64;
        });
    }

    pub(super) fn cut(&self, id: usize, ending: Ending) {
        self.change(|state| {
            state.connections[id].cut(ending);
        });
    }

    /// One direction has ended. With the second one the connection has.
    pub(super) fn ended(&self, id: usize) {
        self.change(|state| state.connections[id].one_ended());
    }
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock());
        self.changed.notify_all();
    }

    fn wait(
        &self,
        state: &mut MutexGuard<'_, State>,
        step: &str,
        reached: impl Fn(&State) -> bool,
    ) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !reached(state) {
            if self.changed.wait_until(state, deadline).timed_out() {
                let traffic = state.traffic();
                let text = format!("the proxy did not {step} in time: {traffic:?}");
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
        }
        Ok(())
    }
}

impl State {
    fn traffic(&self) -> Vec<Traffic> {
        let connections = self.connections.iter();
        connections.map(|connection| connection.traffic).collect()
    }

    /// Nothing that was cut goes on.
    fn is_quiet(&self) -> bool {
        let mut cut = self.connections.iter().filter(|connection| connection.cut);
        cut.all(|connection| !connection.traffic.open)
    }

    fn passage(&mut self, id: usize, way: Direction, arrived: &[u8]) -> Passage {
        match way {
            Direction::Request => self.passage_of_request(id, arrived),
            Direction::Answer => self.passage_of_answer(id, arrived.len()),
        }
    }

    fn passage_of_request(&mut self, id: usize, arrived: &[u8]) -> Passage {
        let Some(snare) = self.snare.take_if(|snare| snare.catches(arrived)) else {
            return Passage::Whole;
        };
        let (after, ending) = (0, snare.ending);
        match snare.lost {
            Lost::Request => Passage::First(after, ending),
            Lost::Answer => {
                self.connections[id].fate = Some(Fate::Cut { after, ending });
                Passage::Whole
            }
        }
    }

    fn passage_of_answer(&mut self, id: usize, arrived: usize) -> Passage {
        let connection = &mut self.connections[id];
        if arrived == 0 {
            return Passage::Whole;
        }
        if connection.fate.is_none() {
            connection.fate = self.fate.take();
        }
        match &mut connection.fate {
            None => Passage::Whole,
            Some(Fate::Garbage(bytes)) if bytes.is_empty() => Passage::Nothing,
            Some(Fate::Garbage(bytes)) => Passage::Instead(mem::take(bytes)),
            Some(Fate::Cut { after, ending }) if arrived >= *after => {
                Passage::First(*after, *ending)
            }
            Some(Fate::Cut { after, .. }) => {
                *after -= arrived;
                Passage::Whole
            }
        }
    }
}

impl Connection {
    /// Whether there was something to cut.
    fn cut(&mut self, ending: Ending) -> bool {
        let Some(ends) = self.ends.as_ref().filter(|_| !self.cut) else {
            return false;
        };
        ends.end(ending);
        self.cut = true;
        true
    }

    fn one_ended(&mut self) {
        self.ended += 1;
        if self.ended == 2 {
            self.ends = None;
            self.traffic.open = false;
        }
    }
}

impl Traffic {
    fn arrived(&mut self, way: Direction) -> &mut u64 {
        match way {
            Direction::Request => &mut self.from_client,
            Direction::Answer => &mut self.from_server,
        }
    }

    fn passed(&mut self, way: Direction) -> &mut u64 {
        match way {
            Direction::Request => &mut self.to_server,
            Direction::Answer => &mut self.to_client,
        }
    }
}
