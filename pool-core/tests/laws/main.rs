//! The laws of the machine, each on all short stories: every sequence of events of a tiny pool.
//! Long for one file, because the laws are read together.

use everpool_core::machine::{ConnectFault, Fault, PoolClass, Refusal, Residue, Status};

mod event;
mod pools;
mod world;

use event::{Event, Scope};
use pools::tiny_pools;
use world::{Answer, Counts, Works, World};

/// How many events follow each beginning. Mutants die earlier: see `depth`.
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

struct Beginning(&'static str, &'static [Event]);

impl Drop for Beginning {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in a pool that is {}, after {:?}", self.0, self.1);
        }
    }
}

/// `EVERPOOL_STORIES=4` makes them shorter, for whoever runs them often.
fn depth() -> usize {
    let wanted = std::env::var("EVERPOOL_STORIES").ok();
    wanted.map_or(DEPTH, |depth| depth.parse().expect("a number of events"))
}

fn holds_in_all_short_stories(law: Law) {
    let depth = depth();
    for pool in tiny_pools() {
        for beginning in &pool.beginnings {
            let told = Beginning(pool.name, beginning);
            let mut world = World::new(pool.options.clone(), pool.patience);
            world.tell(beginning);
            every_story(&world, pool.scope, depth, law);
            drop(told);
        }
    }
}

fn every_story(before: &World, scope: Scope, depth: usize, law: Law) {
    for event in before.possible(scope) {
        let told = Told(event);
        let mut after = before.clone();
        after.apply(event);
        law(before, &after);
        if depth > 1 {
            every_story(&after, scope, depth - 1, law);
        }
        drop(told);
    }
}

#[test]
fn law_1_open_connections_never_exceed_size_plus_overflow() {
    holds_in_all_short_stories(|before, after| {
        // Those beyond a size that became smaller are lent and go when they come back.
        let most = after.most().max(before.occupied());
        assert!(after.occupied() <= most, "{after:#?}");
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
            abandoned,
            waiting,
            ..
        } = after.machine.status();
        assert_eq!(idle, after.idle().count(), "idle");
        let lent = after.leased.len() + after.answered().count();
        assert_eq!(checked_out, lent, "checked out");
        assert_eq!(after.machine.holders().count(), lent, "holders");
        assert_eq!(connecting, after.connects.in_time(), "connecting");
        assert_eq!(checking, after.pings.in_time(), "checking");
        assert_eq!(resetting, after.resets.in_time(), "resetting");
        assert_eq!(closing, after.closings.in_time(), "closing");
        assert_eq!(abandoned, after.abandoned(), "abandoned");
        assert_eq!(waiting, after.waiting().count(), "waiting");
        assert!(idle <= after.kept(), "no more rest than are kept");
    });
}

#[test]
fn law_1_what_was_counted_is_what_happened() {
    holds_in_all_short_stories(|_, after| {
        let snapshot = after.machine.snapshot(after.now);
        let counted = Counts {
            opened: snapshot.opened,
            closed: snapshot.closed_in_all(),
            lent: snapshot.checkouts,
            timeouts: snapshot.timeouts,
            connect_errors: snapshot.connect_errors,
        };
        assert_eq!(counted, after.counts);
    });
}

/// Nobody told the machine yet that time has passed, or it may do nothing about it.
fn is_excused(world: &World) -> bool {
    let is_time_only = matches!(world.news.event, Some(Event::Pass(_)));
    is_time_only || world.is_suspended || world.is_closed
}

#[test]
fn law_2_nobody_waits_while_a_fit_connection_is_idle_or_a_place_is_vacant() {
    holds_in_all_short_stories(|_, after| {
        let under_way = after.pings_under_way() + after.connects_under_way();
        if after.waiting().count() <= under_way || is_excused(after) {
            return;
        }
        assert!(!after.idle().any(|idle| after.is_fit(idle)), "idle");
        let is_probing = after.outage.is_some() && after.probes() > 0;
        let is_full = after.occupied() >= after.most();
        assert!(is_full || is_probing || is_hanging(after), "vacant");
    });
}

