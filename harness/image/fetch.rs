//! Documents (indexes, manifests, configs) out of a source: bounded and verified while reading.

use super::descriptor::Descriptor;
use super::digest::HashingReader;
use super::layer::Fault;
use super::source::{MAX_DOCUMENT_BYTES, Source, SourceError};
use std::io::Read;

/// Why a blob could not be had as its descriptor describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// The image is wrong: data for a finding.
    Fault(Fault),
    /// It does not apply: the source cannot have the blob, and says why.
    NotHeld(String),
    /// It could not be decided: the source failed.
    Undecided(String),
}

impl From<SourceError> for Unread {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::BlobMissing { why, .. } => Self::Fault(Fault::Missing(why)),
            SourceError::NotHeld { why, .. } => Self::NotHeld(why),
            other => Self::Undecided(match other.hint() {
                Some(hint) => format!("{other}; {hint}"),
                None => other.to_string(),
            }),
        }
    }
}

/// Reads a document's bytes and verifies their number and digest.
///
/// Bytes that the descriptor embeds (`data`) are taken instead, under the same
/// verification (OCI image spec, `descriptor.md`, "Embedded Content").
///
/// # Errors
/// When the bytes are not there, or are others than described.
pub fn document(source: &dyn Source, descriptor: &Descriptor) -> Result<Vec<u8>, Unread> {
    if descriptor.size > MAX_DOCUMENT_BYTES {
        return Err(Unread::Fault(Fault::Invalid(format!(
            "it is said to have {} bytes, more than the {MAX_DOCUMENT_BYTES} that are read of a document",
            descriptor.size
        ))));
    }
    let blob: Box<dyn Read + Send> = match &descriptor.data {
        Some(data) => Box::new(std::io::Cursor::new(data.clone())),
        None => source.open(descriptor)?,
    };
    let mut reader = HashingReader::new(blob.take(descriptor.size + 1), descriptor.digest.algorithm());
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|e| Unread::Undecided(e.to_string()))?;
    let (digest, observed) = reader.finish();
    if observed != descriptor.size {
        return Err(Unread::Fault(Fault::Size { observed, more: observed > descriptor.size }));
    }
    if digest != descriptor.digest {
        return Err(Unread::Fault(Fault::Digest { observed: digest }));
    }
    Ok(bytes)
}
