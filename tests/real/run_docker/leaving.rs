//! How the image comes into the engine, and that nothing of a run stays there: also after a failure, a signal or a kill.

use super::{Examined, anonymous, lines, old, output, read, runner, runner_with};
use crate::parts::{EngineImage, classic, containerd, docker, done, part, skopeo_copy};
use mpcheck::image::descriptor::Descriptor;
use mpcheck::image::reference::Location;
use mpcheck::image::source::registry::CredentialEnvironment;
use mpcheck::image::source::{Root, Source, SourceError};
use mpcheck::platform::Platform;
use mpcheck::run::{Exit, Runner, Task, cleanup};
use rstest::rstest;
use serde_json::json;
use std::fs;
use std::io::Read;
use std::process::{Child, Stdio};
use std::time::Duration;

#[rstest]
fn an_image_of_a_registry_is_pulled_and_goes_again(#[values(classic(), containerd(), old())] socket: String) {
    let examined = Examined::real("busybox");
    let name = examined.push("run-docker-pulled");
    let examined = examined.from(&name, &anonymous());
    for platform in ["linux/amd64", "linux/s390x"] {
        let ran = examined.run(&socket, platform, &["uname -m"]).unwrap();
        assert_eq!(ran.started, Some(Platform::parse(platform).unwrap()));
    }
    examined.assert_nothing_in(&socket);
}

/// The engine gets the credentials that this process found.
#[rstest]
fn an_image_that_asks_for_credentials_is_pulled_with_them(#[values(classic(), containerd(), old())] socket: String) {
    let examined = Examined::real("busybox");
    let name = format!("{}/run-docker-secret:{}", part("MPCHECK_REGISTRY_BASIC"), examined.mark);
    let layout = format!("oci:{}:latest", examined.directory.path().display());
    let mut copy = skopeo_copy();
    done(copy.args([
        "--dest-tls-verify=false",
        "--dest-creds",
        "mpcheck:secret",
        &layout,
        &format!("docker://{name}"),
    ]));
    let config = tempfile::tempdir().unwrap();
    let host = part("MPCHECK_REGISTRY_BASIC");
    // "mpcheck:secret"
    let auths = json!({ "auths": { host: { "auth": "bXBjaGVjazpzZWNyZXQ=" } } });
    fs::write(config.path().join("config.json"), auths.to_string()).unwrap();
    let credentials =
        CredentialEnvironment { docker_config: Some(config.path().into()), ..CredentialEnvironment::default() };
    let mut options = anonymous();
    options.registry.credentials = credentials.clone();
    let examined = examined.from(&name, &options);
    // A source that gives no layer: what runs can only have been pulled.
    let source = Without { inner: examined.source.as_ref(), layers: Missing::Refused };
    let commands = lines(&["uname -m"]);
    let task = Task { source: &source, ..examined.task("linux/arm64", &commands) };
    let ran = runner_with(&socket, credentials).run(&task).unwrap();
    assert_eq!(output(&ran.ended[0]), "aarch64\n");
    examined.assert_nothing_in(&socket);
}

/// A source whose layers cannot be had.
struct Without<'a> {
    inner: &'a dyn Source,
    layers: Missing,
}

#[derive(Clone, Copy)]
enum Missing {
    Refused,
    Short,
    Panic,
}

impl Source for Without<'_> {
    fn name(&self) -> String {
        self.inner.name()
    }

    fn root(&self) -> Result<Root, SourceError> {
        self.inner.root()
    }

    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, SourceError> {
        if !descriptor.media_type.contains("layer") {
            return self.inner.open(descriptor);
        }
        match self.layers {
            Missing::Refused => Err(SourceError::NotHeld {
                digest: descriptor.digest.clone(),
                why: "the test does not give it".to_owned(),
            }),
            Missing::Short => Ok(Box::new(self.inner.open(descriptor)?.take(descriptor.size / 2))),
            Missing::Panic => panic!("the test's source panics"),
        }
    }
}

