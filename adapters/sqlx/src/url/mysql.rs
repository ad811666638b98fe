//! What SQLx's MySQL driver takes: `mysql://user:password@host:port/database?ssl-mode=…`.

use everpool_engine::Url;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{argument, arguments::Known, encode, only_host};
use crate::create::EngineError;

/// By the names of a URL that is resolved.
const KNOWN: Known = Known {
    names: &[
        ("charset", "charset"),
        ("collation", "collation"),
        ("ssl_mode", "ssl-mode"),
        ("ssl_ca", "ssl-ca"),
        ("ssl_cert", "ssl-cert"),
        ("ssl_key", "ssl-key"),
        ("unix_socket", "socket"),
        ("timezone", "timezone"),
        ("time-zone", "timezone"),
        ("statement-cache-capacity", "statement-cache-capacity"),
    ],
    silent: &[],
    remedies: &[
        (
            "connect_timeout",
            "set the option pool_connect_timeout instead",
        ),
        (
            "autocommit",
            "set the option isolation_level to AUTOCOMMIT instead",
        ),
        (
            "init_command",
            "run it in a hook of `engine.pool().events().connect_async` instead",
        ),
    ],
};

/// What may stand in a name as it is. SQLx decodes none, so whatever else is in one is not found.
const HOST: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// Of a URL that is resolved. SQLx speaks TCP with `localhost`, where MySQL's own client library takes
/// its default socket.
pub(super) fn render(url: &Url) -> Result<String, EngineError> {
    let (host, port) = only_host(url)?;
    let user = url.username().ok_or(EngineError::NoUser)?;
    let password = url.expose_password().unwrap_or_default();
    let host = match host {
        "" => "localhost".to_owned(),
        address if address.contains(':') => format!("[{address}]"),
        name => utf8_percent_encode(name, HOST).to_string(),
    };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    let database = encode(url.database().unwrap_or_default());
    let (user, password) = (encode(user), encode(password));
    let arguments = arguments(url)?.join("&");
    Ok(format!(
        "mysql://{user}:{password}@{host}{port}/{database}?{arguments}"
    ))
}

fn arguments(url: &Url) -> Result<Vec<String>, EngineError> {
    let mut said = Vec::new();
    for (name, value) in url.query() {
        said.extend(KNOWN.name(name, value)?.map(|name| argument(name, value)));
    }
    let has = |wanted| url.query().any(|(name, _)| name == wanted);
    // As MySQL's own client library does.
    if has("ssl_ca") && !has("ssl_mode") {
        said.push(argument("ssl-mode", "VERIFY_CA"));
    }
    Ok(said)
}
