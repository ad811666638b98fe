//! Hooks that talk to an async driver, in both faces.

use std::{future::poll_fn, sync::mpsc::channel, task::Poll, thread, time::Duration};

use everpool_core::{CheckoutError, ConnectFailure, HookError, Phase, Residue, Threads, future};

use crate::{
    diary::{Diary, Pool, Refused, Told, block_on, lease, pool, refused, settled},
    support::Failed,
};

/// Lets others run once.
async fn pause() {
    let mut is_over = false;
    poll_fn(|context| {
        if is_over {
            return Poll::Ready(());
        }
        is_over = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Never ready.
async fn stuck() {
    std::future::pending::<()>().await;
}

fn for_tasks(pool: &Pool) -> future::Pool<Told, Threads> {
    pool.for_tasks().expect("a queue is for tasks too")
}

/// All events that may be awaited, written down after a pause.
fn listen(pool: &Pool) -> Diary {
    let diary = pool.connector().diary.clone();
    let [first, connect, checkout, reset] = std::array::from_fn(|_| diary.clone());
    let checkin = diary.clone();
    pool.events()
        .first_connect_async(move |connection, _| {
            let diary = first.clone();
            Box::pin(async move {
                pause().await;
                diary.write(format_args!("first_connect {}", connection.number));
                Ok(())
            })
        })
        .connect_async(move |connection, record| {
            let diary = connect.clone();
            Box::pin(async move {
                pause().await;
                record.info.insert(connection.number);
                diary.write(format_args!("connect {}", connection.number));
                Ok(())
            })
        })
        .checkout_async(move |connection, record| {
            let diary = checkout.clone();
            Box::pin(async move {
                pause().await;
                assert_eq!(record.info.get(), Some(&connection.number));
                diary.write(format_args!("checkout {}", connection.number));
                Ok(())
            })
        })
        .reset_async(move |connection, record, state| {
            let diary = reset.clone();
            Box::pin(async move {
                pause().await;
                let whose = if record.is_some() { "" } else { " of nobody" };
                let clean = if state.transaction_was_reset {
                    ", clean"
                } else {
                    ""
                };
                diary.write(format_args!("reset {}{whose}{clean}", connection.number));
                Ok(())
            })
        })
        .checkin(move |connection, _| {
            match connection {
                Some(connection) => checkin.write(format_args!("checkin {}", connection.number)),
                None => checkin.write("checkin -"),
            }
            Ok(())
        });
    diary
}

const ARRIVAL: [&str; 4] = [
    "driver: connect 1",
    "first_connect 1",
    "connect 1",
    "checkout 1",
];

#[test]
fn a_thread_waits_for_hooks_that_wait() {
    let pool = pool();
    let diary = listen(&pool);
    let mut out = lease(&pool);
    assert_eq!(diary.all(), ARRIVAL);
    let told = diary.clone();
    out.at_return_async(move |_| {
        Box::pin(async move {
            pause().await;
            told.write("undone");
            Ok(())
        })
    });
    out.residue = Residue::Open;
    drop(out);
    assert_eq!(
        diary.all(),
        ["reset 1", "driver: Rollback 1", "undone", "checkin 1"]
    );
    assert_eq!(pool.status().idle, 1, "the drop waited for all of it");
    drop(lease(&pool));
    assert_eq!(diary.all(), ["checkout 1", "reset 1, clean", "checkin 1"]);
}

#[test]
fn a_task_waits_for_hooks_that_wait() {
    let pool = pool();
    let diary = listen(&pool);
    let tasks = for_tasks(&pool);
    block_on(async {
        let mut out = tasks.checkout().await.expect("there is a connection");
        assert_eq!(diary.all(), ARRIVAL);
        let told = diary.clone();
        out.at_return_async(move |_| {
            Box::pin(async move {
                pause().await;
                told.write("undone");
                Ok(())
            })
        });
        drop(out);
        let next = tasks.checkout().await.expect("it comes back");
        assert_eq!(next.number, 1);
    });
    settled(&pool);
    let expected = [
        "reset 1, clean",
        "undone",
        "checkin 1",
        "checkout 1",
        "reset 1, clean",
        "checkin 1",
    ];
    assert_eq!(diary.all(), expected);
}

#[test]
fn a_lease_that_a_task_drops_is_reset_and_checked_in_and_survives() {
    let pool = pool();
    let diary = pool.connector().diary.clone();
    crate::diary::listen(&pool.events(), &diary);
    let tasks = for_tasks(&pool);
    let mut out = block_on(tasks.checkout()).expect("there is a connection");
    out.residue = Residue::Open;
    diary.all();
    drop(out);
    settled(&pool);
    assert_eq!(diary.all(), ["reset 1", "driver: Rollback 1", "checkin 1"]);
    let again = block_on(tasks.checkout()).expect("there is a connection");
    assert_eq!(again.number, 1);
}

#[test]
fn a_task_is_told_what_its_hooks_refuse() {
    let pool = pool();
    let tasks = for_tasks(&pool);
    pool.events().connect_async(|connection, _| {
        Box::pin(async move {
            pause().await;
            match connection.number {
                1 => Err(Failed.into()),
                _ => Ok(()),
            }
        })
    });
    pool.events().checkout_async(|connection, _| {
        Box::pin(async move {
            pause().await;
            match connection.number {
                2 => Err(Failed.into()),
                3 | 4 => Err(HookError::Disconnection("lost".into())),
                _ => Ok(()),
            }
        })
    });
    let told = || block_on(tasks.checkout()).map(drop);
    match told() {
        Err(CheckoutError::Connect(failure)) => {
            assert!(matches!(*failure, ConnectFailure::Hook(_)), "{failure}");
        }
        other => panic!("expected the connect hook's refusal, not {other:?}"),
    }
    assert!(matches!(told(), Err(CheckoutError::Hook(_))));
    assert!(matches!(told(), Err(CheckoutError::Rejected(_))));
    assert!(told().is_ok());
    settled(&pool);
    assert_eq!(pool.status().idle, 1);
}

#[test]
fn a_hook_that_waits_and_panics_costs_its_connection_only() {
    let pool = pool();
    pool.events().reset_async(|connection, _, _| {
        Box::pin(async move {
            pause().await;
            assert_ne!(connection.number, 1, "the first one panics");
            Ok(())
        })
    });
    drop(lease(&pool));
    settled(&pool);
    assert_eq!(lease(&pool).number, 2);
}

#[test]
fn a_checkout_hook_that_waits_for_ever_ends_with_the_deadline() {
    let pool = pool();
    drop(lease(&pool));
    pool.events().checkout_async(|connection, _| {
        Box::pin(async move {
            if connection.number == 1 {
                stuck().await;
            }
            Ok(())
        })
    });
    match pool.checkout_timeout(Duration::from_millis(20)) {
        Err(Refused::TimedOut(timed_out)) => assert_eq!(timed_out.phase, Phase::Hook),
        other => panic!("expected a timeout, not {other:?}"),
    }
    assert_eq!(
        lease(&pool).number,
        2,
        "nobody knows what was done with the first"
    );
}

#[test]
fn a_checkout_that_is_dropped_in_its_hook_costs_its_connection_and_no_slot() {
    let pool = pool();
    drop(lease(&pool));
    let (says_begun, begun) = channel();
    pool.events().checkout_async(move |connection, _| {
        let says_begun = says_begun.clone();
        Box::pin(async move {
            if connection.number == 1 {
                // The test may have ended.
                let _nobody_listens = says_begun.send(());
                stuck().await;
            }
            Ok(())
        })
    });
    let diary = pool.connector().diary.clone();
    crate::diary::listen(&pool.events(), &diary);
    let tasks = for_tasks(&pool);
    let mut checkout = Box::pin(tasks.checkout());
    block_on(poll_fn(|context| {
        assert!(checkout.as_mut().poll(context).is_pending());
        Poll::Ready(())
    }));
    begun.recv().expect("the hook has begun");
    diary.all();
    drop(checkout);
    settled(&pool);
    assert_eq!(diary.events(), ["invalidate 1: -", "close 1", "checkin -"]);
    assert_eq!(lease(&pool).number, 2);
}

#[test]
fn a_return_whose_hook_waits_for_ever_ends_with_the_reset_timeout() {
    let pool = crate::diary::pool_with(|options| options.reset_timeout = Duration::from_millis(20));
    pool.events().reset_async(|connection, _, _| {
        Box::pin(async move {
            if connection.number == 1 {
                stuck().await;
            }
            Ok(())
        })
    });
    drop(lease(&pool));
    assert_eq!(lease(&pool).number, 2);
    pool.connector().diary.wait_for("driver: close 1");
}

#[test]
fn a_connect_whose_hook_waits_for_ever_ends_with_the_connect_timeout() {
    let pool =
        crate::diary::pool_with(|options| options.connect_timeout = Duration::from_millis(20));
    pool.events().connect_async(|connection, _| {
        Box::pin(async move {
            if connection.number == 1 {
                stuck().await;
            }
            Ok(())
        })
    });
    let out = lease(&pool);
    assert_ne!(
        out.number, 1,
        "the caller waits through it, as through an outage"
    );
}

#[test]
fn what_is_detached_waits_for_its_hooks_too() {
    let pool = pool();
    let diary = listen(&pool);
    let detached = lease(&pool).detach();
    diary.all();
    drop(detached);
    diary.wait_for("driver: close 1");
    assert_eq!(diary.events(), ["reset 1 of nobody"]);
}

#[test]
fn a_refused_first_connect_that_waits_is_tried_again() {
    let pool = pool();
    pool.events().first_connect_async(|connection, _| {
        Box::pin(async move {
            pause().await;
            match connection.number {
                1 => Err(Failed.into()),
                _ => Ok(()),
            }
        })
    });
    assert!(matches!(refused(&pool), Refused::Connect(_)));
    assert_eq!(lease(&pool).number, 2);
}

#[test]
fn hooks_of_two_tasks_wait_side_by_side() {
    let pool = crate::diary::pool_with(|options| {
        options.capacity = everpool_core::Capacity::Bounded {
            size: 2,
            overflow: 0,
        };
    });
    let diary = listen(&pool);
    let tasks = for_tasks(&pool);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| drop(block_on(tasks.checkout()).expect("there is a connection")));
        }
    });
    settled(&pool);
    let checkins = diary
        .events()
        .iter()
        .filter(|event| event.starts_with("checkin "))
        .count();
    assert_eq!(checkins, 2);
}

#[test]
fn what_waited_once_is_not_waited_for_again() {
    let pool = pool();
    let (says, told) = channel();
    pool.events()
        .checkin(move |_, _| Ok(says.send(thread::current().id())?));
    let me = thread::current().id();
    drop(lease(&pool));
    assert_eq!(told.recv(), Ok(me));
    lease(&pool).at_return_async(|_| Box::pin(async { Ok(()) }));
    assert!(told.recv().is_ok_and(|there| there != me));
    drop(lease(&pool));
    assert_eq!(
        told.recv(),
        Ok(me),
        "a return that waits for nothing goes nowhere"
    );
}

#[test]
fn a_try_takes_nothing_that_a_hook_is_to_be_asked_of() {
    let pool = pool();
    drop(lease(&pool));
    assert!(pool.try_checkout().is_some());
    pool.events()
        .checkout_async(|_, _| Box::pin(async { Ok(()) }));
    assert!(pool.try_checkout().is_none());
    assert_eq!(pool.status().idle, 1);
}
