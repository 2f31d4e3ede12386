//! The merged root filesystem: the layers of one platform applied in order.
//!
//! Source: OCI image spec, `layer.md`, "Applying Changesets"; where it is silent
//! (parents that are symbolic links, a directory over a link, hard links into
//! lower layers), what containerd does (`archive/tar.go`, `applyNaive`).

use super::layer::{Entry, EntryKind, LayerFacts, MAX_NAME_BYTES};
use crate::binary::Content;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};

/// What one tree may cost.
///
/// Names are bounded for each layer; what links and missing parents make of them is not.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Steps of looking paths up: one for each part of a path, and one more for each 64
    /// bytes of it. A path may lead through 40 links of 2000 parts each, and a million
    /// entries through that path; an image with a million files takes some ten million steps.
    steps: u64,
    /// Bytes of paths that no entry spells out: parents that were not listed, and files
    /// below links. Each entry could otherwise bring megabytes of them.
    made_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { steps: 60_000_000, made_bytes: 128 << 20 }
    }
}

/// How many entries that cannot be applied are told one by one.
const MAX_PROBLEMS: usize = 100;

/// How many symbolic links Linux follows in one path (`MAXSYMLINKS`).
const MAX_LINKS: usize = 40;

/// The tree that a container would see.
#[derive(Debug, Default)]
pub struct RootFs<'a> {
    /// By path, in the form of [`Entry::path`]; sorted, so that a directory's
    /// content lies between `dir/` and `dir0`.
    nodes: BTreeMap<Cow<'a, [u8]>, Node<'a>>,
    problems: Vec<Problem>,
    /// Problems beyond [`MAX_PROBLEMS`]: the layer of the last one, and how many.
    more_problems: Option<(usize, usize)>,
    made_bytes: usize,
    steps: AtomicU64,
    bounds: Bounds,
}

/// One file of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node<'a> {
    /// The layer that brought it, counted from 0.
    pub layer: usize,
    /// Where its bytes are, where it is a regular file.
    pub origin: Origin<'a>,
    /// The permission bits.
    pub mode: u16,
    /// The number of the user who owns it, [`super::layer::NO_OWNER`] included. A hard link has its file's; a directory
    /// that no layer lists is root's.
    pub user: u32,
    /// The same of the group.
    pub group: u32,
    /// What it is.
    pub kind: NodeKind<'a>,
}

/// Which layer has the bytes of a file, and under which name: of a hard link, those of the file that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The layer, counted from 0.
    pub layer: usize,
    /// The entry's path in it, as [`Entry::path`].
    pub path: &'a [u8],
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
    /// The tree as a whole has cost all that it may: see [`RootFs::is_exhausted`].
    #[error("there are more directories and symbolic links than are followed")]
    Exhausted,
}

fn shown(path: &[u8]) -> String {
    match path.get(..200) {
        Some(start) => format!("/{}…", start.escape_ascii()),
        None => format!("/{}", path.escape_ascii()),
    }
}

impl<'a> RootFs<'a> {
    /// Applies layers in order, the lowest first.
    #[must_use]
    pub fn merge(layers: impl IntoIterator<Item = (usize, &'a LayerFacts)>) -> Self {
        Self::merge_within(Bounds::default(), layers)
    }

    fn merge_within(bounds: Bounds, layers: impl IntoIterator<Item = (usize, &'a LayerFacts)>) -> Self {
        let mut tree = Self { bounds, ..Self::default() };
        for (index, facts) in layers {
            tree.apply(index, &facts.entries);
        }
        if let Some((layer, count)) = tree.more_problems {
            tree.problems.push(Problem { layer, why: format!("and {count} more entries cannot be placed either") });
        }
        tree
    }

    /// All files, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Node<'a>)> {
        self.nodes.iter().map(|(path, node)| (path.as_ref(), node))
    }

    /// What lies directly in a directory, by its real path: each path, and the name at its end.
    ///
    /// What lies deeper is passed over, not walked through.
    pub fn children<'t>(&'t self, directory: &[u8]) -> impl Iterator<Item = (&'t [u8], &'t [u8])> + use<'t, 'a> {
        let prefix = if directory.is_empty() { Vec::new() } else { [directory, b"/"].concat() };
        let mut from = Bound::Excluded(prefix.clone());
        std::iter::from_fn(move || {
            loop {
                let after = (from.as_ref().map(Vec::as_slice), Bound::Unbounded);
                let (path, _) = self.nodes.range::<[u8], _>(after).next()?;
                let name = path.strip_prefix(prefix.as_slice())?;
                match name.iter().position(|&b| b == b'/') {
                    // `0` follows `/`: the first path beyond the subtree.
                    Some(slash) => from = Bound::Included([&prefix, name.get(..slash)?, b"0"].concat()),
                    None => {
                        from = Bound::Excluded(path.to_vec());
                        return Some((path.as_ref(), name));
                    }
                }
            }
        })
    }

