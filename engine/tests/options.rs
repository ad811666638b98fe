//! The options of an engine: SQLAlchemy's defaults, what configuration may say, and what a wrong
//! value is answered.

use std::time::Duration;

use everpool_core::{Options, PoolClass, ResetOnReturn, machine::Capacity};
use everpool_engine::{Echo, EngineOptions, PoolOptions, Url};

const SECOND: Duration = Duration::from_secs(1);

fn from_toml(text: &str) -> Result<EngineOptions, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

fn from_json(text: &str) -> Result<EngineOptions, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn defaults_are_those_of_create_engine() {
    let options = EngineOptions::default();
    let pool = options.pool();
    let (size, overflow) = (5, 10);
    assert_eq!(pool.capacity, Capacity::Bounded { size, overflow });
    assert_eq!(options.pool_timeout(), 30 * SECOND);
    assert_eq!(pool.recycle, None);
    assert!(!pool.pre_ping);
    assert!(!pool.use_lifo);
    assert_eq!(pool.reset_on_return, ResetOnReturn::Rollback);
    assert_eq!(pool.outage_grace, 5 * SECOND);
    assert_eq!(
        (options.echo(), options.echo_pool()),
        (Echo::Off, Echo::Off)
    );
    assert_eq!(
        (options.logging_name(), options.pool_logging_name()),
        (None, None)
    );
    assert_eq!(options.isolation_level(), None);
    assert!(options.execution_options().is_empty() && options.connect_args().is_empty());
    assert!(!options.hide_parameters() && !options.skip_autocommit_rollback());
}

#[test]
fn what_is_not_set_has_its_default() {
    let default = EngineOptions::default();
    assert_eq!(EngineOptions::builder().build().unwrap(), default);
    assert_eq!(from_toml("").unwrap(), default);
    assert_eq!(from_json("{}").unwrap(), default);
    let said = from_json(
        r#"{"pool_size": 5, "max_overflow": 10, "pool_timeout": 30, "pool_recycle": -1,
            "pool_pre_ping": false, "pool_use_lifo": false, "pool_reset_on_return": "rollback",
            "pool_outage_grace": 5}"#,
    );
    assert_eq!(said.unwrap(), default);
}

/// None of them has its default.
fn built() -> EngineOptions {
    let options = EngineOptions::builder()
        .poolclass(PoolClass::QueuePool)
        .pool_size(20)
        .max_overflow(3)
        .pool_timeout(Duration::from_millis(1500))
        .pool_recycle(300 * SECOND)
        .pool_recycle_jitter(20)
        .pool_pre_ping(true)
        .pool_ping_after_idle(SECOND)
        .pool_use_lifo(true)
        .pool_max_idle_time(60 * SECOND)
        .pool_min_idle(4)
        .pool_keepalive(50 * SECOND)
        .pool_reset_on_return(ResetOnReturn::Commit)
        .pool_reset_always(true)
        .pool_outage_grace(2 * SECOND)
        .pool_connect_timeout(6 * SECOND)
        .pool_ping_timeout(7 * SECOND)
        .pool_reset_timeout(8 * SECOND)
        .pool_close_timeout(9 * SECOND)
        .pool_max_waiting(100)
        .pool_leak_after(10 * SECOND)
        .pool_measure_use(true);
    let options = options
        .pool_logging_name("pool")
        .echo_pool(Echo::Debug)
        .logging_name("engine")
        .echo(true)
        .hide_parameters(true)
        .isolation_level("SERIALIZABLE")
        .skip_autocommit_rollback(true)
        .read_only_is_disconnect(true)
        .query_cache_size(0)
        .execution_options([("logging_token", "web"), ("isolation_level", "AUTOCOMMIT")])
        .connect_args([("sslmode", "require")]);
    options.build().expect("each has a right value")
}

