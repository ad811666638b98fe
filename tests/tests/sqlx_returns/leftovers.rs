//! What is left open is ended before the next user.

use std::mem;

use everpool_sqlx::{Engine, ResetOnReturn, Session};
use futures_util::{FutureExt, future::BoxFuture};

use crate::{
    cut::cut,
    database::{
        Connection, Database, File, Maria, Pg, assert_sound, insert, narrow, next_user, send,
    },
};

type Way<D> = for<'c> fn(&'c mut Connection<<D as Database>::Sqlx>) -> BoxFuture<'c, ()>;

/// The ways to leave row 1 in a transaction that is not ended.
fn ways<D: Database>() -> [(&'static str, Way<D>); 6] {
    [
        ("a text BEGIN", |connection| {
            async move {
                let both = format!("BEGIN; {}", insert(1));
                send::<D, _>(connection, &both).await.unwrap();
            }
            .boxed()
        }),
        ("a dropped transaction", |connection| {
            async move {
                let mut transaction = connection.begin().await.unwrap();
                send::<D, _>(&mut *transaction, &insert(1)).await.unwrap();
            }
            .boxed()
        }),
        ("a dropped savepoint", |connection| {
            async move {
                let mut transaction = connection.begin().await.unwrap();
                let mut savepoint = transaction.begin().await.unwrap();
                send::<D, _>(&mut *savepoint, &insert(1)).await.unwrap();
            }
            .boxed()
        }),
        ("a forgotten transaction", |connection| {
            async move {
                let mut transaction = connection.begin().await.unwrap();
                send::<D, _>(&mut *transaction, &insert(1)).await.unwrap();
                mem::forget(transaction);
            }
            .boxed()
        }),
        ("a failed transaction", |connection| {
            async move {
                let mut transaction = connection.begin().await.unwrap();
                send::<D, _>(&mut *transaction, &insert(1)).await.unwrap();
                send::<D, _>(&mut *transaction, "SELEC").await.unwrap_err();
                mem::forget(transaction);
            }
            .boxed()
        }),
        ("a BEGIN on the driver's own connection", |connection| {
            async move {
                let driver = connection.driver_connection().await.unwrap();
                let both = format!("BEGIN; {}", insert(1));
                <D::Sqlx as everpool_sqlx::Driver>::run(driver, both)
                    .await
                    .unwrap();
            }
            .boxed()
        }),
    ]
}

async fn what_is_left_open_is_rolled_back<D: Database>() {
    let database = D::start();
    let engine = database.narrow();
    for (way, leave) in ways::<D>() {
        let mut connection = next_user::<D>(&engine, way).await;
        leave(&mut connection).await;
        drop(connection);
        assert_sound::<D>(&engine, way).await;
        assert_eq!(database.committed(1).await, 0, "{}, after {way}", D::NAME);

        let mut connection = next_user::<D>(&engine, way).await;
        leave(&mut connection).await;
        connection.release().await.unwrap();
        assert_eq!(engine.status().idle, 1, "{}, released after {way}", D::NAME);
        assert_sound::<D>(&engine, way).await;
        assert_eq!(database.committed(1).await, 0, "{}, after {way}", D::NAME);
    }
    if let Some(proxy) = database.proxy() {
        assert_eq!(
            proxy.traffic().len(),
            1,
            "{} has kept its connection",
            D::NAME
        );
    }
}

#[tokio::test]
async fn what_is_left_open_is_rolled_back_before_the_next_user() {
    what_is_left_open_is_rolled_back::<Pg>().await;
    what_is_left_open_is_rolled_back::<Maria>().await;
    what_is_left_open_is_rolled_back::<File>().await;
}

/// On the connection, a dropped transaction is over with the next statement, not at the return.
async fn a_dropped_transaction_is_over<D: Database>() {
    let database = D::start();
    let engine = database.narrow();
    let mut connection = engine.connect().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    send::<D, _>(&mut *transaction, &insert(1)).await.unwrap();
    let mut savepoint = transaction.begin().await.unwrap();
    send::<D, _>(&mut *savepoint, &insert(2)).await.unwrap();
    drop(savepoint);
    assert!(!transaction.in_nested_transaction());
    send::<D, _>(&mut *transaction, &insert(3)).await.unwrap();
    transaction.commit().await.unwrap();
    drop(connection.begin().await.unwrap());
    assert!(!connection.in_transaction());
    send::<D, _>(&mut *connection, &insert(4)).await.unwrap();
    let rows = [1, 2, 3, 4].map(|row| database.committed(row));
    let rows = futures_util::future::join_all(rows).await;
    assert_eq!(rows, [1, 0, 1, 1], "{}", D::NAME);
}

#[tokio::test]
async fn a_dropped_transaction_is_over_with_the_next_statement() {
    a_dropped_transaction_is_over::<Pg>().await;
    a_dropped_transaction_is_over::<Maria>().await;
    a_dropped_transaction_is_over::<File>().await;
}

async fn the_option_says_what_becomes_of_a_text_begin<D: Database>() {
    let database = D::start();
    // The last leaves something behind.
    for (how, is_committed) in [
        (ResetOnReturn::Rollback, false),
        (ResetOnReturn::Nothing, false),
        (ResetOnReturn::Commit, true),
    ] {
        let engine = database.engine(narrow().pool_reset_on_return(how));
        let ways = ways::<D>();
        let is_by_text = |way: &str| way.contains("BEGIN");
        for (way, leave) in ways.into_iter().filter(|(way, _)| !is_by_text(way)) {
            let mut connection = next_user::<D>(&engine, way).await;
            leave(&mut connection).await;
            drop(connection);
            assert_sound::<D>(&engine, way).await;
            assert_eq!(
                database.committed(1).await,
                0,
                "{}, {how:?}: {way}",
                D::NAME
            );
        }
        let mut session = Session::begin(&engine).await.unwrap();
        send::<D, _>(&mut session, &insert(1)).await.unwrap();
        drop(session);
        assert_sound::<D>(&engine, "a dropped session").await;

        for (way, leave) in ways.into_iter().filter(|(way, _)| is_by_text(way)) {
            let mut connection = next_user::<D>(&engine, way).await;
            leave(&mut connection).await;
            drop(connection);
            let mut next = next_user::<D>(&engine, way).await;
            let is_left = how == ResetOnReturn::Nothing;
            let inside = is_inside::<D>(&mut next).await;
            assert_eq!(inside, is_left, "{}, {how:?}: {way}", D::NAME);
            let rows = database.committed(1).await;
            assert_eq!(rows > 0, is_committed, "{}, {how:?}: {way}", D::NAME);
            send::<D, _>(&mut *next, "ROLLBACK").await.ok();
        }
    }
}

async fn is_inside<D: Database>(connection: &mut Connection<D::Sqlx>) -> bool {
    !matches!(
        crate::database::ask::<D, _>(connection, D::IS_INSIDE).await,
        Ok(0)
    )
}

#[tokio::test]
async fn the_option_says_what_becomes_of_a_text_begin_and_of_nothing_else() {
    the_option_says_what_becomes_of_a_text_begin::<Pg>().await;
    the_option_says_what_becomes_of_a_text_begin::<Maria>().await;
    the_option_says_what_becomes_of_a_text_begin::<File>().await;
}

async fn what_was_given_up_is_put_in_order<D: Database>() {
    let database = D::start();
    for how in [ResetOnReturn::Nothing, ResetOnReturn::Commit] {
        let engine = database.engine(narrow().pool_reset_on_return(how));
        give_up_in_a_text_begin::<D>(&engine).await;
        assert_sound::<D>(&engine, "a statement that was given up").await;
        assert_eq!(database.committed(1).await, 0, "{}, {how:?}", D::NAME);
    }
}

async fn give_up_in_a_text_begin<D: Database>(engine: &Engine<D::Sqlx>) {
    let mut connection = engine.connect().await.unwrap();
    let both = format!("BEGIN; {}", insert(1));
    send::<D, _>(&mut *connection, &both).await.unwrap();
    let given_up = cut(0, send::<D, _>(&mut *connection, D::SLOW)).await;
    assert!(given_up.is_none());
}

/// Nothing of what a statement was given up in is committed, even where the option says COMMIT.
#[tokio::test]
async fn what_was_given_up_is_put_in_order_whatever_the_option_says() {
    what_was_given_up_is_put_in_order::<Pg>().await;
    what_was_given_up_is_put_in_order::<Maria>().await;
    what_was_given_up_is_put_in_order::<File>().await;
}
