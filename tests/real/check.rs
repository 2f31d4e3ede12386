//! Runs mpcheck as a person would, and compares reports.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One run to be. It sees nothing of the environment and the configuration of whoever runs the tests, and runs nothing
/// of the image unless it is told to.
pub(crate) struct Check {
    image: String,
    arguments: Vec<String>,
    credentials: Option<PathBuf>,
    path: Option<PathBuf>,
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) code: i32,
    /// The JSON report; null where there is none.
    pub(crate) report: Value,
    pub(crate) stderr: String,
}

impl Check {
    pub(crate) fn of(image: impl Into<String>) -> Check {
        Check { image: image.into(), arguments: Vec::new(), credentials: None, path: None }
    }

    pub(crate) fn with(mut self, arguments: &[&str]) -> Check {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Sets `DOCKER_CONFIG` to this directory.
    pub(crate) fn credentials(mut self, directory: &Path) -> Check {
        self.credentials = Some(directory.to_owned());
        self
    }

    /// Looks for programs in this directory first.
    pub(crate) fn path(mut self, directory: &Path) -> Check {
        self.path = Some(directory.to_owned());
        self
    }

    pub(crate) fn run(&self) -> Outcome {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mpcheck"));
        for name in
            ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_DEFAULT_PLATFORM", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"]
        {
            command.env_remove(name);
        }
        command.env("HOME", home.path()).env("XDG_CACHE_HOME", home.path().join("cache"));
        command.env("DOCKER_CONFIG", self.credentials.as_deref().unwrap_or(home.path()));
        if let Some(first) = &self.path {
            let all = std::env::var("PATH").unwrap_or_default();
            command.env("PATH", format!("{}:{all}", first.display()));
        }
        if !self.arguments.iter().any(|argument| argument.starts_with("--run")) {
            command.args(["--run", "never"]);
        }
        let output = command.args(["--format", "json"]).arg(&self.image).args(&self.arguments).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Outcome {
            code: output.status.code().unwrap_or(-1),
            report: serde_json::from_slice(&output.stdout).unwrap_or_default(),
            stderr,
        }
    }
}

impl Outcome {
    /// Findings as `severity rule platform path`, without notes.
    pub(crate) fn faults(&self) -> Vec<String> {
        let findings = self.report["findings"].as_array().cloned().unwrap_or_default();
        let faults = findings.iter().filter(|finding| finding["severity"] != "note");
        faults
            .map(|finding| {
                let text = |key: &str| finding[key].as_str().unwrap_or("-").to_owned();
                format!("{} {} {} {}", text("severity"), text("rule"), text("platform"), text("path"))
            })
            .collect()
    }

    /// The platforms that were examined and passed in all that was asked for.
    pub(crate) fn passed_platforms(&self) -> Vec<String> {
        let asked = |platform: &&Value| {
            let checks = platform["checks"].as_array().unwrap();
            checks.iter().filter(|check| check["name"] != "run").all(|check| check["status"] == "passed")
        };
        self.platforms().iter().filter(asked).map(|p| p["platform"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn platforms(&self) -> Vec<Value> {
        self.report["images"][0]["platforms"].as_array().cloned().unwrap_or_default()
    }

    /// All that a person is told, the reasons in the report among it.
    pub(crate) fn said(&self) -> String {
        let mut words = self.stderr.clone();
        collect(&self.report, &mut words);
        words
    }

    /// Everything for the message of a failed assertion.
    pub(crate) fn all(&self) -> String {
        format!("exit {}\n{}\n{:#}", self.code, self.stderr, self.report)
    }

    /// # Panics
    /// Where it did not pass without a single error or warning.
    pub(crate) fn assert_clean(&self, platforms: usize) {
        assert_eq!((self.code, self.report["verdict"].as_str()), (0, Some("passed")), "{}", self.all());
        assert_eq!(self.faults(), Vec::<String>::new());
        assert_eq!(self.passed_platforms().len(), platforms, "{}", self.all());
    }
}

/// What has to be the same from wherever an image was read: all but the names of the place and the time.
pub(crate) fn comparable(report: &Value) -> Value {
    let mut report = report.clone();
    for key in ["started", "duration_ms"] {
        remove(&mut report, key);
    }
    for image in report["images"].as_array_mut().into_iter().flatten() {
        for key in ["reference", "source", "timings"] {
            remove(image, key);
        }
    }
    for finding in report["findings"].as_array_mut().into_iter().flatten() {
        remove(finding, "image");
    }
    report
}

/// The same of one platform, without what a place changes that keeps layers uncompressed and no manifest: digests, and
/// the platform as the index spelt it.
pub(crate) fn comparable_platform(report: &Value, platform: &str) -> Value {
    let mut report = comparable(report);
    let of_this = |value: &Value| value["platform"] == platform;
    for image in report["images"].as_array_mut().into_iter().flatten() {
        image["platforms"].as_array_mut().unwrap().retain(of_this);
    }
    report["findings"].as_array_mut().unwrap().retain(of_this);
    for image in report["images"].as_array_mut().into_iter().flatten() {
        remove(image, "digest");
        remove(image, "media_type");
        for platform in image["platforms"].as_array_mut().into_iter().flatten() {
            remove(platform, "digest");
            remove(platform, "declared");
        }
    }
    for finding in report["findings"].as_array_mut().into_iter().flatten() {
        remove(finding, "layer");
    }
    report
}

fn collect(value: &Value, words: &mut String) {
    match value {
        Value::String(text) => words.extend([text, "\n"]),
        Value::Array(values) => values.iter().for_each(|value| collect(value, words)),
        Value::Object(members) => members.values().for_each(|value| collect(value, words)),
        _ => {}
    }
}

fn remove(object: &mut Value, key: &str) {
    if let Some(object) = object.as_object_mut() {
        object.remove(key);
    }
}
