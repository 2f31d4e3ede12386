//! Builds: Dockerfiles, whose images are checked like any other, and rehearsals of the host.

use super::super::error::{Problem, shown};
use super::super::format::{Build, FailLevel, Settings};
use super::super::located::{At, Texts};
use super::super::name::{Wish, made_of};
use super::super::plan::{BUILD_TIMEOUT, BuildPlan, ImagePlan, RehearsalPlan};
use super::super::value::{self, Wrong};
use super::Resolver;
use super::image::{HOST, MAX_EXPANDED, weight};
use crate::build::own::Request;
use crate::build::rehearsal;
use crate::image::reference::{ImageName, Location};
use crate::run::choose::How;
use mpcheck_reports::FailOn;
use std::path::{Path, PathBuf};

/// What is built by the suite.
#[derive(Default)]
pub(super) struct Builds {
    /// Images that have to be built first.
    pub(super) images: Vec<ImagePlan>,
    pub(super) rehearsals: Vec<RehearsalPlan>,
}

/// The builds of a suite, which has these images and perhaps a host besides.
pub(super) fn builds(
    resolver: &mut Resolver<'_>,
    builds: Vec<At<Build>>,
    defaults: &Settings,
    images: &[ImagePlan],
    has_host: bool,
) -> Builds {
    if let Some(first) = builds.first().filter(|_| builds.len().saturating_mul(weight(defaults)) > MAX_EXPANDED) {
        let problem = Problem::new(
            resolver.file,
            "with the defaults that all builds have in common, this suite is too large",
            "make several files of it, each with a part of the builds",
        );
        resolver.problems.push(problem.at(first.place));
        return Builds::default();
    }
    let wishes: Vec<Wish> = builds.iter().map(|build| wish(resolver, build, images)).collect();
    let names = resolver.distinct("builds", &wishes, true);
    let mut found = Builds::default();
    for ((build, wish), name) in builds.into_iter().zip(&wishes).zip(names) {
        let place = wish.given.as_ref().map_or(wish.place, |given| given.place);
        if let Some(image) = images.iter().find(|image| image.name == name) {
            let message = format!("this build is called `{name}`, and so is the image in line {}", image.line);
            resolver.wrong(place, message, "give one of them another `name:`");
        }
        if has_host && name == HOST {
            let message = format!("no build can be called `{HOST}` here: the trials of `host:` are");
            resolver.wrong(place, message, "give it another `name:`");
        }
        let settings = build.value.settings(defaults);
        match &build.value.context {
            Some(context) => {
                resolver.not_of_own(&build.value);
                let plan = resolver.own(name, context, &build.value, &settings);
                found.images.push(plan);
            }
            None => {
                resolver.not_of_rehearsal(&build.value);
                let plan = resolver.rehearsal(name, &build, &settings);
                found.rehearsals.push(plan);
            }
        }
    }
    found
}

/// The name that a build wants: its own, or one that no image has.
fn wish(resolver: &mut Resolver<'_>, build: &At<Build>, images: &[ImagePlan]) -> Wish {
    let Build { context, target, .. } = &build.value;
    let base = context.as_ref().map_or_else(|| "rehearsal".to_owned(), |context| named_after(&context.value));
    let with_target = target.as_ref().map(|target| format!("{base}-{}", target.value));
    let made = [Some(base.clone()), with_target, Some(format!("{base}-build"))];
    let made: Vec<String> = made.into_iter().flatten().map(|name| made_of(&name)).collect();
    let free = made.iter().filter(|made| !images.iter().any(|image| image.name == **made)).cloned().collect();
    Wish {
        given: resolver.name(build.value.name.as_ref()),
        made: if made.is_empty() { made } else { free },
        place: context.as_ref().map_or(build.place, |context| context.place),
    }
}

/// The last part of a directory or an address that says something: `build` for the directory of the suite.
fn named_after(context: &str) -> String {
    let address = context.split(['#', '?']).next().unwrap_or_default().trim_end_matches('/');
    let last = address.rsplit('/').next().unwrap_or_default();
    let last = if is_address(context) { last.trim_end_matches(".git") } else { last };
    if matches!(last, "" | "." | "..") { "build".to_owned() } else { last.to_owned() }
}

/// Whether docker fetches the context by itself.
fn is_address(context: &str) -> bool {
    context.contains("://") || context.starts_with("git@") || context.starts_with("github.com/")
}

