//! What an engine writes of its pool. The pool's own threads write too, so one subscriber is
//! everybody's.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::{
    io,
    sync::mpsc::{Receiver, Sender, channel},
    time::Duration,
};

use diesel::SqliteConnection;
use everpool_diesel::{Echo, EngineOptions, create_engine};
use tracing_subscriber::fmt::MakeWriter;

/// Where the lines go.
struct Lines(Sender<String>);

impl io::Write for &Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .send(String::from_utf8_lossy(bytes).into_owned())
            .unwrap();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

/// What is written until a connection was invalidated, under the name of its pool.
fn written(lines: &Receiver<String>, name: &str, echo: Echo) -> Vec<String> {
    let options = EngineOptions::builder()
        .pool_logging_name(name)
        .echo_pool(echo);
    let engine = create_engine::<SqliteConnection>("sqlite://", options.build().unwrap()).unwrap();
    drop(engine.connect().unwrap());
    engine.connect().unwrap().invalidate();
    let next = || lines.recv_timeout(Duration::from_secs(30)).unwrap();
    let name = format!("name=\"{name}\"");
    let mut own = Vec::new();
    loop {
        let line = next();
        if line.contains(&name) {
            own.push(line);
        }
        if own
            .last()
            .is_some_and(|line| line.contains("Invalidate connection"))
        {
            return own;
        }
    }
}

#[test]
fn with_echo_pool_the_pools_life_is_written() {
    let (write, lines) = channel();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(Lines(write))
        .with_ansi(false)
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    assert_eq!(written(&lines, "little", Echo::On).len(), 1);
    let all = written(&lines, "all", Echo::Debug);
    let steps = [
        "Created new connection",
        "Connection checked out from pool",
        "Connection being returned to pool",
        "Connection checked out from pool",
        "Invalidate connection",
    ];
    assert_eq!(all.len(), steps.len(), "{all:?}");
    for (line, step) in all.iter().zip(steps) {
        assert!(
            line.contains(" INFO everpool::pool:") && line.contains(step),
            "{all:?}"
        );
    }
}
