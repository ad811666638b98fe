//! What is returned in order costs nothing.

use everpool_sqlx::Session;
use tokio::runtime::Handle;

use crate::database::{Database, File, Maria, Pg, ask, insert, send};

async fn a_clean_return_sends_nothing_and_spawns_nothing<D: Database>() {
    let database = D::start();
    let engine = database.narrow();
    let mut session = Session::begin(&engine).await.unwrap();
    send::<D, _>(&mut session, &insert(1)).await.unwrap();
    session.commit().await.unwrap();

    let mut connection = engine.connect().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    send::<D, _>(&mut *transaction.begin().await.unwrap(), &insert(2))
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let transaction = connection.begin().await.unwrap();
    transaction.rollback().await.unwrap();
    for sql in ["BEGIN", "COMMIT"] {
        send::<D, _>(&mut *connection, sql).await.unwrap();
    }
    let fails = "SELECT * FROM nowhere";
    send::<D, _>(&mut *connection, fails).await.unwrap_err();
    assert_eq!(ask::<D, _>(&mut *connection, &D::echo(3)).await.unwrap(), 3);

    let sent = || database.proxy().map(|proxy| proxy.traffic()[0].from_client);
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = (sent(), tasks());
    drop(connection);
    // Whatever was spawned is there still: this runtime's only thread is here.
    assert_eq!((sent(), tasks()), before, "{}", D::NAME);
    assert_eq!(engine.status().idle, 1);
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    assert_eq!(sent(), before.0, "{}", D::NAME);
}

#[tokio::test]
async fn a_clean_return_sends_nothing_and_spawns_nothing_on_any_database() {
    a_clean_return_sends_nothing_and_spawns_nothing::<Pg>().await;
    a_clean_return_sends_nothing_and_spawns_nothing::<Maria>().await;
    a_clean_return_sends_nothing_and_spawns_nothing::<File>().await;
}

/// The words that neither begin nor end a transaction on PostgreSQL send no ROLLBACK at the return.
#[tokio::test]
async fn on_postgresql_what_begins_no_transaction_costs_no_rollback() {
    let database = Pg::start();
    let engine = database.narrow();
    for sql in [
        "SET search_path = public",
        "LISTEN news",
        "DO $$ BEGIN PERFORM 1; END $$",
        "SELECT 1; SELECT 2",
    ] {
        let mut connection = engine.connect().await.unwrap();
        send::<Pg, _>(&mut *connection, sql).await.unwrap();
        drop(connection);
        // The DO block's semicolons are not told from statements' ends.
        let is_in_the_background = engine.status().idle == 0;
        assert_eq!(is_in_the_background, sql.starts_with("DO"), "{sql}");
        engine.connect().await.unwrap();
    }
}
