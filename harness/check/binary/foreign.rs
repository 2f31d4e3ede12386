//! `binary/foreign-architecture` and `binary/emulator-left-behind`.

use super::cause::{self, Census};
use super::judge::{Code, Fit, judge};
use super::reach::Reach;
use super::{Subject, place};
use crate::binary::{Content, ElfKind};
use crate::check::draft::{Draft, shown_path};
use crate::check::listing::Listing;
use crate::check::policy::Policy;
use crate::check::rule;
use crate::image::rootfs::{Node, NodeKind};
use crate::platform::ARCHITECTURES;
use mpcheck_reports::{Finding, Severity};

const USE_TARGETARCH: &str = "build or download it for the target: use ARG TARGETARCH (and TARGETVARIANT) in place of a fixed architecture, and keep --platform=$BUILDPLATFORM out of the last stage";

/// Adds all findings of both rules.
pub(super) fn findings(
    subject: &Subject<'_>,
    reach: &Reach,
    all: &[Subject<'_>],
    policy: &Policy,
    found: &mut Listing,
) {
    let census = Census::of(subject);
    let about = About { subject, reach, census: &census, all, policy };
    for (path, node) in subject.rootfs.iter() {
        let NodeKind::File(Some(content)) = node.kind else { continue };
        if is_emulator(path, content) {
            found.push(emulator(subject, path, node, content));
            continue;
        }
        let finding = match judge(content, &subject.platform.platform) {
            Fit::Foreign(code) => about.foreign(path, node, content, &code),
            // Windows on Arm emulates x86 for old programs; an image whose own program needs that is a mistake.
            Fit::Compatible(code) if is_emulated_by_windows(subject) && reach.way(path).is_some() => {
                about.foreign(path, node, content, &code)
            }
            Fit::Compatible(code) => compatible(subject, path, node, &code, reach),
            Fit::Native | Fit::Portable | Fit::Unknown => continue,
        };
        found.push(finding);
    }
}

/// A file's code, where the platform cannot execute it and it is no emulator.
pub(super) fn foreign_code<'a>(subject: &Subject<'_>, path: &[u8], node: &Node<'a>) -> Option<(&'a Content, Code)> {
    let NodeKind::File(Some(content)) = node.kind else { return None };
    match judge(content, &subject.platform.platform) {
        Fit::Foreign(code) if !is_emulator(path, content) => Some((content, code)),
        _ => None,
    }
}

/// What a finding draws on besides the file.
struct About<'a> {
    subject: &'a Subject<'a>,
    reach: &'a Reach,
    census: &'a Census,
    all: &'a [Subject<'a>],
    policy: &'a Policy,
}

impl About<'_> {
    fn foreign(&self, path: &[u8], node: &Node<'_>, content: &Content, code: &Code) -> Finding {
        let platform = self.subject.platform;
        // Objects and memory dumps are started by nobody, whatever directory they lie in.
        let startable =
            !matches!(content, Content::Elf(elf) if matches!(elf.kind, ElfKind::Relocatable | ElfKind::Core));
        let way = self.reach.way(path).filter(|_| startable);
        let allowed = self.policy.allows(path, code.architecture);
        let explained = if way.is_some() { None } else { place::explanation(path, content, &platform.platform) };
        let shown = shown_path(path);
        let message = match (allowed, &explained) {
            (Some(allowed), _) => format!("{shown} is for {}, which is allowed: {}", code.name, allowed.reason),
            (None, Some(why)) => format!("{shown} is for {}, which its place explains: {why}", code.name),
            (None, None) => format!("{shown} is for {}, the platform is {}", code.name, platform.platform),
        };
        let is_meant = allowed.is_some() || explained.is_some();
        let hint = match (is_meant, code.same_os) {
            (true, _) => "nothing to do if it is meant to be there".to_owned(),
            (false, true) => USE_TARGETARCH.to_owned(),
            (false, false) => format!(
                "it was built or installed on another system: build or install it inside the image's build for {}, and keep the host's files out with .dockerignore",
                platform.platform
            ),
        };
        let draft = Draft::new(&rule::FOREIGN_ARCHITECTURE, message, hint)
            .severity(if is_meant { Severity::Note } else { Severity::Error })
            .on(platform)
            .path(path)
            .layer(platform, node.layer)
            .instead(platform.platform.to_string(), code.name.clone())
            .reached_by(way.map(|way| way.text.clone()));
        let cause = (!is_meant).then(|| cause::of(self.subject, node, content, code, self.census, self.all)).flatten();
        draft.cause(cause).done()
    }
}

fn is_emulated_by_windows(subject: &Subject<'_>) -> bool {
    subject.platform.platform.os() == "windows" && subject.platform.platform.architecture() == "arm64"
}

fn compatible(subject: &Subject<'_>, path: &[u8], node: &Node<'_>, code: &Code, reach: &Reach) -> Finding {
    let platform = subject.platform;
    let message = format!(
        "{} is for {}, which {} machines usually run as well",
        shown_path(path),
        code.name,
        platform.platform.architecture()
    );
    let hint = "nothing to do if it is meant; some machines and sandboxes run 64-bit code only";
    Draft::new(&rule::FOREIGN_ARCHITECTURE, message, hint)
        .severity(Severity::Note)
        .on(platform)
        .path(path)
        .layer(platform, node.layer)
        .instead(platform.platform.to_string(), code.name.clone())
        .reached_by(reach.way(path).map(|way| way.text.clone()))
        .done()
}

/// Whether this is a qemu-user: by a string that only it has, or by its name.
pub(super) fn is_emulator(path: &[u8], content: &Content) -> bool {
    let Content::Elf(elf) = content else { return false };
    if elf.is_qemu_user {
        return true;
    }
    let name = path.rsplit(|&b| b == b'/').next().unwrap_or_default();
    let Some(guest) = name.strip_prefix(b"qemu-") else { return false };
    let guest = guest.strip_suffix(b"-static").unwrap_or(guest);
    ARCHITECTURES.iter().filter_map(|row| row.emulator.as_ref()).any(|emulator| emulator.name.as_bytes() == guest)
}

fn emulator(subject: &Subject<'_>, path: &[u8], node: &Node<'_>, content: &Content) -> Finding {
    let code = match judge(content, &subject.platform.platform) {
        Fit::Foreign(code) | Fit::Compatible(code) => code.name,
        Fit::Native | Fit::Portable | Fit::Unknown => subject.platform.platform.to_string(),
    };
    let message = format!("{} is a qemu-user emulator, which an image needs for nothing", shown_path(path));
    let hint = "leave away the COPY of qemu-*-static: emulators belong to the machine that builds (`docker run --privileged --rm tonistiigi/binfmt --install all`)";
    Draft::new(&rule::EMULATOR_LEFT_BEHIND, message, hint)
        .on(subject.platform)
        .path(path)
        .layer(subject.platform, node.layer)
        .observed(format!("a program for {code}"))
        .done()
}
