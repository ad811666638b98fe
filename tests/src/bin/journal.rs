//! Workers commit numbered rows through sessions while their server is killed, restarted, frozen and cut off at
//! random; then the database is asked. Ends with a line a combination:
//!
//! `journal DRIVER DATABASE acknowledged=N missing=0 twice=0 phantom=0 unknown=N`

use std::process::ExitCode;

use everpool_tests::journal::{self, Plan};

const USAGE: &str = "\
usage: journal [--minutes N] [--seed N] [--driver diesel|sqlx] [--database postgresql|mariadb]

All combinations at once for N minutes (1), or those of one driver or database. The seed that a run prints
has another one disturb the servers in the same way.";

fn main() -> ExitCode {
    match Plan::from_args() {
        Ok(Some(plan)) => hold(&plan),
        Ok(None) => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn hold(plan: &Plan) -> ExitCode {
    println!("{plan}");
    let trials = journal::hold(plan);
    for (combination, trial) in &trials {
        match trial {
            Ok(report) => print!("\n{combination}\n{report}"),
            Err(error) => println!("\n{combination}\n  failed: {error}"),
        }
    }
    println!();
    let reports = || {
        trials
            .iter()
            .filter_map(|(it, trial)| Some((it, trial.as_ref().ok()?)))
    };
    for (combination, report) in reports() {
        println!("journal {combination} {}", report.line());
    }
    let right = reports().filter(|(_, report)| report.is_right()).count();
    match right == trials.len() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