    /// Whether looking paths up in this tree was given up, so that what was not found may be there.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.made_bytes > self.bounds.made_bytes || self.steps.load(Ordering::Relaxed) > self.bounds.steps
    }

    /// Counts the cost of looking at one path.
    fn step(&self, path: &[u8]) -> Result<(), LookupError> {
        let cost = 1 + path.len() as u64 / 64;
        let before = self.steps.fetch_add(cost, Ordering::Relaxed);
        if before > self.bounds.steps { Err(LookupError::Exhausted) } else { Ok(()) }
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
        const ROOT: Node<'static> = directory(0);
        // A kernel refuses it (ENAMETOOLONG), whatever it would lead to.
        if path.len() > MAX_NAME_BYTES {
            return Err(LookupError::Missing(path.get(..MAX_NAME_BYTES).unwrap_or_default().to_vec()));
        }
        let real = self.resolve(path, true)?;
        match self.nodes.get(real.as_slice()) {
            Some(node) => Ok((real, node)),
            None if real.is_empty() => Ok((real, &ROOT)),
            None => Err(LookupError::Missing(real)),
        }
    }

    /// Follows a path from the root, but not the link that it may end at: what lstat(2) sees.
    ///
    /// # Errors
    /// When the path leads nowhere.
    pub fn lookup_itself(&self, path: &[u8]) -> Result<(Vec<u8>, &Node<'a>), LookupError> {
        if path.len() > MAX_NAME_BYTES {
            return Err(LookupError::Missing(path.get(..MAX_NAME_BYTES).unwrap_or_default().to_vec()));
        }
        let real = self.resolve(path, false)?;
        match self.nodes.get(real.as_slice()) {
            // A slash, or a dot, at its end asks for what the link leads to.
            Some(node) if matches!(node.kind, NodeKind::Symlink(_)) && !path.ends_with(b"/") => Ok((real, node)),
            _ => self.lookup(path),
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
            self.step(&real)?;
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
        if self.is_exhausted() {
            return;
        }
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
            let added = self.add(layer, entry, &mut parents);
            if self.is_exhausted() {
                let why = LookupError::Exhausted.to_string();
                self.problems.push(Problem { layer, why });
                return;
            }
            match added {
                Err(why) if self.problems.len() < MAX_PROBLEMS => self.problems.push(Problem { layer, why }),
                Err(_) => self.more_problems = Some((layer, self.more_problems.map_or(1, |(_, count)| count + 1))),
                Ok(()) => {}
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
                // A link to a file of the same layer is that file, whatever becomes of the other name.
                let of_layer = node.origin.layer == layer;
                let origin = if of_layer { Origin { layer, path: &entry.path } } else { node.origin };
                return self.put(layer, entry, Node { layer, origin, ..*node }, parents);
            }
        };
        let Entry { path, mode, user, group, .. } = entry;
        let origin = Origin { layer, path };
        self.put(layer, entry, Node { layer, origin, mode: *mode, user: *user, group: *group, kind }, parents)
    }

    fn put(&mut self, layer: usize, entry: &'a Entry, node: Node<'a>, parents: &mut Parents) -> Result<(), String> {
        self.step(&entry.path).map_err(|e| e.to_string())?;
        let path = self.place(layer, &entry.path, parents)?;
        if let Cow::Owned(made) = &path {
            self.made_bytes += made.len();
        }
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

    /// The real path of a directory that an entry lies in, which is made where it is not there.
    ///
    /// Every path of the tree is a real one, with a directory for each of its parents: only
    /// what is below the last of them that is there has to be looked at.
    fn make_directories(&mut self, layer: usize, parent: &[u8]) -> Result<Vec<u8>, String> {
        let mut known = parent.len();
        while known > 0 {
            let path = parent.get(..known).unwrap_or_default();
            self.step(path).map_err(|e| misplaced(parent, &e))?;
            if self.nodes.get(path).is_some_and(|node| node.kind == NodeKind::Directory) {
                break;
            }
            known = path.iter().rposition(|&b| b == b'/').unwrap_or(0);
        }
        let (there, rest) = parent.split_at(known);
        let mut real = there.to_vec();
        for part in parts(rest) {
            let step = if real.is_empty() { part.to_vec() } else { [real.as_slice(), b"/", part].concat() };
            real = self.make_directory(layer, step).map_err(|e| misplaced(parent, &e))?;
        }
        Ok(real)
    }

    /// The real path of a directory in a real directory; a link there is followed.
    fn make_directory(&mut self, layer: usize, path: Vec<u8>) -> Result<Vec<u8>, LookupError> {
        self.step(&path)?;
        match self.nodes.get(path.as_slice()).map(|node| node.kind) {
            Some(NodeKind::Directory) => return Ok(path),
            Some(NodeKind::Symlink(_)) => {}
            Some(_) => return Err(LookupError::NotADirectory(path)),
            None => {
                self.insert_directory(layer, path.clone())?;
                return Ok(path);
            }
        }
        loop {
            let missing = match self.resolve(&path, true) {
                Ok(real) if real.is_empty() => return Ok(real),
                Ok(real) => match self.nodes.get(real.as_slice()).map(|node| node.kind) {
                    Some(NodeKind::Directory) => return Ok(real),
                    Some(_) => return Err(LookupError::NotADirectory(real)),
                    None => real,
                },
                // A link that dangles: engines make the directories that it names, one by one here.
                Err(LookupError::Missing(missing)) => missing,
                Err(error) => return Err(error),
            };
            self.insert_directory(layer, missing)?;
        }
    }

    fn insert_directory(&mut self, layer: usize, path: Vec<u8>) -> Result<(), LookupError> {
        self.made_bytes += path.len();
        if self.made_bytes > self.bounds.made_bytes {
            return Err(LookupError::Exhausted);
        }
        self.nodes.insert(Cow::Owned(path), directory(layer));
        Ok(())
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

/// A directory that a layer needs and does not list: engines make it so.
const fn directory(layer: usize) -> Node<'static> {
    Node { layer, origin: Origin { layer, path: &[] }, mode: 0o755, user: 0, group: 0, kind: NodeKind::Directory }
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
