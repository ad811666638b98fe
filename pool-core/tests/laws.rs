//! The laws of the machine, each on all short stories: every sequence of events of a tiny pool.
//! Long for one file, because the laws are read together.

use std::time::Duration;

use everpool_core::machine::{Capacity, ConnectFault, Fault, Options, Refusal, Residue, Status};

#[path = "support/world.rs"]
mod world;

use world::{Answer, Event, World};

const RECYCLE: Duration = Duration::from_secs(60);
/// How many events follow each beginning.
const DEPTH: usize = 5;

/// A law is asked after every event of every story; it sees the world before and after.
type Law = fn(&World, &World);

/// Unwinding from a broken law, tells its story backwards.
struct Told(Event);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("  after {:?}", self.0);
        }
    }
}

fn holds_in_all_short_stories(law: Law) {
    for (pool, options) in tiny_pools() {
        for beginning in beginnings(&options) {
            let told = Beginning(pool, beginning);
            let world = World::after(options.clone(), beginning);
            every_story(&world, DEPTH, law);
            drop(told);
        }
    }
}

struct Beginning(&'static str, &'static [Event]);

impl Drop for Beginning {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in a pool that is {}, after {:?}", self.0, self.1);
        }
    }
}

fn every_story(before: &World, depth: usize, law: Law) {
    for event in before.possible() {
        let told = Told(event);
        let mut after = before.clone();
        after.apply(event);
        law(before, &after);
        if depth > 1 {
            every_story(&after, depth - 1, law);
        }
        drop(told);
    }
}

fn bounded(size: u32, overflow: u32) -> Options {
    let mut options = Options::default();
    options.capacity = Capacity::Bounded { size, overflow };
    options
}

fn tiny_pools() -> Vec<(&'static str, Options)> {
    let with = |size, overflow, change: fn(&mut Options)| {
        let mut options = bounded(size, overflow);
        change(&mut options);
        options
    };
    vec![
        ("1+1", bounded(1, 1)),
        (
            "2+0, lifo, recycling",
            with(2, 0, |options| {
                (options.use_lifo, options.recycle) = (true, Some(RECYCLE));
            }),
        ),
        (
            "1+1, pinging",
            with(1, 1, |options| options.pre_ping = true),
        ),
        (
            "1+0, pinging, recycling",
            with(1, 0, |options| {
                (options.pre_ping, options.recycle) = (true, Some(RECYCLE));
            }),
        ),
        ("0+1", bounded(0, 1)),
    ]
}

/// Stories worth continuing: nothing open; all in use; one at rest; an outage. Those of two
/// connections need a pool of two.
fn beginnings(options: &Options) -> Vec<&'static [Event]> {
    use Event::{Checkout, Collect, Connect, GiveBack};
    const CONNECTED: Event = Connect(0, Ok(()));
    const FAILED: Event = Connect(0, Err(ConnectFault::Transient));
    let one_or_more: [&'static [Event]; 3] = [
        &[],
        &[Checkout, CONNECTED, Collect(0), GiveBack(0, Residue::Clean)],
        &[Checkout, FAILED],
    ];
    let two: [&'static [Event]; 2] = [
        &[
            Checkout,
            CONNECTED,
            Collect(0),
            Checkout,
            CONNECTED,
            Collect(0),
        ],
        &[Checkout, CONNECTED, Collect(0), Checkout, FAILED],
    ];
    let is_two = World::new(options.clone()).most() == 2;
    let two = two.into_iter().filter(|_| is_two);
    one_or_more.into_iter().chain(two).collect()
}

#[test]
fn law_1_open_connections_never_exceed_size_plus_overflow() {
    holds_in_all_short_stories(|_, after| {
        assert!(after.occupied() <= after.most(), "{after:#?}");
    });
}

#[test]
fn law_1_the_numbers_are_those_of_the_world() {
    holds_in_all_short_stories(|_, after| {
        let Status {
            idle,
            checked_out,
            connecting,
            checking,
            resetting,
            closing,
            waiting,
            ..
        } = after.machine.status();
        assert_eq!(idle, after.idle().count(), "idle");
        let lent = after.leased.len() + after.answered().count();
        assert_eq!(checked_out, lent, "checked out");
        assert_eq!(connecting, after.connects.len(), "connecting");
        assert_eq!(checking, after.pings.len(), "checking");
        assert_eq!(resetting, after.resets.len(), "resetting");
        assert_eq!(closing, after.closings.len(), "closing");
        assert_eq!(waiting, after.waiting().count(), "waiting");
        assert!(idle <= after.kept(), "no more rest than are kept");
    });
}

