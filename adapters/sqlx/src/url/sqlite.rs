//! What SQLx's SQLite driver takes: `sqlite:name?mode=rwc`, where the name is what SQLite itself takes.

use everpool_engine::Url;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::engine::EngineError;

/// SQLx knows `:memory:` as it is written.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b':').remove(b'=');

/// A file that is not there is made, as SQLite itself and SQLAlchemy do, unless the `mode` in the URL says
/// otherwise. SQLx hands the name on as it is, so all that SQLite's URIs can say stands in it.
pub(super) fn render(url: &Url) -> Result<String, EngineError> {
    let name = url.render_for_driver();
    let name = utf8_percent_encode(&name, NAME);
    Ok(format!("sqlite:{name}?mode=rwc"))
}
