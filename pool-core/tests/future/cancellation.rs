//! Law 5: a slot survives everything. Each place where something is awaited, each outcome it can
//! have, each moment at which the caller may leave.

use std::panic::{AssertUnwindSafe, catch_unwind};

use everpool_core::{
    Options,
    future::{Lease, Pool},
};

use crate::{
    bench::{Bench, Caller, SHORT, pool_of},
    driver::{Act, Driver, Gate, Step, hooked, soil},
};

const SIZE: usize = 2;

/// What is awaited ends like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Ok,
    Err,
    /// Some time after the caller has left.
    Slow,
    Never,
    Panic,
}

/// When the caller's future is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Leaves {
    BeforeItIsPolled,
    BeforeAnythingBegins,
    InTheMiddle,
    /// What it waits for is there, and it was woken.
    BeforeItLooks,
    WithItsAnswer,
}

const OUTCOMES: [Outcome; 5] = [
    Outcome::Ok,
    Outcome::Err,
    Outcome::Slow,
    Outcome::Never,
    Outcome::Panic,
];

const MOMENTS: [Leaves; 5] = [
    Leaves::BeforeItIsPolled,
    Leaves::BeforeAnythingBegins,
    Leaves::InTheMiddle,
    Leaves::BeforeItLooks,
    Leaves::WithItsAnswer,
];

/// A pool with one connection in the test's hands, so that another caller gets the other.
struct Scene {
    pool: Pool<Driver, Bench>,
    bench: Bench,
    held: Lease<Driver, Bench>,
    outcome: Outcome,
}

impl Scene {
    fn new(outcome: Outcome, pings: bool) -> Self {
        let (pool, bench) = pool_of::<true>(SIZE as u32, Driver::default(), |options| {
            options.pre_ping = pings;
            if outcome == Outcome::Never {
                hurry(options);
            }
        });
        hooked(&pool);
        let held = bench.lease(&pool);
        Self {
            pool,
            bench,
            held,
            outcome,
        }
    }

    /// Has a connection at rest; its number.
    fn warm(&self) -> u32 {
        let number = self.bench.lease(&self.pool).number;
        self.bench.run();
        assert_eq!(self.pool.status().idle, 1);
        number
    }

    fn scripted(&self, step: Step) -> Gate {
        let gate = Gate::default();
        let act = match self.outcome {
            Outcome::Ok => Act::Ok,
            Outcome::Err => Act::Fail,
            Outcome::Panic => Act::Panic,
            Outcome::Slow | Outcome::Never => Act::Slow(gate.clone()),
        };
        self.pool.connector().script.will(step, act);
        gate
    }

    fn call(&self) -> Caller<'_> {
        // Nothing else bounds a hook of a checkout.
        let checkout = match self.outcome {
            Outcome::Never => self.pool.checkout_timeout(3 * SHORT),
            _ => self.pool.checkout(),
        };
        self.bench.call(checkout)
    }

    /// Has the caller go as far as it is to go.
    fn leave(&self, mut caller: Caller<'_>, gate: &Gate, leaves: Leaves) {
        if leaves == Leaves::BeforeItIsPolled {
            return;
        }
        let is_over = caller.ask();
        if leaves == Leaves::BeforeAnythingBegins || is_over.is_some() {
            return;
        }
        self.bench.run();
        if leaves == Leaves::InTheMiddle {
            let _answer = caller.ask();
            return;
        }
        if self.outcome == Outcome::Slow {
            // A hook of the checkout is awaited by the caller itself.
            let _answer = caller.ask();
            gate.open();
            self.bench.run();
        }
        if leaves == Leaves::WithItsAnswer {
            // Whatever it is: it is the other tests' to say.
            let _answer = self.bench.finish(caller);
        }
    }

    fn all_is_well(self, gate: &Gate) {
        if self.outcome == Outcome::Slow {
            gate.open();
        }
        self.bench.run();
        // What the script would do to others.
        self.pool.connector().script.forget();
        drop(self.held);
        self.bench.everything_can_be_lent(&self.pool, SIZE);
        let script = &self.pool.connector().script;
        self.bench.until(|| script.open() == SIZE);
        assert_eq!(self.bench.len(), 0, "no work is left");
    }
}

