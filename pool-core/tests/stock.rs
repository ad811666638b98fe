//! Waiting for what `min_idle` opens ahead, and taking what is there untested, as a thread does it.

use std::{thread, time::Duration};

use everpool_core::{HookError, Options, blocking::Pool};

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use support::{Act, Method, Scripted, block};

const PATIENCE: Duration = Duration::from_secs(20);

fn pool_of(scripted: Scripted, change: impl FnOnce(&mut Options)) -> Pool<Scripted> {
    let mut options = Options::default();
    change(&mut options);
    Pool::new(scripted, options).expect("the options are valid")
}

#[test]
fn a_pool_can_be_waited_for_until_it_has_what_it_is_to_keep() {
    let scripted = Scripted::default();
    let (act, blocked) = block();
    scripted.will(Method::Connect, act);
    let pool = pool_of(scripted, |options| options.min_idle = 3);
    blocked.wait_until_begun();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| pool.wait_for_min_idle(PATIENCE));
        blocked.release();
        assert!(waiter.join().expect("it does not panic"));
    });
    assert_eq!(pool.status().idle, 3);
}

#[test]
fn a_wait_for_what_is_to_be_kept_goes_on_over_an_outage() {
    let scripted = Scripted::away();
    for _ in 0..5 {
        scripted.will(Method::Connect, Act::Fail);
    }
    let pool = pool_of(scripted, |options| options.min_idle = 2);
    assert!(pool.wait_for_min_idle(PATIENCE));
    assert_eq!(pool.status().idle, 2);
}

#[test]
fn a_wait_for_what_is_to_be_kept_ends_with_its_time() {
    let scripted = Scripted::default();
    let (act, blocked) = block();
    scripted.will(Method::Connect, act);
    let pool = pool_of(scripted, |options| options.min_idle = 1);
    blocked.wait_until_begun();
    assert!(!pool.wait_for_min_idle(Duration::from_millis(20)));
    blocked.release();
    assert!(pool.wait_for_min_idle(PATIENCE));
}

#[test]
fn what_is_due_for_a_ping_is_had_without_one_or_not_at_all() {
    let pool = pool_of(Scripted::default(), |options| options.pre_ping = true);
    assert!(pool.try_checkout_untested().is_none(), "nothing is open");
    drop(pool.checkout().expect("one is opened"));
    assert!(pool.try_checkout().is_none(), "it is to be pinged");
    let lease = pool.try_checkout_untested().expect("one rests");
    assert_eq!(lease.number, 1);
    drop(lease);
    assert_eq!(pool.connector().calls(Method::Ping), 0);
    pool.events()
        .checkout(|_, _| Err(HookError::Failed("no".into())));
    assert!(
        pool.try_checkout_untested().is_none(),
        "a hook is to be asked"
    );
}
