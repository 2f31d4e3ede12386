//! The runner `docker` on real engines: what runs, how it ends, and that nothing of it stays.

mod freedom;
mod leaving;

use crate::images::Layout;
use crate::parts::{classic, containerd, docker, done, part, real_image, registry, skopeo_copy};
use mpcheck::image::ImageFacts;
use mpcheck::image::examine::{Options, examine};
use mpcheck::image::layer::Limits as LayerLimits;
use mpcheck::image::observe::Silent;
use mpcheck::image::reference::Location;
use mpcheck::image::source::registry::CredentialEnvironment;
use mpcheck::image::source::{EngineEnvironment, EngineOptions, Source, SourceOptions, open_image};
use mpcheck::platform::{Architecture, Platform, Selection};
use mpcheck::probe;
use mpcheck::run::docker::Docker;
use mpcheck::run::{Command, Cpu, Ended, Exit, Freedom, Limits, NotReady, Ran, Runner, StartError, Task};
use mpcheck_kit::image::Image;
use mpcheck_kit::index::Index;
use mpcheck_kit::layer::Layer;
use mpcheck_kit::store::Forged;
use rstest::rstest;
use serde_json::json;
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::Path;
use std::time::Duration;

/// The platforms of the real images, and what `uname -m` says there on an amd64 machine.
const PLATFORMS: [(&str, &str); 7] = [
    ("linux/386", "x86_64"),
    ("linux/amd64", "x86_64"),
    ("linux/arm/v7", "armv7l"),
    ("linux/arm64", "aarch64"),
    ("linux/ppc64le", "ppc64le"),
    ("linux/riscv64", "riscv64"),
    ("linux/s390x", "s390x"),
];
/// The label by which a test finds what is its own in an engine: containers have their image's labels.
const LABEL: &str = "mpcheck.test";

/// Docker 20.10.
fn old() -> String {
    part("MPCHECK_ENGINE_OLD")
}

fn runner(socket: &str) -> Docker {
    runner_with(socket, CredentialEnvironment::default())
}

fn runner_with(socket: &str, credentials: CredentialEnvironment) -> Docker {
    let options = EngineOptions {
        host: Some(socket.to_owned()),
        environment: EngineEnvironment::default(),
        temporary: std::env::temp_dir(),
    };
    Docker::new(options, credentials)
}

fn random() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

/// An image that no other test has, examined as far as a run needs it.
struct Examined {
    mark: String,
    location: Location,
    source: Box<dyn Source>,
    facts: ImageFacts,
    directory: tempfile::TempDir,
}

impl Examined {
    /// A real image with a label of the test's own.
    fn real(image: &str) -> Examined {
        let mark = random();
        let layout = Layout::copy_of(&real_image(image));
        layout.edit(|_, _, _, config| config["config"]["Labels"] = json!({ LABEL: mark }));
        Examined::at(mark, layout.directory)
    }

    fn forged(images: Vec<Image>) -> Examined {
        let mark = random();
        let images = images.into_iter().map(|image| image.setting("Labels", json!({ LABEL: mark })));
        let forged: Forged = Index::new().images(images).forge();
        let directory = tempfile::tempdir().unwrap();
        forged.write_layout(directory.path(), Some("latest")).unwrap();
        Examined::at(mark, directory)
    }

    fn at(mark: String, directory: tempfile::TempDir) -> Examined {
        let (location, source, facts) = read(&format!("oci:{}:latest", directory.path().display()), &anonymous());
        Examined { mark, location, source, facts, directory }
    }

    /// The same image from elsewhere.
    fn from(self, name: &str, options: &SourceOptions) -> Examined {
        let (location, source, facts) = read(name, options);
        Examined { location, source, facts, ..self }
    }

    fn task<'a>(&'a self, platform: &str, commands: &'a [Command]) -> Task<'a> {
        let wanted = Platform::parse(platform).unwrap();
        let platform = self.facts.platforms.iter().find(|facts| facts.platform == wanted).unwrap();
        Task {
            platform,
            config: platform.config.as_ref().unwrap(),
            source: self.source.as_ref(),
            location: &self.location,
            cpu: Cpu::Max,
            commands,
            limits: Limits::default(),
            user: None,
            freedom: Freedom::none(),
        }
    }

