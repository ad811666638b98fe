//! Options and URL together, from flat texts: `engine_from_config` and environments.

use std::{collections::HashMap, time::Duration};

use everpool_core::{PoolClass, ResetOnReturn};
use everpool_engine::{
    Echo, EngineOptions, OptionError, engine_from_config, engine_from_env, pool_from_config,
};

fn config(pairs: &[(&str, &str)]) -> Result<EngineOptions, OptionError> {
    let url = [("sqlalchemy.url", "postgresql://scott:tiger@host/test")];
    let config = url.iter().chain(pairs).copied();
    engine_from_config(config, "sqlalchemy.").map(|(_, options)| options)
}

/// SQLAlchemy's own test of it.
#[test]
fn a_configuration_is_coerced_as_sqlalchemy_does() {
    let config = HashMap::from([
        (
            "sqlalchemy.url",
            "postgresql+psycopg2://scott:tiger@somehost/test?fooz=somevalue",
        ),
        ("sqlalchemy.pool_recycle", "50"),
        ("sqlalchemy.echo", "true"),
        ("unrelated.key", "5"),
    ]);
    let (url, options) = engine_from_config(&config, "sqlalchemy.").unwrap();
    assert_eq!(options.pool().recycle, Some(Duration::from_secs(50)));
    assert_eq!(options.echo(), Echo::On);
    let expected = "postgresql+psycopg2://scott:tiger@somehost/test?fooz=somevalue";
    assert_eq!(url.render_as_string(false), expected);
}

#[test]
fn a_configuration_has_each_reset_on_return() {
    for (word, expected) in [
        ("rollback", ResetOnReturn::Rollback),
        ("commit", ResetOnReturn::Commit),
        ("none", ResetOnReturn::Nothing),
        ("false", ResetOnReturn::Nothing),
    ] {
        let options = config(&[("sqlalchemy.pool_reset_on_return", word)]).unwrap();
        assert_eq!(options.pool().reset_on_return, expected, "{word}");
    }
}

#[test]
fn every_option_is_read_as_its_text_is_meant() {
    let options = config(&[
        ("sqlalchemy.pool_pre_ping", "false"),
        ("sqlalchemy.pool_use_lifo", "on"),
        ("sqlalchemy.pool_timeout", "2.5"),
        ("sqlalchemy.pool_size", "3"),
        ("sqlalchemy.max_overflow", "0"),
        ("sqlalchemy.poolclass", "QueuePool"),
        ("sqlalchemy.echo_pool", "debug"),
        ("sqlalchemy.connect_args.sslmode", "require"),
        ("sqlalchemy.connect_args.application_name", "shop"),
        ("sqlalchemy.execution_options.isolation_level", "AUTOCOMMIT"),
    ]);
    let options = options.unwrap();
    let pool = options.pool();
    assert!(!pool.pre_ping && pool.use_lifo);
    assert_eq!(options.pool_timeout(), Duration::from_millis(2500));
    assert_eq!(pool.class, PoolClass::QueuePool);
    assert_eq!(options.echo_pool(), Echo::Debug);
    let args: Vec<_> = options.connect_args().iter().collect();
    assert_eq!(args, [("application_name", "shop"), ("sslmode", "require")]);
    assert_eq!(
        options.execution_options().isolation_level(),
        Some("AUTOCOMMIT")
    );
}

#[test]
fn a_wrong_entry_is_named_with_its_prefix() {
    let table = [
        (
            ("sqlalchemy.pool_sizee", "5"),
            "did you mean `sqlalchemy.pool_size`?",
        ),
        (("sqlalchemy.uri", "5"), "did you mean `sqlalchemy.url`?"),
        (
            ("sqlalchemy.pool_size", "five"),
            "sqlalchemy.pool_size = \"five\"",
        ),
        (
            ("sqlalchemy.max_lifetime", "long"),
            "sqlalchemy.max_lifetime = \"long\"",
        ),
        (
            ("sqlalchemy.connect_timeout", "5"),
            "`sqlalchemy.connect_timeout`",
        ),
        (
            ("sqlalchemy.url", "sqlite://"),
            "`sqlalchemy.url` and `sqlalchemy.url`",
        ),
    ];
    for (entry, expected) in table {
        let message = config(&[entry]).unwrap_err().to_string();
        assert!(message.contains(expected), "{entry:?}: {message}");
    }
    let twice = [("sqlalchemy.max_size", "5"), ("sqlalchemy.pool_size", "5")];
    let message = config(&twice).unwrap_err().to_string();
    assert!(
        message.contains("`sqlalchemy.max_size` and `sqlalchemy.pool_size`"),
        "{message}"
    );
    let twice = [
        ("sqlalchemy.connect_args.a", "5"),
        ("sqlalchemy.connect_args.a", "5"),
    ];
    let message = config(&twice).unwrap_err().to_string();
    assert!(message.contains("`sqlalchemy.connect_args.a`"), "{message}");
}

