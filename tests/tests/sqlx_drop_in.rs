//! One application, compiled with SQLx, with its stand-in, and with other `use` lines, is answered the same.

use std::{collections::BTreeSet, error::Error};

use everpool_tests::PostgreSql;

type Outcome = Result<(), Box<dyn Error>>;

/// A directory or a server for each, since each makes its own tables.
#[tokio::test]
async fn an_app_on_sqlite_is_answered_the_same_whatever_sqlx_is() -> Outcome {
    let directories = [(); 3].map(|()| tempfile::tempdir());
    let [bare, renamed, used] = directories;
    let (bare, renamed, used) = (bare?, renamed?, used?);
    let expected = app_on_sqlx::on_sqlite(bare.path()).await?;
    assert!(expected.len() > 15, "{expected:#?}");
    assert_eq!(app_on_everpool::on_sqlite(renamed.path()).await?, expected);
    assert_eq!(app_with_use_lines::on_sqlite(used.path()).await?, expected);
    Ok(())
}

#[tokio::test]
async fn an_app_on_postgresql_is_answered_the_same_whatever_sqlx_is() -> Outcome {
    let servers = [
        PostgreSql::start()?,
        PostgreSql::start()?,
        PostgreSql::start()?,
    ];
    let [bare, renamed, used] = &servers;
    let expected = app_on_sqlx::on_postgres(&bare.url()).await?;
    assert!(expected.len() > 15, "{expected:#?}");
    assert_eq!(
        app_on_everpool::on_postgres(&renamed.url()).await?,
        expected
    );
    assert_eq!(
        app_with_use_lines::on_postgres(&used.url()).await?,
        expected
    );
    Ok(())
}

/// Else it would be another application.
#[test]
fn the_app_does_not_say_everpool() {
    for source in [THEIRS, include_str!("../sqlx-app/src/app.rs")] {
        assert!(!source.contains("everpool"));
    }
}

#[test]
fn only_the_use_lines_differ_where_use_lines_were_changed() {
    let ours = include_str!("../sqlx-app/use-lines/src/lib.rs")
        .replace("everpool_sqlx", "sqlx")
        .replace("../../src/", "");
    let (theirs, ours) = (code(THEIRS), code(&ours));
    let differ: Vec<_> = theirs.symmetric_difference(&ours).collect();
    assert!(differ.is_empty(), "{differ:?}");
}

const THEIRS: &str = include_str!("../sqlx-app/src/lib.rs");

fn code(source: &str) -> BTreeSet<&str> {
    let lines = source.lines();
    lines.filter(|line| !line.starts_with("//!")).collect()
}
