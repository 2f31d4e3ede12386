//! The commands that mend a host.

use crate::host::binfmt::{Handler, MOUNT};
use crate::platform::Architecture;

/// The architectures that the image tonistiigi/binfmt has emulators for (`configs` in its `cmd/binfmt/config.go`).
const OF_IMAGE: [&str; 10] =
    ["386", "amd64", "arm", "arm64", "loong64", "mips64", "mips64le", "ppc64le", "riscv64", "s390x"];

/// Registers a static emulator for an architecture.
pub(super) fn install(row: &Architecture) -> String {
    let package = "as root, for good: `apt-get install qemu-user-static` on Debian and Ubuntu, `dnf install \
                   qemu-user-static` on Fedora";
    if !OF_IMAGE.contains(&row.name) {
        return package.to_owned();
    }
    format!(
        "as root, or a user of Docker: `docker run --privileged --rm tonistiigi/binfmt --install {}`, until the next boot; \
         or {package}",
        row.name
    )
}

/// Registers a static emulator on the host of an engine, which may be another machine.
pub(super) fn install_in_engine(address: &str, row: &Architecture) -> String {
    if !OF_IMAGE.contains(&row.name) {
        return "as root on the engine's machine: install a static emulator with a handler that has the flag F \
                (`apt-get install qemu-user-static`)"
            .to_owned();
    }
    let address = shlex::try_quote(address).map_or_else(|_| "ADDRESS".to_owned(), std::borrow::Cow::into_owned);
    format!(
        "as a user of that engine (no root is needed here): `docker --host {address} run --privileged --rm \
         tonistiigi/binfmt --install {}`, until its machine's next boot",
        row.name
    )
}

/// Removes a handler and registers a static emulator instead, with the flags F, C and P as they fit.
pub(super) fn replace(handler: &Handler, row: &Architecture) -> String {
    format!("as root: `{}`; then {}", remove(handler), install(row))
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
        assert!(hint("arm64").contains("tonistiigi/binfmt --install arm64`"));
        assert!(hint("mips").starts_with("as root, for good: `apt-get"), "{}", hint("mips"));
        assert!(OF_IMAGE.iter().all(|name| Architecture::by_name(name).is_some()));
    }
}
