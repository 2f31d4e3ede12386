//! Texts of licenses: which words they must not have.

use super::Schema;
use super::files::{ReadFile, bytes, shown_path};
use crate::image::rootfs::{NodeKind, RootFs};
use memchr::memmem;

/// Where Debian's packages have their texts.
const DEBIAN: &[u8] = b"/usr/share/doc";

/// What no license may name.
const REFUSED: [&str; 2] = ["AGPL", "WTFPL"];

/// A package that schema 2.0.0 passes over.
const PASSED_OVER: &[u8] = b"libgnutls30";

/// A test of licenses.
#[derive(Debug, Clone)]
pub struct LicenseTest {
    pub(super) schema: Schema,
    pub(super) debian: bool,
    pub(super) files: Vec<String>,
}

impl LicenseTest {
    /// What is wrong with the licenses.
    #[must_use]
    pub fn judge(&self, rootfs: &RootFs<'_>, read: &ReadFile<'_>) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.debian {
            match rootfs.lookup(DEBIAN) {
                Ok((real, node)) if node.kind == NodeKind::Directory => self.packages(&real, rootfs, read, &mut wrong),
                Ok(_) => wrong.push("`/usr/share/doc` is not a directory".to_owned()),
                Err(error) => wrong.push(error.to_string()),
            }
        }
        for file in &self.files {
            wrong.extend(judge(rootfs, file.as_bytes(), read));
        }
        wrong
    }

    fn packages(&self, directory: &[u8], rootfs: &RootFs<'_>, read: &ReadFile<'_>, wrong: &mut Vec<String>) {
        for (path, name) in rootfs.children(directory) {
            let is_package = rootfs.get(path).is_some_and(|node| node.kind == NodeKind::Directory);
            if is_package && !(self.schema == Schema::V2 && name == PASSED_OVER) {
                wrong.extend(judge(rootfs, &[b"/", path, b"/copyright"].concat(), read));
            }
        }
    }
}

fn judge(rootfs: &RootFs<'_>, path: &[u8], read: &ReadFile<'_>) -> Option<String> {
    match bytes(rootfs, path, read) {
        Ok(text) => {
            let text = text.to_ascii_uppercase();
            let word = REFUSED.iter().find(|word| memmem::find(&text, word.as_bytes()).is_some())?;
            Some(format!("the license {} names {word}", shown_path(&String::from_utf8_lossy(path))))
        }
        Err(why) => Some(format!("a license cannot be read: {why}")),
    }
}
