//! What a program was told of its commits, held against what the database has.
//!
//! Workers write numbered rows through sessions, while their server is killed, restarted, frozen and cut off at
//! random. Each notes what it was told of every transaction. At the end the server is killed once more, and
//! asked by a client of its own: what was acknowledged is there once, what was rolled back is not, and of what is
//! unknown nothing is there twice or in part.

mod claim;
mod combination;
mod course;
mod disturbance;
mod judge;
mod plan;
mod pulse;
mod report;
mod server;
mod site;
mod tally;
mod transaction;
mod trial;
mod worker;
mod writer;

use std::error::Error;
use std::thread;

pub use combination::Combination;
pub use plan::Plan;
pub use report::Report;

/// Why a trial came to no end.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Holds all trials of a plan at once. Blocks for as long as the plan says, and a minute more at most.
pub fn hold(plan: &Plan) -> Vec<(Combination, Result<Report, Failure>)> {
    thread::scope(|scope| {
        let start = |combination: Combination| {
            let trial = scope.spawn(move || combination.hold(plan));
            (combination, trial)
        };
        let trials: Vec<_> = plan.combinations().map(start).collect();
        let ended = trials.into_iter().map(|(combination, trial)| {
            let panicked = |_| Err(Failure::from("it panicked"));
            (combination, trial.join().unwrap_or_else(panicked))
        });
        ended.collect()
    })
}
