//! What a run has in the engine, and how it goes away.
//!
//! Everything is written down under its name before the engine is asked for it, so that it can be removed also
//! where the engine's answer never came.

use crate::image::source::engine::{Endpoint, client, runtime};
use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::{RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long a thing is looked for that the engine may be making at this moment.
const COMING: Duration = Duration::from_secs(2);
/// How long an engine is asked again that cannot remove something yet.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the whole removal may take, so that Ctrl-C ends the program also where the engine hangs.
const MAX_REMOVAL: Duration = Duration::from_secs(30);

/// A thing in the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Thing {
    /// A container, by its name, with the volumes that only it uses.
    Container(String),
    /// A name of an image; the image itself goes with the last of its names.
    Image(String),
}

#[derive(Debug)]
struct Noted {
    thing: Thing,
    /// Whether the engine was asked for it and has not answered.
    pending: bool,
}

/// What a run has in the engine.
#[derive(Debug)]
pub(super) struct Leftovers {
    endpoint: Endpoint,
    things: Mutex<Vec<Noted>>,
    stop: watch::Sender<bool>,
    /// How long the whole removal may take.
    removal: Duration,
}

impl Leftovers {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self::removed_within(endpoint, MAX_REMOVAL)
    }

    pub(super) fn removed_within(endpoint: Endpoint, removal: Duration) -> Self {
        Self { endpoint, things: Mutex::new(Vec::new()), stop: watch::Sender::new(false), removal }
    }

    /// Returns when the removal began: whoever still makes things has to stop.
    pub(super) async fn stopped(&self) {
        // An error means that the sender is gone, and this is its owner.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Whether the removal began.
    pub(super) fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Notes a thing before the engine is asked for it.
    pub(super) fn expect(&self, thing: Thing) {
        self.things().push(Noted { thing, pending: true });
    }

    /// The engine answered: the thing is there, or will never be.
    pub(super) fn settled(&self, thing: &Thing) {
        for noted in self.things().iter_mut().filter(|noted| noted.thing == *thing) {
            noted.pending = false;
        }
    }

    /// The thing is gone.
    pub(super) fn gone(&self, thing: &Thing) {
        self.things().retain(|noted| noted.thing != *thing);
    }

    fn things(&self) -> MutexGuard<'_, Vec<Noted>> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what is on its way and removes what is there, the youngest first: containers before their image.
    pub(super) fn remove(&self) {
        self.stop.send_replace(true);
        if self.things().is_empty() {
            return;
        }
        // On a thread of its own: whoever drops the guard may be an asynchronous runtime's thread, which must
        // not wait for another.
        std::thread::scope(|threads| {
            let _ = threads.spawn(|| self.remove_all()).join();
        });
    }

    fn remove_all(&self) {
        let (Ok(runtime), Ok(docker)) = (runtime(), client(&self.endpoint)) else { return };
        let removal = async {
            loop {
                let Some(Noted { thing, pending }) = self.things().pop() else { return };
                let _ = remove(&docker, &thing, pending).await;
            }
        };
        let _ = runtime.block_on(async { tokio::time::timeout(self.removal, removal).await });
    }
}

/// Removes a thing; one that may be coming is waited for. Whether it is gone.
pub(super) async fn remove(docker: &Docker, thing: &Thing, pending: bool) -> bool {
    let began = Instant::now();
    loop {
        let patience = match attempt(docker, thing).await {
            Ok(()) => return true,
            Err(Error::DockerResponseServerError { status_code: 404, .. }) if !pending => return true,
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => COMING,
            // Another request is removing it, or what uses it is just ending.
            Err(_) => PATIENCE,
        };
        if began.elapsed() > patience {
            return false;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn attempt(docker: &Docker, thing: &Thing) -> Result<(), Error> {
    match thing {
        Thing::Container(name) => {
            let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
            docker.remove_container(name, Some(options)).await
        }
        // Never by force, which would take an image away from under other containers and other names.
        Thing::Image(name) => {
            let options = RemoveImageOptionsBuilder::default().build();
            docker.remove_image(name, Some(options), None).await.map(drop)
        }
    }
}
