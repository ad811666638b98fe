//! What applications do with `diesel::r2d2`, in the shapes in which they do it. Most of it is proved
//! by being compiled.

use std::{
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use diesel::{
    PgConnection, SqliteConnection,
    connection::{Connection, LoadConnection, SimpleConnection},
    pg::Pg,
    prelude::*,
    sql_types::Integer,
};

mod error {
    /// An application's error is made of the pool's by `?`.
    #[derive(Debug, thiserror::Error)]
    pub(crate) enum Error {
        #[error("pool: {0}")]
        Pool(#[from] everpool_diesel::r2d2::PoolError),
        #[error("database: {0}")]
        Query(#[from] diesel::result::Error),
    }
}

/// A forge's index: one pool for writing and one for reading, waits that differ, a read-only
/// customizer, and connections that are handed on as the driver's own.
mod registry {
    use everpool_diesel::r2d2::{self, ConnectionManager, CustomizeConnection, State};

    use super::*;

    pub(crate) type ConnectionPool = r2d2::Pool<ConnectionManager<PgConnection>>;
    pub(crate) type PooledConnection = r2d2::PooledConnection<ConnectionManager<PgConnection>>;

    #[derive(Clone)]
    pub(crate) struct DieselPool {
        pool: ConnectionPool,
        timeout: Duration,
    }

    #[derive(Debug, Clone, Copy)]
    struct Session {
        statement_timeout: Duration,
        read_only: bool,
    }

    impl CustomizeConnection<PgConnection, r2d2::Error> for Session {
        fn on_acquire(&self, conn: &mut PgConnection) -> Result<(), r2d2::Error> {
            let timeout = self.statement_timeout.as_millis();
            diesel::sql_query(format!("SET statement_timeout = {timeout}"))
                .execute(conn)
                .map_err(r2d2::Error::QueryError)?;
            if self.read_only {
                conn.batch_execute("SET default_transaction_read_only = 't'")?;
            }
            Ok(())
        }
    }

    impl DieselPool {
        pub(crate) fn new(url: &str, read_only: bool) -> Self {
            let session = Session {
                statement_timeout: Duration::from_secs(30),
                read_only,
            };
            let pool = r2d2::Pool::builder()
                .max_size(3)
                .min_idle(Some(1))
                .connection_timeout(Duration::from_secs(20))
                .connection_customizer(Box::new(session))
                .thread_pool(Arc::new(scheduled_thread_pool::ScheduledThreadPool::new(1)))
                .error_handler(Box::new(r2d2::LoggingErrorHandler))
                .build_unchecked(ConnectionManager::new(url));
            let timeout = Duration::from_secs(20);
            Self { pool, timeout }
        }

        pub(crate) fn get(&self) -> Result<PooledConnection, error::Error> {
            // One that is there at once, or a wait.
            match self.pool.try_get() {
                Some(connection) => Ok(connection),
                None => Ok(self.pool.get_timeout(self.timeout)?),
            }
        }

        pub(crate) fn state(&self) -> (u32, u32) {
            let State {
                connections,
                idle_connections,
                ..
            } = self.pool.state();
            (connections, self.pool.max_size().min(idle_connections))
        }
    }

    /// Most functions of the application know the driver's connection only.
    pub(crate) fn is_read_only(conn: &mut PgConnection) -> QueryResult<String> {
        let setting = "current_setting('transaction_read_only')";
        diesel::select(diesel::dsl::sql::<diesel::sql_types::Text>(setting)).get_result(conn)
    }
}

#[test]
fn a_registry_with_two_pools_works() {
    let server = crate::support::start();
    let (primary, replica) = (
        registry::DieselPool::new(&server.url(), false),
        registry::DieselPool::new(&server.url(), true),
    );
    for (pool, read_only) in [(&primary, "off"), (&replica, "on")] {
        let mut connection = pool.get().unwrap();
        assert_eq!(registry::is_read_only(&mut connection).unwrap(), read_only);
        let within = connection.transaction(|connection| registry::is_read_only(connection));
        assert_eq!(within.unwrap(), read_only);
        let (connections, idle) = pool.state();
        assert!(connections >= 1 && idle < connections);
    }
}

/// A web application on SQLite: a static pool, a trait that hands out connections, functions that are
/// generic over connections, and work in threads.
mod web {
    use everpool_diesel::r2d2::{ConnectionManager, ManageConnection, Pool, PooledConnection};

    use super::*;

    pub(crate) type DbPool = Pool<ConnectionManager<SqliteConnection>>;
    pub(crate) type DbConn = PooledConnection<ConnectionManager<SqliteConnection>>;

    pub(crate) fn pool() -> &'static DbPool {
        static POOL: OnceLock<DbPool> = OnceLock::new();
        POOL.get_or_init(|| {
            let manager =
                ConnectionManager::<SqliteConnection>::new("file:web?mode=memory&cache=shared");
            Pool::builder()
                .max_size(4)
                .test_on_check_out(true)
                .max_lifetime(None)
                .idle_timeout(Some(Duration::from_secs(600)))
                .build(manager)
                .expect("failed to create pool")
        })
    }

    /// `State<AppState>`, `web::Data<AppState>`: shared by all workers.
    #[derive(Clone)]
    pub(crate) struct AppState {
        pub(crate) pool: DbPool,
    }

    pub(crate) trait Connect: Send + Sync {
        fn connect(&self) -> Result<DbConn, error::Error>;
    }

    impl Connect for AppState {
        fn connect(&self) -> Result<DbConn, error::Error> {
            Ok(self.pool.get()?)
        }
    }

    /// A helper over any manager.
    pub(crate) fn with<M, T>(
        pool: &Pool<M>,
        work: impl FnOnce(&mut M::Connection) -> T,
    ) -> Result<T, everpool_diesel::r2d2::PoolError>
    where
        M: ManageConnection,
    {
        let mut connection = pool.get()?;
        Ok(work(&mut connection))
    }

    pub(crate) fn double<C>(conn: &mut C, number: i32) -> QueryResult<i32>
    where
        C: LoadConnection<Backend = diesel::sqlite::Sqlite>,
    {
        diesel::select(number.into_sql::<Integer>() + number).get_result(conn)
    }
}

#[test]
fn a_web_application_with_a_static_pool_works() {
    use web::Connect;
    let state = web::AppState {
        pool: web::pool().clone(),
    };
    let workers: Vec<_> = (0..8)
        .map(|number| {
            let state = state.clone();
            thread::spawn(move || -> Result<i32, error::Error> {
                let mut connection = state.connect()?;
                Ok(web::double(&mut connection, number)?)
            })
        })
        .collect();
    for (number, worker) in (0..).zip(workers) {
        assert_eq!(worker.join().unwrap().unwrap(), number * 2);
    }
    let doubled = web::with(&state.pool, |connection| web::double(connection, 21)).unwrap();
    assert_eq!(doubled, Ok(42));
}

/// A repository that is generic over its pool's connection, as libraries write it.
mod repository {
    use everpool_diesel::r2d2::{ConnectionManager, Pool, R2D2Connection};

    use super::*;

    pub(crate) struct Repository<C: R2D2Connection + Send + 'static> {
        pool: Pool<ConnectionManager<C>>,
    }

    impl<C> Repository<C>
    where
        C: R2D2Connection + LoadConnection<Backend = Pg> + Send + 'static,
    {
        pub(crate) fn new(url: &str) -> Self {
            let manager = ConnectionManager::<C>::new(url);
            let pool = Pool::builder().max_size(2).build(manager);
            Self {
                pool: pool.expect("the database is there"),
            }
        }

        pub(crate) fn answer(&self) -> Result<i32, error::Error> {
            let mut connection = self.pool.get()?;
            connection.ping()?;
            let answer = diesel::select(42.into_sql::<Integer>());
            Ok(connection.transaction(|connection| answer.get_result(connection))?)
        }
    }
}

#[test]
fn a_repository_over_any_connection_works() {
    let server = crate::support::start();
    let repository = repository::Repository::<PgConnection>::new(&server.url());
    assert_eq!(repository.answer().unwrap(), 42);
}
