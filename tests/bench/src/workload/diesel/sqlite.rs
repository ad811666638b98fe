//! A query that the database answers in no time.

use std::thread;

use diesel::{connection::LoadConnection, prelude::*, sql_types::Integer, sqlite::Sqlite};
use everpool_diesel::{EngineOptions, create_engine};

use super::{BARE, EVERPOOL};
use crate::figure::Figure;

pub(super) const QUERIES: u64 = 1_000;
const MEMORY: &str = ":memory:";

pub(super) fn run(contender: &str, times: u64) -> Vec<Figure> {
    let queries = QUERIES * times;
    match contender {
        BARE => {
            // An engine has threads of its own, and with a second one locks cost more.
            let _other = thread::spawn(thread::park);
            let connection = SqliteConnection::establish(MEMORY);
            repeat(&mut connection.expect("there is memory"), queries);
        }
        EVERPOOL => {
            let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default());
            let connection = engine.expect("the URL is right").connect();
            repeat(&mut connection.expect("there is memory"), queries);
        }
        other => panic!("nothing of SQLite's is called {other}"),
    }
    Vec::new()
}

fn repeat<C: LoadConnection<Backend = Sqlite>>(connection: &mut C, queries: u64) {
    for _ in 0..queries {
        let one = diesel::select(1.into_sql::<Integer>()).get_result::<i32>(connection);
        assert_eq!(one, Ok(1));
    }
}
