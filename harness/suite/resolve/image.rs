//! Images: their names, where they are read from, and what is decided about them.

use super::super::error::{Problem, shown};
use super::super::format::{AllowForeign, FailLevel, Image, Settings};
use super::super::located::{At, Place, Texts};
use super::super::name::{Wish, made_of};
use super::super::plan::ImagePlan;
use super::super::value;
use super::Resolver;
use crate::check::policy::{Allowed, Policy};
use crate::image::reference::{EngineImage, Location, PathKind, Selector};
use mpcheck_reports::FailOn;
use std::fmt::{self, Write as _};
use std::path::{Component, Path};

/// The most that defaults may become when every image has them, in characters of their debugging form: what takes memory
/// is in it, each text once.
pub(super) const MAX_EXPANDED: usize = 128 << 20;

/// What the trials of a suite's `host:` are called, where those of images have the image's name.
pub(super) const HOST: &str = "host";

/// How much of the way to an image may be in its name.
const MAX_PARTS: usize = 5;

/// The images of a suite.
pub(super) fn images(
    resolver: &mut Resolver<'_>,
    images: Vec<Image>,
    defaults: &Settings,
    has_host: bool,
) -> Vec<ImagePlan> {
    let mut found: Vec<(At<String>, Location, usize)> = Vec::new();
    let mut wishes = Vec::new();
    let mut settings = Vec::new();
    let mut expanded = 0_usize;
    let weight_of_defaults = weight(defaults);
    for (index, image) in images.into_iter().enumerate() {
        let (references, name, own) = image.parts();
        let each = references.as_slice().len();
        expanded = expanded.saturating_add(each.saturating_mul(weight_of_defaults));
        expanded = expanded.saturating_add(if each > 1 { each.saturating_mul(weight(&own)) } else { 0 });
        let place = references.place();
        if expanded > MAX_EXPANDED {
            let problem = Problem::new(
                resolver.file,
                "with what the images above have in common, this suite is too large",
                "make several files of it, each with a part of the images",
            );
            resolver.problems.push(problem.at(place));
            break;
        }
        let given = resolver.name(name.as_ref());
        if let (Some(name), 2..) = (&given, each) {
            let message = format!("one name, `{}`, for {each} images", name.value);
            resolver.wrong(name.place, message, "leave out `name:`, or write the images one by one");
        }
        for reference in resolver.texts(Some(&references)) {
            if let Some(location) = resolver.location(&reference) {
                wishes.push(Wish {
                    given: given.clone().filter(|_| each == 1),
                    made: made_names(&location),
                    place: reference.place,
                });
                found.push((reference, location, index));
            }
        }
        let own = own.over(defaults);
        if found.last().is_none_or(|(_, _, last)| *last != index) {
            // None of its images can be read: the rest of it is looked at all the same.
            let reference = At { value: String::new(), place };
            resolver.image(String::new(), reference, Location::Layout { path: "".into(), selector: None }, &own);
        }
        settings.push(own);
    }
    let names = resolver.distinct("images", &wishes, false);
    for (wish, _) in wishes.iter().zip(&names).filter(|(_, name)| has_host && *name == HOST) {
        let place = wish.given.as_ref().map_or(wish.place, |given| given.place);
        let message = format!("no image can be called `{HOST}` here: the trials of `host:` are");
        resolver.wrong(place, message, "give it another `name:`");
    }
    let mut plans = Vec::with_capacity(found.len());
    for ((reference, location, index), name) in found.into_iter().zip(names) {
        if let Some(settings) = settings.get(index) {
            plans.push(resolver.image(name, reference, location, settings));
        }
    }
    plans
}

/// How many characters the debugging form has.
pub(super) fn weight(settings: &Settings) -> usize {
    struct Counter(usize);

    impl fmt::Write for Counter {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.saturating_add(text.len());
            Ok(())
        }
    }

    let mut counter = Counter(0);
    // A counter takes everything.
    let _ = write!(counter, "{settings:?}");
    counter.0
}

