//! The runtimes that the pools for tasks are measured in.

use std::future::Future;

use tokio::runtime::{Builder, Runtime};

const STARTS: &str = "a runtime starts";

/// One thread does everything, and in the same order every time.
pub(crate) fn single() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .build()
        .expect(STARTS)
}

/// As [`single`], with sockets.
pub(crate) fn single_with_sockets() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect(STARTS)
}

/// Two workers, whatever the machine has.
pub(crate) fn two_workers() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect(STARTS)
}

/// As [`two_workers`], with sockets.
pub(crate) fn two_workers_with_sockets() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect(STARTS)
}

/// Runs a task on a worker, where tasks run, and not on the thread that waits for it.
pub(crate) fn on_worker<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> T {
    let runtime = two_workers();
    let answer = runtime.block_on(runtime.spawn(task));
    answer.expect("a task of a round does not panic")
}
