//! The types of the report, in the shape that `mpcheck.report/v1` promises.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::machine::Machine;

/// The name and version of the JSON form. A change that a reader could notice bumps it.
pub const SCHEMA: &str = "mpcheck.report/v1";

/// Everything that one run found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The name and version of this form: always `mpcheck.report/v1`.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: String,
    /// The program that wrote this report.
    pub tool: Tool,
    /// When the run began, RFC 3339 in UTC.
    #[schemars(extend("format" = "date-time"))]
    pub started: String,
    /// How long the run took, in milliseconds of wall time.
    pub duration_ms: u64,
    /// The run as a whole.
    pub verdict: Verdict,
    /// One entry per image, in the order in which they were asked for.
    pub images: Vec<Image>,
    /// What was learnt about the host; `null` where the host was not asked about.
    pub host: Option<Machine>,
    /// Every broken rule, sorted by image, severity, platform, rule and path.
    pub findings: Vec<Finding>,
    /// What was done to build and publish images, in the order in which it was done; absent where nothing was built.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// What became of each trial of a suite, sorted by name; absent where no suite was run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<Trial>,
    /// Which part of the trials this is; absent where it is all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// Where the time went; present only when it was asked for (`--verbose`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timings: Vec<Timing>,
}

/// A part of a suite's trials: what `--shard 3/16` asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shard {
    /// Which, from 1.
    pub number: u64,
    /// Of how many.
    pub of: u64,
}

/// The program that wrote a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// The program: `mpcheck`.
    pub name: String,
    /// The version, as `mpcheck --version` prints it.
    pub version: String,
}

/// The outcome of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Something was checked, and no finding reached the failing severity.
    Passed,
    /// At least one finding reached the failing severity.
    Failed,
    /// Something could not be decided, or nothing was checked.
    Error,
}

/// One image, with what was done for each of its platforms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Image {
    /// The image as the user named it.
    pub reference: String,
    /// Where it was read from, in words: `registry registry.example/app`, `OCI layout ./out`.
    pub source: String,
    /// The digest of the root descriptor; `null` where the image could not be read.
    pub digest: Option<String>,
    /// The media type of the root descriptor; `null` where the image could not be read.
    pub media_type: Option<String>,
    /// Why the image as a whole could not be examined; absent where it could be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// One entry per platform that the image declares, sorted.
    pub platforms: Vec<Platform>,
}

/// One platform of an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Platform {
    /// The canonical platform, `linux/arm/v7`.
    pub platform: String,
    /// The platform as the image spells it.
    pub declared: String,
    /// The digest of the platform's manifest.
    pub digest: String,
    /// How many binaries (ELF, PE, Mach-O, scripts) the root filesystem has.
    pub binaries: u64,
    /// How many layers the manifest lists.
    pub layers: u64,
    /// How it was run; `null` where it was not.
    pub run: Option<RunSummary>,
    /// What was checked, and with which outcome.
    pub checks: Vec<Check>,
}

/// How a platform was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunSummary {
    /// `docker` or `sandbox`.
    pub runner: String,
    /// Natively or emulated.
    pub how: RunHow,
    /// The emulator and its version, where one was used.
    pub emulator: Option<String>,
    /// What `uname -m` said.
    pub machine: Option<String>,
    /// Why this runner was taken; absent where it was asked for by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether the host's own processor ran the programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunHow {
    /// The host's own processor.
    Native,
    /// An emulator.
    Emulated,
}

/// One step of building or publishing: what it shows, the commands that it took, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Its name, `push/index`: it stays the same between versions.
    pub name: String,
    /// What it shows, in half a sentence.
    pub title: String,
    /// The canonical platform; `null` for a step about several.
    pub platform: Option<String>,
    /// The outcome.
    pub status: Status,
    /// Why, for every outcome but `passed`; with `passed`, what is worth knowing about it, or `null`.
    pub reason: Option<String>,
    /// The commands, as they can be typed into a shell, in their order.
    pub commands: Vec<StepCommand>,
    /// The last lines of what a failing command wrote; `null` where there is nothing to show.
    pub output: Option<String>,
    /// The file in which all that the commands wrote was kept; `null` where it was not.
    pub log: Option<String>,
    /// How long it took, checks of what came out included, in milliseconds.
    pub duration_ms: u64,
}

