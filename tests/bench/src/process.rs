//! A process that may not end.

use std::{
    io,
    io::Read,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// Why there are no figures.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It did not end.
    Hung,
    /// It ended in an error.
    Failed(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// What a process prints. It is ended if it takes longer than `patience`.
pub(crate) fn output(mut command: Command, patience: Duration) -> Result<String, Fault> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    match read(&mut child, patience) {
        Some(output) => {
            let output = output?;
            let status = child.wait()?;
            match status.success() {
                true => Ok(output),
                false => Err(Fault::Failed(status.to_string())),
            }
        }
        None => {
            child.kill()?;
            child.wait()?;
            Err(Fault::Hung)
        }
    }
}

/// Waits without looking again and again, which would disturb what is measured.
fn read(child: &mut Child, patience: Duration) -> Option<io::Result<String>> {
    let mut stdout = child.stdout.take().expect("it was asked for");
    let (done, finished) = mpsc::channel();
    thread::spawn(move || {
        let mut output = String::new();
        let answer = stdout.read_to_string(&mut output).map(|_| output);
        // Nobody listens once the patience is at its end.
        let _unheard = done.send(answer);
    });
    finished.recv_timeout(patience).ok()
}

#[cfg(test)]
mod tests {
    use std::{process::Command, time::Duration};

    use super::{Fault, output};

    fn shell(script: &str, patience: Duration) -> Result<String, Fault> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        output(command, patience)
    }

    #[test]
    fn a_round_that_does_not_end_hung() {
        let answer = shell("exec sleep 60", Duration::from_millis(50));
        assert!(matches!(answer, Err(Fault::Hung)), "{answer:?}");
    }

    #[test]
    fn a_round_that_ends_in_an_error_failed() {
        let answer = shell("echo 1; exit 3", Duration::from_secs(30));
        assert!(matches!(answer, Err(Fault::Failed(_))), "{answer:?}");
    }

    #[test]
    fn a_round_says_what_it_printed() {
        let answer = shell("echo 1", Duration::from_secs(30));
        assert_eq!(answer.unwrap(), "1\n");
    }
}
