//! The merged root filesystem: the layers of one platform applied in order.
//!
//! Source: OCI image spec, `layer.md`, "Applying Changesets"; where it is silent
//! (parents that are symbolic links, a directory over a link, hard links into
//! lower layers), what containerd does (`archive/tar.go`, `applyNaive`).

use super::layer::{Entry, EntryKind, LayerFacts};
use crate::binary::Content;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How many symbolic links Linux follows in one path (`MAXSYMLINKS`).
const MAX_LINKS: usize = 40;

/// The tree that a container would see.
#[derive(Debug, Default)]
pub struct RootFs<'a> {
    /// By path, in the form of [`Entry::path`]; sorted, so that a directory's
    /// content lies between `dir/` and `dir0`.
    nodes: BTreeMap<Cow<'a, [u8]>, Node<'a>>,
    problems: Vec<Problem>,
}

/// One file of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node<'a> {
    /// The layer that brought it, counted from 0.
    pub layer: usize,
    /// The permission bits.
    pub mode: u16,
    /// What it is.
    pub kind: NodeKind<'a>,
}

impl Node<'_> {
    /// Whether anybody may execute it.
    #[must_use]
    pub const fn is_executable(&self) -> bool {
        self.mode & 0o111 != 0
    }
}

/// What a file of the tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind<'a> {
    /// A directory.
    Directory,
    /// A regular file: its content where it is a binary or executable.
    File(Option<&'a Content>),
    /// A symbolic link and its target.
    Symlink(&'a [u8]),
    /// A device, a FIFO or a socket.
    Special,
}

/// An entry that no engine could apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The layer it stands in.
    pub layer: usize,
    /// What is wrong with it.
    pub why: String,
}

/// Why a path leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// Nothing there. The path is the one that is missing, after links.
    #[error("`{}` does not exist", shown(.0))]
    Missing(Vec<u8>),
    /// A file stands where a directory is needed.
    #[error("`{}` is not a directory", shown(.0))]
    NotADirectory(Vec<u8>),
    /// More links than a kernel follows.
    #[error("`{}` leads through more than {MAX_LINKS} symbolic links", shown(.0))]
    Loop(Vec<u8>),
}

fn shown(path: &[u8]) -> String {
    format!("/{}", path.escape_ascii())
}

impl<'a> RootFs<'a> {
    /// Applies layers in order, the lowest first.
    #[must_use]
    pub fn merge(layers: impl IntoIterator<Item = (usize, &'a LayerFacts)>) -> Self {
        let mut tree = Self::default();
        for (index, facts) in layers {
            tree.apply(index, &facts.entries);
        }
        tree
    }

    /// All files, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Node<'a>)> {
        self.nodes.iter().map(|(path, node)| (path.as_ref(), node))
    }

