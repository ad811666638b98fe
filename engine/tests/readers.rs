//! `sqlite_readers`, without a database: how it is said, what fits it, and the pools that it makes.

use everpool_core::{PoolClass, machine::Capacity};
use everpool_engine::{EngineOptions, OptionError, PoolOptions, Role, Url, engine_from_env};

fn from_json(text: &str) -> Result<EngineOptions, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn with_readers(readers: u32) -> EngineOptions {
    let options = EngineOptions::builder().sqlite_readers(readers);
    options.build().expect("any number is right")
}

fn url(text: &str) -> Url {
    text.parse().expect("it is a URL")
}

fn capacity(size: u32) -> Capacity {
    Capacity::Bounded { size, overflow: 0 }
}

#[test]
fn readers_are_said_in_code_in_files_and_in_an_environment_and_are_written_again() {
    let options = with_readers(4);
    assert_eq!(options.sqlite_readers(), Some(4));
    assert_eq!(from_json(r#"{"sqlite_readers": "4"}"#), Ok(options.clone()));
    let variables = [("DB_URL", "sqlite:///app.db"), ("DB_SQLITE_READERS", "4")];
    assert_eq!(engine_from_env(variables, "DB_").unwrap().1, options);
    let min_idle = EngineOptions::builder().sqlite_readers(4).pool_min_idle(3);
    for options in [options, min_idle.build().unwrap()] {
        let written = toml::to_string(&options).unwrap();
        assert_eq!(toml::from_str(&written), Ok(options), "{written}");
    }
}

#[test]
fn no_readers_are_as_if_nothing_was_said() {
    assert_eq!(with_readers(0), EngineOptions::default());
    let pools = with_readers(0).pools(&url("postgresql://host/db")).unwrap();
    assert_eq!(pools.own, EngineOptions::default());
    assert_eq!((pools.role, pools.readers), (Role::Any, None));
    let pools = with_readers(0).pools(&url("sqlite://")).unwrap();
    assert_eq!(pools.own.pool().class, PoolClass::StaticPool);
}

#[test]
fn a_file_with_readers_has_one_connection_that_writes_and_so_many_that_read() {
    let options = EngineOptions::builder()
        .sqlite_readers(4)
        .pool_min_idle(3)
        .pool_pre_ping(true)
        .isolation_level("SERIALIZABLE")
        .pool_logging_name("app");
    let pools = options.build().unwrap().pools(&url("sqlite:///app.db"));
    let pools = pools.unwrap();
    assert_eq!(pools.role, Role::Writer);
    let (own, readers) = (pools.own, pools.readers.unwrap());
    for (options, size, min_idle, name) in [(&own, 1, 1, "app"), (&readers, 4, 3, "app readers")] {
        let pool = options.pool();
        assert_eq!(pool.capacity, capacity(size));
        assert_eq!(
            (pool.class, pool.min_idle),
            (PoolClass::QueuePool, min_idle)
        );
        assert!(pool.pre_ping);
        assert_eq!(options.isolation_level(), Some("SERIALIZABLE"));
        assert_eq!(options.pool_logging_name(), Some(name));
    }
    let pools = with_readers(1).pools(&url("sqlite:///app.db")).unwrap();
    assert_eq!(pools.readers.unwrap().pool_logging_name(), Some("readers"));
}

#[test]
fn an_option_that_says_otherwise_of_the_writer_is_refused_with_the_reason_and_the_remedy() {
    let table = [
        (
            r#""pool_size": 5"#,
            "pool_size = 5: ",
            "one writer at a time",
        ),
        (
            r#""max_overflow": 10"#,
            "max_overflow = 10: ",
            "one writer at a time",
        ),
        (
            r#""max_overflow": -1"#,
            "max_overflow = -1: ",
            "one writer at a time",
        ),
        (
            r#""max_connections": 5"#,
            "pool_size = 5: ",
            "one writer at a time",
        ),
        (
            r#""poolclass": "NullPool""#,
            "poolclass = NullPool: ",
            "QueuePool",
        ),
        (
            r#""poolclass": "SingletonThreadPool""#,
            "poolclass = Sing",
            "QueuePool",
        ),
        (r#""pool_min_idle": 5"#, "pool_min_idle", "0 to the number"),
    ];
    for (option, named, reason) in table {
        let refused = from_json(&format!(r#"{{"sqlite_readers": 4, {option}}}"#)).unwrap_err();
        for words in [named, reason] {
            assert!(
                refused.contains(words),
                "{option}: no {words:?} in: {refused}"
            );
        }
        let remedy = "leave one of the two out";
        assert!(
            named == "pool_min_idle" || refused.contains(remedy),
            "{refused}"
        );
    }
    let same =
        r#"{"sqlite_readers": 4, "pool_size": 1, "max_overflow": 0, "poolclass": "QueuePool"}"#;
    assert_eq!(from_json(same).unwrap().pool(), with_readers(4).pool());
    let wrong = from_json(r#"{"sqlite_readers": -1}"#).unwrap_err();
    assert!(wrong.contains("sqlite_readers = -1: "), "{wrong}");
}

#[test]
fn only_a_sqlite_file_that_can_be_written_has_readers() {
    let table = [
        (
            "postgresql://u:s3cret-Pw@host/db",
            "the database is postgresql; leave it out",
        ),
        ("mysql://host/db", "the database is mysql; leave it out"),
        (
            "sqlite://",
            "one in memory has one connection; leave it out",
        ),
        ("sqlite:///file:app?mode=memory", "in memory"),
        (
            "sqlite:///app.db?mode=ro",
            "which mode=ro forbids; leave one of the two out",
        ),
        ("sqlite:///app.db?immutable=1", "immutable=1"),
        ("sqlite:///app.db?nolock=1", "nolock=1"),
        ("sqlite:///app.db?cache=shared", "cache=shared"),
    ];
    for (text, words) in table {
        let refused = with_readers(4).pools(&url(text)).unwrap_err();
        assert!(matches!(refused, OptionError::Wrong { .. }), "{refused:?}");
        let refused = refused.to_string();
        assert!(refused.starts_with("sqlite_readers = 4: "), "{refused}");
        assert!(refused.contains(words), "no {words:?} in: {refused}");
        assert!(!refused.contains("s3cret-Pw"), "{refused}");
    }
    for text in [
        "sqlite:///app.db?mode=rw",
        "sqlite:///app.db?immutable=0&cache=private",
    ] {
        assert!(with_readers(4).pools(&url(text)).is_ok(), "{text}");
    }
}

#[test]
fn a_pool_alone_has_no_readers() {
    let refused = PoolOptions::from(with_readers(4)).alone().unwrap_err();
    let refused = refused.to_string();
    assert!(refused.contains("sqlite_readers = 4: "), "{refused}");
    assert!(
        refused.contains("leave it out, or make an engine"),
        "{refused}"
    );
    let others = PoolOptions::from(EngineOptions::default()).alone();
    assert_eq!(others, Ok(EngineOptions::default()));
}
