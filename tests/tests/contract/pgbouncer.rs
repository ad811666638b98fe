use everpool_core::PoolClass;
use everpool_engine::EngineOptionsBuilder;
use everpool_tests::{PgBouncer, PostgreSql};

use crate::database::{Database, Server};

/// PostgreSQL behind a PgBouncer in transaction mode; what goes away is the PgBouncer.
/// The engine's own pool is a `QueuePool` if it `KEEPS` connections, and else a `NullPool`.
pub(crate) struct Bounced<const KEEPS: bool> {
    bouncer: PgBouncer,
    server: PostgreSql,
}

pub(crate) type QueuePooled = Bounced<true>;
pub(crate) type NullPooled = Bounced<false>;

impl<const KEEPS: bool> Database for Bounced<KEEPS> {
    type Diesel = <PostgreSql as Database>::Diesel;
    type Sqlx = <PostgreSql as Database>::Sqlx;

    const NAME: &str = if KEEPS {
        "PostgreSQL behind PgBouncer"
    } else {
        "PostgreSQL behind PgBouncer, with a NullPool"
    };

    const KEEPS: bool = KEEPS;

    fn start() -> Self {
        let server = <PostgreSql as Database>::start();
        let bouncer = PgBouncer::start(&server).expect("these tests need PgBouncer");
        Self { bouncer, server }
    }

    fn clear(&self) {
        self.server.psql("TRUNCATE t").unwrap();
    }

    fn url(&self) -> String {
        self.bouncer.url()
    }

    fn committed_rows(&self) -> i64 {
        self.server.committed_rows()
    }

    fn options(options: EngineOptionsBuilder) -> EngineOptionsBuilder {
        // A prepared statement stays on a server connection, which the next transaction need not get.
        let options = options.query_cache_size(0);
        if KEEPS {
            options
        } else {
            options.poolclass(PoolClass::NullPool)
        }
    }
}

impl<const KEEPS: bool> Server for Bounced<KEEPS> {
    const REFUSED: &[&str] = PostgreSql::REFUSED;
    const UNKNOWN_DATABASE: &str = "no such database: nowhere";

    fn end_sessions(&self) {
        self.bouncer.drop_connections().unwrap();
    }

    fn stop(&mut self) {
        self.bouncer.stop().unwrap();
    }

    fn start_again(&mut self) {
        self.bouncer.start_again().unwrap();
    }

    fn kill(&mut self) {
        self.bouncer.kill().unwrap();
    }

    fn freeze(&self) {
        self.bouncer.freeze().unwrap();
    }

    fn thaw(&self) {
        self.bouncer.thaw().unwrap();
    }

    fn url_to_nowhere(&self, password: &str) -> String {
        let url = self.url().replace("/postgres", "/nowhere");
        let mark = if url.contains('?') { '&' } else { '?' };
        format!("{url}{mark}password={password}")
    }
}
