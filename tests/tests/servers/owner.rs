//! A test that is killed drops nothing; its servers go all the same.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::{env, path::Path, thread};

use everpool_tests::{MariaDb, PostgreSql};

use crate::traces::{family, has_ended};
use crate::until::until;

/// Set for the run of this test that is killed.
const VICTIM: &str = "EVERPOOL_TESTS_VICTIM";

#[test]
fn a_killed_test_leaves_no_server() {
    if env::var_os(VICTIM).is_some() {
        own_servers_until_killed();
    }
    let mut victim = Command::new(env::current_exe().unwrap());
    victim.args([
        "--exact",
        "owner::a_killed_test_leaves_no_server",
        "--nocapture",
    ]);
    let mut victim = victim
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(victim.stdout.take().unwrap()).lines();
    let said = said.map(Result::unwrap);
    let owned: Vec<Owned> = said
        .filter_map(|line| Owned::parse(&line))
        .take(2)
        .collect();
    let processes: Vec<u32> = owned
        .iter()
        .flat_map(|owned| family(owned.process))
        .collect();
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert_eq!(owned.len(), 2);
    until(|| processes.iter().all(|process| has_ended(*process)));
    until(|| {
        owned
            .iter()
            .all(|owned| !Path::new(&owned.directory).exists())
    });
}

fn own_servers_until_killed() -> ! {
    let postgres = PostgreSql::start().unwrap();
    let mariadb = MariaDb::start().unwrap();
    // Frozen, so that it cannot notice that its owner has gone.
    postgres.freeze().unwrap();
    tell(postgres.directory(), postgres.process_id());
    tell(mariadb.directory(), mariadb.process_id());
    loop {
        thread::park();
    }
}

fn tell(directory: &Path, process: Option<u32>) {
    println!("\nowned {} {}", process.unwrap(), directory.display());
}

struct Owned {
    process: u32,
    directory: String,
}

impl Owned {
    fn parse(line: &str) -> Option<Self> {
        let (process, directory) = line.strip_prefix("owned ")?.split_once(' ')?;
        Some(Owned {
            process: process.parse().unwrap(),
            directory: directory.to_owned(),
        })
    }
}
