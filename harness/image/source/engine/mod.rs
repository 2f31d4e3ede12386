//! Docker engines, and Podman's socket, which speaks the same.
//!
//! An engine gives an image as one tar (`docker save`), whose index comes last,
//! so it is kept in a temporary file without a name for the time of the check.

mod endpoint;
mod export;
mod reach;

pub(crate) use endpoint::Endpoint;
pub use endpoint::EngineEnvironment;
pub(crate) use export::{Engine, ask, chain, find, locate, runtime};
pub(crate) use reach::client;

use super::archive::{Holder, open_file};
use super::layout::Place;
use super::{Root, Source, SourceError};
use crate::image::descriptor::Descriptor;
use crate::image::reference::{ArchiveForm, EngineImage};
use export::Export;
use std::io::Read;
use std::path::PathBuf;
use std::sync::OnceLock;

/// How an engine is found and where its export is kept.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// An address that comes before all others: `unix:///PATH`, `tcp://HOST:PORT`.
    pub host: Option<String>,
    /// Docker's environment.
    pub environment: EngineEnvironment,
    /// Where the temporary file goes.
    pub temporary: PathBuf,
}

/// How an engine stores images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// Docker's own: one platform for each tag.
    Classic,
    /// containerd's: an image's whole index, and the blobs of the platforms that were pulled or built.
    Containerd,
    /// Podman's: one platform for each tag, and lists of manifests apart.
    Podman,
}

impl Store {
    const fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic image store",
            Self::Containerd => "containerd image store",
            Self::Podman => "Podman's store",
        }
    }
}

/// One image of an engine. The engine is asked at the first reading.
pub struct EngineSource {
    image: EngineImage,
    options: EngineOptions,
    opened: OnceLock<Result<Opened, SourceError>>,
}

struct Opened {
    engine: Engine,
    archive: Box<dyn Source>,
}

impl EngineSource {
    /// An image of the engine that the options name.
    #[must_use]
    pub const fn new(image: EngineImage, options: EngineOptions) -> Self {
        Self { image, options, opened: OnceLock::new() }
    }

    /// How the engine stores images; `None` before the first reading, and where it could not be reached.
    #[must_use]
    pub fn store(&self) -> Option<Store> {
        self.opened.get()?.as_ref().ok().map(|opened| opened.engine.store)
    }

    /// Whether the engine is there and has the image, asked without reading it; "could not tell" is no.
    #[must_use]
    pub fn exists(&self) -> bool {
        export::holds(&self.image, &self.options)
    }

    fn opened(&self) -> Result<&Opened, SourceError> {
        self.opened.get_or_init(|| self.export()).as_ref().map_err(Clone::clone)
    }

    fn export(&self) -> Result<Opened, SourceError> {
        let Export { engine, file } = export::export(&self.image, &self.options)?;
        let place = Place { name: format!("the export of {} from the {engine}", self.image), address: None };
        let holder = Holder {
            name: "the engine".to_owned(),
            hint: format!(
                "`docker pull --platform OS/ARCH {}` brings another, and the registry's image has them all",
                self.image
            ),
        };
        let archive = open_file(file, place, None, ArchiveForm::Any, holder)?;
        Ok(Opened { engine, archive })
    }
}

impl std::fmt::Debug for EngineSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineSource").field("image", &self.image).finish_non_exhaustive()
    }
}

impl Source for EngineSource {
    fn name(&self) -> String {
        match self.opened.get() {
            Some(Ok(opened)) => opened.engine.to_string(),
            _ => "Docker engine".to_owned(),
        }
    }

    fn root(&self) -> Result<Root, SourceError> {
        self.opened()?.archive.root()
    }

    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, SourceError> {
        self.opened()?.archive.open(descriptor)
    }

    fn probe(&self, descriptor: &Descriptor) -> Result<(), SourceError> {
        self.opened()?.archive.probe(descriptor)
    }

    fn one_platform(&self) -> Option<String> {
        let opened = self.opened.get()?.as_ref().ok()?;
        match opened.engine.store {
            Store::Containerd => opened.archive.one_platform(),
            store @ (Store::Classic | Store::Podman) => Some(format!(
                "the engine's {} keeps one platform of {}; the registry's image has them all",
                store.name(),
                self.image
            )),
        }
    }
}
