//! What hooks are told, in which order, and what becomes of a connection that one of them refuses.

#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../support/diary.rs"]
mod diary;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../support/mod.rs"]
mod support;

mod awaited;
mod first;
mod kept;
mod order;
mod refusals;
mod registered;
mod watched;
