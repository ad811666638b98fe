//! What SQLx's PostgreSQL driver takes, all of it as arguments: `postgresql:///?host=…&user=…`. A URL
//! that has no host can have no user before it, and a socket's directory would be no host.

use everpool_engine::Url;

use super::{argument, arguments::Known, only_host};
use crate::create::EngineError;

const KNOWN: Known = Known {
    names: &[
        ("application_name", "application_name"),
        ("options", "options"),
        ("sslmode", "sslmode"),
        ("sslrootcert", "sslrootcert"),
        ("sslcert", "sslcert"),
        ("sslkey", "sslkey"),
        // Of libpq's, the address wins over the name.
        ("hostaddr", "hostaddr"),
        ("statement-cache-capacity", "statement-cache-capacity"),
        ("ssl-mode", "sslmode"),
        ("ssl-root-cert", "sslrootcert"),
        ("ssl-ca", "sslrootcert"),
        ("ssl-cert", "sslcert"),
        ("ssl-key", "sslkey"),
    ],
    silent: &[
        ("channel_binding", &["prefer", "disable"]),
        ("client_encoding", &["utf8", "UTF8", "utf-8", "UTF-8"]),
        ("gssencmode", &["prefer", "disable"]),
        ("load_balance_hosts", &["disable"]),
        ("sslcompression", &["0"]),
        ("sslnegotiation", &["postgres"]),
        ("target_session_attrs", &["any"]),
    ],
    remedies: &[
        (
            "connect_timeout",
            "set the option pool_connect_timeout instead",
        ),
        (
            "fallback_application_name",
            "write application_name instead",
        ),
        ("passfile", "set the environment's PGPASSFILE instead"),
        (
            "service",
            "write what the service says into the URL instead",
        ),
        ("sslpassword", "give a key without a password instead"),
    ],
};

/// Of a URL that is resolved.
pub(super) fn render(url: &Url) -> Result<String, EngineError> {
    let (host, port) = only_host(url)?;
    let port = port.map(|port| port.to_string());
    let place = [
        ("host", Some(host).filter(|host| !host.is_empty())),
        ("port", port.as_deref()),
        ("user", url.username()),
        ("password", url.expose_password()),
        ("dbname", url.database()),
    ];
    let place = place
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let mut said: Vec<_> = place.collect();
    for (name, value) in url.query() {
        said.extend(KNOWN.name(name, value)?.map(|name| (name, value)));
    }
    verify_what_is_given(&mut said);
    let said: Vec<_> = said
        .iter()
        .map(|(name, value)| argument(name, value))
        .collect();
    Ok(format!("postgresql:///?{}", said.join("&")))
}

/// To libpq, `require` with a root certificate is `verify-ca`; to SQLx, the certificate would be in vain.
fn verify_what_is_given(said: &mut [(&str, &str)]) {
    let has_root = said.iter().any(|(name, _)| *name == "sslrootcert");
    for (name, value) in said {
        if has_root && *name == "sslmode" && *value == "require" {
            *value = "verify-ca";
        }
    }
}
