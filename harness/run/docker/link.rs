//! The way to an engine. Its calls are asynchronous, and what is done with it is not: [`Link::wait`] stands between them.

use super::leftovers::{Leftovers, Thing};
use super::{refused, unread};
use crate::image::source::engine::{Engine, client, runtime};
use crate::run::NotReady;
use bollard::Docker;
use bollard::errors::Error;
use std::future::Future;
use tokio::runtime::Runtime;

/// An engine that can be asked, and what it is asked for is written down.
pub(super) struct Link<'a> {
    pub(super) engine: &'a Engine,
    pub(super) client: Docker,
    pub(super) leftovers: &'a Leftovers,
    runtime: Runtime,
}

impl<'a> Link<'a> {
    pub(super) fn new(engine: &'a Engine, leftovers: &'a Leftovers) -> Result<Self, NotReady> {
        Ok(Self {
            engine,
            client: client(&engine.endpoint).map_err(|error| refused(engine, "spoken to", &error))?,
            leftovers,
            runtime: runtime().map_err(|error| unread(&error))?,
        })
    }

    /// Waits for the engine, or for a signal that ends the run.
    pub(super) fn wait<T>(&self, future: impl Future<Output = T>) -> Result<T, NotReady> {
        self.runtime.block_on(async {
            tokio::select! {
                result = future => Ok(result),
                () = self.leftovers.stopped() => Err(NotReady::new("the run was interrupted", "")),
            }
        })
    }

    /// The same for what may be refused; `what` completes "it could not be".
    pub(super) fn ask<T>(&self, what: &str, future: impl Future<Output = Result<T, Error>>) -> Result<T, NotReady> {
        self.wait(future)?.map_err(|error| refused(self.engine, what, &error))
    }

    /// Notes a thing before the engine is asked for it.
    pub(super) fn noted<T>(&self, thing: &Thing, ask: impl FnOnce() -> Result<T, NotReady>) -> Result<T, NotReady> {
        self.leftovers.expect(thing.clone());
        let result = ask();
        // An answer of any kind, but not an interruption, says that nothing is on its way any more.
        if result.is_ok() || !self.leftovers.is_stopped() {
            self.leftovers.settled(thing);
        }
        result
    }
}
