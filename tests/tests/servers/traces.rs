//! What a server has outside of our process.

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) struct Traces {
    directory: PathBuf,
    processes: Vec<u32>,
}

impl Traces {
    pub(crate) fn of(directory: &Path, process: Option<u32>) -> Self {
        Traces {
            directory: directory.to_owned(),
            processes: family(process.unwrap()),
        }
    }

    pub(crate) fn assert_gone(self) {
        assert!(!self.directory.exists());
        assert!(self.processes.into_iter().all(has_ended), "some still live");
    }
}

/// A process and its children.
pub(crate) fn family(parent: u32) -> Vec<u32> {
    let everyone = fs::read_dir("/proc").unwrap();
    let everyone = everyone.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut family: Vec<u32> = everyone
        .filter(|process| field(*process, "PPid") == parent.to_string())
        .collect();
    family.push(parent);
    family
}

pub(crate) fn assert_none_is_roots(processes: Vec<u32>) {
    for process in processes {
        let users = field(process, "Uid");
        assert!(
            users.split_whitespace().all(|user| user != "0"),
            "{process} runs as {users}"
        );
    }
}

/// Ended, though perhaps nobody has waited for it yet.
pub(crate) fn has_ended(process: u32) -> bool {
    matches!(
        field(process, "State").chars().next(),
        None | Some('Z' | 'X')
    )
}

/// A line of the process's status; empty when it has gone.
pub(crate) fn field(process: u32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let mut lines = status.lines().filter_map(|line| line.split_once(':'));
    lines
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.trim().to_owned())
        .unwrap_or_default()
}
