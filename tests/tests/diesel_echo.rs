//! What an engine writes of its statements.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

mod lines;

use diesel::{RunQueryDsl, SqliteConnection, sql_query, sql_types::Text};
use everpool_diesel::{Echo, EngineOptions, EngineOptionsBuilder, ExecutionOptions, create_engine};
use tracing::Level;

use lines::Lines;

/// What is written, at this level or above, while an engine with these options does a little.
fn written(level: Level, options: EngineOptionsBuilder) -> String {
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.subscriber(level), || {
        let engine = create_engine::<SqliteConnection>("sqlite://", options.build().unwrap());
        let engine = engine.unwrap();
        let token: ExecutionOptions = [("logging_token", "request-7")].into_iter().collect();
        let mut connection = engine.execution_options(&token).unwrap().connect().unwrap();
        let mut transaction = connection.begin().unwrap();
        sql_query("SELECT ?")
            .bind::<Text, _>("the secret")
            .execute(&mut *transaction)
            .unwrap();
        transaction.commit().unwrap();
        drop(connection);
        let mut connection = engine.connect().unwrap();
        sql_query("SELECT 2").execute(&mut connection).unwrap();
    });
    lines.text()
}

#[test]
fn with_echo_each_statement_is_written_with_its_engines_name_and_its_token() {
    let options = EngineOptions::builder().echo(true).logging_name("accounts");
    let written = written(Level::INFO, options);
    let lines: Vec<_> = written.lines().collect();
    let head = " INFO everpool::engine:";
    assert!(lines[0].starts_with(head), "{written}");
    for (line, statement) in lines.iter().zip(["BEGIN", "SELECT ?", "COMMIT"]) {
        assert!(line.contains(statement), "{written}");
        assert!(
            line.contains("name=\"accounts\" token=\"request-7\""),
            "{written}"
        );
    }
    assert!(lines[1].contains("the secret"), "{written}");
    let last = lines.iter().find(|line| line.contains("SELECT 2")).unwrap();
    assert!(!last.contains("token"), "{written}");
}

#[test]
fn a_token_among_the_engines_options_is_on_every_line_unless_another_takes_its_place() {
    let options = EngineOptions::builder()
        .echo(true)
        .execution_options([("logging_token", "batch")]);
    let written = written(Level::INFO, options);
    let token_of = |statement: &str| {
        let line = written.lines().find(|line| line.contains(statement));
        let token = line.unwrap().split_once("token=\"").unwrap().1;
        token.split('"').next().unwrap().to_owned()
    };
    assert_eq!(token_of("SELECT ?"), "request-7", "{written}");
    assert_eq!(token_of("SELECT 2"), "batch", "{written}");
}

#[test]
fn without_echo_statements_are_for_those_who_read_details() {
    let written_at = |level| written(level, EngineOptions::builder());
    assert!(!written_at(Level::INFO).contains("SELECT"));
    let details = written_at(Level::DEBUG);
    assert!(
        details.contains("DEBUG everpool::engine: SELECT 2"),
        "{details}"
    );
}

#[test]
fn with_echo_debug_answers_are_written_too() {
    let answers = |echo| {
        let written = written(Level::DEBUG, EngineOptions::builder().echo(echo));
        written.matches("answered").count()
    };
    assert_eq!(answers(Echo::On), 0);
    assert_eq!(answers(Echo::Debug), 4);
}

#[test]
fn hidden_parameters_are_not_written() {
    let options = EngineOptions::builder().echo(true).hide_parameters(true);
    let written = written(Level::TRACE, options);
    assert!(written.contains("SELECT ?"), "{written}");
    assert!(
        written.contains("[SQL parameters hidden due to hide_parameters=True]"),
        "{written}"
    );
    assert!(!written.contains("the secret"), "{written}");
}
