//! `sqlx`: what an engine costs beside SQLx's own connection and pool, on real databases.

mod contender;
mod measure;
mod setting;

use everpool_tests::PostgreSql;

use self::setting::{Database, Setting};
use super::{Workload, instructions};
use crate::{
    cell::{Cell, Face},
    contender::{EVERPOOL, SQLX},
    figure::Figure,
    process::Fault,
    round::Round,
};

/// [`EVERPOOL`] is `&engine`; this is `engine.connect()` and a statement on what it gives.
const CONNECT: &str = "everpool, connect()";
const PRE_PING: &str = "everpool, pre-ping";
const SESSION: &str = "everpool, Session";
/// A connection of the engine's that is held for all statements.
const KEPT: &str = "everpool, held";
/// [`SQLX`] pings at each checkout, which is its default.
const SQLX_UNTESTED: &str = "sqlx, no test";
/// One of SQLx's connections, held for all statements.
const HELD: &str = "held";

/// Where a round finds the server that was started for it, which no profiler has to follow.
const URL: &str = "EVERPOOL_BENCH_URL";

pub(crate) struct Sqlx;

impl Workload for Sqlx {
    fn name(&self) -> &'static str {
        "sqlx"
    }

    fn about(&self) -> &'static str {
        "`SELECT 1` through SQLx: a checkout for each query, beside one connection of SQLx's that is held \
         for all. `everpool` is the engine itself as executor. PostgreSQL is on a Unix socket of this \
         machine; its processor time is not counted, nor are its instructions. SQLite's connections have \
         a thread each, which is counted: with pings it is spoken to. A runtime of two workers, unless \
         one thread is named. Instructions as above, in a runtime of one thread."
    }

    fn cells(&self) -> Vec<Cell> {
        let cell = |setting: &Setting| Cell {
            face: Face::Tasks,
            name: setting.name.to_owned(),
            contenders: setting.contenders.to_vec(),
            rounds: setting.rounds(),
            patience: setting::PATIENCE,
        };
        setting::ALL.iter().map(cell).collect()
    }

    fn run(&self, round: &Round) -> Vec<Figure> {
        let setting = &setting::ALL[round.cell];
        match setting.database {
            Database::Postgresql => {
                let url = std::env::var(URL).expect("a round is told where its server is");
                measure::run::<::sqlx::Postgres>(&url, setting, round)
            }
            Database::Memory => measure::run::<::sqlx::Sqlite>("sqlite::memory:", setting, round),
            Database::File => {
                let file = format!("everpool-bench-{}.db", std::process::id());
                let file = std::env::temp_dir().join(file);
                // everpool reads what stands after three slashes as SQLAlchemy does, SQLx as it is.
                let url = format!("sqlite:///{}?mode=rwc", file.display());
                let figures = measure::run::<::sqlx::Sqlite>(&url, setting, round);
                // One that nobody wrote to may not be there.
                let _removed = std::fs::remove_file(file);
                figures
            }
        }
    }

    fn measure(&self, round: &Round, cell: &Cell) -> Result<Vec<Figure>, Fault> {
        let setting = &setting::ALL[round.cell];
        let server = match setting.database {
            Database::Postgresql => Some(PostgreSql::start().expect("this needs PostgreSQL")),
            Database::Memory | Database::File => None,
        };
        let url = server.as_ref().map(PostgreSql::url);
        let told = url.as_deref().map(|url| (URL, url));
        match setting.counted {
            Some(operations) => instructions::counted(round, cell, operations, told),
            None => round.figures(cell, told),
        }
    }
}