/// One command of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepCommand {
    /// As it can be typed into a shell.
    pub line: String,
    /// Its exit code; `null` where it did not end by itself.
    pub exit: Option<i32>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// One trial of a suite: one thing that is checked of one image on one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trial {
    /// Its whole name, `release/app/linux-arm64/run/version`: what filters look at.
    pub name: String,
    /// The end of the name, without suite, image and platform: `binaries`, `run/version`.
    pub check: String,
    /// The image as the suite names it; `null` for a trial of the host.
    pub image: Option<String>,
    /// The canonical platform; `null` for a trial of the whole image.
    pub platform: Option<String>,
    /// The outcome.
    pub status: Status,
    /// Why, for every outcome but `passed`; `null` there.
    pub reason: Option<String>,
    /// Everything that was found, and the end of what a failing command wrote; `null` where there is nothing to show.
    pub output: Option<String>,
    /// How long it took, in milliseconds. What several trials share, as the reading of an image, counts for the first.
    pub duration_ms: u64,
}

impl Trial {
    /// Suite, image and platform: what trials are grouped by.
    pub fn group(&self) -> &str {
        self.name.strip_suffix(&self.check).and_then(|rest| rest.strip_suffix('/')).unwrap_or(&self.name)
    }
}

/// One group of rules, on one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// The group's name: `manifest`, `blob`, `layer`, `binary`, `run`.
    pub name: String,
    /// The outcome.
    pub status: Status,
    /// Why, for every outcome but `passed`; `null` there.
    pub reason: Option<String>,
}

/// The outcome of a check. What was skipped or undecided is never called passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Every rule of the group was looked at and none is broken with severity error.
    Passed,
    /// At least one rule of the group is broken with severity error.
    Failed,
    /// It did not apply, or was not asked for.
    Skipped,
    /// It could not be decided.
    Error,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Fails the run.
    Error,
    /// Fails the run under `--fail-on warning`.
    Warning,
    /// Never fails the run.
    Note,
}

/// The layer that brought a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct LayerRef {
    /// Its place in the manifest, counted from 0.
    pub index: u64,
    /// The digest of its blob.
    pub digest: String,
}

/// One place where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The rule, `binary/foreign-architecture`.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// The image as the user named it; empty where the host is meant.
    pub image: String,
    /// The canonical platform; `null` where the whole image, or the host, is meant.
    pub platform: Option<String>,
    /// The path in the root filesystem, absolute, with bytes that are not UTF-8 as `\xNN`; in a finding about the host,
    /// the path there.
    pub path: Option<String>,
    /// The layer that is broken, or that brought the file.
    pub layer: Option<LayerRef>,
    /// The Dockerfile instruction that brought it, from the config's history.
    pub instruction: Option<String>,
    /// What the rule wants.
    pub expected: Option<String>,
    /// What is there.
    pub observed: Option<String>,
    /// The way from the entrypoint, command or PATH to the file.
    pub reached_by: Option<String>,
    /// The likely cause, where the evidence allows one.
    pub cause: Option<String>,
    /// What is wrong, in one sentence.
    pub message: String,
    /// The next step.
    pub hint: String,
}

/// Where some of the time went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Timing {
    /// What was done: `layer sha256:0123…`, `manifests`, `rules`.
    pub what: String,
    /// Wall time in milliseconds.
    pub duration_ms: u64,
    /// How many bytes were read for it, where that means something.
    pub bytes: Option<u64>,
    /// How it went: `read`, `from the cache`.
    pub how: Option<String>,
}
