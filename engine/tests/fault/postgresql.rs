use everpool_engine::fault::{
    ConnectFault, Fault,
    postgresql::{self, Severity},
};

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
        "SSL SYSCALL error: Bad file descriptor\n",
        "SSL SYSCALL error: Operation timed out\n",
        "SSL SYSCALL error: Bad address\n",
        "SSL SYSCALL error: Success\n",
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
        "terminating connection due to conflict with recovery",
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
        "column \"query_timeout\" does not exist",
        "unrecognized configuration parameter \"client_idle_timeout\"",
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
fn what_ends_one_client_of_pgbouncer_is_no_fault_of_the_server() {
    let table = [
        "query_timeout",
        "FATAL:  query_wait_timeout\nserver closed the connection unexpectedly\n",
        "idle transaction timeout",
        "transaction timeout",
        "transaction blocks not allowed in statement pooling mode",
        "admin forced disconnect",
    ];
    for message in table {
        assert_eq!(
            postgresql::by_message(message),
            Fault::Connection,
            "{message}"
        );
    }
}

#[test]
fn a_pooler_that_goes_or_lost_its_server_is_a_disconnect() {
    let table = [
        "server conn crashed?",
        "client_idle_timeout",
        "FATAL:  pgbouncer cannot connect to server\n",
        "server login has been failing, cached error: connect failed (server_login_retry)",
        "server shutting down",
        "pooler is shutting down",
        "suspend_timeout",
        "pause failed",
        "database configuration changed",
        "database removed",
        "connect string changed",
        "close_needed",
        "server idle timeout",
        "server lifetime over",
        "odyssey: c7a1b2c3d4e5f: remote server read/write error s0123456789ab: (null)",
    ];
    for message in table {
        assert_eq!(postgresql::by_message(message), Fault::Server, "{message}");
    }
}

#[test]
fn a_pooler_that_may_accept_soon_is_transient() {
    let table = [
        "FATAL:  no more connections allowed (max_client_conn)\n",
        "FATAL:  client connections exceeded (max_db_client_connections)\n",
        "FATAL:  client_login_timeout (server down)\n",
        "FATAL:  pgbouncer cannot connect to server\n",
        "FATAL:  pooler is shutting down\n",
        "FATAL:  query_wait_timeout\n",
        "FATAL:  server conn crashed?\n",
        "FATAL:  server login has been failing, cached error: connect failed (server_login_retry)\n",
        "FATAL:  server shutting down\n",
        "ERROR:  odyssey: c7a1b2c3d4e5f: remote server read/write error s0123456789ab: (null)\n",
        "FATAL:  Max client connections reached\n",
        "FATAL:  (EMAXCONN) max client connections reached, limit: 200\n",
    ];
    for message in table {
        let fault = postgresql::connect_by_message(message);
        assert_eq!(fault, ConnectFault::Transient, "{message}");
    }
}

#[test]
fn a_pooler_that_will_not_have_us_is_permanent() {
    let table = [
        "FATAL:  no such database: nope\n",
        "FATAL:  no such user\n",
        "FATAL:  password authentication failed\n",
        "FATAL:  bouncer config error\n",
        "FATAL:  unsupported startup parameter: extra_float_digits\n",
    ];
    for message in table {
        let fault = postgresql::connect_by_message(message);
        assert_eq!(fault, ConnectFault::Permanent, "{message}");
    }
}

#[test]
fn a_name_is_no_reason_to_try_again() {
    let message = "connection to server at \"127.0.0.1\", port 5432 failed: \
                   FATAL:  database \"Connection refused\" does not exist\n";
    let fault = postgresql::connect_by_message(message);
    assert_eq!(fault, ConnectFault::Permanent);
}

/// What SQLx was seen to get from PostgreSQL 15; then what the server's list of codes has.
#[test]
fn a_fatal_report_is_a_disconnect() {
    let table = [
        ("57P01", Fault::Server),
        ("57P02", Fault::Server),
        ("57P03", Fault::Server),
        ("57P04", Fault::Server),
        ("57P05", Fault::Server),
        ("08006", Fault::Server),
        ("25P03", Fault::Connection),
        ("25P04", Fault::Connection),
        ("40001", Fault::Connection),
        ("53200", Fault::Connection),
        ("XX000", Fault::Connection),
    ];
    for (sqlstate, expected) in table {
        let fault = postgresql::by_report(Severity::Fatal, sqlstate, "");
        assert_eq!(fault, expected, "{sqlstate}");
    }
}

#[test]
fn a_report_that_is_not_fatal_is_the_statements_whatever_its_class() {
    let table = [
        "0A000", "08001", "08006", "08P01", "22P02", "23505", "25006", "25P01", "25P02", "26000",
        "40001", "40P01", "42601", "53100", "53300", "55P03", "57014", "57P01",
    ];
    let message = "terminating connection due to administrator command";
    for sqlstate in table {
        let fault = postgresql::by_report(Severity::Error, sqlstate, message);
        assert_eq!(fault, Fault::Statement, "{sqlstate}");
    }
}