#[rstest]
#[case(Missing::Refused, "the test does not give it")]
#[case(Missing::Short, "")]
#[case(Missing::Panic, "a fault of this program")]
fn a_layer_that_cannot_be_read_leaves_nothing(
    #[values(classic(), containerd(), old())] socket: String,
    #[case] layers: Missing,
    #[case] words: &str,
) {
    // Nothing is built from this one: an engine that has a layer in its builder's cache would not ask for it.
    let examined = Examined::real("distroless");
    let source = Without { inner: examined.source.as_ref(), layers };
    let commands = lines(&["uname -m"]);
    let task = Task { source: &source, ..examined.task("linux/arm64", &commands) };
    let error = runner(&socket).run(&task).unwrap_err();
    assert!(error.why.contains(words), "{error:?}");
    examined.assert_nothing_in(&socket);
}

/// A registry that this process reaches and the engine does not.
#[rstest]
fn what_the_engine_cannot_pull_is_loaded(#[values(classic(), containerd(), old())] socket: String) {
    let examined = Examined::real("busybox");
    // Nobody listens on the discard port.
    let location = Location::parse("docker://127.0.0.1:9/nothing/here:1").unwrap();
    let commands = lines(&["uname -m"]);
    let task = Task { location: &location, ..examined.task("linux/arm64", &commands) };
    let ran = runner(&socket).run(&task).unwrap();
    assert_eq!(output(&ran.ended[0]), "aarch64\n");
    examined.assert_nothing_in(&socket);
}

#[rstest]
fn an_image_that_was_there_before_stays(
    #[values(classic(), containerd(), old())] socket: String,
    #[values("linux/amd64", "linux/arm64")] platform: &str,
    #[values(true, false)] from_registry: bool,
) {
    let examined = Examined::real("busybox");
    let name = examined.push("run-docker-there");
    let _removed = EngineImage::named(&socket, &name);
    done(docker(&socket).args(["pull", "--quiet", "--platform", platform, &name]));
    let before = examined.things(&socket);
    assert_eq!(before, std::slice::from_ref(&name));
    // What is not there can only be had from the engine.
    let examined = if from_registry { examined.from(&name, &anonymous()) } else { examined };
    let source = Without { inner: examined.source.as_ref(), layers: Missing::Refused };
    let location = Location::parse("docker://127.0.0.1:9/nothing/here:1").unwrap();
    let commands = lines(&["uname -m"]);
    let task = Task { source: &source, location: &location, ..examined.task(platform, &commands) };
    let ran = runner(&socket).run(&task).unwrap();
    assert_eq!(ran.ended[0].exit, Exit::Code(0));
    assert_eq!(examined.things(&socket), before);
    // It still runs there.
    done(docker(&socket).args(["run", "--rm", "--network", "none", "--platform", platform, &name, "true"]));
}

/// The classic store keeps an image that has lost its name, and that is somebody's too.
#[rstest]
fn an_image_without_a_name_stays(#[values(classic(), old())] socket: String) {
    let examined = Examined::real("busybox");
    let name = examined.push("run-docker-nameless");
    done(docker(&socket).args(["pull", "--quiet", &name]));
    let id = done(docker(&socket).args(["image", "inspect", "--format", "{{.Id}}", &name]));
    let other = Examined::real("busybox").push("run-docker-nameless");
    done(docker(&socket).args(["pull", "--quiet", &other]));
    done(docker(&socket).args(["tag", &other, &name]));
    let _removed = [id.trim(), &name, &other].map(|name| EngineImage::named(&socket, name));
    examined.run(&socket, "linux/amd64", &["true"]).unwrap();
    done(docker(&socket).args(["image", "inspect", id.trim()]));
}

