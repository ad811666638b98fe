//! What an engine writes of its statements and of its pool, with SQLx.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

mod lines;

use std::time::Duration;

use everpool_sqlx::{
    Echo, EngineOptions, EngineOptionsBuilder, ExecutionOptions, Postgres, Sqlite, connect_options,
    create_engine, create_engine_with, query,
};
use everpool_tests::PostgreSql;
use sqlx::ConnectOptions as _;
use tracing::Level;

use lines::Lines;

/// What is written, at this level or above, while an engine with these options does a little. All of it
/// is done in this thread, but for what SQLite itself does.
async fn written(level: Level, options: EngineOptionsBuilder) -> String {
    let lines = Lines::default();
    let _written_there = tracing::subscriber::set_default(lines.subscriber(level));
    let engine = create_engine::<Sqlite>("sqlite://", options.build().unwrap()).unwrap();
    let token: ExecutionOptions = [("logging_token", "request-7")].into_iter().collect();
    let option = engine.execution_options(&token).unwrap();
    let mut connection = option.connect().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let select = query("SELECT ?").bind("the secret");
    select.execute(&mut *transaction).await.unwrap();
    transaction.begin().await.unwrap().rollback().await.unwrap();
    transaction.commit().await.unwrap();
    drop(connection);
    query("SELECT 2").execute(&engine).await.unwrap();
    engine.connect().await.unwrap().invalidate();
    // Until then the pool may have something to write.
    let _report = engine.close(Duration::from_secs(60)).await;
    lines.text()
}

/// The engine's own lines. SQLx writes its own too, for those who read them.
fn of_the_engine(written: &str) -> Vec<&str> {
    let is_own = |line: &&str| line.contains(" everpool::engine:");
    written.lines().filter(is_own).collect()
}

#[tokio::test]
async fn with_echo_each_statement_is_written_with_its_engines_name_and_its_token() {
    let options = EngineOptions::builder().echo(true).logging_name("accounts");
    let written = written(Level::INFO, options).await;
    let lines = of_the_engine(&written);
    let statements = [
        "BEGIN",
        "SELECT ?",
        "SAVEPOINT _sqlx_savepoint_1",
        "ROLLBACK TO SAVEPOINT _sqlx_savepoint_1",
        "COMMIT",
        "SELECT 2",
    ];
    assert_eq!(lines.len(), statements.len(), "{written}");
    for (line, statement) in lines.iter().zip(statements) {
        assert!(line.starts_with(" INFO everpool::engine:"), "{written}");
        assert!(line.contains(&format!(": {statement}")), "{written}");
        assert!(line.contains("name=\"accounts\""), "{written}");
        let has_token = line.contains("token=\"request-7\"");
        assert_eq!(has_token, statement != "SELECT 2", "{written}");
    }
    assert!(!written.contains("the secret"), "{written}");
}

#[tokio::test]
async fn a_token_among_the_engines_options_is_on_every_line_unless_another_takes_its_place() {
    let options = EngineOptions::builder()
        .echo(true)
        .execution_options([("logging_token", "batch")]);
    let written = written(Level::INFO, options).await;
    let token_of = |statement: &str| {
        let line = written.lines().find(|line| line.contains(statement));
        let token = line.unwrap().split_once("token=\"").unwrap().1;
        token.split('"').next().unwrap().to_owned()
    };
    assert_eq!(token_of("SELECT ?"), "request-7", "{written}");
    assert_eq!(token_of("SELECT 2"), "batch", "{written}");
}

#[tokio::test]
async fn without_echo_statements_are_for_those_who_read_details() {
    let at_info = written(Level::INFO, EngineOptions::builder()).await;
    assert!(!at_info.contains("SELECT"), "{at_info}");
    let details = written(Level::DEBUG, EngineOptions::builder()).await;
    assert!(
        details.contains("DEBUG everpool::engine: SELECT 2"),
        "{details}"
    );
}

#[tokio::test]
async fn with_echo_debug_answers_are_written_too() {
    for (echo, answers) in [(Echo::On, 0), (Echo::Debug, 6)] {
        let written = written(Level::DEBUG, EngineOptions::builder().echo(echo)).await;
        assert_eq!(written.matches("answered").count(), answers, "{written}");
    }
}

/// What is hidden from lines without parameters is nothing.
#[tokio::test]
async fn no_line_shows_a_parameter_whatever_hide_parameters_says() {
    for hides in [false, true] {
        let options = EngineOptions::builder().echo(true).hide_parameters(hides);
        let written = written(Level::TRACE, options).await;
        assert!(written.contains("SELECT ?"), "{written}");
        assert!(!written.contains("the secret"), "{written}");
    }
}

/// SQLx's own log is another thing: it goes by SQLx's options.
#[tokio::test]
async fn sqlx_writes_statements_of_its_own_as_the_connect_options_say() {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    for is_on in [true, false] {
        let lines = Lines::default();
        let _written_there = tracing::subscriber::set_default(lines.subscriber(Level::DEBUG));
        let options = connect_options::<Postgres>(server.url()).unwrap();
        let options = match is_on {
            true => options,
            false => options.disable_statement_logging(),
        };
        let engine = create_engine_with::<Postgres>(options, EngineOptions::default()).unwrap();
        let select = query("SELECT $1").bind("the secret");
        select.execute(&engine).await.unwrap();
        let written = lines.text();
        assert!(
            written.contains("DEBUG everpool::engine: SELECT $1"),
            "{written}"
        );
        assert_eq!(written.contains("sqlx::query"), is_on, "{written}");
        assert!(!written.contains("the secret"), "{written}");
    }
}

#[tokio::test]
async fn with_echo_pool_the_pools_life_is_written() {
    let life = [
        (Echo::Off, &[][..]),
        (Echo::On, &["Invalidate connection"]),
        (
            Echo::Debug,
            &[
                "Created new connection",
                "Connection checked out from pool",
                "Connection being returned to pool",
                "Connection checked out from pool",
                "Connection being returned to pool",
                "Connection checked out from pool",
                "Invalidate connection",
            ],
        ),
    ];
    for (echo, steps) in life {
        let options = EngineOptions::builder()
            .pool_logging_name("little")
            .echo_pool(echo);
        let written = written(Level::INFO, options).await;
        let named = " INFO everpool::pool:";
        let lines = written.lines().filter(|line| line.starts_with(named));
        let lines: Vec<_> = lines
            .filter(|line| line.contains("name=\"little\""))
            .collect();
        assert!(lines.len() >= steps.len(), "{written}");
        for (line, step) in lines.iter().zip(steps) {
            assert!(line.contains(step), "{written}");
        }
    }
}
