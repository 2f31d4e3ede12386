//! What there is to do for one architecture, from what is registered. Nothing is looked at or changed here.

use super::entry::{broken, fault, taken};
use super::step::Step;
use crate::host::binfmt::Handler;
use crate::host::interpreter::Interpreter;
use crate::platform::Architecture;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What is known of the machine before something is done for an architecture.
#[derive(Debug)]
pub(super) struct Situation<'a> {
    pub(super) row: &'static Architecture,
    /// All entries of the registry.
    pub(super) handlers: &'a [Handler],
    /// The names of entries that could not be read: whose they are is not known.
    pub(super) unread: Vec<&'a str>,
    pub(super) interpreters: &'a BTreeMap<String, Interpreter>,
    /// Whether the platform's programs run now; `None` where that was not tried.
    pub(super) runs: Option<bool>,
    /// Where the emulator has to lie, if somebody said which, and whether that is what lies there.
    pub(super) wanted: Option<(PathBuf, bool)>,
    /// Whether the emulator and the kernel know flag P.
    pub(super) argv0: bool,
}

/// What there is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    /// The machine's own processor runs it, without any entry.
    Native,
    /// This entry does.
    Right(String),
    /// An entry is right and switched off. Where it then does not run, the other plan is left.
    SwitchOn(Vec<Step>, Box<Plan>),
    /// An entry is registered under this name, after these steps.
    Register {
        name: String,
        first: Vec<Step>,
        /// What was wrong with what there was; `None` where there was nothing.
        replaces: Option<String>,
    },
    /// The names that the entry could have are somebody else's.
    NoName(String),
}

impl Situation<'_> {
    fn entries(&self) -> impl Iterator<Item = &Handler> {
        self.handlers.iter().filter(|handler| taken(handler).contains(&self.row))
    }

    /// What is wrong with an entry, as half a sentence.
    fn fault(&self, handler: &Handler) -> Option<String> {
        let file = self.interpreters.get(&handler.interpreter).unwrap_or(&Interpreter::Missing);
        if let Some((path, is_there)) = &self.wanted
            && (path.as_os_str() != handler.interpreter.as_str() || !is_there)
        {
            return Some(format!("its emulator is {}", handler.interpreter));
        }
        // What runs is left as it is: flags that it could have as well are no reason to take it away.
        if self.runs == Some(true) {
            broken(handler, self.row, file)
        } else {
            fault(handler, self.row, file, self.argv0)
        }
    }

    /// What there is to do.
    pub(super) fn plan(&self) -> Plan {
        let entries: Vec<&Handler> = self.entries().collect();
        if entries.iter().all(|handler| !handler.enabled) && self.runs == Some(true) {
            return Plan::Native;
        }
        let sound = |handler: &&&Handler| self.fault(handler).is_none();
        if let Some(live) = entries.iter().filter(|handler| handler.enabled).find(sound)
            && self.runs != Some(false)
        {
            return Plan::Right(live.name.clone());
        }
        if entries.iter().filter(|handler| handler.enabled).all(|handler| self.fault(handler).is_some())
            && let Some(off) = entries.iter().filter(|handler| !handler.enabled).find(sound)
        {
            let mut steps = self.out_of_the_way(|handler| handler.name != off.name);
            steps.push(Step::SwitchOn(off.name.clone()));
            return Plan::SwitchOn(steps, Box::new(self.registration(&entries)));
        }
        self.registration(&entries)
    }

    fn registration(&self, entries: &[&Handler]) -> Plan {
        let emulator = self.row.emulator.map_or(self.row.name, |emulator| emulator.name);
        // The name that everybody gives it, so that the usual commands find and remove it.
        let names = [format!("qemu-{emulator}"), format!("mpcheck-qemu-{emulator}")];
        let is_ours = |name: &String| {
            let other = |handler: &Handler| handler.name == *name && !taken(handler).contains(&self.row);
            !self.handlers.iter().any(other) && !self.unread.contains(&name.as_str())
        };
        let Some(name) = names.iter().find(|name| is_ours(name)) else {
            return Plan::NoName(names.join(" and "));
        };
        let replaces = entries.first().map(|first| {
            let first = entries.iter().find(|handler| handler.enabled).unwrap_or(first);
            let why = match self.fault(first) {
                Some(why) => why,
                None => "its emulator does not run programs".to_owned(),
            };
            format!("{}: {why}", first.name)
        });
        let mut first = self.out_of_the_way(|handler| handler.name != *name);
        if entries.iter().any(|handler| handler.name == *name) {
            first.push(Step::Remove(name.clone()));
        }
        Plan::Register { name: name.clone(), first, replaces }
    }

    /// Switches off what takes programs of this architecture and no other: somebody else registered it, and may again, so it
    /// is not removed. What takes those of others as well stays; an entry that comes later is asked first.
    fn out_of_the_way(&self, which: impl Fn(&Handler) -> bool) -> Vec<Step> {
        let narrow = |handler: &&Handler| handler.enabled && taken(handler).len() == 1;
        let others = self.entries().filter(narrow).filter(|handler| which(handler));
        others.map(|handler| Step::SwitchOff(handler.name.clone())).collect()
    }
}

