use diesel::MysqlConnection;
use everpool_tests::MariaDb;
use sqlx::MySql;

use crate::database::{Database, Server, until};

impl Database for MariaDb {
    type Diesel = everpool_diesel::Engine<MysqlConnection>;
    type Sqlx = everpool_sqlx::Engine<MySql>;

    const NAME: &str = "MariaDB";

    fn start() -> Self {
        let server = MariaDb::start().expect("these tests need MariaDB");
        server
            .sql("CREATE TABLE t (i int) ENGINE = InnoDB")
            .unwrap();
        server
    }

    fn clear(&self) {
        until("all sessions end", || {
            let sessions = "SELECT id FROM information_schema.processlist WHERE user = 'everpool'";
            self.sql(sessions).unwrap().is_empty()
        });
        self.sql("TRUNCATE t").unwrap();
    }

    fn url(&self) -> String {
        MariaDb::url(self)
    }

    fn committed_rows(&self) -> i64 {
        self.sql("SELECT count(*) FROM t").unwrap().parse().unwrap()
    }
}

impl Server for MariaDb {
    const REFUSED: &[&str] = &[
        "Can't connect to server on '127.0.0.1'",
        "Connection refused",
    ];
    const UNKNOWN_DATABASE: &str = "nowhere";

    fn end_sessions(&self) {
        assert_ne!(self.kill_sessions().unwrap(), 0, "there was none to end");
    }

    fn stop(&mut self) {
        MariaDb::stop(self).unwrap();
    }

    fn start_again(&mut self) {
        MariaDb::start_again(self).unwrap();
    }

    fn kill(&mut self) {
        MariaDb::kill(self).unwrap();
    }

    fn freeze(&self) {
        MariaDb::freeze(self).unwrap();
    }

    fn thaw(&self) {
        MariaDb::thaw(self).unwrap();
    }

    fn url_to_nowhere(&self, password: &str) -> String {
        let url = self
            .url()
            .replace("everpool@", &format!("everpool:{password}@"));
        url.replace("/everpool", "/nowhere")
            .replace("//nowhere", "//everpool")
    }
}
