//! What SQLx makes of each form of a URL: the database that other drivers find there, or a clear refusal.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use everpool_sqlx::{
    Any, EngineError, EngineOptions, MySql, Postgres, Sqlite, any, connect_options, create_engine,
    create_engine_with, query, query_scalar,
};
use everpool_tests::{MariaDb, PostgreSql};
use sqlx::ConnectOptions as _;
use tempfile::TempDir;

/// What a PostgreSQL URL comes to, in SQLx's own words.
fn postgres(url: &str) -> String {
    let options = connect_options::<Postgres>(url).unwrap_or_else(|error| panic!("{url}: {error}"));
    let place = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => options.get_host().to_owned(),
    };
    let (user, port) = (options.get_username(), options.get_port());
    let database = options.get_database().unwrap_or_default();
    let mode = options.get_ssl_mode();
    format!("{user}@{place}:{port}/{database} {mode:?}")
}

#[test]
fn a_postgresql_url_leads_sqlx_where_it_leads_libpq() {
    let table = [
        (
            "postgresql://scott:tiger@host:5433/db",
            "scott@host:5433/db Prefer",
        ),
        ("postgres://scott@host/db", "scott@host:5432/db Prefer"),
        (
            "postgresql+asyncpg://scott:tiger@host/db",
            "scott@host:5432/db Prefer",
        ),
        (
            "postgresql://scott@[::1]:5433/db",
            "scott@::1:5433/db Prefer",
        ),
        (
            "postgresql://scott@%2Frun%2Fpg:5433/db",
            "scott@/run/pg:5433/db Prefer",
        ),
        (
            "postgresql://scott@/db?host=/run/pg&port=5433",
            "scott@/run/pg:5433/db Prefer",
        ),
        (
            "postgresql://scott@host:1/db?host=other:2",
            "scott@other:2/db Prefer",
        ),
        (
            "postgresql://host/db?user=me@azure&dbname=x",
            "me@azure@host:5432/x Prefer",
        ),
        (
            "postgresql://me%40azure:p%2Fw@host/my%20db",
            "me@azure@host:5432/my db Prefer",
        ),
        ("postgresql://scott@host/a/b", "scott@host:5432/a/b Prefer"),
        ("postgresql://scott@host/..", "scott@host:5432/.. Prefer"),
        (
            "postgresql://scott@host/db?sslmode=disable",
            "scott@host:5432/db Disable",
        ),
        (
            "postgresql://scott@host/db?hostaddr=10.0.0.1",
            "scott@10.0.0.1:5432/db Prefer",
        ),
        (
            "host=db user=scott dbname='my db' port=1",
            "scott@db:1/my db Prefer",
        ),
        (
            "postgresql://scott@host/db?sslmode=require&sslrootcert=/ca.pem",
            "scott@host:5432/db VerifyCa",
        ),
        (
            "postgresql://scott@host/db?sslmode=require",
            "scott@host:5432/db Require",
        ),
        (
            "postgresql://scott@host/db?target_session_attrs=any&gssencmode=disable",
            "scott@host:5432/db Prefer",
        ),
    ];
    for (url, expected) in table {
        assert_eq!(postgres(url), expected, "{url}");
    }
    let told = "postgresql://scott@host/db?options=-c%20geqo%3Doff&application_name=a%2Bb";
    let told = connect_options::<Postgres>(told).unwrap();
    assert_eq!(told.get_options(), Some("-c geqo=off"));
    assert_eq!(told.get_application_name(), Some("a+b"));
}

