//! Builders that build several platforms at once: the engine's own, and one in a container.

use super::super::fault::Doing;
use super::super::registry::obtain;
use super::super::step::{Ended, Stop, Work};
use super::{Rehearsal, archive, can_export, named, oci, shown};

/// BuildKit's image, which buildx takes for a builder in a container unless it is told another (docker/buildx,
/// `util/confutil` and `driver/bkimage`).
const BUILDKIT: &str = "moby/buildkit:buildx-stable-1";

impl Rehearsal<'_> {
    /// One build of all platforms with the engine's own builder, where its store allows it.
    pub(super) fn own_builder(&mut self) {
        let (name, title) = ("several", "Build all platforms at once with the engine's own builder");
        if let Err(why) = self.recorder.tools.builds_several() {
            return self.recorder.skip(name, title, None, &why);
        }
        let (tag, all, context) = (self.tag("several"), self.all(), shown(&self.site.context()));
        let (builder, file) = (self.recorder.tools.own_builder.clone(), self.site.file("several.tar"));
        let platforms = &self.plan.platforms;
        self.leftovers.image(&tag);
        let worked = self.recorder.step(name, title, None, |work| {
            let mut words = vec!["buildx", "build", "--builder", &builder, "--platform", &all];
            let output = oci(&file);
            let exports = can_export(work.tools, platforms);
            words.extend(if exports { ["--tag", &tag] } else { ["--output", &output] });
            words.push(&context);
            work.must(Doing::Build, None, &words)?;
            let made =
                if exports { named(format!("docker-daemon:{tag}"), platforms)? } else { archive(&file, platforms) };
            Ok(work.passes(&made)?.1)
        });
        if worked {
            self.several = Some((builder, false));
        }
    }

    /// A builder in a container of its own; or the one that the user names.
    pub(super) fn container_builder(&mut self) {
        let given = self.plan.builder.clone();
        let builder = given.clone().unwrap_or_else(|| self.site.name.clone());
        let (name, title) = match &given {
            Some(given) => ("builder", format!("Build all platforms at once with the builder {given}")),
            None => ("builder", "Make a builder in a container, and build all platforms at once with it".to_owned()),
        };
        if let Err(why) = &self.recorder.tools.buildx {
            return self.recorder.skip(name, &title, None, &format!("there is no buildx: {why}"));
        }
        let (all, context) = (self.all(), shown(&self.site.context()));
        let (file, leftovers, platforms) = (self.site.file("builder.tar"), &self.leftovers, &self.plan.platforms);
        let image = self.plan.buildkit.as_deref();
        let worked = self.recorder.step(name, &title, None, |work| {
            match given {
                Some(_) => drop(work.must(Doing::Builder, None, &["buildx", "inspect", "--bootstrap", &builder])?),
                None => {
                    obtain(work, image.unwrap_or(BUILDKIT), leftovers).map_err(Stop::Skipped)?;
                    leftovers.builder(&builder);
                    create(work, &builder, image)?;
                }
            }
            work.must(Doing::Builder, None, &["buildx", "ls"])?;
            let output = oci(&file);
            let words = ["buildx", "build", "--builder", &builder, "--platform", &all, "--output", &output, &context];
            work.must(Doing::Build, None, &words)?;
            Ok(work.passes(&archive(&file, platforms))?.1)
        });
        if worked && (self.several.is_none() || self.plan.builder.is_some()) {
            let made = self.plan.builder.is_none();
            self.several = Some((builder, made));
        }
    }

    /// The builder that was made goes, and is really gone.
    pub(super) fn remove_builder(&mut self) {
        let was_made = self.recorder.steps.iter().any(|step| {
            step.name == "builder" && step.commands.iter().any(|command| command.line.contains(" buildx create "))
        });
        if !was_made {
            return;
        }
        let (builder, leftovers) = (self.site.name.clone(), &self.leftovers);
        self.recorder.step("builder/remove", "Remove the builder", None, |work| -> Ended {
            work.must(Doing::Builder, None, &["buildx", "rm", "--force", &builder])?;
            leftovers.builder_gone(&builder);
            Ok(None)
        });
    }
}

fn create(work: &mut Work<'_>, builder: &str, image: Option<&str>) -> Result<(), Stop> {
    // The host's network, so that it reaches a registry on loopback.
    let mut words = vec!["buildx", "create", "--name", builder, "--driver", "docker-container", "--driver-opt"];
    let options = image.map_or_else(|| "network=host".to_owned(), |image| format!("network=host,image={image}"));
    words.extend([options.as_str(), "--bootstrap"]);
    work.must(Doing::Builder, None, &words).map(drop)
}
