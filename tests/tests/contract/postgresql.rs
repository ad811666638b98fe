use diesel::PgConnection;
use everpool_tests::PostgreSql;
use sqlx::Postgres;

use crate::database::{Database, Server, until};

impl Database for PostgreSql {
    type Diesel = everpool_diesel::Engine<PgConnection>;
    type Sqlx = everpool_sqlx::Engine<Postgres>;

    const NAME: &str = "PostgreSQL";

    fn start() -> Self {
        let server = PostgreSql::start().expect("these tests need PostgreSQL");
        server.psql("CREATE TABLE t (i int)").unwrap();
        server
    }

    fn clear(&self) {
        until("all sessions end", || {
            let others = "SELECT pid FROM pg_stat_activity \
                          WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
            self.psql(others).unwrap().is_empty()
        });
        self.psql("TRUNCATE t").unwrap();
    }

    fn url(&self) -> String {
        PostgreSql::url(self)
    }

    fn committed_rows(&self) -> i64 {
        let rows = self.psql("SELECT count(*) FROM t").unwrap();
        rows.trim().parse().unwrap()
    }
}

impl Server for PostgreSql {
    const REFUSED: &[&str] = &["No such file or directory", "Connection refused"];
    const UNKNOWN_DATABASE: &str = "database \"nowhere\" does not exist";

    fn end_sessions(&self) {
        let end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
                   WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        let answers = self.psql(end).unwrap();
        assert!(
            !answers.is_empty() && !answers.contains('f'),
            "not all ended: {answers}"
        );
    }

    fn stop(&mut self) {
        PostgreSql::stop(self).unwrap();
    }

    fn start_again(&mut self) {
        PostgreSql::start_again(self).unwrap();
    }

    fn kill(&mut self) {
        PostgreSql::kill(self).unwrap();
    }

    fn freeze(&self) {
        PostgreSql::freeze(self).unwrap();
    }

    fn thaw(&self) {
        PostgreSql::thaw(self).unwrap();
    }

    fn url_to_nowhere(&self, password: &str) -> String {
        self.url().replace("/postgres?", "/nowhere?") + "&password=" + password
    }
}
