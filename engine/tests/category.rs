//! What the drivers of Python's DBAPI make of an error, told by code and by message.

use everpool_engine::category::{Category, mysql, postgresql, sqlite};

#[test]
fn a_sqlstate_has_the_category_that_psycopg2_gives_its_class() {
    let table = [
        ("0A000", Category::NotSupported),
        ("20000", Category::Programming),
        ("21000", Category::Programming),
        ("22P02", Category::Data),
        ("23505", Category::Integrity),
        ("24000", Category::Internal),
        ("25006", Category::Internal),
        ("25P02", Category::Internal),
        ("26000", Category::Operational),
        ("27000", Category::Operational),
        ("28P01", Category::Operational),
        ("2B000", Category::Internal),
        ("2D000", Category::Internal),
        ("2F000", Category::Internal),
        ("34000", Category::Operational),
        ("38000", Category::Internal),
        ("39000", Category::Internal),
        ("3B001", Category::Internal),
        ("3D000", Category::Programming),
        ("3F000", Category::Programming),
        ("40001", Category::Operational),
        ("40P01", Category::Operational),
        ("42601", Category::Programming),
        ("44000", Category::Programming),
        ("53300", Category::Operational),
        ("54000", Category::Operational),
        ("55P03", Category::Operational),
        ("57014", Category::Operational),
        ("58030", Category::Operational),
        ("F0000", Category::Internal),
        ("HV000", Category::Operational),
        ("P0001", Category::Internal),
        ("XX000", Category::Internal),
        ("72000", Category::Database),
        ("01000", Category::Database),
        ("é", Category::Database),
        ("", Category::Database),
    ];
    for (sqlstate, expected) in table {
        assert_eq!(postgresql::by_sqlstate(sqlstate), expected, "{sqlstate}");
    }
    assert_eq!(postgresql::by_sqlstate("08006"), Category::Operational);
}

/// The messages that PostgreSQL 15 was seen to give, with the SQLSTATE that Diesel hides.
#[test]
fn a_message_of_postgresql_has_the_category_of_its_sqlstate() {
    let table = [
        ("57014", "canceling statement due to statement timeout"),
        ("55P03", "canceling statement due to lock timeout"),
        ("57014", "canceling statement due to user request"),
        (
            "23505",
            "duplicate key value violates unique constraint \"uusers_pkey\"",
        ),
        (
            "23502",
            "null value in column \"name\" of relation \"uusers\" violates not-null constraint",
        ),
        (
            "23503",
            "insert or update on table \"ch\" violates foreign key constraint \"ch_p_fkey\"",
        ),
        (
            "23514",
            "new row for relation \"ck\" violates check constraint \"ck_id\"",
        ),
        (
            "23P01",
            "conflicting key value violates exclusion constraint \"rooms\"",
        ),
        ("42601", "syntax error at or near \"SELEC\""),
        ("42P01", "relation \"nope\" does not exist"),
        ("42P07", "relation \"uusers\" already exists"),
        ("42501", "permission denied for table uusers"),
        (
            "22P02",
            "invalid input syntax for type integer: \"out of range\"",
        ),
        ("22001", "value too long for type character varying(3)"),
        ("22003", "integer out of range"),
        ("22012", "division by zero"),
        (
            "25P02",
            "current transaction is aborted, commands ignored until end of transaction block",
        ),
        ("25006", "cannot execute INSERT in a read-only transaction"),
        ("25006", "cannot execute VACUUM during recovery"),
        (
            "40001",
            "could not serialize access due to concurrent update",
        ),
        ("40P01", "deadlock detected"),
        (
            "26000",
            "prepared statement \"__diesel_stmt_3\" does not exist",
        ),
        ("0A000", "cached plan must not change result type"),
        (
            "57P01",
            "terminating connection due to administrator command",
        ),
        (
            "08006",
            "server closed the connection unexpectedly\n\tThis probably means",
        ),
    ];
    for (sqlstate, message) in table {
        let expected = postgresql::by_sqlstate(sqlstate);
        assert_eq!(postgresql::by_message(message), expected, "{message}");
    }
    assert_eq!(
        postgresql::by_message("nobody has seen this yet"),
        Category::Database
    );
    let quoted = "zone \"violates check constraint\" not recognized";
    assert_eq!(postgresql::by_message(quoted), Category::Database);
}

#[test]
fn a_number_has_the_category_that_pymysql_gives_it() {
    let table: [(&[u16], Category); 6] = [
        (&[126, 999], Category::Internal),
        (
            &[
                1007, 1064, 1102, 1103, 1110, 1111, 1112, 1113, 1146, 1149, 1166, 1179,
            ],
            Category::Programming,
        ),
        (
            &[1171, 1230, 1263, 1264, 1265, 1366, 1367, 1406, 1441],
            Category::Data,
        ),
        (
            &[1048, 1062, 1215, 1216, 1217, 1451, 1452],
            Category::Integrity,
        ),
        (&[1196, 1235, 1286, 1289], Category::NotSupported),
        (
            &[
                1040, 1044, 1045, 1054, 1142, 1143, 1205, 1213, 1290, 1792, 2006, 2013, 4031,
            ],
            Category::Operational,
        ),
    ];
    for (codes, expected) in table {
        for code in codes {
            assert_eq!(mysql::by_code(*code), expected, "{code}");
        }
    }
}

