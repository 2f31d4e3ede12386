//! `mpcheck host` and Docker engines: real ones, and what is none.
//!
//! Needs root. Handlers that are wrong are registered on the machine for big-endian mips alone, which no other test
//! uses there, and under names of their own.

use crate::parts::{classic, containerd, docker, done, part};
use mpcheck::platform::{Architecture, Platform};
use rstest::rstest;
use serde_json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const REGISTRY: &str = "/proc/sys/fs/binfmt_misc";
/// The architecture of wrong handlers.
const WRONG: &str = "mips";

fn old() -> String {
    part("MPCHECK_ENGINE_OLD")
}

/// One at a time: what is left in an engine is looked for by names that all runs have.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A home that has nothing, and one program for docker's plugin where it is asked for.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join(".docker/cli-plugins")).unwrap();
        Self(home)
    }

    fn with_buildx() -> Self {
        let home = Self::new();
        let program = Path::new(&part("MPCHECK_PARTS")).join("bin/docker-buildx");
        let plugin = home.0.path().join(".docker/cli-plugins/docker-buildx");
        std::os::unix::fs::symlink(fs::canonicalize(program).unwrap(), plugin).unwrap();
        home
    }

    /// A program with this home, and the engine at this socket.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>, socket: &str) -> Command {
        let mut command = Command::new(program);
        for name in ["DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_DEFAULT_PLATFORM", "DOCKER_BUILDKIT", "BUILDX_CONFIG"] {
            command.env_remove(name);
        }
        command.env("DOCKER_HOST", socket).env("HOME", self.0.path());
        command.env("XDG_CACHE_HOME", self.0.path().join("cache"));
        command
    }

    fn host(&self, socket: &str) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_mpcheck"), socket);
        command.args(["host", "--format", "json"]);
        command
    }
}

/// The report, and the exit code.
fn told(output: &Output) -> (Value, i32) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    (report, output.status.code().unwrap())
}

fn report(command: &mut Command) -> Value {
    let (report, code) = told(&command.output().unwrap());
    assert_eq!(code, 0, "{report:#}");
    report
}

fn platform<'r>(report: &'r Value, name: &str) -> &'r Value {
    report["host"]["platforms"].as_array().unwrap().iter().find(|row| row["platform"] == name).unwrap()
}

fn way<'r>(report: &'r Value, name: &str, way: &str) -> &'r Value {
    platform(report, name)["ways"].as_array().unwrap().iter().find(|check| check["name"] == way).unwrap()
}

fn findings<'r>(report: &'r Value, rule: &str) -> Vec<&'r Value> {
    report["findings"].as_array().unwrap().iter().filter(|finding| finding["rule"] == rule).collect()
}

/// What runs of `mpcheck host` have in an engine.
fn things(socket: &str) -> Vec<String> {
    let containers = done(docker(socket).args(["ps", "--all", "--format", "{{.Names}}"]));
    let images = done(docker(socket).args(["images", "--format", "{{.Repository}}:{{.Tag}}"]));
    let all = containers.lines().chain(images.lines());
    all.filter(|name| name.contains("mpcheck-host-") || name.contains("mpcheck.invalid/host-"))
        .map(str::to_owned)
        .collect()
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..1200 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{what} has not come within a minute");
}

/// An entry of the machine's registry, which goes with this.
struct Entry(String);

impl Entry {
    fn new(interpreter: &Path, flags: &str) -> Self {
        let entry = Self(format!("mpcheck-host-engine-{}", std::process::id()));
        fs::write(format!("{REGISTRY}/register"), line(&entry.0, interpreter, flags)).unwrap();
        entry
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let _ = fs::write(format!("{REGISTRY}/{}", self.0), "-1");
    }
}

/// What registers a handler for programs of the architecture that has wrong ones.
fn line(name: &str, interpreter: &Path, flags: &str) -> String {
    let emulator = Architecture::by_name(WRONG).unwrap().emulator.unwrap();
    let escaped = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    let (magic, mask) = (escaped(&emulator.magic), escaped(&emulator.mask));
    format!(":{name}:M:0:{magic}:{mask}:{}:{flags}", interpreter.display())
}

fn emulator() -> std::path::PathBuf {
    Path::new(&part("MPCHECK_QEMU")).join("qemu-mips-static")
}

