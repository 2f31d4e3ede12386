//! From suites to trials: names, and what each is about. Nothing is read for it but files of tests, so a list of ten
//! thousand takes milliseconds and no network.

use super::name::made_of;
use super::plan::{Exception, ImagePlan, Suite};
use super::structure::Test;
use crate::platform::Platform;
use std::collections::BTreeSet;

/// One trial: one thing that is checked of one image on one platform, or of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its name, unique: `suite/image/linux-arm64/binaries`.
    pub name: String,
    /// The end of the name: `binaries`, `run/version`.
    pub check: String,
    /// The suite, by its place.
    pub suite: usize,
    /// What it is about.
    pub subject: Subject,
    /// What is checked.
    pub kind: Kind,
    /// Why it is not to be checked: an exception's reason.
    pub ignored: Option<String>,
}

impl Case {
    /// Suite, image and platform: the name without its end.
    #[must_use]
    pub fn group(&self) -> &str {
        self.name.strip_suffix(&self.check).and_then(|rest| rest.strip_suffix('/')).unwrap_or(&self.name)
    }
}

/// What a trial is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The host.
    Host,
    /// An image of the suite, by its place, as a whole.
    Image(usize),
    /// A platform of an image, by the places of both.
    Platform(usize, usize),
    /// A rehearsal of building, by its place.
    Rehearsal(usize),
}

impl Subject {
    /// The image's place.
    #[must_use]
    pub const fn image(self) -> Option<usize> {
        match self {
            Self::Host | Self::Rehearsal(_) => None,
            Self::Image(image) | Self::Platform(image, _) => Some(image),
        }
    }
}

/// What is checked. Numbers are places in the lists of the image's plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Which platforms there are, and all that is about the image as a whole.
    Platforms,
    /// A group of rules, by its name in findings.
    Group(&'static str),
    /// Whether the platform runs and says the right machine.
    Machine,
    /// A command.
    Command(usize),
    /// A file.
    File(usize),
    /// The config.
    Metadata,
    /// A test of container-structure-test's: which file, and which test in it.
    Structure(usize, usize),
    /// A platform that must run on the host.
    Ready(usize),
    /// The host itself.
    Health,
    /// The Dockerfile of an image that is built.
    Dockerfile,
    /// Building an image, or a rehearsal of it.
    Build,
}

/// Groups of rules and what their trials are called.
const GROUPS: [(&str, &str); 4] =
    [("manifest", "manifest"), ("blob", "blobs"), ("layer", "layers"), ("binary", "binaries")];

/// The tests of container-structure-test's files: of each suite, of each image, of each file.
pub type Tests = Vec<Vec<Vec<Vec<Test>>>>;

/// All trials, in the order of the suites. `tests` are those of the files that images name.
#[must_use]
pub fn cases(suites: &[Suite], tests: &Tests) -> Vec<Case> {
    let mut cases = Vec::new();
    for (at, suite) in suites.iter().enumerate() {
        let mut add = |group: &str, check: String, subject, kind, ignored| {
            let name = format!("{group}/{check}");
            cases.push(Case { name, check, suite: at, subject, kind, ignored });
        };
        if let Some(host) = &suite.host {
            let group = format!("{}/host", suite.name);
            add(&group, "health".to_owned(), Subject::Host, Kind::Health, None);
            for (place, platform) in host.require.iter().enumerate() {
                add(&group, dashed(platform), Subject::Host, Kind::Ready(place), None);
            }
        }
        for (place, image) in suite.images.iter().enumerate() {
            let group = format!("{}/{}", suite.name, image.name);
            if let Some(build) = &image.build {
                if build.check_dockerfile {
                    add(&group, "dockerfile".to_owned(), Subject::Image(place), Kind::Dockerfile, None);
                }
                add(&group, "build".to_owned(), Subject::Image(place), Kind::Build, None);
            }
            if image.rules {
                add(&group, "platforms".to_owned(), Subject::Image(place), Kind::Platforms, None);
            }
            let tests = tests.get(at).and_then(|images| images.get(place));
            for (number, platform) in image.platforms.iter().enumerate() {
                let group = format!("{group}/{}", dashed(platform));
                for (check, kind, ignored) in of_platform(image, platform, tests.map_or(&[], Vec::as_slice)) {
                    add(&group, check, Subject::Platform(place, number), kind, ignored);
                }
            }
        }
        for (place, rehearsal) in suite.rehearsals.iter().enumerate() {
            let group = format!("{}/{}", suite.name, rehearsal.name);
            add(&group, "build".to_owned(), Subject::Rehearsal(place), Kind::Build, None);
        }
    }
    cases
}

/// `linux/arm/v7` as a part of a name.
fn dashed(platform: &Platform) -> String {
    platform.to_string().replace('/', "-")
}

/// What is checked of each platform.
fn of_platform(
    image: &ImagePlan,
    platform: &Platform,
    structures: &[Vec<Test>],
) -> Vec<(String, Kind, Option<String>)> {
    let mut found: Vec<(String, Kind, Option<String>)> = Vec::new();
    if image.rules {
        found.extend(GROUPS.map(|(group, name)| (name.to_owned(), Kind::Group(group), None)));
    }
    if image.rules && image.run.how != crate::run::choose::How::Never {
        found.push(("run".to_owned(), Kind::Machine, None));
    }
    let is_for = |platforms: &[Platform]| platforms.is_empty() || platforms.iter().any(|of| platform.satisfies(of));
    for (at, command) in image.run.commands.iter().enumerate().filter(|(_, command)| is_for(&command.platforms)) {
        let ignored = excepted(&command.exceptions, platform);
        found.push((format!("run/{}", command.name), Kind::Command(at), ignored));
    }
    for (at, file) in image.files.iter().enumerate().filter(|(_, file)| is_for(&file.platforms)) {
        found.push((format!("files/{}", file.name), Kind::File(at), excepted(&file.exceptions, platform)));
    }
    if image.metadata.is_some() {
        found.push(("metadata".to_owned(), Kind::Metadata, None));
    }
    // Files of tests may give two of them one name.
    let mut names: BTreeSet<String> = BTreeSet::new();
    for (file, tests) in structures.iter().enumerate() {
        let stem = image.structure.get(file).and_then(|(path, _)| path.file_stem());
        let stem = made_of(&stem.map_or_else(|| file.to_string(), |stem| stem.to_string_lossy().into_owned()));
        for (at, test) in tests.iter().enumerate() {
            let first = format!("structure/{stem}/{}", made_of(&test.name));
            let mut name = first.clone();
            let mut times = 1;
            while !names.insert(name.clone()) {
                times += 1;
                name = format!("{first}-{times}");
            }
            found.push((name, Kind::Structure(file, at), None));
        }
    }
    found
}

/// Why something is not checked on a platform. None of a loaded suite's exceptions has expired.
fn excepted(exceptions: &[Exception], platform: &Platform) -> Option<String> {
    let found = exceptions.iter().find(|exception| exception.platforms.iter().any(|of| platform.satisfies(of)))?;
    Some(match found.expires {
        Some(day) => format!("{} (until {day})", found.reason),
        None => found.reason.clone(),
    })
}
