//! What is in files of the image.

use super::command::compared;
use super::pattern::{Pattern, text};
use crate::check::run::output::shown_end;
use crate::image::rootfs::{NodeKind, RootFs};

/// Gives the bytes of a regular file by its real path, or says why it cannot.
pub type ReadFile<'a> = dyn Fn(&[u8]) -> Result<Vec<u8>, String> + 'a;

/// A test of what is in a file.
#[derive(Debug, Clone)]
pub struct ContentTest {
    pub(super) path: String,
    pub(super) expected: Vec<Pattern>,
    pub(super) excluded: Vec<Pattern>,
}

impl ContentTest {
    pub(super) fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.expected.iter().chain(&self.excluded)
    }

    /// What is wrong with the file.
    #[must_use]
    pub fn judge(&self, rootfs: &RootFs<'_>, read: &ReadFile<'_>) -> Vec<String> {
        match bytes(rootfs, self.path.as_bytes(), read) {
            Ok(bytes) => compared(&shown_path(&self.path), &text(&bytes), &self.expected, &self.excluded),
            Err(why) => vec![why],
        }
    }
}

/// The bytes of a file, links followed; in the error, its path.
pub(super) fn bytes(rootfs: &RootFs<'_>, path: &[u8], read: &ReadFile<'_>) -> Result<Vec<u8>, String> {
    let shown = shown_path(&String::from_utf8_lossy(path));
    let (real, node) = rootfs.lookup(path).map_err(|error| match path.starts_with(b"/") {
        // It names the path that is missing, which may be another one.
        true => error.to_string(),
        false => format!("{shown}: {error}"),
    })?;
    match node.kind {
        NodeKind::File(_) if asks_for_directory(path) => Err(format!("{shown} is not a directory")),
        NodeKind::File(_) => read(&real).map_err(|why| format!("{shown} could not be read: {why}")),
        NodeKind::Directory => Err(format!("{shown} is a directory, not a file")),
        NodeKind::Symlink(_) | NodeKind::Special => Err(format!("{shown} is no regular file")),
    }
}

/// A path that ends so names a directory, or nothing.
pub(super) fn asks_for_directory(path: &[u8]) -> bool {
    path.ends_with(b"/") || path.ends_with(b"/.") || path.ends_with(b"/..")
}

/// A path of a test for a message.
pub(super) fn shown_path(path: &str) -> String {
    format!("`{}`", super::super::error::shown(path))
}

/// The end of a text for a message.
pub(super) fn excerpt(text: &str) -> String {
    if text.is_empty() { "it is empty".to_owned() } else { format!("it is `{}`", shown_end(text)) }
}