    /// What lies directly in a directory, by its real path: each path, and the name at its end.
    pub fn children<'t>(&'t self, directory: &'t [u8]) -> impl Iterator<Item = (&'t [u8], &'t [u8])> {
        let start = if directory.is_empty() { Vec::new() } else { [directory, b"/"].concat() };
        let skip = start.len();
        self.nodes
            .range::<[u8], _>((std::ops::Bound::Included(start.as_slice()), std::ops::Bound::Unbounded))
            .map(|(path, _)| path.as_ref())
            .take_while(move |path| path.get(..skip) == Some(start.as_slice()))
            .filter_map(move |path| Some((path, path.get(skip..)?)))
            .filter(|(_, name)| !name.is_empty() && !name.contains(&b'/'))
    }

    /// Entries that could not be applied.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// What stands at exactly this path, links not followed.
    #[must_use]
    pub fn get(&self, path: &[u8]) -> Option<&Node<'a>> {
        self.nodes.get(path)
    }

    /// Follows a path from the root, links included, as a kernel would in a container.
    ///
    /// Leading slashes do not matter; `..` does not lead above the root.
    ///
    /// # Errors
    /// When the path leads nowhere.
    pub fn lookup(&self, path: &[u8]) -> Result<(Vec<u8>, &Node<'a>), LookupError> {
        const ROOT: Node<'static> = Node { layer: 0, mode: 0o755, kind: NodeKind::Directory };
        let real = self.resolve(path, true)?;
        match self.nodes.get(real.as_slice()) {
            Some(node) => Ok((real, node)),
            None if real.is_empty() => Ok((real, &ROOT)),
            None => Err(LookupError::Missing(real)),
        }
    }

    /// The real path: parents must exist; the last part need not.
    fn resolve(&self, path: &[u8], follow_last: bool) -> Result<Vec<u8>, LookupError> {
        let mut todo: Vec<&[u8]> = parts(path).rev().collect();
        let mut real: Vec<u8> = Vec::with_capacity(path.len());
        let mut links = 0;
        while let Some(part) = todo.pop() {
            if part == b".." {
                real.truncate(real.iter().rposition(|&b| b == b'/').unwrap_or(0));
                continue;
            }
            let parent = real.len();
            if parent > 0 {
                real.push(b'/');
            }
            real.extend_from_slice(part);
            match self.nodes.get(real.as_slice()).map(|node| node.kind) {
                Some(NodeKind::Symlink(target)) if follow_last || !todo.is_empty() => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(LookupError::Loop(path.strip_prefix(b"/").unwrap_or(path).to_vec()));
                    }
                    real.truncate(if target.starts_with(b"/") { 0 } else { parent });
                    todo.extend(parts(target).rev());
                }
                Some(NodeKind::Directory) => {}
                Some(_) if !todo.is_empty() => return Err(LookupError::NotADirectory(real)),
                None if !todo.is_empty() => return Err(LookupError::Missing(real)),
                Some(_) | None => {}
            }
        }
        Ok(real)
    }

    fn apply(&mut self, layer: usize, entries: &'a [Entry]) {
        // Whiteouts speak of the layers below only, wherever they stand in the archive.
        for entry in entries {
            match entry.kind {
                EntryKind::Whiteout => self.hide(&entry.path, true),
                EntryKind::Opaque => self.hide(&entry.path, false),
                _ => {}
            }
        }
        let mut parents = Parents::default();
        for entry in entries {
            if let Err(why) = self.add(layer, entry, &mut parents) {
                self.problems.push(Problem { layer, why });
            }
        }
    }

    /// Removes a path's content, and the path itself where `whole`.
    fn hide(&mut self, path: &[u8], whole: bool) {
        let Ok(real) = self.resolve(path, !whole) else { return };
        self.remove_below(&real);
        if whole {
            self.nodes.remove(real.as_slice());
        }
    }

    fn remove_below(&mut self, path: &[u8]) {
        if path.is_empty() {
            self.nodes.clear();
            return;
        }
        let start = [path, b"/"].concat();
        let end = [path, b"0"].concat();
        let inside = (std::ops::Bound::Included(start.as_slice()), std::ops::Bound::Excluded(end.as_slice()));
        let below: Vec<Cow<'a, [u8]>> = self.nodes.range::<[u8], _>(inside).map(|(path, _)| path.clone()).collect();
        for path in below {
            self.nodes.remove(&path);
        }
    }

    fn add(&mut self, layer: usize, entry: &'a Entry, parents: &mut Parents) -> Result<(), String> {
        if entry.path.is_empty() {
            return Ok(());
        }
        let kind = match &entry.kind {
            EntryKind::Whiteout | EntryKind::Opaque => return Ok(()),
            EntryKind::Directory => NodeKind::Directory,
            EntryKind::File(content) => NodeKind::File(content.as_deref()),
            EntryKind::Symlink(target) => NodeKind::Symlink(target),
            EntryKind::Special => NodeKind::Special,
            EntryKind::Hardlink(target) => {
                let real = self.resolve(target, false).map_err(|e| broken_link(entry, target, &e))?;
                let node = self.nodes.get(real.as_slice());
                let node = node.ok_or_else(|| broken_link(entry, target, &LookupError::Missing(real)))?;
                return self.put(layer, entry, Node { layer, ..*node }, parents);
            }
        };
        self.put(layer, entry, Node { layer, mode: entry.mode, kind }, parents)
    }

    fn put(&mut self, layer: usize, entry: &'a Entry, node: Node<'a>, parents: &mut Parents) -> Result<(), String> {
        let path = self.place(layer, &entry.path, parents)?;
        let is_directory = node.kind == NodeKind::Directory;
        if let Some(old) = self.nodes.get(&path) {
            if !(is_directory && old.kind == NodeKind::Directory) {
                if old.kind == NodeKind::Directory {
                    self.remove_below(&path);
                }
                parents.forget();
            }
        } else if matches!(node.kind, NodeKind::Symlink(_)) {
            parents.forget();
        }
        self.nodes.insert(path, node);
        Ok(())
    }

    /// Where an entry lands: links among its parents are followed, missing parents are made.
    fn place(&mut self, layer: usize, path: &'a [u8], parents: &mut Parents) -> Result<Cow<'a, [u8]>, String> {
        let Some(at) = path.iter().rposition(|&b| b == b'/') else { return Ok(Cow::Borrowed(path)) };
        let (parent, name) = (path.get(..at).unwrap_or_default(), path.get(at + 1..).unwrap_or_default());
        if parents.named != parent {
            let real = self.make_directories(layer, parent)?;
            parents.same = real == parent;
            parents.real = real;
            parents.named.clear();
            parents.named.extend_from_slice(parent);
        }
        Ok(match (parents.same, parents.real.is_empty()) {
            (true, _) => Cow::Borrowed(path),
            (false, true) => Cow::Borrowed(name),
            (false, false) => Cow::Owned([parents.real.as_slice(), b"/", name].concat()),
        })
    }

    fn make_directories(&mut self, layer: usize, parent: &[u8]) -> Result<Vec<u8>, String> {
        let mut real = Vec::with_capacity(parent.len());
        for part in parts(parent) {
            let step = if real.is_empty() { part.to_vec() } else { [real.as_slice(), b"/", part].concat() };
            real = loop {
                let missing = match self.resolve(&step, true) {
                    Ok(real) if real.is_empty() => break real,
                    Ok(real) => match self.nodes.get(real.as_slice()).map(|node| node.kind) {
                        Some(NodeKind::Directory) => break real,
                        Some(_) => return Err(misplaced(parent, &LookupError::NotADirectory(real))),
                        None => real,
                    },
                    // A link that dangles: engines make the directories that it names, one by one here.
                    Err(LookupError::Missing(missing)) => missing,
                    Err(error) => return Err(misplaced(parent, &error)),
                };
                let directory = Node { layer, mode: 0o755, kind: NodeKind::Directory };
                self.nodes.insert(Cow::Owned(missing), directory);
            };
        }
        Ok(real)
    }
}

/// The parent of the last entry: archives list a directory's files one after the other.
#[derive(Default)]
struct Parents {
    named: Vec<u8>,
    real: Vec<u8>,
    same: bool,
}

impl Parents {
    fn forget(&mut self) {
        self.named.clear();
    }
}

fn misplaced(parent: &[u8], error: &LookupError) -> String {
    format!("`{}` cannot be placed: {error}", shown(parent))
}

fn broken_link(entry: &Entry, target: &[u8], error: &LookupError) -> String {
    format!("the hard link `{}` points at `{}`: {error}", shown(&entry.path), shown(target))
}

fn parts(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|&b| b == b'/').filter(|part| !part.is_empty() && *part != b".")
}

#[cfg(test)]
mod tests;
