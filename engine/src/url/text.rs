//! Percent-encoding.

use std::fmt;

use percent_encoding::{
    AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode,
};

/// What may stand as it is between the delimiters of a URL.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// In a user name or password: libpq takes what follows a `/` for the database.
pub(super) const IN_USER: &AsciiSet = PLAIN;
/// In a host: a socket's directory has its `/` encoded, an address in brackets has its colons.
pub(super) const IN_HOST: &AsciiSet = &PLAIN.remove(b':');
/// In a path, or in an argument.
pub(super) const ELSEWHERE: &AsciiSet = &PLAIN.remove(b'/');
/// In a URI of SQLite's: its path may begin with `//`, and have a colon in it.
pub(super) const IN_URI: &AsciiSet = &ELSEWHERE.remove(b':');
/// Diesel takes a database's name as it is written, and never decodes it.
pub(super) const IN_MYSQL_DATABASE: &AsciiSet = &CONTROLS.add(b'/').add(b'?').add(b'#');

pub(super) fn encode(text: &str, set: &'static AsciiSet) -> impl fmt::Display {
    utf8_percent_encode(text, set)
}

/// Of a text that [`is_decodable`].
pub(super) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// As [`decode`], and a `+` is a space: so are the arguments of SQLAlchemy's URLs.
pub(super) fn decode_form(text: &str) -> String {
    decode(&text.replace('+', " "))
}

/// Whether [`decode`] gives what was encoded.
pub(super) fn is_decodable(text: &str) -> bool {
    percent_decode_str(text).decode_utf8().is_ok()
}
