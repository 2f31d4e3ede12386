//! What is wrong with handlers and their emulators.

use super::super::draft::Draft;
use super::super::rule;
use super::known::known;
use super::{mend, state, tries};
use crate::host::HostFacts;
use crate::host::binfmt::{Handler, MOUNT, Programs};
use crate::host::interpreter::Interpreter;
use crate::host::readiness::{Probed, Readiness, State};
use crate::platform::Platform;
use mpcheck_reports::{Finding, Severity};

/// The findings of all platforms.
pub(super) fn findings(facts: &HostFacts) -> Vec<Finding> {
    facts.platforms.iter().flat_map(|readiness| of_platform(facts, readiness)).collect()
}

/// One handler of one platform.
struct Subject<'f> {
    facts: &'f HostFacts,
    readiness: &'f Readiness,
    handler: &'f Handler,
}

fn of_platform(facts: &HostFacts, readiness: &Readiness) -> Vec<Finding> {
    let live = facts.live_handlers_of(readiness.row);
    let mut findings = Vec::new();
    for handler in &live {
        let subject = Subject { facts, readiness, handler };
        let found = [
            no_fix_binary(&subject),
            dynamic_emulator(&subject),
            emulator_gone(&subject),
            too_strict(&subject),
            too_wide(&subject),
            native_handler(&subject),
            not_persisted(&subject),
            no_credentials(&subject),
        ];
        findings.extend(found.into_iter().flatten());
    }
    // What fails in containers alone has its cause there; what fails on the host too has it only in an emulator that is gone.
    let on_host = readiness.direct.as_ref().is_ok_and(Probed::ran);
    let explains = |finding: &Finding| {
        on_host && [rule::NO_FIX_BINARY.name, rule::DYNAMIC_EMULATOR.name].contains(&finding.rule.as_str())
            || finding.rule == rule::EMULATOR_GONE.name && finding.severity != Severity::Note
    };
    let explained = findings.iter().any(explains);
    findings.extend(disabled(facts, readiness, &live));
    findings.extend(duplicates(readiness, &live));
    findings.extend(not_registered(facts, readiness));
    let flaps = flapping(facts, readiness);
    findings.extend(emulation_broken(facts, readiness, &live).filter(|_| !explained && flaps.is_none()));
    findings.extend(flaps);
    findings.extend(emulator_version(readiness));
    findings.extend(argv0_lost(facts, readiness));
    findings.extend(not_listed(facts, readiness, &live));
    findings
}

impl Subject<'_> {
    fn draft(&self, rule: &rule::Rule, message: String, hint: String) -> Draft {
        Draft::new(rule, message, hint).named(&self.readiness.platform()).file(format!("{MOUNT}/{}", self.handler.name))
    }

    fn interpreter(&self) -> Option<&Interpreter> {
        self.facts.interpreters.get(&self.handler.interpreter)
    }

    /// Whether the platform runs where there is none of the host's files; `None` where that was not tried.
    fn runs_in_containers(&self) -> Option<bool> {
        self.readiness.empty_root.as_ref().ok().map(Probed::ran)
    }

    fn replace(&self) -> String {
        mend::replace(self.handler, self.readiness.row)
    }
}

fn no_fix_binary(subject: &Subject<'_>) -> Option<Finding> {
    let handler = subject.handler;
    if handler.has('F') || subject.runs_in_containers() == Some(true) {
        return None;
    }
    let message = format!(
        "the handler {} opens its emulator by its path whenever a program is started, and containers do not have it there",
        handler.name
    );
    let draft = subject.draft(&rule::NO_FIX_BINARY, message, subject.replace());
    Some(draft.instead("flag F", format!("flags \"{}\", interpreter {}", handler.flags, handler.interpreter)).done())
}

