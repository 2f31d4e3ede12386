//! The commands that mend a host.

use crate::host::binfmt::{Handler, MOUNT};
use crate::host::install::is_own;
use crate::platform::{Architecture, Platform};

/// The architectures that the image tonistiigi/binfmt has emulators for (`configs` in its `cmd/binfmt/config.go`).
const OF_IMAGE: [&str; 10] =
    ["386", "amd64", "arm", "arm64", "loong64", "mips64", "mips64le", "ppc64le", "riscv64", "s390x"];

/// Registers a static emulator for an architecture.
pub(super) fn install(row: &Architecture) -> String {
    if Platform::host().row().is_some_and(|host| is_own(host, row)) {
        return format!("as root: `mpcheck host uninstall {}` removes what is in the processor's place", row.name);
    }
    let own = format!("as root: `mpcheck host install {}`", row.name);
    let package = "for good: `apt-get install qemu-user-static` on Debian and Ubuntu, `dnf install qemu-user-static` on \
                   Fedora";
    match docker(row) {
        Some(docker) => {
            format!("{own}; or as a user of Docker: `{docker}`, until the next boot; or as root, {package}")
        }
        None => format!("{own}; or, {package}"),
    }
}

/// Registers it once more: what runs is left as it is, so it is removed first.
pub(super) fn again(row: &Architecture) -> String {
    format!("as root: `mpcheck host uninstall {0}`, then `mpcheck host install {0}`", row.name)
}

/// Registers another emulator in place of one that runs.
pub(super) fn other_emulator(row: &Architecture) -> String {
    let removed = format!("as root: `mpcheck host uninstall {}`, then", row.name);
    if OF_IMAGE.contains(&row.name) {
        format!("{removed} `mpcheck host install {} --emulators tonistiigi/binfmt`", row.name)
    } else {
        format!("{removed} install another qemu-user-static, and `mpcheck host install {}`", row.name)
    }
}

/// Registers a static emulator on the host of an engine, which may be another machine.
pub(super) fn install_in_engine(address: &str, row: &Architecture) -> String {
    let Some(docker) = docker(row) else {
        return "as root on the engine's machine: install a static emulator with a handler that has the flag F \
                (`apt-get install qemu-user-static`)"
            .to_owned();
    };
    let address = shlex::try_quote(address).map_or_else(|_| "ADDRESS".to_owned(), std::borrow::Cow::into_owned);
    let docker = docker.replacen("docker", &format!("docker --host {address}"), 1);
    format!(
        "as a user of that engine (no root is needed here): `mpcheck host install {} --engine --host {address}`, or \
         `{docker}`; until its machine's next boot",
        row.name
    )
}

fn docker(row: &Architecture) -> Option<String> {
    let install = format!("docker run --privileged --rm tonistiigi/binfmt --install {}", row.name);
    OF_IMAGE.contains(&row.name).then_some(install)
}

/// Registers a static emulator in place of a handler, with the flags F, C and P as they fit.
pub(super) fn replace(handler: &Handler, row: &Architecture) -> String {
    if Platform::host().row().is_some_and(|host| is_own(host, row)) {
        return install(row);
    }
    let own = format!("as root: `mpcheck host install {}` puts another in its place", row.name);
    match docker(row) {
        Some(docker) => format!("{own}; or `{}`, then `{docker}`", remove(handler)),
        None => own,
    }
}

/// The command that removes a handler.
pub(super) fn remove(handler: &Handler) -> String {
    format!("echo -1 > {}", file(handler))
}

/// The command that switches a handler on.
pub(super) fn enable(handler: &Handler) -> String {
    format!("echo 1 > {}", file(handler))
}

/// A handler's file, quoted for a shell: its name is what somebody registered.
fn file(handler: &Handler) -> String {
    let path = format!("{MOUNT}/{}", handler.name);
    shlex::try_quote(&path).map_or_else(|_| format!("{MOUNT}/NAME"), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_named_for_what_it_has() {
        let hint = |name: &str| install(Architecture::by_name(name).unwrap());
        assert!(
            hint("s390x").starts_with("as root: `mpcheck host install s390x`; or as a user of Docker"),
            "{}",
            hint("s390x")
        );
        assert!(hint("s390x").contains("tonistiigi/binfmt --install s390x`"));
        assert!(hint("mips").contains("for good: `apt-get") && !hint("mips").contains("docker"), "{}", hint("mips"));
        let own = Platform::host();
        assert!(hint(own.architecture()).contains(&format!("`mpcheck host uninstall {}`", own.architecture())));
        assert!(OF_IMAGE.iter().all(|name| Architecture::by_name(name).is_some()));
    }
}
