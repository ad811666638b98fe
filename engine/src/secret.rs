//! What nobody may see.

/// Whether what a driver is told under this name is a secret. Rather too many than too few: of
/// libpq's, `password`, `sslpassword`, `oauth_client_secret` and `scram_client_key` are.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let words = [
        "passw",
        "passphrase",
        "pwd",
        "secret",
        "token",
        "credential",
    ];
    words.iter().any(|word| name.contains(word)) || is_key(&name)
}

/// `sslkey` and `ssl_key` are the names of files.
fn is_key(name: &str) -> bool {
    name.starts_with("scram_") && name.ends_with("_key")
}