impl Resolver<'_> {
    /// Keys of a rehearsal, where a Dockerfile is built.
    fn not_of_own(&mut self, build: &Build) {
        for (key, text) in [("base", &build.base), ("buildkit", &build.buildkit), ("registry", &build.registry)] {
            if let Some(text) = text {
                let message = format!("`{key}` is for a rehearsal of the host, and this build has a `context`");
                self.wrong(text.place, message, "leave one of them out");
            }
        }
    }

    /// Keys of a build, where nothing is said to be built.
    fn not_of_rehearsal(&mut self, build: &Build) {
        let text = |text: &Option<At<String>>| text.as_ref().map(|text| text.place);
        let keys = [
            ("file", text(&build.file)),
            ("target", text(&build.target)),
            ("args", build.args.as_ref().and_then(|pairs| pairs.0.first()).map(|(key, _)| key.place)),
            ("options", build.options.as_ref().and_then(|words| words.first()).map(|word| word.place)),
            ("check-dockerfile", build.check_dockerfile.as_ref().map(|check| check.place)),
            ("allow-foreign", build.allow_foreign.as_ref().map(|allowed| allowed.place)),
            ("run", build.run.as_ref().map(|run| run.place)),
            ("files", build.files.as_ref().and_then(|files| files.first()).map(|file| file.path.place)),
            ("metadata", build.metadata.as_ref().map(|metadata| metadata.place)),
            ("structure", build.structure.as_ref().map(Texts::place)),
        ];
        for (key, place) in keys.into_iter().filter_map(|(key, place)| Some((key, place?))) {
            let message = format!("`{key}` is for a build with a `context`; without one, the host is rehearsed");
            self.wrong(place, message, format!("add `context: DIRECTORY`, or leave `{key}` out"));
        }
    }

    fn own(&mut self, name: String, context: &At<String>, build: &Build, settings: &Settings) -> ImagePlan {
        let file = build.file.as_ref().and_then(|file| self.text(file));
        let check = build.check_dockerfile.as_ref().filter(|check| check.value && is_address(&context.value));
        if let Some(check) = check {
            let message = "the Dockerfile of a repository's address is not here to be checked";
            self.wrong(check.place, message, "check the repository out, and name its directory; or leave this key out");
        }
        let request = Request {
            context: self.context(context, file.as_ref()).unwrap_or_default(),
            dockerfile: file.as_ref().map(|file| match is_address(&context.value) {
                // Docker looks for it in the repository.
                true => PathBuf::from(&file.value),
                false => self.directory.join(&file.value),
            }),
            build_args: self.arguments(build),
            target: self.one(build.target.as_ref(), word),
            builder: self.one(build.builder.as_ref(), word),
            more: self.options(build.options.as_deref().unwrap_or_default()),
            ..Request::default()
        };
        let told = self.text(context).map_or_else(|| context.value.clone(), |text| text.value);
        let file = file.map(|file| format!(", {}", file.value)).unwrap_or_default();
        let target = request.target.as_ref().map(|target| format!(", stage {target}")).unwrap_or_default();
        let reference = At { value: format!("the build of {told}{file}{target}"), place: context.place };
        let plan = BuildPlan {
            request,
            check_dockerfile: build.check_dockerfile.as_ref().is_some_and(|check| check.value),
            timeout: self.one(build.timeout.as_ref(), value::time).unwrap_or(BUILD_TIMEOUT),
        };
        // Where it is, is known when it was built.
        let nowhere = Location::Layout { path: PathBuf::new(), selector: None };
        ImagePlan { build: Some(plan), ..self.image(name, reference, nowhere, settings) }
    }

    /// A directory that is there, with its Dockerfile, from where this program runs; or an address.
    fn context(&mut self, context: &At<String>, file: Option<&At<String>>) -> Option<String> {
        let text = self.text(context)?;
        if is_address(&text.value) {
            return Some(text.value);
        }
        if text.value.trim().is_empty() || text.value == "-" {
            let message = format!("`{}` is no directory that can be built", shown(&text.value));
            self.wrong(text.place, message, "write one, relative to this file: `context: .` is its own");
            return None;
        }
        let directory = self.directory.join(&text.value);
        let from = if self.directory.as_os_str().is_empty() { Path::new(".") } else { &self.directory };
        let hint = format!("its path is relative to the directory of the suite, {}", from.display());
        if !directory.is_dir() {
            let message = format!("there is no directory {}", shown(&directory.display().to_string()));
            self.wrong(text.place, message, hint);
            return None;
        }
        let (dockerfile, place) = match file {
            Some(file) => (self.directory.join(&file.value), file.place),
            None => (directory.join("Dockerfile"), text.place),
        };
        if !dockerfile.is_file() {
            let message = format!("there is no Dockerfile {}", shown(&dockerfile.display().to_string()));
            let hint = if file.is_some() { hint } else { "name it by `file:`, relative to this file".to_owned() };
            self.wrong(place, message, hint);
            return None;
        }
        Some(from_here(directory.to_string_lossy().into_owned()))
    }

    fn arguments(&mut self, build: &Build) -> Vec<String> {
        let mut arguments = Vec::new();
        for (key, value) in self.keyed(build.args.as_ref()) {
            self.variable_name(&key);
            let Some(value) = self.text(value) else { continue };
            if value.value.contains('\0') {
                self.wrong(value.place, "this value has a NUL, and no argument has", "leave it out");
            }
            arguments.push(format!("{}={}", key.value, value.value));
        }
        arguments
    }

    fn options(&mut self, words: &[At<String>]) -> Vec<String> {
        /// What has a key of its own, or decides where the image goes.
        const OWN: [(&str, &str); 14] = [
            ("--platform", "platforms"),
            ("--file", "file"),
            ("-f", "file"),
            ("--build-arg", "args"),
            ("--target", "target"),
            ("--builder", "builder"),
            ("--tag", ""),
            ("-t", ""),
            ("--output", ""),
            ("-o", ""),
            ("--push", ""),
            ("--load", ""),
            ("--metadata-file", ""),
            ("--iidfile", ""),
        ];
        let words: Vec<At<String>> = words.iter().filter_map(|word| self.text(word)).collect();
        for word in &words {
            let name = word.value.split('=').next().unwrap_or_default();
            let Some((_, key)) = OWN.iter().find(|(option, _)| *option == name) else { continue };
            let hint = match *key {
                "" => "leave it out: mpcheck decides where the image goes, and removes it".to_owned(),
                key => format!("write it as `{key}:`"),
            };
            self.wrong(word.place, format!("`{name}` cannot be among the options"), hint);
        }
        words.into_iter().map(|word| word.value).collect()
    }

    fn rehearsal(&mut self, name: String, build: &At<Build>, settings: &Settings) -> RehearsalPlan {
        let place = build.place;
        let platforms = self.platforms(settings.platforms.as_ref());
        if settings.platforms.as_ref().is_none_or(|platforms| platforms.as_slice().is_empty()) {
            let hint = "add `platforms: [linux/amd64, linux/arm64]` here or below `defaults:`";
            self.wrong(place, "this rehearsal names no platforms that are built", hint);
        }
        let build = &build.value;
        let plan = rehearsal::Plan {
            insecure: false,
            platforms,
            base: self.one(build.base.as_ref(), |text| image(text, "an image with a shell, such as alpine:latest")),
            buildkit: self.one(build.buildkit.as_ref(), |text| image(text, "such as moby/buildkit:v0.15.2")),
            builder: self.one(build.builder.as_ref(), word),
            registry: self.one(build.registry.as_ref(), repository),
        };
        for platform in plan.impossible() {
            let place = settings.platforms.as_ref().map_or(place, Texts::place);
            let message = format!("{platform} cannot be rehearsed: mpcheck has no program for it");
            self.wrong(place, message, "leave it out; Linux platforms of `mpcheck host`'s list can be");
        }
        RehearsalPlan {
            name,
            plan,
            how: How::Auto,
            timeout: self.one(build.timeout.as_ref(), value::time).unwrap_or(BUILD_TIMEOUT),
            severities: self.severities(settings.severities.as_ref(), false),
            fail_on: match settings.fail_on {
                Some(FailLevel::Warning) => FailOn::Warning,
                Some(FailLevel::Error) | None => FailOn::Error,
            },
            line: place.line,
        }
    }
}

