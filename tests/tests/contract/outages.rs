//! Servers that are away, for a moment or for longer.

use std::{thread, time::Duration};

use everpool_core::CheckoutError;
use everpool_engine::EngineOptions;

use crate::{
    adapter::{Connection, Engine, Statements},
    database::{Server, fill, on_each_server, until},
};

#[test]
fn pre_ping_replaces_a_connection_that_died_in_the_pool() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.engine::<E>(EngineOptions::builder().pool_pre_ping(true));
        fill::<E, D>(&engine, 3);
        server.stop();
        server.start_again();
        assert_eq!(engine.connect().unwrap().one().unwrap(), 1);

        fill::<E, D>(&engine, 3);
        server.kill();
        server.start_again();
        assert_eq!(engine.connect().unwrap().one().unwrap(), 1);

        fill::<E, D>(&engine, 3);
        server.end_sessions();
        assert_eq!(engine.connect().unwrap().one().unwrap(), 1);
    }
}

#[test]
fn a_server_that_was_killed_is_a_disconnect_and_the_next_statement_meets_the_new_one() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.default_engine::<E>();
        let mut connection = engine.connect().unwrap();
        assert_eq!(connection.one().unwrap(), 1);
        server.kill();
        server.start_again();

        connection.one().unwrap_err();
        assert!(connection.invalidated());
        assert_eq!(connection.one().unwrap(), 1);
    }
}

#[test]
fn callers_wait_through_a_restart() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.default_engine::<E>();
        fill::<E, D>(&engine, 2);
        server.stop();
        engine.dispose();

        thread::scope(|scope| {
            let waiting: Vec<_> = (0..3)
                .map(|_| scope.spawn(|| engine.connect().unwrap().one().unwrap()))
                .collect();
            until("three callers wait", || engine.status().waiting == 3);
            server.start_again();
            for caller in waiting {
                assert_eq!(caller.join().unwrap(), 1);
            }
        });
    }
}

#[test]
fn after_the_grace_callers_are_told_the_real_error_and_recovery_is_noticed() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let grace = Duration::from_millis(50);
        let engine = server.engine::<E>(EngineOptions::builder().pool_outage_grace(grace));
        server.stop();

        for _ in 0..2 {
            let told = engine.connect().unwrap_err();
            assert!(matches!(told, CheckoutError::Outage(_)), "{told:?}");
            let told = told.to_string();
            assert!(
                D::REFUSED.iter().any(|words| told.contains(words)),
                "{told}"
            );
        }

        server.start_again();
        until("the engine lends again", || engine.connect().is_ok());
    }
}

#[test]
fn what_trying_again_cannot_mend_is_told_at_once_and_without_the_password() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let url = server.url_to_nowhere("s3cret-Pw");
        let engine = E::create(&url, EngineOptions::default());

        let told = engine.connect().unwrap_err();
        assert!(matches!(told, CheckoutError::Connect(_)), "{told:?}");
        let told = format!("{told} {told:?} {engine:?}");
        assert!(told.contains(D::UNKNOWN_DATABASE), "{told}");
        assert!(!told.contains("s3cret-Pw"), "{told}");
    }
}

#[test]
fn a_frozen_server_costs_callers_their_pool_timeout_and_is_back_when_it_thaws() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let options = EngineOptions::builder().pool_timeout(Duration::from_millis(300));
        let engine = server.engine::<E>(options);
        let mut held = None;
        until("a first connection", || {
            held = engine.connect().ok();
            held.is_some()
        });
        server.freeze();

        let told = engine.connect().unwrap_err();
        assert!(matches!(told, CheckoutError::TimedOut(_)), "{told:?}");
        server.thaw();
        until("the engine lends again", || {
            engine
                .connect()
                .is_ok_and(|mut lent| matches!(lent.one(), Ok(1)))
        });
    }
}
