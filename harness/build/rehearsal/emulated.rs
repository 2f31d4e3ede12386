//! One build for each platform, with a RUN step that is emulated, and a run of what came out.

use super::super::context::Base;
use super::super::fault::{Cause, Doing, Fault};
use super::super::step::{Ended, Stop, Work};
use super::{Rehearsal, slug};
use crate::image::reference::name::shown as quoted;
use crate::image::source::Store;
use crate::platform::Platform;

impl Rehearsal<'_> {
    pub(super) fn emulated(&mut self) {
        for platform in &self.plan.platforms {
            let slug = slug(platform);
            let tag = self.tag(&format!("emulated-{slug}"));
            let words = self.build_one(platform, &[], &tag);
            let container = format!("{}-{slug}", self.site.name);
            self.leftovers.image(&tag);
            self.leftovers.container(&container);
            let base = self.base;
            let title = format!("Build for {platform} with a RUN step, and run what came out");
            self.recorder.step(&format!("emulated/{slug}"), &title, Some(platform), |work| {
                work.must(Doing::Build, Some(platform), &words)?;
                run(work, base, platform, &tag, &container)
            });
        }
    }
}

/// The image says which platform it is for, and its program which machine it is on.
fn run(work: &mut Work<'_>, base: Base<'_>, platform: &Platform, tag: &str, container: &str) -> Ended {
    let format = "{{.Os}}/{{.Architecture}}";
    let inspected = work.must(Doing::Run, Some(platform), &["image", "inspect", "--format", format, tag])?;
    let says = inspected.stdout.trim();
    if says != format!("{}/{}", platform.os(), platform.architecture()) {
        return Err(wrong(&inspected.line, platform, format!("the engine says that it is for {}", quoted(says))));
    }
    let (specifier, mut words) = (platform.specifier(), vec!["run", "--rm", "--name", container, "--network", "none"]);
    words.extend(["--platform", &specifier, tag]);
    words.extend(base.question());
    let done = work.docker(&words);
    if done.exit() != Some(base.exit()) {
        let ran = work.well(Doing::Run, Some(platform), done.clone());
        // The probe's own code is not 0, so 0 is wrong as well.
        return Err(ran.err().unwrap_or_else(|| wrong(&done.line, platform, "the probe did not answer".to_owned())));
    }
    let machine = done.stdout.lines().next().unwrap_or_default().trim();
    if !names(work.tools.native.row(), platform).any(|name| name == machine) {
        let said =
            format!("it says that it runs on {}", if machine.is_empty() { "nothing".into() } else { quoted(machine) });
        return Err(wrong(&done.line, platform, said));
    }
    let mut told = format!("uname -m: {}", quoted(machine));
    if base.exit() != 0 {
        told.push_str(&format!(" (the probe ends with {})", base.exit()));
    }
    if work.tools.store == Store::Classic {
        told.push_str("; the tag names the platform, since the classic image store keeps one for each tag");
    }
    Ok(Some(told))
}

/// What `uname -m` may say: under an emulator, or where the processor is the platform's own.
fn names(
    native: Option<&'static crate::platform::Architecture>,
    platform: &Platform,
) -> impl Iterator<Item = &'static str> {
    let row = platform.row();
    let own = native.zip(row).is_some_and(|(native, row)| native.executes(row));
    let uname = row.map(|row| row.uname(platform.variant()));
    let emulated = uname.filter(|_| !own).map_or(&[][..], |uname| uname.emulated);
    let (of_kernel, linux32) = uname.map_or((&[][..], &[][..]), |uname| (uname.native, uname.linux32));
    emulated.iter().chain(of_kernel).chain(linux32).copied()
}

fn wrong(line: &str, platform: &Platform, said: String) -> Stop {
    Stop::Failed(Box::new(Fault {
        doing: Doing::Run,
        cause: Cause::WrongMachine,
        platform: Some(platform.clone()),
        line: line.to_owned(),
        ended: said,
        instruction: None,
        said: String::new(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("linux/amd64", "linux/arm64", "aarch64", true)]
    #[case("linux/amd64", "linux/arm64", "x86_64", false)]
    #[case("linux/amd64", "linux/amd64", "x86_64", true)]
    #[case("linux/amd64", "linux/amd64", "aarch64", false)]
    #[case("linux/arm64", "linux/amd64", "x86_64", true)]
    #[case("linux/arm64", "linux/amd64", "aarch64", false)]
    #[case("linux/amd64", "linux/arm/v7", "armv7l", true)]
    #[case("linux/amd64", "linux/386", "x86_64", true)]
    fn a_machine_has_its_names(#[case] native: &str, #[case] platform: &str, #[case] said: &str, #[case] right: bool) {
        let [native, platform] = [native, platform].map(|text| Platform::parse(text).unwrap());
        assert_eq!(names(native.row(), &platform).any(|name| name == said), right);
    }
}
