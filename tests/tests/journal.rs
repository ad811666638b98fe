//! The program `journal`, for a few seconds, or for `EVERPOOL_JOURNAL_MINUTES`.

use std::{env, process::Command};

const COMBINATIONS: [&str; 4] = [
    "diesel postgresql",
    "diesel mariadb",
    "sqlx postgresql",
    "sqlx mariadb",
];

#[test]
fn what_a_session_says_of_its_commits_is_so_while_the_server_is_disturbed() {
    let minutes = env::var("EVERPOOL_JOURNAL_MINUTES").unwrap_or_else(|_| "0.1".to_owned());
    let mut journal = Command::new(env!("CARGO_BIN_EXE_journal"));
    let output = journal.args(["--minutes", &minutes]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}", output.status);

    let lines: Vec<&str> = said.lines().rev().take(COMBINATIONS.len()).collect();
    for (line, combination) in lines.iter().rev().zip(COMBINATIONS) {
        let begins = format!("journal {combination} acknowledged=");
        assert!(line.starts_with(&begins), "{line}");
        assert!(
            line.contains(" missing=0 twice=0 phantom=0 unknown="),
            "{line}"
        );
    }
}
