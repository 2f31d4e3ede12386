//! Reports that the tests of the formats share.

use crate::machine::{
    BinfmtMisc, Builder, BuilderNode, Buildx, Engine, Handler, HostPlatform, HostStatus, InEngine, Machine,
};
use crate::model::{
    Check, Finding, Image, LayerRef, Platform, Report, RunHow, RunSummary, SCHEMA, Severity, Status, Step, StepCommand,
    Timing, Tool, Trial, Verdict,
};

/// The digest whose every byte is this one.
pub(crate) fn digest(byte: u8) -> String {
    format!("sha256:{}", format!("{byte:02x}").repeat(32))
}

/// The groups of one platform, all passed but `run`, which was not asked for.
pub(crate) fn checks() -> Vec<Check> {
    let mut checks: Vec<Check> = ["manifest", "blob", "layer", "binary"]
        .map(|name| Check { name: name.to_owned(), status: Status::Passed, reason: None })
        .into();
    checks.push(Check {
        name: "run".to_owned(),
        status: Status::Skipped,
        reason: Some("running was not asked for (--run never)".to_owned()),
    });
    checks
}

/// A platform with nothing wrong.
pub(crate) fn platform(name: &str) -> Platform {
    Platform {
        platform: name.to_owned(),
        declared: name.to_owned(),
        digest: digest(0x22),
        binaries: 500,
        layers: 7,
        run: None,
        checks: checks(),
    }
}

/// An image of two platforms with nothing wrong.
pub(crate) fn image(reference: &str) -> Image {
    Image {
        reference: reference.to_owned(),
        source: "registry registry.example".to_owned(),
        digest: Some(digest(0x11)),
        media_type: Some("application/vnd.oci.image.index.v1+json".to_owned()),
        error: None,
        platforms: ["linux/amd64", "linux/arm64"].map(platform).into(),
    }
}

/// A step of building; one that did not pass has its reason.
pub(crate) fn step(name: &str, status: Status) -> Step {
    Step {
        name: name.to_owned(),
        title: "a build".to_owned(),
        platform: None,
        status,
        reason: (status != Status::Passed).then(|| "the classic store".to_owned()),
        commands: match status {
            Status::Skipped => Vec::new(),
            _ => vec![StepCommand { line: "docker build --tag 'a b' .".to_owned(), exit: Some(0), duration_ms: 700 }],
        },
        output: None,
        log: None,
        duration_ms: 800,
    }
}

/// A program of another architecture at the entrypoint, with everything that can be said of it.
pub(crate) fn finding() -> Finding {
    Finding {
        rule: "binary/foreign-architecture".to_owned(),
        severity: Severity::Error,
        image: "registry.example/app:1".to_owned(),
        platform: Some("linux/arm64".to_owned()),
        path: Some("/usr/local/bin/app".to_owned()),
        layer: Some(LayerRef { index: 3, digest: digest(0x33) }),
        instruction: Some("COPY app /usr/local/bin/ # buildkit".to_owned()),
        expected: Some("AArch64".to_owned()),
        observed: Some("x86-64".to_owned()),
        reached_by: Some("entrypoint [\"app\"]".to_owned()),
        cause: Some("the same file is in linux/amd64: it was built once, for the build machine".to_owned()),
        message: "/usr/local/bin/app is x86-64, the platform is linux/arm64".to_owned(),
        hint: "build it for each platform: `ARG TARGETARCH` in the build stage, `GOARCH=$TARGETARCH` in its command"
            .to_owned(),
    }
}

/// A trial of the suite `release` on linux/arm64.
pub(crate) fn trial(check: &str, status: Status) -> Trial {
    Trial {
        name: format!("release/app/linux-arm64/{check}"),
        check: check.to_owned(),
        image: Some("registry.example/app:1".to_owned()),
        platform: Some("linux/arm64".to_owned()),
        status,
        reason: (status != Status::Passed).then(|| "`app --version` failed: it exited with 1 instead of 0".to_owned()),
        output: (status == Status::Failed).then(|| "error[run/command-failed] linux/arm64: it failed".to_owned()),
        duration_ms: 40,
    }
}

/// A report in which nothing is wrong.
pub(crate) fn passed() -> Report {
    Report {
        schema: SCHEMA.to_owned(),
        tool: Tool { name: "mpcheck".to_owned(), version: "0.1.0".to_owned() },
        started: "2026-11-23T07:18:00Z".to_owned(),
        duration_ms: 1234,
        verdict: Verdict::Passed,
        images: vec![image("registry.example/app:1")],
        host: None,
        findings: Vec::new(),
        steps: Vec::new(),
        trials: Vec::new(),
        shard: None,
        timings: Vec::new(),
    }
}