    fn run(&self, socket: &str, platform: &str, commands: &[&str]) -> Result<Ran, NotReady> {
        runner(socket).run(&self.task(platform, &lines(commands)))
    }

    /// What becomes of one command on the machine's own platform.
    fn one(&self, socket: &str, line: &str) -> Ended {
        self.run(socket, "linux/amd64", &[line]).unwrap().ended.remove(0)
    }

    /// The containers and images of this image in an engine.
    fn things(&self, socket: &str) -> Vec<String> {
        let label = format!("label={LABEL}={}", self.mark);
        let list = |words: &[&str]| done(docker(socket).args(words).args(["--filter", &label]));
        let containers = list(&["ps", "--all", "--format", "{{.Names}}"]);
        let images = list(&["images", "--all", "--format", "{{.Repository}}:{{.Tag}}"]);
        containers.lines().chain(images.lines()).map(str::to_owned).collect()
    }

    #[track_caller]
    fn assert_nothing_in(&self, socket: &str) {
        assert_eq!(self.things(socket), Vec::<String>::new());
    }

    /// Copies it into the registry, and gives its name there.
    fn push(&self, repository: &str) -> String {
        let name = format!("{}/{repository}:{}", registry(), self.mark);
        let layout = format!("oci:{}:latest", self.directory.path().display());
        done(skopeo_copy().arg("--dest-tls-verify=false").arg(layout).arg(format!("docker://{name}")));
        name
    }
}

fn read(name: &str, options: &SourceOptions) -> (Location, Box<dyn Source>, ImageFacts) {
    let location = Location::parse(name).unwrap();
    let source = open_image(&location, options).unwrap();
    let selection = Selection::all();
    let options = Options {
        selection: &selection,
        limits: LayerLimits::default(),
        jobs: 1,
        cache: None,
        layers: false,
        unpack: None,
    };
    let facts = examine(source.as_ref(), &options, &Silent).unwrap();
    (location, source, facts)
}

fn anonymous() -> SourceOptions {
    SourceOptions { environment: EngineEnvironment::default(), ..SourceOptions::default() }
}

fn lines(commands: &[&str]) -> Vec<Command> {
    commands.iter().map(|line| command(line)).collect()
}

/// A command line, split at the spaces; what follows a `sh -c` is one word.
fn command(line: &str) -> Command {
    let words = match line.strip_prefix("sh -c ") {
        Some(script) => vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()],
        None => line.split(' ').map(str::to_owned).collect(),
    };
    Command::new(words, Duration::from_secs(120))
}

fn output(ended: &Ended) -> &str {
    std::str::from_utf8(&ended.stdout.bytes).unwrap()
}

/// A program for an architecture, without an image around it.
fn probe_for(architecture: &str) -> Vec<u8> {
    probe::probe(Architecture::by_name(architecture).unwrap()).unwrap()
}

#[rstest]
fn every_platform_of_a_real_image_runs_and_leaves_nothing(
    #[values(classic(), containerd(), old())] socket: String,
    #[values("busybox", "userland")] image: &str,
) {
    let examined = Examined::real(image);
    for (platform, machine) in PLATFORMS {
        let ran = examined.run(&socket, platform, &["uname -m", "/bin/sh -c true"]).unwrap();
        assert_eq!(ran.machine, machine, "{platform}");
        assert_eq!(output(&ran.ended[0]).trim(), machine, "{platform}");
        assert_eq!(ran.ended[0].exit, Exit::Code(0), "{platform}");
        assert_eq!(ran.ended[1].exit, Exit::Code(0), "{platform}");
        assert_eq!(ran.started, Some(Platform::parse(platform).unwrap()));
        match (platform, ran.emulator) {
            ("linux/386" | "linux/amd64", None) => {}
            (_, Some(emulator)) => assert!(emulator.starts_with("qemu-") && emulator.contains('.'), "{emulator}"),
            (_, None) => panic!("{platform} is said to be native"),
        }
    }
    examined.assert_nothing_in(&socket);
}

