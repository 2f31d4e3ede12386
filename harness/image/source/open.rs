//! The source that a location names.

use super::archive::open_archive;
use super::directory::Directory;
use super::layout::{Layout, Place};
use super::registry::{RegistryOptions, RegistrySource};
use super::{EngineEnvironment, EngineOptions, EngineSource, Source, SourceError};
use crate::image::reference::Location;
use crate::image::reference::name::shown;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

/// What sources need to know beside the image's name.
#[derive(Debug, Clone)]
pub struct SourceOptions {
    /// How registries are spoken to.
    pub registry: RegistryOptions,
    /// The engine's address, where one is given that comes before the environment's.
    pub engine: Option<String>,
    /// Docker's environment.
    pub environment: EngineEnvironment,
    /// Where temporary files go: an engine's export, an unpacked archive. They have no names there.
    pub temporary: PathBuf,
}

impl Default for SourceOptions {
    fn default() -> Self {
        Self {
            registry: RegistryOptions::default(),
            engine: None,
            environment: EngineEnvironment::of_this_process(),
            temporary: std::env::temp_dir(),
        }
    }
}

impl SourceOptions {
    /// What an engine needs to know of them.
    #[must_use]
    pub fn for_engine(&self) -> EngineOptions {
        EngineOptions {
            host: self.engine.clone(),
            environment: self.environment.clone(),
            temporary: self.temporary.clone(),
        }
    }
}

/// Makes the source that a location names. Registries and engines are not contacted yet.
///
/// # Errors
/// When a file or directory holds no usable image, or not the one that was chosen.
pub fn open_image(location: &Location, options: &SourceOptions) -> Result<Box<dyn Source>, SourceError> {
    match location {
        Location::Registry { name } => Ok(Box::new(RegistrySource::new(name.clone(), options.registry.clone())?)),
        Location::Engine { image } => Ok(Box::new(EngineSource::new(image.clone(), options.for_engine()))),
        Location::Layout { path, selector } => {
            let shown_path = shown(&path.to_string_lossy());
            if fs::metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
                return Err(SourceError::NotFound {
                    what: format!("OCI layout {shown_path}"),
                    why: "there is no such directory".to_owned(),
                    hint: "write the image there, or name another one".to_owned(),
                });
            }
            let place = Place { name: format!("OCI layout {shown_path}"), address: Some(format!("oci:{shown_path}")) };
            Ok(Box::new(Layout::open(Directory::new(path.clone()), place, selector.as_ref(), None)?))
        }
        Location::Archive { path, selector, form } => open_archive(path, selector.as_ref(), *form, &options.temporary),
    }
}
