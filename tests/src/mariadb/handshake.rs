//! One connection attempt, to learn whether the server lets clients in.
//!
//! Spoken by hand, because to start `mariadb-admin` takes longer than the answer, and the moment matters.
//! Packets are those of "Clients & Servers Protocol" in MariaDB's documentation.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::ROOT;

const GREETING: u8 = 10;
const OK: u8 = 0;
const QUIT: [u8; 5] = [1, 0, 0, 0, 1];

/// CLIENT_PROTOCOL_41 and CLIENT_SECURE_CONNECTION: the least that a server of today talks to.
const CAPABILITIES: u32 = 0x0200 | 0x8000;
const LONGEST_PACKET: u32 = 1 << 24;
const UTF8MB4: u8 = 45;

/// A server that is silent this long is taken as not ready; the caller asks again.
const PATIENCE: Duration = Duration::from_secs(1);

/// The moment the server let root in; an error while it refuses or is not there.
///
/// Returns after the server has closed the connection.
pub(super) fn accepts(socket: &Path) -> io::Result<Instant> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    expect(&mut stream, GREETING)?;
    stream.write_all(&login())?;
    expect(&mut stream, OK)?;
    let ready = Instant::now();
    stream.write_all(&QUIT)?;
    io::copy(&mut stream, &mut io::sink())?;
    Ok(ready)
}

/// The second packet of the conversation: who we are, with an empty password.
fn login() -> Vec<u8> {
    let mut payload = Vec::new();
    payload.extend(CAPABILITIES.to_le_bytes());
    payload.extend(LONGEST_PACKET.to_le_bytes());
    payload.push(UTF8MB4);
    payload.extend([0; 23]);
    payload.extend(ROOT.bytes());
    payload.extend([0, 0]);
    let length = u32::try_from(payload.len()).expect("a few dozen bytes");
    let [low, middle, high, _] = length.to_le_bytes();
    let mut packet = vec![low, middle, high, 1];
    packet.extend(payload);
    packet
}

/// Reads one packet, which must begin with this byte.
fn expect(stream: &mut UnixStream, first: u8) -> io::Result<()> {
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let [low, middle, high, _, found] = head;
    let rest = u32::from_le_bytes([low, middle, high, 0]).saturating_sub(1);
    io::copy(&mut stream.take(rest.into()), &mut io::sink())?;
    if found != first {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(())
}
