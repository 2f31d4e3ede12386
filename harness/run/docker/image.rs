//! The image in the engine: under exactly the content that was examined, whatever its tags say.
//!
//! What an engine calls an image depends on its store: the classic one (and Podman's) knows one platform by the
//! digest of its config, containerd's by the digest of its manifest. Neither depends on a name.

use super::archive::{Image, Pieces};
use super::container::random;
use super::leftovers::{Thing, remove};
use super::{Run, cut};
use crate::image::descriptor::Descriptor;
use crate::image::digest::Digest;
use crate::image::fetch::{Unread, document};
use crate::image::reference::{ImageName, Location};
use crate::image::source::registry::{Credentials, look_up};
use crate::image::source::{Source, Store};
use crate::platform::Platform;
use crate::run::NotReady;
use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::models::ImageInspect;
use bollard::query_parameters::{CreateImageOptionsBuilder, ImportImageOptionsBuilder, TagImageOptionsBuilder};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// Names of images that runs brought. No registry can have this host (RFC 2606).
const OWN: &str = "mpcheck.invalid/run-";
/// How long an engine may be silent while it pulls.
const SILENCE: Duration = Duration::from_secs(120);
/// How long an engine may take for an image that it is sent, in seconds: it answers when it has unpacked all of it.
const LOAD_SECONDS: u64 = 3600;
/// Pieces of an archive that wait for the engine.
const PIECES: usize = 4;

/// The image, as the engine has it.
pub(super) struct Held {
    /// What the engine calls it.
    pub(super) id: String,
    /// The platform that the engine says it is.
    pub(super) started: Option<Platform>,
    /// The platform as the engine has to be asked for it; `None` where the id says all.
    pub(super) platform: Option<String>,
    /// The name under which only the manifest was given a place, so that layers may turn out to be missing.
    manifest_only: Option<String>,
}