fn dynamic_emulator(subject: &Subject<'_>) -> Option<Finding> {
    let handler = subject.handler;
    let dynamic = subject.interpreter() == Some(&Interpreter::Dynamic);
    if !dynamic || !handler.has('F') || subject.runs_in_containers() == Some(true) {
        return None;
    }
    let message = format!(
        "the emulator of the handler {} is dynamically linked: its loader and libraries are the host's, and containers \
         have others or none",
        handler.name
    );
    let draft = subject.draft(&rule::DYNAMIC_EMULATOR, message, subject.replace());
    Some(draft.instead("a static emulator", handler.interpreter.clone()).done())
}

fn emulator_gone(subject: &Subject<'_>) -> Option<Finding> {
    if subject.interpreter() != Some(&Interpreter::Missing) {
        return None;
    }
    let handler = subject.handler;
    let observed = format!("{} is not there, flags \"{}\"", handler.interpreter, handler.flags);
    // The kernel opened it when it was registered: the way in which an image registers its emulators.
    if handler.has('F') {
        let message = format!(
            "the emulator of the handler {} is not at its path; the kernel holds it open, so it works until it is \
             registered again",
            handler.name
        );
        let draft = subject.draft(&rule::EMULATOR_GONE, message, "nothing has to be done".to_owned());
        return Some(draft.severity(Severity::Note).observed(observed).done());
    }
    let message = format!("the emulator of the handler {} is gone, and the handler is not", handler.name);
    Some(subject.draft(&rule::EMULATOR_GONE, message, subject.replace()).observed(observed).done())
}

fn too_strict(subject: &Subject<'_>) -> Option<Finding> {
    let programs = Programs::of(subject.readiness.row);
    let missed: Vec<&str> =
        programs.iter().filter(|program| !program.taken_by(subject.handler)).map(|program| program.kind).collect();
    // What one handler leaves, another may take.
    let live = subject.facts.live_handlers_of(subject.readiness.row);
    let taken = programs.iter().all(|program| live.iter().any(|handler| program.taken_by(handler)));
    if missed.is_empty() || taken {
        return None;
    }
    let message = format!(
        "the mask of the handler {} is too strict: other programs of the platform end in \"exec format error\"",
        subject.handler.name
    );
    let draft = subject.draft(&rule::WRONG_MASK, message, subject.replace());
    Some(draft.observed(format!("it does not take {}", missed.join(", "))).done())
}

fn too_wide(subject: &Subject<'_>) -> Option<Finding> {
    let rows = subject.facts.platforms.iter().map(|readiness| readiness.row).filter(|row| subject.handler.is_for(row));
    let names: Vec<&str> = rows.map(|row| row.name).collect();
    // Told once, of the first of them.
    if names.len() < 2 || names.first() != Some(&subject.readiness.row.name) {
        return None;
    }
    let message = format!(
        "the mask of the handler {} is too wide: it takes the programs of several architectures, and one emulator runs \
         one of them",
        subject.handler.name
    );
    let draft = subject.draft(&rule::WRONG_MASK, message, subject.replace());
    Some(draft.observed(format!("it takes programs for {}", names.join(", "))).done())
}

fn native_handler(subject: &Subject<'_>) -> Option<Finding> {
    let host = Platform::host();
    let host = host.row()?;
    let row = subject.readiness.row;
    // Not every 64-bit Arm processor runs 32-bit programs, so a handler for them is right there.
    let native = row == host || host.executes(row) && row.name == "386";
    native.then(|| {
        let message = format!(
            "the handler {} takes programs of this machine's own processor: they run under an emulator, many times slower",
            subject.handler.name
        );
        let hint = format!("as root: `mpcheck host uninstall {}`, or `{}`", row.name, mend::remove(subject.handler));
        subject.draft(&rule::NATIVE_HANDLER, message, hint).observed(subject.handler.interpreter.clone()).done()
    })
}

