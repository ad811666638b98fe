//! Says to the sources, which are those of `everpool-sqlx`, which SQLx they are compiled with.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cfg=sqlx_0_8");
}