#[test]
fn a_failed_check_or_a_duplicate_is_an_integrity_error_on_mysql_too() {
    for code in [1586, 1761, 1762, 3819, 4025] {
        assert_eq!(mysql::by_code(code), Category::Integrity, "{code}");
    }
}

#[test]
fn a_message_of_mysql_has_the_category_of_its_number() {
    let table = [
        (
            1045,
            "Access denied for user 'app'@'127.0.0.1' (using password: YES)",
        ),
        (1048, "Column 'name' cannot be null"),
        (1062, "Duplicate entry '1' for key 'PRIMARY'"),
        (
            1064,
            "You have an error in your SQL syntax; check the manual that corresponds to your \
             MariaDB server version for the right syntax to use near 'SELEC 1' at line 1",
        ),
        (1146, "Table 'spike.nope' doesn't exist"),
        (
            1205,
            "Lock wait timeout exceeded; try restarting transaction",
        ),
        (
            1213,
            "Deadlock found when trying to get lock; try restarting transaction",
        ),
        (1264, "Out of range value for column 'n' at row 1"),
        (1265, "Data truncated for column 'n' at row 1"),
        (
            1290,
            "The MariaDB server is running with the --read-only option so it cannot execute this \
             statement",
        ),
        (1406, "Data too long for column 'name' at row 1"),
        (
            1451,
            "Cannot delete or update a parent row: a foreign key constraint fails (`spike`.`ch`, \
             CONSTRAINT `ch_ibfk_1` FOREIGN KEY (`p`) REFERENCES `uusers` (`id`))",
        ),
        (
            1452,
            "Cannot add or update a child row: a foreign key constraint fails (`spike`.`ch`, \
             CONSTRAINT `ch_ibfk_1` FOREIGN KEY (`p`) REFERENCES `uusers` (`id`))",
        ),
        (1792, "Cannot execute statement in a READ ONLY transaction"),
        (
            1969,
            "Query execution was interrupted (max_statement_time exceeded)",
        ),
        (2006, "Server has gone away"),
        (3819, "Check constraint 'ck_id' is violated."),
        (4025, "CONSTRAINT `ck.id` failed for `spike`.`ck`"),
    ];
    for (code, message) in table {
        assert_eq!(
            mysql::by_message(message),
            mysql::by_code(code),
            "{code}: {message}"
        );
    }
}

#[test]
fn a_result_code_has_the_category_that_pythons_sqlite3_gives_it() {
    let table: [(&[i32], Category); 6] = [
        (&[2, 12], Category::Internal),
        (
            &[1, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16, 17, 517, 1032],
            Category::Operational,
        ),
        (&[18], Category::Data),
        (&[19, 20, 275, 787, 1299, 1555, 2067], Category::Integrity),
        (&[21, 25], Category::Interface),
        (&[11, 26, 267, 99], Category::Database),
    ];
    for (codes, expected) in table {
        for code in codes {
            assert_eq!(sqlite::by_code(*code), expected, "{code}");
        }
    }
}

#[test]
fn a_message_of_sqlite_has_the_category_of_its_result_code() {
    let table = [
        (1, "near \"SELEC\": syntax error"),
        (1, "no such table: uusers"),
        (5, "database is locked"),
        (8, "attempt to write a readonly database"),
        (10, "disk I/O error"),
        (11, "database disk image is malformed"),
        (13, "database or disk is full"),
        (18, "string or blob too big"),
        (19, "constraint failed"),
        (20, "datatype mismatch"),
        (21, "bad parameter or other API misuse"),
        (25, "column index out of range"),
        (26, "file is not a database"),
        (262, "database table is locked: uusers"),
        (275, "CHECK constraint failed: ck_id"),
        (787, "FOREIGN KEY constraint failed"),
        (1299, "NOT NULL constraint failed: uusers.name"),
        (2067, "UNIQUE constraint failed: uusers.id"),
    ];
    for (code, message) in table {
        assert_eq!(
            sqlite::by_message(message),
            sqlite::by_code(code),
            "{code}: {message}"
        );
    }
}

#[test]
fn a_category_is_named_as_sqlalchemys_exception() {
    let table = [
        (Category::Interface, "InterfaceError"),
        (Category::Database, "DatabaseError"),
        (Category::Data, "DataError"),
        (Category::Operational, "OperationalError"),
        (Category::Integrity, "IntegrityError"),
        (Category::Internal, "InternalError"),
        (Category::Programming, "ProgrammingError"),
        (Category::NotSupported, "NotSupportedError"),
    ];
    for (category, name) in table {
        assert_eq!(category.to_string(), name);
    }
}
