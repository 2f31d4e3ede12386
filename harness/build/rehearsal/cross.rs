//! Cross compilation: built on the machine's own platform for the others, which needs no emulator; and the twin with
//! the mistake that ships one platform's programs under another's name.

use super::super::context::{CROSS, TWIN};
use super::super::fault::Doing;
use super::super::step::{Inspected, Made, Stop, Work};
use super::{Rehearsal, archive, named, oci, shown, slug};
use crate::platform::Platform;

/// The rules of which one must be broken by the twin.
const FOUND_BY: [&str; 2] = ["binary/foreign-architecture", "manifest/config-mismatch"];

impl Rehearsal<'_> {
    pub(super) fn cross(&mut self) {
        let right = "Cross-compile on the build platform, with FROM --platform=$BUILDPLATFORM and TARGETARCH";
        let twin = "Find the mistake: a last stage that is pinned to the build platform";
        let foreign: Vec<Platform> = self.foreign().cloned().collect();
        if let Err(why) = &self.recorder.tools.buildx {
            let why = format!("it needs BuildKit, and there is no buildx: {why}");
            self.recorder.skip("cross/right", right, None, &why);
            return self.recorder.skip("cross/twin", twin, None, &why);
        }
        let made = self.cross_images("right");
        let (context, several, own) = self.cross_where();
        self.recorder.step("cross/right", right, None, |work| {
            let mut told = None;
            for one in &made {
                build(work, CROSS, one, several.as_deref().unwrap_or(&own), &context)?;
                told = work.passes(&one.made)?.1.or(told);
            }
            Ok(told)
        });
        if foreign.is_empty() {
            let why = "no other platform than the engine's own is among those asked for";
            return self.recorder.skip("cross/twin", twin, None, why);
        }
        let made = self.cross_images("twin");
        self.recorder.step("cross/twin", twin, None, |work| {
            let mut found = Vec::new();
            for one in &made {
                build(work, TWIN, one, several.as_deref().unwrap_or(&own), &context)?;
                let inspected = work.inspect_wrong(&one.made);
                if let Some(why) = &inspected.undecided {
                    return Err(Stop::Undecided(format!("{}: {why}", one.made.reference)));
                }
                found.extend(found_in(&inspected, &foreign));
            }
            found.sort();
            found.dedup();
            if found.is_empty() {
                let why = "the checks of this program do not find the mistake in what these tools make of it";
                return Err(Stop::Undecided(why.to_owned()));
            }
            Ok(Some(format!("found, by {}", found.join(", "))))
        });
    }

    /// The context, the builder of several platforms if there is one, and the engine's own.
    fn cross_where(&self) -> (String, Option<String>, String) {
        let several = self.several.as_ref().map(|(builder, _)| builder.clone());
        (shown(&self.site.context()), several, self.recorder.tools.own_builder.clone())
    }

    /// One image of all platforms, or one of each where no builder makes it at once.
    fn cross_images(&self, what: &str) -> Vec<Cross> {
        let platforms = &self.plan.platforms;
        if self.several.is_some() {
            let path = self.site.file(&format!("cross-{what}.tar"));
            let output = vec!["--output".to_owned(), oci(&path)];
            return vec![Cross { made: archive(&path, platforms), output, platforms: self.all() }];
        }
        let one = |platform: &Platform| {
            let tag = self.tag(&format!("cross-{what}-{}", slug(platform)));
            self.leftovers.image(&tag);
            let made = named(format!("docker-daemon:{tag}"), std::slice::from_ref(platform)).ok()?;
            let output = ["--load", "--tag"].map(str::to_owned).into_iter().chain([tag]).collect();
            Some(Cross { made, output, platforms: platform.specifier() })
        };
        platforms.iter().filter_map(one).collect()
    }
}

/// An image to be cross-compiled, and where it goes.
struct Cross {
    made: Made,
    output: Vec<String>,
    platforms: String,
}

fn build(work: &mut Work<'_>, file: &str, cross: &Cross, builder: &str, context: &str) -> Result<(), Stop> {
    let file = format!("{context}/{file}");
    let mut words = vec!["buildx", "build", "--builder", builder, "--file", &file, "--platform", &cross.platforms];
    words.extend(cross.output.iter().map(String::as_str));
    words.push(context);
    work.must(Doing::Build, None, &words).map(drop)
}

/// The rules that found the mistake on a platform that is another than the build's.
fn found_in(inspected: &Inspected, foreign: &[Platform]) -> Vec<String> {
    let is_foreign = |on: &Option<String>| foreign.iter().any(|platform| Some(platform.to_string()) == *on);
    let found = inspected.broken.iter().filter(|(rule, on)| FOUND_BY.contains(&rule.as_str()) && is_foreign(on));
    found.map(|(rule, _)| rule.clone()).collect()
}