#[test]
fn the_builder_sets_every_option() {
    let options = built();
    let mut pool = Options::default();
    (
        pool.use_lifo,
        pool.pre_ping,
        pool.reset_always,
        pool.measure_use,
    ) = (true, true, true, true);
    let (size, overflow) = (20, 3);
    pool.capacity = Capacity::Bounded { size, overflow };
    pool.recycle = Some(300 * SECOND);
    pool.recycle_jitter = 20;
    pool.ping_after_idle = Some(SECOND);
    pool.max_idle_time = Some(60 * SECOND);
    pool.min_idle = 4;
    pool.keepalive = Some(50 * SECOND);
    pool.reset_on_return = ResetOnReturn::Commit;
    pool.outage_grace = 2 * SECOND;
    pool.connect_timeout = 6 * SECOND;
    pool.ping_timeout = 7 * SECOND;
    pool.reset_timeout = 8 * SECOND;
    pool.close_timeout = 9 * SECOND;
    pool.max_waiting = Some(100);
    pool.leak_after = Some(10 * SECOND);
    assert_eq!(options.pool(), pool);
    assert_eq!(options.pool_timeout(), Duration::from_millis(1500));
    assert_eq!(options.pool_logging_name(), Some("pool"));
    assert_eq!(options.logging_name(), Some("engine"));
    assert_eq!(
        (options.echo(), options.echo_pool()),
        (Echo::On, Echo::Debug)
    );
    assert!(options.hide_parameters());
    assert_eq!(options.isolation_level(), Some("SERIALIZABLE"));
    assert!(options.skip_autocommit_rollback() && options.read_only_is_disconnect());
    assert_eq!(options.query_cache_size(), Some(0));
    assert_eq!(options.execution_options().logging_token(), Some("web"));
    assert_eq!(
        options.execution_options().isolation_level(),
        Some("AUTOCOMMIT")
    );
    assert_eq!(options.connect_args().get("sslmode"), Some("require"));
    let total = EngineOptions::builder()
        .poolclass(PoolClass::NullPool)
        .pool_max_total(7);
    assert_eq!(total.build().unwrap().pool().max_total, Some(7));
}

#[test]
fn configuration_sets_what_the_builder_sets() {
    let toml = r#"
        poolclass = "QueuePool"
        pool_size = 20
        max_overflow = 3
        pool_timeout = 1.5
        pool_recycle = "5m"
        pool_recycle_jitter = 20
        pool_pre_ping = true
        pool_ping_after_idle = 1
        pool_use_lifo = true
        pool_max_idle_time = "1m"
        pool_min_idle = 4
        pool_keepalive = 50
        pool_reset_on_return = "commit"
        pool_reset_always = true
        pool_outage_grace = "2"
        pool_connect_timeout = 6
        pool_ping_timeout = 7
        pool_reset_timeout = 8
        pool_close_timeout = 9
        pool_max_waiting = 100
        pool_leak_after = 10
        pool_measure_use = true
        pool_logging_name = "pool"
        echo_pool = "debug"
        logging_name = "engine"
        echo = true
        hide_parameters = true
        isolation_level = "SERIALIZABLE"
        skip_autocommit_rollback = true
        read_only_is_disconnect = true
        query_cache_size = 0
        execution_options = { logging_token = "web", isolation_level = "AUTOCOMMIT" }
        [connect_args]
        sslmode = "require"
    "#;
    assert_eq!(from_toml(toml).unwrap(), built());
    let json: serde_json::Value = toml::from_str(toml).unwrap();
    assert_eq!(from_json(&json.to_string()).unwrap(), built());
}

