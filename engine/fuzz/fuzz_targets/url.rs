//! No text makes the parser panic, and what was rendered is parsed as the same.
#![no_main]

use everpool_engine::{Backend, Url};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(url) = text.parse::<Url>() else {
        return;
    };
    let rendered = url.render_as_string(false);
    assert_eq!(
        rendered.parse().as_ref(),
        Ok(&url),
        "{text:?}: {rendered:?}"
    );
    let _shown = (url.to_string(), url.is_memory());
    let for_driver = url.render_for_driver();
    // Diesel takes the name of a MySQL database as it is, whatever stands in it.
    if url.backend() == Backend::Postgresql {
        let again: Url = for_driver.parse().expect("a driver's URL is a URL");
        assert_eq!(again.render_for_driver(), for_driver, "{text:?}");
    }
});
