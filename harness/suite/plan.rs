//! The resolved suite: everything that a suite file says, with its defaults, variables and names put in. It is data
//! that no longer knows how it was written; whoever runs it looks at nothing else.

use super::Place;
use crate::build::own::Request;
use crate::build::rehearsal;
use crate::check::date::Date;
use crate::check::pattern::{BytePattern, Pattern};
use crate::check::policy::{Policy, Severities};
use crate::check::run::Expectation;
use crate::image::reference::Location;
use crate::platform::Platform;
use crate::run::choose::How;
use crate::run::{Cpu, Limits};
use mpcheck_reports::FailOn;
use std::path::PathBuf;
use std::time::Duration;

/// A line of the suite's file, from 1.
pub type Line = u64;

/// One suite: one document of a file.
#[derive(Debug, Clone)]
pub struct Suite {
    /// Its name, unique among the suites that were loaded together; no `/` in it.
    pub name: String,
    /// The file that it was read from.
    pub file: PathBuf,
    /// The images, at least one where nothing else is named; those that are built come last.
    pub images: Vec<ImagePlan>,
    /// The rehearsals of building and publishing.
    pub rehearsals: Vec<RehearsalPlan>,
    /// What is asked of the host.
    pub host: Option<HostPlan>,
}

/// One image and what it should be.
#[derive(Debug, Clone)]
pub struct ImagePlan {
    /// Its name in the names of trials: unique in the suite, no `/` in it.
    pub name: String,
    /// The image as the report calls it: what the suite says, with its variables put in.
    pub reference: String,
    /// Where it is read from; paths are relative to where the program runs. Nowhere, for one that has to be built first.
    pub location: Location,
    /// How it is built first; `None` for one that is there.
    pub build: Option<BuildPlan>,
    /// Where the suite names it.
    pub line: Line,
    /// Whether the rules are trials, and running at all, besides what the suite asks for by name.
    pub rules: bool,
    /// The platforms that it must have, and those that are checked. At least one.
    pub platforms: Vec<Platform>,
    /// Whether it may have no others.
    pub exact: bool,
    /// An earlier image, no platform of which may be missing.
    pub baseline: Option<(String, Location)>,
    /// What is allowed in it, and how bad broken rules are.
    pub policy: Policy,
    /// The lowest severity that fails it.
    pub fail_on: FailOn,
    /// How it is run.
    pub run: RunPlan,
    /// What its files should be.
    pub files: Vec<FilePlan>,
    /// What its config should say.
    pub metadata: Option<MetadataPlan>,
    /// Files of container-structure-test, relative to where the program runs, and where the suite names them.
    pub structure: Vec<(PathBuf, Place)>,
}

impl ImagePlan {
    /// An image of which nothing is asked but what is in files of container-structure-test.
    #[must_use]
    pub fn of_structure(reference: &str, location: Location, platforms: Vec<Platform>, file: PathBuf) -> Self {
        Self {
            name: super::resolve::image_name(&location),
            reference: reference.to_owned(),
            location,
            build: None,
            line: 1,
            rules: false,
            platforms,
            exact: false,
            baseline: None,
            policy: Policy::default(),
            fail_on: FailOn::default(),
            run: RunPlan::default(),
            files: Vec::new(),
            metadata: None,
            structure: vec![(file, Place::START)],
        }
    }
}

impl Default for RunPlan {
    fn default() -> Self {
        Self {
            how: How::Auto,
            cpu: Cpu::Max,
            required: false,
            timeout: TIMEOUT,
            limits: Limits::default(),
            network: false,
            commands: Vec::new(),
        }
    }
}

/// How an image is built.
#[derive(Debug, Clone)]
pub struct BuildPlan {
    /// What is built, but for the platforms: those are the image's.
    pub request: Request,
    /// Whether the Dockerfile is checked by itself.
    pub check_dockerfile: bool,
    /// How long each command may take.
    pub timeout: Duration,
}

/// A rehearsal of building and publishing on this host.
#[derive(Debug, Clone)]
pub struct RehearsalPlan {
    /// Its name in the names of trials: unique in the suite, images included, no `/` in it.
    pub name: String,
    /// What is rehearsed.
    pub plan: rehearsal::Plan,
    /// By which runner what comes out is run.
    pub how: How,
    /// How long each command may take.
    pub timeout: Duration,
    /// How bad its broken rules are.
    pub severities: Severities,
    /// The lowest severity that fails it.
    pub fail_on: FailOn,
    /// Where the suite asks.
    pub line: Line,
}

/// How long a command that builds or pushes may take of which nothing else is said.
pub const BUILD_TIMEOUT: Duration = Duration::from_secs(600);