fn not_persisted(subject: &Subject<'_>) -> Option<Finding> {
    let (facts, row) = (subject.facts, subject.readiness.row);
    // A container's files say nothing of the host's next boot.
    if facts.system.container.is_some() || facts.registrations.iter().any(|registration| registration.is_for(row)) {
        return None;
    }
    let hint =
        "as root: `mpcheck host install all --persist`, or install the distribution's package (`apt-get install \
         qemu-user-static`), or have a systemd unit or cron's @reboot run what registered it; if something does already, all \
         is well"
            .to_owned();
    let message =
        "nothing in binfmt.d or update-binfmts registers the handler again: it is gone at the next boot, and where \
                   systemd-binfmt is restarted"
            .to_owned();
    // Without the handler's file, as above.
    let observed =
        "no file for the platform in binfmt.d of /etc, /run, /usr/local/lib and /usr/lib, or in /var/lib/binfmts";
    let draft = Draft::new(&rule::NOT_PERSISTED, message, hint).named(&subject.readiness.platform());
    Some(draft.observed(observed).done())
}

fn no_credentials(subject: &Subject<'_>) -> Option<Finding> {
    let handler = subject.handler;
    (!handler.has('C')).then(|| {
        let message = "under this handler set-user-ID programs get no privileges: sudo, su and ping fail in containers that \
                       use them"
            .to_owned();
        let hint = "if you need them, have the handlers registered with the flags F and C, as root: `mpcheck host uninstall \
                    all`, then `mpcheck host install all`";
        // Without the handler's file: what is the same for all platforms is told once.
        let draft = Draft::new(&rule::NO_CREDENTIALS, message, hint).named(&subject.readiness.platform());
        draft.instead("flag C", format!("flags \"{}\"", handler.flags)).done()
    })
}

fn flapping(facts: &HostFacts, readiness: &Readiness) -> Option<Finding> {
    let tries = tries(facts, readiness).filter(|tries| tries.ran > 0 && tries.ran < tries.of)?;
    let message =
        "the platform runs at one time and not at another: something registers its handler and removes it again";
    let hint = "find what does: all containers of a kernel share its handlers, so that look for jobs that run `--reset`, \
                `--uninstall` or `systemctl restart systemd-binfmt`; a handler in binfmt.d comes back after each";
    let draft = Draft::new(&rule::FLAPPING, message, hint).named(&readiness.platform());
    Some(draft.instead(format!("ran {} times", tries.of), format!("ran {} times", tries.ran)).done())
}

fn disabled(facts: &HostFacts, readiness: &Readiness, live: &[&Handler]) -> Option<Finding> {
    // All of them switched off is one finding, of binfmt_misc itself.
    if !facts.registry.is_enabled() || !live.is_empty() {
        return None;
    }
    let handlers = facts.handlers_of(readiness.row);
    let handler = handlers.iter().find(|handler| !handler.enabled)?;
    let message = format!("the handler {} is there and switched off", handler.name);
    let hint = format!("as root: `mpcheck host install {}`, or `{}`", readiness.row.name, mend::enable(handler));
    let draft = Draft::new(&rule::HANDLER_DISABLED, message, hint).named(&readiness.platform());
    Some(draft.file(format!("{MOUNT}/{}", handler.name)).instead("enabled", "disabled").done())
}

fn duplicates(readiness: &Readiness, live: &[&Handler]) -> Option<Finding> {
    let (first, others) = live.split_first()?;
    let differs = |other: &&Handler| other.interpreter != first.interpreter || other.flags != first.flags;
    if !others.iter().any(differs) {
        return None;
    }
    let told = |handler: &&Handler| format!("{}: {}, flags \"{}\"", handler.name, handler.interpreter, handler.flags);
    let observed: Vec<String> = live.iter().map(told).collect();
    let removals: Vec<String> = live.iter().map(|handler| format!("`{}`", mend::remove(handler))).collect();
    let message = "several handlers take the platform's programs, and the one that was registered last wins, whichever that \
                   is after the next boot";
    let hint = format!("keep one; as root: {}", removals.join(" or "));
    let draft = Draft::new(&rule::DUPLICATE_HANDLERS, message, hint).named(&readiness.platform());
    Some(draft.instead("one handler", observed.join("; ")).done())
}

