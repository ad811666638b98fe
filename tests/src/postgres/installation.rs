//! The PostgreSQL that is installed here, and the account it may run as.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::ServerError;
use crate::account::Account;
use crate::program::run;

const PROGRAMS: [&str; 4] = ["initdb", "pg_basebackup", "postgres", "psql"];
const DEBIAN: &str = "/usr/lib/postgresql";

#[derive(Debug)]
pub(crate) struct Installation {
    programs: PathBuf,
    account: Account,
}

impl Installation {
    pub(crate) fn find() -> Result<Self, ServerError> {
        Ok(Installation {
            programs: programs()?,
            account: Account::find("postgres")?,
        })
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    /// What SQL answers there: bare, a line a row. The client runs as ourselves.
    pub(crate) fn psql(&self, url: &str, sql: &str) -> Result<String, ServerError> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--no-align", "--tuples-only", "--quiet"]);
        run("psql", psql.args(["--command", sql, "--dbname", url]))
    }

    /// A program that never runs as root.
    pub(super) fn server(&self, program: &str) -> Command {
        self.account.command(&self.programs.join(program))
    }
}

fn programs() -> Result<PathBuf, ServerError> {
    let named = named_by_pg_config();
    let on_path = on_path();
    named
        .into_iter()
        .chain(on_path)
        .chain(in_debian())
        .find(|place| is_complete(place))
        .ok_or_else(|| ServerError::Missing {
            program: "initdb with pg_basebackup, postgres and psql beside it",
            package: "postgresql",
            looked_in: vec![
                "the directory that pg_config --bindir names".into(),
                "the directories of PATH".into(),
                format!("{DEBIAN}/*/bin"),
            ],
        })
}

fn is_complete(place: &Path) -> bool {
    PROGRAMS.iter().all(|program| place.join(program).is_file())
}

fn named_by_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let place = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(place.trim_end()))
}

/// Links are followed: a directory of PATH often holds links to a few of the programs only.
fn on_path() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .filter_map(|place| fs::canonicalize(place.join("initdb")).ok())
        .filter_map(|initdb| initdb.parent().map(Path::to_path_buf))
        .collect()
}

/// Debian keeps each major version in a directory of its own; the newest comes first.
fn in_debian() -> Vec<PathBuf> {
    let mut versions: Vec<u32> = fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    versions.sort_unstable_by(|one, other| other.cmp(one));
    versions
        .into_iter()
        .map(|version| Path::new(DEBIAN).join(version.to_string()).join("bin"))
        .collect()
}
