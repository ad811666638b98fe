//! The options of an engine: SQLAlchemy's defaults, what configuration may say, and what a wrong
//! value is answered.

use std::time::Duration;

use everpool_core::{ResetOnReturn, machine::Capacity};
use everpool_engine::EngineOptions;

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

#[test]
fn the_builder_sets_every_option() {
    let options = EngineOptions::builder()
        .pool_size(20)
        .max_overflow(3)
        .pool_timeout(Duration::from_millis(1500))
        .pool_recycle(300 * SECOND)
        .pool_pre_ping(true)
        .pool_use_lifo(true)
        .pool_reset_on_return(ResetOnReturn::Nothing)
        .pool_outage_grace(2 * SECOND)
        .build()
        .unwrap();
    let pool = options.pool();
    let (size, overflow) = (20, 3);
    assert_eq!(pool.capacity, Capacity::Bounded { size, overflow });
    assert_eq!(options.pool_timeout(), Duration::from_millis(1500));
    assert_eq!(pool.recycle, Some(300 * SECOND));
    assert!(pool.pre_ping);
    assert!(pool.use_lifo);
    assert_eq!(pool.reset_on_return, ResetOnReturn::Nothing);
    assert_eq!(pool.outage_grace, 2 * SECOND);
}

#[test]
fn configuration_sets_what_the_builder_sets() {
    let built = EngineOptions::builder()
        .pool_size(20)
        .max_overflow(3)
        .pool_timeout(Duration::from_millis(1500))
        .pool_recycle(300 * SECOND)
        .pool_pre_ping(true)
        .pool_use_lifo(true)
        .pool_reset_on_return(ResetOnReturn::Commit)
        .pool_outage_grace(2 * SECOND)
        .build()
        .unwrap();
    let toml = r#"
        pool_size = 20
        max_overflow = 3
        pool_timeout = 1.5
        pool_recycle = "5m"
        pool_pre_ping = true
        pool_use_lifo = true
        pool_reset_on_return = "commit"
        pool_outage_grace = "2"
    "#;
    let json = r#"{"pool_size": 20, "max_overflow": 3, "pool_timeout": 1.5, "pool_recycle": "5m",
        "pool_pre_ping": true, "pool_use_lifo": true, "pool_reset_on_return": "commit",
        "pool_outage_grace": "2"}"#;
    assert_eq!(from_toml(toml).unwrap(), built);
    assert_eq!(from_json(json).unwrap(), built);
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
    ];
    for (word, expected) in table {
        let text = format!("pool_reset_on_return = {word:?}");
        let options = from_toml(&text).unwrap();
        assert_eq!(options.pool().reset_on_return, expected, "{text}");
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

#[test]
fn an_unknown_option_is_named_with_the_known_ones() {
    let words: &[&str] = &[
        "pool_sizee",
        "`pool_size`",
        "`max_overflow`",
        "`pool_timeout`",
        "`pool_recycle`",
        "`pool_pre_ping`",
        "`pool_use_lifo`",
        "`pool_reset_on_return`",
        "`pool_outage_grace`",
    ];
    refusals(&[("pool_sizee = 5", words)], from_toml);
    refusals(&[(r#"{"pool_sizee": 5}"#, words)], from_json);
}

/// TOML's message shows the line, and with it the option.
#[test]
fn a_wrong_type_is_told_with_the_one_expected() {
    let table: Refusals<'_> = &[
        ("pool_size = \"five\"", &["pool_size", "five", "i64"]),
        ("pool_size = 2.5", &["pool_size", "2.5", "i64"]),
        ("max_overflow = true", &["max_overflow", "true", "i64"]),
        (
            "pool_pre_ping = \"yes\"",
            &["pool_pre_ping", "yes", "boolean"],
        ),
        ("pool_use_lifo = 1", &["pool_use_lifo", "1", "boolean"]),
        (
            "pool_timeout = \"soon\"",
            &["pool_timeout", "soon", "number of seconds", "5m"],
        ),
        (
            "pool_recycle = false",
            &["pool_recycle", "false", "number of seconds", "5m"],
        ),
        (
            "pool_reset_on_return = false",
            &["pool_reset_on_return", "false", "string"],
        ),
    ];
    refusals(table, from_toml);
}

#[test]
fn the_longest_duration_is_for_ever() {
    let options = EngineOptions::builder()
        .pool_timeout(std::time::Duration::MAX)
        .build()
        .unwrap();
    assert_eq!(options.pool_timeout(), std::time::Duration::MAX);
}
