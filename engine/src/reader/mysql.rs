//! What a text does to the transaction on a connection to MySQL or MariaDB, by its words.
//!
//! The first word of a statement decides. One that begins with no word that is known obscures.

use super::{
    effect::Effect,
    text::{self, Comments, is_double_dash, mentions, starts_with_word, words},
};

const COMMENTS: Comments = Comments {
    is_line: is_line_comment,
    newlines: &['\n'],
    // The server executes what stands in `/*! */` and `/*M! */`.
    is_plain: |comment| !comment.starts_with(['!', 'M']),
};

/// What begins and ends nothing in autocommit mode. A function that is called in one of these may do
/// neither (the server's errors 1422 and 1445).
const KEEPS: &[&str] = &[
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "REPLACE",
    "WITH",
    "VALUES",
    "SHOW",
    "EXPLAIN",
    "DESCRIBE",
    "DESC",
    "DO",
    "USE",
    "SAVEPOINT",
    "RELEASE",
    "ALTER",
    "DROP",
    "TRUNCATE",
    "RENAME",
];

pub(super) fn effect(text: &str) -> Effect {
    text::effect(text, statement)
}

/// `piece` begins where a statement may begin, in the text `whole`. Where more than its beginning
/// counts, the whole text is looked at, because a quotation may reach beyond the piece.
fn statement(piece: &str, whole: &str) -> Effect {
    let Some((first, rest)) = words(piece, &COMMENTS) else {
        return Effect::Obscures;
    };
    let is = |word: &str| first.eq_ignore_ascii_case(word);
    if KEEPS.iter().any(|word| is(word)) {
        Effect::Keeps
    } else if is("COMMIT") || is("ROLLBACK") {
        end(rest)
    } else if is("BEGIN") {
        begin(rest)
    } else if is("START") && starts_with_word(rest, "TRANSACTION") {
        Effect::Opens
    } else if is("SET") {
        set(rest, whole)
    } else if is("CREATE") {
        create(whole)
    } else if first.is_empty() && rest.is_empty() {
        Effect::Keeps
    } else {
        Effect::Obscures
    }
}

fn begin(rest: &str) -> Effect {
    match rest.is_empty() || rest.eq_ignore_ascii_case("WORK") {
        true => Effect::Opens,
        // `BEGIN NOT ATOMIC` is a block of any statements.
        false => Effect::Obscures,
    }
}

/// Without `AND NO CHAIN`, a COMMIT or ROLLBACK may begin the next transaction: so says
/// `completion_type`.
fn end(rest: &str) -> Effect {
    let mut words = rest.split_ascii_whitespace().peekable();
    words.next_if(|word| word.eq_ignore_ascii_case("WORK"));
    let words: Vec<_> = words.map(str::to_ascii_uppercase).collect();
    match words.join(" ").as_str() {
        "AND NO CHAIN" | "AND NO CHAIN NO RELEASE" => Effect::Ends,
        "" => Effect::EndsUnlessChained,
        words if starts_with_word(words, "TO") => Effect::Keeps,
        _ => Effect::Opens,
    }
}

fn set(rest: &str, whole: &str) -> Effect {
    let changes_what_statements_do = starts_with_word(rest, "STATEMENT")
        || mentions(whole, "autocommit")
        || mentions(whole, "completion_type");
    match changes_what_statements_do {
        true => Effect::Obscures,
        false => Effect::Keeps,
    }
}

/// `CREATE TABLE … START TRANSACTION` of MySQL 8 waits for a COMMIT.
fn create(whole: &str) -> Effect {
    match mentions(whole, "start") && mentions(whole, "transaction") {
        true => Effect::Obscures,
        false => Effect::Keeps,
    }
}

