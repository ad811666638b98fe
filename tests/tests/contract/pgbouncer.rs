use diesel::{
    Connection as _, ConnectionError, PgConnection, QueryResult,
    connection::{CacheSize, LoadConnection},
    pg::Pg,
};
use everpool_diesel::{Engine, EngineOptionsBuilder, Url, create_engine};
use everpool_tests::{PgBouncer, PostgreSql};

use crate::database::{Database, Server};

/// PostgreSQL behind a PgBouncer in transaction mode; what goes away is the PgBouncer.
pub(crate) struct Bounced {
    bouncer: PgBouncer,
    server: PostgreSql,
}

/// A prepared statement stays on a server connection, which the next transaction need not get.
fn connect_without_statement_cache(url: &mut Url) -> Result<Option<PgConnection>, ConnectionError> {
    let mut connection = PgConnection::establish(&url.render_for_driver())?;
    connection.set_prepared_statement_cache_size(CacheSize::Disabled);
    Ok(Some(connection))
}

impl Database for Bounced {
    type Driver = PgConnection;

    const NAME: &str = "PostgreSQL behind PgBouncer";

    fn start() -> Self {
        let server = <PostgreSql as Database>::start();
        let bouncer = PgBouncer::start(&server).expect("these tests need PgBouncer");
        Self { bouncer, server }
    }

    fn url(&self) -> String {
        self.bouncer.url()
    }

    fn engine(&self, options: EngineOptionsBuilder) -> Engine<PgConnection> {
        let engine = create_engine(self.url(), options.build().unwrap()).unwrap();
        engine.events().do_connect(connect_without_statement_cache);
        engine
    }

    fn number<C: LoadConnection<Backend = Pg>>(connection: &mut C, of: &str) -> QueryResult<i64> {
        PostgreSql::number(connection, of)
    }

    fn cacheable<C: LoadConnection<Backend = Pg>>(connection: &mut C) -> QueryResult<i32> {
        PostgreSql::cacheable(connection)
    }

    fn committed_rows(&self) -> i64 {
        self.server.committed_rows()
    }
}

impl Server for Bounced {
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
