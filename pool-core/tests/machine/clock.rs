//! Who looks at the clock, and when.

use crate::words::*;

/// Counts how often it is looked at.
struct Watch {
    now: Time,
    looks: Cell<u32>,
}

impl Clock for Watch {
    fn now(&self) -> Time {
        self.looks.set(self.looks.get() + 1);
        self.now
    }
}

/// How often a checkout and return of a connection at rest looks at the clock.
fn looks(change: impl FnOnce(&mut Options)) -> (u32, u32) {
    let mut pool = pool_of(change);
    at_rest(&mut pool, [1], at(1_000));
    let watch = Watch {
        now: at(2_000),
        looks: Cell::new(0),
    };
    let Checkout::Lent(entry) = pool.checkout(Borrower::here(), &watch) else {
        panic!("one is at rest");
    };
    let before = watch.looks.take();
    assert!(pool.given_back(entry, Residue::Clean, &watch).is_none());
    (before, watch.looks.get())
}

#[test]
fn a_plain_checkout_and_return_looks_at_no_clock() {
    assert_eq!(looks(|_| {}), (0, 0));
}

#[test]
fn limits_of_age_and_rest_cost_one_look_at_the_clock() {
    let limited = looks(|options| {
        options.recycle = Some(Duration::from_secs(60));
        options.max_idle_time = Some(Duration::from_secs(60));
        options.pre_ping = true;
        options.ping_after_idle = Some(Duration::from_secs(60));
    });
    assert_eq!(limited, (1, 0));
}

#[test]
fn each_option_that_depends_on_time_makes_a_checkout_look_at_the_clock() {
    const AGE: Option<Duration> = Some(Duration::from_secs(60));
    let changes: [fn(&mut Options); 6] = [
        |options| options.recycle = AGE,
        |options| options.max_idle_time = AGE,
        |options| options.keepalive = AGE,
        |options| options.leak_after = AGE,
        |options| options.min_idle = 1,
        |options| (options.pre_ping, options.ping_after_idle) = (true, AGE),
    ];
    for change in changes {
        assert_eq!(looks(change), (1, 0));
    }
    assert_eq!(
        looks(|options| options.ping_after_idle = AGE),
        (0, 0),
        "nothing is pinged"
    );
}

#[test]
fn measuring_use_looks_at_the_clock_twice() {
    assert_eq!(looks(|options| options.measure_use = true), (1, 1));
}

#[test]
fn in_an_outage_a_checkout_looks_at_the_clock_and_after_it_none_does() {
    let mut pool = pool_of(|_| {});
    at_rest(&mut pool, [1], Time::START);
    let out = lent(&mut pool, Time::START);
    let caller = queued(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    transient(&mut pool, permit, Time::START);
    pool.withdraw(&caller, Time::START);
    given_back(&mut pool, out, Time::START);
    let looks = Cell::new(0);
    let clock = || {
        looks.set(looks.get() + 1);
        Time::START
    };
    let use_it = |pool: &mut Pool| match pool.checkout(Borrower::here(), &clock) {
        Checkout::Lent(entry) => given_back(pool, entry, Time::START),
        other => panic!("expected a connection, not {other:?}"),
    };
    use_it(&mut pool);
    assert_eq!(looks.get(), 1);
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 2, Time::START);
    use_it(&mut pool);
    assert_eq!(looks.get(), 1);
}

#[test]
fn with_limits_of_age_the_short_cut_takes_one_look() {
    let mut pool = pool_of(|options| options.recycle = Some(Duration::from_secs(60)));
    at_rest(&mut pool, [1], at(1_000));
    let watch = Watch {
        now: at(2_000),
        looks: Cell::new(0),
    };
    assert!(pool.lend_plainly(Borrower::here()).is_none());
    let entry = pool.lend_by_age(Borrower::here(), &watch);
    assert_eq!(
        (entry.expect("it is young").connection, watch.looks.get()),
        (1, 1)
    );
}
