//! The tiny pools, what may happen to each, and how the stories of each begin.

use std::time::Duration;

use everpool_core::machine::{ConnectFault, Options, PoolClass, Residue};

use crate::event::{
    Event::{self, Checkout, Collect, Connect, GiveBack, Pass, Reset, Tick},
    Scope, bounded,
};

const RECYCLE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

const CONNECTED: Event = Connect(0, Ok(()));
const FAILED: Event = Connect(0, Err(ConnectFault::Transient));

const NOTHING: &[Event] = &[];
const ONE_AT_REST: &[Event] = &[Checkout, CONNECTED, Collect(0), GiveBack(0, Residue::Clean)];
const OUTAGE: &[Event] = &[Checkout, FAILED];
const TWO_IN_USE: &[Event] = &[
    Checkout,
    CONNECTED,
    Collect(0),
    Checkout,
    CONNECTED,
    Collect(0),
];
const ONE_IN_USE_IN_AN_OUTAGE: &[Event] = &[Checkout, CONNECTED, Collect(0), Checkout, FAILED];
const ONE_RESTED_ONE_FRESH: &[Event] = &[
    Checkout,
    CONNECTED,
    Collect(0),
    Checkout,
    CONNECTED,
    Collect(0),
    GiveBack(0, Residue::Clean),
    Pass(Duration::from_millis(1_500)),
    GiveBack(0, Residue::Open),
    Reset(0, Ok(())),
];
const KEPT: &[Event] = &[Tick, CONNECTED];

const FAILS: Scope = Scope {
    fails: true,
    hangs: false,
    uses: false,
    operates: false,
};
const HANGS: Scope = Scope {
    fails: false,
    hangs: true,
    uses: false,
    operates: false,
};
const USED: Scope = Scope {
    fails: false,
    hangs: false,
    uses: true,
    operates: true,
};

const HANGS_OPERATED: Scope = Scope {
    fails: false,
    hangs: true,
    uses: false,
    operates: true,
};

pub(crate) struct TinyPool {
    pub(crate) name: &'static str,
    pub(crate) options: Options,
    /// Of each caller.
    pub(crate) patience: Duration,
    pub(crate) scope: Scope,
    pub(crate) beginnings: Vec<&'static [Event]>,
}

fn pool(
    name: &'static str,
    (size, overflow): (u32, u32),
    scope: Scope,
    change: fn(&mut Options),
) -> TinyPool {
    let mut options = Options::default();
    options.capacity = bounded(size, overflow);
    options.recycle_jitter = 0;
    options.connect_timeout = SECOND;
    options.ping_timeout = SECOND;
    options.reset_timeout = SECOND;
    options.close_timeout = SECOND;
    change(&mut options);
    let is_two = size + overflow == 2;
    let two = [TWO_IN_USE, ONE_IN_USE_IN_AN_OUTAGE];
    let two = two.into_iter().filter(|_| is_two);
    TinyPool {
        name,
        options,
        patience: Duration::MAX,
        scope,
        beginnings: [NOTHING, ONE_AT_REST, OUTAGE]
            .into_iter()
            .chain(two)
            .collect(),
    }
}

pub(crate) fn tiny_pools() -> Vec<TinyPool> {
    let mut pools = vec![
        pool("1+1", (1, 1), FAILS, |_| {}),
        pool("2+0, lifo, recycling", (2, 0), FAILS, |options| {
            (options.use_lifo, options.recycle) = (true, Some(RECYCLE));
        }),
        pool("1+1, pinging", (1, 1), FAILS, |options| {
            options.pre_ping = true;
        }),
        pool("1+0, pinging, recycling", (1, 0), FAILS, |options| {
            (options.pre_ping, options.recycle) = (true, Some(RECYCLE));
        }),
        pool("0+1", (0, 1), FAILS, |_| {}),
        pool("1+1, hanging", (1, 1), HANGS, |_| {}),
        pool("1+0, pinging, hanging", (1, 0), HANGS, |options| {
            options.pre_ping = true;
        }),
        pool("static, hanging", (1, 0), HANGS, |options| {
            options.class = PoolClass::StaticPool;
        }),
        pool("1+0, hanging, operated", (1, 0), HANGS_OPERATED, |_| {}),
        pool("1+1, operated", (1, 1), USED, |_| {}),
        pool("2+0, pinging, operated", (2, 0), USED, |options| {
            options.pre_ping = true;
        }),
        pool("null, used", (1, 1), USED, |options| {
            (options.class, options.max_total) = (PoolClass::NullPool, Some(2));
        }),
        pool("asserting, used", (1, 0), USED, |options| {
            options.class = PoolClass::AssertionPool;
        }),
        pool("1+1, nobody else waits", (1, 1), USED, |options| {
            options.max_waiting = Some(1);
        }),
    ];
    pools.extend(kept_pools());
    pools.extend(impatient_pools());
    pools
}

/// Those whose callers are told when their time is up, before the work for them is given up.
fn impatient_pools() -> [TinyPool; 2] {
    let mut pools = [
        pool("1+1, impatient", (1, 1), HANGS, |_| {}),
        pool("1+0, pinging, impatient", (1, 0), HANGS, |options| {
            options.pre_ping = true;
        }),
    ];
    for pool in &mut pools {
        pool.patience = SECOND / 2;
    }
    pools
}

/// Those that do something on their own.
fn kept_pools() -> Vec<TinyPool> {
    let mut pools = vec![
        pool("2+0, one kept at rest", (2, 0), HANGS, |options| {
            (options.min_idle, options.max_idle_time) = (1, Some(3 * SECOND));
        }),
        pool("2+0, kept alive", (2, 0), HANGS, |options| {
            options.keepalive = Some(2 * SECOND);
            (options.pre_ping, options.ping_after_idle) = (true, Some(SECOND));
        }),
        pool("2+0, kept, failing", (2, 0), FAILS, |options| {
            options.min_idle = 1;
        }),
        pool("2+0, kept, operated", (2, 0), USED, |options| {
            options.min_idle = 1;
        }),
    ];
    for pool in &mut pools {
        pool.beginnings = match pool.options.min_idle {
            0 => vec![NOTHING, TWO_IN_USE, ONE_RESTED_ONE_FRESH],
            _ => vec![NOTHING, KEPT],
        };
    }
    pools
}
