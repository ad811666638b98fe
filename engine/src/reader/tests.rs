use super::*;

const COMMIT: &str = "COMMIT AND NO CHAIN";

fn after(story: &[(&str, bool)]) -> Reader {
    let mut reader = Reader::default();
    for (sql, succeeds) in story {
        reader.sent(sql);
        match succeeds {
            true => reader.succeeded(),
            false => reader.failed("Duplicate entry '1' for key 'PRIMARY'"),
        }
    }
    reader
}

#[test]
fn a_transaction_is_over_when_its_end_is_answered_and_not_before() {
    let mut reader = after(&[("BEGIN", true), ("INSERT INTO t VALUES (1)", true)]);
    assert!(reader.may_be_open());
    reader.sent(COMMIT);
    assert!(reader.may_be_open());
    reader.succeeded();
    assert!(!reader.may_be_open());
}

#[test]
fn an_end_is_under_way_until_it_is_answered() {
    let mut reader = after(&[("BEGIN", true)]);
    reader.sent(COMMIT);
    assert!(reader.is_ending());
    reader.succeeded();
    assert!(!reader.is_ending());
    reader.sent("INSERT INTO t VALUES ('COMMIT')");
    assert!(!reader.is_ending());
}

#[test]
fn an_end_that_fails_or_is_never_answered_is_none() {
    assert!(after(&[("BEGIN", true), (COMMIT, false)]).may_be_open());
    let mut reader = after(&[("BEGIN", true)]);
    reader.sent(COMMIT);
    reader.sent("SELECT 1");
    reader.succeeded();
    assert!(reader.may_be_open());
}

#[test]
fn a_failed_begin_may_have_begun() {
    assert!(after(&[("BEGIN", false)]).may_be_open());
}

#[test]
fn a_deadlock_undoes_the_transaction_until_it_is_ended() {
    let mut reader = after(&[("BEGIN", true)]);
    reader.sent("UPDATE t SET i = 1");
    reader.failed("Deadlock found when trying to get lock; try restarting transaction");
    assert!(reader.is_undone() && reader.may_be_open());
    reader.sent("SELECT 1");
    reader.succeeded();
    assert!(reader.is_undone());
    reader.sent("ROLLBACK");
    reader.succeeded();
    assert!(!reader.is_undone());
}

#[test]
fn a_deadlock_without_a_transaction_undoes_none() {
    let mut reader = Reader::default();
    reader.sent("UPDATE t SET i = 1");
    reader.failed("Deadlock found when trying to get lock; try restarting transaction");
    assert!(!reader.is_undone() && !reader.may_be_open());
}

#[test]
fn a_savepoint_opens_and_ends_nothing() {
    let savepoints = [
        ("SAVEPOINT diesel_savepoint_1", true),
        ("ROLLBACK TO SAVEPOINT diesel_savepoint_1", true),
        ("RELEASE SAVEPOINT diesel_savepoint_1", true),
    ];
    assert!(!after(&savepoints).may_be_open());
    let mut story = vec![("BEGIN", true)];
    story.extend(savepoints);
    assert!(after(&story).may_be_open());
}

#[test]
fn after_what_is_not_understood_every_statement_may_open_one() {
    let mut reader = after(&[("SET autocommit = 0", true)]);
    assert!(reader.may_be_open());
    for _ in 0..2 {
        reader.sent("ROLLBACK AND NO CHAIN");
        reader.succeeded();
        assert!(!reader.may_be_open());
        reader.sent("SELECT 1");
        reader.succeeded();
        assert!(reader.may_be_open());
    }
}

#[test]
fn what_was_not_read_is_not_trusted() {
    let mut reader = Reader::default();
    reader.distrust();
    assert!(reader.may_be_open());
    reader.sent(COMMIT);
    reader.succeeded();
    assert!(!reader.may_be_open());
    reader.sent("SELECT 1");
    assert!(reader.may_be_open());
}

const DEADLOCKED: &str = "deadlock detected";

