use everpool_engine::fault::{ConnectFault, Fault, mysql};

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
        "Connection was killed",
        "The session was killed",
        "Connection killed by MaxScale: Router could not recover from connection errors",
        "Got an error reading communication packets",
        "Got timeout reading communication packets",
        "Got an error writing communication packets",
        "Got timeout writing communication packets",
        "Aborted connection 7 to db: 'app' user: 'scott' host: 'localhost' (CLOSE_CONNECTION)",
    ];
    for message in table {
        assert_eq!(mysql::by_message(message), Fault::Server, "{message}");
    }
}

#[test]
fn a_mysql_session_that_the_server_ended_is_no_fault_of_the_server() {
    let table = [
        "Got a packet bigger than 'max_allowed_packet' bytes",
        "Commands out of sync; you can't run this command now",
        "Malformed packet",
        "Received malformed packet",
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
        "The MariaDB server is running with the --read-only option so it cannot execute this statement",
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
        "WSREP has not yet prepared node for application use",
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
fn each_of_sqlalchemys_numbers_is_a_disconnect() {
    for code in [1927, 2006, 2013, 2045, 2055, 4031] {
        assert_eq!(mysql::by_code(code), Fault::Server, "{code}");
    }
    assert_eq!(mysql::by_code(2014), Fault::Connection);
    for code in [2007, 4032] {
        assert_eq!(mysql::by_code(code), Fault::Statement, "{code}");
    }
    assert_eq!(mysql::by_message("something broke"), Fault::Statement);
}

#[test]
fn a_mysql_server_that_goes_or_hangs_up_is_a_disconnect_by_number() {
    let gone = [
        1053, 1077, 1079, 1080, 1152, 1154, 1158, 1159, 1160, 1161, 1184, 3032, 3168, 3169,
    ];
    for code in gone {
        assert_eq!(mysql::by_code(code), Fault::Server, "{code}");
    }
    for code in [1153, 1155, 1156, 1157, 2026, 2027] {
        assert_eq!(mysql::by_code(code), Fault::Connection, "{code}");
    }
}

#[test]
fn a_mysql_error_of_a_statement_is_no_disconnect_by_number() {
    let table = [
        1040, 1045, 1047, 1048, 1049, 1062, 1064, 1146, 1189, 1190, 1205, 1213, 1226, 1290, 1317,
        1451, 1452, 1792, 1836, 1969, 4025,
    ];
    for code in table {
        assert_eq!(mysql::by_code(code), Fault::Statement, "{code}");
    }
}

/// What libmariadb and SQLx were seen to get from MariaDB 10.11, and MySQL's documented ones.
#[test]
fn number_and_message_of_mysql_agree() {
    let table = [
        (1053, "Server shutdown in progress"),
        (1062, "Duplicate entry '1' for key 'PRIMARY'"),
        (1153, "Got a packet bigger than 'max_allowed_packet' bytes"),
        (1158, "Got an error reading communication packets"),
        (1159, "Got timeout reading communication packets"),
        (1160, "Got an error writing communication packets"),
        (1161, "Got timeout writing communication packets"),
        (
            1205,
            "Lock wait timeout exceeded; try restarting transaction",
        ),
        (
            1205,
            "Lock wait timeout exceeded; try restarting transaction",
        ),
        (
            1213,
            "Deadlock found when trying to get lock; try restarting transaction",
        ),
        (1317, "Query execution was interrupted"),
        (1927, "Connection was killed"),
        (
            1969,
            "Query execution was interrupted (max_statement_time exceeded)",
        ),
        (2006, "Server has gone away"),
        (2013, "Lost connection to server during query"),
        (2014, "Commands out of sync; you can't run this command now"),
        (2027, "Received malformed packet"),
        (
            2055,
            "Lost connection to server at 'reading authorization packet', system error: 104",
        ),
        (3032, "The server is currently in offline mode"),
        (3169, "The session was killed"),
        (
            4031,
            "The client was disconnected by the server because of inactivity. \
             See wait_timeout and interactive_timeout for configuring this behavior.",
        ),
    ];
    for (code, message) in table {
        let (by_code, by_message) = (mysql::by_code(code), mysql::by_message(message));
        assert_eq!(by_code, by_message, "{code}: {message}");
    }
}

#[test]
fn a_failed_connect_to_mysql_is_judged_alike_by_number_and_by_message() {
    let table = [
        (1040, "Too many connections", ConnectFault::Transient),
        (
            1045,
            "Access denied for user 'app'@'127.0.0.1' (using password: YES)",
            ConnectFault::Permanent,
        ),
        (
            1047,
            "WSREP has not yet prepared node for application use",
            ConnectFault::Transient,
        ),
        (1049, "Unknown database 'nosuch'", ConnectFault::Permanent),
        (1053, "Server shutdown in progress", ConnectFault::Transient),
        (
            1129,
            "Host '10.0.0.1' is blocked because of many connection errors; \
             unblock with 'mysqladmin flush-hosts'",
            ConnectFault::Permanent,
        ),
        (
            1135,
            "Can't create a new thread (errno 11 \"Resource temporarily unavailable\")",
            ConnectFault::Transient,
        ),
        (
            1203,
            "User lim already has more than 'max_user_connections' active connections",
            ConnectFault::Transient,
        ),
        (
            1226,
            "User 'lim' has exceeded the 'max_user_connections' resource (current value: 1)",
            ConnectFault::Transient,
        ),
        (
            1226,
            "User 'lim' has exceeded the 'max_connections_per_hour' resource (current value: 1)",
            ConnectFault::Permanent,
        ),
        (
            2002,
            "Can't connect to local server through socket '/run/mysqld.sock' (2)",
            ConnectFault::Transient,
        ),
        (
            2003,
            "Can't connect to server on '127.0.0.1' (115)",
            ConnectFault::Transient,
        ),
        (
            2005,
            "Unknown server host 'db.example' (-3)",
            ConnectFault::Transient,
        ),
        (
            2005,
            "Unknown server host 'nosuch.invalid' (-2)",
            ConnectFault::Permanent,
        ),
        (
            2013,
            "Lost connection to server at 'handshake: reading initial communication packet', system error: 11",
            ConnectFault::Transient,
        ),
    ];
    for (code, message, expected) in table {
        assert_eq!(
            mysql::connect_by_code(code, message),
            expected,
            "{code}: {message}"
        );
        assert_eq!(mysql::connect_by_message(message), expected, "{message}");
    }
    for code in [1037, 1041] {
        assert_eq!(
            mysql::connect_by_code(code, ""),
            ConnectFault::Transient,
            "{code}"
        );
    }
}

#[test]
fn a_mysql_that_takes_no_writes_is_known() {
    let table = [
        (
            1290,
            "The MariaDB server is running with the --read-only option so it cannot execute this statement",
        ),
        (
            1290,
            "The MySQL server is running with the --super-read-only option so it cannot execute this statement",
        ),
        (
            1290,
            "The MariaDB server is running with the --read_only=ON option so it cannot execute this statement",
        ),
        (1836, "Running in read-only mode"),
        (1874, "InnoDB is in read only mode"),
    ];
    for (code, message) in table {
        assert!(mysql::is_read_only(code, message), "{code}: {message}");
        assert!(mysql::is_read_only_message(message), "{message}");
    }
}

#[test]
fn what_a_program_forbade_itself_is_no_mysql_that_takes_no_writes() {
    let table = [
        (
            1290,
            "The MySQL server is running with the --secure-file-priv option so it cannot execute this statement",
        ),
        (
            1290,
            "The MySQL server is running with the --skip-grant-tables option so it cannot execute this statement",
        ),
        (1792, "Cannot execute statement in a READ ONLY transaction"),
        (1146, "Table 'app.--read-only' doesn't exist"),
        (
            1064,
            "You have an error in your SQL syntax near 'The M server is running with the --read-only'",
        ),
    ];
    for (code, message) in table {
        assert!(!mysql::is_read_only(code, message), "{code}: {message}");
        assert!(!mysql::is_read_only_message(message), "{message}");
    }
}

#[test]
fn a_conflict_of_mysql_and_a_lock_that_did_not_come_may_be_tried_once_more() {
    let table = [
        (
            1020,
            "Record has changed since last read in table 'accounts'",
        ),
        (
            1213,
            "Deadlock found when trying to get lock; try restarting transaction",
        ),
        (
            1614,
            "XA_RBDEADLOCK: Transaction branch was rolled back: deadlock was detected",
        ),
        (
            3101,
            "Plugin instructed the server to rollback the current transaction.",
        ),
    ];
    for (code, message) in table {
        assert!(mysql::is_retryable(code), "{code}");
        assert!(mysql::is_retryable_message(message), "{message}");
    }
    for code in [1053, 1062, 2013, 3572] {
        assert!(!mysql::is_retryable(code), "{code}");
    }
    let message = "Duplicate entry 'Deadlock found when trying to get lock' for key 'PRIMARY'";
    assert!(!mysql::is_retryable_message(message), "{message}");
}
