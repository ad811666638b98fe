//! Isolation levels and other characteristics, without a database: what is understood, what is sent.

use everpool_engine::{
    Backend, EngineOptions, Role,
    isolation::{Begin, Characteristics, IsolationLevel},
};

use IsolationLevel::{Autocommit, ReadCommitted, ReadUncommitted, RepeatableRead, Serializable};

const BACKENDS: [Backend; 3] = [Backend::Postgresql, Backend::Mysql, Backend::Sqlite];
const LEVELS: [IsolationLevel; 5] = [
    Serializable,
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Autocommit,
];

fn level(level: IsolationLevel) -> Characteristics {
    Characteristics {
        isolation_level: Some(level),
        ..Characteristics::default()
    }
}

#[test]
fn a_level_is_understood_in_any_case_with_spaces_or_underscores() {
    let table = [
        ("REPEATABLE READ", RepeatableRead),
        ("REPEATABLE_READ", RepeatableRead),
        ("repeatable_read", RepeatableRead),
        ("Read Committed", ReadCommitted),
        ("read_uncommitted", ReadUncommitted),
        ("serializable", Serializable),
        ("autocommit", Autocommit),
    ];
    for (text, expected) in table {
        assert_eq!(text.parse(), Ok(expected), "{text}");
    }
    for level in LEVELS {
        assert_eq!(level.to_string().parse(), Ok(level));
    }
}

#[test]
fn an_unknown_level_is_named_with_the_valid_ones() {
    let error = "FOO".parse::<IsolationLevel>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid value `FOO` for isolation_level; valid isolation levels are SERIALIZABLE, \
         READ UNCOMMITTED, READ COMMITTED, REPEATABLE READ, AUTOCOMMIT"
    );
}

#[test]
fn a_level_that_a_database_does_not_have_is_named_with_those_it_has() {
    for backend in BACKENDS {
        for level in LEVELS {
            let has = backend != Backend::Sqlite
                || matches!(level, Serializable | ReadUncommitted | Autocommit);
            assert_eq!(level.checked(backend).is_ok(), has, "{backend:?} {level}");
        }
    }
    let error = ReadCommitted.checked(Backend::Sqlite).unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid value `READ COMMITTED` for isolation_level; valid isolation levels for sqlite \
         are READ UNCOMMITTED, SERIALIZABLE, AUTOCOMMIT"
    );
}

#[test]
fn a_servers_answer_names_its_level() {
    let table = [
        (Backend::Postgresql, "read committed", ReadCommitted),
        (Backend::Postgresql, "repeatable read", RepeatableRead),
        (Backend::Mysql, "READ-COMMITTED", ReadCommitted),
        (Backend::Mysql, "REPEATABLE-READ", RepeatableRead),
        (Backend::Mysql, "SERIALIZABLE", Serializable),
        (Backend::Sqlite, "0", Serializable),
        (Backend::Sqlite, "1", ReadUncommitted),
    ];
    for (backend, answer, expected) in table {
        let level = IsolationLevel::from_answer(backend, answer);
        assert_eq!(level, Ok(expected), "{answer}");
    }
    for (backend, answer) in [
        (Backend::Postgresql, "autocommit"),
        (Backend::Mysql, ""),
        (Backend::Sqlite, "2"),
    ] {
        let error = IsolationLevel::from_answer(backend, answer).unwrap_err();
        assert!(
            error.to_string().contains(&format!("`{answer}`")),
            "{error}"
        );
    }
}

#[test]
fn a_level_is_set_for_the_session() {
    let table = [
        (
            Backend::Postgresql,
            RepeatableRead,
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        ),
        (
            Backend::Mysql,
            RepeatableRead,
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        ),
        (Backend::Sqlite, Serializable, "PRAGMA read_uncommitted = 0"),
        (
            Backend::Sqlite,
            ReadUncommitted,
            "PRAGMA read_uncommitted = 1",
        ),
    ];
    for (backend, own, statement) in table {
        assert_eq!(level(own).statement(backend).as_deref(), Some(statement));
    }
}

#[test]
fn autocommit_omits_begin_and_sends_nothing() {
    for backend in BACKENDS {
        assert_eq!(level(Autocommit).statement(backend), None);
        let undo = level(Autocommit).undo(backend, &Characteristics::default(), Serializable);
        assert_eq!(undo, [""; 0]);
    }
    assert_eq!(level(Autocommit).begin(), Begin::Omitted);
    assert_eq!(level(Serializable).begin(), Begin::Sent);
    assert_eq!(Characteristics::default().begin(), Begin::Sent);
}

#[test]
fn what_is_not_given_is_neither_set_nor_undone() {
    for backend in BACKENDS {
        let none = Characteristics::default();
        assert_eq!(none.statement(backend), None);
        assert_eq!(
            none.undo(backend, &level(Serializable), ReadCommitted),
            [""; 0]
        );
    }
}

#[test]
fn a_connections_level_is_taken_back_to_the_engines() {
    let undo = level(Serializable).undo(Backend::Mysql, &level(ReadCommitted), RepeatableRead);
    assert_eq!(
        undo,
        ["SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"]
    );
}

#[test]
fn without_a_level_of_the_engine_a_connection_is_taken_back_to_what_it_had() {
    for engine in [Characteristics::default(), level(Autocommit)] {
        let undo = level(Serializable).undo(Backend::Mysql, &engine, RepeatableRead);
        assert_eq!(
            undo,
            ["SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"]
        );
        let undo = level(ReadUncommitted).undo(Backend::Sqlite, &engine, Serializable);
        assert_eq!(undo, ["PRAGMA read_uncommitted = 0"]);
    }
}

