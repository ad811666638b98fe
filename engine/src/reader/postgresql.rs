//! What a text does to the transaction on a connection to PostgreSQL, by its words.
//!
//! A list of what begins one is exact here: the server has no autocommit mode that could be switched
//! off, and neither a function nor a prepared statement can leave one open.

use super::{
    effect::Effect,
    text::{self, Comments, is_double_dash, plain_words, starts_with_word, words},
};

const COMMENTS: Comments = Comments {
    is_line: is_double_dash,
    newlines: &['\n', '\r'],
    // They nest.
    is_plain: |comment| !comment.contains("/*"),
};

pub(super) fn effect(text: &str) -> Effect {
    text::effect(text, |piece, _| statement(piece))
}

fn statement(piece: &str) -> Effect {
    let Some((first, rest)) = words(piece, &COMMENTS) else {
        return Effect::Opens;
    };
    let is = |word: &str| first.eq_ignore_ascii_case(word);
    if is("BEGIN") || is("START") {
        Effect::Begins
    } else if is("COMMIT") || is("END") || is("ROLLBACK") || is("ABORT") {
        plain_words(rest).map_or(Effect::Opens, |rest| end(&rest))
    } else if is("PREPARE") && starts_with_word(rest, "TRANSACTION") {
        Effect::Ends
    } else if first.is_empty() && !rest.is_empty() {
        Effect::Opens
    } else {
        Effect::Keeps
    }
}

fn end(rest: &str) -> Effect {
    let rest = ["WORK", "TRANSACTION"]
        .into_iter()
        .find_map(|noise| {
            rest.strip_prefix(noise)
                .filter(|_| starts_with_word(rest, noise))
        })
        .unwrap_or(rest);
    match rest.trim_start() {
        "" | "AND NO CHAIN" => Effect::Ends,
        "AND CHAIN" => Effect::Begins,
        to if starts_with_word(to, "TO") => Effect::Returns,
        prepared if starts_with_word(prepared, "PREPARED") => Effect::Keeps,
        _ => Effect::Opens,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_effect(expected: Effect, texts: &[&str]) {
        text::assert_effect(effect, expected, texts);
    }

    #[test]
    fn whatever_is_not_known_to_begin_a_transaction_begins_none() {
        let texts = [
            "SELECT 1",
            "(SELECT 1) UNION (SELECT 2)",
            "insert into t values ($1)",
            "WITH c AS (DELETE FROM t RETURNING i) SELECT * FROM c",
            "SET search_path = app",
            "SET LOCAL work_mem = '1MB'",
            "LISTEN news",
            "NOTIFY news, 'begin'",
            "DO $$ PERFORM 1 $$",
            "CALL p()",
            "COPY t FROM STDIN",
            "VACUUM t",
            "LOCK TABLE t",
            "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
            "SAVEPOINT a",
            "RELEASE a",
            "SELECT 'BEGIN'",
            "SELECT 1; SELECT 2",
            "PREPARE s AS SELECT 1",
            "EXECUTE s",
            "DISCARD ALL",
            "COMMIT PREPARED 'x'",
            "rollback  prepared 'x'",
            "BEGINNING",
            "",
            " ; ",
            "/* nothing */",
        ];
        assert_effect(Effect::Keeps, &texts);
    }

    #[test]
    fn what_begins_a_transaction_begins_it_in_every_spelling() {
        let texts = [
            "BEGIN",
            "begin;",
            " \r\n\tBegin WORK ;",
            "BEGIN ISOLATION LEVEL SERIALIZABLE",
            "BEGIN/**/READ ONLY",
            "START TRANSACTION",
            "start\ttransaction read write",
            "/* why */ BEGIN",
            "-- why\nBEGIN",
            "-- why\rBEGIN",
            "--BEGIN\n/* and */ -- how\nbegin",
            "COMMIT AND CHAIN",
            "end transaction and  chain",
            "ROLLBACK WORK AND CHAIN",
            "abort and chain",
        ];
        assert_effect(Effect::Begins, &texts);
    }

    #[test]
    fn a_transaction_is_ended_by_an_end_alone() {
        let texts = [
            "COMMIT",
            "commit work;",
            "END",
            "End Transaction",
            "ROLLBACK",
            "ABORT",
            "ROLLBACK TRANSACTION AND NO CHAIN",
            "PREPARE TRANSACTION 'x'",
            "/* so */ COMMIT",
        ];
        assert_effect(Effect::Ends, &texts);
        assert_effect(Effect::Keeps, &["COMMIT; SELECT 1", "BEGINS; COMMIT"]);
    }

    #[test]
    fn a_rollback_to_a_savepoint_returns_there() {
        let texts = [
            "ROLLBACK TO a",
            "rollback to savepoint \"a\"",
            "ROLLBACK WORK TO a",
            "ABORT TO a",
            "ROLLBACK TO a; SELECT 1",
        ];
        assert_effect(Effect::Returns, &texts);
    }

    #[test]
    fn of_several_statements_one_may_begin_it() {
        let texts = [
            "SELECT 1; BEGIN",
            "BEGIN; INSERT INTO t VALUES (1)",
            "BEGIN; INSERT INTO t VALUES (1); COMMIT",
            "COMMIT; BEGIN",
            "SELECT ';'; BEGIN",
            "SELECT $$;$$; BEGIN",
        ];
        assert_effect(Effect::Opens, &texts);
    }

    #[test]
    fn a_comment_or_a_quotation_with_a_semicolon_hides_none() {
        let texts = [
            "-- a; SELECT 1\nBEGIN",
            "/* a; SELECT 1 */ BEGIN",
            "/* /* */ SELECT */ BEGIN",
            "-- a\rBEGIN\nSELECT 1; SELECT 2",
            "SELECT ';'",
            "-- no end",
            "/* no end",
            "COMMIT/**/AND CHAIN",
            "COMMIT -- really\nAND CHAIN",
            "\u{b}BEGIN",
        ];
        for text in texts {
            assert_ne!(effect(text), Effect::Keeps, "{text:?}");
            assert_ne!(effect(text), Effect::Ends, "{text:?}");
        }
    }
}
