//! URLs: SQLAlchemy's forms in, what the drivers want out, and no password anywhere else.

use everpool_engine::{Backend, Url, UrlError};

/// What the driver is given for a URL.
fn for_driver(text: &str) -> String {
    match text.parse::<Url>() {
        Ok(url) => url.render_for_driver(),
        Err(error) => panic!("{text}: {error}"),
    }
}

fn refusal(text: &str) -> UrlError {
    match text.parse::<Url>() {
        Ok(url) => panic!("{text} was taken for {url}"),
        Err(error) => error,
    }
}

#[test]
fn postgresql_urls_become_what_libpq_wants() {
    let table = [
        (
            "postgresql+psycopg2://scott:tiger@host:5432/db",
            "postgresql://scott:tiger@host:5432/db",
        ),
        (
            "postgresql://scott:tiger@host/db",
            "postgresql://scott:tiger@host/db",
        ),
        ("postgres://scott@host/db", "postgresql://scott@host/db"),
        ("PostgreSQL://host", "postgresql://host"),
        ("postgresql://", "postgresql://"),
        ("postgresql://host:/db", "postgresql://host/db"),
        ("postgresql:///db", "postgresql:///db"),
        (
            "postgresql://?host=/dir&port=1&user=x",
            "postgresql://?host=/dir&port=1&user=x",
        ),
        (
            "postgresql:///db?host=/run/postgresql&user=me@work",
            "postgresql:///db?host=/run/postgresql&user=me%40work",
        ),
        (
            "postgresql://?host=azure&user=me@azure",
            "postgresql://?host=azure&user=me%40azure",
        ),
        (
            "postgresql://host:5432/db?options=a@b",
            "postgresql://host:5432/db?options=a%40b",
        ),
        ("postgresql://[::1]:5432/db", "postgresql://[::1]:5432/db"),
        ("postgresql://scott@[::1]/db", "postgresql://scott@[::1]/db"),
        ("postgresql://a,b/db", "postgresql://a,b/db"),
        ("postgresql://a:1,b:2/db", "postgresql://a:1,b:2/db"),
        ("postgresql://a:1,b/db", "postgresql://a:1,b/db"),
        (
            "postgresql://[::1]:1,[::2]/db",
            "postgresql://[::1]:1,[::2]/db",
        ),
        (
            "postgresql://%2Fvar%2Frun/db",
            "postgresql://%2Fvar%2Frun/db",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(for_driver(text), expected, "{text}");
    }
}

#[test]
fn user_password_and_database_are_percent_encoded_for_libpq() {
    let table = [
        (
            "postgresql://sc%40tt:ti%3Ager%25@host/my%20db",
            "postgresql://sc%40tt:ti%3Ager%25@host/my%20db",
        ),
        (
            "postgresql://scott:ti:ger@host/db",
            "postgresql://scott:ti%3Ager@host/db",
        ),
        (
            "postgresql://scott:ti?ger@host/db",
            "postgresql://scott:ti%3Fger@host/db",
        ),
        // libpq looks for the database behind the first `/`.
        (
            "postgresql://scott:ti/ger@host/db",
            "postgresql://scott:ti%2Fger@host/db",
        ),
        (
            "postgresql://sc%2Ftt:ti%2Fger@host/db",
            "postgresql://sc%2Ftt:ti%2Fger@host/db",
        ),
        (
            "postgresql://scott:gr%C3%BCn@host/d%C3%A9",
            "postgresql://scott:gr%C3%BCn@host/d%C3%A9",
        ),
        (
            "postgresql://scott:a+b@host",
            "postgresql://scott:a%2Bb@host",
        ),
        ("postgresql://scott:@host", "postgresql://scott:@host"),
        ("postgresql://:tiger@host", "postgresql://:tiger@host"),
    ];
    for (text, expected) in table {
        assert_eq!(for_driver(text), expected, "{text}");
    }
}

#[test]
fn mysql_urls_become_what_diesel_wants() {
    let table = [
        (
            "mysql+pymysql://scott:tiger@host:3306/db",
            "mysql://scott:tiger@host:3306/db",
        ),
        ("mariadb://scott@host/db", "mysql://scott@host/db"),
        ("mariadb+mariadbconnector://host/db", "mysql://host/db"),
        (
            "mysql://sc%40tt:ti/g%3Aer@[::1]/db",
            "mysql://sc%40tt:ti%2Fg%3Aer@[::1]/db",
        ),
        ("mysql://", "mysql://localhost"),
        (
            "mysql://scott:tiger@/db?unix_socket=/run/mysqld/mysqld.sock",
            "mysql://scott:tiger@localhost/db?unix_socket=/run/mysqld/mysqld.sock",
        ),
        (
            "mysql://host/db?ssl_mode=REQUIRED&ssl_ca=/ca.pem",
            "mysql://host/db?ssl_mode=REQUIRED&ssl_ca=/ca.pem",
        ),
        (
            "mysql://host/db?ssl-mode=VERIFY_CA&ssl-ca=/ca.pem&charset=utf8mb4",
            "mysql://host/db?ssl_mode=VERIFY_CA&ssl_ca=/ca.pem&charset=utf8mb4",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(for_driver(text), expected, "{text}");
        assert_eq!(text.parse::<Url>().unwrap().backend(), Backend::Mysql);
    }
}

#[test]
fn sqlite_urls_become_paths() {
    let table = [
        ("sqlite://", ":memory:"),
        ("sqlite:///", ":memory:"),
        ("sqlite:///:memory:", ":memory:"),
        ("sqlite::memory:", ":memory:"),
        ("sqlite:///rel.db", "rel.db"),
        ("sqlite:///dir/rel.db", "dir/rel.db"),
        ("sqlite:////abs/x.db", "/abs/x.db"),
        ("sqlite:/abs/x.db", "/abs/x.db"),
        ("sqlite:file.db", "file.db"),
        ("sqlite+pysqlite:///rel.db", "rel.db"),
        ("sqlite:///my%20file.db", "my file.db"),
    ];
    for (text, expected) in table {
        assert_eq!(for_driver(text), expected, "{text}");
        let url: Url = text.parse().unwrap();
        assert_eq!(url.backend(), Backend::Sqlite, "{text}");
        assert_eq!(url.is_memory(), expected == ":memory:", "{text}");
    }
}

#[test]
fn sqlite_takes_the_arguments_of_its_uris() {
    let table = [
        (
            "sqlite:///file:path?mode=ro&uri=true",
            "file:path?mode=ro",
            false,
        ),
        (
            "sqlite:////abs/app.db?mode=ro",
            "file:/abs/app.db?mode=ro",
            false,
        ),
        (
            "sqlite:app.db?mode=rwc&cache=shared",
            "file:app.db?mode=rwc&cache=shared",
            false,
        ),
        (
            "sqlite:///file:/abs/a%20b%3F.db",
            "file:/abs/a%20b%3F.db",
            false,
        ),
        (
            "sqlite:///a%3Fb.db?immutable=1",
            "file:a%3Fb.db?immutable=1",
            false,
        ),
        ("sqlite:///a%3Fb.db", "a?b.db", false),
        ("sqlite:///app.db?check_same_thread=false", "app.db", false),
        (
            "sqlite:///file::memory:?cache=shared&uri=true",
            "file::memory:?cache=shared",
            true,
        ),
        (
            "sqlite:///file:name?mode=memory&uri=true",
            "file:name?mode=memory",
            true,
        ),
        (
            "sqlite:///file:/name?vfs=memdb",
            "file:/name?vfs=memdb",
            true,
        ),
        ("sqlite://?cache=shared", "file::memory:?cache=shared", true),
    ];
    for (text, expected, is_memory) in table {
        assert_eq!(for_driver(text), expected, "{text}");
        assert_eq!(
            text.parse::<Url>().unwrap().is_memory(),
            is_memory,
            "{text}"
        );
    }
}

#[test]
fn a_server_has_no_memory_database() {
    let url: Url = "postgresql://host/:memory:".parse().unwrap();
    assert_eq!(url.backend(), Backend::Postgresql);
    assert!(!url.is_memory());
}

#[test]
fn sqlite_is_shown_as_sqlalchemy_writes_it() {
    let table = [
        ("sqlite:file.db", "sqlite:///file.db"),
        ("sqlite:////abs/x.db", "sqlite:////abs/x.db"),
        ("sqlite::memory:", "sqlite:///:memory:"),
        (
            "sqlite:///file:a?mode=ro&uri=true",
            "sqlite:///file:a?mode=ro&uri=true",
        ),
    ];
    for (text, expected) in table {
        let url: Url = text.parse().unwrap();
        assert_eq!(url.to_string(), expected, "{text}");
        assert_eq!(expected.parse::<Url>().unwrap(), url, "{text}");
    }
}

#[test]
fn connection_strings_of_libpq_are_taken() {
    let table = [
        (
            "host=db.example port=5432 dbname=app user=scott password=tiger sslmode=require",
            "postgresql://scott:tiger@db.example:5432/app?sslmode=require",
        ),
        (
            r"  dbname = 'my db' user='sc\'ott' password=a\ b ",
            "postgresql://sc%27ott:a%20b@/my%20db",
        ),
        (
            "host=/run/postgresql dbname=app",
            "postgresql://%2Frun%2Fpostgresql/app",
        ),
        ("host=a,b,::1 port=1,2,", "postgresql://a:1,b:2,[::1]"),
        ("host=a,b port=5433", "postgresql://a:5433,b:5433"),
        (
            "user=scott password='' application_name=''",
            "postgresql://scott:@?application_name=",
        ),
        ("dbname=app", "postgresql:///app"),
    ];
    for (text, expected) in table {
        assert_eq!(for_driver(text), expected, "{text}");
    }
}

/// libpq would take the last of several; SQLAlchemy's drivers try all of them.
#[test]
fn several_host_arguments_become_libpqs_lists() {
    let table = [
        ("host=a:1&host=b:2", "host=a%2Cb&port=1%2C2"),
        ("host=a:1&host=b", "host=a%2Cb&port=1%2C"),
        (
            "host=a&host=b&sslmode=require",
            "sslmode=require&host=a%2Cb",
        ),
        ("host=a&host=b&port=1&port=2", "host=a%2Cb&port=1%2C2"),
        ("host=a:1", "host=a&port=1"),
        ("host=a,b&port=1,2", "host=a%2Cb&port=1%2C2"),
        ("host=/run/postgresql", "host=/run/postgresql"),
        ("host=::1", "host=%3A%3A1"),
    ];
    for (query, expected) in table {
        let text = format!("postgresql+psycopg2://scott@/db?{query}");
        assert_eq!(
            for_driver(&text),
            format!("postgresql://scott@/db?{expected}")
        );
    }
}

#[test]
fn a_plus_in_an_argument_is_a_space_in_sqlalchemys_form_only() {
    let argument = |text: &str| {
        let url: Url = text.parse().unwrap();
        url.query()
            .next()
            .map(|(_, value)| value.to_owned())
            .unwrap()
    };
    assert_eq!(
        argument("postgresql+psycopg2://h?options=-c+x%2By"),
        "-c x+y"
    );
    assert_eq!(argument("mysql://h?init=a+b"), "a b");
    assert_eq!(argument("postgresql://h?options=-c+x"), "-c+x");
}

#[test]
fn mysql_arguments_that_are_parts_of_a_url_go_where_diesel_reads_them() {
    let table = [
        (
            "mysql://host/db?user=scott&passwd=tiger&port=3307",
            "mysql://scott:tiger@host:3307/db",
        ),
        ("mysql://a/b?host=c&database=d", "mysql://c/d"),
        (
            "mysql+pymysql://scott@%2Frun%2Fmysqld.sock/db",
            "mysql://scott@localhost/db?unix_socket=/run/mysqld.sock",
        ),
        ("mysql://host/a-b%25c", "mysql://host/a-b%c"),
    ];
    for (text, expected) in table {
        assert_eq!(for_driver(text), expected, "{text}");
    }
}

#[test]
fn the_parts_of_a_url_are_told() {
    let text = "postgresql+psycopg2://sc%40tt:ti%2Fger@[::1]:5432,b/my%20db?a=1&b=%26&a=2";
    let url: Url = text.parse().unwrap();
    assert_eq!(url.drivername(), "postgresql+psycopg2");
    assert_eq!(url.username(), Some("sc@tt"));
    assert_eq!(url.expose_password(), Some("ti/ger"));
    assert_eq!((url.host(), url.port()), (Some("::1"), Some(5432)));
    assert_eq!(
        url.hosts().collect::<Vec<_>>(),
        [("::1", Some(5432)), ("b", None)]
    );
    assert_eq!(url.database(), Some("my db"));
    let query: Vec<_> = url.query().collect();
    assert_eq!(query, [("a", "1"), ("b", "&"), ("a", "2")]);
    let url: Url = "mysql://".parse().unwrap();
    let parts = (
        url.username(),
        url.expose_password(),
        url.host(),
        url.port(),
        url.database(),
    );
    assert_eq!(parts, (None, None, None, None, None));
}

#[test]
fn a_changed_url_is_another_one() {
    let url = Url::create("postgresql").unwrap();
    let url = url
        .with_username("scott")
        .unwrap()
        .with_password("ti:g/e@r")
        .unwrap();
    let url = url.with_host("::1").unwrap().with_port(5432).unwrap();
    let url = url
        .with_database("app")
        .unwrap()
        .with_argument("a", "1")
        .unwrap();
    let before = url.clone();
    let text = "postgresql://scott:ti%3Ag%2Fe%40r@[::1]:5432/app?a=1";
    assert_eq!(url.render_as_string(false), text);
    let url = url
        .with_argument("a", "2")
        .unwrap()
        .with_drivername("postgresql+asyncpg")
        .unwrap();
    let url = url.with_password(None).unwrap().with_port(None).unwrap();
    assert_eq!(
        url.render_as_string(false),
        "postgresql+asyncpg://scott@[::1]/app?a=2"
    );
    let url = url
        .with_argument("a", None)
        .unwrap()
        .with_host(None)
        .unwrap();
    let url = url
        .with_username(None)
        .unwrap()
        .with_database(None)
        .unwrap();
    assert_eq!(url.render_as_string(false), "postgresql+asyncpg://");
    let url = url.with_hosts([("a", Some(1)), ("b", None)]).unwrap();
    assert_eq!(url.render_for_driver(), "postgresql://a:1,b");
    assert_eq!(before.render_as_string(false), text);
}

#[test]
fn a_change_that_the_database_cannot_take_is_refused() {
    let sqlite = || "sqlite:///app.db".parse::<Url>().unwrap();
    assert_eq!(
        sqlite().with_username("scott"),
        Err(UrlError::SqlitePart("user"))
    );
    assert_eq!(
        sqlite().with_password("tiger"),
        Err(UrlError::SqlitePart("password"))
    );
    assert_eq!(
        sqlite().with_host("host"),
        Err(UrlError::SqlitePart("host"))
    );
    assert_eq!(sqlite().with_port(1), Err(UrlError::SqlitePart("host")));
    assert!(matches!(
        sqlite().with_argument("sslmode", "require"),
        Err(UrlError::SqliteArgument { .. })
    ));
    assert!(sqlite().with_database(None).unwrap().is_memory());
    let mysql = || Url::create("mysql").unwrap();
    assert_eq!(
        mysql().with_hosts([("a", None), ("b", None)]),
        Err(UrlError::Hosts("mysql"))
    );
    assert_eq!(mysql().with_password("a\0b"), Err(UrlError::Undecodable));
    assert_eq!(Url::create("postgresql://"), Err(UrlError::NoScheme));
}

#[test]
fn a_sqlite_url_says_how_long_a_statement_waits_for_a_lock() {
    let table = [
        ("sqlite:///app.db", 5_000),
        ("sqlite:///app.db?timeout=0", 0),
        ("sqlite:///app.db?timeout=2.5", 2_500),
        ("sqlite:///app.db?timeout=1&timeout=%20.25", 250),
        ("sqlite:///app.db?timeout=1e300", i32::MAX as u64),
        ("sqlite://?timeout=inf", i32::MAX as u64),
    ];
    for (text, milliseconds) in table {
        let url: Url = text.parse().unwrap();
        let timeout = std::time::Duration::from_millis(milliseconds);
        assert_eq!(url.busy_timeout(), Some(timeout), "{text}");
    }
    let url: Url = "sqlite:///app.db?timeout=2".parse().unwrap();
    assert_eq!(url.render_for_driver(), "app.db");
    let server: Url = "postgresql://host/db?timeout=2".parse().unwrap();
    assert_eq!(server.busy_timeout(), None);
}

#[test]
fn connect_args_count_more_than_the_url() {
    let url: Url = "postgresql://host/db?sslmode=disable&a=1".parse().unwrap();
    let args = [("sslmode", "require"), ("password", PASSWORD)];
    let url = url.with_connect_args(&args.into_iter().collect()).unwrap();
    let expected = "postgresql://host/db?a=1&password=s3cret-Pw&sslmode=require";
    assert_eq!(url.render_for_driver(), expected);
    assert!(!format!("{url} {url:?}").contains(PASSWORD));
    let mysql: Url = "mysql://scott@host/db".parse().unwrap();
    let mysql = mysql
        .with_connect_args(&args.into_iter().collect())
        .unwrap();
    assert_eq!(
        mysql.render_for_driver(),
        "mysql://scott:s3cret-Pw@host/db?ssl_mode=require"
    );
}

#[test]
fn a_url_is_read_from_a_file_and_written_without_its_password() {
    let url: Url = serde_json::from_str("\"mysql://scott:s3cret-Pw@host/db\"").unwrap();
    assert_eq!(url.expose_password(), Some(PASSWORD));
    let written = serde_json::to_string(&url).unwrap();
    assert_eq!(written, "\"mysql://scott:***@host/db\"");
    let wrong = serde_json::from_str::<Url>("\"scott:s3cret-Pw@host\"").unwrap_err();
    assert!(!wrong.to_string().contains(PASSWORD), "{wrong}");
}

#[test]
fn a_rendered_url_has_its_password_only_when_that_is_asked_for() {
    let url: Url = "postgresql+psycopg2://scott:s3cret-Pw@host/db"
        .parse()
        .unwrap();
    let hidden = "postgresql+psycopg2://scott:***@host/db";
    assert_eq!(url.render_as_string(true), hidden);
    assert_eq!(url.to_string(), hidden);
    let shown = "postgresql+psycopg2://scott:s3cret-Pw@host/db";
    assert_eq!(url.render_as_string(false), shown);
    let empty: Url = "postgresql://scott:@host/db".parse().unwrap();
    assert_eq!(empty.to_string(), "postgresql://scott:***@host/db");
}

const PASSWORD: &str = "s3cret-Pw";

#[test]
fn a_password_is_shown_by_nothing() {
    let table = [
        "postgresql://scott:s3cret-Pw@host/db",
        "postgresql+psycopg2://scott:s3cret-Pw@host:5432/db?sslmode=require",
        "postgresql://:s3cret-Pw@host",
        "postgresql://scott:a/s3cret-Pw@host/db",
        "postgresql://scott:12?s3cret-Pw@host/db",
        "postgresql://scott:%733cret-Pw@host/db",
        "postgresql:///db?user=scott&password=s3cret-Pw",
        "postgresql://host/db?pass%77ord=s3cret-Pw&port=1",
        "postgresql://host/db?PASSWORD=s3cret-Pw",
        "postgresql://host/db?sslpassword=s3cret-Pw",
        "postgresql://?user=scott&password=s3cret-Pw@x",
        "postgresql://host:5432/db?password=s3cret-Pw@x",
        "postgresql://host/db?oauth_client_secret=s3cret-Pw",
        "postgresql://host/db?scram_client_key=s3cret-Pw",
        "host=h user=scott password=s3cret-Pw",
        "mysql+pymysql://scott:s3cret-Pw@host/db",
        "mysql://host/db?passwd=s3cret-Pw",
    ];
    for text in table {
        let url: Url = text.parse().unwrap();
        for shown in [format!("{url}"), format!("{url:?}"), format!("{url:#?}")] {
            assert!(!shown.contains(PASSWORD), "{text}: {shown}");
            assert!(shown.contains("***"), "{text}: {shown}");
        }
        assert!(url.render_for_driver().contains(PASSWORD), "{text}");
    }
}

#[test]
fn a_password_is_in_no_error() {
    let table = [
        "scott:s3cret-Pw@host/db",
        "//scott:s3cret-Pw@host/db",
        "s3cret-Pw",
        "s3cret-Pw://host",
        "oracle://scott:s3cret-Pw@host/db",
        "oracle+s3cret-Pw://host/db",
        "mysql://scott:s3cret-Pw/db",
        "postgresql:scott:s3cret-Pw@host/db",
        "postgresql://scott:s3cret-Pw",
        "postgresql://scott:s3cret-Pw/db",
        "postgresql://scott:s3cret-Pw]/db",
        "postgresql://scott:s3cret-Pw,x/db",
        "postgresql://scott:a@s3cret-Pw@host/db",
        "postgresql://scott:a@b:s3cret-Pw@host/db",
        "postgresql://scott@host:s3cret-Pw/db",
        "postgresql://scott@host:port/db?password=s3cret-Pw",
        "sqlite://scott:s3cret-Pw@host/db",
        "sqlite://scott:s3cret-Pw",
        "sqlite://host/db?password=s3cret-Pw",
        "sqlite:///file.db?password=s3cret-Pw",
        "sqlite:///file.db?mode=ro&password=s3cret-Pw",
        "host=h password='s3cret-Pw",
        "host=h port=s3cret-Pw",
        "mysql://scott:a@b,s3cret-Pw/db",
    ];
    for text in table {
        let error = refusal(text);
        for shown in [format!("{error}"), format!("{error:?}")] {
            assert!(!shown.contains(PASSWORD), "{text}: {shown}");
        }
    }
}

#[test]
fn an_unknown_scheme_is_named_with_the_known_ones() {
    for (text, name) in [
        ("mssql://host/db", "`mssql`"),
        ("oracle+cx_oracle://host/db", "`oracle`"),
    ] {
        let message = refusal(text).to_string();
        for word in [name, "postgresql", "postgres", "mysql", "mariadb", "sqlite"] {
            assert!(message.contains(word), "{text}: no {word:?} in: {message}");
        }
    }
}

#[test]
fn a_wrong_url_is_told_with_its_remedy() {
    let forms: &[&str] = &[
        "no scheme",
        "postgresql://user:password@host",
        "sqlite:///file.db",
    ];
    let port: &[&str] = &["port", "0 to 65535", "percent-encoded", "%40", "%3A"];
    let table: &[(&str, &[&str])] = &[
        ("", forms),
        ("host/db", forms),
        ("://host/db", forms),
        ("+psycopg2://host/db", forms),
        ("postgresql:host/db", &["`postgresql:`", "`//`"]),
        ("postgresql://host:port/db", port),
        ("postgresql://host:65536/db", port),
        ("postgresql://host:-1/db", port),
        ("postgresql://a:port,b:1/db", port),
        ("postgresql://::1/db", port),
        (
            "postgresql://scott:a@b@host",
            &["host", "@", "percent-encoded", "%40"],
        ),
        (
            "sqlite://x.db",
            &[
                "no host",
                "sqlite:///x.db",
                "relative",
                "sqlite:////x.db",
                "absolute",
            ],
        ),
        ("sqlite://user@host/x", &["no host", "sqlite:///file.db"]),
        (
            "sqlite:///x.db?sslmode=require",
            &[
                "no argument `sslmode`",
                "mode",
                "cache",
                "immutable",
                "vfs",
                "timeout",
            ],
        ),
        (
            "sqlite:///x.db?timeout=-1",
            &["timeout", "seconds from 0", "timeout=2.5"],
        ),
        ("sqlite:///x.db?timeout=5s", &["timeout", "seconds from 0"]),
        ("sqlite:///x.db?timeout=nan", &["timeout", "seconds from 0"]),
        ("sqlite:///x.db?timeout", &["timeout", "seconds from 0"]),
        ("sqlite:///x.db?s3cret Pw", &["no argument `?`"]),
        ("mysql://a,b/db", &["mysql URL has one host", "PostgreSQL"]),
        ("mysql://host/db?port=first", &["port", "0 to 65535"]),
        ("postgresql://[::1/db", &["[::1]", "%5B"]),
        ("postgresql://[::1]x/db", &["[::1]", "%5B"]),
        ("postgresql://a[b]/db", &["[::1]", "%5B"]),
        (
            "host=a dbname",
            &["connection string", "host=db.example dbname=app"],
        ),
        ("host='a", &["connection string", "quotes"]),
        ("host=a =b", &["connection string"]),
        ("host=a port=x", &["port", "0 to 65535"]),
        ("host=a,b port=1,2,3", &["port"]),
    ];
    for (text, words) in table {
        let message = refusal(text).to_string();
        for word in *words {
            assert!(message.contains(word), "{text}: no {word:?} in: {message}");
        }
    }
}

/// Knuth's numbers: the same texts in every run.
struct Texts(u64);

impl Texts {
    const ALPHABET: &'static [u8] = b":/@?&=%,[]+#*. 0142aAF";

    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % end
    }

    fn text(&mut self) -> String {
        let length = self.below(24);
        let letter = |_| char::from(Self::ALPHABET[self.below(Self::ALPHABET.len())]);
        (0..length).map(letter).collect()
    }
}

/// What libpq, SQLite and Diesel are given is a URL too, and stays as it is.
fn stable(text: &str, url: &Url) {
    let rendered = url.render_as_string(false);
    assert_eq!(rendered.parse().as_ref(), Ok(url), "{text}: {rendered}");
    if url.backend() == Backend::Postgresql {
        let rendered = url.render_for_driver();
        assert_eq!(for_driver(&rendered), rendered, "{text}");
    }
}

#[test]
fn no_text_makes_the_parser_panic_and_what_was_rendered_is_the_same_again() {
    let mut texts = Texts(1);
    let schemes = [
        "postgresql://",
        "postgres+x://",
        "mysql://",
        "mariadb+y://",
        "sqlite:",
        "sqlite:///",
        "sqlite:///file:",
        "host=",
        "",
    ];
    let mut taken = [0; 9];
    for round in 0..45_000 {
        let which = round % schemes.len();
        let text = format!("{}{}", schemes[which], texts.text());
        if let Ok(url) = text.parse::<Url>() {
            taken[which] += 1;
            stable(&text, &url);
        }
    }
    assert!(taken[..8].iter().all(|number| *number > 100), "{taken:?}");
}

#[test]
fn whatever_a_part_is_the_url_made_of_it_is_parsed_as_the_same() {
    let mut texts = Texts(2);
    for _ in 0..10_000 {
        let port = (texts.below(2) == 0).then_some(5432);
        let (user, password, host) = (texts.text(), texts.text(), texts.text());
        let (database, name, value) = (texts.text(), texts.text(), texts.text());
        let url = Url::create("postgresql+psycopg").unwrap();
        let url = url
            .with_username(&*user)
            .unwrap()
            .with_password(&*password)
            .unwrap();
        let url = url.with_hosts([(&*host, port), (&*value, None)]).unwrap();
        let url = url
            .with_database(&*database)
            .unwrap()
            .with_argument(&name, &*value)
            .unwrap();
        stable(&host, &url);
        let parsed: Url = url.render_as_string(false).parse().unwrap();
        assert_eq!(parsed.expose_password(), Some(&*password));
        assert_eq!(parsed.username().unwrap_or_default(), user);
        assert_eq!(parsed.database().unwrap_or_default(), database);
        assert_eq!(parsed.query().collect::<Vec<_>>(), [(&*name, &*value)]);
        assert_eq!(
            parsed.hosts().collect::<Vec<_>>(),
            [(&*host, port), (&*value, None)]
        );
    }
}

#[test]
fn what_no_driver_can_take_is_refused_before_it_repeats_the_password() {
    for url in [
        "postgresql://u:s3cret%00@h/db",
        "postgresql://u:s3cret%ff@h/db",
    ] {
        assert_eq!(url.parse::<Url>(), Err(UrlError::Undecodable), "{url}");
    }
}

#[test]
fn a_resolved_url_says_each_thing_once_and_in_its_place() {
    let table = [
        ("postgresql://a:1/db?host=b:2", "postgresql://b:2/db"),
        ("postgresql://a:1/db?host=b", "postgresql://b:1/db"),
        ("postgresql:///db?host=a:1&host=b", "postgresql://a:1,b/db"),
        (
            "postgresql://x:y@a/?user=u&password=p&dbname=d&sslmode=require",
            "postgresql://u:p@a/d?sslmode=require",
        ),
        (
            "mysql://a/?user=u&passwd=p&db=d&port=7",
            "mysql://u:p@a:7/d",
        ),
        (
            "mysql://u@%2Frun%2Fs/d?ssl-mode=REQUIRED",
            "mysql://u@/d?ssl_mode=REQUIRED&unix_socket=/run/s",
        ),
        ("sqlite:///a.db?mode=ro", "sqlite:///a.db?mode=ro"),
    ];
    for (text, expected) in table {
        let url: Url = text.parse().expect(text);
        let resolved = url.resolved().expect(text);
        assert_eq!(resolved.render_as_string(false), expected, "{text}");
        assert_eq!(resolved.resolved(), Ok(resolved.clone()), "{text}");
    }
    let url: Url = "postgresql://a/db?port=1,2".parse().expect("libpq decides");
    assert_eq!(url.resolved(), Err(UrlError::Port));
}
