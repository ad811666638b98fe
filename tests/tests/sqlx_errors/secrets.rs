//! No password is shown, whatever goes wrong.

use std::fmt::{Debug, Write};

use everpool_sqlx::{
    Any, Driver, EngineOptions, MySql, Postgres, Session, any::install_default_drivers,
    create_engine,
};

use crate::{mysql, postgresql};

const SECRET: &str = "s3cret-Pw";

/// All that can be printed of an engine, and of the error with its causes.
async fn shown<DB: Driver>(url: &str) -> String {
    let mut shown = String::new();
    let engine = match create_engine::<DB>(url, EngineOptions::default()) {
        Ok(engine) => engine,
        Err(error) => {
            show(&mut shown, &error);
            return shown;
        }
    };
    write!(shown, "{engine:?} {:?} {}", engine.pool(), engine.status()).unwrap();
    let mut session = Session::begin(&engine).await.unwrap();
    write!(shown, "{session:?}").unwrap();
    let told = everpool_sqlx::Executor::execute(&mut session, "SELECT 1").await;
    if let Err(error) = told {
        show(&mut shown, &error);
    }
    match engine.connect().await {
        Ok(mut connection) => {
            write!(shown, "{connection:?}").unwrap();
            connection.invalidate();
            write!(shown, "{connection:?}").unwrap();
        }
        Err(error) => show(&mut shown, &error),
    }
    shown
}

fn show<E: std::error::Error + Debug>(shown: &mut String, error: &E) {
    write!(shown, "{error} {error:?}").unwrap();
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(shown, "{error} {error:?}").unwrap();
        cause = error.source();
    }
}

fn assert_secret(shown: &str, expected: &str) {
    assert!(shown.contains(expected), "{shown}");
    assert!(!shown.contains(SECRET), "{shown}");
}

#[tokio::test]
async fn no_password_of_postgresql_is_shown() {
    let server = postgresql::start();
    let url = server.url() + "&password=" + SECRET;
    assert_secret(&shown::<Postgres>(&url).await, "postgresql://");
    let nowhere = url.replace("/postgres?", "/nowhere?");
    let shown_of_nowhere = shown::<Postgres>(&nowhere).await;
    assert_secret(&shown_of_nowhere, "database \"nowhere\" does not exist");
    let bad = url + "&sslmode=perhaps";
    assert_secret(&shown::<Postgres>(&bad).await, "perhaps");

    install_default_drivers();
    assert_secret(
        &shown::<Any>(&nowhere).await,
        "database \"nowhere\" does not exist",
    );
}

#[tokio::test]
async fn no_password_of_mysql_is_shown() {
    let server = mysql::start();
    let url = server
        .url()
        .replace("everpool@", &format!("nobody:{SECRET}@"));
    assert_secret(&shown::<MySql>(&url).await, "Access denied");
    let bad = url + "?ssl_mode=perhaps";
    assert_secret(&shown::<MySql>(&bad).await, "perhaps");
}