#[test]
fn a_configuration_without_a_url_or_with_a_wrong_one_is_refused() {
    let none = engine_from_config([("db.pool_size", "5")], "db.").unwrap_err();
    assert_eq!(
        none,
        OptionError::NoUrl {
            name: "db.url".to_owned()
        }
    );
    let wrong = engine_from_config([("url", "scott:s3cret-Pw@host")], "").unwrap_err();
    assert!(matches!(wrong, OptionError::Url(_)), "{wrong}");
    assert!(!format!("{wrong} {wrong:?}").contains("s3cret-Pw"));
}

#[test]
fn a_pool_is_configured_with_short_names() {
    let config = [
        ("pool.url", "sqlite:///app.db"),
        ("pool.recycle", "300"),
        ("pool.pre_ping", "no"),
        ("pool.timeout", "5"),
        ("pool.echo", "yes"),
    ];
    let (url, options) = pool_from_config(config, "pool.").unwrap();
    let options = EngineOptions::from(options);
    assert_eq!(url.database(), Some("app.db"));
    assert_eq!(options.pool().recycle, Some(Duration::from_secs(300)));
    assert!(!options.pool().pre_ping);
    assert_eq!((options.echo(), options.echo_pool()), (Echo::Off, Echo::On));
}

#[test]
fn options_come_from_an_environment() {
    let variables = [
        ("PATH", "/bin"),
        ("DATABASE_URL", "postgresql://host/db"),
        ("DATABASE_POOL_SIZE", "10"),
        ("DATABASE_POOL_PRE_PING", "false"),
        ("DATABASE_MAX_LIFETIME", "30m"),
        ("DATABASE_CONNECT_ARGS__SSLMODE", "require"),
    ];
    let (url, options) = engine_from_env(variables, "DATABASE_").unwrap();
    assert_eq!(url.host(), Some("host"));
    assert!(!options.pool().pre_ping);
    assert_eq!(options.pool().recycle, Some(Duration::from_secs(1800)));
    assert_eq!(options.connect_args().get("sslmode"), Some("require"));
}

#[test]
fn a_misspelt_variable_is_refused_and_a_foreign_one_is_not() {
    let url = ("DATABASE_URL", "postgresql://host/db");
    for name in [
        "HOST",
        "PORT",
        "USER",
        "NAME",
        "PASSWORD",
        "SERVICE_HOST",
        "PORT_5432_TCP",
    ] {
        let foreign = format!("DATABASE_{name}");
        let read = engine_from_env([url, (&*foreign, "tcp://10.0.0.1")], "DATABASE_");
        assert!(read.is_ok(), "{foreign}: {read:?}");
    }
    for (name, nearest) in [
        ("DATABASE_POOL_SISE", "`DATABASE_POOL_SIZE`"),
        ("DATABASE_POOL_PREPING", "`DATABASE_POOL_PRE_PING`"),
        ("DATABASE_URI", "`DATABASE_URL`"),
        ("DATABASE_RECYCLE", "`DATABASE_POOL_RECYCLE`"),
    ] {
        let message = engine_from_env([url, (name, "5")], "DATABASE_")
            .unwrap_err()
            .to_string();
        assert!(
            message.contains(name) && message.contains(nearest),
            "{message}"
        );
    }
    let message = engine_from_env([url, ("DATABASE_ECHO", "loud")], "DATABASE_").unwrap_err();
    assert!(
        message.to_string().contains("DATABASE_ECHO = \"loud\""),
        "{message}"
    );
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_refused_without_showing_it() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};
    let bytes = OsString::from_vec(b"postgresql://u:\xff@h".to_vec());
    let message = engine_from_env([("DATABASE_URL", bytes)], "DATABASE_").unwrap_err();
    assert!(
        message.to_string().starts_with("DATABASE_URL = ***"),
        "{message}"
    );
}
