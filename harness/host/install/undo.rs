//! Undoing what was done to other entries, where what came in their place does not do.

use super::step::Step;
use super::work::Hand;
use crate::host::binfmt::{Handler, Registry, Takes};
use crate::run::sandbox::handler;

/// Undoes these steps, by the registry as it was before them; what could not be undone, in words.
pub(super) fn put_back(hand: &mut Hand, steps: &[Step], before: &Registry) -> Vec<String> {
    let mut notes = Vec::new();
    for step in steps {
        let undone = match step {
            Step::SwitchOff(name) => hand.take(&Step::SwitchOn(name.clone())),
            Step::Remove(name) => {
                let removed = before.handlers.iter().find(|handler| handler.name == *name);
                let Some((handler, line)) = removed.and_then(|handler| Some((handler, line(handler)?))) else {
                    continue;
                };
                let registered = hand.take(&Step::Register(line));
                match registered {
                    Ok(()) if !handler.enabled => hand.take(&Step::SwitchOff(name.clone())),
                    other => other,
                }
            }
            _ => Ok(()),
        };
        if let Err(refused) = undone {
            notes.push(format!("what there was before could not be put back: {}", refused.told().why));
        }
    }
    notes
}

/// The kernel's line for an entry that there was; `None` for one that is no emulator's, and is never removed.
fn line(handler: &Handler) -> Option<String> {
    match &handler.takes {
        Takes::Magic { offset: 0, magic, mask } => {
            Some(handler::line(&handler.name, magic, mask, &handler.interpreter, &handler.flags))
        }
        Takes::Magic { .. } | Takes::Extension(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::entry;
    use super::*;
    use crate::host::binfmt::RegistryState;

    #[test]
    fn steps_are_undone_by_what_there_was() {
        let off = Handler { enabled: false, ..entry("off", "arm64", "POCF") };
        let handlers = vec![entry("qemu-aarch64", "arm64", "PF"), off];
        let before = Registry { state: RegistryState::Enabled, handlers, unread: Vec::new() };
        let steps = ["qemu-aarch64", "off", "never-there"].map(|name| Step::Remove(name.to_owned()));
        let steps = [steps.as_slice(), &[Step::SwitchOff("other".to_owned())]].concat();
        let mut hand = Hand { dry_run: true, commands: Vec::new() };
        assert_eq!(put_back(&mut hand, &steps, &before), Vec::<String>::new());
        let [first, second, third, fourth] = hand.commands.as_slice() else { panic!("{:?}", hand.commands) };
        assert!(first.contains(":qemu-aarch64:M:0:") && first.contains("/usr/bin/qemu-aarch64-static:PF'"), "{first}");
        assert!(second.contains(":off:M:0:"), "{second}");
        assert!(third.starts_with("echo 0 > ") && third.ends_with("/off"), "{third}");
        assert!(fourth.starts_with("echo 1 > ") && fourth.ends_with("/other"), "{fourth}");
    }
}
