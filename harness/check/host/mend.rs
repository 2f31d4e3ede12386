//! The commands that mend a host.

use crate::host::binfmt::{Handler, MOUNT};
use crate::platform::Architecture;

/// Registers a static emulator for an architecture.
pub(super) fn install(row: &Architecture) -> String {
    format!(
        "as root, or a user of Docker: `docker run --privileged --rm tonistiigi/binfmt --install {}`, until the next boot; \
         or as root, for good: `apt-get install qemu-user-static` on Debian and Ubuntu, `dnf install qemu-user-static` on \
         Fedora",
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
