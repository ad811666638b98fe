//! Short programs that show everpool at work. Start one with `cargo run --example NAME`.