/// A directory that docker takes for no option.
fn from_here(path: String) -> String {
    if path.starts_with('-') { format!("./{path}") } else { path }
}

/// The name of a builder or a stage.
fn word(text: &str) -> Result<String, Wrong> {
    if text.is_empty() || text.starts_with('-') || text.contains(char::is_whitespace) || text.contains('\0') {
        let message = format!("`{}` is no name of a stage or a builder", shown(text));
        return Err((message, "write the name, or leave the key out".to_owned()));
    }
    Ok(text.to_owned())
}

/// An image that docker fetches.
fn image(text: &str, hint: &str) -> Result<String, Wrong> {
    if text == "scratch" {
        return Err(("scratch is no image".to_owned(), format!("leave the key out, or write {hint}")));
    }
    ImageName::parse(text).map(|_| text.to_owned()).map_err(|error| (error.to_string(), format!("write {hint}")))
}

/// A repository, without a tag or digest.
fn repository(text: &str) -> Result<String, Wrong> {
    let hint = "write HOST/NAME, such as ghcr.io/me/rehearsal";
    ImageName::parse(text).map_err(|error| (error.to_string(), hint.to_owned()))?;
    if !text.contains('/') {
        let message = format!("`{}` is a host or a name, and both are needed", shown(text));
        return Err((message, hint.to_owned()));
    }
    if text.contains('@') || text.rsplit('/').next().is_some_and(|last| last.contains(':')) {
        let message = format!("`{}` is an image, and a repository has no tag or digest", shown(text));
        return Err((message, hint.to_owned()));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
