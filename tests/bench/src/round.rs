//! A round: one contender, measured once, in a process of its own. What a pool leaves behind
//! (threads, timers, a fragmented heap) does not disturb the next, and one that hangs can be ended.

use std::{env, io, num::ParseIntError, process::Command};

use crate::{
    cell::Cell,
    figure::Figure,
    process::{Fault, output},
};

/// The first word of a process's arguments that makes it measure a round.
pub(crate) const WORD: &str = "round";

/// Which round: as arguments of a process, [`WORD`] and then the fields.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) workload: String,
    /// The cell's place in the workload's list.
    pub(crate) cell: usize,
    pub(crate) contender: String,
    /// How many times the usual number of operations, where that is a number and not a time.
    pub(crate) times: u64,
}

impl Round {
    /// The round that is told in the words after [`WORD`]. `None`: it is none.
    pub(crate) fn from_words(words: &[String]) -> Result<Option<Self>, ParseIntError> {
        let [workload, cell, contender, times] = words else {
            return Ok(None);
        };
        Ok(Some(Self {
            workload: workload.clone(),
            cell: cell.parse()?,
            contender: contender.clone(),
            times: times.parse()?,
        }))
    }

    /// The process that measures it, run by `launcher` if that is not empty, and told one thing by its
    /// environment, or nothing.
    pub(crate) fn command(
        &self,
        launcher: &[&str],
        told: Option<(&str, &str)>,
    ) -> io::Result<Command> {
        let program = env::current_exe()?;
        let mut command = match launcher {
            [] => Command::new(program),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        command
            .envs(told)
            .arg(WORD)
            .arg(&self.workload)
            .arg(self.cell.to_string())
            .arg(&self.contender)
            .arg(self.times.to_string());
        Ok(command)
    }

    /// Measures it.
    pub(crate) fn figures(
        &self,
        cell: &Cell,
        told: Option<(&str, &str)>,
    ) -> Result<Vec<Figure>, Fault> {
        let output = output(self.command(&[], told)?, cell.patience)?;
        let figures = output.lines().map(str::parse);
        let figures = figures.collect::<Result<Vec<_>, _>>();
        figures.map_err(|_| Fault::Failed("its output is not one of figures".to_owned()))
    }
}
