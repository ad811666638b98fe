//! Hooks that fail or panic: who is told, and what it costs.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use everpool_core::{Capacity, ConnectFailure, Fault, HookError, Residue};

use crate::{
    diary::{
        Diary, Pool, Refused, Told, heard, lease, listen, pool, pool_over, pool_with, refused,
        settled,
    },
    support::{Act, Failed, Method, Scripted},
};

/// Fails or panics, for as many times as the test says.
#[derive(Clone, Default)]
struct Moody(Arc<AtomicUsize>);

#[derive(Clone, Copy, Debug)]
enum Mood {
    Fails,
    Panics,
}

const MOODS: [Mood; 2] = [Mood::Fails, Mood::Panics];

impl Moody {
    fn times(times: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(times)))
    }

    fn is_bad(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }

    fn answer(&self, mood: Mood) -> Result<(), HookError> {
        if !self.is_bad() {
            return Ok(());
        }
        match mood {
            Mood::Fails => Err(Failed.into()),
            Mood::Panics => panic!("the hook panics as told"),
        }
    }
}

fn everything_is_as_before(pool: &Pool) {
    settled(pool);
    let again = lease(pool);
    let status = pool.status();
    assert_eq!((status.checked_out, status.overflow), (1, 0), "{status:?}");
    drop(again);
    settled(pool);
    let status = pool.status();
    assert_eq!((status.idle, status.abandoned), (1, 0), "{status:?}");
}

/// A pool of which `register` has one hook that is in this mood once, before the diary's.
fn moody(mood: Mood, register: impl FnOnce(&Pool, Moody, Mood)) -> (Pool, Diary) {
    let pool = pool();
    register(&pool, Moody::times(1), mood);
    let diary = pool.connector().diary.clone();
    listen(&pool.events(), &diary);
    (pool, diary)
}

#[test]
fn a_connect_hook_that_fails_is_told_and_the_connection_closed() {
    for mood in MOODS {
        let (pool, diary) = moody(mood, |pool, moody, mood| {
            pool.events().connect(move |_, _| moody.answer(mood));
        });
        let failure = match refused(&pool) {
            Refused::Connect(failure) => failure,
            other => panic!("expected the hook's refusal, not {other:?}"),
        };
        let ConnectFailure::Hook(error) = &*failure else {
            panic!("{mood:?}: {failure:?}");
        };
        let expected = match mood {
            Mood::Fails => "the script says no",
            Mood::Panics => "a hook panicked: the hook panics as told",
        };
        assert_eq!(error.to_string(), expected);
        settled(&pool);
        let expected = ["driver: connect 1", "first_connect 1", "driver: close 1"];
        assert_eq!(diary.all(), expected, "{mood:?}");
        everything_is_as_before(&pool);
    }
}

#[test]
fn a_checkout_hook_that_fails_is_told_and_costs_its_connection() {
    for mood in MOODS {
        let (pool, diary) = moody(mood, |pool, moody, mood| {
            pool.events().checkout(move |_, _| moody.answer(mood));
        });
        let error = refused(&pool);
        let expected = match mood {
            Mood::Fails => "the script says no",
            Mood::Panics => "a hook panicked: the hook panics as told",
        };
        assert!(matches!(error, Refused::Hook(_)), "{error:?}");
        assert_eq!(
            error.to_string(),
            format!("a hook refused the connection: {expected}")
        );
        settled(&pool);
        let told = [
            "first_connect 1".into(),
            "connect 1".into(),
            format!("invalidate 1: {expected}"),
            "close 1".into(),
            "checkin -".into(),
        ];
        assert_eq!(diary.events(), told, "{mood:?}");
        everything_is_as_before(&pool);
    }
}

#[test]
fn a_checkout_hooks_own_error_can_be_recognized_by_the_caller() {
    let pool = pool();
    pool.events().checkout(|_, _| Err(Failed.into()));
    let Refused::Hook(error) = refused(&pool) else {
        panic!("the hook refuses");
    };
    assert!(error.downcast_ref::<Failed>().is_some());
}

#[test]
fn a_connection_that_a_checkout_hook_calls_lost_is_replaced() {
    let pool = pool();
    let moody = Moody::times(0);
    let told = moody.clone();
    pool.events().checkout(move |_, _| match told.is_bad() {
        true => Err(HookError::Disconnection("stale".into())),
        false => Ok(()),
    });
    let diary = pool.connector().diary.clone();
    listen(&pool.events(), &diary);
    let mut out = lease(&pool);
    out.residue = Residue::Open;
    drop(out);
    diary.all();
    moody.0.store(1, Ordering::Relaxed);
    let out = lease(&pool);
    assert_eq!(out.number, 2);
    let expected = [
        "invalidate 1: stale",
        "close 1",
        "driver: close 1",
        "driver: connect 2",
        "connect 2",
        "checkout 2",
    ];
    assert_eq!(diary.all(), expected);
    drop(out);
    assert_eq!(diary.events(), ["reset 2, clean", "checkin 2"]);
}

