//! `mpcheck build` with a real docker, buildx, engines of three kinds, and registries that are good and bad.

mod own;
mod registries;
mod rehearsal;

use crate::parts::{classic, containerd, docker, part};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// The engine of Docker 20.10.
fn old() -> String {
    part("MPCHECK_ENGINE_OLD")
}

/// One run to be, on an engine, with directories of its own: what it leaves behind is seen.
struct Build {
    socket: String,
    command: Command,
    temporary: TempDir,
    home: TempDir,
}

/// What came of it.
struct Outcome {
    code: Option<i32>,
    report: Value,
    stderr: String,
    /// What is left in the directory for temporary files.
    kept: Vec<PathBuf>,
    _temporary: TempDir,
}

impl Build {
    /// With buildx.
    fn on(socket: &str) -> Build {
        let build = Self::without_buildx(socket);
        symlink(
            Path::new(&part("MPCHECK_PARTS")).join("docker-config/cli-plugins"),
            build.home.path().join("cli-plugins"),
        )
        .unwrap();
        build
    }

    fn without_buildx(socket: &str) -> Build {
        let (temporary, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let bin = Path::new(&part("MPCHECK_PARTS")).join("bin");
        let mut command = Command::new(env!("CARGO_BIN_EXE_mpcheck"));
        for name in ["DOCKER_CONTEXT", "DOCKER_DEFAULT_PLATFORM", "DOCKER_BUILDKIT", "BUILDX_BUILDER", "BUILDX_CONFIG"]
        {
            command.env_remove(name);
        }
        command.env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
        command.env("HOME", home.path()).env("DOCKER_CONFIG", home.path()).env("XDG_CACHE_HOME", home.path().join("c"));
        command.env("TMPDIR", temporary.path()).env("DOCKER_HOST", socket).args(["build", "--format", "json"]);
        Build { socket: socket.to_owned(), command, temporary, home }
    }

    fn with<S: AsRef<std::ffi::OsStr>>(mut self, words: &[S]) -> Build {
        self.command.args(words);
        self
    }

    fn set(mut self, name: &str, value: &str) -> Build {
        self.command.env(name, value);
        self
    }

    /// Where the run's files are while it goes on.
    fn site(&self) -> Option<PathBuf> {
        let mut entries = fs::read_dir(self.temporary.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.find(|path| path.to_string_lossy().contains("mpcheck-build-"))
    }

    fn start(&mut self) -> Child {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn run(mut self) -> Outcome {
        let output = self.command.stdin(Stdio::null()).output().unwrap();
        self.ended(&output)
    }

    /// Nothing of the run may be left in the engine, however it ended.
    fn ended(self, output: &Output) -> Outcome {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let name = report["steps"].to_string().split("mpcheck-build-").nth(1).map(|rest| rest[..6].to_lowercase());
        if let Some(name) = name {
            let name = format!("mpcheck-build-{name}");
            assert_eq!(left(&self.socket, &name), "", "{stderr}\n{report:#}");
        }
        let kept = fs::read_dir(self.temporary.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        Outcome { code: output.status.code(), report, stderr, kept, _temporary: self.temporary }
    }
}

/// The images and containers of this name that an engine has.
fn left(socket: &str, name: &str) -> String {
    let images = docker(socket).args(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).output().unwrap();
    let containers = docker(socket).args(["ps", "--all", "--format", "{{.Names}}"]).output().unwrap();
    let all = format!("{}{}", String::from_utf8_lossy(&images.stdout), String::from_utf8_lossy(&containers.stdout));
    all.lines().filter(|line| line.contains(name)).collect::<Vec<_>>().join("\n")
}

impl Outcome {
    fn all(&self) -> String {
        format!("exit {:?}\n{}\n{:#}", self.code, self.stderr, self.report)
    }

    fn step(&self, name: &str) -> &Value {
        let steps = self.report["steps"].as_array().unwrap_or_else(|| panic!("no steps: {}", self.all()));
        steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no step {name}: {}", self.all()))
    }

    fn reason(&self, name: &str) -> &str {
        self.step(name)["reason"].as_str().unwrap_or_default()
    }

    /// Every step with what became of it.
    fn steps(&self) -> BTreeMap<&str, &str> {
        let steps = self.report["steps"].as_array().unwrap_or_else(|| panic!("no steps: {}", self.all()));
        steps.iter().map(|step| (step["name"].as_str().unwrap(), step["status"].as_str().unwrap())).collect()
    }

    /// The names of the steps that ended so.
    fn that(&self, status: &str) -> Vec<&str> {
        self.steps().into_iter().filter(|(_, is)| *is == status).map(|(name, _)| name).collect()
    }

    /// The rules that are broken.
    fn rules(&self) -> Vec<&str> {
        let findings = self.report["findings"].as_array().unwrap_or_else(|| panic!("no findings: {}", self.all()));
        let mut rules: Vec<&str> = findings.iter().map(|finding| finding["rule"].as_str().unwrap()).collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    fn finding(&self, rule: &str) -> &Value {
        let findings = self.report["findings"].as_array().unwrap();
        findings.iter().find(|finding| finding["rule"] == rule).unwrap_or_else(|| panic!("no {rule}: {}", self.all()))
    }

    /// Every step that could be done was, and nothing is left, not even a file.
    fn assert_clean(&self) {
        assert_eq!(self.code, Some(0), "{}", self.all());
        assert_eq!((self.that("failed"), self.that("error")), (vec![], vec![]), "{}", self.all());
        assert_eq!((self.rules(), &self.kept), (vec![], &Vec::new()), "{}", self.all());
    }
}
