use everpool_engine::fault::{ConnectFault, Fault, sqlite};

#[test]
fn sqlite_loses_only_what_is_no_database() {
    for message in [
        "file is not a database",
        "database disk image is malformed",
        "disk I/O error",
    ] {
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

#[test]
fn sqlites_result_codes_say_what_its_messages_hide() {
    let table = [
        (1, Fault::Statement),     // ERROR
        (5, Fault::Statement),     // BUSY
        (6, Fault::Statement),     // LOCKED
        (7, Fault::Statement),     // NOMEM
        (8, Fault::Statement),     // READONLY
        (9, Fault::Statement),     // INTERRUPT
        (10, Fault::Connection),   // IOERR
        (11, Fault::Connection),   // CORRUPT
        (13, Fault::Statement),    // FULL
        (14, Fault::Statement),    // CANTOPEN
        (19, Fault::Statement),    // CONSTRAINT
        (21, Fault::Statement),    // MISUSE
        (26, Fault::Connection),   // NOTADB
        (266, Fault::Connection),  // IOERR_READ
        (267, Fault::Statement),   // CORRUPT_VTAB
        (517, Fault::Statement),   // BUSY_SNAPSHOT
        (522, Fault::Connection),  // IOERR_SHORT_READ
        (779, Fault::Connection),  // CORRUPT_INDEX
        (1032, Fault::Server),     // READONLY_DBMOVED
        (1555, Fault::Statement),  // CONSTRAINT_PRIMARYKEY
        (2067, Fault::Statement),  // CONSTRAINT_UNIQUE
        (2826, Fault::Statement),  // IOERR_BLOCKED
        (3082, Fault::Statement),  // IOERR_NOMEM
        (6410, Fault::Statement),  // IOERR_GETTEMPPATH
        (6922, Fault::Connection), // IOERR_VNODE
    ];
    for (code, expected) in table {
        assert_eq!(sqlite::by_code(code), expected, "{code}");
    }
}

#[test]
fn a_file_that_is_locked_may_be_opened_soon() {
    for code in [5, 6, 15, 261] {
        assert_eq!(
            sqlite::connect_by_code(code),
            ConnectFault::Transient,
            "{code}"
        );
    }
    for message in [
        "database is locked",
        "database table is locked",
        "locking protocol",
    ] {
        let fault = sqlite::connect_by_message(message);
        assert_eq!(fault, ConnectFault::Transient, "{message}");
    }
    for code in [1, 8, 11, 14, 26, 526] {
        assert_eq!(
            sqlite::connect_by_code(code),
            ConnectFault::Permanent,
            "{code}"
        );
    }
    for message in ["unable to open database file", "file is not a database"] {
        let fault = sqlite::connect_by_message(message);
        assert_eq!(fault, ConnectFault::Permanent, "{message}");
    }
}

#[test]
fn a_conflict_of_sqlite_may_be_tried_once_more() {
    for code in [5, 261, 262, 517] {
        assert!(sqlite::is_retryable(code), "{code}");
    }
    for message in ["database is locked", "database table is locked: uusers"] {
        assert!(sqlite::is_retryable_message(message), "{message}");
    }
    for code in [1, 6, 8, 13, 19, 518, 773] {
        assert!(!sqlite::is_retryable(code), "{code}");
    }
    for message in [
        "database table is locked",
        "no such table: database is locked",
    ] {
        assert!(!sqlite::is_retryable_message(message), "{message}");
    }
}