#[test]
fn postgresqls_characteristics_are_set_and_taken_back() {
    let own = Characteristics {
        isolation_level: Some(Serializable),
        postgresql_readonly: Some(true),
        postgresql_deferrable: Some(true),
        read_only: None,
    };
    assert_eq!(
        own.statement(Backend::Postgresql).as_deref(),
        Some(
            "SET SESSION CHARACTERISTICS AS TRANSACTION \
          ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE"
        )
    );
    assert_eq!(
        own.undo(
            Backend::Postgresql,
            &Characteristics::default(),
            ReadCommitted
        ),
        [
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "RESET default_transaction_read_only",
            "RESET default_transaction_deferrable",
        ]
    );
    let engine = Characteristics {
        isolation_level: Some(RepeatableRead),
        postgresql_readonly: Some(false),
        postgresql_deferrable: Some(false),
        read_only: None,
    };
    assert_eq!(
        own.undo(Backend::Postgresql, &engine, ReadCommitted),
        ["SET SESSION CHARACTERISTICS AS TRANSACTION \
          ISOLATION LEVEL REPEATABLE READ, READ WRITE, NOT DEFERRABLE"]
    );
}

#[test]
fn postgresqls_characteristics_are_refused_on_other_databases() {
    let readonly = Characteristics {
        postgresql_readonly: Some(false),
        ..Characteristics::default()
    };
    let deferrable = Characteristics {
        postgresql_deferrable: Some(true),
        ..Characteristics::default()
    };
    for (own, option) in [
        (readonly, "postgresql_readonly"),
        (deferrable, "postgresql_deferrable"),
    ] {
        assert_eq!(own.checked(Backend::Postgresql), Ok(own));
        let error = own.checked(Backend::Mysql).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "{option} is an option for postgresql, and the database is mysql; leave it out"
            )
        );
        assert!(own.checked(Backend::Sqlite).is_err());
    }
    let error = level(RepeatableRead).checked(Backend::Sqlite).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("invalid value `REPEATABLE READ`"),
        "{error}"
    );
}

#[test]
fn a_connection_has_its_own_characteristics_over_the_engines() {
    let engine = Characteristics {
        postgresql_readonly: Some(true),
        ..level(ReadCommitted)
    };
    let expected = Characteristics {
        postgresql_readonly: Some(true),
        ..level(Autocommit)
    };
    assert_eq!(level(Autocommit).over(engine), expected);
    assert_eq!(Characteristics::default().over(engine), engine);
}

fn read_only(only: bool) -> Characteristics {
    Characteristics {
        read_only: Some(only),
        ..Characteristics::default()
    }
}

#[test]
fn each_database_can_be_asked_to_refuse_writes_and_to_take_them_again() {
    let table = [
        (
            Backend::Postgresql,
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY",
            "RESET default_transaction_read_only",
        ),
        (
            Backend::Mysql,
            "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY",
            "SET SESSION TRANSACTION READ WRITE",
        ),
        (
            Backend::Sqlite,
            "PRAGMA read_uncommitted = 0; PRAGMA query_only = 1",
            "PRAGMA query_only = 0",
        ),
    ];
    for (backend, statement, undo) in table {
        let own = read_only(true).checked(backend).unwrap();
        let with_level = own.over(level(Serializable));
        assert_eq!(with_level.statement(backend).as_deref(), Some(statement));
        let engine = Characteristics::default();
        assert_eq!(own.undo(backend, &engine, Serializable), [undo]);
    }
}

#[test]
fn what_is_read_only_from_the_beginning_is_not_made_writable() {
    for (backend, again) in [
        (
            Backend::Postgresql,
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        ),
        (Backend::Mysql, "SET SESSION TRANSACTION READ ONLY"),
        (Backend::Sqlite, "PRAGMA query_only = 1"),
    ] {
        for own in [read_only(true), read_only(false)] {
            assert_eq!(own.undo(backend, &read_only(true), Serializable), [again]);
        }
    }
    let own = Characteristics {
        postgresql_readonly: Some(false),
        ..Characteristics::default()
    };
    assert_eq!(
        own.undo(Backend::Postgresql, &read_only(true), Serializable),
        ["SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"]
    );
}

#[test]
fn read_only_counts_more_than_postgresqls_own_option() {
    let both = Characteristics {
        postgresql_readonly: Some(false),
        ..read_only(true)
    };
    assert_eq!(both.is_read_only(), Some(true));
    assert_eq!(
        both.statement(Backend::Postgresql).as_deref(),
        Some("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    );
    let own = Characteristics {
        postgresql_readonly: Some(true),
        ..Characteristics::default()
    };
    assert_eq!(own.is_read_only(), Some(true));
    assert_eq!(Characteristics::default().is_read_only(), None);
}

#[test]
fn a_pool_of_readers_is_read_only_and_has_the_level_of_its_options() {
    let options = EngineOptions::builder().isolation_level("READ UNCOMMITTED");
    let options = options.build().unwrap();
    let permanent = |role| Characteristics::permanent(&options, role, Backend::Sqlite);
    let expected = level(ReadUncommitted);
    assert_eq!(permanent(Role::Any), Ok(expected));
    assert_eq!(permanent(Role::Writer), Ok(expected));
    assert_eq!(permanent(Role::Reader), Ok(read_only(true).over(expected)));
    let refused = EngineOptions::builder().isolation_level("REPEATABLE READ");
    let refused = refused.build().unwrap();
    Characteristics::permanent(&refused, Role::Any, Backend::Sqlite).unwrap_err();
}
