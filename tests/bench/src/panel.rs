//! Which figures are shown in the chart.

use crate::{cell::Face, contest::Standing, quartiles::Quartiles};

/// A figure that is shown.
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    workload: &'static str,
    face: Face,
    cell: &'static str,
    unit: &'static str,
}

const fn panel(
    title: &'static str,
    workload: &'static str,
    face: Face,
    cell: &'static str,
    unit: &'static str,
) -> Panel {
    Panel {
        title,
        workload,
        face,
        cell,
        unit,
    }
}

pub(crate) const PANELS: &[Panel] = &[
    panel(
        "threads: instructions for one checkout",
        "instructions",
        Face::Threads,
        "one over 8",
        "instructions/op",
    ),
    panel(
        "tasks: instructions for one checkout",
        "instructions",
        Face::Tasks,
        "one over 8",
        "instructions/op",
    ),
    panel(
        "one thread over 8 connections: ns",
        "uncontended",
        Face::Threads,
        "one over 8",
        "ns/op",
    ),
    panel(
        "one task over 8 connections: ns",
        "uncontended",
        Face::Tasks,
        "one over 8",
        "ns/op",
    ),
    panel(
        "16 threads over 4, held over a yield: worst wait, µs",
        "contended",
        Face::Threads,
        "16 over 4, held over a yield",
        "worst wait µs",
    ),
    panel(
        "64 tasks over 4, held over a yield: worst wait, µs",
        "contended",
        Face::Tasks,
        "64 over 4, held over a yield",
        "worst wait µs",
    ),
    panel(
        "16 threads over 4, held over a yield: ns",
        "contended",
        Face::Threads,
        "16 over 4, held over a yield",
        "ns/op",
    ),
    panel(
        "64 tasks over 4, held over a yield: ns",
        "contended",
        Face::Tasks,
        "64 over 4, held over a yield",
        "ns/op",
    ),
];

impl Panel {
    /// Who is shown, the cheapest on top.
    pub(crate) fn rows<'a>(&self, standings: &[&'a Standing]) -> Vec<(&'a str, Quartiles)> {
        let shown = |standing: &&&Standing| {
            standing.workload == self.workload
                && standing.cell.face == self.face
                && standing.cell.name == self.cell
        };
        let entrants = standings.iter().filter(shown).flat_map(|it| &it.entrants);
        let mut rows: Vec<_> = entrants
            .filter_map(|entrant| {
                let series = entrant.series(self.unit)?;
                Some((entrant.name, Quartiles::of(&series.values)?))
            })
            .filter(|(_, quartiles)| quartiles.first > 0.0)
            .collect();
        rows.sort_by(|a, b| b.1.median.total_cmp(&a.1.median));
        rows
    }
}
