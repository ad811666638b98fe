//! One number that a round came to.

use std::{fmt, str::FromStr};

/// A number and what it counts. As text: the unit, a tab, the number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) unit: String,
    pub(crate) value: f64,
}

impl Figure {
    pub(crate) fn new(unit: &str, value: f64) -> Self {
        Self {
            unit: unit.to_owned(),
            value,
        }
    }

    pub(crate) fn count(unit: &str, value: u64) -> Self {
        Self::new(unit, value as f64)
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\t{}", self.unit, self.value)
    }
}

/// The text is not that of a figure.
#[derive(Debug)]
pub(crate) struct NoFigure;

impl FromStr for Figure {
    type Err = NoFigure;

    fn from_str(text: &str) -> Result<Self, NoFigure> {
        let (unit, value) = text.split_once('\t').ok_or(NoFigure)?;
        let value = value.parse().map_err(|_| NoFigure)?;
        Ok(Self::new(unit, value))
    }
}