#[test]
fn a_written_configuration_reads_as_the_same_options() {
    let classes = [
        "NullPool",
        "StaticPool",
        "SingletonThreadPool",
        "AssertionPool",
    ];
    let class = |name| from_json(&format!(r#"{{"poolclass": {name:?}}}"#)).unwrap();
    let limits = [
        "{\"max_overflow\": -1}",
        "{\"pool_size\": 0, \"max_overflow\": -1}",
    ];
    let limits = limits.map(|text| from_json(text).unwrap());
    let all = [EngineOptions::default(), built()].into_iter();
    let one = EngineOptions::default().with_one_connection();
    for options in all.chain(classes.map(class)).chain(limits).chain([one]) {
        let toml = toml::to_string(&options).unwrap();
        assert_eq!(from_toml(&toml).unwrap(), options, "{toml}");
        let json = serde_json::to_string(&options).unwrap();
        assert_eq!(from_json(&json).unwrap(), options, "{json}");
    }
}

#[test]
fn a_written_default_says_every_number_as_one_would() {
    let toml = toml::to_string(&EngineOptions::default()).unwrap();
    for line in [
        "pool_size = 5",
        "max_overflow = 10",
        "pool_timeout = 30",
        "pool_recycle = -1",
        "pool_pre_ping = false",
        "pool_reset_on_return = \"rollback\"",
        "echo = false",
    ] {
        assert!(
            toml.lines().any(|written| written == line),
            "{line} in: {toml}"
        );
    }
}

#[test]
fn a_password_among_connect_args_is_neither_shown_nor_written() {
    let args = [
        ("password", "s3cret-Pw"),
        ("sslpassword", "s3cret-Pw"),
        ("sslmode", "require"),
    ];
    let options = EngineOptions::builder().connect_args(args).build().unwrap();
    let toml = toml::to_string(&options).unwrap();
    let shown = format!("{options:?} {options:#?} {toml}");
    assert!(!shown.contains("s3cret-Pw"), "{shown}");
    assert!(toml.contains("sslmode"), "{toml}");
    assert!(format!("{options:?}").contains("password"));
    for wrong in [
        r#"{"connect_args": "password=s3cret-Pw"}"#,
        r#"{"connect_args": {"password": ["s3cret-Pw"]}}"#,
        r#"{"pool_size": "postgresql://scott:s3cret-Pw@host"}"#,
        r#"{"passwrd": "s3cret-Pw"}"#,
    ] {
        let message = from_json(wrong).unwrap_err();
        assert!(!message.contains("s3cret-Pw"), "{message}");
    }
}

#[test]
fn size_and_overflow_make_the_capacity_as_in_sqlalchemy() {
    let (size, overflow) = (7, 0);
    let table = [
        (
            "pool_size = 7\nmax_overflow = 0",
            Capacity::Bounded { size, overflow },
        ),
        (
            "pool_size = 7\nmax_overflow = -1",
            Capacity::Growing { size },
        ),
        ("pool_size = 0\nmax_overflow = -1", Capacity::Unlimited),
    ];
    for (text, expected) in table {
        assert_eq!(from_toml(text).unwrap().pool().capacity, expected, "{text}");
    }
}

#[test]
fn resets_have_sqlalchemys_words() {
    let table = [
        ("rollback", ResetOnReturn::Rollback),
        ("commit", ResetOnReturn::Commit),
        ("none", ResetOnReturn::Nothing),
        ("true", ResetOnReturn::Rollback),
        ("false", ResetOnReturn::Nothing),
    ];
    for (word, expected) in table {
        let text = format!("pool_reset_on_return = {word:?}");
        let options = from_toml(&text).unwrap();
        assert_eq!(options.pool().reset_on_return, expected, "{text}");
    }
    for (value, expected) in [
        ("true", ResetOnReturn::Rollback),
        ("false", ResetOnReturn::Nothing),
        ("null", ResetOnReturn::Nothing),
    ] {
        let options = from_json(&format!(r#"{{"pool_reset_on_return": {value}}}"#)).unwrap();
        assert_eq!(options.pool().reset_on_return, expected, "{value}");
    }
}

#[test]
fn durations_are_numbers_or_texts() {
    let table = [
        ("0", Duration::ZERO),
        ("30", 30 * SECOND),
        ("0.25", Duration::from_millis(250)),
        ("\"30\"", 30 * SECOND),
        ("\"0.25\"", Duration::from_millis(250)),
        ("\"250ms\"", Duration::from_millis(250)),
        ("\"5m\"", 300 * SECOND),
        ("\"1h 30m\"", 5400 * SECOND),
    ];
    for (value, expected) in table {
        let toml = from_toml(&format!(
            "pool_timeout = {value}\npool_recycle = {value}\npool_outage_grace = {value}"
        ));
        let json = from_json(&format!(
            r#"{{"pool_timeout": {value}, "pool_recycle": {value}, "pool_outage_grace": {value}}}"#
        ));
        for options in [toml.unwrap(), json.unwrap()] {
            assert_eq!(options.pool_timeout(), expected, "{value}");
            assert_eq!(options.pool().recycle, Some(expected), "{value}");
            assert_eq!(options.pool().outage_grace, expected, "{value}");
        }
    }
}

#[test]
fn a_recycle_of_minus_one_is_never() {
    for value in ["-1", "-1.0", "\"-1\""] {
        let toml = from_toml(&format!("pool_recycle = {value}")).unwrap();
        let json = from_json(&format!("{{\"pool_recycle\": {value}}}")).unwrap();
        assert_eq!(toml.pool().recycle, None, "{value}");
        assert_eq!(json.pool().recycle, None, "{value}");
    }
}

/// Of each: a text of configuration, and every word that its refusal must have.
type Refusals<'a> = &'a [(&'a str, &'a [&'a str])];

fn refusals(table: Refusals<'_>, read: fn(&str) -> Result<EngineOptions, String>) {
    for (input, words) in table {
        let message = match read(input) {
            Ok(options) => panic!("{input} was taken: {options:?}"),
            Err(message) => message,
        };
        for word in *words {
            assert!(message.contains(word), "{input}: no {word:?} in: {message}");
        }
    }
}

#[test]
fn a_wrong_value_is_told_with_its_option_and_remedy() {
    let table: Refusals<'_> = &[
        (
            r#"{"pool_size": 0}"#,
            &[
                "pool_size = 0",
                "no limit",
                "max_overflow = -1",
                "1 or more",
            ],
        ),
        (
            r#"{"pool_size": 0, "max_overflow": 3}"#,
            &["pool_size = 0", "max_overflow = -1"],
        ),
        (
            r#"{"pool_size": -3}"#,
            &["pool_size = -3", "from 0 to 4294967295"],
        ),
        (
            r#"{"pool_size": 5000000000}"#,
            &["pool_size = 5000000000", "from 0 to 4294967295"],
        ),
        (
            r#"{"max_overflow": -2}"#,
            &["max_overflow = -2", "from 0", "-1 for no limit"],
        ),
        (
            r#"{"pool_timeout": -1}"#,
            &["pool_timeout = -1", "number of seconds from 0"],
        ),
        (
            r#"{"pool_timeout": "-0.5"}"#,
            &["pool_timeout = -0.5", "number of seconds from 0"],
        ),
        (
            r#"{"pool_timeout": "NaN"}"#,
            &["pool_timeout = NaN", "number of seconds from 0"],
        ),
        (
            r#"{"pool_outage_grace": -5}"#,
            &["pool_outage_grace = -5", "number of seconds from 0"],
        ),
        (
            r#"{"pool_recycle": -5}"#,
            &[
                "pool_recycle = -5",
                "number of seconds from 0",
                "-1 for never",
            ],
        ),
        (
            r#"{"pool_reset_on_return": "rolback"}"#,
            &[
                "pool_reset_on_return",
                "rolback",
                "rollback",
                "commit",
                "none",
            ],
        ),
    ];
    refusals(table, from_json);
}

#[test]
fn a_duration_of_toml_that_is_no_number_is_told() {
    let words: &[&str] = &["pool_timeout", "number of seconds from 0"];
    refusals(&[("pool_timeout = nan", words)], from_toml);
    refusals(&[("pool_timeout = inf", words)], from_toml);
}

/// The message of a wrong type is the same in every format.
#[test]
fn a_wrong_type_is_told_with_the_one_expected() {
    let whole = "must be a whole number";
    let seconds = "must be a number of seconds or a duration like \"5m\"";
    let table: Refusals<'_> = &[
        ("pool_size = \"five\"", &["pool_size = \"five\"", whole]),
        ("pool_size = 2.5", &["pool_size = 2.5", whole]),
        ("max_overflow = true", &["max_overflow = true", whole]),
        ("max_overflow = []", &["max_overflow = a list", whole]),
        (
            "pool_pre_ping = \"maybe\"",
            &["pool_pre_ping = \"maybe\"", "true or false"],
        ),
        ("pool_use_lifo = 2", &["pool_use_lifo = 2", "true or false"]),
        (
            "pool_timeout = \"soon\"",
            &["pool_timeout = \"soon\"", seconds],
        ),
        ("pool_recycle = false", &["pool_recycle = false", seconds]),
        (
            "pool_reset_on_return = 3",
            &["pool_reset_on_return = 3", "\"rollback\""],
        ),
        (
            "echo = \"loud\"",
            &["echo = \"loud\"", "true, false or \"debug\""],
        ),
        ("logging_name = \"\"", &["logging_name = \"\"", "not empty"]),
        (
            "poolclass = \"Pool\"",
            &["poolclass = \"Pool\"", "QueuePool", "AssertionPool"],
        ),
        (
            "connect_args = 3",
            &["connect_args = ***", "table of texts"],
        ),
        (
            "execution_options = { a = [] }",
            &["execution_options = a table", "texts"],
        ),
    ];
    refusals(table, from_toml);
}

#[test]
fn an_unknown_option_is_refused_with_the_nearest_one() {
    let table = [
        ("pool_sizee", "pool_size"),
        ("pool-size", "pool_size"),
        ("poolsize", "pool_size"),
        ("POOL_RECYCLE", "pool_recycle"),
        ("recycle", "pool_recycle"),
        ("pre_ping", "pool_pre_ping"),
        ("timeout", "pool_timeout"),
        ("max_overflows", "max_overflow"),
        ("max_conections", "max_connections"),
        ("aquire_timeout", "acquire_timeout"),
        ("isolation_levle", "isolation_level"),
        ("connection_args", "connect_args"),
    ];
    for (name, nearest) in table {
        let said = format!("unknown option `{name}`; did you mean `{nearest}`?");
        refusals(&[(&format!("{{{name:?}: 5}}"), &[&said])], from_json);
        refusals(&[(&format!("{name} = 5"), &[&said])], from_toml);
    }
    let words: &[&str] = &["unknown option `colour`;", "create_engine"];
    refusals(&[(r#"{"colour": "red"}"#, words)], from_json);
    refusals(
        &[(r#"{"url": "sqlite://"}"#, &["unknown option `url`"])],
        from_json,
    );
}

/// SQLAlchemy's `TypeError: Invalid argument(s)`.
#[test]
fn an_option_that_the_class_does_not_have_is_refused() {
    let table = [
        (
            "NullPool",
            "pool_size",
            "a QueuePool or SingletonThreadPool",
        ),
        ("NullPool", "max_overflow", "a QueuePool"),
        ("NullPool", "pool_min_idle", "a pool that keeps connections"),
        (
            "NullPool",
            "pool_max_idle_time",
            "a pool that keeps connections",
        ),
        (
            "NullPool",
            "pool_keepalive",
            "a pool that keeps connections",
        ),
        (
            "NullPool",
            "pool_ping_after_idle",
            "a pool that keeps connections",
        ),
        (
            "NullPool",
            "pool_recycle_jitter",
            "a pool that keeps connections",
        ),
        (
            "StaticPool",
            "pool_size",
            "a QueuePool or SingletonThreadPool",
        ),
        ("StaticPool", "pool_use_lifo", "a QueuePool"),
        ("AssertionPool", "max_overflow", "a QueuePool"),
        ("SingletonThreadPool", "max_overflow", "a QueuePool"),
        ("QueuePool", "pool_max_total", "a NullPool"),
    ];
    for (class, option, classes) in table {
        let said = format!("`{option}` does not fit poolclass = {class}; only {classes} has it");
        let input = format!(r#"{{"poolclass": "{class}", "{option}": 1}}"#);
        refusals(&[(&input, &[&said])], from_json);
    }
    let built = EngineOptions::builder()
        .pool_size(5)
        .poolclass(PoolClass::NullPool);
    let said = built.build().unwrap_err().to_string();
    assert!(
        said.starts_with("`pool_size` does not fit poolclass = NullPool"),
        "{said}"
    );
    let fitting = r#"{"poolclass": "NullPool", "pool_pre_ping": true, "pool_recycle": 300,
        "pool_timeout": 5, "pool_max_total": 7, "pool_reset_on_return": "commit"}"#;
    assert_eq!(from_json(fitting).unwrap().pool().max_total, Some(7));
}

#[test]
fn a_pool_that_the_options_cannot_make_is_refused_when_they_are_built() {
    let table: Refusals<'_> = &[
        (
            r#"{"pool_min_idle": 6}"#,
            &["pool_min_idle = 6", "pool_size"],
        ),
        (
            r#"{"pool_keepalive": 0}"#,
            &["pool_keepalive = 0", "longer than zero"],
        ),
        (
            r#"{"pool_connect_timeout": 0}"#,
            &["pool_connect_timeout = 0", "longer than zero"],
        ),
        (
            r#"{"pool_recycle_jitter": 101}"#,
            &["pool_recycle_jitter = 101", "0 to 100"],
        ),
        (
            r#"{"pool_max_waiting": 0}"#,
            &["pool_max_waiting = 0", "from 1", "-1 for no limit"],
        ),
        (
            r#"{"poolclass": "NullPool", "pool_max_total": 0}"#,
            &["pool_max_total = 0", "from 1"],
        ),
        (
            r#"{"query_cache_size": -1}"#,
            &["query_cache_size = -1", "from 0"],
        ),
    ];
    refusals(table, from_json);
}

#[test]
fn texts_are_read_as_what_they_mean() {
    let said = from_json(
        r#"{"pool_size": " 10 ", "max_overflow": "-1", "pool_pre_ping": "yes", "pool_use_lifo": 1,
            "pool_recycle": "300", "pool_keepalive": "1m", "pool_max_waiting": "3",
            "hide_parameters": "off", "echo": "true", "echo_pool": "Debug"}"#,
    );
    let options = said.unwrap();
    let pool = options.pool();
    assert_eq!(pool.capacity, Capacity::Growing { size: 10 });
    assert!(pool.pre_ping && pool.use_lifo);
    assert_eq!(pool.recycle, Some(300 * SECOND));
    assert_eq!(pool.keepalive, Some(60 * SECOND));
    assert_eq!(pool.max_waiting, Some(3));
    assert!(!options.hide_parameters());
    assert_eq!(
        (options.echo(), options.echo_pool()),
        (Echo::On, Echo::Debug)
    );
}

type Flag = (&'static str, fn(&EngineOptions) -> bool);

/// `"false"` turns `pool_pre_ping` and `pool_use_lifo` on in SQLAlchemy.
#[test]
fn booleans_have_sqlalchemys_words_for_every_option() {
    let flags: &[Flag] = &[
        ("pool_pre_ping", |options| options.pool().pre_ping),
        ("pool_use_lifo", |options| options.pool().use_lifo),
        ("pool_reset_always", |options| options.pool().reset_always),
        ("pool_measure_use", |options| options.pool().measure_use),
        ("hide_parameters", EngineOptions::hide_parameters),
        (
            "skip_autocommit_rollback",
            EngineOptions::skip_autocommit_rollback,
        ),
        (
            "read_only_is_disconnect",
            EngineOptions::read_only_is_disconnect,
        ),
        ("echo", |options| options.echo() != Echo::Off),
        ("echo_pool", |options| options.echo_pool() != Echo::Off),
    ];
    let words = [
        (true, ["true", "yes", "on", "y", "t", "1", "TRUE", " Yes "]),
        (
            false,
            ["false", "no", "off", "n", "f", "0", "False", " NO "],
        ),
    ];
    for (name, is_on) in flags {
        for (expected, words) in words {
            for word in words {
                let options = from_json(&format!("{{{name:?}: {word:?}}}")).unwrap();
                assert_eq!(is_on(&options), expected, "{name} = {word:?}");
            }
        }
    }
}

#[test]
fn null_is_the_default_but_where_sqlalchemys_none_says_something() {
    let said = from_json(
        r#"{"pool_size": null, "poolclass": null, "isolation_level": null, "echo": null,
            "pool_recycle": null, "connect_args": null, "query_cache_size": null}"#,
    );
    assert_eq!(said.unwrap(), EngineOptions::default());
    let said = from_json(r#"{"max_size": null, "idle_timeout": null}"#);
    assert_eq!(said.unwrap(), EngineOptions::default());
    let said = from_json(r#"{"pool_timeout": null, "pool_reset_on_return": null}"#).unwrap();
    assert_eq!(said.pool_timeout(), Duration::MAX);
    assert_eq!(said.pool().reset_on_return, ResetOnReturn::Nothing);
}

#[test]
fn pool_classes_have_sqlalchemys_names() {
    let table = [
        ("QueuePool", PoolClass::QueuePool),
        ("AsyncAdaptedQueuePool", PoolClass::QueuePool),
        ("sqlalchemy.pool.NullPool", PoolClass::NullPool),
        ("StaticPool", PoolClass::StaticPool),
        ("SingletonThreadPool", PoolClass::SingletonThreadPool),
        ("AssertionPool", PoolClass::AssertionPool),
    ];
    for (name, expected) in table {
        let options = from_json(&format!(r#"{{"poolclass": {name:?}}}"#)).unwrap();
        assert_eq!(options.pool().class, expected, "{name}");
    }
}

/// Word for word what a Flask application has in `SQLALCHEMY_ENGINE_OPTIONS`.
#[test]
fn the_options_of_flask_sqlalchemy_work_unchanged() {
    let options = from_json(r#"{"pool_pre_ping": true, "pool_recycle": 300}"#).unwrap();
    assert!(options.pool().pre_ping);
    assert_eq!(options.pool().recycle, Some(300 * SECOND));
    let options = from_json(
        r#"{"pool_size": 10, "max_overflow": 20, "pool_timeout": 30, "echo": false,
            "isolation_level": "READ COMMITTED", "execution_options": {"logging_token": "web"},
            "connect_args": {"connect_timeout": 10, "application_name": "shop"}}"#,
    );
    let options = options.unwrap();
    assert_eq!(options.isolation_level(), Some("READ COMMITTED"));
    assert_eq!(options.execution_options().logging_token(), Some("web"));
    let args: Vec<_> = options.connect_args().iter().collect();
    assert_eq!(
        args,
        [("application_name", "shop"), ("connect_timeout", "10")]
    );
}

#[derive(Debug, serde::Deserialize)]
struct Database {
    url: Url,
    #[serde(flatten)]
    options: EngineOptions,
}

#[test]
fn url_and_options_may_stand_in_one_table() {
    let text = "url = 'sqlite:///app.db'\npool_size = '3'\npool_recycle = '5m'";
    let database: Database = toml::from_str(text).unwrap();
    assert_eq!(database.url.database(), Some("app.db"));
    assert_eq!(database.options.pool().recycle, Some(300 * SECOND));
    let refused = toml::from_str::<Database>("url = 'sqlite://'\npool_sise = 3").unwrap_err();
    assert!(
        refused.to_string().contains("did you mean `pool_size`?"),
        "{refused}"
    );
}

#[test]
fn names_of_other_pools_are_taken() {
    let table = [
        (
            r#"{"max_connections": 7}"#,
            r#"{"pool_size": 7, "max_overflow": 0}"#,
        ),
        (
            r#"{"max_size": "7"}"#,
            r#"{"pool_size": 7, "max_overflow": 0}"#,
        ),
        (r#"{"acquire_timeout": 3}"#, r#"{"pool_timeout": 3}"#),
        (r#"{"connection_timeout": "3s"}"#, r#"{"pool_timeout": 3}"#),
        (r#"{"max_lifetime": 1800}"#, r#"{"pool_recycle": 1800}"#),
        (r#"{"max_lifetime": null}"#, r#"{"pool_recycle": -1}"#),
        (
            r#"{"idle_timeout": "10m"}"#,
            r#"{"pool_max_idle_time": 600}"#,
        ),
        (r#"{"min_connections": 2}"#, r#"{"pool_min_idle": 2}"#),
        (r#"{"min_idle": 2}"#, r#"{"pool_min_idle": 2}"#),
        (
            r#"{"test_before_acquire": true}"#,
            r#"{"pool_pre_ping": true}"#,
        ),
        (
            r#"{"test_on_check_out": true}"#,
            r#"{"pool_pre_ping": true}"#,
        ),
        (
            r#"{"statement_cache_capacity": 0}"#,
            r#"{"query_cache_size": 0}"#,
        ),
    ];
    for (theirs, ours) in table {
        assert_eq!(
            from_json(theirs).unwrap(),
            from_json(ours).unwrap(),
            "{theirs}"
        );
        assert_ne!(ours, "{}");
    }
}

#[test]
fn two_names_of_one_option_are_refused() {
    let table: Refusals<'_> = &[
        (
            r#"{"pool_timeout": 3, "acquire_timeout": 3}"#,
            &["`pool_timeout` and `acquire_timeout` both set `pool_timeout`"],
        ),
        (
            r#"{"max_size": 3, "pool_size": 3}"#,
            &["`max_size` and `pool_size` both set `pool_size`"],
        ),
        (
            r#"{"max_overflow": 3, "max_connections": 3}"#,
            &["`max_overflow` and `max_connections` both set `max_overflow`"],
        ),
        (
            r#"{"min_idle": 3, "min_connections": 3}"#,
            &["`min_idle` and `min_connections` both set `pool_min_idle`"],
        ),
        (
            r#"{"connect_args": {"a": 1}, "connect_args.a": 2}"#,
            &["`connect_args` and `connect_args.a` both set `connect_args`"],
        ),
        (
            r#"{"echo": true, "echo": true}"#,
            &["`echo` and `echo` both set `echo`"],
        ),
    ];
    refusals(table, from_json);
}

/// Rocket waits so long for a checkout, Loco for a connect.
#[test]
fn connect_timeout_is_refused_with_what_it_may_mean() {
    let words: &[&str] = &[
        "`connect_timeout`",
        "`pool_timeout`",
        "`pool_connect_timeout`",
    ];
    refusals(&[(r#"{"connect_timeout": 3}"#, words)], from_json);
}

/// SQLAlchemy's `create_pool_from_url`.
#[test]
fn a_pool_alone_has_short_names() {
    let text = r#"{"pool_size": 3, "max_overflow": 1, "timeout": 5, "recycle": 300,
        "pre_ping": true, "use_lifo": true, "reset_on_return": "commit", "echo": "debug",
        "logging_name": "jobs"}"#;
    let options: EngineOptions = serde_json::from_str::<PoolOptions>(text).unwrap().into();
    let expected = EngineOptions::builder()
        .pool_size(3)
        .max_overflow(1)
        .pool_timeout(5 * SECOND)
        .pool_recycle(300 * SECOND)
        .pool_pre_ping(true)
        .pool_use_lifo(true)
        .pool_reset_on_return(ResetOnReturn::Commit)
        .echo_pool(Echo::Debug)
        .pool_logging_name("jobs");
    assert_eq!(options, expected.build().unwrap());
    let twice = serde_json::from_str::<PoolOptions>(r#"{"timeout": 5, "pool_timeout": 5}"#);
    assert!(
        twice
            .unwrap_err()
            .to_string()
            .contains("`timeout` and `pool_timeout`")
    );
}

#[test]
fn of_a_database_in_memory_only_a_chosen_class_is_kept() {
    let one = |text| from_json(text).unwrap().with_one_connection().pool();
    let pool =
        one(r#"{"pool_size": 5, "pool_recycle": 3, "pool_max_idle_time": 3, "pool_min_idle": 4}"#);
    assert_eq!(pool.class, PoolClass::StaticPool);
    assert_eq!(
        (pool.recycle, pool.max_idle_time, pool.min_idle),
        (None, None, 1)
    );
    assert_eq!(pool.check(), Ok(()));
    let pool = one(r#"{"poolclass": "AssertionPool", "pool_recycle": 3}"#);
    assert_eq!((pool.class, pool.recycle), (PoolClass::AssertionPool, None));
    let pool = one(r#"{"poolclass": "QueuePool", "pool_recycle": 3}"#);
    assert_eq!(
        (pool.class, pool.recycle),
        (PoolClass::QueuePool, Some(3 * SECOND))
    );
}

#[test]
fn the_longest_duration_is_for_ever() {
    let options = EngineOptions::builder()
        .pool_timeout(std::time::Duration::MAX)
        .build()
        .unwrap();
    assert_eq!(options.pool_timeout(), std::time::Duration::MAX);
}
