//! No text makes a reader of options panic, and what was written is read as the same.
#![no_main]

use everpool_engine::{EngineOptions, PoolOptions, engine_from_config, engine_from_env};
use libfuzzer_sys::fuzz_target;

/// One that no option is refused for.
const URL: (&str, &str) = ("url", "sqlite://");

fuzz_target!(|text: &str| {
    if let Ok(options) = serde_json::from_str::<EngineOptions>(text) {
        written_and_read(&options);
    }
    if let Ok(options) = serde_json::from_str::<PoolOptions>(text) {
        written_and_read(&options.into());
    }
    let lines = || text.lines().filter_map(|line| line.split_once('='));
    if let Ok((_, options)) = engine_from_config(lines().chain([URL]), "") {
        written_and_read(&options);
    }
    if let Ok((_, options)) = engine_from_env(lines().chain([URL]), "") {
        written_and_read(&options);
    }
});

/// Secrets are not written, so it is the writings that are compared.
fn written_and_read(options: &EngineOptions) {
    let write = |options| serde_json::to_string(options).expect("options are a table of texts");
    let written = write(options);
    let read: EngineOptions = serde_json::from_str(&written).expect("what was written is right");
    assert_eq!(write(&read), written);
    let one = options.clone().with_one_connection();
    assert_eq!(one.pool().check(), Ok(()));
}
