//! `results.md`: a table for each figure, with a row for each cell and a column for each contender.

use std::{
    fmt::{self, Write},
    fs,
    thread::available_parallelism,
};

use crate::{
    cell::Face,
    contender::EVERPOOL,
    contest::{Entrant, Standing},
    lines::Word,
    number::short,
    quartiles::Quartiles,
    workload::Workload,
};

const HEAD: &str = "\
# What was measured

Written by `tests/bench/run all`. Every round is a process of its own, and the contenders take turns. A \
cell of a table is the median of its rounds, their quartiles in brackets, and how many times everpool's \
median that is. Read the ratios: the nanoseconds are this machine's, and other work may have shared it.

![Medians and quartiles](chart.svg)

The scales of the chart are logarithmic.
";

/// The whole document.
pub(crate) fn document(results: &[(&dyn Workload, Vec<Standing>)]) -> Result<String, fmt::Error> {
    let mut text = String::from(HEAD);
    writeln!(text, "\n{}; {}.", machine(), contenders())?;
    for (workload, standings) in results {
        write!(text, "\n{}", section(*workload, standings)?)?;
    }
    Ok(text)
}

/// What is said of one workload.
pub(crate) fn section(
    workload: &dyn Workload,
    standings: &[Standing],
) -> Result<String, fmt::Error> {
    let name = workload.name();
    let mut text = format!("## {name}\n\n{}\n", workload.about());
    for face in [Face::Threads, Face::Tasks] {
        let of_face = |standing: &&Standing| standing.cell.face == face;
        let standings: Vec<_> = standings.iter().filter(of_face).collect();
        for unit in units(&standings) {
            writeln!(text, "\n### {name}, {face}: {unit}\n")?;
            table(&mut text, &standings, unit)?;
        }
    }
    Ok(text)
}

fn table(text: &mut String, standings: &[&Standing], unit: &str) -> fmt::Result {
    let names = names(standings);
    writeln!(text, "| | {} |", names.join(" | "))?;
    writeln!(text, "|---|{}", "---:|".repeat(names.len()))?;
    for standing in standings {
        let base = standing.entrant(EVERPOOL).and_then(|it| median(it, unit));
        write!(text, "| {} |", standing.cell.name)?;
        for name in &names {
            let figure = standing.entrant(name).map(|it| figure(it, unit, base));
            write!(text, " {} |", figure.unwrap_or_default())?;
        }
        writeln!(text)?;
    }
    Ok(())
}

fn figure(entrant: &Entrant, unit: &str, base: Option<f64>) -> String {
    if let Some(fault) = &entrant.fault {
        return Word(fault).to_string();
    }
    let series = entrant.series(unit);
    let Some(quartiles) = series.and_then(|series| Quartiles::of(&series.values)) else {
        return String::new();
    };
    let Quartiles {
        first,
        median,
        third,
    } = quartiles;
    let range = format!("{} ({}–{})", short(median), short(first), short(third));
    match base {
        Some(base) if base > 0.0 && entrant.name != EVERPOOL => {
            format!("{range} ×{}", short(median / base))
        }
        _ => range,
    }
}

fn median(entrant: &Entrant, unit: &str) -> Option<f64> {
    let quartiles = Quartiles::of(&entrant.series(unit)?.values)?;
    Some(quartiles.median)
}

/// The columns: everybody who takes part in any row.
fn names(standings: &[&Standing]) -> Vec<&'static str> {
    let all = standings.iter().flat_map(|standing| &standing.entrants);
    first_of_each(all.map(|entrant| entrant.name))
}

fn units<'a>(standings: &[&'a Standing]) -> Vec<&'a str> {
    let entrants = standings.iter().flat_map(|standing| &standing.entrants);
    let series = entrants.flat_map(|entrant| &entrant.series);
    first_of_each(series.map(|series| series.unit.as_str()))
}

fn first_of_each<'a>(words: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for word in words {
        if !seen.contains(&word) {
            seen.push(word);
        }
    }
    seen
}

fn machine() -> String {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("a processor without a name", |(_, model)| model);
    let cores = available_parallelism().map_or(1, usize::from);
    format!("On {cores} threads of {model}")
}

/// Who took part, in which version.
fn contenders() -> String {
    const LOCK: &str = include_str!("../Cargo.lock");
    const PEERS: [&str; 8] = [
        "diesel",
        "r2d2",
        "bb8",
        "deadpool",
        "mobc",
        "fast_pool",
        "sqlx",
        "tokio",
    ];
    let version = |peer: &&str| {
        let entry = format!("name = \"{peer}\"\nversion = \"");
        let (_, rest) = LOCK.split_once(&entry)?;
        let (version, _) = rest.split_once('"')?;
        Some(format!("{peer} {version}"))
    };
    PEERS
        .iter()
        .filter_map(version)
        .collect::<Vec<_>>()
        .join(", ")
}