/// A report whose platforms were run, natively and under qemu.
pub(crate) fn ran() -> Report {
    let mut report = passed();
    let emulator = "qemu-aarch64 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)".to_owned();
    let ways = [(RunHow::Native, None, "x86_64"), (RunHow::Emulated, Some(emulator), "aarch64")];
    for (platform, (how, emulator, machine)) in report.images[0].platforms.iter_mut().zip(ways) {
        platform.checks[4] = Check { name: "run".to_owned(), status: Status::Passed, reason: None };
        platform.run = Some(RunSummary {
            runner: "sandbox".to_owned(),
            how,
            emulator,
            machine: Some(machine.to_owned()),
            reason: Some("the sandbox works here".to_owned()),
        });
    }
    report
}

/// A report with one finding, and with timings.
pub(crate) fn failed() -> Report {
    let mut report = passed();
    report.verdict = Verdict::Failed;
    report.findings.push(finding());
    report.images[0].platforms[1].checks[3] =
        Check { name: "binary".to_owned(), status: Status::Failed, reason: Some("1 error".to_owned()) };
    let layer = Timing {
        what: format!("layer {}", digest(0x33)),
        duration_ms: 800,
        bytes: Some(40 << 20),
        how: Some("read".to_owned()),
    };
    let rules = Timing { what: "rules".to_owned(), duration_ms: 12, bytes: None, how: None };
    report.timings = vec![rules, layer];
    report
}

/// A report of an image that could not be read.
pub(crate) fn unreachable() -> Report {
    let mut report = passed();
    report.verdict = Verdict::Error;
    report.images = vec![Image {
        digest: None,
        media_type: None,
        error: Some("registry.example: connection refused".to_owned()),
        platforms: Vec::new(),
        ..image("registry.example/app:1")
    }];
    report
}

/// A host with a native platform, an emulated and a broken one.
pub(crate) fn host() -> Machine {
    let way = |name: &str, status, reason: Option<&str>| Check {
        name: name.to_owned(),
        status,
        reason: reason.map(str::to_owned),
    };
    let ran = || ["direct", "container", "sandbox", "engine"].map(|name| way(name, Status::Passed, None)).into();
    let why = "it runs on the host, but in a container the probe could not be started";
    let platforms = vec![
        HostPlatform {
            platform: "linux/amd64".to_owned(),
            required: false,
            status: HostStatus::Native,
            emulator: None,
            machine: Some("x86_64".to_owned()),
            reason: None,
            tries: None,
            ways: ran(),
            engine: Some(InEngine { machine: "x86_64".to_owned(), emulator: None }),
        },
        HostPlatform {
            platform: "linux/arm64".to_owned(),
            required: true,
            status: HostStatus::Emulated,
            emulator: Some("qemu-aarch64 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)".to_owned()),
            machine: Some("aarch64".to_owned()),
            reason: None,
            tries: None,
            ways: ran(),
            engine: Some(InEngine { machine: "aarch64".to_owned(), emulator: Some("qemu-aarch64 7.2.22".to_owned()) }),
        },
        HostPlatform {
            platform: "linux/s390x".to_owned(),
            required: false,
            status: HostStatus::Broken,
            emulator: None,
            machine: Some("s390x".to_owned()),
            reason: Some(why.to_owned()),
            tries: None,
            ways: vec![
                way("direct", Status::Passed, None),
                way("container", Status::Failed, Some(why)),
                way("sandbox", Status::Skipped, Some("there is no emulator qemu-s390x on this host")),
                way("engine", Status::Failed, Some("the probe could not be started: exec format error")),
            ],
            engine: None,
        },
    ];
    Machine {
        kernel: "6.12.9-amd64".to_owned(),
        machine: "x86_64".to_owned(),
        page_size: 4096,
        container: None,
        binfmt_misc: BinfmtMisc {
            state: "enabled".to_owned(),
            handlers: vec![Handler {
                name: "qemu-aarch64".to_owned(),
                enabled: true,
                interpreter: "/usr/bin/qemu-aarch64-static".to_owned(),
                interpreter_file: "static".to_owned(),
                flags: "OCF".to_owned(),
                platforms: vec!["linux/arm64".to_owned()],
                persistent: Some(true),
            }],
        },
        no_sandbox: None,
        engine: Some(Engine {
            address: "unix:///run/docker.sock".to_owned(),
            version: "28.2.2".to_owned(),
            api: "1.50".to_owned(),
            store: "containerd".to_owned(),
            platform: "linux/amd64".to_owned(),
            oldest_api: "1.24".to_owned(),
            kernel: "6.12.9-amd64".to_owned(),
            same_kernel: Some(true),
            buildkit: Some(true),
            not_proved: None,
        }),
        no_engine: None,
        buildx: Some(Buildx {
            path: "/usr/libexec/docker/cli-plugins/docker-buildx".to_owned(),
            version: Some("v0.29.1".to_owned()),
            error: None,
        }),
        builders: vec![Builder {
            name: "default".to_owned(),
            driver: "docker".to_owned(),
            current: true,
            error: None,
            nodes: vec![BuilderNode {
                name: "default".to_owned(),
                endpoint: "default".to_owned(),
                status: "running".to_owned(),
                buildkit: "v0.25.1".to_owned(),
                platforms: vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()],
                forced: vec!["linux/mips".to_owned()],
                error: None,
            }],
        }],
        default_platform: None,
        platforms,
        since: None,
    }
}
