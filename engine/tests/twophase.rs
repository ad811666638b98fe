//! Two-phase transactions and savepoints, without a database: names and statements.

use std::collections::HashSet;

use everpool_engine::{
    Backend, Savepoints, transaction,
    twophase::{Phase, Xid, XidError, recover},
};

const TWO_PHASE: [Backend; 2] = [Backend::Postgresql, Backend::Mysql];

fn xid(backend: Backend) -> Xid {
    Xid::new(backend, "x").expect("a letter is a name")
}

#[test]
fn postgresql_prepares_and_ends_by_name() {
    let xid = xid(Backend::Postgresql);
    assert_eq!(xid.begin(), "BEGIN");
    assert_eq!(xid.prepare(), ["PREPARE TRANSACTION 'x'"]);
    assert_eq!(xid.commit(Phase::Begun), ["COMMIT"]);
    assert_eq!(xid.commit(Phase::Prepared), ["COMMIT PREPARED 'x'"]);
    assert_eq!(xid.rollback(Phase::Begun), ["ROLLBACK"]);
    assert_eq!(xid.rollback(Phase::Prepared), ["ROLLBACK PREPARED 'x'"]);
    let recover = recover(Backend::Postgresql).unwrap();
    assert!(recover.contains("pg_prepared_xacts"), "{recover}");
}

#[test]
fn mysql_speaks_xa() {
    let xid = xid(Backend::Mysql);
    assert_eq!(xid.begin(), "XA START 'x'");
    assert_eq!(xid.prepare(), ["XA END 'x'", "XA PREPARE 'x'"]);
    assert_eq!(
        xid.commit(Phase::Begun),
        ["XA END 'x'", "XA COMMIT 'x' ONE PHASE"]
    );
    assert_eq!(xid.commit(Phase::Prepared), ["XA COMMIT 'x'"]);
    assert_eq!(
        xid.rollback(Phase::Begun),
        ["XA END 'x'", "XA ROLLBACK 'x'"]
    );
    assert_eq!(xid.rollback(Phase::Prepared), ["XA ROLLBACK 'x'"]);
    assert_eq!(recover(Backend::Mysql).unwrap(), "XA RECOVER");
}

#[test]
fn sqlite_has_no_two_phase_transactions_and_says_so() {
    let errors = [
        Xid::new(Backend::Sqlite, "x").unwrap_err(),
        Xid::random(Backend::Sqlite).unwrap_err(),
        recover(Backend::Sqlite).unwrap_err(),
    ];
    for error in errors {
        let text = error.to_string();
        assert_eq!(text, "sqlite has no two-phase transactions; use begin()");
    }
}

#[test]
fn a_name_of_ours_has_32_hexadecimal_digits_and_is_never_given_twice() {
    for backend in TWO_PHASE {
        let names: HashSet<_> = (0..1000)
            .map(|_| Xid::random(backend).unwrap().to_string())
            .collect();
        assert_eq!(names.len(), 1000);
        for name in names {
            let digits = name.strip_prefix("_ep_").unwrap();
            assert_eq!(digits.len(), 32, "{name}");
            let hexadecimal = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
            assert!(digits.chars().all(hexadecimal), "{name}");
        }
    }
}

#[test]
fn a_name_that_would_leave_its_quotes_is_refused_by_its_character() {
    for backend in TWO_PHASE {
        for name in [
            "'",
            "x'; DROP TABLE users; --",
            "x\\",
            "x\n",
            "x\0",
            "x\u{7f}",
            "é",
        ] {
            let error = Xid::new(backend, name).unwrap_err();
            assert!(
                matches!(error, XidError::Character(_)),
                "{name:?}: {error:?}"
            );
        }
    }
    let error = Xid::new(Backend::Mysql, "it's").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the xid has '\\'' in it; use printable ASCII without quotes ' and backslashes"
    );
}

#[test]
fn a_name_of_another_program_is_a_name() {
    for name in ["131077_AAA=/+.:-#@", "{\"id\": 7}", " "] {
        assert_eq!(
            Xid::new(Backend::Postgresql, name).unwrap().to_string(),
            name
        );
    }
}

#[test]
fn a_name_has_its_databases_length() {
    for (backend, longest) in [(Backend::Postgresql, 199), (Backend::Mysql, 64)] {
        assert!(Xid::new(backend, &"x".repeat(longest)).is_ok());
        assert!(matches!(
            Xid::new(backend, ""),
            Err(XidError::Length { .. })
        ));
        let error = Xid::new(backend, &"x".repeat(longest + 1)).unwrap_err();
        let (length, name) = (longest + 1, backend.name());
        assert_eq!(
            error.to_string(),
            format!("the xid has {length} bytes; {name} takes 1 to {longest}")
        );
    }
}

#[test]
fn what_mysql_recovers_is_a_name_of_ours_or_none() {
    let ours = Xid::random(Backend::Mysql).unwrap();
    let length = ours.to_string().len() as u64;
    assert_eq!(
        Xid::from_recovered(1, length, 0, &ours.to_string()),
        Some(ours.clone())
    );
    assert_eq!(Xid::from_recovered(7, length, 0, &ours.to_string()), None);
    assert_eq!(
        Xid::from_recovered(1, length - 4, 4, &ours.to_string()),
        None
    );
    assert_eq!(
        Xid::from_recovered(1, length - 4, 0, &ours.to_string()),
        None
    );
    assert_eq!(Xid::from_recovered(1, 4, 0, "it's"), None);
}

#[test]
fn savepoints_of_a_connection_are_numbered_and_no_number_comes_twice() {
    let mut savepoints = Savepoints::default();
    let names: Vec<_> = (0..3).map(|_| savepoints.begin().to_string()).collect();
    assert_eq!(
        names,
        ["ep_savepoint_1", "ep_savepoint_2", "ep_savepoint_3"]
    );
}

#[test]
fn a_savepoint_is_set_released_and_rolled_back_to() {
    let savepoint = Savepoints::default().begin();
    assert_eq!(savepoint.begin(), "SAVEPOINT ep_savepoint_1");
    assert_eq!(savepoint.release(), "RELEASE SAVEPOINT ep_savepoint_1");
    assert_eq!(savepoint.rollback(), "ROLLBACK TO SAVEPOINT ep_savepoint_1");
}

#[test]
fn the_end_of_a_mysql_transaction_is_no_beginning_of_another() {
    assert_eq!(
        transaction::commit(Backend::Mysql),
        "COMMIT AND NO CHAIN NO RELEASE"
    );
    assert_eq!(
        transaction::rollback(Backend::Mysql),
        "ROLLBACK AND NO CHAIN NO RELEASE"
    );
    for backend in [Backend::Postgresql, Backend::Sqlite] {
        assert_eq!(transaction::commit(backend), "COMMIT");
        assert_eq!(transaction::rollback(backend), "ROLLBACK");
    }
}
