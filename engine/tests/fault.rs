//! What real servers and client libraries were seen to say, and whose fault it is.
//!
//! Where a driver's kind of error alone tells (Diesel's `ClosedConnection`), the message is here
//! all the same, as long as it tells too.

use everpool_engine::fault::{ConnectFault, Fault, mysql, postgresql, sqlite};

/// libpq, when the socket was closed under it.
const SCC: &str = "server closed the connection unexpectedly\n\
    \tThis probably means the server terminated abnormally\n\
    \tbefore or while processing the request.\n";

#[test]
fn a_message_of_a_lost_postgresql_connection_is_a_disconnect() {
    let fatal_first = format!("FATAL:  terminating connection due to administrator command\n{SCC}");
    let twice = format!("{SCC}{SCC}");
    let table = [
        SCC,
        &twice,
        &fatal_first,
        "no connection to the server\n",
        "terminating connection due to administrator command",
        "lost synchronization with server: got message type \"X\", length 1482184792\n",
    ];
    for message in table {
        assert_eq!(postgresql::by_message(message), Fault::Server, "{message}");
    }
}

#[test]
fn each_of_sqlalchemys_texts_is_a_disconnect() {
    let table = [
        "terminating connection because of crash of another server process",
        "server closed the connection unexpectedly",
        "connection not open\n",
        "no connection to the server\n",
        "could not receive data from server: Connection reset by peer\n",
        "could not send data to server: Broken pipe\n",
        "connection has been closed unexpectedly",
        "SSL error: decryption failed or bad record mac\n",
        "SSL SYSCALL error: EOF detected\n",
        "server conn crashed?",
    ];
    for message in table {
        assert_eq!(postgresql::by_message(message), Fault::Server, "{message}");
    }
}

#[test]
fn a_session_that_timed_out_is_no_fault_of_the_server() {
    let table = [
        "terminating connection due to transaction timeout",
        "FATAL:  terminating connection due to transaction timeout\n",
        "terminating connection due to idle-in-transaction timeout",
    ];
    for message in table {
        let fault = postgresql::by_message(message);
        assert_eq!(fault, Fault::Connection, "{message}");
        assert!(fault.is_disconnect(), "{message}");
    }
}

#[test]
fn who_rested_too_long_was_not_alone() {
    let message = "terminating connection due to idle-session timeout";
    assert_eq!(postgresql::by_message(message), Fault::Server);
}

#[test]
fn a_message_of_a_postgresql_connection_that_stays_is_no_disconnect() {
    let table = [
        "canceling statement due to statement timeout",
        "canceling statement due to lock timeout",
        "canceling statement due to user request",
        "duplicate key value violates unique constraint \"uusers_pkey\"",
        "null value in column \"name\" of relation \"uusers\" violates not-null constraint",
        "syntax error at or near \"SELEC\"",
        "relation \"nope\" does not exist",
        "current transaction is aborted, commands ignored until end of transaction block",
        "cannot execute INSERT in a read-only transaction",
        "could not serialize access due to concurrent update",
        "could not serialize access due to read/write dependencies among transactions",
        "deadlock detected",
        "prepared statement \"__diesel_stmt_3\" does not exist",
        "cached plan must not change result type",
        "number of parameters must be between 0 and 65535\n",
        "nul byte found in provided data at position: 8",
        "Received an empty query",
        "",
    ];
    for message in table {
        let fault = postgresql::by_message(message);
        assert_eq!(fault, Fault::Statement, "{message}");
        assert!(!fault.is_disconnect(), "{message}");
    }
}

#[test]
fn the_words_of_a_statement_are_no_disconnect() {
    let table = [
        "syntax error at or near \"terminating connection\"",
        "relation \"server closed the connection unexpectedly\" does not exist",
        "invalid input syntax for type integer: \"SSL error:\"",
        "some error\nLINE 1: select 'no connection to the server'",
    ];
    for message in table {
        assert_eq!(
            postgresql::by_message(message),
            Fault::Statement,
            "{message}"
        );
    }
}

#[test]
fn a_postgresql_that_may_accept_soon_is_transient() {
    let table = [
        "connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n\
         \tIs the server running on that host and accepting TCP/IP connections?\n",
        "connection to server on socket \"/run/.s.PGSQL.1\" failed: No such file or directory\n\
         \tIs the server running locally and accepting connections on that socket?\n",
        "connection to server at \"127.0.0.1\", port 35419 failed: timeout expired\n",
        "connection to server at \"127.0.0.1\", port 54991 failed: \
         FATAL:  too many connections for role \"pwuser\"\n",
        "connection to server at \"127.0.0.1\", port 54991 failed: FATAL:  \
         remaining connection slots are reserved for non-replication superuser connections\n",
        "connection to server at \"127.0.0.1\", port 54991 failed: \
         FATAL:  sorry, too many clients already\n",
        "FATAL:  the database system is starting up\n",
        "FATAL:  the database system is shutting down\n",
        "FATAL:  the database system is in recovery mode\n",
        "FATAL:  the database system is not yet accepting connections\n",
        SCC,
    ];
    for message in table {
        let fault = postgresql::connect_by_message(message);
        assert_eq!(fault, ConnectFault::Transient, "{message}");
    }
}

