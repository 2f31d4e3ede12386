//! Emulators whose version is known to crash.

/// Versions with one fault.
#[derive(Debug)]
pub(super) struct Known {
    major: u32,
    minor: u32,
    /// One patch level; all of them where there is none.
    patch: Option<u32>,
    /// What goes wrong.
    pub(super) what: &'static str,
    /// Where that was reported.
    pub(super) report: &'static str,
}

/// Taken from reports of many users, not of one.
const KNOWN: [Known; 4] = [
    Known {
        major: 6,
        minor: 2,
        patch: None,
        what: "programs end by SIGSEGV now and then, that of Ubuntu 22.04 too",
        report: "https://github.com/commaai/agnos-builder/pull/468",
    },
    Known {
        major: 7,
        minor: 0,
        patch: Some(0),
        what: "programs end by SIGSEGV on newer kernels",
        report: "https://github.com/tonistiigi/binfmt/issues/240",
    },
    Known {
        major: 9,
        minor: 2,
        patch: Some(0),
        what: "installing libc-bin ends by SIGSEGV",
        report: "https://github.com/docker/setup-qemu-action/issues/198",
    },
    Known {
        major: 9,
        minor: 2,
        patch: Some(2),
        what: "programs end by SIGSEGV now and then",
        report: "https://github.com/tonistiigi/binfmt/issues/245",
    },
];

/// What is known of an emulator, given as it says its name: `qemu-arm 9.2.2 (Debian ..)`.
pub(super) fn known(version: &str) -> Option<&'static Known> {
    let number = version.strip_prefix("qemu-")?.split_whitespace().nth(1)?;
    let digits: String = number.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let mut parts = digits.split('.').map(|part| part.parse::<u32>().ok());
    let (major, minor, patch) = (parts.next()??, parts.next()??, parts.next().flatten());
    KNOWN.iter().find(|known| {
        known.major == major && known.minor == minor && known.patch.is_none_or(|only| patch == Some(only))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("qemu-arm 6.2.0 (Debian 1:6.2+dfsg-2ubuntu6)", true)]
    #[case("qemu-aarch64 7.0.0 (Debian)", true)]
    #[case("qemu-aarch64 7.0.1", false)]
    #[case("qemu-aarch64 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)", false)]
    #[case("qemu-aarch64 9.2.0", true)]
    #[case("qemu-aarch64 9.2.2", true)]
    #[case("qemu-aarch64 9.2.3", false)]
    #[case("qemu-aarch64 10.2.3", false)]
    #[case("FEX 7.0.0", false)]
    #[case("qemu-aarch64", false)]
    #[case("qemu-aarch64 99999999999999999999.2", false)]
    #[case("", false)]
    fn versions_are_compared_by_number(#[case] version: &str, #[case] bad: bool) {
        assert_eq!(known(version).is_some(), bad);
    }
}
