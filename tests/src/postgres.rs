//! A private PostgreSQL server, of whichever version is installed.

mod cluster;
mod installation;

use std::path::{Path, PathBuf};
use std::time::Instant;

use cluster::{Address, Cluster};
use nix::sys::signal::Signal;

pub use crate::ServerError;
use crate::daemon::Daemon;
use crate::port::Port;
use crate::startup;

pub(crate) use cluster::url_at;
pub(crate) use installation::Installation;

pub(crate) const USER: &str = "everpool";
pub(crate) const DATABASE: &str = "postgres";

/// A PostgreSQL server with a data directory of its own, stopped and removed when dropped.
///
/// It trusts everyone who reaches its socket, allows 60 connections, and does not flush to disk: it survives
/// the death of its processes, not of the machine. It never runs as root: root's servers run as `postgres`,
/// or else as `nobody`.
///
/// Every method may block, for at most half a minute.
///
/// ```
/// use everpool_tests::PostgreSql;
///
/// let mut server = PostgreSql::start()?;
/// assert_eq!(server.psql("select 1")?, "1");
/// server.restart()?;
/// assert_eq!(server.psql("select 1")?, "1");
/// # Ok::<(), everpool_tests::ServerError>(())
/// ```
#[derive(Debug)]
pub struct PostgreSql {
    postmaster: Daemon,
    cluster: Cluster,
}

impl PostgreSql {
    /// Starts a new server that listens on a Unix socket only; returns when it accepts connections.
    ///
    /// # Errors
    ///
    /// [`ServerError::Missing`] when none is installed; otherwise with the last lines of its log.
    pub fn start() -> Result<Self, ServerError> {
        Self::start_at(Address::Socket)
    }

    /// Starts a new server that also listens on a free port of 127.0.0.1, where its [`url`](Self::url) points.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_tcp() -> Result<Self, ServerError> {
        let port = Port::reserve().map_err(ServerError::at("reserve a port"))?;
        Self::start_at(Address::Loopback(port))
    }

    /// Starts a hot standby of this server, which repeats what is committed here and can only be read; returns
    /// when it accepts connections.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_replica(&self) -> Result<Self, ServerError> {
        Self::start_on(self.cluster.copy()?)
    }

    fn start_at(address: Address) -> Result<Self, ServerError> {
        Self::start_on(Cluster::create(address)?)
    }

    fn start_on(cluster: Cluster) -> Result<Self, ServerError> {
        let postmaster = Daemon::new("postgres", cluster.log());
        let mut server = PostgreSql {
            postmaster,
            cluster,
        };
        server.start_again()?;
        Ok(server)
    }

    /// Where clients connect: a superuser without a password, in the database `postgres`.
    pub fn url(&self) -> String {
        self.cluster.url()
    }

    /// As [`url`](Self::url), at this port of 127.0.0.1, where something stands in front of the server.
    pub fn url_at(&self, port: u16) -> String {
        url_at(port)
    }

    /// The Unix socket; there whatever else the server listens on.
    pub fn socket(&self) -> PathBuf {
        self.cluster.socket()
    }

    pub(crate) fn socket_port(&self) -> u16 {
        self.cluster.port()
    }

    /// The server's own directory: its socket, its log and its data. Gone once the server is dropped.
    pub fn directory(&self) -> &Path {
        self.cluster.directory()
    }

    /// The postmaster's process, until it has been stopped.
    pub fn process_id(&self) -> Option<u32> {
        self.postmaster.process_id()
    }

    /// Runs SQL with the server's own `psql` in a session of its own, and gives back its bare output.
    ///
    /// # Errors
    ///
    /// With what `psql` said.
    pub fn psql(&self, sql: &str) -> Result<String, ServerError> {
        self.cluster.psql(sql)
    }

    /// Disconnects every client and stops, as a planned restart does (SIGINT, "fast shutdown").
    /// Does nothing to a stopped server; a frozen one is thawed.
    ///
    /// # Errors
    ///
    /// When it does not end in time.
    pub fn stop(&mut self) -> Result<(), ServerError> {
        self.postmaster.stop(Signal::SIGINT)
    }

    /// Drops every client and ends without a checkpoint (SIGQUIT, "immediate shutdown").
    /// Does nothing to a stopped server; a frozen one is thawed.
    ///
    /// # Errors
    ///
    /// When it does not end in time.
    pub fn stop_immediately(&mut self) -> Result<(), ServerError> {
        self.postmaster.stop(Signal::SIGQUIT)
    }

    /// Kills every process of the server at once (SIGKILL), so that its sockets close without a word.
    /// Does nothing to a stopped server.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn kill(&mut self) -> Result<(), ServerError> {
        self.postmaster.kill()
    }

    /// Starts a stopped server on the data it had; returns when it accepts connections.
    ///
    /// # Errors
    ///
    /// With the last lines of its log; [`ServerError::AlreadyRunning`] when it was not stopped.
    pub fn start_again(&mut self) -> Result<(), ServerError> {
        self.launch()?;
        self.wait_until_ready().map(drop)
    }

    /// Starts a stopped server without waiting until it accepts connections.
    ///
    /// # Errors
    ///
    /// [`ServerError::AlreadyRunning`] when it was not stopped; otherwise when the program does not start.
    pub fn launch(&mut self) -> Result<(), ServerError> {
        self.postmaster.launch(&mut self.cluster.postgres())
    }

    /// Waits until a launched server accepts connections, and tells the moment at which it first did.
    ///
    /// It asks every two milliseconds, by a connection that is closed again before this returns.
    ///
    /// # Errors
    ///
    /// With the last lines of its log, when it ends instead or takes too long.
    pub fn wait_until_ready(&mut self) -> Result<Instant, ServerError> {
        let socket = self.cluster.socket();
        self.postmaster
            .wait_until_ready(|| startup::accepts(&socket, DATABASE))
    }

    /// Stops as [`stop`](Self::stop), then starts as [`start_again`](Self::start_again).
    ///
    /// # Errors
    ///
    /// As these two.
    pub fn restart(&mut self) -> Result<(), ServerError> {
        self.stop()?;
        self.start_again()
    }

    /// Halts every process of the server (SIGSTOP): its connections stay open and nothing answers, as when
    /// the network or the machine behind them is gone.
    ///
    /// # Errors
    ///
    /// [`ServerError::NotRunning`] when it is stopped.
    pub fn freeze(&self) -> Result<(), ServerError> {
        self.postmaster.freeze()
    }

    /// Lets a frozen server go on where it was (SIGCONT).
    ///
    /// # Errors
    ///
    /// [`ServerError::NotRunning`] when it is stopped.
    pub fn thaw(&self) -> Result<(), ServerError> {
        self.postmaster.thaw()
    }
}

impl Drop for PostgreSql {
    fn drop(&mut self) {
        if self.stop_immediately().is_err() {
            // Nobody is left to tell, and a second panic would abort the tests.
            let _ = self.kill();
        }
        self.cluster.release_shared_memory();
    }
}
