//! A SQLx program with an engine, a connection and sessions, on SQLite in memory.
//!
//! ```sh
//! cargo run --example quickstart_sqlx
//! ```

use everpool_sqlx::{EngineOptions, Session, create_engine};
use sqlx::Sqlite;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Nothing is opened yet. For a server: "postgresql://scott:tiger@localhost/test".
    let engine = create_engine::<Sqlite>("sqlite:///:memory:", EngineOptions::default())?;
    println!("{engine:?}");

    // A connection for plain statements. It goes back to the pool when it is dropped.
    let mut connection = engine.connect().await?;
    sqlx::query("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        .execute(&mut *connection)
        .await?;
    drop(connection);

    // A session is a transaction: BEGIN comes with its first statement.
    let mut session = Session::begin(&engine).await?;
    for name in ["sandy", "patrick"] {
        sqlx::query("INSERT INTO users (name) VALUES (?)")
            .bind(name)
            .execute(&mut session)
            .await?;
    }
    session.commit().await?;
    println!("committed two users");

    // What is not committed never happened.
    let mut session = Session::begin(&engine).await?;
    sqlx::query("DELETE FROM users")
        .execute(&mut session)
        .await?;
    session.rollback().await?;
    println!("deleted all users, and rolled that back");

    // The engine itself takes a connection for one statement.
    let names: Vec<String> = sqlx::query_scalar("SELECT name FROM users ORDER BY id")
        .fetch_all(&engine)
        .await?;
    println!("users: {}", names.join(", "));

    let mut session = Session::begin(&engine).await?;
    let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users")
        .fetch_one(&mut session)
        .await?;
    println!(
        "while a session counts {users} users:\n    {}",
        engine.status()
    );

    session.rollback().await?;
    println!("after it:\n    {}", engine.status());
    Ok(())
}
