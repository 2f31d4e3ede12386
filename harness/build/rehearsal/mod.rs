//! The rehearsal: each way to build and publish for several platforms, done once with the host's own tools.
//!
//! What is done is what a person would do by hand, so each command can be repeated; what comes out is looked at by
//! the checks. Everything carries one name of its own and is removed afterwards.

mod builder;
mod cross;
mod emulated;
mod joined;
mod publish;

use super::context::{self, Base};
use super::registry::Registry;
use super::site::{Leftovers, Site};
use super::step::{Content, Inspector, Made, Recorder, Step};
use super::tools::Tools;
use crate::image::reference::{ArchiveForm, Location};
use crate::image::source::Store;
use crate::platform::Platform;
use std::io;
use std::path::Path;

/// What is to be rehearsed.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The platforms, at least one.
    pub platforms: Vec<Platform>,
    /// The base image, instead of none.
    pub base: Option<String>,
    /// A builder that is there, instead of one that is made.
    pub builder: Option<String>,
    /// The image of BuildKit for the builder that is made, instead of buildx's own.
    pub buildkit: Option<String>,
    /// Whether registries may be spoken to without TLS, or with a certificate that nobody knows.
    pub insecure: bool,
    /// A repository that may be pushed to, `HOST/NAME`, instead of a registry that is started.
    pub registry: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsed {
    /// The steps, as they were done.
    pub steps: Vec<Step>,
    /// What could not be removed: the commands that remove it, or names in a registry.
    pub left: Vec<String>,
}

impl Plan {
    /// The platforms of the plan that no rehearsal is possible for: there is no program to show it with.
    #[must_use]
    pub fn impossible(&self) -> Vec<&Platform> {
        self.platforms.iter().filter(|platform| !context::has_program(platform)).collect()
    }
}

/// Rehearses. `watch` is told of each step before it is begun.
///
/// # Errors
/// When the files of the builds cannot be written.
pub fn rehearse(
    tools: &Tools,
    site: &Site,
    plan: &Plan,
    inspector: &dyn Inspector,
    watch: &dyn Fn(&str),
) -> io::Result<Rehearsed> {
    let base = plan.base.as_deref().map_or(Base::Scratch, Base::Image);
    context::write(&site.context(), base, &site.name)?;
    let logs = site.logs();
    let leftovers = Leftovers::new(tools);
    let recorder = Recorder::new(tools, inspector, watch, &logs, leftovers.list());
    let mut rehearsal = Rehearsal {
        recorder,
        site,
        plan,
        base,
        leftovers,
        several: None,
        registry: None,
        pushed: Vec::new(),
        published: Vec::new(),
    };
    rehearsal.tools();
    rehearsal.emulated();
    rehearsal.own_builder();
    rehearsal.container_builder();
    rehearsal.cross();
    rehearsal.publish();
    rehearsal.joined();
    rehearsal.compare();
    rehearsal.remove_builder();
    let Rehearsal { recorder, leftovers, registry, .. } = rehearsal;
    let sent = leftovers.all_sent();
    let mut left = leftovers.remove();
    if registry.is_some_and(|registry| registry.is_users) {
        left.extend(sent.into_iter().map(|name| format!("{name} in the registry")));
    }
    Ok(Rehearsed { steps: recorder.steps, left })
}

/// A rehearsal that is going on.
struct Rehearsal<'a> {
    recorder: Recorder<'a>,
    site: &'a Site,
    plan: &'a Plan,
    base: Base<'a>,
    leftovers: Leftovers,
    /// The builder that builds several platforms at once, and whether it was made here; `None` until one did.
    several: Option<(String, bool)>,
    registry: Option<Registry>,
    /// Which images of one platform each were all pushed, by the beginning of their tags.
    pushed: Vec<&'static str>,
    /// What was published, by its tag, with its programs.
    published: Vec<(String, Content)>,
}

impl Rehearsal<'_> {
    /// The tools stand first, so that every report says what it is about.
    fn tools(&mut self) {
        let told = self.recorder.tools.told();
        self.recorder.step("tools", "Find docker, its engine and buildx", None, |_| Ok(Some(told)));
    }

    /// The name of an image in the engine.
    fn tag(&self, what: &str) -> String {
        format!("{}:{what}", self.site.name)
    }

    /// All platforms, as buildx takes them.
    fn all(&self) -> String {
        self.plan.platforms.iter().map(Platform::specifier).collect::<Vec<_>>().join(",")
    }

    fn foreign(&self) -> impl Iterator<Item = &Platform> {
        let native = self.recorder.tools.native.row();
        self.plan.platforms.iter().filter(move |platform| {
            let row = platform.row();
            !native.zip(row).is_some_and(|(native, row)| native.executes(row))
        })
    }

    /// The words of `docker build` for one platform, by which the result comes into the engine.
    fn build_one(&self, platform: &Platform, more: &[&str], tag: &str) -> Vec<String> {
        let tools = self.recorder.tools;
        let mut words = vec!["build".to_owned()];
        match &tools.buildkit {
            // Another current builder keeps what it builds to itself.
            Ok(()) if tools.driver.as_deref() != Some("docker") => {
                words.extend(["--builder".to_owned(), tools.own_builder.clone()]);
            }
            Ok(()) => {}
            // The old builder knows no platform's ARGs.
            Err(_) => {
                let file = self.site.context().join(context::without_arguments(platform.architecture()));
                words.extend(["--force-rm".to_owned(), "--file".to_owned(), shown(&file)]);
            }
        }
        words.extend(["--platform".to_owned(), platform.specifier()]);
        words.extend(more.iter().map(|word| (*word).to_owned()));
        words.extend(["--tag".to_owned(), tag.to_owned(), shown(&self.site.context())]);
        words
    }
}

/// `arm64`, `arm-v7`: a platform in a tag.
fn slug(platform: &Platform) -> String {
    let text = platform.specifier();
    text.strip_prefix("linux/").unwrap_or(&text).replace('/', "-")
}

/// Where a build writes its image.
fn oci(path: &Path) -> String {
    super::own::exporter("oci", path)
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// An OCI archive that a build wrote.
fn archive(path: &Path, platforms: &[Platform]) -> Made {
    Made {
        reference: format!("oci-archive:{}", path.display()),
        location: Location::Archive { path: path.to_owned(), form: ArchiveForm::Oci, selector: None },
        platforms: platforms.to_vec(),
    }
}

/// An image by its name, as it would be given to a check.
fn named(reference: String, platforms: &[Platform]) -> Result<Made, super::step::Stop> {
    let undecided = |error: crate::image::reference::ReferenceError| {
        super::step::Stop::Undecided(format!("{reference} is no image's name: {error}"))
    };
    let location = Location::parse(&reference).map_err(undecided)?;
    Ok(Made { reference, location, platforms: platforms.to_vec() })
}

/// Whether the engine gives away a whole image: one of several platforms only with its own machine's among them.
fn can_export(tools: &Tools, platforms: &[Platform]) -> bool {
    tools.store != Store::Containerd || platforms.iter().any(|platform| platform.satisfies(&tools.native))
}
