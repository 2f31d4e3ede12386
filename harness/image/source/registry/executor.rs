//! The threads on which the network is waited for.

use super::super::SourceError;
use std::future::Future;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::AbortHandle;

/// A small runtime. The source and each of its readers keep it alive, its own tasks never do: a runtime must not
/// be dropped on its own threads.
#[derive(Debug)]
pub(super) struct Executor {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Executor {
    pub(super) fn new() -> Result<Self, SourceError> {
        let built = Builder::new_multi_thread()
            .worker_threads(2)
            // For the resolver and for credential helpers.
            .max_blocking_threads(4)
            .thread_name("registry")
            .enable_io()
            .enable_time()
            .build();
        let runtime = built.map_err(|error| SourceError::Invalid {
            what: "the network runtime".to_owned(),
            why: error.to_string(),
            hint: "Look at the limits on threads and open files (`ulimit -a`).".to_owned(),
        })?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Waits for a future on this thread, which is none of a runtime's.
    pub(super) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.handle.block_on(future)
    }

    /// Runs a task beside.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.handle.spawn(future).abort_handle()
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A resolver or a helper that still waits for something must not hold up the end of the program.
            runtime.shutdown_background();
        }
    }
}
