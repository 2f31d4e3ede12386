//! OCI image layouts: a directory, or the same files inside a tar.
//!
//! Source: OCI image spec, `image-layout.md`.

use super::files::{FileError, Files};
use super::partial::Partial;
use super::selection::{Choice, ChoiceError, LayoutIndex};
use super::{MAX_DOCUMENT_BYTES, Root, Source, SourceError};
use crate::image::descriptor::{Descriptor, media_type};
use crate::image::digest::Digest;
use crate::image::reference::Selector;
use crate::image::reference::name::shown;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::io::Read;

/// One image of a layout.
pub(super) struct Layout<F> {
    files: F,
    place: Place,
    choice: Choice,
    index: Vec<u8>,
    index_media_type: Option<String>,
    partial: Option<Partial>,
}

/// What a layout or archive is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// In messages: `OCI layout ./out`.
    pub(super) name: String,
    /// As one would type it, for hints: `oci:./out`. `None` where nobody did, as with an engine's export.
    pub(super) address: Option<String>,
}

#[derive(Deserialize)]
struct OciLayout {
    #[serde(rename = "imageLayoutVersion")]
    version: String,
}

impl<F: Files> Layout<F> {
    /// Reads `oci-layout` and `index.json`, and chooses the image.
    ///
    /// `partial` tells blobs that are missing by design from those that are lost.
    pub(super) fn open(
        files: F,
        place: Place,
        selector: Option<&Selector>,
        partial: Option<Partial>,
    ) -> Result<Self, SourceError> {
        let (_, version): (_, OciLayout) = read_json(&files, &place, "oci-layout")?;
        if !version.version.starts_with("1.") {
            return Err(SourceError::Invalid {
                what: place.name,
                why: format!("its layout version is `{}`, and 1.0.0 is the only one there is", shown(&version.version)),
                hint: "write it again with a tool that follows the OCI image spec".to_owned(),
            });
        }
        let (bytes, index): (_, LayoutIndex) = read_json(&files, &place, "index.json")?;
        let choice = index.choose(selector).map_err(|e| place.choice_error(e))?;
        Ok(Self { files, place, choice, index: bytes, index_media_type: index.media_type, partial })
    }

    fn open_blob(&self, digest: &Digest) -> Result<Box<dyn Read + Send>, SourceError> {
        let name = blob_name(digest);
        self.files.open(&name).map(|file| file.reader).map_err(|e| self.blob_error(digest, &name, e))
    }

    fn blob_error(&self, digest: &Digest, name: &str, error: FileError) -> SourceError {
        match error {
            FileError::Absent => match self.partial.as_ref().filter(|p| !p.is_listed(digest)) {
                Some(partial) => SourceError::NotHeld {
                    digest: digest.clone(),
                    why: partial.reason(&self.files, self.root().ok().as_ref()),
                },
                None => SourceError::BlobMissing {
                    digest: digest.clone(),
                    why: format!("{} has no file {name}", self.place.name),
                },
            },
            FileError::Unusable(why) => SourceError::Invalid {
                what: format!("{name} in {}", self.place.name),
                why,
                hint: "write the layout again, or copy it again from where it came".to_owned(),
            },
        }
    }

    fn root_blob(&self, digest: &Digest) -> Result<Vec<u8>, SourceError> {
        let name = blob_name(digest);
        self.files.read(&name, MAX_DOCUMENT_BYTES).map_err(|e| match e {
            FileError::Absent => SourceError::NotFound {
                what: format!("the image {digest}"),
                why: format!("{} has no file {name}", self.place.name),
                hint: "the copy is incomplete: write or copy it again".to_owned(),
            },
            unusable @ FileError::Unusable(_) => self.blob_error(digest, &name, unusable),
        })
    }
}

impl<F: Files> Source for Layout<F> {
    fn name(&self) -> String {
        self.place.name.clone()
    }

    fn root(&self) -> Result<Root, SourceError> {
        let (media_type, digest, platform) = match &self.choice {
            Choice::Whole => {
                let media_type = self.index_media_type.clone().unwrap_or_else(|| media_type::OCI_INDEX.to_owned());
                return Ok(Root {
                    bytes: self.index.clone(),
                    media_type: Some(media_type),
                    digest: None,
                    platform: None,
                });
            }
            Choice::Entry(entry) => (entry.media_type.clone(), &entry.digest, entry.declared_platform()),
            Choice::Blob(digest) => (None, digest, None),
        };
        Ok(Root { bytes: self.root_blob(digest)?, media_type, digest: Some(digest.clone()), platform })
    }

    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, SourceError> {
        self.open_blob(&descriptor.digest)
    }

    fn probe(&self, descriptor: &Descriptor) -> Result<(), SourceError> {
        let name = blob_name(&descriptor.digest);
        self.files.size(&name).map(drop).map_err(|e| self.blob_error(&descriptor.digest, &name, e))
    }

    fn seal(&self, descriptor: &Descriptor) -> Option<String> {
        self.files.seal(&blob_name(&descriptor.digest))
    }
}

/// Where a layout keeps a blob.
pub(super) fn blob_name(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}

/// Reads a JSON file that has to be there.
pub(super) fn read_json<F: Files, T: DeserializeOwned>(
    files: &F,
    place: &Place,
    name: &str,
) -> Result<(Vec<u8>, T), SourceError> {
    let bytes = files.read(name, MAX_DOCUMENT_BYTES).map_err(|e| SourceError::Invalid {
        what: place.name.clone(),
        why: match e {
            FileError::Absent => format!("it has no file {name}"),
            FileError::Unusable(why) => format!("its {name} cannot be read: {why}"),
        },
        hint: "write it again, or copy it again from where it came".to_owned(),
    })?;
    let value = serde_json::from_slice(&bytes).map_err(|e| SourceError::Invalid {
        what: place.name.clone(),
        why: format!("its {name} is not valid: {}", shown(&e.to_string())),
        hint: "write it again, or copy it again from where it came".to_owned(),
    })?;
    Ok((bytes, value))
}

impl Place {
    /// A selector's next step: how to type one of the images.
    pub(super) fn choose_hint(&self, there: &[String]) -> String {
        match (&self.address, there.first()) {
            (Some(address), Some(first)) => {
                // The selector `@sha256:…` follows the path without a colon or with one.
                format!("choose one of them, like `{address}:{first}`: {}", there.join(", "))
            }
            _ => format!("there are: {}", there.join(", ")),
        }
    }

    pub(super) fn choice_error(&self, error: ChoiceError) -> SourceError {
        match error {
            ChoiceError::Empty => SourceError::Invalid {
                what: self.name.clone(),
                why: "its index.json lists no image".to_owned(),
                hint: "whatever should have written the image failed or wrote it elsewhere: look at its output"
                    .to_owned(),
            },
            ChoiceError::NoSuch { wanted, there } => SourceError::NotFound {
                what: format!("the image `{wanted}`"),
                why: format!("{} has none of that name", self.name),
                hint: self.choose_hint(&there),
            },
            ChoiceError::Several { images, there } => SourceError::Invalid {
                what: self.name.clone(),
                why: format!("it has {images} images that this could mean, and none was chosen"),
                hint: self.choose_hint(&there),
            },
        }
    }
}

#[cfg(test)]
mod tests;