fn hurry(options: &mut Options) {
    options.connect_timeout = SHORT;
    options.ping_timeout = SHORT;
    options.reset_timeout = SHORT;
    options.close_timeout = SHORT;
}

fn each(mut tell: impl FnMut(Outcome, Leaves)) {
    for outcome in OUTCOMES {
        for leaves in MOMENTS {
            let told = catch_unwind(AssertUnwindSafe(|| tell(outcome, leaves)));
            assert!(
                told.is_ok(),
                "{outcome:?}, and the caller leaves {leaves:?}"
            );
        }
    }
}

#[test]
fn law_5_a_caller_may_leave_whatever_becomes_of_the_connect() {
    for step in [Step::Connect, Step::ConnectHook] {
        each(|outcome, leaves| {
            let scene = Scene::new(outcome, false);
            let gate = scene.scripted(step);
            scene.leave(scene.call(), &gate, leaves);
            scene.all_is_well(&gate);
        });
    }
}

#[test]
fn law_5_a_caller_may_leave_whatever_becomes_of_the_hook_of_the_first_connect() {
    each(|outcome, leaves| {
        let (pool, bench) = pool_of::<true>(SIZE as u32, Driver::default(), |options| {
            if outcome == Outcome::Never {
                hurry(options);
            }
        });
        hooked(&pool);
        let gate = Gate::default();
        let act = match outcome {
            Outcome::Ok => Act::Ok,
            Outcome::Err => Act::Fail,
            Outcome::Panic => Act::Panic,
            Outcome::Slow | Outcome::Never => Act::Slow(gate.clone()),
        };
        pool.connector().script.will(Step::FirstConnectHook, act);
        // Two callers: the hooks of the second connection wait for those of the first.
        let mut other = bench.call(pool.checkout());
        assert!(other.ask().is_none());
        let mut caller = bench.call(pool.checkout());
        if leaves > Leaves::BeforeItIsPolled {
            assert!(caller.ask().is_none());
        }
        if leaves > Leaves::BeforeAnythingBegins {
            bench.run();
        }
        if outcome == Outcome::Slow {
            gate.open();
        }
        match leaves {
            Leaves::WithItsAnswer => drop(bench.finish(caller)),
            _ => drop(caller),
        }
        // It, or the one that has left, was told of the failure.
        drop(bench.finish(other));
        pool.connector().script.forget();
        bench.everything_can_be_lent(&pool, SIZE);
        bench.until(|| bench.len() == 0);
    });
}

#[test]
fn law_5_a_caller_may_leave_whatever_becomes_of_the_ping() {
    each(|outcome, leaves| {
        let scene = Scene::new(outcome, true);
        scene.warm();
        let gate = scene.scripted(Step::Ping);
        scene.leave(scene.call(), &gate, leaves);
        scene.all_is_well(&gate);
    });
}

#[test]
fn law_5_a_caller_may_leave_whatever_becomes_of_its_own_hook() {
    each(|outcome, leaves| {
        let scene = Scene::new(outcome, false);
        scene.warm();
        let gate = scene.scripted(Step::CheckoutHook);
        scene.leave(scene.call(), &gate, leaves);
        scene.all_is_well(&gate);
    });
}

#[test]
fn law_5_a_caller_may_leave_whatever_becomes_of_a_return_it_waits_for() {
    for step in [Step::ResetHook, Step::Reset, Step::Finalizer] {
        each(|outcome, leaves| {
            let scene = Scene::new(outcome, false);
            let mut returned = scene.bench.lease(&scene.pool);
            soil(&mut returned);
            let gate = scene.scripted(step);
            // It may begin before the caller comes, or after.
            if leaves == Leaves::InTheMiddle {
                drop(returned);
                scene.leave(scene.call(), &gate, leaves);
            } else {
                let caller = scene.call();
                drop(returned);
                scene.leave(caller, &gate, leaves);
            }
            scene.all_is_well(&gate);
        });
    }
}

