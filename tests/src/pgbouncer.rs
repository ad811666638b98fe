//! A private PgBouncer, of whichever version is installed.

mod configuration;
mod installation;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use installation::Installation;
use nix::sys::signal::Signal;

use crate::daemon::Daemon;
use crate::directory::Directory;
use crate::port::Port;
use crate::postgres::{self, DATABASE, USER};
use crate::{PostgreSql, ServerError, startup};

/// The database of the administration console, and the section of its own settings.
const CONSOLE: &str = "pgbouncer";

/// When a server connection goes back to PgBouncer's pool; the words of its `pool_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolMode {
    /// When the client disconnects.
    Session,
    /// When the transaction ends.
    Transaction,
    /// When the statement ends; transactions are refused.
    Statement,
}

impl PoolMode {
    fn name(self) -> &'static str {
        match self {
            PoolMode::Session => "session",
            PoolMode::Transaction => "transaction",
            PoolMode::Statement => "statement",
        }
    }
}

/// A PgBouncer in front of a [`PostgreSql`], with a directory of its own, stopped and removed when dropped.
///
/// It trusts everyone, listens on a free port of 127.0.0.1 and on a Unix socket, and never runs as root. While
/// its server is away, whoever asks waits, for up to two minutes.
///
/// Every method may block, for at most half a minute, unless it says otherwise.
///
/// ```
/// use everpool_tests::{PgBouncer, PostgreSql};
///
/// let server = PostgreSql::start()?;
/// let bouncer = PgBouncer::start(&server)?;
/// assert_eq!(bouncer.psql("select 1")?, "1");
/// # Ok::<(), everpool_tests::ServerError>(())
/// ```
#[derive(Debug)]
pub struct PgBouncer {
    daemon: Daemon,
    installation: Installation,
    psql: postgres::Installation,
    port: Port,
    directory: Directory,
}

impl PgBouncer {
    /// Starts one in [`PoolMode::Transaction`]; returns when it accepts connections.
    ///
    /// # Errors
    ///
    /// [`ServerError::Missing`] when none is installed; otherwise with the last lines of its log.
    pub fn start(server: &PostgreSql) -> Result<Self, ServerError> {
        Self::start_in(PoolMode::Transaction, server)
    }

