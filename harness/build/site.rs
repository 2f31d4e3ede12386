//! Where a rehearsal takes place: its directory, its names, and what it has to take away again.

use super::tools::Tools;
use crate::run::cleanup::Guard;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A directory for contexts and logs, and a name that nothing else on this host has.
#[derive(Debug)]
pub struct Site {
    path: PathBuf,
    /// The name that everything begins with: `mpcheck-build-x7Gd2k`.
    pub(super) name: String,
    guard: Option<Guard>,
}

impl Site {
    /// Makes the directory, in this one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(parent: &Path) -> io::Result<Self> {
        let path = tempfile::Builder::new().prefix("mpcheck-build-").tempdir_in(parent)?.keep();
        let removed = path.clone();
        let guard = Guard::new(move || {
            let _ = fs::remove_dir_all(&removed);
        });
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().to_lowercase());
        for part in ["logs", "context"] {
            fs::create_dir(path.join(part))?;
        }
        Ok(Self { path, name: name.replace('.', "-"), guard: Some(guard) })
    }

    /// Where the logs are.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// Where the build's files are.
    pub(super) fn context(&self) -> PathBuf {
        self.path.join("context")
    }

    /// A place for a file that is written here.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Leaves the directory where it is: the commands that were told can be repeated there, and the logs be read.
    #[must_use]
    pub fn keep(mut self) -> PathBuf {
        if let Some(guard) = self.guard.take() {
            guard.forget();
        }
        self.path.clone()
    }
}

/// What was made in an engine, and is removed when this is dropped, or a signal ends the process.
#[derive(Debug)]
pub(super) struct Leftovers {
    list: List,
    guard: Option<Guard>,
    left: Arc<Mutex<Vec<String>>>,
}

/// The list of what was made, for whoever makes something.
#[derive(Debug, Clone, Default)]
pub(super) struct List(Arc<Mutex<Things>>);

#[derive(Debug, Default)]
struct Things {
    images: Vec<String>,
    builders: Vec<String>,
    containers: Vec<String>,
    manifests: Vec<String>,
    /// What a registry has: not removed, but told of.
    sent: Vec<String>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Leftovers {
    pub(super) fn new(tools: &Tools) -> Self {
        let list = List::default();
        let left = Arc::new(Mutex::new(Vec::new()));
        let (removed, remaining, tools) = (list.clone(), Arc::clone(&left), tools.clone());
        let guard = Guard::new(move || {
            let things = std::mem::take(&mut *locked(&removed.0));
            *locked(&remaining) = things.remove(&tools);
        });
        Self { list, guard: Some(guard), left }
    }

    /// The list, for others to write in.
    pub(super) fn list(&self) -> List {
        self.list.clone()
    }

    /// Removes everything now, and says what could not be removed.
    pub(super) fn remove(mut self) -> Vec<String> {
        drop(self.guard.take());
        std::mem::take(&mut *locked(&self.left))
    }
}

impl List {
    /// Written down before it is made: an image of this name in the engine.
    pub(super) fn image(&self, name: &str) {
        locked(&self.0).images.push(name.to_owned());
    }

    /// A name that was pushed.
    pub(super) fn sent(&self, name: &str) {
        locked(&self.0).sent.push(name.to_owned());
    }

    /// The names that were pushed.
    pub(super) fn all_sent(&self) -> Vec<String> {
        locked(&self.0).sent.clone()
    }

    /// A builder.
    pub(super) fn builder(&self, name: &str) {
        locked(&self.0).builders.push(name.to_owned());
    }

    /// A container.
    pub(super) fn container(&self, name: &str) {
        locked(&self.0).containers.push(name.to_owned());
    }

    /// A list in docker's own store of lists that are not pushed yet.
    pub(super) fn manifest(&self, name: &str) {
        locked(&self.0).manifests.push(name.to_owned());
    }

    /// A builder that is gone.
    pub(super) fn builder_gone(&self, name: &str) {
        locked(&self.0).builders.retain(|known| known != name);
    }
}

impl std::ops::Deref for Leftovers {
    type Target = List;

    fn deref(&self) -> &List {
        &self.list
    }
}

impl Things {
    /// What is still there afterwards, as the commands that remove it.
    fn remove(self, tools: &Tools) -> Vec<String> {
        let mut left = Vec::new();
        let mut all = |kind: &[&str], check: &[&str], names: Vec<String>| {
            if names.is_empty() {
                return;
            }
            let words = |of: &[&str], names: &[String]| -> Vec<String> {
                of.iter().map(|word| (*word).to_owned()).chain(names.iter().cloned()).collect()
            };
            if tools.undo(&words(kind, &names)) {
                return;
            }
            // Some of them were never made.
            for name in names {
                let one = [name];
                if tools.undo(&words(check, &one)) && !tools.undo(&words(kind, &one)) {
                    left.push(format!("docker {}", words(kind, &one).join(" ")));
                }
            }
        };
        all(&["container", "rm", "--force", "--volumes"], &["container", "inspect"], self.containers);
        all(&["buildx", "rm", "--force"], &["buildx", "inspect"], self.builders);
        // The youngest first: the old builder's have those before them for parents.
        let images = self.images.into_iter().rev().collect();
        all(&["image", "rm", "--force"], &["image", "inspect"], images);
        for list in self.manifests {
            // Not there any more once it was pushed with --purge.
            tools.undo(&["manifest", "rm", &list]);
        }
        left
    }
}
