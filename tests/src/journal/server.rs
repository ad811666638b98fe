//! The servers, by the same words.
//!
//! Neither flushes to disk, and both survive SIGKILL with all that they acknowledged: what is written is the
//! kernel's then. PostgreSQL writes its log before it answers a COMMIT (`synchronous_commit`, on by default), and
//! MariaDB is started with `innodb_flush_log_at_trx_commit = 2`, which does so too; with 0 an acknowledged commit
//! would be in the process alone for up to a second. Nor is half a page written, of which MariaDB is told to keep
//! no copy: who is killed has been stopped before (SIGSTOP), which no write is cut short by.

use std::path::PathBuf;

use crate::{MariaDb, PostgreSql, ServerError};

pub(super) trait Server: Sized {
    fn start() -> Result<Self, ServerError>;
    fn socket(&self) -> PathBuf;
    /// Where clients connect, if something on this port stands in front of it.
    fn url_at(&self, port: u16) -> String;
    /// Asks with the server's own client, which knows nothing of everpool.
    fn sql(&self, sql: &str) -> Result<String, ServerError>;
    /// Ends all sessions of clients.
    fn end_sessions(&self) -> Result<(), ServerError>;
    fn kill(&mut self) -> Result<(), ServerError>;
    fn start_again(&mut self) -> Result<(), ServerError>;
    fn restart(&mut self) -> Result<(), ServerError>;
    fn freeze(&self) -> Result<(), ServerError>;
    fn thaw(&self) -> Result<(), ServerError>;
}

impl Server for PostgreSql {
    fn start() -> Result<Self, ServerError> {
        PostgreSql::start()
    }

    fn socket(&self) -> PathBuf {
        self.socket()
    }

    fn url_at(&self, port: u16) -> String {
        self.url_at(port)
    }

    fn sql(&self, sql: &str) -> Result<String, ServerError> {
        self.psql(sql)
    }

    fn end_sessions(&self) -> Result<(), ServerError> {
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
        self.psql(others).map(drop)
    }

    fn kill(&mut self) -> Result<(), ServerError> {
        self.kill()
    }

    fn start_again(&mut self) -> Result<(), ServerError> {
        self.start_again()
    }

    fn restart(&mut self) -> Result<(), ServerError> {
        self.restart()
    }

    fn freeze(&self) -> Result<(), ServerError> {
        self.freeze()
    }

    fn thaw(&self) -> Result<(), ServerError> {
        self.thaw()
    }
}

impl Server for MariaDb {
    fn start() -> Result<Self, ServerError> {
        MariaDb::start()
    }

    fn socket(&self) -> PathBuf {
        self.socket()
    }

    fn url_at(&self, port: u16) -> String {
        self.url_at(port)
    }

    fn sql(&self, sql: &str) -> Result<String, ServerError> {
        self.sql(sql)
    }

    fn end_sessions(&self) -> Result<(), ServerError> {
        self.kill_sessions().map(drop)
    }

    fn kill(&mut self) -> Result<(), ServerError> {
        self.kill()
    }

    fn start_again(&mut self) -> Result<(), ServerError> {
        self.start_again()
    }

    fn restart(&mut self) -> Result<(), ServerError> {
        self.restart()
    }

    fn freeze(&self) -> Result<(), ServerError> {
        self.freeze()
    }

    fn thaw(&self) -> Result<(), ServerError> {
        self.thaw()
    }
}