    /// As [`start`](Self::start), in this mode.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_in(mode: PoolMode, server: &PostgreSql) -> Result<Self, ServerError> {
        let installation = Installation::find()?;
        let directory = Directory::create(installation.account())?;
        let mut bouncer = PgBouncer {
            daemon: Daemon::new("pgbouncer", directory.log()),
            installation,
            psql: postgres::Installation::find()?,
            port: Port::reserve().map_err(ServerError::at("reserve a port"))?,
            directory,
        };
        bouncer.configure(mode, server)?;
        bouncer.start_again()?;
        Ok(bouncer)
    }

    fn configure(&self, mode: PoolMode, server: &PostgreSql) -> Result<(), ServerError> {
        let version = self.installation.version();
        let text = configuration::text(server, mode, self.port(), version);
        fs::write(self.configuration(), text)
            .and_then(|()| fs::write(self.directory().join("users"), configuration::users()))
            .map_err(ServerError::at("write the configuration"))
    }

    fn configuration(&self) -> PathBuf {
        self.directory().join("pgbouncer.ini")
    }

    /// Where clients connect over TCP: the server's superuser and its database `postgres`, without a password.
    pub fn url(&self) -> String {
        postgres::url_at(self.port())
    }

    /// As [`url`](Self::url), through the Unix socket.
    pub fn socket_url(&self) -> String {
        self.url_of(DATABASE)
    }

    fn url_of(&self, database: &str) -> String {
        let directory = self.directory().display();
        let port = self.port();
        format!("postgresql:///{database}?host={directory}&port={port}&user={USER}")
    }

    /// The port of 127.0.0.1. It stays PgBouncer's while it is stopped.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.directory().join(format!(".s.PGSQL.{}", self.port()))
    }

    /// Its own directory: its socket, its log and its configuration. Gone once it is dropped.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Its process, until it has been stopped.
    pub fn process_id(&self) -> Option<u32> {
        self.daemon.process_id()
    }

    /// Whether a client may use named prepared statements in transaction mode, as Diesel and SQLx do unless
    /// told otherwise: from version 1.21 on, which is told to keep 200 of them for each server connection.
    /// An older one fails the second use of a statement that meets another server connection.
    pub fn keeps_prepared_statements(&self) -> bool {
        configuration::keeps_prepared_statements(self.installation.version())
    }

    /// Runs SQL through it with `psql` in a session of its own, and gives back its bare output.
    ///
    /// # Errors
    ///
    /// With what `psql` said.
    pub fn psql(&self, sql: &str) -> Result<String, ServerError> {
        self.psql.psql(&self.socket_url(), sql)
    }

    /// Runs a command of the administration console, such as `SHOW POOLS`, and gives back its bare output.
    ///
    /// # Errors
    ///
    /// With what the console said.
    pub fn console(&self, command: &str) -> Result<String, ServerError> {
        self.psql.psql(&self.url_of(CONSOLE), command)
    }

    /// Waits for every transaction to end, then disconnects from the server (PAUSE): whoever asks for
    /// anything waits until [`resume`](Self::resume). It blocks as long as a transaction is open.
    ///
    /// # Errors
    ///
    /// With what the console said, for instance that it is paused already.
    pub fn pause(&self) -> Result<(), ServerError> {
        self.console(&format!("PAUSE {DATABASE}")).map(drop)
    }

    /// Lets those who wait go on (RESUME).
    ///
    /// # Errors
    ///
    /// With what the console said, for instance that it was not paused.
    pub fn resume(&self) -> Result<(), ServerError> {
        self.console(&format!("RESUME {DATABASE}")).map(drop)
    }

    /// Drops every connection of clients and to the server, whatever goes on there (KILL), and accepts new
    /// ones.
    ///
    /// # Errors
    ///
    /// With what the console said.
    pub fn drop_connections(&self) -> Result<(), ServerError> {
        self.console(&format!("KILL {DATABASE}"))?;
        self.resume()
    }

    /// Disconnects every client and ends. Does nothing to a stopped one; a frozen one is thawed.
    ///
    /// # Errors
    ///
    /// When it does not end in time.
    pub fn stop(&mut self) -> Result<(), ServerError> {
        // It has nothing to lose, each version ends at once by another signal, and who runs in a shell's
        // background ignores SIGQUIT.
        self.daemon.stop(Signal::SIGKILL)
    }

    /// Kills it at once (SIGKILL). Does nothing to a stopped one.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn kill(&mut self) -> Result<(), ServerError> {
        self.daemon.kill()
    }

    /// Starts a stopped one where it was; returns when it accepts connections.
    ///
    /// # Errors
    ///
    /// With the last lines of its log; [`ServerError::AlreadyRunning`] when it was not stopped.
    pub fn start_again(&mut self) -> Result<(), ServerError> {
        self.launch()?;
        self.wait_until_ready().map(drop)
    }

    /// Starts a stopped one without waiting until it accepts connections.
    ///
    /// # Errors
    ///
    /// [`ServerError::AlreadyRunning`] when it was not stopped; otherwise when the program does not start.
    pub fn launch(&mut self) -> Result<(), ServerError> {
        let mut command = self.installation.command();
        command.arg(self.configuration());
        self.daemon
            .launch(command.current_dir(self.directory.path()))
    }

    /// Waits until a launched one accepts connections to its console, and tells the moment at which it
    /// first did. Its server need not be there.
    ///
    /// # Errors
    ///
    /// With the last lines of its log, when it ends instead or takes too long.
    pub fn wait_until_ready(&mut self) -> Result<Instant, ServerError> {
        let socket = self.socket();
        self.daemon
            .wait_until_ready(|| startup::accepts(&socket, CONSOLE))
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

    /// Halts it (SIGSTOP): its connections stay open and nothing answers.
    ///
    /// # Errors
    ///
    /// [`ServerError::NotRunning`] when it is stopped.
    pub fn freeze(&self) -> Result<(), ServerError> {
        self.daemon.freeze()
    }

    /// Lets a frozen one go on where it was (SIGCONT).
    ///
    /// # Errors
    ///
    /// [`ServerError::NotRunning`] when it is stopped.
    pub fn thaw(&self) -> Result<(), ServerError> {
        self.daemon.thaw()
    }
}