impl Run<'_> {
    /// Finds the platform's image in the engine, or brings it there for the run.
    pub(super) fn hold(&self) -> Result<Held, NotReady> {
        let manifest = self.task.platform.manifest.as_ref().map_err(not_read)?;
        let id = match self.stage.engine.store {
            Store::Containerd => &self.task.platform.descriptor.digest,
            Store::Classic | Store::Podman => &manifest.config.digest,
        };
        let name = format!("{OWN}{}:{}", random(), id.hex().get(..12).unwrap_or("image"));
        if let Some(found) = self.inspect(id)? {
            // One that is there for another run only goes with that.
            let tags = found.repo_tags.as_deref().unwrap_or_default();
            if !tags.is_empty() && tags.iter().all(|tag| tag.starts_with(OWN)) {
                self.tag(id.as_str(), &name)?;
            }
            return Ok(self.held(id, &found, None));
        }
        // containerd's store keeps the layers of an index's platform under their digests, so the manifest can be
        // given a name of its own. Where a layer is missing it says so when it unpacks.
        if self.stage.engine.store == Store::Containerd {
            let loaded = self.with_image(&name, |image| self.load(image, None));
            match loaded {
                Err(error) if self.link.leftovers.is_stopped() => return Err(error),
                Ok(()) if let Some(found) = self.inspect(id)? => return Ok(self.held(id, &found, Some(name))),
                _ => self.drop_name(&name)?,
            }
        }
        self.bring(id, &name)?;
        self.brought(id)
    }

    /// Brings what turned out to be missing; `None` where nothing can be.
    pub(super) fn complete(&self, image: &Held) -> Option<Result<Held, NotReady>> {
        let name = image.manifest_only.as_ref()?;
        let id = &self.task.platform.descriptor.digest;
        Some(self.drop_name(name).and_then(|()| self.bring(id, name)).and_then(|()| self.brought(id)))
    }

    fn brought(&self, id: &Digest) -> Result<Held, NotReady> {
        let found = self.inspect(id)?.ok_or_else(|| {
            NotReady::new(
                format!("the {} was given the image and has none with the digest {id}", self.stage.engine),
                "use `--run sandbox`, which unpacks the image itself",
            )
        })?;
        Ok(self.held(id, &found, None))
    }

    fn held(&self, id: &Digest, found: &ImageInspect, manifest_only: Option<String>) -> Held {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let (os, architecture) = (text(&found.os), text(&found.architecture));
        let started = Platform::declared(&os, &architecture, &text(&found.variant), "", &[]).ok();
        // containerd's store looks for the platform of its host unless another is named.
        let platform = (self.stage.engine.store == Store::Containerd).then(|| self.spelt());
        Held { id: id.to_string(), started, platform, manifest_only }
    }

    /// The platform by which an engine finds a manifest that has no index: its config's.
    fn spelt(&self) -> String {
        let declared = &self.task.config.platform;
        let parts = [&declared.os, &declared.architecture, &declared.variant];
        if declared.os.is_empty() || declared.architecture.is_empty() {
            return self.task.platform.platform.to_string();
        }
        parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("/")
    }

    fn inspect(&self, id: &Digest) -> Result<Option<ImageInspect>, NotReady> {
        match self.link.wait(self.link.client.inspect_image(id.as_str()))? {
            Ok(found) => Ok(Some(found)),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            // Of an image whose layers are not all there Docker 28.5 does not tell what every other has.
            Err(Error::JsonDataError { .. } | Error::JsonSerdeError { .. }) => Ok(None),
            Err(error) => Err(super::refused(self.stage.engine, "asked for the image", &error)),
        }
    }

    fn tag(&self, image: &str, name: &str) -> Result<(), NotReady> {
        let (repository, tag) = name.rsplit_once(':').unwrap_or((name, "latest"));
        let options = TagImageOptionsBuilder::default().repo(repository).tag(tag).build();
        self.link.noted(&Thing::Image(name.to_owned()), || {
            self.link.ask("asked to name the image", self.link.client.tag_image(image, Some(options)))
        })
    }

    /// Removes a name at once. The image stays as long as it has another.
    fn drop_name(&self, name: &str) -> Result<(), NotReady> {
        let thing = Thing::Image(name.to_owned());
        if self.link.wait(remove(&self.link.client, &thing, false))? {
            self.link.leftovers.gone(&thing);
        }
        Ok(())
    }

    /// Reads the documents of the image that a load needs.
    fn with_image(&self, name: &str, load: impl FnOnce(&Image<'_>) -> Result<(), NotReady>) -> Result<(), NotReady> {
        let manifest = self.task.platform.manifest.as_ref().map_err(not_read)?;
        let descriptor = &self.task.platform.descriptor;
        let read = |descriptor: &Descriptor| document(self.task.source, descriptor).map_err(|e| not_read(&e));
        let (manifest_bytes, config) = (read(descriptor)?, read(&manifest.config)?);
        load(&Image { name, descriptor, manifest_bytes: &manifest_bytes, manifest, config: &config })
    }

    /// Brings the image from its registry, or from where it was read.
    fn bring(&self, id: &Digest, name: &str) -> Result<(), NotReady> {
        let pulled = match self.task.location {
            Location::Registry { name: repository } => Some(self.pull(repository, id, name)),
            _ => None,
        };
        let refused = match pulled {
            Some(Ok(())) => return Ok(()),
            Some(Err(error)) if self.link.leftovers.is_stopped() => return Err(error),
            // A registry that the engine does not reach, or not in this way: this machine's loopback, one without
            // TLS, credentials that only this process has.
            Some(Err(error)) => format!("; before that, {}", error.why),
            None => String::new(),
        };
        self.with_image(name, |image| self.load(image, Some(self.task.source)))
            .map_err(|error| NotReady::new(format!("{}{refused}", error.why), error.hint))
    }

    fn pull(&self, repository: &ImageName, id: &Digest, name: &str) -> Result<(), NotReady> {
        let manifest = &self.task.platform.descriptor.digest;
        let by_digest = ImageName { tag: None, digest: Some(manifest.clone()), ..repository.clone() }.to_string();
        let options = CreateImageOptionsBuilder::default().from_image(&by_digest);
        let options = options.platform(&self.spelt()).build();
        let credentials = look_up(self.credentials, &repository.registry, &repository.repository).found;
        let credentials = credentials.map(|(found, _)| for_engine(found, &repository.registry));
        let pulled = self.link.noted(&Thing::Image(by_digest.clone()), || {
            self.link
                .ask("asked to pull the image", ended(self.link.client.create_image(Some(options), None, credentials)))
        });
        if let Err(error) = pulled {
            self.drop_name(&by_digest)?;
            return Err(error);
        }
        // From now on it is held by the run's own name, as one that was loaded: another run may pull the same, and
        // what both call it must not go with the first of them.
        self.tag(id.as_str(), name)?;
        self.drop_name(&by_digest)
    }

    /// Sends the image; without a source, all but its layers.
    fn load(&self, image: &Image<'_>, layers: Option<&dyn Source>) -> Result<(), NotReady> {
        let (to, from) = mpsc::channel::<io::Result<Bytes>>(PIECES);
        let from = Arc::new(Mutex::new(from));
        let body = Arc::clone(&from);
        let pieces = futures_util::stream::poll_fn(move |context| locked(&body).poll_recv(context));
        let mut client = self.link.client.clone();
        client.set_timeout(Duration::from_secs(LOAD_SECONDS));
        let options = ImportImageOptionsBuilder::default().quiet(true).build();
        let answer = client.import_image_stream(options, pieces, None);
        let (loaded, written) = std::thread::scope(|threads| {
            // A source may wait for a network of its own, which must not happen on this thread.
            let writing = threads.spawn(move || {
                let written = image.write(Pieces::new(to.clone()), layers);
                if let Err(error) = &written {
                    // Ends the request, and so the engine's work.
                    let _ = to.blocking_send(Err(io::Error::other(error.to_string())));
                }
                written
            });
            let loaded = self
                .link
                .noted(&Thing::Image(image.name.to_owned()), || self.link.ask("sent the image", ended(answer)));
            // An engine may answer before it has read all. Nothing drives the connection any more then, which still
            // has the other end.
            locked(&from).close();
            (loaded, writing.join())
        });
        let Ok(written) = written else {
            return Err(NotReady::new("the reading of the image ended in a fault of this program", ""));
        };
        match written {
            // The engine had its reasons first.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(NotReady::new(
                format!(
                    "the image could not be read from the {}: {}",
                    self.task.source.name(),
                    cut(&error.to_string())
                ),
                "check the image without running it: `--run never`",
            )),
            _ => loaded,
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for the end of what an engine reports of a pull or a load.
pub(super) async fn ended<T>(stream: impl Stream<Item = Result<T, Error>>) -> Result<(), Error> {
    let mut stream = Box::pin(stream);
    // The first answer waits for the client's own time-out.
    let mut next = stream.next().await;
    while let Some(message) = next {
        message?;
        next = tokio::time::timeout(SILENCE, stream.next()).await.map_err(|_| Error::RequestTimeoutError)?;
    }
    Ok(())
}

fn not_read(error: &Unread) -> NotReady {
    let why = match error {
        // A finding of its own says which.
        Unread::Fault(_) => "it is missing or is not what its descriptor says".to_owned(),
        Unread::NotHeld(why) | Unread::Undecided(why) => why.clone(),
    };
    NotReady::new(format!("the platform's manifest or config could not be read: {}", cut(&why)), "")
}

/// Credentials as Docker's command line hands them to its engine.
pub(super) fn for_engine(credentials: Credentials, registry: &str) -> DockerCredentials {
    let empty = DockerCredentials { serveraddress: Some(registry.to_owned()), ..DockerCredentials::default() };
    match credentials {
        Credentials::Basic { username, password } => {
            DockerCredentials { username: Some(username), password: Some(password), ..empty }
        }
        Credentials::IdentityToken(token) => DockerCredentials { identitytoken: Some(token), ..empty },
        Credentials::RegistryToken(token) => DockerCredentials { registrytoken: Some(token), ..empty },
    }
}
