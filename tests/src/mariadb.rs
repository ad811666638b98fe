//! A private MariaDB server, of whichever version is installed.

mod handshake;
mod installation;
mod instance;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use instance::Instance;
use nix::sys::signal::Signal;

use crate::daemon::Daemon;
use crate::{ServerError, process};

/// Also the name of its database.
const USER: &str = "everpool";
const ROOT: &str = "root";
const PATIENCE: Duration = Duration::from_secs(30);

/// A MariaDB server with a data directory of its own, stopped and removed when dropped.
///
/// It has an ordinary user without a password and a database of that user's, allows 60 connections, and does
/// not flush to disk: it survives the death of its process, not of the machine. It never runs as root: root's
/// servers run as `mysql`, or else as `nobody`.
///
/// Every method may block, for at most half a minute.
///
/// ```
/// use everpool_tests::MariaDb;
///
/// let mut server = MariaDb::start()?;
/// assert_eq!(server.sql("select 1")?, "1");
/// server.restart()?;
/// assert_eq!(server.sql("select 1")?, "1");
/// # Ok::<(), everpool_tests::ServerError>(())
/// ```
#[derive(Debug)]
pub struct MariaDb {
    daemon: Daemon,
    instance: Instance,
}

impl MariaDb {
    /// Starts a new server that listens on a free port of 127.0.0.1 and on a Unix socket; returns when it
    /// accepts connections.
    ///
    /// # Errors
    ///
    /// [`ServerError::Missing`] when none is installed; otherwise with the last lines of its log.
    pub fn start() -> Result<Self, ServerError> {
        let instance = Instance::create()?;
        let daemon = Daemon::new("mariadbd", instance.log());
        let mut server = MariaDb { daemon, instance };
        server.start_again()?;
        server.create_user()?;
        Ok(server)
    }

    fn create_user(&self) -> Result<(), ServerError> {
        let sql = format!(
            "create database {USER}; create user {USER}@'%'; \
             grant all on {USER}.* to {USER}@'%'; grant all on `{USER}\\_%`.* to {USER}@'%'"
        );
        self.instance.sql("mysql", &sql).map(drop)
    }

    /// Where clients connect over TCP: `mysql://everpool@127.0.0.1:…/everpool`, without a password.
    ///
    /// The user may do everything in this database and in those whose names begin with `everpool_`, and
    /// nothing elsewhere: it is bound by `max_connections` and `read_only`, as an application's user is.
    pub fn url(&self) -> String {
        self.instance.url()
    }

    /// As [`url`](Self::url), through the Unix socket: `mysql://…@localhost/…?unix_socket=…`, as Diesel reads it.
    pub fn socket_url(&self) -> String {
        self.instance.socket_url()
    }

    /// As [`url`](Self::url), at this port of 127.0.0.1, where something stands in front of the server.
    pub fn url_at(&self, port: u16) -> String {
        instance::url_at(port)
    }

    /// The port of 127.0.0.1. It stays the server's while it is stopped.
    pub fn port(&self) -> u16 {
        self.instance.port()
    }

    /// The Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.instance.socket()
    }

    /// The server's own directory: its socket, its log and its data. Gone once the server is dropped.
    pub fn directory(&self) -> &Path {
        self.instance.directory()
    }

    /// The server's process, until it has been stopped.
    pub fn process_id(&self) -> Option<u32> {
        self.daemon.process_id()
    }

    /// Runs SQL as root with the server's own `mariadb` in a session of its own, in the database of
    /// [`url`](Self::url), and gives back its bare output: a line a row, tabs between columns.
    ///
    /// # Errors
    ///
    /// With what `mariadb` said.
    pub fn sql(&self, sql: &str) -> Result<String, ServerError> {
        self.instance.sql(USER, sql)
    }

    /// Ends every session of the user of [`url`](Self::url) (KILL); returns when they are gone, with their number.
    ///
    /// # Errors
    ///
    /// With what `mariadb` said; when they do not end in time.
    pub fn kill_sessions(&self) -> Result<usize, ServerError> {
        let sessions =
            format!("select id from information_schema.processlist where user = '{USER}'");
        let before = self.sql(&sessions)?;
        self.sql(&format!("kill user {USER}"))?;
        let left = before.replace('\n', ",");
        self.wait_until_nothing(&format!("{sessions} and find_in_set(id, '{left}')"))?;
        Ok(before.lines().count())
    }

    fn wait_until_nothing(&self, left: &str) -> Result<(), ServerError> {
        let deadline = Instant::now() + PATIENCE;
        while !self.sql(left)?.is_empty() {
            if Instant::now() > deadline {
                return Err(self.daemon.late("end its sessions"));
            }
            thread::sleep(process::LOOK_AGAIN);
        }
        Ok(())
    }

    /// Disconnects every client and stops, as a planned restart does (SIGTERM).
    /// Does nothing to a stopped server; a frozen one is thawed.
    ///
    /// # Errors
    ///
    /// When it does not end in time.
    pub fn stop(&mut self) -> Result<(), ServerError> {
        self.daemon.stop(Signal::SIGTERM)
    }

    /// Kills the server at once (SIGKILL), so that its sockets close without a word.
    /// Does nothing to a stopped server.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn kill(&mut self) -> Result<(), ServerError> {
        self.daemon.kill()
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
        self.daemon.launch(&mut self.instance.server())
    }

    /// Waits until a launched server accepts connections, and tells the moment at which it first did.
    ///
    /// It asks every two milliseconds, as root, by a connection that is closed again before this returns.
    ///
    /// # Errors
    ///
    /// With the last lines of its log, when it ends instead or takes too long.
    pub fn wait_until_ready(&mut self) -> Result<Instant, ServerError> {
        let socket = self.socket();
        self.daemon.wait_until_ready(|| handshake::accepts(&socket))
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

    /// Halts every thread of the server (SIGSTOP): its connections stay open and nothing answers, as when
    /// the network or the machine behind them is gone.
    ///
    /// # Errors
    ///
    /// [`ServerError::NotRunning`] when it is stopped.
    pub fn freeze(&self) -> Result<(), ServerError> {
        self.daemon.freeze()
    }

    /// Lets a frozen server go on where it was (SIGCONT).
    ///
    /// # Errors
    ///
    /// [`ServerError::NotRunning`] when it is stopped.
    pub fn thaw(&self) -> Result<(), ServerError> {
        self.daemon.thaw()
    }
}