#[test]
fn two_connections_that_hooks_call_lost_are_enough() {
    let pool = pool();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    pool.events().checkout(move |_, _| {
        let call = counted.fetch_add(1, Ordering::Relaxed) + 1;
        Err(HookError::Disconnection(format!("lost {call}").into()))
    });
    let error = refused(&pool);
    assert!(matches!(error, Refused::Rejected(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        "this connection is closed: a hook refused two in turn; the last because of: lost 2"
    );
    assert_eq!(
        error.source().map(ToString::to_string).as_deref(),
        Some("lost 2")
    );
    settled(&pool);
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    assert_eq!(
        pool.status().to_string(),
        pool_with(|_| {}).status().to_string(),
        "no slot is lost"
    );
    assert_eq!(pool.connector().scripted.calls(Method::Close), 2);
}

#[test]
fn after_one_refusal_the_remaining_hooks_are_not_called_and_then_all() {
    let pool = pool();
    let diary = Diary::default();
    let (one, two) = (diary.clone(), diary.clone());
    let moody = Moody::times(1);
    pool.events().checkout(move |connection, _| {
        one.write(format_args!("one {}", connection.number));
        match moody.is_bad() {
            true => Err(HookError::Disconnection("stale".into())),
            false => Ok(()),
        }
    });
    pool.events().checkout(move |connection, _| {
        two.write(format_args!("two {}", connection.number));
        Ok(())
    });
    drop(lease(&pool));
    assert_eq!(diary.all(), ["one 1", "one 2", "two 2"]);
}

#[test]
fn a_hook_that_suspects_the_server_condemns_the_generation() {
    let pool = pool_with(|options| {
        options.capacity = Capacity::Bounded {
            size: 2,
            overflow: 0,
        };
    });
    let moody = Moody::times(0);
    let told = moody.clone();
    pool.events().checkout(move |_, _| match told.is_bad() {
        true => Err(HookError::InvalidatePool("failed over".into())),
        false => Ok(()),
    });
    drop((lease(&pool), lease(&pool)));
    let both = (lease(&pool), lease(&pool));
    let generation = both.0.generation();
    drop(both);
    moody.0.store(1, Ordering::Relaxed);
    let out = lease(&pool);
    assert!(out.generation() > generation);
    assert_eq!(out.number, 3);
    drop(out);
    settled(&pool);
    assert_eq!(
        pool.connector().scripted.calls(Method::Close),
        2,
        "the other was closed too"
    );
}

#[test]
fn a_hook_of_a_return_that_suspects_the_server_condemns_the_generation() {
    let pool = pool();
    pool.events()
        .reset(|_, _, _| Err(HookError::InvalidatePool("failed over".into())));
    let out = lease(&pool);
    let generation = out.generation();
    drop(out);
    assert!(lease(&pool).generation() > generation);
}

#[test]
fn while_the_server_is_down_a_refusing_checkout_hook_costs_no_slot() {
    let pool = pool_over(Told::default(), |options| {
        options.capacity = Capacity::Bounded {
            size: 1,
            overflow: 1,
        };
    });
    let moody = Moody::times(0);
    let told = moody.clone();
    pool.events().checkout(move |_, _| match told.is_bad() {
        true => Err(HookError::Disconnection("stale".into())),
        false => Ok(()),
    });
    drop(lease(&pool));
    moody.0.store(1, Ordering::Relaxed);
    for _ in 0..3 {
        pool.connector().will(Method::Connect, Act::Fail);
        assert_eq!(
            refused(&pool).to_string(),
            "cannot connect: the script says no"
        );
    }
    let both = (lease(&pool), lease(&pool));
    assert_eq!(pool.status().checked_out, 2);
    drop(both);
}

#[test]
fn a_reset_hook_that_fails_costs_the_connection_and_nobody_is_told() {
    for mood in MOODS {
        let (pool, diary) = moody(mood, |pool, moody, mood| {
            pool.events().reset(move |_, _, _| moody.answer(mood));
        });
        drop(lease(&pool));
        settled(&pool);
        let reason = match mood {
            Mood::Fails => "the script says no",
            Mood::Panics => "a hook panicked: the hook panics as told",
        };
        let told = [
            format!("invalidate 1: {reason}"),
            "close 1".into(),
            "checkin -".into(),
        ];
        assert_eq!(diary.events()[3..], told, "{mood:?}");
        everything_is_as_before(&pool);
    }
}

#[test]
fn a_checkin_hook_that_fails_costs_the_connection_and_is_told_of_one_return() {
    for mood in MOODS {
        let pool = pool();
        let diary = Diary::default();
        listen(&pool.events(), &diary);
        let moody = Moody::times(1);
        pool.events().checkin(move |_, _| moody.answer(mood));
        drop(lease(&pool));
        settled(&pool);
        let events = diary.events();
        assert_eq!(events[3..5], ["reset 1, clean", "checkin 1"]);
        assert!(events[5].starts_with("invalidate 1: "), "{events:?}");
        assert_eq!(
            events[6..],
            ["close 1"],
            "{mood:?}: the return was told already"
        );
        everything_is_as_before(&pool);
    }
}

#[test]
fn a_notice_hook_that_panics_is_in_nobodys_way() {
    type Register = fn(&Pool, Moody);
    let registers: [Register; 4] = [
        |pool, moody| {
            pool.events()
                .invalidate(move |_, _, _| assert!(!moody.is_bad(), "invalidate"));
        },
        |pool, moody| {
            pool.events()
                .soft_invalidate(move |_, _, _| assert!(!moody.is_bad(), "soft"));
        },
        |pool, moody| {
            pool.events()
                .close(move |_, _| assert!(!moody.is_bad(), "close"));
        },
        |pool, moody| {
            pool.events().checkin(move |connection, _| {
                assert!(connection.is_some() || !moody.is_bad(), "checkin");
                Ok(())
            });
        },
    ];
    for register in registers {
        let pool = pool();
        let moody = Moody::times(1);
        register(&pool, moody.clone());
        let mut out = lease(&pool);
        out.invalidate_soft();
        out.invalidate(Fault::Connection);
        settled(&pool);
        assert_eq!(moody.0.load(Ordering::Relaxed), 0, "the hook was called");
        assert_eq!(pool.connector().scripted.calls(Method::Close), 1);
        everything_is_as_before(&pool);
    }
}

#[test]
fn hooks_of_what_is_detached_that_panic_keep_it_from_nothing() {
    type Register = fn(&Pool, Moody);
    let registers: [Register; 3] = [
        |pool, moody| {
            pool.events()
                .detach(move |_, _| assert!(!moody.is_bad(), "detach"));
        },
        |pool, moody| {
            pool.events().reset(move |_, record, _| {
                assert!(record.is_some() || !moody.is_bad(), "reset");
                Ok(())
            });
        },
        |pool, moody| {
            pool.events()
                .close_detached(move |_| assert!(!moody.is_bad(), "close_detached"));
        },
    ];
    for register in registers {
        let pool = pool();
        let moody = Moody::times(1);
        register(&pool, moody.clone());
        drop(lease(&pool).detach());
        pool.connector().diary.wait_for("driver: close 1");
        assert_eq!(moody.0.load(Ordering::Relaxed), 0, "the hook was called");
        everything_is_as_before(&pool);
    }
}

#[test]
fn a_hook_that_panics_while_unwinding_does_not_abort() {
    let pool = pool();
    let moody = Moody::times(1);
    pool.events()
        .checkin(move |_, _| moody.answer(Mood::Panics));
    let out = lease(&pool);
    let unwound = thread::scope(|scope| {
        let user = scope.spawn(move || {
            let _held = out;
            panic!("the user's own");
        });
        user.join()
    });
    assert!(unwound.is_err());
    everything_is_as_before(&pool);
}

#[test]
fn who_waits_is_served_when_a_hook_fails() {
    let (pool, _diary) = heard(|_| {});
    let moody = Moody::times(1);
    pool.events().checkin(move |_, _| moody.answer(Mood::Fails));
    let out = lease(&pool);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| lease(&pool).number);
        while pool.status().waiting == 0 {
            thread::yield_now();
        }
        drop(out);
        assert_eq!(waiter.join().expect("it is served"), 2);
    });
}

#[test]
fn a_transient_outage_is_not_made_of_a_hooks_refusal() {
    let pool = pool_over(Told::with(Scripted::away()), |_| {});
    pool.events().connect(|_, _| Err("never".into()));
    let error = refused(&pool);
    assert!(
        matches!(error, Refused::Connect(_)),
        "at once, not after the grace: {error:?}"
    );
}
