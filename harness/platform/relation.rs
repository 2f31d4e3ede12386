//! The relations between platforms. Each has its truth table in the tests.

use super::Platform;
use super::architecture::Architecture;

impl Platform {
    /// Whether both say the same operating system, architecture and variant.
    ///
    /// The version and features of the operating system do not count: an index entry often has them where the
    /// config has not, and the other way round. `==` compares them too.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.os() == other.os() && self.architecture() == other.architecture() && self.variant() == other.variant()
    }

    /// Whether this, as an image offers it, is what was required: not only something that would run.
    ///
    /// The rule of containerd's `OnlyStrict`. `linux/amd64` does not satisfy `linux/amd64/v3`, nor the other
    /// way round, and `linux/386` does not satisfy `linux/amd64`. Where a requirement names a version of
    /// Windows, the offer's must be it or begin with its components, and an offer without a version counts
    /// as any; on other systems versions do not count. Features that the offer needs must have been named.
    #[must_use]
    pub fn satisfies(&self, required: &Self) -> bool {
        let version_fits = self.os() != "windows"
            || match (required.os_version(), self.os_version()) {
                (Some(required), Some(offered)) => begins_with_components(offered, required),
                (None, _) | (_, None) => true,
            };
        self.same_as(required) && version_fits && self.needs_no_more_than(required)
    }

    /// Whether machines that are this host run it without an emulator: the rule of containerd's `Only`.
    ///
    /// A host runs the lower variants of its architecture, and amd64 runs 386, arm64 runs arm. The last is
    /// what containerd says; whether a given CPU still has AArch32 is only known after trying.
    #[must_use]
    pub fn runs_on(&self, host: &Self) -> bool {
        self.os() == host.os()
            && (self.os() != "windows" || windows_runs(host.os_version(), self.os_version()))
            && self.needs_no_more_than(host)
            && self.instructions_run_on(host)
    }

    /// Whether every feature of the operating system that this needs is among the other's.
    ///
    /// `win32k` is there on every Windows but Nano Server, and no host names it, so it is not asked for.
    fn needs_no_more_than(&self, other: &Self) -> bool {
        self.os_features()
            .iter()
            .filter(|feature| self.os() != "windows" || *feature != "win32k")
            .all(|feature| other.os_features().contains(feature))
    }

    fn instructions_run_on(&self, host: &Self) -> bool {
        let Some(row) = host.row() else {
            return self.architecture() == host.architecture() && is_at_most(self.variant(), host.variant(), None);
        };
        if self.architecture() == "arm64" && host.architecture() == "arm64" {
            return arm64_is_at_most(self.variant(), host.variant());
        }
        if self.architecture() == host.architecture() {
            return variant_is_at_most(row, self.variant(), host.variant());
        }
        let executes = row.executes.iter().find(|executes| executes.architecture == self.architecture());
        match (executes, self.row()) {
            (Some(executes), Some(own)) if executes.variant.is_some() => {
                variant_is_at_most(own, self.variant(), executes.variant)
            }
            (Some(_), _) => true,
            (None, _) => false,
        }
    }
}

/// Whether a host with one variant of an architecture runs programs for another variant of it.
fn variant_is_at_most(row: &Architecture, variant: Option<&str>, host: Option<&str>) -> bool {
    let default = row.default_variant.name();
    is_at_most(variant.or(default), host.or(default), row.lowest_variant)
}

/// Whether variants with a number in them (`v3`, `power9`, `rva22u64`) are in order.
///
/// Both must be the same but for the number. No variant at all asks for nothing.
fn is_at_most(variant: Option<&str>, host: Option<&str>, lowest: Option<&str>) -> bool {
    let Some(variant) = variant else { return true };
    if host == Some(variant) {
        return true;
    }
    let (Some(wanted), Some(has)) = (Level::of(variant), host.and_then(Level::of)) else { return false };
    let is_low_enough = wanted.before == has.before && wanted.after == has.after && wanted.numbers <= has.numbers;
    is_low_enough && lowest.and_then(Level::of).is_none_or(|lowest| wanted.numbers >= lowest.numbers)
}

/// The same for arm64, where Armv9.N has all of Armv8.(N+5), and Armv8 ends with Armv8.9.
/// (Arm Architecture Reference Manual, "Architecture versions".)
fn arm64_is_at_most(variant: Option<&str>, host: Option<&str>) -> bool {
    let (variant, host) = (variant.unwrap_or("v8"), host.unwrap_or("v8"));
    if variant == host {
        return true;
    }
    let numbers = |name| match Level::of(name) {
        Some(Level { before: "v", numbers: (major, minor, 0), after: "" }) => Some((major, minor)),
        _ => None,
    };
    match (numbers(variant), numbers(host)) {
        (Some((8, minor)), Some((9, host))) => minor <= host.saturating_add(5).min(9),
        (Some((major, minor)), Some((host_major, host))) => major == host_major && minor <= host,
        _ => false,
    }
}

/// A name with a version of up to three numbers in it.
struct Level<'a> {
    before: &'a str,
    numbers: (u32, u32, u32),
    after: &'a str,
}

impl<'a> Level<'a> {
    /// Splits `rva22u64` into `rva`, 22 and `u64`, and `v8.1` into `v`, 8.1 and nothing.
    fn of(name: &'a str) -> Option<Self> {
        let (before, rest) = name.split_at_checked(name.find(|c: char| c.is_ascii_digit())?)?;
        let (major, mut after) = leading_number(rest)?;
        let mut next = || {
            let (number, rest) = after.strip_prefix('.').and_then(leading_number)?;
            after = rest;
            Some(number)
        };
        let minor = next();
        let patch = minor.and_then(|_| next());
        Some(Self { before, numbers: (major, minor.unwrap_or(0), patch.unwrap_or(0)), after })
    }
}

fn leading_number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, rest))
}

/// Whether a version is another one or goes on where that ends: 10.0.17763.1 begins with 10.0.17763.
fn begins_with_components(version: &str, start: &str) -> bool {
    version.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether a Windows host of one version runs containers of another, with process isolation.
///
/// Up to Windows Server 2022 (build 20348) the builds must be equal; from it on, hosts also run the builds
/// from 20348 to their own:
/// <https://learn.microsoft.com/virtualization/windowscontainers/deploy-containers/version-compatibility>
fn windows_runs(host: Option<&str>, image: Option<&str>) -> bool {
    const SERVER_2022: u32 = 20348;
    let build = |version| match Level::of(version) {
        Some(Level { before: "", numbers, .. }) => Some(numbers),
        _ => None,
    };
    let (Some(host), Some(image)) = (host, image) else { return true };
    let (Some(host), Some(image)) = (build(host), build(image)) else { return host == image };
    let lowest = if host.2 < SERVER_2022 { host.2 } else { SERVER_2022 };
    (host.0, host.1) == (image.0, image.1) && (lowest..=host.2).contains(&image.2)
}

#[cfg(test)]
#[path = "relation_tests.rs"]
mod tests;