#[test]
fn a_postgresql_that_will_not_have_us_is_permanent() {
    let table = [
        "could not translate host name \"nosuch.invalid\" to address: Name or service not known\n",
        "connection to server at \"127.0.0.1\", port 54991 failed: \
         FATAL:  password authentication failed for user \"pwuser\"\n",
        "connection to server at \"127.0.0.1\", port 54991 failed: \
         fe_sendauth: no password supplied\n",
        "connection to server at \"127.0.0.1\", port 54991 failed: \
         FATAL:  database \"nope\" does not exist\n",
        "connection to server at \"127.0.0.1\", port 54991 failed: \
         FATAL:  role \"nobody\" does not exist\n",
        "invalid URI query parameter: \"nonsense\"\n",
        "connection to server at \"127.0.0.1\", port 54991 failed: \
         FATAL:  database \"postgres\" is not currently accepting connections\n",
        "an error nobody has seen yet",
    ];
    for message in table {
        let fault = postgresql::connect_by_message(message);
        assert_eq!(fault, ConnectFault::Permanent, "{message}");
    }
}

#[test]
fn a_message_of_a_lost_mysql_connection_is_a_disconnect() {
    let table = [
        "Server has gone away",
        "MySQL server has gone away",
        "Lost connection to server during query",
        "Lost connection to MySQL server during query",
        "The client was disconnected by the server because of inactivity. \
         See wait_timeout and interactive_timeout for configuring this behavior.",
        "Server shutdown in progress",
        "The server is currently in offline mode",
    ];
    for message in table {
        assert_eq!(mysql::by_message(message), Fault::Server, "{message}");
    }
}

#[test]
fn a_mysql_session_that_the_server_ended_is_no_fault_of_the_server() {
    let table = [
        "Connection was killed",
        "The session was killed",
        "Got a packet bigger than 'max_allowed_packet' bytes",
    ];
    for message in table {
        assert_eq!(mysql::by_message(message), Fault::Connection, "{message}");
    }
}

#[test]
fn a_message_of_a_mysql_connection_that_stays_is_no_disconnect() {
    let table = [
        "Query execution was interrupted (max_statement_time exceeded)",
        "Query execution was interrupted",
        "Lock wait timeout exceeded; try restarting transaction",
        "Deadlock found when trying to get lock; try restarting transaction",
        "Duplicate entry '1' for key 'PRIMARY'",
        "Column 'name' cannot be null",
        "You have an error in your SQL syntax; check the manual that corresponds to your MariaDB \
         server version for the right syntax to use near 'SELEC 1' at line 1",
        "You have an error in your SQL syntax; check the manual that corresponds to your MariaDB \
         server version for the right syntax to use near 'Server has gone away' at line 1",
        "Table 'spike.nope' doesn't exist",
        "Cannot execute statement in a READ ONLY transaction",
        "Cannot add or update a child row: a foreign key constraint fails (`spike`.`ch`, \
         CONSTRAINT `ch_ibfk_1` FOREIGN KEY (`p`) REFERENCES `uusers` (`id`))",
        "CONSTRAINT `ck.id` failed for `spike`.`ck`",
        "",
    ];
    for message in table {
        assert_eq!(mysql::by_message(message), Fault::Statement, "{message}");
    }
}

#[test]
fn a_mysql_that_may_accept_soon_is_transient() {
    let table = [
        "Can't connect to server on '127.0.0.1' (115)",
        "Can't connect to MySQL server on '127.0.0.1:3306' (111)",
        "Can't connect to local server through socket '/run/mysqld.sock' (2)",
        "Can't connect to local MySQL server through socket '/run/mysqld.sock' (2)",
        "Lost connection to server at 'handshake: reading initial communication packet', \
         system error: 11",
        "Lost connection to MySQL server at 'reading initial communication packet', \
         system error: 104",
        "Too many connections",
        "Can't create a new thread (errno 11 \"Resource temporarily unavailable\")",
        "User lim already has more than 'max_user_connections' active connections",
        "User 'lim' has exceeded the 'max_user_connections' resource (current value: 1)",
        "Unknown server host 'db.example' (-3)",
        "Server shutdown in progress",
    ];
    for message in table {
        let fault = mysql::connect_by_message(message);
        assert_eq!(fault, ConnectFault::Transient, "{message}");
    }
}

#[test]
fn a_mysql_that_will_not_have_us_is_permanent() {
    let table = [
        "Unknown server host 'nosuch.invalid' (-2)",
        "Access denied for user 'spike'@'127.0.0.1' (using password: YES)",
        "Unknown database 'nope'",
        "Unknown database 'Too many connections'",
        "User 'lim' has exceeded the 'max_connections_per_hour' resource (current value: 1)",
        "Host '10.0.0.1' is blocked because of many connection errors; \
         unblock with 'mysqladmin flush-hosts'",
        "an error nobody has seen yet",
    ];
    for message in table {
        let fault = mysql::connect_by_message(message);
        assert_eq!(fault, ConnectFault::Permanent, "{message}");
    }
}

#[test]
fn sqlite_loses_only_what_is_no_database() {
    for message in ["file is not a database", "database disk image is malformed"] {
        assert_eq!(sqlite::by_message(message), Fault::Connection, "{message}");
    }
}

#[test]
fn sqlites_other_errors_are_the_statements() {
    let table = [
        "database is locked",
        "database table is locked: uusers",
        "attempt to write a readonly database",
        "no such table: uusers",
        "database or disk is full",
        "Cannot perform this operation outside of a transaction",
        "UNIQUE constraint failed: uusers.id",
        "NOT NULL constraint failed: uusers.name",
        "near \"SELEC\": syntax error",
        "unable to open database file",
        "no such table: file is not a database",
        "bad",
    ];
    for message in table {
        assert_eq!(sqlite::by_message(message), Fault::Statement, "{message}");
    }
}
