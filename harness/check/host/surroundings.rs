//! What is wrong around the handlers: binfmt_misc itself, the sandbox, the engine, pages, the environment.

use super::super::draft::Draft;
use super::super::rule;
use super::state;
use crate::host::HostFacts;
use crate::host::binfmt::{MOUNT, RegistryState};
use crate::host::engine::EngineFacts;
use crate::host::readiness::State;
use crate::image::reference::name::shown;
use crate::platform::{Architecture, Platform};
use crate::run::sandbox::NOEXEC;
use mpcheck_reports::{Finding, Severity};

/// The page size that programs were long built for.
const USUAL_PAGE: u64 = 4096;

/// The findings about the host as a whole.
pub(super) fn findings(facts: &HostFacts) -> Vec<Finding> {
    let found = [
        all_disabled(facts),
        binfmt_unavailable(facts),
        no_sandbox(facts),
        page_size(facts),
        engine_architecture(facts),
        default_platform(facts),
    ];
    found.into_iter().flatten().collect()
}

fn all_disabled(facts: &HostFacts) -> Option<Finding> {
    if facts.registry.state != RegistryState::Disabled {
        return None;
    }
    let draft = Draft::new(
        &rule::HANDLER_DISABLED,
        "all handlers are switched off: no platform is emulated",
        format!("as root: `echo 1 > {MOUNT}/status`"),
    );
    Some(draft.file(format!("{MOUNT}/status")).instead("enabled", "disabled").done())
}

fn binfmt_unavailable(facts: &HostFacts) -> Option<Finding> {
    let mount = format!("mount -t binfmt_misc binfmt_misc {MOUNT}");
    let (message, hint) = match &facts.registry.state {
        RegistryState::Enabled | RegistryState::Disabled => return None,
        RegistryState::NotMounted => ("binfmt_misc is not mounted", format!("as root: `{mount}`")),
        RegistryState::Unsupported => (
            "the kernel has no binfmt_misc now",
            format!("as root: `modprobe binfmt_misc && {mount}`; a kernel without CONFIG_BINFMT_MISC emulates nothing"),
        ),
        RegistryState::Denied(_) => {
            ("binfmt_misc may not be read", "as root: `mpcheck host`, on the host and not in a container".to_owned())
        }
    };
    // Whoever is in a container does not see the host's, and has it all the same.
    let emulated = facts.platforms.iter().any(|readiness| matches!(state(facts, readiness), State::Emulated(_)));
    let (severity, hint) = match &facts.system.container {
        Some(_) => {
            (Severity::Note, "handlers are registered and seen on the host, outside of this container".to_owned())
        }
        None if emulated => (Severity::Note, hint),
        None => (rule::BINFMT_UNAVAILABLE.severity, hint),
    };
    let draft = Draft::new(&rule::BINFMT_UNAVAILABLE, message, hint).severity(severity).file(MOUNT);
    Some(match &facts.registry.state {
        RegistryState::Denied(why) => draft.observed(why.clone()).done(),
        _ => draft.done(),
    })
}

fn no_sandbox(facts: &HostFacts) -> Option<Finding> {
    let noexec = facts.platforms.iter().filter_map(|readiness| readiness.sandbox.as_ref().err());
    let noexec = noexec.into_iter().find(|why| why.why == NOEXEC);
    let why = facts.namespaces.as_ref().err().or(noexec)?;
    let message = "mpcheck cannot make its sandbox for foreign platforms here, so they are run in Docker, which misses \
                   programs for the host's own processor";
    Some(Draft::new(&rule::NO_SANDBOX, message, why.hint.clone()).observed(why.why.clone()).done())
}

fn page_size(facts: &HostFacts) -> Option<Finding> {
    let size = facts.system.page_size;
    (size != USUAL_PAGE).then(|| {
        let message = "programs of linux/amd64, linux/386 and linux/arm that were built for pages of 4 KiB may not load on \
                       this kernel, emulated or not";
        let hint = "boot a kernel with pages of 4 KiB where one of them fails (Raspberry Pi 5: `kernel=kernel8.img` in \
                    config.txt, as root)";
        Draft::new(&rule::PAGE_SIZE, message, hint).instead("4096", size.to_string()).done()
    })
}

fn engine_architecture(facts: &HostFacts) -> Option<Finding> {
    // An engine in a virtual machine may have a socket here.
    let here = |engine: &&EngineFacts| engine.is_local && engine.same_kernel != Some(false) && engine.os == "linux";
    let engine = facts.engine.as_ref().ok().filter(here)?;
    let host = Platform::host();
    // The kernel's machine, not this program's: either of them may be of the smaller kind.
    let kernel = facts.platforms.iter().map(|readiness| readiness.row);
    let kernel = kernel.filter(|row| row.uname.native.first() == Some(&facts.system.machine.as_str()));
    let row = kernel.map(|row| row.name).next().unwrap_or(host.architecture());
    let known = Architecture::by_name(&engine.architecture)?;
    (known.name != row).then(|| {
        let message = format!(
            "the engine was built for {} and this kernel is {row}: it pulls images of {} unless a platform is named",
            known.name, known.name
        );
        let hint =
            "install the engine's package for the kernel's architecture (as root), or name --platform everywhere";
        Draft::new(&rule::ENGINE_ARCHITECTURE, message, hint).instead(row, known.name).done()
    })
}

fn default_platform(facts: &HostFacts) -> Option<Finding> {
    let value = facts.default_platform.as_ref()?;
    let message = "DOCKER_DEFAULT_PLATFORM is set: docker build, pull, run and create take that platform where none is \
                   named, and so does mpcheck";
    let hint = "`unset DOCKER_DEFAULT_PLATFORM`, if that is not meant";
    Some(Draft::new(&rule::DEFAULT_PLATFORM, message, hint).observed(shown(value)).done())
}
