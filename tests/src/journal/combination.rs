use std::fmt;
use std::str::FromStr;

use diesel::{MysqlConnection, PgConnection};
use everpool_sqlx::{MySql, Postgres};

use super::writer::{DieselWriter, SqlxWriter};
use super::{Failure, Plan, Report, trial};
use crate::{MariaDb, PostgreSql};

/// A library and a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Combination {
    pub(super) driver: Driver,
    pub(super) database: Database,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Driver {
    Diesel,
    Sqlx,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Database {
    PostgreSql,
    MariaDb,
}

impl Combination {
    pub(super) const ALL: [Self; 4] = [
        Self::new(Driver::Diesel, Database::PostgreSql),
        Self::new(Driver::Diesel, Database::MariaDb),
        Self::new(Driver::Sqlx, Database::PostgreSql),
        Self::new(Driver::Sqlx, Database::MariaDb),
    ];

    const fn new(driver: Driver, database: Database) -> Self {
        Combination { driver, database }
    }

    pub(super) fn hold(self, plan: &Plan) -> Result<Report, Failure> {
        let hold = match (self.driver, self.database) {
            (Driver::Diesel, Database::PostgreSql) => {
                trial::hold::<PostgreSql, DieselWriter<PgConnection>>
            }
            (Driver::Diesel, Database::MariaDb) => {
                trial::hold::<MariaDb, DieselWriter<MysqlConnection>>
            }
            (Driver::Sqlx, Database::PostgreSql) => trial::hold::<PostgreSql, SqlxWriter<Postgres>>,
            (Driver::Sqlx, Database::MariaDb) => trial::hold::<MariaDb, SqlxWriter<MySql>>,
        };
        hold(plan.length, plan.rng(self))
    }
}

impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.driver.name(), self.database.name())
    }
}

impl Driver {
    fn name(self) -> &'static str {
        match self {
            Driver::Diesel => "diesel",
            Driver::Sqlx => "sqlx",
        }
    }
}

impl Database {
    fn name(self) -> &'static str {
        match self {
            Database::PostgreSql => "postgresql",
            Database::MariaDb => "mariadb",
        }
    }
}

impl FromStr for Driver {
    type Err = Failure;

    fn from_str(name: &str) -> Result<Self, Failure> {
        let mut all = [Driver::Diesel, Driver::Sqlx].into_iter();
        all.find(|driver| driver.name() == name)
            .ok_or_else(|| format!("`{name}` is neither diesel nor sqlx").into())
    }
}

impl FromStr for Database {
    type Err = Failure;

    fn from_str(name: &str) -> Result<Self, Failure> {
        let mut all = [Database::PostgreSql, Database::MariaDb].into_iter();
        all.find(|database| database.name() == name)
            .ok_or_else(|| format!("`{name}` is neither postgresql nor mariadb").into())
    }
}