#[rstest]
#[case::classic(classic(), "classic", true)]
#[case::containerd(containerd(), "containerd", true)]
#[case::old(old(), "classic", false)]
fn every_platform_is_proved_in_the_engine(#[case] socket: String, #[case] store: &str, #[case] buildkit: bool) {
    let _alone = alone();
    let report = report(Home::new().host(&socket).args(["--require", "linux/arm64"]));
    let engine = &report["host"]["engine"];
    assert_eq!((&engine["store"], &engine["buildkit"]), (&store.into(), &buildkit.into()), "{engine:#}");
    // Its process was seen here, in whatever namespace the engine is.
    assert_eq!((&engine["same_kernel"], &engine["kernel"]), (&true.into(), &report["host"]["kernel"]), "{engine:#}");
    let qemu = |name: &str| format!("qemu-{name} ");
    for (name, machine, emulator) in [
        ("linux/amd64", "x86_64", None),
        ("linux/386", "x86_64", None),
        ("linux/arm64", "aarch64", Some(qemu("aarch64"))),
        ("linux/arm/v7", "armv7l", Some(qemu("arm"))),
        ("linux/ppc64le", "ppc64le", Some(qemu("ppc64le"))),
        ("linux/riscv64", "riscv64", Some(qemu("riscv64"))),
        ("linux/s390x", "s390x", Some(qemu("s390x"))),
    ] {
        let row = platform(&report, name);
        assert_eq!(way(&report, name, "engine")["status"], "passed", "{row:#}");
        assert_eq!(row["engine"]["machine"], machine, "{row:#}");
        match emulator {
            None => assert_eq!(row["engine"]["emulator"], Value::Null, "{row:#}"),
            Some(start) => assert!(row["engine"]["emulator"].as_str().unwrap().starts_with(&start), "{row:#}"),
        }
    }
    for rule in ["host/engine-failed", "host/engine-not-ready", "host/only-in-engine"] {
        assert_eq!(findings(&report, rule), Vec::<&Value>::new());
    }
    assert_eq!(findings(&report, "host/buildkit-off").len(), usize::from(!buildkit));
    assert_eq!(things(&socket), Vec::<String>::new());
}

#[test]
fn people_see_a_column_of_their_own() {
    let _alone = alone();
    let home = Home::new();
    let mut command = home.command(env!("CARGO_BIN_EXE_mpcheck"), &classic());
    let said = done(command.args(["host"]));
    assert!(said.contains("  Docker  ") && said.contains("this host's kernel"), "{said}");
}

#[rstest]
fn a_handler_without_the_flag_f_fails_in_the_engine_too(#[values(classic(), containerd(), old())] socket: String) {
    let _alone = alone();
    let _entry = Entry::new(&emulator(), "P");
    let report = report(&mut Home::new().host(&socket));
    let name = format!("linux/{WRONG}");
    let row = platform(&report, &name);
    assert_eq!(way(&report, &name, "direct")["status"], "passed", "{row:#}");
    let in_engine = way(&report, &name, "engine");
    assert_eq!(in_engine["status"], "failed", "{row:#}");
    assert!(in_engine["reason"].as_str().unwrap().contains("is not there"), "{row:#}");
    assert_eq!((&row["status"], &row["engine"]), (&"broken".into(), &Value::Null), "{row:#}");
    // It is one kernel, and told once.
    assert_eq!(findings(&report, "host/no-fix-binary").len(), 1);
    assert_eq!(findings(&report, "host/engine-not-ready"), Vec::<&Value>::new());
}

/// `mpcheck host` in a namespace with a registry of its own, which the engine's containers do not get.
fn in_a_namespace(socket: &str, commands: &str, arguments: &[&str]) -> (Value, i32) {
    let home = Home::new();
    let script = format!(
        "set -e; R={REGISTRY}; mount -t binfmt_misc binfmt_misc $R; {commands}; exec \"$@\" host --format json"
    );
    let mut command = home.command("unshare", socket);
    command.args(["--user", "--map-root-user", "--mount", "bash", "-c", &script, "bash"]);
    let program = home.0.path().join("mpcheck");
    // A wrapper, as its arguments come after `host`.
    fs::write(&program, format!("#!/bin/sh\nexec {} \"$@\" {}\n", env!("CARGO_BIN_EXE_mpcheck"), arguments.join(" ")))
        .unwrap();
    command.arg("sh").arg(&program);
    told(&command.output().unwrap())
}

#[test]
fn what_runs_in_the_engine_alone_is_a_note() {
    let _alone = alone();
    let (report, code) = in_a_namespace(&classic(), "true", &[]);
    assert_eq!(code, 0, "{report:#}");
    let found = findings(&report, "host/only-in-engine");
    let about: Vec<_> = found.iter().map(|finding| finding["platform"].as_str().unwrap()).collect();
    for name in ["linux/arm64", "linux/s390x"] {
        assert_eq!(way(&report, name, "engine")["status"], "passed");
        assert_eq!(platform(&report, name)["status"], "none");
        assert!(about.contains(&name), "{about:?}");
    }
}

