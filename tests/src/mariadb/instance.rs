//! A data directory, and where its server is reached.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::installation::Installation;
use super::{ROOT, USER};
use crate::ServerError;
use crate::directory::Directory;
use crate::port::Port;
use crate::program::run;
use crate::template::Template;

/// What makes it small and quick: it survives the death of its process, not of the machine.
const SMALL: [&str; 10] = [
    "--innodb-buffer-pool-size=8M",
    "--innodb-log-file-size=4M",
    // Written at each commit, but not flushed: 0 would lose commits with the process.
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-flush-method=nosync",
    "--innodb-doublewrite=0",
    // The kernel bounds what all servers of one account may have in flight.
    "--innodb-use-native-aio=0",
    "--aria-log-file-size=8M",
    // Else initialising flushes a thousand times; newer versions may not know the option.
    "--loose-debug-no-sync",
    "--skip-log-bin",
    "--skip-name-resolve",
];

#[derive(Debug)]
pub(super) struct Instance {
    installation: Installation,
    port: Port,
    directory: Directory,
}

impl Instance {
    pub(super) fn create() -> Result<Self, ServerError> {
        let installation = Installation::find()?;
        let port = Port::reserve().map_err(ServerError::at("reserve a port"))?;
        let directory = Directory::create(installation.account())?;
        let instance = Instance {
            installation,
            port,
            directory,
        };
        instance.initialise()?;
        Ok(instance)
    }

    fn initialise(&self) -> Result<(), ServerError> {
        static TEMPLATE: Template = Template::new();
        let data = self.directory().join("data");
        TEMPLATE.copy(self.installation.account(), &data, |directory| {
            let mut install_db = self.installation.install_db();
            place(&mut install_db, directory);
            install_db.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
            run("mariadb-install-db", &mut install_db).map(drop)
        })
    }

    pub(super) fn server(&self) -> Command {
        let mut server = self.installation.server();
        place(&mut server, self.directory());
        server.arg(option("--socket", &self.socket()));
        server.arg(option("--pid-file", &self.directory().join("pid")));
        server.args(["--skip-networking=0", "--bind-address=127.0.0.1"]);
        server.arg(format!("--port={}", self.port()));
        server.args(["--max-connections=60", "--character-set-server=utf8mb4"]);
        server
    }

    /// What root's statements answered; the first that fails is the last.
    pub(super) fn sql(&self, database: &str, sql: &str) -> Result<String, ServerError> {
        let mut client = self.installation.client();
        client.args(["--no-defaults", "--batch", "--raw", "--skip-column-names"]);
        client.args(["--user", ROOT, "--database", database]);
        client.arg(option("--socket", &self.socket()));
        run("mariadb", client.args(["--execute", sql]))
    }

    pub(super) fn url(&self) -> String {
        url_at(self.port())
    }

    pub(super) fn socket_url(&self) -> String {
        let socket = self.socket();
        format!(
            "mysql://{USER}@localhost/{USER}?unix_socket={}",
            socket.display()
        )
    }

    pub(super) fn port(&self) -> u16 {
        self.port.number()
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.directory().join("socket")
    }

    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn log(&self) -> PathBuf {
        self.directory.log()
    }
}

/// The options that initialising and serving have in common. No file of the machine's is read.
fn place(program: &mut Command, directory: &Path) {
    program.arg("--no-defaults").args(SMALL);
    program.arg(option("--datadir", &directory.join("data")));
    program.arg(option("--tmpdir", directory));
    program.current_dir(directory);
}

pub(super) fn url_at(port: u16) -> String {
    format!("mysql://{USER}@127.0.0.1:{port}/{USER}")
}

fn option(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}
