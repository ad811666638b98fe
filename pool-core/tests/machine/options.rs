//! What a pool can be told to be, and what it cannot.

use crate::words::*;

/// What is said of options that no pool can have.
fn fault(change: impl FnOnce(&mut Options)) -> (&'static str, String) {
    let error = Pool::new(options(change)).expect_err("no pool can be like this");
    (error.option(), error.to_string())
}

#[test]
fn a_pool_without_any_connection_is_refused() {
    let (option, text) = fault(|options| options.capacity = bounded(0, 0));
    assert_eq!(option, "pool_size");
    let words = "pool_size = 0 with max_overflow = 0: \
                 a pool without any connection lends none; at least one of them must be positive";
    assert_eq!(text, words);
    pool_of(|options| options.capacity = bounded(0, 1));
    pool_of(|options| options.capacity = bounded(1, 0));
}

#[test]
fn a_null_pool_of_at_most_none_is_refused_and_its_size_is_nobodys_business() {
    let null = |max_total| {
        options(|options| {
            options.class = PoolClass::NullPool;
            options.capacity = bounded(0, 0);
            options.max_total = max_total;
        })
    };
    let text = null(Some(0)).check().expect_err("none").to_string();
    assert_eq!(
        text,
        "max_total = 0: must be positive, or absent for no limit"
    );
    assert_eq!(null(Some(1)).check(), Ok(()));
    assert_eq!(null(None).check(), Ok(()));
    pool_of(|options| options.max_total = Some(0));
}

#[test]
fn no_more_can_be_kept_at_rest_than_the_pool_keeps() {
    let (option, text) = fault(|options| options.min_idle = 3);
    assert_eq!(option, "pool_min_idle");
    let words = "pool_min_idle = 3: \
                 must be 0 to the number of connections that the pool keeps, its pool_size";
    assert_eq!(text, words);
    pool_of(|options| options.min_idle = 2);
    let null = fault(|options| (options.class, options.min_idle) = (PoolClass::NullPool, 1));
    assert_eq!(null.0, "pool_min_idle");
}

#[test]
fn a_jitter_is_a_percentage() {
    let (_, text) = fault(|options| options.recycle_jitter = 101);
    assert_eq!(text, "pool_recycle_jitter = 101: must be 0 to 100 per cent");
    pool_of(|options| options.recycle_jitter = 100);
}

#[test]
fn a_duration_of_zero_is_refused_where_nothing_could_be_done_in_it() {
    type Change = fn(&mut Options, Duration);
    let changes: [(&str, Change); 7] = [
        ("pool_connect_timeout", |of, zero| of.connect_timeout = zero),
        ("pool_ping_timeout", |of, zero| of.ping_timeout = zero),
        ("pool_reset_timeout", |of, zero| of.reset_timeout = zero),
        ("pool_close_timeout", |of, zero| of.close_timeout = zero),
        ("pool_keepalive", |of, zero| of.keepalive = Some(zero)),
        ("pool_max_idle_time", |of, zero| {
            of.max_idle_time = Some(zero);
        }),
        ("pool_leak_after", |of, zero| of.leak_after = Some(zero)),
    ];
    for (name, change) in changes {
        let words = format!("{name} = 0: must be longer than zero");
        let zero = Duration::ZERO;
        assert_eq!(fault(|options| change(options, zero)), (name, words));
        pool_of(|options| change(options, Duration::from_nanos(1)));
    }
    pool_of(|options| (options.recycle, options.outage_grace) = (Some(Duration::ZERO), GRACE));
}

#[test]
fn pool_classes_have_sqlalchemys_names() {
    let names = [
        ("QueuePool", PoolClass::QueuePool),
        ("NullPool", PoolClass::NullPool),
        ("StaticPool", PoolClass::StaticPool),
        ("SingletonThreadPool", PoolClass::SingletonThreadPool),
        ("AssertionPool", PoolClass::AssertionPool),
    ];
    for (name, class) in names {
        assert_eq!(name.parse(), Ok(class));
        assert_eq!(format!("sqlalchemy.pool.{name}").parse(), Ok(class));
        assert_eq!(class.to_string(), name);
    }
    assert_eq!("AsyncAdaptedQueuePool".parse(), Ok(PoolClass::QueuePool));
}

#[test]
fn a_pool_class_that_does_not_exist_names_those_that_do() {
    let error = "queuepool"
        .parse::<PoolClass>()
        .expect_err("it has capitals");
    let words = "poolclass = \"queuepool\": must be QueuePool, AsyncAdaptedQueuePool, NullPool, \
                 StaticPool, SingletonThreadPool or AssertionPool";
    assert_eq!(
        (error.option(), error.to_string().as_str()),
        ("poolclass", words)
    );
}

#[test]
fn the_options_of_a_pool_can_be_read_back() {
    let told = options(|options| options.seed = 9);
    let pool = Pool::new(told.clone()).expect("all is in range");
    assert_eq!(pool.options(), &told);
}