#[rstest]
fn an_image_without_a_shell_runs(#[values(classic(), containerd(), old())] socket: String) {
    let image = |platform: &str, architecture: &str| {
        Image::new(platform).layer(Layer::new().program("app", probe_for(architecture)).build())
    };
    let examined = Examined::forged(vec![image("linux/amd64", "amd64"), image("linux/arm64", "arm64")]);
    for (platform, machine) in [("linux/amd64", "x86_64"), ("linux/arm64", "aarch64")] {
        let ran = examined.run(&socket, platform, &["/app"]).unwrap();
        assert_eq!(ran.ended[0].exit, Exit::Code(42));
        assert_eq!(output(&ran.ended[0]), format!("{machine}\n/app\n"));
    }
    examined.assert_nothing_in(&socket);
}

#[rstest]
#[case("sh -c exit 3", Exit::Code(3))]
#[case("sh -c exit 126", Exit::Code(126))]
#[case("sh -c exit 129", Exit::Code(129))]
#[case("sh -c kill -ILL $$", Exit::Signal(4))]
#[case("sh -c kill -SEGV $$", Exit::Signal(11))]
#[case("sh -c kill -KILL $$", Exit::Signal(9))]
#[case("no-such-program", Exit::NotStarted(StartError::NotFound))]
#[case("/no/such/program", Exit::NotStarted(StartError::NotFound))]
#[case("/etc/passwd/program", Exit::NotStarted(StartError::NotFound))]
#[case("/etc/passwd", Exit::NotStarted(StartError::NotExecutable))]
#[case("/etc", Exit::NotStarted(StartError::NotExecutable))]
// A program may say what an engine says.
#[case("sh -c echo 'OCI runtime exec failed: no such file or directory'; exit 126", Exit::Code(126))]
#[case("sh -c echo 'sh: exec format error' >&2; exit 1", Exit::Code(1))]
fn a_command_ends_as_it_ends(
    #[values(classic(), containerd(), old())] socket: String,
    #[case] line: &str,
    #[case] expected: Exit,
) {
    assert_eq!(Examined::real("busybox").one(&socket, line).exit, expected);
}

#[rstest]
#[case("/garbage", StartError::ExecFormat)]
#[case("/script-without-interpreter-line", StartError::ExecFormat)]
#[case("/foreign", StartError::ExecFormat)]
#[case("/script-of-nothing", StartError::NotFound)]
fn a_program_that_the_kernel_refuses_is_told_apart(
    #[values(classic(), containerd(), old())] socket: String,
    #[case] program: &str,
    #[case] expected: StartError,
) {
    let mut foreign = probe_for("amd64");
    // EM_BPF: no handler is for that.
    foreign[18..20].copy_from_slice(&247u16.to_le_bytes());
    let layer = Layer::new()
        .program("garbage", b"\x00\x01\x02")
        .program("script-without-interpreter-line", b"echo\n")
        .program("script-of-nothing", b"#!/nothing\n")
        .program("foreign", foreign);
    let examined = Examined::forged(vec![Image::new("linux/amd64").layer(layer.build())]);
    let ended = examined.one(&socket, program);
    assert_eq!(ended.exit, Exit::NotStarted(expected));
}

#[rstest]
fn the_image_s_user_directory_and_environment_apply(#[values(classic(), containerd(), old())] socket: String) {
    let layout = Layout::copy_of(&real_image("busybox"));
    let mark = random();
    layout.edit(|_, _, _, config| {
        config["config"] = json!({
            "Labels": { LABEL: mark }, "User": "1234:2345", "WorkingDir": "/usr/bin",
            "Env": ["PATH=/usr/bin:/bin", "GREETING=a b"],
        });
    });
    let examined = Examined::at(mark, layout.directory);
    let ended = examined.one(&socket, "sh -c id -u; id -g; pwd; echo $GREETING; echo $PATH");
    assert_eq!(output(&ended), "1234\n2345\n/usr/bin\na b\n/usr/bin:/bin\n");
}

#[rstest]
fn a_user_that_the_image_does_not_have_is_the_command_s_failure(
    #[values(classic(), containerd(), old())] socket: String,
) {
    let layout = Layout::copy_of(&real_image("busybox"));
    let mark = random();
    layout.edit(|_, _, _, config| config["config"] = json!({ "Labels": { LABEL: mark }, "User": "nobody-here" }));
    let examined = Examined::at(mark, layout.directory);
    let error = examined.run(&socket, "linux/amd64", &["true"]).map(|ran| ran.ended[0].exit.clone());
    let Ok(Exit::NotStarted(StartError::Other(why))) = error else { panic!("{error:?}") };
    // "unable to find user nobody-here: ..", or with containerd's store "no users found".
    assert!(why.contains("user"), "{why}");
}