/// What two runs brought together goes with the second of them, and not from under it.
#[rstest]
fn two_runs_of_one_image_do_not_disturb_each_other(#[values(classic(), containerd(), old())] socket: String) {
    let examined = Examined::real("busybox");
    std::thread::scope(|threads| {
        for line in ["sleep 1", "sleep 4", "sleep 2"] {
            let (examined, socket) = (&examined, &socket);
            threads.spawn(move || {
                let ran = examined.run(socket, "linux/arm64", &[line, "uname -m"]).unwrap();
                assert_eq!(output(&ran.ended[1]), "aarch64\n");
            });
        }
    });
    examined.assert_nothing_in(&socket);
}

/// The role of the test below that is ended: set to the socket and the image's directory.
const ROLE: &str = "MPCHECK_TEST_RUN_DOCKER";

fn child(test: &str, socket: &str, examined: &Examined) -> Child {
    let role = format!("{socket} {} {}", examined.directory.path().display(), examined.mark);
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(ROLE, role).stdout(Stdio::null());
    command.spawn().unwrap()
}

/// Runs for a long time, as a process of its own.
fn long_run(role: &str) {
    cleanup::on_signal().unwrap();
    let [socket, directory, _] = role.split(' ').collect::<Vec<_>>()[..] else { panic!("{role}") };
    let (location, source, facts) = read(&format!("oci:{directory}:latest"), &anonymous());
    let copy = tempfile::tempdir().unwrap();
    let examined = Examined { mark: String::new(), location, source, facts, directory: copy };
    let _ = examined.run(socket, "linux/amd64", &["sleep 100"]);
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..600 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{what} has not come within a minute");
}

#[rstest]
#[case("TERM")]
#[case("INT")]
#[case("HUP")]
fn a_signal_leaves_nothing_behind(#[case] signal: &str) {
    if let Ok(role) = std::env::var(ROLE) {
        return long_run(&role);
    }
    let case = match signal {
        "TERM" => 1,
        "INT" => 2,
        _ => 3,
    };
    let test = format!("run_docker::leaving::a_signal_leaves_nothing_behind::case_{case}");
    for socket in [classic(), containerd(), old()] {
        let examined = Examined::real("busybox");
        let mut child = child(&test, &socket, &examined);
        // In the middle of the run, at whatever it is doing.
        wait_for("a container", || examined.things(&socket).iter().any(|thing| thing.starts_with("mpcheck-run-")));
        done(std::process::Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]));
        let status = child.wait().unwrap();
        assert!(!status.success(), "{status}");
        examined.assert_nothing_in(&socket);
    }
}

/// Nobody is left to remove anything then: the container has to go by itself, with its volume, when its time is over.
#[test]
fn after_a_kill_the_container_ends_by_itself() {
    if let Ok(role) = std::env::var(ROLE) {
        return long_run(&role);
    }
    let socket = classic();
    let examined = Examined::real("busybox");
    let mut child = child("run_docker::leaving::after_a_kill_the_container_ends_by_itself", &socket, &examined);
    let container = || examined.things(&socket).into_iter().find(|thing| thing.starts_with("mpcheck-run-"));
    let top = |name: &str| docker(&socket).args(["top", name]).output().unwrap();
    wait_for("the command", || {
        container().is_some_and(|name| String::from_utf8_lossy(&top(&name).stdout).contains("sleep"))
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let name = container().unwrap();
    let format = "{{.HostConfig.AutoRemove}} {{(index .Mounts 0).Name}} {{index .Config.Labels \"mpcheck\"}}";
    let facts = done(docker(&socket).args(["inspect", "--format", format, &name]));
    let [auto_remove, volume, label] = facts.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{facts}") };
    assert_eq!((auto_remove, label), ("true", "1"));
    // As if the time were over.
    done(docker(&socket).args(["kill", &name]));
    wait_for("the end of the container", || container().is_none());
    wait_for("the end of its volume", || {
        !docker(&socket).args(["volume", "inspect", volume]).output().unwrap().status.success()
    });
    for name in examined.things(&socket) {
        done(docker(&socket).args(["image", "rm", &name]));
    }
}
