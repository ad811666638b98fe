//! Programs that are installed here: where they are, and what they said.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::ServerError;

/// Debian keeps servers in directories that are not on every user's PATH.
const BESIDE_PATH: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];
const LAST_LINES: usize = 20;

/// Where a program is.
pub(crate) fn locate(program: &'static str, package: &'static str) -> Result<PathBuf, ServerError> {
    let path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&path).chain(BESIDE_PATH.map(PathBuf::from));
    locate_in(program, package, places.collect())
}

fn locate_in(
    program: &'static str,
    package: &'static str,
    places: Vec<PathBuf>,
) -> Result<PathBuf, ServerError> {
    let mut candidates = places.iter().map(|place| place.join(program));
    let found = candidates.find(|candidate| candidate.is_file());
    found.ok_or_else(|| ServerError::Missing {
        program,
        package,
        looked_in: places
            .iter()
            .map(|place| place.display().to_string())
            .collect(),
    })
}

/// Runs a program to its end, and gives back what it wrote.
pub(crate) fn run(program: &'static str, command: &mut Command) -> Result<String, ServerError> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(ServerError::at("run a program of the server"))?;
    if !output.status.success() {
        return Err(ServerError::Failed {
            program,
            status: output.status,
            said: last_lines(&output.stderr),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned())
}

pub(crate) fn last_lines(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_names_its_package_and_the_places() {
        let places = vec!["/nonexistent".into(), "/dev/null".into()];
        let error = locate_in("mariadbd", "mariadb-server-core", places).unwrap_err();
        assert_eq!(
            error.to_string(),
            "found no mariadbd: looked in /nonexistent, /dev/null; \
             install the Debian package mariadb-server-core, or put mariadbd on PATH"
        );
    }

    #[test]
    fn only_the_last_lines_are_told() {
        let text: String = (1..=30).map(|line| format!("{line}\n")).collect();
        let told = last_lines(text.as_bytes());
        assert!(told.starts_with("11\n") && told.ends_with("\n30"), "{told}");
    }
}
