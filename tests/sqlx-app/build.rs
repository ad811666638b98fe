//! Where `query!` finds what was once asked of a database: `.sqlx`, made by building with
//! `SQLX_OFFLINE=false` and a `DATABASE_URL` that has the migrations.

fn main() {
    let answers = concat!(env!("CARGO_MANIFEST_DIR"), "/../.sqlx");
    println!("cargo::rustc-env=SQLX_OFFLINE_DIR={answers}");
    println!("cargo::rerun-if-changed={answers}");
    println!("cargo::rerun-if-env-changed=SQLX_OFFLINE");
    if std::env::var_os("SQLX_OFFLINE").is_none() {
        println!("cargo::rustc-env=SQLX_OFFLINE=true");
    }
}
