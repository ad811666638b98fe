//! A Diesel program with an engine, a connection and sessions, on SQLite in memory.
//!
//! ```sh
//! cargo run --example quickstart
//! ```

use diesel::prelude::*;
use everpool_diesel::{EngineOptions, Session, create_engine};

diesel::table! {
    users (id) {
        id -> Integer,
        name -> Text,
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Nothing is opened yet. For a server: "postgresql://scott:tiger@localhost/test".
    let engine = create_engine::<SqliteConnection>("sqlite:///:memory:", EngineOptions::default())?;
    println!("{engine:?}");

    // A connection for plain statements. It goes back to the pool when it is dropped.
    let mut connection = engine.connect()?;
    diesel::sql_query("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        .execute(&mut connection)?;
    drop(connection);

    // A session is a transaction: BEGIN comes with its first statement.
    let mut session = Session::begin(&engine)?;
    diesel::insert_into(users::table)
        .values([users::name.eq("sandy"), users::name.eq("patrick")])
        .execute(&mut session)?;
    session.commit()?;
    println!("committed two users");

    // What is not committed never happened.
    let mut session = Session::begin(&engine)?;
    diesel::delete(users::table).execute(&mut session)?;
    session.rollback()?;
    println!("deleted all users, and rolled that back");

    let mut session = Session::begin(&engine)?;
    let names: Vec<String> = users::table
        .select(users::name)
        .order(users::id)
        .load(&mut session)?;
    println!("users: {}", names.join(", "));
    println!(
        "while a session has the connection:\n    {}",
        engine.status()
    );

    drop(session);
    println!("after it:\n    {}", engine.status());
    Ok(())
}
