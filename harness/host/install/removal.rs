//! Removing emulators.

use super::asked::Asked;
use super::boot;
use super::plan::removal;
use super::work::{Done, Failed, Hand, Outcome, Stop, opened};
use crate::host::binfmt::{MOUNT, Registry};
use crate::run::NotReady;
use std::path::Path;

/// Removes emulators' entries, and the files that `install` wrote.
///
/// # Errors
/// When nothing could be done at all.
pub fn uninstall(asked: &Asked, dry_run: bool) -> Result<Vec<Done>, Stop> {
    let first = match opened(dry_run, false) {
        // A kernel without it has no entries, and there may be files.
        Err(Stop::NotReady(_)) => Vec::new(),
        other => other?,
    };
    let mut done = Vec::new();
    for row in &asked.rows {
        let mut hand = Hand { dry_run, commands: Vec::new() };
        let registry = Registry::read(Path::new(MOUNT));
        let (mut steps, mut notes) = removal(row, &asked.rows, &registry.handlers);
        steps.extend(row.emulator.iter().flat_map(|emulator| boot::remove(emulator.name)));
        let taken = steps.iter().try_for_each(|step| hand.take(step));
        let outcome = match taken.map_err(Failed::from) {
            Err(Failed::All(stop)) => return Err(stop),
            Err(Failed::One(why)) => Outcome::NotDone(why),
            Ok(()) if steps.is_empty() && notes.is_empty() => Outcome::NotThere,
            Ok(()) if !dry_run && !notes.is_empty() => {
                let hint = format!("name these architectures too, or as root: `echo -1 > {MOUNT}/NAME`");
                Outcome::NotDone(NotReady::new(notes.join("; "), hint))
            }
            Ok(()) if dry_run => Outcome::Planned,
            Ok(()) => Outcome::Removed,
        };
        if let Some(file) = boot::registered(row, false).filter(|_| !dry_run) {
            notes.push(format!("{file} registers it again at boot"));
        }
        done.push(Done { row, outcome, commands: hand.commands, notes });
    }
    if !dry_run {
        boot::tidy();
    }
    if let Some(one) = done.first_mut() {
        one.commands.splice(0..0, first);
    }
    Ok(done)
}
