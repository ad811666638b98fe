//! A network that fails as told, between a client and a server.

mod acceptor;
mod pump;
mod snare;
mod state;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use snare::Lost;

use acceptor::Acceptor;
use snare::Snare;
use state::{Fate, Shared};

use crate::port::Port;

/// How a connection ends that is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// In good order: the client reads an end. So does a process end that is killed.
    Fin,
    /// With a reset: the client reads an error. So does a machine end that was restarted.
    Reset,
}

/// What a proxy has seen of one connection, in bytes.
///
/// What has arrived and not passed is held, or was thrown away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Arrived from the client.
    pub from_client: u64,
    /// Passed on to the server.
    pub to_server: u64,
    /// Arrived from the server.
    pub from_server: u64,
    /// Passed on to the client.
    pub to_client: u64,
    /// Neither cut nor ended by both sides.
    pub open: bool,
}

/// A port of 127.0.0.1 that leads to a server's Unix socket, until it is told otherwise.
///
/// It runs in threads of this process. What it is told is so when the method returns. The port stays the
/// proxy's while it lives; when it is dropped, its connections end.
///
/// ```
/// use everpool_tests::{PostgreSql, Proxy, proxy::Ending};
///
/// let server = PostgreSql::start()?;
/// let proxy = Proxy::to(&server.socket())?;
/// let url = server.url_at(proxy.port());
/// // … clients connect to `url` …
/// proxy.cut(Ending::Reset)?;
/// # let _ = url;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Proxy {
    port: Port,
    server: PathBuf,
    /// `None` while it refuses.
    acceptor: Option<Acceptor>,
    shared: Arc<Shared>,
}

impl Proxy {
    /// A proxy to the server at this Unix socket, which need not be there yet.
    ///
    /// # Errors
    ///
    /// When the operating system gives no port.
    pub fn to(socket: &Path) -> io::Result<Self> {
        let mut proxy = Proxy {
            port: Port::reserve()?,
            server: socket.to_owned(),
            acceptor: None,
            shared: Arc::default(),
        };
        proxy.accept()?;
        Ok(proxy)
    }

    /// Where clients connect, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Refuses new connections, as a machine does on which no server listens. Those that are open go on.
    pub fn refuse(&mut self) {
        self.acceptor = None;
    }

    /// Accepts new connections again. A connection whose server is not there is reset.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn accept(&mut self) -> io::Result<()> {
        if self.acceptor.is_none() {
            let (server, shared) = (self.server.clone(), Arc::clone(&self.shared));
            self.acceptor = Some(Acceptor::start(self.port(), server, shared)?);
        }
        Ok(())
    }

    /// Ends every connection that it has accepted; returns when they have ended, with their number.
    /// What they held is lost.
    ///
    /// # Errors
    ///
    /// When they do not end within 10 seconds.
    pub fn cut(&self, ending: Ending) -> io::Result<usize> {
        self.shared.cut_all(ending)
    }

    /// Holds whatever arrives, both ways, the end of a stream too, as a network does that swallows packets.
    /// New connections are accepted. Returns when nothing is on its way any more.
    ///
    /// # Errors
    ///
    /// When somebody does not take what is on its way to him within 10 seconds.
    pub fn freeze(&self) -> io::Result<()> {
        self.shared.freeze()
    }

    /// As [`freeze`](Self::freeze), but only the connections that are open now, as a firewall does that has
    /// forgotten them: those that come later live.
    ///
    /// # Errors
    ///
    /// As `freeze`.
    pub fn freeze_open(&self) -> io::Result<()> {
        self.shared.freeze_open()
    }

    /// Passes on what was held, and what follows.
    pub fn thaw(&self) {
        self.shared.thaw();
    }

    /// Holds each piece for this long before it is passed on, both ways; zero ends that.
    pub fn delay(&self, delay: Duration) {
        self.shared.delay(delay);
    }

    /// Passes on byte by byte, both ways, each after so long a pause; zero ends that. A client that is
    /// answered so waits in the middle of each message.
    pub fn trickle(&self, pause: Duration) {
        self.shared.trickle(pause);
    }

    /// Cuts the connection that is answered next, after so many bytes of answers: half an answer.
    /// The others go on.
    pub fn cut_answer_after(&self, bytes: usize, ending: Ending) {
        let after = bytes;
        self.shared.await_answer(Fate::Cut { after, ending });
    }

    /// Gives the client that is answered next these bytes instead, and no answer after that.
    /// Its connection stays open, and the others go on.
    pub fn answer_with(&self, bytes: impl Into<Vec<u8>>) {
        self.shared.await_answer(Fate::Garbage(bytes.into()));
    }

    /// Cuts the connection on which the next request arrives that has this text in it, and loses the request, or
    /// its answer: a COMMIT that never was, or one that nobody hears of. The others go on.
    pub fn cut_at(&self, text: &str, lost: Lost, ending: Ending) {
        let text = text.as_bytes().to_vec();
        self.shared.await_request(Snare { text, lost, ending });
    }

    /// Whether the request of [`cut_at`](Self::cut_at) is still awaited.
    pub fn awaits_request(&self) -> bool {
        self.shared.has_snare()
    }

    /// What passed, connection by connection, in the order in which they were accepted. What is on its way at
    /// this moment may be counted a moment later.
    pub fn traffic(&self) -> Vec<Traffic> {
        self.shared.traffic()
    }

    /// Blocks until the traffic is as told: what a test does instead of sleeping.
    ///
    /// # Errors
    ///
    /// With the traffic, when it is not so within 10 seconds.
    pub fn wait_until(&self, reached: impl Fn(&[Traffic]) -> bool) -> io::Result<()> {
        self.shared.wait_until(reached)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.refuse();
        // Nobody is left to tell.
        let _ = self.cut(Ending::Fin);
    }
}