#[test]
fn a_mysql_url_leads_sqlx_where_it_leads_the_client_library() {
    let table = [
        (
            "mysql://scott:tiger@host:3307/db",
            "scott@host:3307/db Preferred",
        ),
        (
            "mysql+pymysql://scott@host/db",
            "scott@host:3306/db Preferred",
        ),
        ("mariadb://scott@host", "scott@host:3306/ Preferred"),
        ("mysql://scott@/db", "scott@localhost:3306/db Preferred"),
        (
            "mysql:///db?user=scott&host=host&port=7",
            "scott@host:7/db Preferred",
        ),
        (
            "mysql://scott@[::1]:3307/db",
            "scott@[::1]:3307/db Preferred",
        ),
        (
            "mysql://me%40x:p%2Fw@host/my%20db%3F",
            "me@x@host:3306/my db? Preferred",
        ),
        (
            "mysql://scott@host/db?ssl-mode=REQUIRED",
            "scott@host:3306/db Required",
        ),
        (
            "mysql://scott@host/db?ssl_mode=DISABLED",
            "scott@host:3306/db Disabled",
        ),
        (
            "mysql://scott@host/db?ssl_ca=/ca.pem",
            "scott@host:3306/db VerifyCa",
        ),
        (
            "mysql://scott@localhost/db?unix_socket=/run/my.sock",
            "scott@/run/my.sock:3306/db Preferred",
        ),
        (
            "mysql://scott@my_host%2Fother/db",
            "scott@my_host%2Fother:3306/db Preferred",
        ),
        (
            "mysql://scott@%2Frun%2Fmy.sock/db",
            "scott@/run/my.sock:3306/db Preferred",
        ),
    ];
    for (url, expected) in table {
        let options =
            connect_options::<MySql>(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        let place = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => options.get_host().to_owned(),
        };
        let (user, port) = (options.get_username(), options.get_port());
        let database = options.get_database().unwrap_or_default();
        let mode = options.get_ssl_mode();
        assert_eq!(
            format!("{user}@{place}:{port}/{database} {mode:?}"),
            expected,
            "{url}"
        );
    }
    let told = connect_options::<MySql>("mysql://scott@host/db?charset=latin1").unwrap();
    assert_eq!(told.get_charset(), "latin1");
}

fn refused(url: &str) -> String {
    let error = match url.split(':').next().unwrap() {
        scheme if scheme.starts_with("mysql") => connect_options::<MySql>(url).map(drop),
        scheme if scheme.starts_with("sqlite") => connect_options::<Sqlite>(url).map(drop),
        _ => connect_options::<Postgres>(url).map(drop),
    };
    error.expect_err(url).to_string()
}

#[test]
fn what_sqlx_does_not_have_is_refused_with_its_name_and_what_there_is_instead() {
    let table = [
        (
            "postgresql://a,b/db",
            "SQLx connects to one host, and the URL has 2",
        ),
        (
            "postgresql:///db?host=a&host=b",
            "SQLx connects to one host, and the URL has 2",
        ),
        (
            "host=a,b dbname=db",
            "SQLx connects to one host, and the URL has 2",
        ),
        (
            "postgresql://h/db?connect_timeout=3",
            "`connect_timeout`: set the option pool_connect_timeout",
        ),
        (
            "postgresql://h/db?channel_binding=require",
            "`channel_binding`: SQLx has only prefer, disable",
        ),
        (
            "postgresql://h/db?target_session_attrs=read-write",
            "`target_session_attrs`: SQLx has only any",
        ),
        (
            "postgresql://h/db?keepalives=1",
            "`keepalives`: it has application_name, options, sslmode",
        ),
        ("postgresql://h/db?sslmode=sure", "sure"),
        (
            "mysql://scott@h/db?ssl_moed=REQUIRED",
            "`ssl_moed`: it has charset, collation, ssl_mode",
        ),
        (
            "mysql://scott@h/db?autocommit=true",
            "`autocommit`: set the option isolation_level",
        ),
        ("mysql://h/db", "has no user, and SQLx would log in as root"),
    ];
    for (url, expected) in table {
        let refused = refused(url);
        assert!(refused.contains(expected), "{url}: {refused}");
    }
    let wrong = connect_options::<Postgres>("mysql://scott@h/db")
        .unwrap_err()
        .to_string();
    assert_eq!(wrong, "a mysql URL was given to an engine for PostgreSQL");
}

#[test]
fn no_error_and_no_debug_shows_a_password() {
    let secret = "hunter2";
    let args = EngineOptions::builder()
        .connect_args([("passwd", secret)])
        .build()
        .unwrap();
    let refused = create_engine::<Postgres>("postgresql://u@h/db", args).unwrap_err();
    let mut shown = vec![format!("{refused} {refused:?}")];
    for url in [
        "postgresql://u:hunter2@h:1/db?nonsense=hunter2",
        "postgresql://u:hunter2@h,g/db",
        "postgresql://u:hunter2@h/db?sslpassword=hunter2",
        "mysql://u:hunter2@h/db?password=hunter2&nonsense=1",
        "mysql://:hunter2@h/db",
    ] {
        shown.push(refused_debug(url));
    }
    let engine = create_engine::<Postgres>("postgresql://u:hunter2@h/db", EngineOptions::default());
    let engine = engine.unwrap();
    shown.push(format!(
        "{engine:?} {:?} {:?}",
        engine.pool(),
        engine.pool().connector()
    ));
    for shown in shown {
        assert!(!shown.contains(secret), "{shown}");
    }
}