/// What is removed for an architecture, and what stays though it takes programs of it, as others are emulated by it too.
pub(super) fn removal(row: &Architecture, asked: &[&Architecture], handlers: &[Handler]) -> (Vec<Step>, Vec<String>) {
    let (mut steps, mut stay) = (Vec::new(), Vec::new());
    for handler in handlers {
        let takes = taken(handler);
        if !takes.contains(&row) {
            continue;
        }
        if takes.iter().all(|row| asked.contains(row)) {
            steps.push(Step::Remove(handler.name.clone()));
        } else {
            let others: Vec<&str> = takes.iter().filter(|row| !asked.contains(row)).map(|row| row.name).collect();
            stay.push(format!("{} stays, as it takes programs of {} too", handler.name, others.join(", ")));
        }
    }
    (steps, stay)
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::{entry, row};
    use super::*;
    use crate::host::binfmt::Takes;
    use rstest::rstest;

    fn plan(handlers: &[Handler], runs: Option<bool>) -> Plan {
        situation(handlers, runs, None).plan()
    }

    fn situation<'a>(handlers: &'a [Handler], runs: Option<bool>, wanted: Option<(PathBuf, bool)>) -> Situation<'a> {
        static NONE: BTreeMap<String, Interpreter> = BTreeMap::new();
        Situation { row: row("arm64"), handlers, unread: Vec::new(), interpreters: &NONE, runs, wanted, argv0: true }
    }

    fn right(name: &str) -> Handler {
        entry(name, "arm64", "POCF")
    }

    fn wrong(name: &str) -> Handler {
        entry(name, "arm64", "POC")
    }

    fn off(handler: Handler) -> Handler {
        Handler { enabled: false, ..handler }
    }

    fn wide(name: &str) -> Handler {
        let mut entry = right(name);
        if let Takes::Magic { mask, .. } = &mut entry.takes {
            mask.truncate(7);
        }
        if let Takes::Magic { magic, .. } = &mut entry.takes {
            magic.truncate(7);
        }
        entry
    }

    fn script(name: &str) -> Handler {
        Handler { takes: Takes::Extension("py".to_owned()), ..right(name) }
    }

    fn register(name: &str, first: &[Step]) -> Plan {
        Plan::Register { name: name.to_owned(), first: first.to_vec(), replaces: None }
    }

    fn without_reason(plan: Plan) -> Plan {
        match plan {
            Plan::SwitchOn(steps, _) => switch_on(steps),
            Plan::Register { name, first, .. } => Plan::Register { name, first, replaces: None },
            other => other,
        }
    }

    fn switch_on(steps: Vec<Step>) -> Plan {
        Plan::SwitchOn(steps, Box::new(Plan::Native))
    }

    fn switch_off(name: &str) -> Step {
        Step::SwitchOff(name.to_owned())
    }

    const QEMU: &str = "qemu-aarch64";

    #[rstest]
    #[case::nothing(vec![], Some(false), register(QEMU, &[]))]
    #[case::native(vec![], Some(true), Plan::Native)]
    #[case::native_and_switched_off(vec![off(right(QEMU))], Some(true), Plan::Native)]
    #[case::right(vec![right(QEMU)], Some(true), Plan::Right(QEMU.to_owned()))]
    #[case::right_of_another_name(vec![right("other")], Some(true), Plan::Right("other".to_owned()))]
    #[case::not_tried(vec![right(QEMU)], None, Plan::Right(QEMU.to_owned()))]
    #[case::looks_right_and_does_not_run(vec![right(QEMU)], Some(false), register(QEMU, &[Step::Remove(QEMU.to_owned())]))]
    #[case::runs_and_could_have_more_flags(vec![entry("other", "arm64", "F")], Some(true), Plan::Right("other".to_owned()))]
    #[case::does_not_run_and_could_have_more_flags(vec![entry(QEMU, "arm64", "F")], Some(false),
        register(QEMU, &[Step::Remove(QEMU.to_owned())]))]
    #[case::wrong(vec![wrong(QEMU)], Some(false), register(QEMU, &[Step::Remove(QEMU.to_owned())]))]
    #[case::wrong_of_another_name(vec![wrong("other")], Some(false), register(QEMU, &[switch_off("other")]))]
    #[case::one_of_two_is_right(vec![wrong("other"), right(QEMU)], Some(true), Plan::Right(QEMU.to_owned()))]
    #[case::one_of_two_is_in_front(vec![wrong("other"), right(QEMU)], Some(false),
        register(QEMU, &[switch_off("other"), Step::Remove(QEMU.to_owned())]))]
    #[case::switched_off(vec![off(right(QEMU))], Some(false), switch_on(vec![Step::SwitchOn(QEMU.to_owned())]))]
    #[case::switched_off_behind_a_wrong_one(vec![off(right(QEMU)), wrong("other")], Some(false),
        switch_on(vec![switch_off("other"), Step::SwitchOn(QEMU.to_owned())]))]
    #[case::wrong_and_switched_off(vec![off(wrong(QEMU))], Some(false), register(QEMU, &[Step::Remove(QEMU.to_owned())]))]
    #[case::wide(vec![wide("all")], Some(false), register(QEMU, &[]))]
    #[case::the_name_is_a_scripts(vec![script(QEMU)], Some(false), register("mpcheck-qemu-aarch64", &[]))]
    #[case::the_name_is_another_emulators(vec![entry(QEMU, "arm", "POCF")], Some(false),
        register("mpcheck-qemu-aarch64", &[]))]
    #[case::both_names_are(vec![script(QEMU), script("mpcheck-qemu-aarch64")], Some(false),
        Plan::NoName("qemu-aarch64 and mpcheck-qemu-aarch64".to_owned()))]
    fn there_is_a_plan(#[case] handlers: Vec<Handler>, #[case] runs: Option<bool>, #[case] wanted: Plan) {
        assert_eq!(without_reason(plan(&handlers, runs)), wanted);
    }

    #[test]
    fn what_cannot_be_read_is_nobodys_to_replace() {
        let mut situation = situation(&[], Some(false), None);
        situation.unread = vec![QEMU];
        assert_eq!(situation.plan(), register("mpcheck-qemu-aarch64", &[]));
    }

    #[test]
    fn what_is_replaced_is_told_with_what_was_wrong() {
        let Plan::Register { replaces, .. } = plan(&[wrong("other")], Some(false)) else { panic!() };
        assert_eq!(replaces.as_deref(), Some("other: it has no flag F"));
    }

    #[rstest]
    #[case("/usr/bin/qemu-aarch64-static", true, true)]
    #[case("/usr/bin/qemu-aarch64-static", false, false)]
    #[case("/elsewhere", true, false)]
    fn an_emulator_that_was_named_is_the_only_right_one(#[case] at: &str, #[case] same: bool, #[case] right_one: bool) {
        let handlers = [right(QEMU)];
        let found = situation(&handlers, Some(true), Some((at.into(), same))).plan();
        assert_eq!(matches!(found, Plan::Right(_)), right_one, "{found:?}");
    }

    #[test]
    fn only_emulators_of_what_is_asked_for_are_removed() {
        let handlers = [right(QEMU), off(wrong("other")), script("python"), wide("all"), entry("x", "s390x", "F")];
        let (steps, stay) = removal(row("arm64"), &[row("arm64")], &handlers);
        assert_eq!(steps, [Step::Remove(QEMU.to_owned()), Step::Remove("other".to_owned())]);
        assert!(stay.len() == 1 && stay[0].starts_with("all stays"), "{stay:?}");
        let all: Vec<&Architecture> = crate::platform::ARCHITECTURES.iter().collect();
        assert_eq!(removal(row("arm64"), &all, &handlers).0.len(), 3);
    }
}