fn is_line_comment(text: &str) -> bool {
    let is_dashes = || {
        let after = text.get(2..).unwrap_or_default();
        is_double_dash(text) && after.starts_with(|c: char| c.is_ascii_whitespace())
    };
    text.starts_with('#') || is_dashes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_effect(expected: Effect, texts: &[&str]) {
        text::assert_effect(effect, expected, texts);
    }

    #[test]
    fn statements_that_begin_and_end_nothing_keep_what_is() {
        let texts = [
            "SELECT 1",
            "select 1;",
            " \n\tSeLeCt 1 ; ;\n",
            "(SELECT 1) UNION (SELECT 2)",
            "( /* both */ (SELECT 1))",
            "INSERT INTO t VALUES (?, ?)",
            "update t set i = 1",
            "DELETE FROM t",
            "REPLACE INTO t VALUES (1)",
            "WITH c AS (SELECT 1) SELECT * FROM c",
            "VALUES (1)",
            "SHOW TABLES",
            "EXPLAIN SELECT 1",
            "DESCRIBE t",
            "DO RELEASE_LOCK('a')",
            "SELECT GET_LOCK('a', 0)",
            "SELECT 1 INTO @a",
            "USE app",
            "SAVEPOINT a",
            "RELEASE SAVEPOINT a",
            "ROLLBACK TO a",
            "rollback to savepoint a",
            "ROLLBACK WORK TO a",
            "CREATE TABLE t (i int)",
            "CREATE TEMPORARY TABLE t (i int)",
            "CREATE TABLE transactions (i int)",
            "CREATE PROCEDURE p() COMMIT",
            "ALTER TABLE t ADD j int",
            "DROP TABLE t",
            "TRUNCATE t",
            "RENAME TABLE t TO s",
            "SELECT 'BEGIN'",
            "SELECT 1; SELECT 2",
        ];
        assert_effect(Effect::Keeps, &texts);
    }

    #[test]
    fn settings_keep_what_is_unless_they_change_what_statements_do() {
        assert_effect(
            Effect::Keeps,
            &[
                "SET @a = 1",
                "SET time_zone = '+00:00';",
                "SET NAMES utf8mb4",
                "SET foreign_key_checks = 0",
                "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
                "SET TRANSACTION READ ONLY",
            ],
        );
        assert_effect(
            Effect::Obscures,
            &[
                "SET autocommit = 0",
                "SET completion_type = 'CHAIN'",
                "set @@completion_type = 1",
                "set @@session.AutoCommit=0",
                "SET `autocommit` = 0",
                "SET @a = 1, autocommit = 0",
                "SET/**/autocommit/**/=0",
                "SET @a = ';', autocommit = 0",
                "SET @a = '; SELECT ', autocommit = 0",
                "SET /*! autocommit = */ 0",
                "SET STATEMENT autocommit = 0 FOR SELECT 1",
                "SET STATEMENT max_statement_time = 1 FOR CALL p()",
            ],
        );
    }

    #[test]
    fn what_begins_a_transaction_opens_it_in_every_spelling() {
        assert_effect(
            Effect::Opens,
            &[
                "BEGIN",
                "begin",
                " \r\n\tBegin ; ",
                "BEGIN WORK",
                "begin work;",
                "/* why */ BEGIN",
                "-- why\nBEGIN",
                "# why\n/* and */ -- how\nBEGIN",
                "START TRANSACTION",
                "start  transaction read only",
                "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ WRITE",
                "SELECT 1; BEGIN",
                "BEGIN; INSERT INTO t VALUES (1)",
                "BEGIN; INSERT INTO t VALUES (1); COMMIT",
            ],
        );
    }

    #[test]
    fn an_end_is_one_only_by_itself_and_if_it_cannot_chain() {
        assert_effect(
            Effect::Ends,
            &[
                "COMMIT AND NO CHAIN",
                " rollback work and no  chain no release ;",
                "/* so */ ROLLBACK AND NO CHAIN NO RELEASE",
            ],
        );
        assert_effect(
            Effect::Opens,
            &[
                "COMMIT AND CHAIN",
                "ROLLBACK WORK AND CHAIN NO RELEASE",
                "COMMIT RELEASE",
                "ROLLBACK AND NO CHAIN RELEASE",
                "SELECT 1; COMMIT",
            ],
        );
        assert_effect(
            Effect::EndsUnlessChained,
            &["COMMIT", "rollback", "COMMIT WORK"],
        );
        assert_effect(Effect::Keeps, &["COMMIT AND NO CHAIN; SELECT 1"]);
    }

    #[test]
    fn what_is_not_understood_obscures() {
        assert_effect(
            Effect::Obscures,
            &[
                "/*!50000 BEGIN */",
                "/*M!100100 BEGIN */",
                "/*! SELECT */ 1",
                "SELECT 1; /*!50000 BEGIN */",
                "BEGIN NOT ATOMIC SELECT 1; END",
                "BEGIN/**/NOT ATOMIC COMMIT",
                "CALL p()",
                "PREPARE s FROM 'BEGIN'",
                "EXECUTE s",
                "EXECUTE IMMEDIATE 'BEGIN'",
                "XA START 'x'",
                "LOCK TABLES t WRITE",
                "UNLOCK TABLES",
                "HANDLER t OPEN",
                "FLUSH TABLES WITH READ LOCK",
                "START SLAVE",
                "label: BEGIN NOT ATOMIC COMMIT; END",
                "IF 1 THEN COMMIT; END IF",
                "CREATE TABLE t (i int) START TRANSACTION",
                "CREATE PROCEDURE p() BEGIN COMMIT; END",
                "BEGINNING",
                "--BEGIN",
                "`BEGIN`",
                "@a := 1",
            ],
        );
    }

    #[test]
    fn a_comment_or_a_quotation_with_a_semicolon_hides_no_statement() {
        assert_effect(
            Effect::Obscures,
            &[
                "-- a; SELECT 1\nBEGIN",
                "/* a; SELECT 1 */ BEGIN",
                "# it's; SELECT 1\nCOMMIT AND CHAIN",
                "SELECT ';'",
            ],
        );
        assert_effect(Effect::Opens, &["SELECT 1 -- ; SELECT 2\n; BEGIN"]);
    }

    #[test]
    fn a_text_that_is_nothing_keeps_what_is() {
        assert_effect(Effect::Keeps, &["", " ; ", "/* nothing */"]);
        assert_effect(Effect::Obscures, &["-- no end", "/* no end"]);
    }
}