/// How long a command may take of which nothing else is said.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// How an image is run.
#[derive(Debug, Clone)]
pub struct RunPlan {
    /// By which runner.
    pub how: How,
    /// On which processor.
    pub cpu: Cpu,
    /// Whether a platform that cannot be run here is an error, where it would be skipped.
    pub required: bool,
    /// How long each may take that has no time of its own, `uname -m` among them.
    pub timeout: Duration,
    /// What a container may use.
    pub limits: Limits,
    /// Whether tests of structure files have a network; what commands have, they say.
    pub network: bool,
    /// The commands, besides `uname -m`, which is always asked.
    pub commands: Vec<CommandPlan>,
}

/// A command and what it should do.
#[derive(Debug, Clone)]
pub struct CommandPlan {
    /// Its name in the names of trials: unique in the image, no `/` in it.
    pub name: String,
    /// The program and its arguments.
    pub words: Vec<String>,
    /// What it should do.
    pub expect: Expectation,
    /// Variables besides the image's own, which they override.
    pub environment: Vec<(String, String)>,
    /// The user instead of the image's own, as `USER` has it.
    pub user: Option<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// Whether it may write to the root filesystem.
    pub writable: bool,
    /// Whether it has a network.
    pub network: bool,
    /// The platforms that it is for; empty is all of the image's.
    pub platforms: Vec<Platform>,
    /// Where it is known to fail.
    pub exceptions: Vec<Exception>,
    /// Where the suite names it.
    pub line: Line,
}

/// Platforms on which something is known to fail: it is ignored there, with this reason. None of a loaded suite has
/// expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// The platforms, at least one.
    pub platforms: Vec<Platform>,
    /// Why.
    pub reason: String,
    /// The last day on which it counts.
    pub expires: Option<Date>,
    /// Where the suite makes it.
    pub line: Line,
}

/// One file and what it should be.
#[derive(Debug, Clone)]
pub struct FilePlan {
    /// Its name in the names of trials: unique among the files of the image, no `/` in it.
    pub name: String,
    /// Its absolute path in the image.
    pub path: String,
    /// Whether it should be there.
    pub exists: bool,
    /// What it should be; of a link itself, not of what it leads to.
    pub kind: Option<FileKind>,
    /// Its permission bits, with set-user-ID, set-group-ID and sticky: `0o0` to `0o7777`.
    pub mode: Option<u16>,
    /// Its owner.
    pub user: Option<u32>,
    /// Its group.
    pub group: Option<u32>,
    /// Whether anybody may execute it.
    pub executable: Option<bool>,
    /// What a link should lead to, as it is written in the link.
    pub target: Option<String>,
    /// What should be in it, each somewhere.
    pub content: Vec<BytePattern>,
    /// What should be nowhere in it.
    pub not_content: Vec<BytePattern>,
    /// The platforms that this is about; empty is all of the image's.
    pub platforms: Vec<Platform>,
    /// Where it is known to be wrong.
    pub exceptions: Vec<Exception>,
    /// Where the suite names it.
    pub line: Line,
}

impl FilePlan {
    /// Whether its content is asked for.
    #[must_use]
    pub const fn reads(&self) -> bool {
        !self.content.is_empty() || !self.not_content.is_empty()
    }
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
}

/// What the config of each platform should say; what is `None` or empty is not looked at.
#[derive(Debug, Clone, Default)]
pub struct MetadataPlan {
    /// The entrypoint, exactly; an empty list where there should be none.
    pub entrypoint: Option<Vec<String>>,
    /// The command, exactly.
    pub command: Option<Vec<String>>,
    /// Variables of the environment.
    pub environment: Vec<(String, ValuePlan)>,
    /// Labels.
    pub labels: Vec<(String, ValuePlan)>,
    /// The user, exactly; empty where none should be set.
    pub user: Option<String>,
    /// The working directory, exactly.
    pub working_directory: Option<String>,
    /// Exposed ports, with their protocol: `53/udp`, `80/tcp`.
    pub ports: Vec<String>,
    /// Ports that should not be exposed.
    pub not_ports: Vec<String>,
    /// Volumes.
    pub volumes: Vec<String>,
    /// Paths that should be no volumes.
    pub not_volumes: Vec<String>,
}

/// What a variable or a label should be.
#[derive(Debug, Clone)]
pub enum ValuePlan {
    /// This.
    Exact(String),
    /// Something in it should match.
    Matches(Pattern),
    /// Not there at all.
    Absent,
}

/// What is asked of the host.
#[derive(Debug, Clone)]
pub struct HostPlan {
    /// Platforms that must run on it.
    pub require: Vec<Platform>,
    /// How bad its broken rules are.
    pub severities: Severities,
    /// The lowest severity that fails it.
    pub fail_on: FailOn,
    /// Where the suite asks.
    pub line: Line,
}