#[test]
fn a_sqlstate_without_its_severity_tells_a_disconnect_too() {
    for sqlstate in [
        "08000", "08003", "08006", "57P01", "57P02", "57P03", "57P04", "57P05",
    ] {
        assert_eq!(
            postgresql::by_sqlstate(sqlstate),
            Fault::Server,
            "{sqlstate}"
        );
    }
    for sqlstate in ["25P03", "25P04"] {
        assert_eq!(
            postgresql::by_sqlstate(sqlstate),
            Fault::Connection,
            "{sqlstate}"
        );
    }
    for sqlstate in [
        "", "0", "08", "08001", "08004", "08007", "08P01", "0A000", "23505", "25006", "25P02",
        "26000", "40001", "40P01", "42601", "53300", "57014", "57P0", "57P011",
    ] {
        assert_eq!(
            postgresql::by_sqlstate(sqlstate),
            Fault::Statement,
            "{sqlstate}"
        );
    }
}

#[test]
fn a_connect_that_postgresql_refused_is_judged_by_its_sqlstate() {
    for sqlstate in [
        "08000", "08001", "08003", "08006", "53200", "53300", "57P01", "57P02", "57P03",
    ] {
        let fault = postgresql::connect_by_sqlstate(sqlstate, "");
        assert_eq!(fault, ConnectFault::Transient, "{sqlstate}");
    }
    for sqlstate in [
        "08004", "08P01", "28000", "28P01", "3D000", "42501", "55000", "XX000",
    ] {
        let fault = postgresql::connect_by_sqlstate(sqlstate, "");
        assert_eq!(fault, ConnectFault::Permanent, "{sqlstate}");
    }
}

#[test]
fn a_postgresql_that_takes_no_writes_is_known() {
    assert!(postgresql::is_read_only("25006"));
    for message in [
        "cannot execute INSERT in a read-only transaction",
        "ERROR:  cannot execute UPDATE in a read-only transaction\n",
        "cannot execute VACUUM during recovery",
    ] {
        assert!(postgresql::is_read_only_message(message), "{message}");
    }
    for sqlstate in ["25000", "25P02", "42501"] {
        assert!(!postgresql::is_read_only(sqlstate), "{sqlstate}");
    }
    for message in [
        "cannot execute a query",
        "syntax error at or near \"cannot execute INSERT in a read-only transaction\"",
        "relation \"x\" does not exist in a read-only transaction",
    ] {
        assert!(!postgresql::is_read_only_message(message), "{message}");
    }
}

#[test]
fn a_conflict_of_postgresql_may_be_tried_once_more() {
    for sqlstate in ["40001", "40P01"] {
        assert!(postgresql::is_retryable(sqlstate), "{sqlstate}");
    }
    for message in [
        "could not serialize access due to concurrent update",
        "could not serialize access due to concurrent delete",
        "could not serialize access due to read/write dependencies among transactions",
        "deadlock detected",
        "canceling statement due to conflict with recovery",
        "terminating connection due to conflict with recovery",
    ] {
        assert!(postgresql::is_retryable_message(message), "{message}");
    }
    for sqlstate in [
        "23505", "25P02", "40000", "40002", "40003", "55P03", "57014", "57P01",
    ] {
        assert!(!postgresql::is_retryable(sqlstate), "{sqlstate}");
    }
    for message in [
        "canceling statement due to lock timeout",
        "relation \"deadlock detected\" does not exist",
        "terminating connection due to administrator command",
    ] {
        assert!(!postgresql::is_retryable_message(message), "{message}");
    }
}

#[test]
fn what_a_pooler_says_counts_more_than_its_sqlstate() {
    let table = [
        ("08P01", "server conn crashed?", Fault::Server),
        ("08P01", "query_wait_timeout", Fault::Connection),
        (
            "08P01",
            "prepared statement did not exist",
            Fault::Connection,
        ),
        (
            "XX000",
            "terminating connection due to administrator command",
            Fault::Server,
        ),
    ];
    for (sqlstate, message, expected) in table {
        let fault = postgresql::by_report(Severity::Fatal, sqlstate, message);
        assert_eq!(fault, expected, "{message}");
    }
    let table = [
        (
            "08P01",
            "no more connections allowed (max_client_conn)",
            ConnectFault::Transient,
        ),
        (
            "08P01",
            "password authentication failed",
            ConnectFault::Permanent,
        ),
        (
            "XX000",
            "Max client connections reached",
            ConnectFault::Transient,
        ),
        ("28P01", "Connection refused", ConnectFault::Permanent),
    ];
    for (sqlstate, message, expected) in table {
        let fault = postgresql::connect_by_sqlstate(sqlstate, message);
        assert_eq!(fault, expected, "{message}");
    }
}
