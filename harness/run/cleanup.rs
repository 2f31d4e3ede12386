//! What must not be left behind, also after Ctrl-C, SIGTERM or a panic.
//!
//! Whoever makes something that outlives the process (a container, a directory) registers how it is removed
//! *before* making it. The [`Guard`] removes it when it is dropped, which a panic does too; [`on_signal`]
//! removes what is registered when a signal ends the process.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

type Removal = Box<dyn FnOnce() + Send>;

struct Registry {
    next: u64,
    removals: BTreeMap<u64, Removal>,
}

/// Whether a signal came, and the process ends as soon as everything is removed.
static ENDING: AtomicBool = AtomicBool::new(false);
/// The thread that removes then.
const REMOVER: &str = "cleanup";

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { next: 0, removals: BTreeMap::new() });

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes its thing when it is dropped, unless that was done already.
#[derive(Debug)]
#[must_use = "what it guards is removed when it is dropped"]
pub struct Guard(u64);

impl Guard {
    /// Registers how a thing is removed. `removal` must do no harm where the thing is not there (yet).
    pub fn new(removal: impl FnOnce() + Send + 'static) -> Self {
        let mut registry = registry();
        let key = registry.next;
        registry.next += 1;
        registry.removals.insert(key, Box::new(removal));
        Self(key)
    }

    /// Forgets the removal: the thing is gone, or somebody else's now.
    pub fn forget(self) {
        registry().removals.remove(&self.0);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Taken out first, so that no lock is held while it runs, and none runs twice.
        let removal = registry().removals.remove(&self.0);
        if let Some(removal) = removal {
            removal();
        }
        // Whoever held this would go on, and perhaps end the process, while another thread still removes: a run
        // that was interrupted returns at once. The end comes by the signal.
        while ENDING.load(Ordering::SeqCst) && std::thread::current().name() != Some(REMOVER) {
            std::thread::park();
        }
    }
}

/// From now on SIGINT, SIGTERM and SIGHUP remove what is registered, the youngest first, and then end the
/// process as the signal would have. A second signal ends it at once.
///
/// # Errors
/// When the signals cannot be caught.
pub fn on_signal() -> io::Result<()> {
    static INSTALLED: Once = Once::new();
    let mut result = Ok(());
    INSTALLED.call_once(|| result = watch());
    result
}

fn watch() -> io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut first = true;
        for signal in signals.forever() {
            if !std::mem::take(&mut first) {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            ENDING.store(true, Ordering::SeqCst);
            // On a thread of its own, so that a second signal finds somebody who listens.
            let removing = std::thread::Builder::new().name(REMOVER.to_owned()).spawn(move || {
                remove_all();
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            });
            if removing.is_err() {
                remove_all();
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        }
    })?;
    Ok(())
}

/// Removes everything that is registered, the youngest first.
fn remove_all() {
    loop {
        // A removal may take a while, and others may be dropped meanwhile: never hold the lock over it.
        let Some((_, removal)) = registry().removals.pop_last() else { return };
        removal();
    }
}
