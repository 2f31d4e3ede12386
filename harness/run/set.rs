//! The runners of one call, with what they keep on disk.

use super::choose::{How, Runners};
use super::cleanup::{Keeper, Temporary};
use super::docker::Docker;
use super::sandbox::Sandbox;
use super::{Cpu, Freedom, NotReady, Runner};
use crate::image::cache::Cache;
use crate::image::examine::Unpack;
use crate::image::observe::Silent;
use crate::image::reader::{Depth, Reader};
use crate::image::reference::Location;
use crate::image::source::SourceOptions;
use crate::image::store::{MAX_STORE_BYTES, Store};
use crate::platform::{Platform, Selection};
use std::time::SystemTime;

/// Both runners, or why one is not there.
#[derive(Debug)]
pub struct RunnerSet {
    sandbox: Result<Sandbox, NotReady>,
    docker: Result<Docker, NotReady>,
    /// Where the store is when nothing may be kept.
    _temporary: Option<Temporary>,
    /// Removes what is half unpacked when this program is killed.
    _keeper: Option<Keeper>,
}

impl RunnerSet {
    /// Makes ready what one of these ways needs. `prefer_fetched`: emulators that were taken out of an image come before
    /// the host's.
    #[must_use]
    pub fn new(ways: &[How], reader: &Reader, prefer_fetched: bool) -> Self {
        let not_asked = || NotReady::new("it was not asked for", "");
        let wants = |how| ways.iter().any(|way| *way == How::Auto || *way == how);
        let mut temporary = None;
        let sandbox = if wants(How::Sandbox) {
            sandbox(reader.cache.as_ref(), prefer_fetched, &mut temporary)
        } else {
            Err(not_asked())
        };
        let docker = if wants(How::Docker) { Ok(docker(&reader.sources)) } else { Err(not_asked()) };
        let keeper = sandbox.as_ref().ok().filter(|_| temporary.is_none()).and_then(|sandbox| {
            let store = sandbox.store().clone();
            // What is being unpacked when this program is killed; the next run would remove it too.
            Keeper::new(move || store.remove_leftovers()).ok()
        });
        Self { sandbox, docker, _temporary: temporary, _keeper: keeper }
    }

    /// The runners, for choosing one.
    pub fn runners<'a>(&'a self, how: How, cpu: Cpu, freedom: &'a Freedom) -> Runners<'a> {
        Runners {
            how,
            cpu,
            freedom,
            sandbox: self.sandbox.as_ref().map(|sandbox| sandbox as &dyn Runner),
            docker: self.docker.as_ref().map(|docker| docker as &dyn Runner),
        }
    }

    /// Whether a platform will be run in the sandbox, so that its layers are unpacked while they are read.
    #[must_use]
    pub fn wants_unpacked(&self, how: How, cpu: Cpu, platform: &Platform) -> bool {
        how != How::Never
            && self
                .runners(how, cpu, Freedom::none())
                .choose(platform)
                .is_ok_and(|choice| choice.runner.name() == "sandbox")
    }

    /// The sandbox, where there is one.
    #[must_use]
    pub fn sandbox(&self) -> Option<&Sandbox> {
        self.sandbox.as_ref().ok()
    }

    /// Where layers are unpacked to.
    #[must_use]
    pub fn store(&self) -> Option<&Store> {
        self.sandbox().map(Sandbox::store)
    }
}

impl Drop for RunnerSet {
    fn drop(&mut self) {
        if let Some(store) = self.store() {
            // What is left does no harm; the next run tries again.
            let _ = store.prune(SystemTime::now(), MAX_STORE_BYTES);
        }
    }
}

/// Docker, as the options of sources name it.
pub(crate) fn docker(sources: &SourceOptions) -> Docker {
    Docker::new(sources.for_engine(), sources.registry.credentials.clone())
}

/// The sandbox, with its store in the cache or in a directory that goes when this program does.
pub(crate) fn sandbox(
    cache: Option<&Cache>,
    prefer_fetched: bool,
    temporary: &mut Option<Temporary>,
) -> Result<Sandbox, NotReady> {
    let failed = |directory: &std::path::Path, error: std::io::Error| {
        NotReady::new(
            format!("the directory {} for unpacked layers cannot be made: {error}", directory.display()),
            "set XDG_CACHE_HOME to a directory that can be written",
        )
    };
    let directory = match cache {
        Some(cache) => cache.directory().join("sandbox"),
        None => {
            let parent = std::env::temp_dir();
            let made = Temporary::new(&parent).map_err(|error| failed(&parent, error))?;
            let path = made.path().to_owned();
            *temporary = Some(made);
            path
        }
    };
    Sandbox::new(&directory, prefer_fetched).map_err(|error| failed(&directory, error))
}

/// Takes the emulators for this host out of an image; its digests are verified like those of any other.
///
/// # Errors
/// When it cannot be read, or has none.
pub(crate) fn fetch_emulators(
    sandbox: &Sandbox,
    image: &str,
    location: &Location,
    sources: &SourceOptions,
) -> Result<(), NotReady> {
    let failed = |why: String| NotReady::new(why, "");
    if sandbox.has_emulators_of(image) {
        return Ok(());
    }
    let host = Platform::host();
    let selection = Selection::parse([host.to_string().as_str()]).map_err(|error| failed(error.to_string()))?;
    let reader = Reader { sources: sources.clone(), jobs: 2, ..Reader::default() };
    let unpack = Unpack { store: sandbox.store(), of: &|_| true };
    let (facts, _) = reader
        .read(location, &selection, Depth::Layers(Some(unpack)), &Silent)
        .map_err(|error| failed(error.to_string()))?;
    let platform = facts
        .platforms
        .iter()
        .find(|platform| platform.selected)
        .ok_or_else(|| failed(format!("it has nothing for {host}, this machine")))?;
    let origin = format!("{image}@{}", platform.descriptor.digest);
    sandbox.take_emulators(platform, &origin).map(drop)
}
