//! What a PgBouncer is told in its configuration file.

use super::{CONSOLE, PoolMode};
use crate::PostgreSql;
use crate::postgres::{DATABASE, USER};

/// The first version that knows the prepared statements of its clients in transaction mode.
const KEEPS_PREPARED_STATEMENTS: (u32, u32) = (1, 21);

pub(super) fn keeps_prepared_statements(version: (u32, u32)) -> bool {
    version >= KEEPS_PREPARED_STATEMENTS
}

/// The configuration of a PgBouncer that trusts everyone, in front of this server.
///
/// A client meets another of its server connections with each transaction, where there are several; and a
/// server that was away is tried again at once, not after 15 seconds.
pub(super) fn text(server: &PostgreSql, mode: PoolMode, port: u16, version: (u32, u32)) -> String {
    let host = server.directory().display();
    let server_port = server.socket_port();
    let mode = mode.name();
    let mut text = format!(
        "[databases]\n\
         {DATABASE} = host={host} port={server_port} user={USER}\n\
         [{CONSOLE}]\n\
         pool_mode = {mode}\n\
         listen_addr = 127.0.0.1\n\
         listen_port = {port}\n\
         unix_socket_dir = .\n\
         auth_type = trust\n\
         auth_file = users\n\
         admin_users = {USER}\n\
         max_client_conn = 100\n\
         default_pool_size = 20\n\
         server_round_robin = 1\n\
         server_login_retry = 0.05\n\
         ignore_startup_parameters = extra_float_digits\n"
    );
    if keeps_prepared_statements(version) {
        text.push_str("max_prepared_statements = 200\n");
    }
    text
}

/// The file of those who may log in: without a password.
pub(super) fn users() -> String {
    format!("\"{USER}\" \"\"\n")
}