/// A connect may take as long as the server likes; a connection at rest is there now.
#[test]
fn law_2_nobody_waits_for_a_connect_while_a_fit_connection_is_idle() {
    holds_in_all_short_stories(|_, after| {
        let is_served = after.waiting().count() <= after.pings_under_way();
        let is_idle = after.idle().any(|idle| after.is_fit(idle));
        assert!(is_served || !is_idle || is_excused(after));
    });
}

/// So much was given up that no more is begun: not in stories as short as these.
fn is_hanging(world: &World) -> bool {
    world.abandoned() >= world.most().max(10)
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
        let mut world = resumed(after);
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
fn law_3_the_next_is_served_though_what_was_given_up_never_ends() {
    holds_in_all_short_stories(|_, after| {
        if after.abandoned() == 0 {
            return;
        }
        let mut world = resumed(after);
        loop {
            world.finish_work_in_time();
            if world.leased.is_empty() {
                break;
            }
            world.apply(Event::GiveBack(0, Residue::Open));
        }
        assert!(world.callers.is_empty() || is_hanging(&world));
    });
}

fn resumed(world: &World) -> World {
    let mut world = world.clone();
    if world.is_suspended {
        world.apply(Event::Resume);
    }
    world
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
            None => {
                let missing =
                    (after.options.min_idle as usize).saturating_sub(after.idle().count());
                assert!(under_way <= waiting + missing, "{under_way} for {waiting}");
            }
            Some(outage) => {
                assert_eq!(after.probes(), 1, "one attempt at a time in an outage");
                let since_wanted = after.now.since(outage.wanted);
                let is_suffered = since_wanted <= after.options.outage_grace;
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

/// All callers go, all connections come back, all work ends, late or not.
fn at_rest(world: &World) -> World {
    let mut world = world.clone();
    while !world.callers.is_empty() {
        world.apply(Event::Withdraw(0));
    }
    while !world.leased.is_empty() {
        world.apply(Event::GiveBack(0, Residue::Clean));
    }
    world.finish_work();
    world
}

#[test]
fn law_5_a_slot_survives_everything() {
    holds_in_all_short_stories(|_, after| {
        let mut world = resumed(&at_rest(after));
        world.finish_work();
        let idle = world.idle().count();
        assert_eq!(world.occupied(), idle, "all is idle or vacant");
        assert_eq!(world.abandoned(), 0, "what was given up has ended");
        let to_lend = if world.is_closed { 0 } else { world.most() };
        for lent in 1..=to_lend {
            world.apply(Event::Checkout);
            world.finish_work();
            assert_eq!(world.leased.len(), lent, "the full capacity can be lent");
        }
    });
}

#[test]
fn law_5_whatever_may_hang_has_its_end() {
    holds_in_all_short_stories(|_, after| {
        if let Some(end) = after.first_overdue() {
            let alarm = after.alarm.expect("a tick is asked for");
            assert!(alarm <= end, "the tick comes too late: {alarm:?}, {end:?}");
        }
        if let Some(Event::Tick) = after.news.event {
            assert!(after.first_overdue().is_none_or(|end| end > after.now));
            assert!(
                after.alarm.is_none_or(|alarm| alarm > after.now),
                "no haste"
            );
        }
    });
}

#[test]
fn law_5_a_closed_pool_is_drained_when_its_last_slot_is_vacant_and_says_so() {
    holds_in_all_short_stories(|_, after| {
        let is_drained = after.is_closed && after.occupied() == 0;
        assert_eq!(after.machine.clone().is_drained(&mut None), is_drained);
        assert_eq!(after.mourner_was_woken, is_drained);
    });
}

#[test]
fn law_6_what_came_back_broken_is_never_lent_again() {
    holds_in_all_short_stories(|before, after| {
        let broken = match after.news.event {
            Some(Event::GiveBack(at, Residue::Broken) | Event::Invalidate(at, _)) => {
                before.leased[at].connection
            }
            Some(Event::Reset(at, Err(_))) => before.resets[at].what.connection,
            Some(Event::Ping(at, Err(_))) => before.pings[at].what.connection,
            _ => return,
        };
        assert!(is_closing(after, broken));
    });
}

fn is_closing(world: &World, connection: u32) -> bool {
    let mut closings = world.closings.iter();
    closings.any(|work| work.what.1 == connection)
}

#[test]
fn law_6_what_was_given_up_is_closed_when_it_ends_after_all() {
    holds_in_all_short_stories(|before, after| {
        let late = match after.news.event {
            Some(Event::Connect(at, Ok(()))) if before.connects[at].is_given_up => {
                after.news.connected.expect("it was opened")
            }
            Some(Event::Reset(at, _)) if before.resets[at].is_given_up => {
                before.resets[at].what.connection
            }
            Some(Event::Ping(at, _)) if before.pings[at].is_given_up => {
                before.pings[at].what.connection
            }
            _ => return,
        };
        assert!(is_closing(after, late));
    });
}

#[test]
fn law_6_what_is_spent_is_lent_once_more_at_most() {
    holds_in_all_short_stories(|before, after| {
        if let Some(Event::GiveBack(at, _)) = after.news.event {
            let back = before.leased[at].connection;
            let is_spent = before.spent.contains(&back);
            assert!(!is_spent || is_closing(after, back));
        }
    });
}

#[test]
fn law_7_an_older_generation_or_one_too_old_is_never_lent() {
    holds_in_all_short_stories(|_, after| {
        for lent in newly_lent(after) {
            assert!(after.is_fit(lent), "{lent} is not fit");
        }
        for pinged in &after.news.pings {
            assert!(after.is_fit(*pinged), "{pinged} is pinged in vain");
        }
    });
}

/// What was handed to somebody just now.
fn newly_lent(world: &World) -> impl Iterator<Item = u32> {
    let answers = world.callers.iter().filter_map(|caller| {
        let is_new = world.news.answered.contains(&caller.number);
        match caller.answer {
            Some(Answer::Connection(connection)) if is_new => Some(connection),
            _ => None,
        }
    });
    answers.chain(world.news.lent)
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
        if let Some(Event::Withdraw(_) | Event::TimedOut(_)) = after.news.event {
            assert!(after.connects.len() >= before.connects.len(), "it goes on");
        }
        let is_wanted = |new: &u32| after.is_fit(*new) && before.occupied() <= after.most();
        let Some(connection) = after.news.connected.filter(is_wanted) else {
            return;
        };
        let is_room = before.idle().count() < after.kept() && !after.is_closed;
        if before.waiting().count() > 0 && !after.is_suspended {
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
        let (mut told, mut timed_out) = (0, 0);
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
                Refusal::TimedOut(_) => timed_out += 1,
                Refusal::Closed => assert!(after.is_closed),
                Refusal::InUse(holder) => {
                    assert_eq!(after.options.class, PoolClass::AssertionPool);
                    let is_lent = after.leased.len() + after.answered().count() > 0;
                    assert_eq!(holder.is_some(), is_lent, "who has it is named");
                    assert!(
                        is_lent || after.waiting().count() > 0,
                        "somebody has or will have it"
                    );
                }
                Refusal::QueueFull => {
                    let most = after.options.max_waiting.expect("it is limited") as usize;
                    let served = after.pings_under_way() + after.connects_under_way();
                    assert!(after.waiting().count() >= most + served);
                }
                other => panic!("an unknown refusal: {other:?}"),
            }
        }
        assert!(told <= 1, "one failure is told to one caller");
        let is_tick = after.news.event == Some(Event::Tick);
        assert!(timed_out == 0 || is_tick, "no patience ends between ticks");
    });
}