#[test]
fn law_2_nobody_waits_while_a_fit_connection_is_idle_or_a_place_is_vacant() {
    holds_in_all_short_stories(|_, after| {
        let under_way = after.pings_under_way() + after.connects_under_way();
        if after.waiting().count() <= under_way || is_time_only(after) {
            return;
        }
        assert!(!after.idle().any(|idle| after.is_fit(idle)), "idle");
        let is_probing = after.outage.is_some() && !after.connects.is_empty();
        assert!(after.occupied() == after.most() || is_probing, "vacant");
    });
}

/// A connect may take as long as the server likes; a connection at rest is there now.
#[test]
fn law_2_nobody_waits_for_a_connect_while_a_fit_connection_is_idle() {
    holds_in_all_short_stories(|_, after| {
        let is_served = after.waiting().count() <= after.pings_under_way();
        let is_idle = after.idle().any(|idle| after.is_fit(idle));
        assert!(is_served || !is_idle || is_time_only(after));
    });
}

/// Nobody told the machine yet.
fn is_time_only(world: &World) -> bool {
    matches!(world.news.event, Some(Event::Pass(_)))
}

#[test]
fn law_3_whoever_is_answered_is_woken() {
    holds_in_all_short_stories(|_, after| {
        for caller in &after.callers {
            assert_eq!(caller.woken, caller.answer.is_some());
        }
    });
}

#[test]
fn law_3_capacity_freed_by_any_event_serves_the_next() {
    holds_in_all_short_stories(|_, after| {
        let mut world = after.clone();
        loop {
            world.finish_work();
            if world.leased.is_empty() {
                break;
            }
            world.apply(Event::GiveBack(0, Residue::Open));
        }
        assert_eq!(world.callers.len(), 0, "all were served");
    });
}

#[test]
fn law_3_no_more_is_opened_than_there_are_who_wait() {
    holds_in_all_short_stories(|_, after| {
        let under_way = after.pings_under_way() + after.connects_under_way();
        let waiting = after.waiting().count();
        if after.news.connects == 0 {
            return;
        }
        match after.outage {
            None => assert!(under_way <= waiting, "{under_way} for {waiting}"),
            Some(outage) => {
                assert_eq!(
                    after.connects.len(),
                    1,
                    "one attempt at a time in an outage"
                );
                let since_wanted = after.now.since(outage.wanted);
                let is_suffered = since_wanted <= after.machine.options().outage_grace;
                assert!(is_suffered || waiting > 0, "nobody suffers");
            }
        }
    });
}

#[test]
fn law_4_first_come_first_served() {
    holds_in_all_short_stories(|before, after| {
        let still_waiting = after.waiting().map(|caller| caller.number).min();
        if let (Some(answered), Some(waiting)) = (after.news.answered.iter().max(), still_waiting) {
            assert!(
                *answered < waiting,
                "{answered} was answered before {waiting}"
            );
        }
        let overtook = after.news.lent.is_some() && before.waiting().count() > 0;
        assert!(!overtook, "lent to who came last");
    });
}

#[test]
fn law_5_a_slot_survives_everything() {
    holds_in_all_short_stories(|_, after| {
        let mut world = after.clone();
        while !world.callers.is_empty() {
            world.apply(Event::Withdraw(0));
        }
        while !world.leased.is_empty() {
            world.apply(Event::GiveBack(0, Residue::Clean));
        }
        world.finish_work();
        assert_eq!(
            world.occupied(),
            world.idle().count(),
            "all is idle or vacant"
        );
        for lent in 1..=world.most() {
            world.apply(Event::Checkout);
            world.finish_work();
            assert_eq!(world.leased.len(), lent, "the full capacity can be lent");
        }
    });
}