fn not_registered(facts: &HostFacts, readiness: &Readiness) -> Option<Finding> {
    let known = facts.registry.is_enabled() && facts.system.container.is_none();
    let missing = state(facts, readiness) == State::Nothing && facts.handlers_of(readiness.row).is_empty();
    let registration = facts.registrations.iter().find(|registration| registration.is_for(readiness.row))?;
    if !known || !missing {
        return None;
    }
    let hint = if facts.system.is_wsl() {
        "as root: `systemctl restart systemd-binfmt`, and set `protectBinfmt=true` in the section [boot] of /etc/wsl.conf: \
         ending a distribution clears the handlers of all"
    } else {
        "as root: `systemctl restart systemd-binfmt`, or `update-binfmts --enable` where binfmt-support is used; \
         `systemctl status systemd-binfmt` says what kept it from the boot"
    };
    let message = "a file says that a handler for the platform is registered at boot, and the kernel does not have it";
    let directory = registration.file.rsplit_once('/').map_or("", |(directory, _)| directory);
    let draft = Draft::new(&rule::NOT_REGISTERED, message, hint).named(&readiness.platform());
    Some(draft.observed(format!("a file in {directory}")).done())
}

fn emulation_broken(facts: &HostFacts, readiness: &Readiness, live: &[&Handler]) -> Option<Finding> {
    let State::Broken(why) = state(facts, readiness) else { return None };
    let hint = match live.first() {
        Some(handler) => mend::replace(handler, readiness.row),
        None => mend::install(readiness.row),
    };
    let message = format!("programs of {} do not run, though something is there to run them", readiness.platform());
    Some(Draft::new(&rule::EMULATION_BROKEN, message, hint).named(&readiness.platform()).observed(why).done())
}

fn emulator_version(readiness: &Readiness) -> Option<Finding> {
    let version = readiness.version.as_ref()?;
    let known = known(version)?;
    let message = format!("this version of the emulator is known to crash: {}", known.what);
    let hint = format!("{}; see {}", mend::other_emulator(readiness.row), known.report);
    Some(Draft::new(&rule::EMULATOR_VERSION, message, hint).named(&readiness.platform()).observed(version).done())
}

fn argv0_lost(facts: &HostFacts, readiness: &Readiness) -> Option<Finding> {
    let emulated = matches!(state(facts, readiness), State::Emulated(_));
    let lost = matches!(readiness.direct, Ok(Probed::Ran { own_name: false, .. }));
    (emulated && lost).then(|| {
        let message = "emulated programs see their path in place of the name that they were started under: busybox and \
                       others that look at it do the wrong thing where those differ";
        let hint = format!("have it registered with the flag P: {}", mend::again(readiness.row));
        Draft::new(&rule::ARGV0_LOST, message, hint).named(&readiness.platform()).done()
    })
}

fn not_listed(facts: &HostFacts, readiness: &Readiness, live: &[&Handler]) -> Option<Finding> {
    // Whoever is in a container may see another registry than the one that the kernel uses.
    let visible = facts.registry.is_enabled() && facts.registry.unread.is_empty() && facts.system.container.is_none();
    if !visible || !live.is_empty() || readiness.version.is_none() {
        return None;
    }
    let message = "it runs under an emulator, and binfmt_misc lists no handler for it: what looks at the list alone takes \
                   the platform for missing";
    let hint = format!(
        "as root: `touch {MOUNT}`, where it is the kernel that shows handlers late (Amazon Linux 2023); mpcheck goes by \
         what ran"
    );
    let draft = Draft::new(&rule::HANDLER_NOT_LISTED, message, hint).named(&readiness.platform()).file(MOUNT);
    Some(draft.observed(readiness.version.clone().unwrap_or_default()).done())
}