#[rstest]
#[case("sh -c touch /x", "Read-only file system")]
#[case("sh -c touch /data/x", "Read-only file system")]
#[case("sh -c cat /etc/passwd && touch /etc/x", "Read-only file system")]
#[case("sh -c touch /.mpcheck/x", "Read-only file system")]
#[case("sh -c echo >/.mpcheck/probe", "Read-only file system")]
#[case("sh -c mount -t tmpfs x /tmp", "permi")]
#[case("dd if=/dev/zero of=/tmp/x bs=1M count=100", "No space left")]
#[case("sh -c ping -c 1 127.0.0.2", "permi")]
#[case("sh -c wget -T 5 -O - http://192.0.2.1/", "unreachable")]
fn a_container_may_not(
    #[values(classic(), containerd(), old())] socket: String,
    #[case] line: &str,
    #[case] words: &str,
) {
    let layout = Layout::copy_of(&real_image("busybox"));
    let mark = random();
    layout.edit(|_, _, _, config| {
        config["config"] = json!({ "Labels": { LABEL: mark }, "Volumes": { "/data": {}, "/etc": {}, "/tmp": {} } });
    });
    let examined = Examined::at(mark, layout.directory);
    let ended = examined.one(&socket, line);
    examined.assert_nothing_in(&socket);
    let said = String::from_utf8_lossy(&ended.stderr.bytes).into_owned();
    assert!(said.contains(words) && ended.exit != Exit::Code(0), "{:?}: {said}", ended.exit);
}

#[rstest]
fn what_a_container_may_do(#[values(classic(), containerd(), old())] socket: String) {
    let examined = Examined::real("busybox");
    let script = "sh -c echo '#!/bin/sh' >/tmp/x; chmod +x /tmp/x; /tmp/x && ls /sys/class/net; \
        grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status; ulimit -c";
    let ended = examined.one(&socket, script);
    let expected = "lo\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\n0\n";
    assert_eq!(output(&ended), expected);
}

#[rstest]
fn more_processes_than_allowed_do_not_harm_the_engine(#[values(classic(), containerd(), old())] socket: String) {
    let examined = Examined::real("busybox");
    let mut commands = lines(&["sh -c b() { b | b & }; b; sleep 1000", "uname -m"]);
    commands[0].timeout = Duration::from_secs(5);
    let mut task = examined.task("linux/amd64", &commands);
    task.limits.processes = 64;
    let ran = runner(&socket).run(&task).unwrap();
    assert!(matches!(ran.ended[0].exit, Exit::TimedOut | Exit::Code(_)), "{:?}", ran.ended[0].exit);
    assert_eq!(ran.ended[1].exit, Exit::Code(0));
    examined.assert_nothing_in(&socket);
}

#[rstest]
#[case(classic(), Exit::OutOfMemory)]
#[case(containerd(), Exit::OutOfMemory)]
// It does not tell of what was started later in a container.
#[case(old(), Exit::Signal(9))]
fn more_memory_than_allowed_ends_the_command_alone(#[case] socket: String, #[case] expected: Exit) {
    let examined = Examined::real("busybox");
    let commands = lines(&["sh -c a=x; while :; do a=$a$a; done", "uname -m"]);
    let mut task = examined.task("linux/amd64", &commands);
    task.limits.memory = 64 << 20;
    let ran = runner(&socket).run(&task).unwrap();
    assert_eq!(ran.ended[0].exit, expected);
    assert_eq!(ran.ended[1].exit, Exit::Code(0));
}

#[rstest]
fn a_command_that_takes_too_long_is_killed_with_all_that_it_started(
    #[values(classic(), containerd(), old())] socket: String,
) {
    let examined = Examined::real("busybox");
    let stubborn = "sh -c trap '' TERM INT HUP; (while :; do sleep 1; done) & echo begun; while :; do sleep 1; done";
    let mut commands = lines(&[stubborn, "ps"]);
    commands[0].timeout = Duration::from_secs(3);
    let ran = runner(&socket).run(&examined.task("linux/amd64", &commands)).unwrap();
    assert_eq!(ran.ended[0].exit, Exit::TimedOut);
    assert_eq!(output(&ran.ended[0]), "begun\n");
    let processes = output(&ran.ended[1]);
    assert!(processes.contains("ps") && !processes.contains("sleep"), "{processes}");
    examined.assert_nothing_in(&socket);
}