/// Names for an image: the last part of its own, the same with what tells it from its neighbours, and both with more and
/// more of the repository or the path before it.
pub(in crate::suite) fn made_names(location: &Location) -> Vec<String> {
    let of_file = |path: &Path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let end = name.find(".tar").or_else(|| name.rfind('.')).filter(|end| *end > 0);
        name.get(..end.unwrap_or(name.len())).unwrap_or_default().to_owned()
    };
    let of_path = |path: &Path| {
        let above = path.parent().into_iter().flat_map(Path::components);
        let above = above.filter_map(|part| match part {
            Component::Normal(part) => Some(part.to_string_lossy().into_owned()),
            _ => None,
        });
        above.chain([of_file(path)]).collect::<Vec<_>>()
    };
    let (parts, detail) = match location {
        Location::Registry { name } | Location::Engine { image: EngineImage::Name(name) } => {
            let digest = name.digest.as_ref().map(|digest| digest.short().to_string());
            let repository = name.repository.split('/').map(str::to_owned);
            (std::iter::once(name.registry.clone()).chain(repository).collect(), name.tag.clone().or(digest))
        }
        Location::Engine { image: EngineImage::Id(id) } => (vec![id.short().to_string()], None),
        Location::Layout { path, selector } | Location::Archive { path, selector, .. } => {
            (of_path(path), selector.as_ref().map(Selector::to_string))
        }
    };
    let mut names = Vec::new();
    for start in (0..parts.len()).rev().take(MAX_PARTS) {
        let name = parts.get(start..).unwrap_or_default().join("-");
        names.push(made_of(&name));
        names.extend(detail.as_ref().map(|detail| made_of(&format!("{name}-{detail}"))));
    }
    names
}

impl Resolver<'_> {
    /// What is said of one image.
    pub(super) fn image(
        &mut self,
        name: String,
        reference: At<String>,
        location: Location,
        settings: &Settings,
    ) -> ImagePlan {
        let place = reference.place;
        let platforms = self.platforms(settings.platforms.as_ref());
        if settings.platforms.as_ref().is_none_or(|platforms| platforms.as_slice().is_empty()) {
            let message = format!("`{}` names no platforms that it must have", shown(&reference.value));
            self.wrong(place, message, "add `platforms: [linux/amd64, linux/arm64]` here or below `defaults:`");
        }
        // With one that is wrong, nothing can be said of the others.
        let written = settings.platforms.as_ref().map_or(0, |platforms| platforms.as_slice().len());
        self.of_image = if written == platforms.len() { platforms.clone() } else { Vec::new() };
        let baseline = settings.baseline.as_ref().and_then(|baseline| {
            let text = self.text(baseline)?;
            let location = self.location(&text)?;
            Some((text.value, location))
        });
        let plan = ImagePlan {
            rules: true,
            build: None,
            name,
            location,
            line: place.line,
            platforms,
            exact: settings.exact.unwrap_or(false),
            baseline,
            policy: Policy {
                allowed: settings.allow_foreign.iter().flatten().filter_map(|allow| self.allowed(allow)).collect(),
                severities: self.severities(settings.severities.as_ref(), false),
            },
            fail_on: match settings.fail_on {
                Some(FailLevel::Warning) => FailOn::Warning,
                Some(FailLevel::Error) | None => FailOn::Error,
            },
            run: self.run(settings.run.as_ref(), place),
            files: self.files(settings.files.as_ref()),
            metadata: settings.metadata.as_ref().map(|metadata| self.metadata(metadata)),
            structure: self.structure(settings.structure.as_ref()),
            reference: reference.value,
        };
        self.of_image.clear();
        plan
    }

    /// Where an image is read from. A path is relative to the file, and of a layout or archive that is named as such it
    /// is no matter whether it is there yet.
    fn location(&mut self, reference: &At<String>) -> Option<Location> {
        let lower = reference.value.to_ascii_lowercase();
        let promised = match lower.split_once(':').map(|(transport, _)| transport) {
            Some("oci") => Some(PathKind::Layout),
            Some("oci-archive" | "docker-archive") => Some(PathKind::Archive),
            _ => None,
        };
        let kind = |path: &Path| match PathKind::of(&self.directory.join(path)) {
            // A colon may part the path from the tag.
            PathKind::Missing if !path.to_string_lossy().contains(':') => promised.clone().unwrap_or(PathKind::Missing),
            kind => kind,
        };
        let location = Location::parse_with(&reference.value, &kind);
        let location = location.map_err(|error| (error.to_string(), error.hint()));
        let mut location = self.right(reference.place, location)?;
        if let Location::Layout { path, .. } | Location::Archive { path, .. } = &mut location {
            *path = self.directory.join(&*path);
        }
        Some(location)
    }

    fn allowed(&mut self, allow: &AllowForeign) -> Option<Allowed> {
        let path = self.one(Some(&allow.path), value::glob);
        let architecture = self.one(allow.architecture.as_ref(), value::architecture);
        let reason = self.reason(&allow.reason);
        let expires = self.expires(allow.expires.as_ref(), "this permission");
        Some(Allowed { path: path?, architecture, reason: reason?, expires })
    }

    fn structure(&mut self, files: Option<&Texts>) -> Vec<(std::path::PathBuf, Place)> {
        let files = self.texts(files);
        files.into_iter().map(|file| (self.directory.join(file.value), file.place)).collect()
    }
}
