//! The program itself, as a process.
//!
//! | module | what belongs there |
//! |---|---|
//! | `arguments` | the forms of the command line, what they select and require, exit codes |
//! | `output` | text, JSON, files, colour, and that nothing else is written |
//! | `commands` | explain, rules, schema, completions |
//! | `host` | `mpcheck host` on the machine that runs the tests, whatever that is |
//! | `host_install` | `mpcheck host install`, as far as nothing is installed |
//! | `build` | `mpcheck build`, as far as it goes without an engine |
//! | `init` | `mpcheck init`, and that its suites are taken |
//! | `cache` | what is read again, and what is not |
//! | `bad_input` | files and names that are no image |
//! | `registry` | registries that misbehave |
//! | `together` | several processes at once on one image |
//! | `running` | the options of running, and platforms that cannot be run |
//! | `large` | bombs, and a great many entries |
//! | `suite` | `mpcheck test` on forged images, `mpcheck report merge` |
//! | `suite_builds` | suites with builds, as far as nothing is built |
//! | `suite_input` | suites that are wrong |

mod arguments;
mod bad_input;
mod build;
mod cache;
mod commands;
mod host;
mod host_install;
mod init;
mod large;
mod output;
mod registry;
mod running;
mod suite;
mod suite_builds;
mod suite_input;
mod together;

use mpcheck_kit::incidents::application;
use mpcheck_kit::index::Index;
use mpcheck_kit::store::Forged;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A machine of its own for the program: an empty home, an empty working directory, and no variables.
pub(crate) struct Machine {
    root: TempDir,
    variables: Vec<(&'static str, String)>,
}

/// What a run left.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for directory in ["home", "cache", "work", "tmp"] {
            std::fs::create_dir(root.path().join(directory)).unwrap();
        }
        Self { root, variables: Vec::new() }
    }

    /// A machine with this image as the layout `image` in its working directory.
    pub(crate) fn with(forged: &Forged) -> Self {
        let machine = Self::new();
        machine.add("image", forged);
        machine
    }

    /// Writes an image as a layout in the working directory.
    pub(crate) fn add(&self, name: &str, forged: &Forged) {
        forged.write_layout(&self.path(name), Some("latest")).unwrap();
    }

    /// Sets a variable for the runs that follow.
    pub(crate) fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// The user's cache directory.
    pub(crate) fn cache(&self) -> PathBuf {
        self.root.path().join("cache")
    }

    /// A path in the working directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("work").join(name)
    }

    /// Everything that was written outside of the cache, as paths.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for directory in ["home", "work", "tmp"] {
            list(&self.root.path().join(directory), &mut found);
        }
        found.sort();
        found
    }

    /// The program with these arguments. It runs nothing of the image unless they say so: what a host can run is none of
    /// these tests' business.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        const NO_CHECK: [&str; 11] =
            ["host", "explain", "rules", "schema", "completions", "report", "help", "-h", "--help", "-V", "--version"];
        let place = |name: &str| self.root.path().join(name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_mpcheck"));
        // What stands behind `--` are filters.
        let (options, filters) =
            arguments.split_at(arguments.iter().position(|word| *word == "--").unwrap_or(arguments.len()));
        command.args(options);
        let is_check = !arguments.is_empty() && !arguments.iter().any(|argument| NO_CHECK.contains(argument));
        if is_check && !arguments.iter().any(|argument| argument.starts_with("--run")) {
            command.args(["--run", "never"]);
        }
        command.args(filters);
        command.env_clear().current_dir(place("work")).stdin(Stdio::null());
        command.env("HOME", place("home")).env("XDG_CACHE_HOME", place("cache")).env("TMPDIR", place("tmp"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output().unwrap();
        let run = Run {
            code: output.status.code().unwrap_or_else(|| panic!("{arguments:?} was killed: {}", output.status)),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(run.code != 101 && !run.stderr.contains("panicked"), "{arguments:?} panicked: {run:#?}");
        run
    }

    /// The report that a command prints which checks no image.
    pub(crate) fn merged(&self, arguments: &[&str]) -> Value {
        let run = self.run(&[arguments, &["--format", "json"]].concat());
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:#?}"))
    }

    /// Runs the program and reads its report, whatever the verdict.
    pub(crate) fn report(&self, arguments: &[&str]) -> Value {
        let (options, filters) =
            arguments.split_at(arguments.iter().position(|word| *word == "--").unwrap_or(arguments.len()));
        let run = self.run(&[options, &["--format", "json"], filters].concat());
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:#?}"))
    }
}

impl Run {
    /// Fails unless it ended so and said each of these, on either stream.
    #[track_caller]
    pub(crate) fn says(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:#?}");
        for word in words {
            assert!(self.stdout.contains(word) || self.stderr.contains(word), "{word:?} is not said: {self:#?}");
        }
    }
}

fn list(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(&path, found);
        }
        found.push(path);
    }
}

/// linux/amd64 and linux/arm64, nothing wrong.
pub(crate) fn good() -> Forged {
    Index::new().image(application("linux/amd64")).image(application("linux/arm64")).forge()
}

/// linux/amd64 and linux/arm64, whose program is for amd64.
pub(crate) fn broken() -> Forged {
    mpcheck_kit::incidents::application_of_other_architecture().forged
}

/// `[rule, platform, path]` of each finding of a report.
pub(crate) fn found(report: &Value) -> Vec<[String; 3]> {
    let field = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let findings = report["findings"].as_array().unwrap();
    findings.iter().map(|finding| ["rule", "platform", "path"].map(|name| field(finding, name))).collect()
}

/// `PLATFORM CHECK STATUS` of each check of the first image of a report.
pub(crate) fn statuses(report: &Value) -> Vec<String> {
    let platforms = report["images"][0]["platforms"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let row = |platform: &Value| {
        let name = text(&platform["platform"]);
        let checks = platform["checks"].as_array().unwrap().clone();
        checks.into_iter().map(move |c| format!("{name} {} {}", text(&c["name"]), text(&c["status"])))
    };
    platforms.iter().flat_map(row).collect()
}
