use std::ffi::OsString;
use std::fmt;
use std::time::Duration;

use fastrand::Rng;
use lexopt::{Arg, Parser, ValueExt};

use super::combination::{Combination, Database, Driver};

/// What is tried, for how long, and with which lots.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) length: Duration,
    seed: u64,
    driver: Option<Driver>,
    database: Option<Database>,
}

impl Plan {
    /// What the arguments of this program say; `None` if they ask for help.
    ///
    /// # Errors
    ///
    /// With the argument that is wrong.
    pub fn from_args() -> Result<Option<Self>, lexopt::Error> {
        Self::parse(std::env::args_os().skip(1))
    }

    fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Option<Self>, lexopt::Error> {
        let mut plan = Plan {
            length: Duration::from_secs(60),
            seed: fastrand::u64(..),
            driver: None,
            database: None,
        };
        let mut parser = Parser::from_args(args);
        while let Some(arg) = parser.next()? {
            match arg {
                Arg::Long("minutes") => plan.length = parser.value()?.parse_with(minutes)?,
                Arg::Long("seed") => plan.seed = parser.value()?.parse()?,
                Arg::Long("driver") => plan.driver = Some(parser.value()?.parse()?),
                Arg::Long("database") => plan.database = Some(parser.value()?.parse()?),
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                other => return Err(other.unexpected()),
            }
        }
        Ok(Some(plan))
    }

    pub(super) fn combinations(&self) -> impl Iterator<Item = Combination> {
        Combination::ALL.into_iter().filter(|combination| {
            let drives = self.driver.is_none_or(|it| it == combination.driver);
            drives && self.database.is_none_or(|it| it == combination.database)
        })
    }

    /// The same lots for a combination, whatever is tried beside it.
    pub(super) fn rng(&self, combination: Combination) -> Rng {
        let mut rng = Rng::with_seed(self.seed);
        let before = Combination::ALL.iter().take_while(|it| **it != combination);
        before.for_each(|_| drop(rng.fork()));
        rng.fork()
    }
}

fn minutes(text: &str) -> Result<Duration, String> {
    let minutes = text.parse::<f64>().ok().filter(|minutes| *minutes > 0.0);
    let seconds = minutes.map(|minutes| Duration::try_from_secs_f64(minutes * 60.0));
    match seconds {
        Some(Ok(length)) => Ok(length),
        _ => Err("minutes are a number above 0, such as 5 or 0.5".to_owned()),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, seed) = (self.length.as_secs_f64(), self.seed);
        write!(f, "journal: {seconds} s, --seed {seed}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(args: &str) -> Result<Option<Plan>, String> {
        let plan = Plan::parse(args.split_whitespace().map(OsString::from));
        plan.map_err(|error| error.to_string())
    }

    #[test]
    fn arguments_say_what_is_tried() {
        let args = "--minutes 0.5 --seed 7 --driver=sqlx --database mariadb";
        let said = plan(args).unwrap().unwrap();
        assert_eq!(said.to_string(), "journal: 30 s, --seed 7");
        let tried: Vec<_> = said.combinations().map(|it| it.to_string()).collect();
        assert_eq!(tried, ["sqlx mariadb"]);
        assert_eq!(plan("").unwrap().unwrap().combinations().count(), 4);
        assert!(plan("--help").unwrap().is_none());
    }

    #[test]
    fn a_wrong_argument_is_named() {
        for (args, word) in [
            ("--minuets 5", "--minuets"),
            ("--minutes 0", "minutes are a number above 0"),
            ("--minutes NaN", "NaN"),
            ("--seed x", "x"),
            ("--driver r2d2", "`r2d2` is neither diesel nor sqlx"),
            (
                "--database sqlite",
                "`sqlite` is neither postgresql nor mariadb",
            ),
        ] {
            let error = plan(args).unwrap_err();
            assert!(error.contains(word), "{args}: {error}");
        }
    }

    #[test]
    fn the_lots_of_a_combination_are_those_of_its_seed() {
        let plan = plan("--seed 7").unwrap().unwrap();
        let lots = Combination::ALL.map(|combination| plan.rng(combination).u64(..));
        assert_eq!(lots, Combination::ALL.map(|it| plan.rng(it).u64(..)));
        assert_ne!(lots[0], lots[1]);
    }
}
