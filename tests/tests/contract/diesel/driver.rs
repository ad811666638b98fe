use diesel::{
    IntoSql, MysqlConnection, PgConnection, QueryResult, RunQueryDsl, SqliteConnection,
    connection::LoadConnection,
    dsl::sql,
    sql_types::{BigInt, Integer},
};

/// A connection of Diesel's.
pub(crate) trait Driver: everpool_diesel::Driver + LoadConnection {
    /// The value of an expression.
    fn load_number<C>(connection: &mut C, expression: &str) -> QueryResult<i64>
    where
        C: LoadConnection<Backend = Self::Backend>;

    /// A query whose prepared statement is kept, with the value 1.
    fn load_cacheable<C>(connection: &mut C) -> QueryResult<i32>
    where
        C: LoadConnection<Backend = Self::Backend>;
}

macro_rules! driver {
    ($driver:ty, $integer:literal) => {
        impl Driver for $driver {
            fn load_number<C>(connection: &mut C, expression: &str) -> QueryResult<i64>
            where
                C: LoadConnection<Backend = Self::Backend>,
            {
                let number = format!(concat!("CAST({} AS ", $integer, ")"), expression);
                diesel::select(sql::<BigInt>(&number)).get_result(connection)
            }

            fn load_cacheable<C>(connection: &mut C) -> QueryResult<i32>
            where
                C: LoadConnection<Backend = Self::Backend>,
            {
                diesel::select(1.into_sql::<Integer>()).get_result(connection)
            }
        }
    };
}

driver!(PgConnection, "bigint");
driver!(MysqlConnection, "signed");
driver!(SqliteConnection, "integer");
