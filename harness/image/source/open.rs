//! The source that a location names.

use super::archive::open_archive;
use super::directory::Directory;
use super::layout::{Layout, Place};
use super::{Source, SourceError};
use crate::image::reference::Location;
use crate::image::reference::name::shown;
use std::path::PathBuf;

/// What sources need to know beside the image's name.
#[derive(Debug, Clone)]
pub struct SourceOptions {
    /// Where temporary files go: an engine's export, an unpacked archive. They have no names there.
    pub temporary: PathBuf,
}

impl Default for SourceOptions {
    fn default() -> Self {
        Self { temporary: std::env::temp_dir() }
    }
}

/// Makes the source that a location names. Registries and engines are not contacted yet.
///
/// # Errors
/// When a file or directory holds no usable image, or not the one that was chosen.
pub fn open_image(location: &Location, options: &SourceOptions) -> Result<Box<dyn Source>, SourceError> {
    match location {
        Location::Registry { .. } => todo!(),
        Location::Engine { .. } => todo!(),
        Location::Layout { path, selector } => {
            let shown_path = shown(&path.to_string_lossy());
            let place =
                Place { name: format!("OCI layout {shown_path}"), address: Some(format!("oci:{shown_path}")) };
            Ok(Box::new(Layout::open(Directory::new(path.clone()), place, selector.as_ref(), None)?))
        }
        Location::Archive { path, selector, form } => open_archive(path, selector.as_ref(), *form, &options.temporary),
    }
}
