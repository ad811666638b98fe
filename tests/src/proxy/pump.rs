//! The two threads of a connection: each carries bytes one way.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::thread;

use super::state::{Direction, Ends, Passage, Shared};

const BUFFER: usize = 16 * 1024;

/// Starts both.
pub(super) fn start(shared: &Arc<Shared>, ends: Ends) {
    let id = shared.opened(Some(ends.clone()));
    let (there, back) = (Arc::clone(shared), Arc::clone(shared));
    let Ends { client, server } = ends.clone();
    thread::spawn(move || {
        let pump = Pump {
            shared: &there,
            id,
            way: Direction::Request,
        };
        pump.run(&*client, &*server, || server.shutdown(Shutdown::Write));
    });
    let Ends { client, server } = ends;
    thread::spawn(move || {
        let pump = Pump {
            shared: &back,
            id,
            way: Direction::Answer,
        };
        pump.run(&*server, &*client, || client.shutdown(Shutdown::Write));
    });
}

struct Pump<'a> {
    shared: &'a Shared,
    id: usize,
    way: Direction,
}

impl Pump<'_> {
    /// Until the source ends, which is passed on, or the connection is cut.
    fn run(&self, from: impl Read, to: impl Write, end: impl FnOnce() -> io::Result<()>) {
        if self.carry(from, to).is_some() {
            // A sink that has gone already is as it shall be.
            let _ = end();
        }
        self.shared.ended(self.id);
    }

    fn write(&self, to: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (first, rest) = bytes.split_at(self.shared.paces(self.id, bytes.len()));
            to.write_all(first)?;
            bytes = rest;
        }
        Ok(())
    }

    /// `None` when the connection was cut.
    fn carry(&self, mut from: impl Read, mut to: impl Write) -> Option<()> {
        let mut buffer = [0; BUFFER];
        loop {
            let arrived = match from.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // An error ends a stream as its end does.
                read => read.unwrap_or(0),
            };
            let passage = self.shared.enter(self.id, self.way, &buffer[..arrived])?;
            let (bytes, ending) = match &passage {
                Passage::Whole => (&buffer[..arrived], None),
                Passage::Nothing => (&[][..], None),
                Passage::Instead(bytes) => (&bytes[..], None),
                Passage::First(count, ending) => (&buffer[..*count], Some(*ending)),
            };
            let written = self.write(&mut to, bytes);
            let passed = if written.is_ok() { bytes.len() } else { 0 };
            self.shared.left(self.id, self.way, passed);
            if let Some(ending) = ending {
                self.shared.cut(self.id, ending);
                return None;
            }
            if arrived == 0 || written.is_err() {
                return Some(());
            }
        }
    }
}
