//! A connection may be dropped anywhere.

use std::time::Duration;

use everpool_sqlx::{Engine, PoolConnection};
use tokio::runtime::{Builder, Runtime};

use crate::{
    cut::cut,
    database::{Database, File, Maria, Pg, assert_sound, insert, send},
};

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// A connection with a transaction open by text, and one in whose middle a statement was given up.
async fn left_behind<D: Database>(engine: &Engine<D::Sqlx>) -> [PoolConnection<D::Sqlx>; 2] {
    let mut open = engine.connect().await.unwrap();
    let both = format!("BEGIN; {}", insert(1));
    send::<D, _>(&mut *open, &both).await.unwrap();
    let mut given_up = engine.connect().await.unwrap();
    assert!(
        cut(0, send::<D, _>(&mut *given_up, D::SLOW))
            .await
            .is_none()
    );
    [open, given_up]
}

fn drops_are_safe_anywhere<D: Database>() {
    let database = D::start();
    let options = everpool_sqlx::EngineOptions::builder();
    let engine = database.engine(options.pool_size(2).max_overflow(0));

    // Outside of any runtime, while theirs goes on.
    let one = runtime();
    let left = one.block_on(left_behind::<D>(&engine));
    drop(left);
    one.block_on(assert_sound::<D>(&engine, "a drop outside of a runtime"));

    // While unwinding, outside of any runtime.
    let left = one.block_on(left_behind::<D>(&engine));
    let unwinding = std::thread::spawn(move || {
        let _left = left;
        std::panic::resume_unwind(Box::new("the program's own"));
    });
    assert!(unwinding.join().is_err());
    one.block_on(assert_sound::<D>(&engine, "a drop while unwinding"));

    // By a task that is dropped with its runtime.
    let (held, is_held) = std::sync::mpsc::channel();
    let its_engine = engine.clone();
    one.spawn(async move {
        let _left = left_behind::<D>(&its_engine).await;
        held.send(()).unwrap();
        std::future::pending::<()>().await;
    });
    is_held.recv().unwrap();
    one.shutdown_timeout(Duration::from_secs(10));
    let other = runtime();
    other.block_on(assert_sound::<D>(&engine, "a drop by a dying runtime"));

    // After its runtime was shut down.
    let left = other.block_on(left_behind::<D>(&engine));
    drop(other);
    drop(left);
    let last = runtime();
    last.block_on(assert_sound::<D>(&engine, "a drop after the runtime"));
    assert_eq!(last.block_on(database.committed(1)), 0, "{}", D::NAME);
}

#[test]
fn a_connection_is_dropped_outside_of_a_runtime_while_unwinding_and_with_its_runtime() {
    drops_are_safe_anywhere::<Pg>();
    drops_are_safe_anywhere::<Maria>();
    drops_are_safe_anywhere::<File>();
}
