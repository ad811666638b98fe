//! What SQLx's SQLite driver takes: `sqlite:name?mode=rwc`, where the name is what SQLite itself takes.

use std::time::Duration;

use everpool_engine::Url;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::create::EngineError;

/// SQLx knows `:memory:` as it is written.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b':').remove(b'=');

/// A file that is not there is made, as SQLite itself and SQLAlchemy do, unless the `mode` in the URL says
/// otherwise. SQLx hands the name on as it is, so all that SQLite's URIs can say stands in it.
pub(super) fn render(url: &Url) -> Result<String, EngineError> {
    let name = url.render_for_driver();
    let name = utf8_percent_encode(&name, NAME);
    Ok(format!("sqlite:{name}?mode=rwc"))
}

/// SQLx's own.
const USUAL: Duration = Duration::from_secs(5);

/// The argument `timeout`, which SQLx has in its options only, and not in those of `Any`.
pub(super) fn with_busy_timeout<O: 'static>(
    mut options: O,
    timeout: Duration,
) -> Result<O, EngineError> {
    if set_busy_timeout(&mut options, timeout) || timeout == USUAL {
        return Ok(options);
    }
    Err(EngineError::Argument {
        name: "timeout".to_owned(),
        remedy:
            "`Any` waits for 5 seconds; make an engine for `Sqlite`, or run PRAGMA busy_timeout \
                 in a hook of `engine.pool().events().connect_async`"
                .to_owned(),
    })
}

#[cfg(feature = "_sqlite")]
fn set_busy_timeout(options: &mut dyn std::any::Any, timeout: Duration) -> bool {
    let options = options.downcast_mut::<sqlx::sqlite::SqliteConnectOptions>();
    options.is_some_and(|options| {
        *options = options.clone().busy_timeout(timeout);
        true
    })
}

#[cfg(not(feature = "_sqlite"))]
fn set_busy_timeout(_: &mut dyn std::any::Any, _: Duration) -> bool {
    false
}
