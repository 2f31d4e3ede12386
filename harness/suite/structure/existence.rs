//! Entries of the image's tree: whether they are there, their modes and owners.

use super::expand::expand;
use super::files::{asks_for_directory, shown_path};
use crate::image::document::Config;
use crate::image::rootfs::{LookupError, Node, NodeKind, RootFs};

/// A test of a file's entry. A link at the end of the path is looked at, not followed.
#[derive(Debug, Clone)]
pub struct ExistenceTest {
    pub(super) path: String,
    /// Whether variables of the image are put into the path: not in schema 1.0.0.
    pub(super) expands: bool,
    pub(super) exists: bool,
    /// Whether `exists` is JSON's default, which surprises.
    pub(super) by_default: bool,
    pub(super) permissions: Option<String>,
    pub(super) user: Option<i64>,
    pub(super) group: Option<i64>,
    pub(super) executable_by: Option<String>,
}

impl ExistenceTest {
    /// What is wrong with the entry.
    #[must_use]
    pub fn judge(&self, rootfs: &RootFs<'_>, config: &Config) -> Vec<String> {
        let value = |name: &str| config.variable(name).map(str::to_owned);
        let path = if self.expands { expand(&self.path, &value) } else { self.path.clone() };
        let shown = shown_path(&path);
        match (found(rootfs, path.as_bytes()), self.exists) {
            (Ok(node), true) => self.entry(&shown, &node),
            (Ok(node), false) => {
                let why =
                    if self.by_default { " (in JSON, `shouldExist` is false where it is not written)" } else { "" };
                let mut wrong = vec![format!("{shown} should not exist, and it does{why}")];
                wrong.extend(self.entry(&shown, &node));
                wrong
            }
            (Err(Lost::Undecided(why)), _) => vec![format!("{shown}: {why}")],
            (Err(Lost::Missing(why)), true) => vec![format!("{shown} should exist: {why}")],
            (Err(Lost::Missing(_)), false) => Vec::new(),
        }
    }

    fn entry(&self, shown: &str, node: &Node<'_>) -> Vec<String> {
        let mut wrong = Vec::new();
        let mode = mode(node);
        if let Some(expected) = self.permissions.as_ref().filter(|expected| **expected != mode) {
            let expected = super::super::error::shown(expected);
            wrong.push(format!("{shown} has the permissions {mode} instead of {expected}"));
        }
        if let Some(who) = &self.executable_by {
            let bits = match who.as_str() {
                "any" => Some(0o111),
                "owner" => Some(0o100),
                "group" => Some(0o010),
                "other" => Some(0o001),
                _ => None,
            };
            match bits {
                Some(bits) if permissions(node) & bits == 0 => {
                    wrong.push(format!("{shown} should be executable by {who}, and its permissions are {mode}"));
                }
                Some(_) => {}
                None => wrong.push(format!(
                    "`{}` is no value of `isExecutableBy`: write owner, group, other or any",
                    super::super::error::shown(who)
                )),
            }
        }
        for (what, expected, observed) in [("user", self.user, node.user), ("group", self.group, node.group)] {
            if let Some(expected) = expected.filter(|expected| *expected != i64::from(observed)) {
                wrong.push(format!("{shown} belongs to the {what} {observed} instead of {expected}"));
            }
        }
        wrong
    }
}

/// Why there is no entry.
enum Lost {
    Missing(String),
    Undecided(String),
}

fn found<'a>(rootfs: &RootFs<'a>, path: &[u8]) -> Result<Node<'a>, Lost> {
    let found = if asks_for_directory(path) { rootfs.lookup(path) } else { rootfs.lookup_itself(path) };
    let (_, node) = found.map_err(|error| match error {
        LookupError::Exhausted => Lost::Undecided(error.to_string()),
        error => Lost::Missing(error.to_string()),
    })?;
    match node.kind {
        NodeKind::Special => Err(Lost::Missing("it is a device, a FIFO or a socket, which does not count".to_owned())),
        NodeKind::Directory => Ok(*node),
        _ if asks_for_directory(path) => Err(Lost::Missing("it is not a directory".to_owned())),
        _ => Ok(*node),
    }
}

/// A kernel has no other for links, whatever a layer says.
fn permissions(node: &Node<'_>) -> u16 {
    if matches!(node.kind, NodeKind::Symlink(_)) { 0o777 } else { node.mode }
}

/// The mode as Go's `fs.FileMode` writes it: a letter for each of its kinds, `-` where there is none.
fn mode(node: &Node<'_>) -> String {
    let bits = permissions(node);
    let kinds = [
        ('d', node.kind == NodeKind::Directory),
        ('L', matches!(node.kind, NodeKind::Symlink(_))),
        ('u', bits & 0o4000 != 0),
        ('g', bits & 0o2000 != 0),
        ('t', bits & 0o1000 != 0),
    ];
    let mut mode: String = kinds.iter().filter(|(_, is)| *is).map(|(letter, _)| letter).collect();
    if mode.is_empty() {
        mode.push('-');
    }
    mode.extend("rwxrwxrwx".chars().zip((0..9).rev()).map(|(c, bit)| if bits & (1 << bit) != 0 { c } else { '-' }));
    mode
}
