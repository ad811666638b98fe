//! What is left to do when a test is killed: nobody is there to drop its servers.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Sleeps until nobody holds the other end of its standard input. A server that was stopped in good order
/// has taken its directory with it; else whoever works in the directory is killed, and it is removed.
/// So is the small System V segment that a PostgreSQL leaves to its next start, whose id ends the seventh line of
/// its file. More than one round, since a process that is not killed yet may start another.
const LAST_WILL: &str = r#"
trap '' HUP INT TERM
read -r nothing
[ -d "$1" ] || exit 0
for round in 1 2 3; do
    for process in /proc/[0-9]*; do
        case $(readlink "$process/cwd") in
            "$1" | "$1"/*) kill -KILL "${process#/proc/}" ;;
        esac
    done
    segment=$(sed -n 7p "$1/data/postmaster.pid" 2>/dev/null)
    [ -z "$segment" ] || ipcrm -m "${segment##* }"
    rm -rf -- "$1"
done
"#;

/// A process that outlives us, and clears a directory away if we could not.
#[derive(Debug)]
pub(crate) struct Guard {
    shell: Child,
}

impl Guard {
    /// In a process group of its own, so that an interrupt from the terminal spares it.
    pub(crate) fn over(directory: &Path) -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", LAST_WILL, "sh"]).arg(directory);
        shell.stdin(Stdio::piped()).stdout(Stdio::null());
        shell
            .stderr(Stdio::null())
            .process_group(0)
            .current_dir("/");
        Ok(Guard {
            shell: shell.spawn()?,
        })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // What cannot be waited for has gone, and nobody is left to tell.
        let _ = self.shell.wait();
    }
}