#[rstest]
#[case::as_it_is(&[], 0, "warning")]
#[case::required(&["--require", "linux/mips"], 1, "error")]
fn what_runs_on_the_host_alone_is_told(#[case] arguments: &[&str], #[case] wanted: i32, #[case] severity: &str) {
    let _alone = alone();
    let register = format!("echo '{}' > $R/register", line("test", &emulator(), "PFC"));
    let (report, code) = in_a_namespace(&containerd(), &register, arguments);
    assert_eq!(code, wanted, "{report:#}");
    assert_eq!(platform(&report, "linux/mips")["status"], "emulated");
    let found = findings(&report, "host/engine-not-ready");
    let [finding] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!((&finding["platform"], &finding["severity"]), (&"linux/mips".into(), &severity.into()), "{finding:#}");
    assert_eq!(way(&report, "linux/mips", "engine")["status"], "failed");
}

/// The emulator waits for a very long time, and so the run stands where a signal finds it.
#[rstest]
fn a_signal_leaves_nothing_in_the_engine(
    #[values(classic(), containerd(), old())] socket: String,
    #[values("INT", "TERM")] signal: &str,
) {
    let _alone = alone();
    let home = Home::new();
    let waiter = home.0.path().join("waiter");
    fs::write(&waiter, mpcheck::probe::waiter(Platform::host().row().unwrap(), 1000).unwrap()).unwrap();
    fs::set_permissions(&waiter, fs::Permissions::from_mode(0o755)).unwrap();
    let _entry = Entry::new(&waiter, "F");
    let mut child = home.host(&socket).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let running = || things(&socket).iter().any(|name| name.starts_with("mpcheck-host-"));
    wait_for("a container", running);
    done(Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]));
    assert!(!child.wait().unwrap().success());
    assert_eq!(things(&socket), Vec::<String>::new());
    // Nor on the host: the probe was started there too, under the same emulator.
    wait_for("the end of the emulator", || started_by(&waiter).is_empty());
}

/// The processes of a program that is started by nobody else, as their `status` files.
fn started_by(program: &Path) -> Vec<String> {
    let program = program.to_string_lossy();
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let of_it = processes.filter(|process| {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).starts_with(&*program)
    });
    of_it.map(|process| fs::read_to_string(process.join("status")).unwrap_or_default()).collect()
}

/// Answers each request by its first line; where there is no answer it hangs up.
fn fake(directory: &Path, answer: fn(&str) -> Option<String>) -> String {
    let socket = directory.join("docker.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || talk(stream.unwrap(), answer));
        }
    });
    format!("unix://{}", socket.display())
}

fn talk(mut stream: UnixStream, answer: fn(&str) -> Option<String>) -> Option<()> {
    loop {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let body = answer(head.lines().next()?)?;
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).ok()?;
    }
}

fn introduction(line: &str) -> Option<String> {
    let version =
        r#"{"Version":"26.1","ApiVersion":"1.45","Os":"linux","Arch":"amd64","KernelVersion":"5.4.0-another"}"#;
    match line {
        line if line.contains("/version") => Some(version.to_owned()),
        line if line.contains("/info") => Some("{}".to_owned()),
        _ => None,
    }
}

#[test]
fn an_engine_that_breaks_off_is_told_and_the_rest_is_proved() {
    let directory = tempfile::tempdir().unwrap();
    let socket = fake(directory.path(), introduction);
    let report = report(&mut Home::new().host(&socket));
    let [finding] = findings(&report, "host/engine-failed")[..] else { panic!("{report:#}") };
    assert_eq!(finding["severity"], "warning");
    let engine = &report["host"]["engine"];
    assert!(engine["not_proved"].as_str().unwrap().contains("could not be given an image"), "{engine:#}");
    assert_eq!((&engine["same_kernel"], &engine["kernel"]), (&false.into(), &"5.4.0-another".into()));
    assert_eq!(way(&report, "linux/amd64", "engine")["status"], "error");
    assert_eq!(way(&report, "linux/amd64", "direct")["status"], "passed");
}

#[test]
fn an_engine_that_says_nothing_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("docker.sock");
    // The kernel accepts connections for it, and nobody answers.
    let _listener = UnixListener::bind(&socket).unwrap();
    let report = report(&mut Home::new().host(&format!("unix://{}", socket.display())));
    assert_eq!(findings(&report, "host/engine-failed").len(), 1, "{report:#}");
    assert!(report["host"]["no_engine"].as_str().unwrap().contains("said nothing"), "{report:#}");
    assert_eq!(way(&report, "linux/amd64", "direct")["status"], "passed");
}

