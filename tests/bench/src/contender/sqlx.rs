//! SQLx's own pool, on SQLite in memory: it pools its own connections and no others. Each of them
//! has a thread, so its pings are conversations, and pools of thousands are not measured.

use ::sqlx::{
    Pool, Sqlite,
    pool::{PoolConnection, PoolOptions},
};

use crate::{
    driver::Driver,
    pool::{NOTHING_FAILS, TaskPool},
};

#[derive(Clone, Debug)]
pub(crate) struct Sqlx(Pool<Sqlite>);

impl TaskPool for Sqlx {
    type Lease = PoolConnection<Sqlite>;

    async fn open(size: u32, driver: Driver) -> Self {
        let options = PoolOptions::new()
            .max_connections(size)
            .after_connect(move |_, _| {
                let driver = driver.clone();
                Box::pin(async move {
                    driver.open().await;
                    Ok(())
                })
            });
        Self(
            options
                .connect_lazy("sqlite::memory:")
                .expect("the URL is one of SQLite's"),
        )
    }

    async fn checkout(&self) -> Self::Lease {
        self.0.acquire().await.expect(NOTHING_FAILS)
    }
}
