//! `diesel`: what an engine costs beside Diesel's own connection and pool, on real databases.

mod postgres;
mod sqlite;

use std::time::Duration;

use super::{Workload, instructions};
use crate::{
    cell::{Cell, Face},
    contender::EVERPOOL,
    figure::Figure,
    process::Fault,
    round::Round,
};

/// Diesel's connection, with no pool.
const BARE: &str = "bare";
const PRE_PING: &str = "everpool, pre-ping";
/// With a test at each checkout, which is its default.
const R2D2: &str = "diesel::r2d2";
const R2D2_UNTESTED: &str = "diesel::r2d2, no test";

const SQLITE: usize = 0;
const INSTRUCTION_ROUNDS: u32 = 3;
const ROUNDS: u32 = 7;

pub(crate) struct Diesel;

impl Workload for Diesel {
    fn name(&self) -> &'static str {
        "diesel"
    }

    fn about(&self) -> &'static str {
        "`SELECT 1` through Diesel. SQLite: instructions on a connection that is held, counted as above. \
         PostgreSQL, on a Unix socket of this machine: a checkout for each query, beside one bare \
         connection that is held for all."
    }

    fn cells(&self) -> Vec<Cell> {
        let cell = |name, contenders: &[&'static str], rounds| Cell {
            face: Face::Threads,
            name: String::from(name),
            contenders: contenders.to_vec(),
            rounds,
            patience: Duration::from_secs(60),
        };
        let pools = [EVERPOOL, PRE_PING, R2D2, R2D2_UNTESTED, BARE];
        vec![
            cell(
                "SQLite, a query on a connection",
                &[EVERPOOL, BARE],
                INSTRUCTION_ROUNDS,
            ),
            cell("PostgreSQL, a checkout and a query", &pools, ROUNDS),
        ]
    }

    fn run(&self, round: &Round) -> Vec<Figure> {
        match round.cell {
            SQLITE => sqlite::run(&round.contender, round.times),
            _ => postgres::run(&round.contender),
        }
    }

    fn measure(&self, round: &Round, cell: &Cell) -> Result<Vec<Figure>, Fault> {
        match round.cell {
            SQLITE => instructions::counted(round, cell, sqlite::QUERIES, None),
            _ => round.figures(cell, None),
        }
    }
}
