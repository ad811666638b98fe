//! One connection attempt, to learn whether a server that speaks PostgreSQL's protocol lets clients in.
//!
//! Spoken by hand, because to start `pg_isready` takes longer than the answer, and the moment matters.
//! Messages are those of "Frontend/Backend Protocol" in PostgreSQL's manual.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::postgres::USER;

const VERSION_3_0: u32 = 196_608;
const READY_FOR_QUERY: u8 = b'Z';
const ERROR_RESPONSE: u8 = b'E';
const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];

/// A server that is silent this long is taken as not ready; the caller asks again.
const PATIENCE: Duration = Duration::from_secs(1);

/// The moment the server was ready for a query; an error while it refuses or is not there.
///
/// Returns after the server has closed the connection, so that no session of ours is left to be counted.
pub(crate) fn accepts(socket: &Path, database: &str) -> io::Result<Instant> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&startup_message(database))?;
    while read_message(&mut stream)? != READY_FOR_QUERY {}
    let ready = Instant::now();
    stream.write_all(&TERMINATE)?;
    io::copy(&mut stream, &mut io::sink())?;
    Ok(ready)
}

fn startup_message(database: &str) -> Vec<u8> {
    let parameters = format!("user\0{USER}\0database\0{database}\0\0");
    let length = 8 + u32::try_from(parameters.len()).expect("a few dozen bytes");
    let mut message = Vec::new();
    message.extend(length.to_be_bytes());
    message.extend(VERSION_3_0.to_be_bytes());
    message.extend(parameters.into_bytes());
    message
}

/// Reads one message and tells its type; an error message is an error.
fn read_message(stream: &mut UnixStream) -> io::Result<u8> {
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let [kind, length @ ..] = head;
    let length = u64::from(u32::from_be_bytes(length).saturating_sub(4));
    io::copy(&mut stream.take(length), &mut io::sink())?;
    if kind == ERROR_RESPONSE {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(kind)
}
