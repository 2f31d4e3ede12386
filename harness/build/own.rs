//! Somebody's own Dockerfile, built for several platforms so that what comes out can be checked.

use super::fault::Doing;
use super::site::{Leftovers, Site};
use super::step::{Inspected, Inspector, Made, Recorder, Step};
use super::tools::{Tools, driver};
use crate::image::reference::{ArchiveForm, Location};
use crate::image::source::Store;
use crate::platform::Platform;
use std::path::{Path, PathBuf};

/// What is to be built.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The directory, or the address of a repository, as `docker build` takes it.
    pub context: String,
    /// The Dockerfile, if it is not `Dockerfile` in the context.
    pub dockerfile: Option<PathBuf>,
    /// The platforms, at least one.
    pub platforms: Vec<Platform>,
    /// Values of ARGs, each `NAME=VALUE` or `NAME`.
    pub build_args: Vec<String>,
    /// The stage, if it is not the last one.
    pub target: Option<String>,
    /// The builder, if it is not the current one.
    pub builder: Option<String>,
    /// Further options of `docker buildx build`.
    pub more: Vec<String>,
    /// Where the image is kept, as an OCI archive.
    pub output: Option<PathBuf>,
}

/// What was built.
#[derive(Debug)]
pub struct Built {
    /// The steps, as they were done.
    pub steps: Vec<Step>,
    /// The image of all platforms; or one of each, where no builder makes them at once. Fewer, or none, where a build failed.
    pub images: Vec<Made>,
    leftovers: Leftovers,
}

impl Built {
    /// Removes what is in the engine now that everything was looked at, and says what could not be removed.
    #[must_use]
    pub fn remove(self) -> Vec<String> {
        self.leftovers.remove()
    }
}

/// Builds. `watch` is told of each step before it is begun.
#[must_use]
pub fn build(tools: &Tools, site: &Site, request: &Request, watch: &dyn Fn(&str)) -> Built {
    let logs = site.logs();
    let leftovers = Leftovers::new(tools);
    let mut recorder = Recorder::new(tools, &Nobody, watch, &logs, leftovers.list());
    let images = match one_at_a_time(tools, site, request) {
        None => at_once(&mut recorder, site, request),
        Some(why) => each(&mut recorder, site, request, &leftovers, &why),
    };
    Built { steps: recorder.steps, images, leftovers }
}

/// The value of `--output`: attributes as CSV, in which a path may have a comma (docker/buildx, `util/buildflags`).
pub(super) fn exporter(kind: &str, path: &Path) -> String {
    let path = path.to_string_lossy();
    if path.contains([',', '"']) {
        return format!("type={kind},\"dest={}\"", path.replace('"', "\"\""));
    }
    format!("type={kind},dest={path}")
}

/// Nothing is looked at while it is built.
struct Nobody;

impl Inspector for Nobody {
    fn inspect(&self, _: &Made, _: bool) -> Inspected {
        Inspected::default()
    }
}

/// Why no builder makes one image of all platforms, so that each is built by itself and no archive can be kept; `None` where
/// one does.
#[must_use]
pub fn one_at_a_time(tools: &Tools, site: &Site, request: &Request) -> Option<String> {
    if let Err(why) = &tools.buildx {
        return Some(format!("there is no buildx: {why}"));
    }
    let of_builder = match &request.builder {
        None => tools.driver.clone(),
        Some(name) => {
            let path = site.logs().join("00-builder.log");
            // It may be asked twice.
            let _ = std::fs::remove_file(&path);
            let log = super::command::Log::new(&path).ok()?;
            driver(&log.run(&tools.docker(&["buildx", "inspect", name])))
        }
    };
    let is_own = of_builder.as_deref() == Some("docker");
    (is_own && tools.store != Store::Containerd)
        .then(|| "the engine's own builder writes no image of several platforms with this image store".to_owned())
}

/// One build, into an OCI archive.
fn at_once(recorder: &mut Recorder<'_>, site: &Site, request: &Request) -> Vec<Made> {
    let path = request.output.clone().unwrap_or_else(|| site.file("image.tar"));
    let platforms: Vec<String> = request.platforms.iter().map(Platform::specifier).collect();
    let mut words = vec!["buildx".to_owned(), "build".to_owned()];
    words.extend(request.words());
    words.extend(["--platform".to_owned(), platforms.join(",")]);
    words.extend(["--output".to_owned(), exporter("oci", &path), request.context.clone()]);
    let worked = recorder.step("build", "Build all platforms at once", None, |work| {
        work.must(Doing::Build, None, &words)?;
        Ok(None)
    });
    let location = Location::Archive { path: path.clone(), form: ArchiveForm::Oci, selector: None };
    let made = Made { reference: request.name(), location, platforms: request.platforms.clone() };
    worked.then_some(made).into_iter().collect()
}

/// A build for each, into the engine.
fn each(recorder: &mut Recorder<'_>, site: &Site, request: &Request, leftovers: &Leftovers, why: &str) -> Vec<Made> {
    let mut images = Vec::new();
    for platform in &request.platforms {
        let specifier = platform.specifier();
        let slug = specifier.trim_start_matches("linux/").replace('/', "-");
        let tag = format!("{}:{slug}", site.name);
        leftovers.image(&tag);
        let mut words = vec!["build".to_owned()];
        words.extend(recorder.tools.buildkit.is_err().then(|| "--force-rm".to_owned()));
        words.extend(request.words());
        words.extend(["--platform".to_owned(), specifier, "--tag".to_owned(), tag.clone(), request.context.clone()]);
        let worked = recorder.step(&format!("build/{slug}"), &format!("Build {platform}"), Some(platform), |work| {
            work.must(Doing::Build, Some(platform), &words)?;
            Ok(Some(format!("by itself: {why}; platforms are not compared with each other")))
        });
        if let (true, Ok(location)) = (worked, Location::parse(&format!("docker-daemon:{tag}"))) {
            let reference = format!("{} for {platform}", request.name());
            images.push(Made { reference, location, platforms: vec![platform.clone()] });
        }
    }
    images
}

impl Request {
    /// What the image is called in reports.
    fn name(&self) -> String {
        match &self.output {
            Some(path) => format!("oci-archive:{}", path.display()),
            None => match &self.dockerfile {
                Some(path) => format!("the build of {}", path.display()),
                None => format!("the build of {}", self.context),
            },
        }
    }

    /// The options that do not depend on how it is built.
    fn words(&self) -> Vec<String> {
        let option = |name: &str, value: &str| [name.to_owned(), value.to_owned()];
        let mut words = Vec::new();
        words.extend(self.builder.iter().flat_map(|name| option("--builder", name)));
        words.extend(self.dockerfile.iter().flat_map(|path| option("--file", &path.to_string_lossy())));
        words.extend(self.target.iter().flat_map(|target| option("--target", target)));
        words.extend(self.build_args.iter().flat_map(|argument| option("--build-arg", argument)));
        words.extend(self.more.iter().cloned());
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("/tmp/a b.tar", "type=oci,dest=/tmp/a b.tar")]
    #[case("/tmp/a,push=true.tar", "type=oci,\"dest=/tmp/a,push=true.tar\"")]
    #[case("/tmp/a\"b,c.tar", "type=oci,\"dest=/tmp/a\"\"b,c.tar\"")]
    fn a_path_with_a_comma_stays_one_value(#[case] path: &str, #[case] value: &str) {
        assert_eq!(exporter("oci", Path::new(path)), value);
    }
}
