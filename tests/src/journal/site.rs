//! A server behind a network, both to be disturbed.

use std::time::{Duration, Instant};
use std::{io, thread};

use super::Failure;
use super::claim::Row;
use super::disturbance::Disturbance;
use super::server::Server;
use crate::proxy::{Ending, Lost};
use crate::{Proxy, ServerError, process};

/// `serial` is a growing number to both databases: rows of one worker have the order in which it wrote them. No key
/// forbids what must not be.
const TABLE: &str = "CREATE TABLE journal (place serial PRIMARY KEY, \
     worker int NOT NULL, number int NOT NULL, part int NOT NULL)";
const ROWS: &str = "SELECT concat_ws(' ', worker, number, part) FROM journal ORDER BY place";

pub(super) struct Site<S> {
    proxy: Proxy,
    server: S,
}

impl<S: Server> Site<S> {
    pub(super) fn open() -> Result<Self, Failure> {
        let server = S::start()?;
        server.sql(TABLE)?;
        let proxy = Proxy::to(&server.socket())?;
        Ok(Site { proxy, server })
    }

    pub(super) fn url(&self) -> String {
        self.server.url_at(self.proxy.port())
    }

    /// Blocks until it is over. The server is there then, and reached.
    pub(super) fn disturb(&mut self, disturbance: Disturbance) -> Result<(), Failure> {
        match disturbance {
            Disturbance::Kill(away) => self.kill(away)?,
            Disturbance::Restart => self.server.restart()?,
            Disturbance::Freeze(away) => self.freeze(away)?,
            Disturbance::FreezeAndKill(away) => self.freeze_and_kill(away)?,
            Disturbance::Hold(away) => self.hold(away)?,
            Disturbance::Forget(away) => self.forget(away)?,
            Disturbance::Refuse(away) => self.refuse(away)?,
            Disturbance::Cut(ending) => drop(self.proxy.cut(ending)?),
            Disturbance::CutAnswer(after, ending) => self.proxy.cut_answer_after(after, ending),
            Disturbance::CutCommit(lost, ending) => self.cut_commit(lost, ending),
            Disturbance::EndSessions => self.server.end_sessions()?,
        }
        Ok(())
    }

    fn kill(&mut self, away: Duration) -> Result<(), ServerError> {
        self.server.kill()?;
        thread::sleep(away);
        self.server.start_again()
    }

    fn freeze(&self, away: Duration) -> Result<(), ServerError> {
        self.server.freeze()?;
        thread::sleep(away);
        self.server.thaw()
    }

    fn freeze_and_kill(&mut self, away: Duration) -> Result<(), ServerError> {
        self.server.freeze()?;
        thread::sleep(away);
        self.kill(Duration::ZERO)
    }

    fn hold(&self, away: Duration) -> io::Result<()> {
        self.proxy.freeze()?;
        thread::sleep(away);
        self.proxy.thaw();
        Ok(())
    }

    fn forget(&self, away: Duration) -> io::Result<()> {
        self.proxy.freeze_open()?;
        thread::sleep(away);
        self.proxy.thaw();
        Ok(())
    }

    fn refuse(&mut self, away: Duration) -> io::Result<()> {
        self.proxy.refuse();
        thread::sleep(away);
        self.proxy.accept()
    }

    /// It stays to be done if nobody commits for a second.
    fn cut_commit(&self, lost: Lost, ending: Ending) {
        self.proxy.cut_at("COMMIT", lost, ending);
        let deadline = Instant::now() + Duration::from_secs(1);
        while self.proxy.awaits_request() && Instant::now() < deadline {
            thread::sleep(process::LOOK_AGAIN);
        }
    }

    /// What is left after the server was killed once more: nothing is on its way to it any more.
    pub(super) fn last_rows(&mut self) -> Result<Vec<Row>, Failure> {
        self.kill(Duration::ZERO)?;
        let rows = self.server.sql(ROWS)?;
        rows.lines().map(Row::parse).collect()
    }
}
