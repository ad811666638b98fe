//! A database cluster, in PostgreSQL's sense: a data directory, and where its server is reached.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::installation::Installation;
use super::{ServerError, USER};

/// Names the socket only: servers that listen on no address can share it.
const SOCKET_PORT: u16 = 5432;
const LAST_LINES: usize = 20;

#[derive(Debug)]
pub(super) struct Cluster {
    installation: Installation,
    address: Address,
    directory: TempDir,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Address {
    Socket,
    Loopback { port: u16 },
}

impl Address {
    /// Free now; another process may take it before the server does.
    pub(super) fn free_loopback() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok(Address::Loopback {
            port: listener.local_addr()?.port(),
        })
    }

    fn port(self) -> u16 {
        match self {
            Address::Socket => SOCKET_PORT,
            Address::Loopback { port } => port,
        }
    }
}

impl Cluster {
    pub(super) fn create(address: Address) -> Result<Self, ServerError> {
        let installation = Installation::find()?;
        let directory = private_directory().map_err(ServerError::at("make a directory"))?;
        installation.give(directory.path())?;
        let cluster = Cluster {
            installation,
            address,
            directory,
        };
        cluster.initialise()?;
        Ok(cluster)
    }

    fn initialise(&self) -> Result<(), ServerError> {
        let mut initdb = self.installation.server("initdb");
        initdb.args(["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]);
        initdb
            .args(["--username", USER])
            .arg("--pgdata")
            .arg(self.data());
        run("initdb", initdb.current_dir(self.directory())).map(drop)
    }

    pub(super) fn url(&self) -> String {
        match self.address {
            Address::Socket => {
                let directory = self.directory().display();
                format!("postgresql:///postgres?host={directory}&port={SOCKET_PORT}&user={USER}")
            }
            Address::Loopback { port } => format!("postgresql://{USER}@127.0.0.1:{port}/postgres"),
        }
    }

    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// There at every address.
    pub(super) fn socket(&self) -> PathBuf {
        self.directory()
            .join(format!(".s.PGSQL.{}", self.address.port()))
    }

    fn data(&self) -> PathBuf {
        self.directory().join("data")
    }

    fn log(&self) -> PathBuf {
        self.directory().join("log")
    }

    /// Starts the server's first process, the postmaster.
    pub(super) fn spawn(&self) -> Result<Child, ServerError> {
        let log = File::options().create(true).append(true).open(self.log());
        let log = log.map_err(ServerError::at("open the server's log"))?;
        let mut postgres = self.postgres();
        postgres
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        postgres.spawn().map_err(ServerError::at("start postgres"))
    }

    fn postgres(&self) -> Command {
        let listen_addresses = match self.address {
            Address::Socket => "listen_addresses=",
            Address::Loopback { .. } => "listen_addresses=127.0.0.1",
        };
        let mut postgres = self.installation.server("postgres");
        postgres
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.directory());
        postgres
            .arg("-p")
            .arg(self.address.port().to_string())
            .current_dir(self.directory());
        for setting in [
            listen_addresses,
            "unix_socket_permissions=0777",
            "max_connections=60",
            "fsync=off",
            // In the data directory, so that a killed server leaves nothing in /dev/shm.
            "dynamic_shared_memory_type=mmap",
        ] {
            postgres.arg("-c").arg(setting);
        }
        postgres
    }

    pub(super) fn psql(&self, sql: &str) -> Result<String, ServerError> {
        let mut psql = self.installation.client("psql");
        psql.args(["--no-psqlrc", "--no-align", "--tuples-only", "--quiet"]);
        psql.args(["--command", sql, "--dbname", &self.url()]);
        run("psql", &mut psql)
    }

    /// The end of the server's log.
    pub(super) fn last_words(&self) -> String {
        let log = fs::read(self.log()).unwrap_or_else(|error| error.to_string().into_bytes());
        last_lines(&log)
    }

    /// A killed server leaves its small System V segment to the next start; without one it would stay
    /// until the machine restarts. The file is there only after such an end; its seventh line ends in
    /// the segment's id.
    pub(super) fn release_shared_memory(&self) {
        let lock = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let segment = lock
            .lines()
            .nth(6)
            .and_then(|line| line.split_whitespace().last());
        if let Some(segment) = segment {
            // Without ipcrm a few dozen bytes stay; no reason to fail a test.
            let _ = Command::new("ipcrm").args(["-m", segment]).output();
        }
    }
}

/// In `/tmp` whatever TMPDIR says: a socket's path holds about a hundred bytes, and the account that the
/// server runs as must reach it.
fn private_directory() -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix("everpool-")
        .tempdir_in("/tmp")
}

fn run(program: &'static str, command: &mut Command) -> Result<String, ServerError> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(ServerError::at("run a program of the server"))?;
    if !output.status.success() {
        let said = last_lines(&output.stderr);
        return Err(ServerError::Failed {
            program,
            status: output.status,
            said,
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned())
}

fn last_lines(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}