fn on(backend: Backend, story: &[(&str, bool)]) -> Reader {
    let mut reader = Reader::new(backend);
    for (sql, succeeds) in story {
        reader.sent(sql);
        match succeeds {
            true => reader.succeeded(),
            false => reader.failed(DEADLOCKED),
        }
    }
    reader
}

#[test]
fn a_plain_end_is_one_until_a_text_may_have_changed_what_it_does() {
    let of_mysql = |story: &[(&str, bool)]| on(Backend::Mysql, story);
    assert!(after(&[("BEGIN", true), ("COMMIT", true)]).may_be_open());
    assert!(!of_mysql(&[("BEGIN", true), ("COMMIT", true)]).may_be_open());
    for doubt in ["SET completion_type = 1", "CALL p()"] {
        let story = [(doubt, true), ("BEGIN", true), ("COMMIT", true)];
        assert!(of_mysql(&story).may_be_open(), "{doubt}");
    }
}

#[test]
fn on_postgresql_a_failure_undoes_what_is_open_until_its_end() {
    let of_postgresql = |story: &[(&str, bool)]| on(Backend::Postgresql, story);
    assert!(!of_postgresql(&[("SELEC", false)]).may_be_open());
    let mut story = vec![("BEGIN", true), ("SELEC", false)];
    assert!(of_postgresql(&story).is_undone());
    // Some are understood by the server and change nothing.
    story.extend([
        ("", true),
        ("/* ; rollback to a */", true),
        ("BEGIN", false),
    ]);
    assert!(of_postgresql(&story).is_undone());
    story.push(("COMMIT", true));
    assert!(!of_postgresql(&story).may_be_open());
}

#[test]
fn on_postgresql_a_return_to_a_savepoint_heals_and_a_release_does_not() {
    for (last, succeeds, is_undone) in [
        ("ROLLBACK TO a", true, false),
        ("ROLLBACK TO b", false, true),
        ("RELEASE a", false, true),
        ("ROLLBACK AND CHAIN", true, false),
    ] {
        let mut story = vec![("BEGIN", true), ("SAVEPOINT a", true), ("SELEC", false)];
        story.push((last, succeeds));
        let reader = on(Backend::Postgresql, &story);
        assert_eq!(reader.is_undone(), is_undone, "{last}");
        assert!(reader.may_be_open(), "{last}");
    }
}

#[test]
fn an_end_that_was_given_up_is_none_whatever_succeeds_next() {
    for backend in [Backend::Postgresql, Backend::Mysql, Backend::Sqlite] {
        let mut reader = on(backend, &[("BEGIN", true)]);
        reader.sent("COMMIT");
        reader.given_up();
        reader.succeeded();
        assert!(reader.may_be_open(), "{backend:?}");
    }
}

#[test]
fn on_sqlite_a_savepoint_that_began_the_transaction_may_have_ended_it() {
    let of_sqlite = |story: &[(&str, bool)]| on(Backend::Sqlite, story);
    assert!(of_sqlite(&[("SAVEPOINT a", true)]).may_be_open());
    let mut story = vec![("SAVEPOINT a", true), ("RELEASE a", true)];
    assert!(of_sqlite(&story).may_be_open());
    story.push(("ROLLBACK", true));
    assert!(!of_sqlite(&story).may_be_open());
}

#[test]
fn who_was_asked_is_trusted_again() {
    let mut reader = on(
        Backend::Mysql,
        &[("CALL p()", true), ("ROLLBACK AND NO CHAIN", true)],
    );
    reader.trust();
    reader.sent("SELECT 1");
    assert!(!reader.may_be_open());
    reader.sent("BEGIN");
    reader.succeeded();
    reader.trust();
    assert!(reader.may_be_open());
}

#[test]
fn what_was_missed_is_over_with_the_next_end() {
    let mut reader = Reader::new(Backend::Postgresql);
    reader.missed();
    assert!(reader.may_be_open());
    reader.sent("ROLLBACK");
    reader.succeeded();
    reader.sent("SELECT 1");
    assert!(!reader.may_be_open());
}
