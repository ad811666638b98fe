//! What is measured.

mod allocations;
mod contended;
mod diesel;
mod growth;
mod instructions;
mod sqlx;
mod storm;
mod uncontended;

use crate::{cell::Cell, figure::Figure, process::Fault, round::Round};

/// What is measured, in the order of a run of all.
pub(crate) const ALL: &[&dyn Workload] = &[
    &instructions::Instructions,
    &allocations::Allocations,
    &uncontended::Uncontended,
    &contended::Contended,
    &storm::Storm,
    &growth::Growth,
    &diesel::Diesel,
    &sqlx::Sqlx,
];

/// A kind of measurement, and the cells that it is made of.
pub(crate) trait Workload {
    /// The name that it is asked for by.
    fn name(&self) -> &'static str;

    /// One sentence for the reader of the figures.
    fn about(&self) -> &'static str;

    fn cells(&self) -> Vec<Cell>;

    /// Measures a contender once, in this process.
    fn run(&self, round: &Round) -> Vec<Figure>;

    /// Measures a contender once, in a process of its own.
    fn measure(&self, round: &Round, cell: &Cell) -> Result<Vec<Figure>, Fault> {
        round.figures(cell, None)
    }
}

pub(crate) fn find(name: &str) -> Option<&'static dyn Workload> {
    ALL.iter().copied().find(|workload| workload.name() == name)
}
