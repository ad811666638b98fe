use std::{future::pending, panic::resume_unwind};

use tokio::task::{JoinError, JoinHandle};

/// What a task of this crate's has done. Its panic goes on in whoever waits for it.
pub(crate) async fn finished<T>(task: JoinHandle<T>) -> T {
    match task.await.map_err(JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => resume_unwind(panic),
        // The runtime goes down, and whoever waits goes with it.
        Err(Err(_)) => pending().await,
    }
}
