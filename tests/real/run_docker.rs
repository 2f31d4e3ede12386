//! The runner `docker` on real engines: what runs, how it ends, and that nothing of it stays.

use crate::parts::{EngineImage, classic, containerd, docker, done, part, real_image, registry, script, skopeo_copy};
use mpcheck::image::ImageFacts;
use mpcheck::image::examine::{Options, examine};
use mpcheck::image::layer::Limits as LayerLimits;
use mpcheck::image::observe::Silent;
use mpcheck::image::reference::Location;
use mpcheck::image::source::registry::CredentialEnvironment;
use mpcheck::image::source::{EngineEnvironment, EngineOptions, Source, SourceOptions, open_image};
use mpcheck::platform::{Platform, Selection};
use mpcheck::run::docker::Docker;
use mpcheck::run::{Command, Cpu, Ended, Exit, Limits, NotReady, Ran, Runner, StartError, Task};
use mpcheck_kit::image::Image;
use mpcheck_kit::layer::Layer;
use mpcheck_kit::store::Forged;
use rstest::rstest;
use std::collections::BTreeSet;
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

/// Docker 20.10, where `tests/parts/run.sh` starts it.
fn old() -> String {
    part("MPCHECK_ENGINE_OLD")
}

fn runner(socket: &str) -> Docker {
    let options = EngineOptions {
        host: Some(socket.to_owned()),
        environment: EngineEnvironment::default(),
        temporary: std::env::temp_dir(),
    };
    Docker::new(options, CredentialEnvironment::default())
}

/// An image, examined as far as a run needs it.
struct Examined {
    location: Location,
    source: Box<dyn Source>,
    facts: ImageFacts,
    /// An image of the test's own lies here.
    _directory: Option<tempfile::TempDir>,
}

impl Examined {
    fn of(name: &str, socket: Option<&str>) -> Examined {
        let location = Location::parse(name).unwrap();
        let options = SourceOptions {
            engine: socket.map(str::to_owned),
            environment: EngineEnvironment::default(),
            ..SourceOptions::default()
        };
        let source = open_image(&location, &options).unwrap();
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
        Examined { location, source, facts, _directory: None }
    }

    fn real(image: &str) -> Examined {
        Examined::of(&format!("oci:{}:latest", real_image(image).display()), None)
    }

    fn forged(forged: &Forged) -> Examined {
        let directory = tempfile::tempdir().unwrap();
        forged.write_layout(directory.path(), Some("latest")).unwrap();
        let examined = Examined::of(&format!("oci:{}:latest", directory.path().display()), None);
        Examined { _directory: Some(directory), ..examined }
    }

    fn task<'a>(&'a self, platform: &str, commands: &'a [Command]) -> Task<'a> {
        let wanted = Platform::parse(platform).unwrap();
        let platform = self.facts.platforms.iter().find(|facts| facts.platform == wanted).unwrap();
        Task {
            index: None,
            platform,
            config: platform.config.as_ref().unwrap(),
            source: self.source.as_ref(),
            location: &self.location,
            cpu: Cpu::Max,
            commands,
            limits: Limits::default(),
        }
    }

    fn run(&self, socket: &str, platform: &str, commands: &[&str]) -> Result<Ran, NotReady> {
        runner(socket).run(&self.task(platform, &commands.iter().map(|line| command(line)).collect::<Vec<_>>()))
    }

    /// What becomes of one command on the machine's own platform.
    fn one(&self, socket: &str, line: &str) -> Ended {
        self.run(socket, "linux/amd64", &[line]).unwrap().ended.remove(0)
    }
}

/// A command line, split at the spaces; what follows a `sh -c` is one word.
fn command(line: &str) -> Command {
    let words = match line.strip_prefix("sh -c ") {
        Some(script) => vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()],
        None => line.split(' ').map(str::to_owned).collect(),
    };
    Command { words, timeout: Duration::from_secs(60) }
}

fn output(ended: &Ended) -> String {
    String::from_utf8(ended.stdout.bytes.clone()).unwrap()
}

/// Everything that an engine has: containers, volumes, and images with all their names.
fn inventory(socket: &str) -> BTreeSet<String> {
    let list = |words: &[&str]| done(docker(socket).args(words)).lines().map(str::to_owned).collect::<Vec<_>>();
    let containers = list(&["ps", "--all", "--filter", "label=mpcheck", "--format", "container {{.Names}}"]);
    let images = list(&["images", "--digests", "--format", "image {{.Repository}}:{{.Tag}}@{{.Digest}} {{.ID}}"]);
    let runs = images.into_iter().filter(|image| image.contains("mpcheck.invalid") || image.contains("run-docker"));
    containers.into_iter().chain(runs).collect()
}

fn none() -> BTreeSet<String> {
    BTreeSet::new()
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
            (_, Some(emulator)) => assert!(emulator.starts_with("qemu-") && emulator.contains("version"), "{emulator}"),
            (_, None) => panic!("{platform} is said to be native"),
        }
    }
    assert_eq!(own(&socket), none());
}

/// What runs have in an engine, whatever else is in it.
fn own(socket: &str) -> BTreeSet<String> {
    inventory(socket).into_iter().filter(|thing| !thing.contains("run-docker")).collect()
}
