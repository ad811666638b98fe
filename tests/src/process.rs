//! Signals to a process and its children.
//!
//! A database server gives each child a session of its own, so that no process group holds them all:
//! children are found by their parent's id. A stopped parent neither forks nor reaps, so while it is
//! stopped the list of its children is complete and none of their ids can be given to another process.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How often something that has no event to wait for is looked at.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(2);

const PATIENCE: Duration = Duration::from_secs(10);

/// Sends one signal; a process that has gone is no error.
pub(crate) fn send(process: Pid, signal: Signal) -> io::Result<()> {
    match kill(process, signal) {
        Ok(()) | Err(nix::Error::ESRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Stops the process and its children; returns when each thread of theirs has stopped.
pub(crate) fn freeze(parent: Pid) -> io::Result<()> {
    send(parent, Signal::SIGSTOP)?;
    wait_until(parent, State::halted)?;
    for child in children(parent)? {
        send(child, Signal::SIGSTOP)?;
        wait_until(child, State::halted)?;
    }
    Ok(())
}

/// Lets the process and its children go on, the parent last. Does nothing to one that was not stopped.
pub(crate) fn thaw(parent: Pid) -> io::Result<()> {
    for child in children(parent)? {
        send(child, Signal::SIGCONT)?;
    }
    send(parent, Signal::SIGCONT)
}

/// Kills the process and its children; returns when the children have closed their sockets.
/// The parent is left for its owner to wait for.
pub(crate) fn kill_all(parent: Pid) -> io::Result<()> {
    send(parent, Signal::SIGSTOP)?;
    wait_until(parent, State::halted)?;
    let children = children(parent)?;
    for child in &children {
        send(*child, Signal::SIGKILL)?;
    }
    for child in children {
        wait_until(child, State::ended)?;
    }
    send(parent, Signal::SIGKILL)
}

fn children(parent: Pid) -> io::Result<Vec<Pid>> {
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(process) = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let process = Pid::from_raw(process);
        if stat(process)?.is_some_and(|stat| stat.parent == parent) {
            children.push(process);
        }
    }
    Ok(children)
}

fn wait_until(process: Pid, reached: fn(State) -> bool) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let states = threads(process)?;
        if states.iter().copied().all(reached) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("process {process} took no notice of a signal (it is {states:?})"),
            ));
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// Each thread's state; none when the process has gone.
fn threads(process: Pid) -> io::Result<Vec<State>> {
    let threads = match fs::read_dir(format!("/proc/{process}/task")) {
        Err(error) if has_gone(&error) => return Ok(Vec::new()),
        threads => threads?,
    };
    let mut states = Vec::new();
    for thread in threads {
        let stat = match thread {
            Err(error) if has_gone(&error) => break,
            thread => read_stat(&thread?.path().join("stat"))?,
        };
        states.extend(stat.map(|stat| stat.state));
    }
    Ok(states)
}

#[derive(Clone, Copy, Debug)]
enum State {
    Running,
    Stopped,
    Ended,
}

impl State {
    fn halted(self) -> bool {
        matches!(self, State::Stopped | State::Ended)
    }

    fn ended(self) -> bool {
        matches!(self, State::Ended)
    }
}

struct Stat {
    state: State,
    parent: Pid,
}

/// What `/proc` says of a process; `None` when it has gone.
fn stat(process: Pid) -> io::Result<Option<Stat>> {
    read_stat(Path::new(&format!("/proc/{process}/stat")))
}

fn read_stat(file: &Path) -> io::Result<Option<Stat>> {
    match fs::read_to_string(file) {
        Ok(line) => parse_stat(&line).map(Some).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{}: {line}", file.display()),
            )
        }),
        Err(error) if has_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A process that ends between open and read answers ESRCH.
fn has_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(nix::Error::ESRCH as i32)
}

/// The fields are those of proc(5): id, name in parentheses (which may hold any character), state, parent.
fn parse_stat(line: &str) -> Option<Stat> {
    let (_, fields) = line.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = match fields.next()? {
        "T" | "t" => State::Stopped,
        "Z" | "X" => State::Ended,
        _ => State::Running,
    };
    let parent = Pid::from_raw(fields.next()?.parse().ok()?);
    Some(Stat { state, parent })
}
