//! The kernel, its pages, and the container around, if there is one.

use crate::image::reference::name::shown;
use std::path::Path;

/// What is known of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// The kernel's release: `6.12.9-amd64`.
    pub kernel: String,
    /// The kernel's machine, as `uname -m` says it.
    pub machine: String,
    /// The size of a page of memory in bytes.
    pub page_size: u64,
    /// The container that this runs in, in a word, where one can be seen.
    pub container: Option<String>,
}

impl System {
    /// Asks the kernel.
    #[must_use]
    pub fn read() -> Self {
        let names = rustix::system::uname();
        Self {
            kernel: names.release().to_string_lossy().into_owned(),
            machine: names.machine().to_string_lossy().into_owned(),
            page_size: rustix::param::page_size() as u64,
            container: container(&|path| Path::new(path).exists(), &|name| std::env::var(name).ok()),
        }
    }

    /// Whether it is Windows' Linux, where ending a distribution clears the handlers of all.
    #[must_use]
    pub fn is_wsl(&self) -> bool {
        self.kernel.to_lowercase().contains("microsoft")
    }
}

/// The signs that engines leave in their containers; systemd's word for the rest (`$container`, systemd.exec(5)).
fn container(exists: &dyn Fn(&str) -> bool, variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let word = |name: &str| variable(name).filter(|value| !value.is_empty());
    if exists("/.dockerenv") {
        return Some("docker".to_owned());
    }
    if exists("/run/.containerenv") {
        return Some("podman".to_owned());
    }
    word("KUBERNETES_SERVICE_HOST")
        .map(|_| "kubernetes".to_owned())
        .or_else(|| word("container").map(|word| shown(&word)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("", "", None)]
    #[case("/.dockerenv", "", Some("docker"))]
    #[case("/run/.containerenv", "container", Some("podman"))]
    #[case("", "KUBERNETES_SERVICE_HOST", Some("kubernetes"))]
    #[case("", "container", Some("lxc"))]
    fn a_container_is_seen_by_its_signs(#[case] file: &str, #[case] name: &str, #[case] wanted: Option<&str>) {
        let found = container(&|path| path == file, &|asked| (asked == name).then(|| "lxc".to_owned()));
        assert_eq!(found.as_deref(), wanted);
    }

    #[test]
    fn the_kernel_says_something() {
        let system = System::read();
        assert!(!system.kernel.is_empty() && !system.machine.is_empty() && system.page_size.is_power_of_two());
    }
}
