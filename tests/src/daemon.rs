//! A server's process. This file alone starts, signals and waits for it.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::{ServerError, process, program};

const PATIENCE: Duration = Duration::from_secs(30);

/// A server's first process, which may have children; killed when dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    program: &'static str,
    log: PathBuf,
    /// `Some` until the process has been waited for, so that its id stays ours.
    process: Option<Child>,
}

impl Daemon {
    /// A stopped one, whose words will go to `log`.
    pub(crate) fn new(program: &'static str, log: PathBuf) -> Self {
        Daemon {
            program,
            log,
            process: None,
        }
    }

    pub(crate) fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    pub(crate) fn launch(&mut self, command: &mut Command) -> Result<(), ServerError> {
        if !self.has_ended()? {
            return Err(ServerError::AlreadyRunning);
        }
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.map_err(ServerError::at("open the server's log"))?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let process = command.spawn().map_err(ServerError::at("start a server"))?;
        self.process = Some(process);
        Ok(())
    }

    /// Asks every two milliseconds; an error of `accepts` is what is being waited for to change.
    pub(crate) fn wait_until_ready(
        &mut self,
        accepts: impl Fn() -> io::Result<Instant>,
    ) -> Result<Instant, ServerError> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Ok(ready) = accepts() {
                return Ok(ready);
            }
            self.check_alive()?;
            thread::sleep(process::LOOK_AGAIN);
        }
        Err(self.late("accept connections"))
    }

    /// Sends the signal by which this server ends, and waits. Does nothing to a stopped one; thaws a frozen one.
    pub(crate) fn stop(&mut self, signal: Signal) -> Result<(), ServerError> {
        let Some(process) = self.process_number() else {
            return Ok(());
        };
        process::send(process, signal).map_err(ServerError::at("signal the server"))?;
        process::thaw(process).map_err(ServerError::at("thaw the server"))?;
        self.wait_for_end()
    }

    /// Kills it and its children at once. Does nothing to a stopped one.
    pub(crate) fn kill(&mut self) -> Result<(), ServerError> {
        let Some(process) = self.process_number() else {
            return Ok(());
        };
        process::kill_all(process).map_err(ServerError::at("kill the server"))?;
        self.wait_for_end()
    }

    pub(crate) fn freeze(&self) -> Result<(), ServerError> {
        let process = self.process_number().ok_or(ServerError::NotRunning)?;
        process::freeze(process).map_err(ServerError::at("freeze the server"))
    }

    pub(crate) fn thaw(&self) -> Result<(), ServerError> {
        let process = self.process_number().ok_or(ServerError::NotRunning)?;
        process::thaw(process).map_err(ServerError::at("thaw the server"))
    }

    fn process_number(&self) -> Option<Pid> {
        // Linux ids fit: the kernel's own type is a signed int.
        self.process_id().map(|id| Pid::from_raw(id.cast_signed()))
    }

    fn has_ended(&mut self) -> Result<bool, ServerError> {
        match self.check_alive() {
            Ok(()) => Ok(false),
            Err(ServerError::NotRunning | ServerError::Failed { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn check_alive(&mut self) -> Result<(), ServerError> {
        let process = self.process.as_mut().ok_or(ServerError::NotRunning)?;
        let ended = process
            .try_wait()
            .map_err(ServerError::at("wait for the server"))?;
        let Some(status) = ended else {
            return Ok(());
        };
        self.process = None;
        Err(ServerError::Failed {
            program: self.program,
            status,
            said: self.last_words(),
        })
    }

    fn wait_for_end(&mut self) -> Result<(), ServerError> {
        let deadline = Instant::now() + PATIENCE;
        while !self.has_ended()? {
            if Instant::now() > deadline {
                return Err(self.late("end"));
            }
            thread::sleep(process::LOOK_AGAIN);
        }
        Ok(())
    }

    /// For what took too long, with the end of the log.
    pub(crate) fn late(&self, step: &'static str) -> ServerError {
        ServerError::Late {
            step,
            said: self.last_words(),
        }
    }

    fn last_words(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_else(|error| error.to_string().into_bytes());
        program::last_lines(&log)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Nobody is left to tell, and a second panic would abort the tests.
        let _ = self.kill();
    }
}