#[test]
fn whose_patience_is_over_is_told_and_nobody_else() {
    holds_in_all_short_stories(|before, after| {
        for caller in after.waiting() {
            assert!(caller.deadline > after.now || after.news.event != Some(Event::Tick));
        }
        for caller in &after.callers {
            let is_told = matches!(caller.answer, Some(Answer::Refused(Refusal::TimedOut(_))));
            assert!(!is_told || caller.deadline <= after.now);
        }
        let gone = before
            .waiting()
            .filter(|caller| caller.deadline <= after.now);
        assert!(after.news.timeouts <= gone.count().max(1));
    });
}

#[test]
fn an_outage_beyond_its_grace_keeps_nobody_waiting_for_nothing() {
    holds_in_all_short_stories(|before, after| {
        let failed = Err(ConnectFault::Transient);
        match after.news.event {
            Some(Event::Connect(at, outcome))
                if outcome == failed && !before.connects[at].is_given_up && is_hopeless(after) =>
            {
                assert_eq!(after.waiting().count(), 0, "all are told");
            }
            Some(Event::Checkout) if is_hopeless(after) && before.probes() > 0 => {
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
    let grace = world.options.outage_grace;
    let is_over = |outage: world::Outage| world.now.since(outage.began) >= grace;
    world.outage.is_some_and(is_over) && !world.is_any_alive()
}

#[test]
fn a_closed_pool_lends_and_begins_nothing() {
    holds_in_all_short_stories(|_, after| {
        if after.is_closed {
            assert_eq!(newly_lent(after).count(), 0, "lent");
            assert_eq!(after.news.connects + after.news.pings.len(), 0, "begun");
            assert_eq!(after.waiting().count(), 0, "all are told");
            assert_eq!(after.idle().count(), 0, "nothing rests");
        }
    });
}

#[test]
fn a_suspended_pool_lends_and_begins_nothing_until_it_is_resumed() {
    holds_in_all_short_stories(|_, after| {
        if after.is_suspended {
            assert_eq!(newly_lent(after).count(), 0, "lent");
            assert_eq!(after.news.connects + after.news.pings.len(), 0, "begun");
        }
    });
}

#[test]
fn a_tick_leaves_none_at_rest_for_too_long() {
    holds_in_all_short_stories(|_, after| {
        let idle: Vec<u32> = after.idle().collect();
        let since = |limit, times: &std::collections::BTreeMap<u32, _>| {
            let over = idle
                .iter()
                .filter(|idle| after.now.since(times[idle]) >= limit);
            over.count()
        };
        let is_ticked = after.news.event == Some(Event::Tick);
        if let Some(limit) = after.options.max_idle_time {
            let min_idle = after.options.min_idle as usize;
            let is_over = since(limit, &after.rested) > 0;
            assert!(!is_ticked || !is_over || idle.len() <= min_idle);
            assert!(
                idle.is_empty() || after.alarm.is_some(),
                "it will be closed"
            );
        }
        if let Some(limit) = after.options.keepalive {
            assert!(!is_ticked || since(limit, &after.heard) == 0, "kept alive");
            assert!(
                idle.is_empty() || after.alarm.is_some(),
                "it will be pinged"
            );
        }
    });
}

#[test]
fn as_many_as_asked_for_are_kept_at_rest() {
    holds_in_all_short_stories(|_, after| {
        let world = resumed(after);
        let is_excused = world.is_closed || world.machine.last_connect_error().is_some();
        let is_full = world.occupied() >= world.kept() || is_hanging(&world);
        let coming = world.pings_under_way() + world.connects_under_way();
        let spare = coming.saturating_sub(world.waiting().count());
        let at_rest = world.idle().count() + spare;
        // Nothing is opened ahead before the first tick or checkout.
        let has_begun = !matches!(
            world.news.event,
            Some(Event::Resize(_) | Event::Suspend | Event::Pass(_) | Event::TimedOut(_))
        );
        let is_met = at_rest >= world.options.min_idle as usize;
        assert!(!has_begun || is_excused || is_full || is_met);
    });
}