#[test]
fn law_6_what_came_back_broken_is_never_lent_again() {
    holds_in_all_short_stories(|before, after| {
        let broken = match after.news.event {
            Some(Event::GiveBack(at, Residue::Broken) | Event::Invalidate(at, _)) => {
                before.leased[at].connection
            }
            Some(Event::Reset(at, Err(_))) => before.resets[at].connection,
            Some(Event::Ping(at, Err(_))) => before.pings[at].connection,
            _ => return,
        };
        let mut closing = after.closings.iter();
        assert!(closing.any(|(_, connection)| *connection == broken));
    });
}

#[test]
fn law_7_an_older_generation_or_one_too_old_is_never_lent() {
    holds_in_all_short_stories(|_, after| {
        let answers = after.callers.iter().filter_map(|caller| {
            let is_new = after.news.answered.contains(&caller.number);
            match caller.answer {
                Some(Answer::Connection(connection)) if is_new => Some(connection),
                _ => None,
            }
        });
        for lent in answers.chain(after.news.lent) {
            assert!(after.is_fit(lent), "{lent} is not fit");
        }
        for pinged in &after.news.pings {
            assert!(after.is_fit(*pinged), "{pinged} is pinged in vain");
        }
    });
}

#[test]
fn law_7_a_generation_ends_once_however_many_suspect_it() {
    holds_in_all_short_stories(|before, after| {
        assert_eq!(
            after.generations[after.generation],
            after.machine.generation()
        );
        if after.generation > before.generation {
            assert!(after.machine.generation() > before.machine.generation());
            let mut idle = after.idle();
            assert!(
                idle.all(|idle| after.is_fit(idle)),
                "the idle ones are closed at once"
            );
        }
    });
}

#[test]
fn law_8_a_connecting_attempt_outlives_its_caller() {
    holds_in_all_short_stories(|before, after| {
        if let Some(Event::Withdraw(_)) = after.news.event {
            assert!(after.connects.len() >= before.connects.len(), "it goes on");
        }
        let Some(connection) = after.news.connected.filter(|new| after.is_fit(*new)) else {
            return;
        };
        let is_room = before.idle().count() < after.kept();
        if before.waiting().count() > 0 {
            assert!(
                after.answered().any(|answer| answer == connection),
                "for who waits"
            );
        } else if is_room {
            assert!(after.idle().any(|idle| idle == connection), "for the next");
        }
    });
}

#[test]
fn every_refusal_has_its_cause() {
    holds_in_all_short_stories(|_, after| {
        let news = |number: &u32| after.news.answered.contains(number);
        let answers = after.callers.iter().filter(|caller| news(&caller.number));
        let mut told = 0;
        let refusals = answers.filter_map(|caller| match &caller.answer {
            Some(Answer::Refused(refusal)) => Some(refusal),
            _ => None,
        });
        for refusal in refusals.chain(&after.news.refused) {
            match refusal {
                Refusal::Connect(_) => {
                    let event = after.news.event;
                    let permanent = Err(ConnectFault::Permanent);
                    assert!(matches!(event, Some(Event::Connect(_, why)) if why == permanent));
                    told += 1;
                }
                Refusal::Ping(_) => {
                    let event = after.news.event;
                    let statement = Err(Fault::Statement);
                    assert!(matches!(event, Some(Event::Ping(_, why)) if why == statement));
                    told += 1;
                }
                Refusal::Outage(..) => assert!(is_hopeless(after), "there is hope"),
            }
        }
        assert!(told <= 1, "one failure is told to one caller");
    });
}

#[test]
fn an_outage_beyond_its_grace_keeps_nobody_waiting_for_nothing() {
    holds_in_all_short_stories(|before, after| {
        let failed = Err(ConnectFault::Transient);
        match after.news.event {
            Some(Event::Connect(_, outcome)) if outcome == failed && is_hopeless(after) => {
                assert_eq!(after.waiting().count(), 0, "all are told");
            }
            Some(Event::Checkout) if is_hopeless(after) && !before.connects.is_empty() => {
                assert!(
                    after.news.refused.is_some(),
                    "who comes later is told at once"
                );
            }
            _ => {}
        }
    });
}

fn is_hopeless(world: &World) -> bool {
    let grace = world.machine.options().outage_grace;
    let is_over = |outage: world::Outage| world.now.since(outage.began) >= grace;
    world.outage.is_some_and(is_over) && !world.is_any_alive()
}