#[test]
fn a_gigabyte_of_output_is_counted_and_not_kept() {
    let socket = classic();
    let examined = Examined::real("busybox");
    let mut commands = lines(&["sh -c yes | head -c 1000000000", "sh -c yes | head -c 3000000 >&2"]);
    commands[0].timeout = Duration::from_secs(600);
    let ran = runner(&socket).run(&examined.task("linux/amd64", &commands)).unwrap();
    let [first, second] = ran.ended.as_slice() else { panic!("{ran:?}") };
    assert_eq!((first.exit.clone(), first.stdout.total, first.stderr.total), (Exit::Code(0), 1_000_000_000, 0));
    assert_eq!(first.stdout.bytes.len(), Limits::default().output);
    assert_eq!((second.stdout.total, second.stderr.total), (0, 3_000_000));
}

#[rstest]
fn a_child_that_stays_behind_does_not_hold_its_command(#[values(classic(), old())] socket: String) {
    let ended = Examined::real("busybox").one(&socket, "sh -c sleep 1000 & echo done");
    assert_eq!((ended.exit.clone(), output(&ended)), (Exit::Code(0), "done\n"));
}

#[rstest]
fn the_baseline_processor_is_the_platform_s(#[values(classic(), old())] socket: String) {
    let image = |platform: &str, architecture: &str| {
        Image::new(platform).layer(Layer::new().program("app", probe_for(architecture)).build())
    };
    let examined = Examined::forged(vec![image("linux/arm/v6", "arm"), image("linux/amd64", "amd64")]);
    let machine = |cpu: Cpu| {
        let commands = lines(&["/app"]);
        let ran = runner(&socket).run(&Task { cpu, ..examined.task("linux/arm/v6", &commands) }).unwrap();
        (ran.machine, output(&ran.ended[0]).lines().next().unwrap().to_owned())
    };
    assert_eq!(machine(Cpu::Max), ("armv7l".to_owned(), "armv7l".to_owned()));
    assert_eq!(machine(Cpu::Baseline), ("armv6l".to_owned(), "armv6l".to_owned()));
    let native = runner(&socket).offer(&Platform::parse("linux/amd64").unwrap(), Cpu::Baseline).unwrap_err();
    assert!(native.hint.contains("--run sandbox"), "{native:?}");
}

/// Whether the machine has a handler for the architecture is the machine's matter: the runner says what is so.
#[rstest]
fn a_platform_that_the_engine_s_host_cannot_run_is_said_so(#[values(classic(), containerd(), old())] socket: String) {
    let layer = Layer::new().program("app", probe_for("loong64"));
    let examined = Examined::forged(vec![Image::new("linux/loong64").layer(layer.build())]);
    let ran = examined.run(&socket, "linux/loong64", &["/app"]);
    let entries = fs::read_dir("/proc/sys/fs/binfmt_misc").unwrap().map(|entry| entry.unwrap().path());
    let handled = entries.into_iter().any(|path| path.to_string_lossy().contains("loongarch64"));
    match ran {
        Ok(ran) => assert!(handled && ran.machine == "loongarch64", "{ran:?}"),
        Err(error) => {
            assert!(!handled && error.why.contains("no emulator for linux/loong64"), "{error:?}");
            assert!(error.hint.contains("tonistiigi/binfmt --install loong64"), "{error:?}");
        }
    }
    examined.assert_nothing_in(&socket);
}

#[test]
fn no_engine_is_said_with_the_way_around() {
    let directory = tempfile::tempdir().unwrap();
    let socket = format!("unix://{}", Path::new(directory.path()).join("none.sock").display());
    let error = runner(&socket).offer(&Platform::parse("linux/amd64").unwrap(), Cpu::Max).unwrap_err();
    assert!(error.why.contains("there is no such socket"), "{error:?}");
    assert!(error.hint.contains("--run sandbox"), "{error:?}");
}
