//! How images are read, the same for all of one call: where from, within which limits, with which cache.

use super::ImageFacts;
use super::cache::Cache;
use super::examine::{self, ExamineError, Unpack};
use super::layer::Limits;
use super::next_step;
use super::observe::Observer;
use super::reference::{EngineImage, ImageName, Location, PathKind};
use super::source::{EngineSource, Source, SourceOptions, open_image};
use crate::platform::Selection;

/// Reads images.
#[derive(Debug, Default)]
pub struct Reader {
    /// Registries and engines.
    pub sources: SourceOptions,
    /// Limits on each layer.
    pub limits: Limits,
    /// How many layers are read at a time.
    pub jobs: usize,
    /// The cache of layer facts; `None` where nothing is kept.
    pub cache: Option<Cache>,
}

/// How much of an image is read.
#[derive(Debug, Clone, Copy)]
pub enum Depth<'a> {
    /// Indexes, manifests and configs.
    Documents,
    /// Layers as well, and where they are unpacked to in the same pass.
    Layers(Option<Unpack<'a>>),
}

impl Reader {
    /// Registries and engines as the environment names them, the default limits, the user's cache, and as many jobs as
    /// there are processors.
    #[must_use]
    pub fn of_user() -> Self {
        Self {
            jobs: default_jobs(),
            cache: Cache::user_directory(|name| std::env::var_os(name).map(Into::into)).map(Cache::new),
            ..Self::default()
        }
    }

    /// Reads an image. The source is for whoever needs more of it later.
    ///
    /// # Errors
    /// When there is no such image, or it cannot be reached.
    pub fn read(
        &self,
        location: &Location,
        selection: &Selection,
        depth: Depth<'_>,
        observer: &dyn Observer,
    ) -> Result<(ImageFacts, Box<dyn Source>), ExamineError> {
        let source = open_image(location, &self.sources)?;
        let (layers, unpack) = match depth {
            Depth::Documents => (false, None),
            Depth::Layers(unpack) => (true, unpack),
        };
        let options = examine::Options {
            selection,
            limits: self.limits,
            jobs: self.jobs,
            cache: self.cache.as_ref(),
            layers,
            unpack,
        };
        let facts = examine::examine(source.as_ref(), &options, observer)?;
        Ok((facts, source))
    }
}

impl Reader {
    /// What to do about an image that could not be read. `reference` is what was typed.
    #[must_use]
    pub fn next_step(&self, reference: &str, location: &Location, error: &ExamineError) -> Option<String> {
        let engine_has =
            |name: &ImageName| EngineSource::new(EngineImage::Name(name.clone()), self.sources.for_engine()).exists();
        next_step::after(error, reference, location, &PathKind::of, engine_has)
    }

    /// Why an image could not be read, with what to do about it.
    #[must_use]
    pub fn told(&self, reference: &str, location: &Location, error: &ExamineError) -> String {
        match self.next_step(reference, location, error) {
            Some(step) => format!("{error}; {step}"),
            None => error.to_string(),
        }
    }
}

/// The number of processors, at least 2: while one layer waits for the network, another is unpacked.
#[must_use]
pub fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).max(2)
}
