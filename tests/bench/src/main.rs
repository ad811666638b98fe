//! Measures everpool beside other pools.
//!
//! `everpool-bench WORKLOAD` prints the figures of one workload, at last as tables; `everpool-bench all`
//! prints those of all and writes `results.md` and `chart.svg`. Each round is measured by this program once
//! more, in a process of its own: `everpool-bench round ..`.

mod allocator;
mod cell;
mod chart;
mod contender;
mod contest;
mod cycle;
mod driver;
mod figure;
mod lines;
mod number;
mod panel;
mod pool;
mod process;
mod quartiles;
mod random;
mod report;
mod round;
mod runtime;
mod stopwatch;
mod workload;

use std::{
    env,
    error::Error,
    fs,
    io::{Write, stdout},
    process::ExitCode,
};

use crate::{
    contest::{Standing, contest},
    lines::Lines,
    process::Fault,
    round::Round,
    workload::Workload,
};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    match words.split_first() {
        Some((first, rest)) if first == round::WORD => measure(rest),
        Some((first, [])) if first == "all" => measure_all(),
        Some((first, [])) => match workload::find(first) {
            Some(workload) => {
                let standings = hold(workload)?;
                write!(stdout(), "\n{}", report::section(workload, &standings)?)?;
                Ok(ExitCode::SUCCESS)
            }
            None => Ok(usage()),
        },
        _ => Ok(usage()),
    }
}

fn usage() -> ExitCode {
    let names: Vec<_> = workload::ALL.iter().map(|it| it.name()).collect();
    eprintln!("usage: run [{} | all]", names.join(" | "));
    ExitCode::from(2)
}

/// One round, in this process.
fn measure(words: &[String]) -> Result<ExitCode, Box<dyn Error>> {
    let round = Round::from_words(words)?.ok_or("not a round")?;
    let workload = workload::find(&round.workload).ok_or("not a workload")?;
    for figure in workload.run(&round) {
        println!("{figure}");
    }
    Ok(ExitCode::SUCCESS)
}

fn measure_all() -> Result<ExitCode, Box<dyn Error>> {
    let mut results = Vec::new();
    for workload in workload::ALL {
        results.push((*workload, hold(*workload)?));
    }
    fs::write("results.md", report::document(&results)?)?;
    let standings: Vec<_> = results.iter().flat_map(|(_, it)| it).collect();
    fs::write("chart.svg", chart::drawing(&standings)?)?;
    Ok(ExitCode::SUCCESS)
}

/// All cells of a workload. What each came to is printed at once.
fn hold(workload: &dyn Workload) -> Result<Vec<Standing>, Box<dyn Error>> {
    let mut standings = Vec::new();
    for (place, cell) in workload.cells().into_iter().enumerate() {
        eprintln!("{}: {}, {}", workload.name(), cell.face, cell.name);
        let standing = contest(workload, place, cell);
        for entrant in &standing.entrants {
            if let Some(Fault::Failed(why)) = &entrant.fault {
                eprintln!("{}: failed: {why}", entrant.name);
            }
        }
        write!(stdout(), "{}", Lines(&standing))?;
        standings.push(standing);
    }
    Ok(standings)
}
