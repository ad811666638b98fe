//! The figures as lines: what was measured, of whom, the median, the unit.

use std::fmt;

use crate::{contest::Standing, process::Fault, quartiles::Quartiles};

pub(crate) struct Lines<'a>(pub(crate) &'a Standing);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Standing { workload, cell, .. } = self.0;
        for entrant in &self.0.entrants {
            let head = format!("{workload}/{}/{}\t{}", cell.face, cell.name, entrant.name);
            if let Some(fault) = &entrant.fault {
                writeln!(f, "{head}\t{}\t-", Word(fault))?;
                continue;
            }
            for series in &entrant.series {
                if let Some(quartiles) = Quartiles::of(&series.values) {
                    writeln!(f, "{head}\t{:.3}\t{}", quartiles.median, series.unit)?;
                }
            }
        }
        Ok(())
    }
}

/// A fault in one word.
pub(crate) struct Word<'a>(pub(crate) &'a Fault);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Fault::Hung => "hung",
            Fault::Failed(_) => "failed",
        })
    }
}
