//! What is done, with which database, by whom.

use std::time::Duration;

use super::{CONNECT, EVERPOOL, HELD, KEPT, PRE_PING, SESSION, SQLX, SQLX_UNTESTED};

pub(super) const PATIENCE: Duration = Duration::from_secs(60);
const ROUNDS: u32 = 7;
const INSTRUCTION_ROUNDS: u32 = 3;

#[derive(Clone, Copy, Debug)]
pub(super) enum Database {
    Postgresql,
    /// SQLite's, in memory.
    Memory,
    /// A file of SQLite's.
    File,
}

/// What is done again and again.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    Query,
    /// BEGIN, a query, COMMIT.
    Transaction,
    /// A checkout and a return.
    Checkout,
}

#[derive(Debug)]
pub(super) struct Setting {
    pub(super) name: &'static str,
    pub(super) database: Database,
    pub(super) deed: Deed,
    pub(super) contenders: &'static [&'static str],
    /// In a runtime of one thread.
    pub(super) is_single: bool,
    /// Instructions are counted, of so many deeds, and no time taken.
    pub(super) counted: Option<u64>,
}

impl Setting {
    pub(super) fn rounds(&self) -> u32 {
        match self.counted {
            Some(_) => INSTRUCTION_ROUNDS,
            None => ROUNDS,
        }
    }
}

const POOLS: &[&str] = &[EVERPOOL, PRE_PING, SQLX, SQLX_UNTESTED];
const QUERIES: &[&str] = &[EVERPOOL, CONNECT, KEPT, PRE_PING, SQLX, SQLX_UNTESTED, HELD];

const BASE: Setting = Setting {
    name: "PostgreSQL, a checkout and a query",
    database: Database::Postgresql,
    deed: Deed::Query,
    contenders: QUERIES,
    is_single: false,
    counted: None,
};

pub(super) const ALL: &[Setting] = &[
    BASE,
    Setting {
        name: "PostgreSQL, a checkout and a query, one thread",
        is_single: true,
        ..BASE
    },
    Setting {
        name: "PostgreSQL, a checkout and a query, instructions",
        is_single: true,
        counted: Some(500),
        ..BASE
    },
    Setting {
        name: "PostgreSQL, a checkout and a transaction",
        deed: Deed::Transaction,
        contenders: &[EVERPOOL, SESSION, SQLX, SQLX_UNTESTED, HELD],
        ..BASE
    },
    Setting {
        name: "PostgreSQL, a checkout",
        deed: Deed::Checkout,
        contenders: POOLS,
        ..BASE
    },
    Setting {
        name: "PostgreSQL, a checkout, one thread",
        deed: Deed::Checkout,
        contenders: POOLS,
        is_single: true,
        ..BASE
    },
    Setting {
        name: "PostgreSQL, a checkout, instructions",
        deed: Deed::Checkout,
        contenders: POOLS,
        is_single: true,
        counted: Some(500),
        ..BASE
    },
    Setting {
        name: "SQLite in memory, a checkout and a query",
        database: Database::Memory,
        ..BASE
    },
    Setting {
        name: "SQLite file, a checkout and a query",
        database: Database::File,
        ..BASE
    },
];
