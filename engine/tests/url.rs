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
    ];
    for (text, expected) in table {
        let url: Url = text.parse().unwrap();
        assert_eq!(url.to_string(), expected, "{text}");
        assert_eq!(expected.parse::<Url>().unwrap(), url, "{text}");
    }
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
        ("sqlite:///x.db?mode=ro", &["no argument", "`mode`"]),
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

/// And so on no text does the parser panic.
#[test]
fn what_was_rendered_renders_the_same_again() {
    let mut texts = Texts(1);
    let mut taken = 0;
    for _ in 0..20_000 {
        let text = texts.text();
        // A text without a scheme tries little, but shall not panic either.
        let _: Result<Url, UrlError> = text.parse();
        let text = format!("postgresql://{text}");
        let Ok(url) = text.parse::<Url>() else {
            continue;
        };
        taken += 1;
        let rendered = url.render_for_driver();
        assert_eq!(
            rendered.parse::<Url>().as_ref(),
            Ok(&url),
            "{text}: {rendered}"
        );
        assert_eq!(for_driver(&rendered), rendered, "{text}");
    }
    assert!(taken > 1_000, "only {taken} texts were URLs");
}

#[test]
fn no_sqlite_path_makes_the_parser_panic() {
    let mut texts = Texts(2);
    for _ in 0..20_000 {
        let text = format!("sqlite:{}", texts.text());
        if let Ok(url) = text.parse::<Url>() {
            let shown = url.to_string();
            assert_eq!(shown.parse::<Url>().as_ref(), Ok(&url), "{text}: {shown}");
        }
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