/// As somebody who is not in the socket's group.
#[test]
fn an_engine_that_lets_nobody_in_is_a_fact_with_its_next_step() {
    let home = Home::new();
    fs::set_permissions(home.0.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = home.0.path().join("mpcheck");
    fs::copy(env!("CARGO_BIN_EXE_mpcheck"), &program).unwrap();
    let socket = home.0.path().join("docker.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = home.command("setpriv", &format!("unix://{}", socket.display()));
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program).args(["host", "--format", "json"]);
    let (report, code) = told(&command.output().unwrap());
    assert_eq!(code, 0, "{report:#}");
    let why = report["host"]["no_engine"].as_str().unwrap();
    assert!(why.contains("permission denied") && why.contains("usermod -aG docker"), "{why}");
    // It was named, so there is to be one; nothing is required of it.
    let [finding] = findings(&report, "host/engine-failed")[..] else { panic!("{report:#}") };
    assert_eq!(finding["severity"], "warning");
}

#[rstest]
#[case::classic(classic(), 1)]
#[case::containerd(containerd(), 0)]
#[case::old(old(), 1)]
fn buildx_and_its_own_builder_are_told(#[case] socket: String, #[case] classic_stores: usize) {
    let _alone = alone();
    let report = report(&mut Home::with_buildx().host(&socket));
    let buildx = &report["host"]["buildx"];
    assert!(buildx["version"].as_str().unwrap().starts_with(|first: char| first.is_ascii_digit()), "{buildx:#}");
    assert!(buildx["path"].as_str().unwrap().ends_with(".docker/cli-plugins/docker-buildx"), "{buildx:#}");
    let builders = report["host"]["builders"].as_array().unwrap();
    let [builder] = builders.as_slice() else { panic!("{builders:#?}") };
    assert_eq!(
        (&builder["name"], &builder["driver"], &builder["current"]),
        (&"default".into(), &"docker".into(), &true.into())
    );
    let node = &builder["nodes"][0];
    assert_eq!((&node["status"], &node["forced"]), (&"running".into(), &Value::Array(Vec::new())), "{node:#}");
    assert!(node["platforms"].as_array().unwrap().contains(&"linux/arm64".into()), "{node:#}");
    assert_eq!(findings(&report, "host/builder-platform"), Vec::<&Value>::new());
    assert_eq!(findings(&report, "host/no-buildx"), Vec::<&Value>::new());
    assert_eq!(findings(&report, "host/classic-store").len(), classic_stores);
}

/// Nobody starts the builder, neither the test nor mpcheck.
#[test]
fn a_forced_platform_that_does_not_run_is_told() {
    let _alone = alone();
    let (home, socket) = (Home::with_buildx(), classic());
    let buildx = home.0.path().join(".docker/cli-plugins/docker-buildx");
    let mut create = home.command(&buildx, &socket);
    create.args(["create", "--name", "forced", "--driver", "docker-container", "--platform", "linux/arm64,linux/mips"]);
    done(create.arg(&socket));
    let state = |home: &Home| {
        let files = fs::read_dir(home.0.path().join(".docker/buildx")).unwrap().flatten();
        let mut files: Vec<_> = files.map(|entry| (entry.path(), fs::read(entry.path()).ok())).collect();
        files.sort();
        files
    };
    let before = state(&home);
    let report = report(&mut home.host(&socket));
    assert_eq!(state(&home), before);
    let builders = report["host"]["builders"].as_array().unwrap();
    let builder = builders.iter().find(|builder| builder["name"] == "forced").unwrap();
    let node = &builder["nodes"][0];
    assert_eq!(node["status"], "inactive", "{node:#}");
    assert_eq!(node["forced"], serde_json::json!(["linux/arm64", "linux/mips"]));
    let [finding] = findings(&report, "host/builder-platform")[..] else { panic!("{report:#}") };
    assert!(finding["observed"].as_str().unwrap().ends_with(": linux/mips"), "{finding:#}");
    let [store] = findings(&report, "host/classic-store")[..] else { panic!("{report:#}") };
    assert!(store["hint"].as_str().unwrap().contains("--builder forced"), "{store:#}");
    let containers = done(docker(&socket).args(["ps", "--all", "--format", "{{.Names}}"]));
    assert!(!containers.contains("buildx_buildkit_forced"), "{containers}");
}

#[test]
fn without_buildx_it_is_missed_and_the_environment_is_heard() {
    let _alone = alone();
    let report = report(Home::new().host(&containerd()).env("DOCKER_BUILDKIT", "0"));
    // Where the machine has one of its own it is found; the tests' machine has none.
    assert_eq!(report["host"]["buildx"].is_null(), !findings(&report, "host/no-buildx").is_empty());
    let [off] = findings(&report, "host/buildkit-off")[..] else { panic!("{report:#}") };
    assert_eq!(off["hint"], "`unset DOCKER_BUILDKIT`");
}
