//! What Diesel's MySQL connection wants: `mysql://user:password@host:port/database?ssl_mode=…`.

use super::{Url, render::Rendered};

/// The client takes no host for `localhost`, but the text must have one beside a user or a port.
const LOCAL: &str = "localhost";

/// The names that other drivers have for what Diesel reads. What Diesel does not know it ignores,
/// and a `ssl-mode` that is ignored is a connection in plain text.
const NAMES: &[(&str, &str)] = &[
    ("socket", "unix_socket"),
    ("ssl-ca", "ssl_ca"),
    ("ssl-cert", "ssl_cert"),
    ("ssl-key", "ssl_key"),
    ("ssl-mode", "ssl_mode"),
    ("sslmode", "ssl_mode"),
];

pub(super) fn render(url: &Url) -> String {
    let mut url = url.clone();
    if url.host.is_empty() {
        url.host = LOCAL.to_owned();
    }
    for (key, _) in &mut url.query {
        if let Some((_, name)) = NAMES.iter().find(|(other, _)| other == key) {
            *key = (*name).to_owned();
        }
    }
    let rendered = Rendered {
        url: &url,
        hide_password: false,
    };
    rendered.to_string()
}
