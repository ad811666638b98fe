//! A database cluster, in PostgreSQL's sense: a data directory, and where its server is reached.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::installation::Installation;
use super::{DATABASE, USER};
use crate::ServerError;
use crate::directory::Directory;
use crate::port::Port;
use crate::program::run;
use crate::template::Template;

/// Names the socket only: servers that listen on no address can share it.
const SOCKET_PORT: u16 = 5432;

#[derive(Debug)]
pub(super) struct Cluster {
    installation: Installation,
    address: Address,
    directory: Directory,
}

#[derive(Debug)]
pub(super) enum Address {
    Socket,
    Loopback(Port),
}

impl Address {
    fn port(&self) -> u16 {
        match self {
            Address::Socket => SOCKET_PORT,
            Address::Loopback(port) => port.number(),
        }
    }
}

impl Cluster {
    pub(super) fn create(address: Address) -> Result<Self, ServerError> {
        let installation = Installation::find()?;
        let directory = Directory::create(installation.account())?;
        let cluster = Cluster {
            installation,
            address,
            directory,
        };
        cluster.initialise()?;
        Ok(cluster)
    }

    fn initialise(&self) -> Result<(), ServerError> {
        static TEMPLATE: Template = Template::new();
        let installation = &self.installation;
        TEMPLATE.copy(installation.account(), &self.data(), |directory| {
            let mut initdb = installation.server("initdb");
            initdb.args(["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]);
            initdb.args(["--username", USER, "--pgdata", "data"]);
            run("initdb", initdb.current_dir(directory)).map(drop)
        })
    }

    /// What a hot standby of this one's server begins with.
    pub(super) fn copy(&self) -> Result<Self, ServerError> {
        let installation = Installation::find()?;
        let directory = Directory::create(installation.account())?;
        let copy = Cluster {
            installation,
            address: Address::Socket,
            directory,
        };
        let primary = format!(
            "host={} port={} user={USER}",
            self.directory().display(),
            self.port()
        );
        let mut backup = copy.installation.server("pg_basebackup");
        backup.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
        backup.args(["--dbname", &primary]).arg("--pgdata");
        backup.arg(copy.data()).current_dir(copy.directory());
        run("pg_basebackup", &mut backup).map(|_| copy)
    }

    pub(super) fn url(&self) -> String {
        match &self.address {
            Address::Socket => {
                let directory = self.directory().display();
                format!("postgresql:///{DATABASE}?host={directory}&port={SOCKET_PORT}&user={USER}")
            }
            Address::Loopback(port) => url_at(port.number()),
        }
    }

    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// There at every address.
    pub(super) fn socket(&self) -> PathBuf {
        self.directory().join(format!(".s.PGSQL.{}", self.port()))
    }

    /// The port that names the socket; of 127.0.0.1 too, if the server listens there.
    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    fn data(&self) -> PathBuf {
        self.directory().join("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.directory.log()
    }

    /// The server's first process, the postmaster.
    pub(super) fn postgres(&self) -> Command {
        let listen_addresses = match self.address {
            Address::Socket => "listen_addresses=",
            Address::Loopback(_) => "listen_addresses=127.0.0.1",
        };
        let mut postgres = self.installation.server("postgres");
        postgres
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.directory());
        postgres
            .arg("-p")
            .arg(self.port().to_string())
            .current_dir(self.directory());
        for setting in [
            listen_addresses,
            "unix_socket_permissions=0777",
            "max_connections=60",
            "max_prepared_transactions=10",
            "fsync=off",
            // In the data directory, so that a killed server leaves nothing in /dev/shm.
            "dynamic_shared_memory_type=mmap",
        ] {
            postgres.arg("-c").arg(setting);
        }
        postgres
    }

    pub(super) fn psql(&self, sql: &str) -> Result<String, ServerError> {
        self.installation.psql(&self.url(), sql)
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

pub(crate) fn url_at(port: u16) -> String {
    format!("postgresql://{USER}@127.0.0.1:{port}/{DATABASE}")
}