#[test]
fn law_5_a_caller_may_leave_whatever_becomes_of_a_checkin_it_waits_for() {
    for outcome in [Outcome::Ok, Outcome::Err, Outcome::Panic] {
        for leaves in MOMENTS {
            let scene = Scene::new(outcome, false);
            let mut returned = scene.bench.lease(&scene.pool);
            soil(&mut returned);
            let gate = scene.scripted(Step::Checkin);
            let caller = scene.call();
            drop(returned);
            scene.leave(caller, &gate, leaves);
            scene.all_is_well(&gate);
        }
    }
}

#[test]
fn law_5_a_caller_may_leave_whatever_becomes_of_a_close_it_waits_for() {
    each(|outcome, leaves| {
        let scene = Scene::new(outcome, false);
        let returned = scene.bench.lease(&scene.pool);
        let gate = scene.scripted(Step::Close);
        let caller = scene.call();
        returned.invalidate(everpool_core::Fault::Connection);
        scene.leave(caller, &gate, leaves);
        scene.all_is_well(&gate);
    });
}

/// How the other user ends whom a caller waits for.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Returns,
    ReturnsItUnfit,
    Unwinds,
    Detaches,
    NotYet,
}

#[test]
fn law_5_a_caller_may_leave_the_queue_at_any_moment() {
    let ends = [
        Ends::Returns,
        Ends::ReturnsItUnfit,
        Ends::Unwinds,
        Ends::Detaches,
        Ends::NotYet,
    ];
    for end in ends {
        for leaves in MOMENTS {
            let scene = Scene::new(Outcome::Ok, false);
            let other = scene.bench.lease(&scene.pool);
            let mut caller = scene.bench.call(match end {
                Ends::NotYet => scene.pool.checkout_timeout(SHORT),
                _ => scene.pool.checkout(),
            });
            if leaves != Leaves::BeforeItIsPolled {
                assert!(caller.ask().is_none());
            }
            let mut caller = Some(caller);
            if leaves <= Leaves::BeforeAnythingBegins {
                caller = None;
            }
            let kept = ended(other, end);
            if leaves == Leaves::InTheMiddle {
                caller = None;
            }
            scene.bench.run();
            if leaves == Leaves::WithItsAnswer {
                let _answer = caller.take().map(|caller| scene.bench.finish(caller));
            }
            drop((caller, kept));
            scene.all_is_well(&Gate::default());
        }
    }
}

fn ended(mut lease: Lease<Driver, Bench>, end: Ends) -> Option<Lease<Driver, Bench>> {
    match end {
        Ends::Returns => drop(lease),
        Ends::ReturnsItUnfit => lease.is_amid = true,
        Ends::Unwinds => {
            let unwound = catch_unwind(AssertUnwindSafe(move || {
                let _lease = lease;
                panic!("the user's own");
            }));
            assert!(unwound.is_err());
        }
        Ends::Detaches => drop(lease.detach()),
        Ends::NotYet => return Some(lease),
    }
    None
}

#[test]
fn law_6_what_a_caller_abandons_in_its_hook_is_never_lent_again() {
    let scene = Scene::new(Outcome::Slow, false);
    let number = scene.warm();
    let gate = scene.scripted(Step::CheckoutHook);
    let mut caller = scene.call();
    assert!(caller.ask().is_none());
    assert!(gate.has_begun());
    drop(caller);
    assert_ne!(scene.bench.lease(&scene.pool).number, number);
    scene.all_is_well(&gate);
}

#[test]
fn law_8_a_caller_that_leaves_cancels_neither_connect_nor_ping() {
    for step in [Step::Connect, Step::ConnectHook, Step::Ping] {
        let scene = Scene::new(Outcome::Slow, step == Step::Ping);
        if step == Step::Ping {
            scene.warm();
        }
        let gate = scene.scripted(step);
        scene.leave(scene.call(), &gate, Leaves::InTheMiddle);
        assert!(gate.has_begun(), "{step:?}");
        gate.open();
        assert_eq!(scene.bench.lease(&scene.pool).number, 2, "{step:?}");
        scene.all_is_well(&gate);
    }
}