fn refused_debug(url: &str) -> String {
    let refused: EngineError = match url.starts_with("mysql") {
        true => connect_options::<MySql>(url).map(drop).expect_err(url),
        false => connect_options::<Postgres>(url).map(drop).expect_err(url),
    };
    format!("{refused} {refused:?}")
}

/// Makes a table through one URL and finds it through another.
async fn same_file(one: &str, other: &str) {
    let make = create_engine::<Sqlite>(one, EngineOptions::default()).unwrap();
    query("CREATE TABLE t (x)").execute(&make).await.unwrap();
    let find = create_engine::<Sqlite>(other, EngineOptions::default()).unwrap();
    query("INSERT INTO t VALUES (1)")
        .execute(&find)
        .await
        .unwrap();
    query("DROP TABLE t").execute(&make).await.unwrap();
}

#[tokio::test]
async fn a_sqlite_file_is_found_by_whatever_form_names_it() {
    let directory = TempDir::new().unwrap();
    let directory = directory.path().to_str().unwrap();
    for (one, other) in [
        ("sqlite:///{}/a.db", "sqlite:{}/a.db"),
        ("sqlite:///{}/a b?.db", "sqlite:///{}/a%20b%3F.db"),
        ("sqlite:///{}/c%23.db", "sqlite:///{}/c%23.db?mode=rw"),
        (
            "sqlite:///{}/d%2525.db",
            "sqlite:///file:{}/d%2525.db?mode=rw&uri=true",
        ),
        (
            "sqlite:///{}/x%3Amode=memory",
            "sqlite:///{}/x:mode%3Dmemory?psow=0&nolock=0&cache=private",
        ),
    ] {
        let one = one
            .replace("a b?.db", "a%20b%3F.db")
            .replace("{}", directory);
        same_file(&one, &other.replace("{}", directory)).await;
    }
    let absent = format!("sqlite:///{directory}/absent.db?mode=rw");
    let engine = create_engine::<Sqlite>(&absent, EngineOptions::default()).unwrap();
    let failed = engine.connect().await.unwrap_err().to_string();
    assert!(failed.contains("unable to open database file"), "{failed}");
    let read_only = format!("sqlite:///{directory}/a.db?mode=ro");
    let engine = create_engine::<Sqlite>(&read_only, EngineOptions::default()).unwrap();
    let refused = query("CREATE TABLE u (x)")
        .execute(&engine)
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("readonly database"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_statement_waits_for_a_lock_of_sqlites_as_long_as_the_url_says() {
    for (url, milliseconds) in [
        ("sqlite://", 5000),
        ("sqlite:///:memory:?timeout=0.25", 250),
    ] {
        let engine = create_engine::<Sqlite>(url, EngineOptions::default()).unwrap();
        let timeout: i64 = query_scalar("PRAGMA busy_timeout")
            .fetch_one(&engine)
            .await
            .unwrap();
        assert_eq!(timeout, milliseconds, "{url}");
    }
    connect_options::<Any>("sqlite:///a.db?timeout=5").unwrap();
    let refused = connect_options::<Any>("sqlite:///a.db?timeout=1")
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("`timeout`: `Any` waits for 5 seconds"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_sqlite_database_in_memory_has_one_connection_by_whatever_form_names_it() {
    let options = || EngineOptions::builder().pool_size(3).build().unwrap();
    for url in [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite::memory:",
        "sqlite:///file:it?mode=memory&cache=shared&uri=true",
        "sqlite:///file:/it?vfs=memdb",
    ] {
        let by_url = create_engine::<Sqlite>(url, options()).unwrap();
        let own = connect_options::<Sqlite>(url).unwrap();
        let by_options = create_engine_with::<Sqlite>(own, options()).unwrap();
        for engine in [by_url, by_options] {
            query("CREATE TABLE t (x)").execute(&engine).await.unwrap();
            query("DROP TABLE t").execute(&engine).await.unwrap();
            assert_eq!(engine.status().size, 1, "{url}");
        }
    }
}

#[tokio::test]
async fn odd_names_and_sockets_lead_to_the_same_postgresql() {
    let server = PostgreSql::start_tcp().expect("this needs PostgreSQL");
    server
        .psql("CREATE ROLE \"a@b/c:d%\" LOGIN PASSWORD 'p+w/ @'")
        .unwrap();
    server.psql("CREATE DATABASE \"my db/?#+..\"").unwrap();
    let socket = server.socket();
    let (directory, file) = (socket.parent().unwrap(), socket.file_name().unwrap());
    let port = file.to_str().unwrap().rsplit('.').next().unwrap();
    let directory = directory.display();
    let place = server.url();
    let tcp = place
        .split(['@', '/'])
        .find(|part| part.contains("127.0.0.1"))
        .unwrap();
    let user = "a%40b%2Fc%3Ad%25:p%2Bw%2F%20%40";
    let database = "my%20db%2F%3F%23%2B..";
    let encoded = directory.to_string().replace('/', "%2F");
    for url in [
        format!("postgresql://{user}@{tcp}/{database}"),
        format!("postgresql://{user}@{encoded}:{port}/{database}"),
        format!("postgresql+psycopg2://{user}@/{database}?host={directory}&port={port}"),
        format!(
            "host={directory} port={port} user='a@b/c:d%' password='p+w/ @' dbname='my db/?#+..'"
        ),
    ] {
        let engine = create_engine::<Postgres>(&url, EngineOptions::default()).unwrap();
        let (user, database): (String, String) =
            everpool_sqlx::query_as("SELECT current_user::text, current_database()::text")
                .fetch_one(&engine)
                .await
                .unwrap_or_else(|error| panic!("{url}: {error}"));
        assert_eq!(
            (user.as_str(), database.as_str()),
            ("a@b/c:d%", "my db/?#+.."),
            "{url}"
        );
    }
    let args = [("options", "-c geqo=off"), ("application_name", "the app")];
    let options = EngineOptions::builder().connect_args(args).build().unwrap();
    let engine = create_engine::<Postgres>(server.url(), options).unwrap();
    for (setting, expected) in [("geqo", "off"), ("application_name", "the app")] {
        let shown: String = query_scalar("SELECT current_setting($1)")
            .bind(setting)
            .fetch_one(&engine)
            .await
            .unwrap();
        assert_eq!(shown, expected);
    }
}

#[tokio::test]
async fn odd_names_and_sockets_lead_to_the_same_mariadb() {
    let server = MariaDb::start().expect("this needs MariaDB");
    let through_socket = create_engine::<MySql>(server.socket_url(), EngineOptions::default());
    let through_socket = through_socket.unwrap();
    query("CREATE DATABASE `everpool_ /?#+`")
        .execute(&through_socket)
        .await
        .unwrap();
    let (server_part, _) = server
        .url()
        .rsplit_once('/')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let (_, arguments) = server
        .socket_url()
        .split_once('?')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let database = "everpool_%20%2F%3F%23%2B";
    for url in [
        format!("{server_part}/{database}"),
        format!("mysql+pymysql://everpool@localhost/{database}?{arguments}&charset=utf8mb4"),
    ] {
        let engine = create_engine::<MySql>(&url, EngineOptions::default()).unwrap();
        let found: String = query_scalar("SELECT DATABASE()")
            .fetch_one(&engine)
            .await
            .unwrap();
        assert_eq!(found, "everpool_ /?#+", "{url}");
    }
}

/// `Any` is told the database by the URL, and reads the same text.
#[tokio::test]
async fn a_url_leads_any_to_its_database() {
    any::install_default_drivers();
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    let engine = create_engine::<Any>(server.url(), EngineOptions::default()).unwrap();
    let one: i32 = query_scalar("SELECT 1").fetch_one(&engine).await.unwrap();
    assert_eq!(one, 1);
    let engine = create_engine::<Any>("sqlite://", EngineOptions::default()).unwrap();
    query("CREATE TABLE t (x INT)")
        .execute(&engine)
        .await
        .unwrap();
    assert_eq!(
        query("DELETE FROM t")
            .execute(&engine)
            .await
            .unwrap()
            .rows_affected(),
        0
    );
    let own = connect_options::<Any>("sqlite://")
        .unwrap()
        .disable_statement_logging();
    let engine = create_engine_with::<Any>(own, EngineOptions::default()).unwrap();
    query("CREATE TABLE t (x INT)")
        .execute(&engine)
        .await
        .unwrap();
    assert_eq!(engine.status().size, 1);
}
