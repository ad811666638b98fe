//! A contest: all contenders of a cell in turns, so that what disturbs the machine disturbs all.

use crate::{cell::Cell, figure::Figure, process::Fault, round::Round, workload::Workload};

/// What came of a cell.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) workload: &'static str,
    pub(crate) cell: Cell,
    /// In the order of the cell's contenders.
    pub(crate) entrants: Vec<Entrant>,
}

/// A contender, and what it came to.
#[derive(Debug)]
pub(crate) struct Entrant {
    pub(crate) name: &'static str,
    /// In the order in which a round gives them.
    pub(crate) series: Vec<Series>,
    /// Set by the first round that gave no figures. It takes part no more.
    pub(crate) fault: Option<Fault>,
}

/// The same figure of all rounds.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) unit: String,
    pub(crate) values: Vec<f64>,
}

impl Standing {
    pub(crate) fn entrant(&self, name: &str) -> Option<&Entrant> {
        self.entrants.iter().find(|entrant| entrant.name == name)
    }
}

impl Entrant {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            series: Vec::new(),
            fault: None,
        }
    }

    pub(crate) fn series(&self, unit: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.unit == unit)
    }

    fn add(&mut self, figure: Figure) {
        let known = |series: &&mut Series| series.unit == figure.unit;
        match self.series.iter_mut().find(known) {
            Some(series) => series.values.push(figure.value),
            None => self.series.push(Series {
                unit: figure.unit,
                values: vec![figure.value],
            }),
        }
    }
}

/// Measures one cell of a workload.
pub(crate) fn contest(workload: &dyn Workload, place: usize, cell: Cell) -> Standing {
    let entrants = cell.contenders.iter().map(|name| Entrant::new(name));
    let mut entrants: Vec<_> = entrants.collect();
    for _ in 0..cell.rounds {
        for entrant in &mut entrants {
            compete(workload, place, &cell, entrant);
        }
        // Nobody is always the one after the noisiest.
        entrants.rotate_left(1);
    }
    entrants.sort_by_key(|entrant| {
        cell.contenders
            .iter()
            .position(|name| *name == entrant.name)
    });
    Standing {
        workload: workload.name(),
        cell,
        entrants,
    }
}

fn compete(workload: &dyn Workload, place: usize, cell: &Cell, entrant: &mut Entrant) {
    if entrant.fault.is_some() {
        return;
    }
    let round = Round {
        workload: workload.name().to_owned(),
        cell: place,
        contender: entrant.name.to_owned(),
        times: 1,
    };
    match workload.measure(&round, cell) {
        Ok(figures) => figures.into_iter().for_each(|figure| entrant.add(figure)),
        Err(fault) => entrant.fault = Some(fault),
    }
}
