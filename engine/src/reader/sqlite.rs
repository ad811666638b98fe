//! What a text does to the transaction on a connection to SQLite, by its words.

use super::{
    effect::Effect,
    text::{self, Comments, is_double_dash, plain_words, words},
};

const COMMENTS: Comments = Comments {
    is_line: is_double_dash,
    newlines: &['\n'],
    is_plain: |_| true,
};

/// What begins and ends nothing, or ends only what is open. The release of a savepoint that began the
/// transaction commits it.
const KEEPS: &[&str] = &[
    "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "VALUES", "PRAGMA", "EXPLAIN",
    "CREATE", "ALTER", "DROP", "ATTACH", "DETACH", "ANALYZE", "REINDEX", "VACUUM", "RELEASE",
];

pub(super) fn effect(text: &str) -> Effect {
    text::effect(text, |piece, _| statement(piece))
}

fn statement(piece: &str) -> Effect {
    let Some((first, rest)) = words(piece, &COMMENTS) else {
        return Effect::Opens;
    };
    let is = |word: &str| first.eq_ignore_ascii_case(word);
    if KEEPS.iter().any(|word| is(word)) || first.is_empty() && rest.is_empty() {
        Effect::Keeps
    } else if is("COMMIT") || is("END") || is("ROLLBACK") {
        plain_words(rest).map_or(Effect::Opens, |rest| end(&rest))
    } else {
        // A savepoint outside of a transaction begins one.
        Effect::Opens
    }
}

fn end(rest: &str) -> Effect {
    match rest.split(' ').any(|word| word == "TO") {
        true => Effect::Keeps,
        false => Effect::Ends,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_effect(expected: Effect, texts: &[&str]) {
        text::assert_effect(effect, expected, texts);
    }

    #[test]
    fn statements_that_begin_nothing_keep_what_is() {
        let texts = [
            "SELECT 1",
            "insert or rollback into t values (?)",
            "REPLACE INTO t VALUES (1)",
            "WITH c AS (SELECT 1) SELECT * FROM c",
            "VALUES (1)",
            "PRAGMA foreign_keys = ON",
            "ATTACH 'other.db' AS other",
            "DETACH other",
            "VACUUM",
            "CREATE TABLE t (i int)",
            "CREATE TRIGGER a AFTER INSERT ON t BEGIN DELETE FROM s; END",
            "EXPLAIN BEGIN",
            "RELEASE a",
            "ROLLBACK TO a",
            "rollback transaction to savepoint a",
            "SELECT 1; SELECT 2",
            "-- why\nSELECT 1",
            "/* why */ SELECT 1",
            "COMMIT; SELECT 1",
            "",
            " ; ",
        ];
        assert_effect(Effect::Keeps, &texts);
    }

    #[test]
    fn a_begin_opens_one_and_so_does_a_savepoint_outside_of_a_transaction() {
        let texts = [
            "BEGIN",
            "begin immediate",
            "BEGIN EXCLUSIVE TRANSACTION;",
            "-- why\nBEGIN",
            "--BEGIN\n/**/begin",
            "SAVEPOINT a",
            "SELECT 1; SAVEPOINT a",
            "BEGIN; INSERT INTO t VALUES (1); COMMIT",
        ];
        assert_effect(Effect::Opens, &texts);
    }

    #[test]
    fn a_transaction_is_ended_by_an_end_alone() {
        let texts = [
            "COMMIT",
            "commit transaction;",
            "END",
            "END TRANSACTION a",
            "ROLLBACK",
            "ROLLBACK TRANSACTION",
        ];
        assert_effect(Effect::Ends, &texts);
    }

    #[test]
    fn what_is_not_understood_may_open_one() {
        let texts = [
            "-- a; SELECT 1\nBEGIN",
            "-- a\rSELECT 1\nBEGIN",
            "/* a; SELECT 1 */ BEGIN",
            "\u{feff}BEGIN",
            "ROLLBACK/**/TO a",
            "ROLLBACK -- no\nTO a",
            "SELECT ';'",
            "/* no end",
            "NEWWORD",
        ];
        assert_effect(Effect::Opens, &texts);
    }
}
