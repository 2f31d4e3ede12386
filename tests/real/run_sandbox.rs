//! The sandbox, with real programs: images made of Debian's packages and forged ones around its busybox, under real
//! qemu. What it must never do is looked for on the machine itself: processes, mounts, files.

mod freedom;
mod in_container;
mod leaks;
mod leaving;

use crate::check::{Check, Outcome};
use crate::parts::{part, real_image};
use mpcheck::platform::Architecture;
use mpcheck_kit::elf::instructions;
use mpcheck_kit::image::Image;
use mpcheck_kit::index::Index;
use mpcheck_kit::layer::Layer;
use mpcheck_kit::store::Forged;
use rstest::rstest;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's static busybox for a platform.
fn busybox(platform: &str) -> Vec<u8> {
    let platform = platform.trim_end_matches("/v2");
    let layout = real_image("busybox");
    let blob = |digest: &Value| {
        let (algorithm, hex) = digest.as_str().unwrap().split_once(':').unwrap();
        std::fs::read(layout.join("blobs").join(algorithm).join(hex)).unwrap()
    };
    let json = |bytes: Vec<u8>| serde_json::from_slice::<Value>(&bytes).unwrap();
    let root = json(std::fs::read(layout.join("index.json")).unwrap());
    let index = json(blob(&root["manifests"][0]["digest"]));
    let named = |entry: &&Value| {
        let part = |name: &str| entry["platform"][name].as_str().unwrap_or_default().to_owned();
        let name = format!("{}/{}/{}", part("os"), part("architecture"), part("variant"));
        name.trim_end_matches('/').trim_end_matches("/v8") == platform
    };
    let entry = index["manifests"].as_array().unwrap().iter().find(named).unwrap().clone();
    let manifest = json(blob(&entry["digest"]));
    let layer = flate2::read::GzDecoder::new(std::io::Cursor::new(blob(&manifest["layers"][0]["digest"])));
    let mut archive = tar::Archive::new(layer);
    let mut entries = archive.entries().unwrap().map(Result::unwrap);
    let mut program = entries.find(|entry| entry.path_bytes().ends_with(b"bin/busybox") && entry.size() > 0).unwrap();
    let mut bytes = Vec::new();
    program.read_to_end(&mut bytes).unwrap();
    bytes
}

/// A layer with busybox and names for what these tests call.
fn userland(platform: &str) -> Layer {
    let names =
        ["sh", "uname", "id", "pwd", "echo", "sleep", "true", "dd", "tail", "env", "cat", "ls", "kill", "touch"];
    let layer = Layer::new().dirs(&["bin", "etc", "tmp", "usr/local/bin"]).program("bin/busybox", busybox(platform));
    names.into_iter().fold(layer, |layer, name| layer.symlink(format!("bin/{name}"), "busybox"))
}

fn image(platform: &str, layers: impl IntoIterator<Item = Layer>) -> Image {
    let image = Image::new(platform).env("PATH=/usr/local/bin:/bin").layer(userland(platform));
    layers.into_iter().fold(image, |image, layer| image.layer(layer)).cmd(&["sh"])
}

/// A forged image in a directory of its own.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn with(forged: &Forged) -> Place {
        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        forged.write_layout(&directory.path().join("image"), Some("latest")).unwrap();
        Place { directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("image")
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        Check::of(self.path().to_str().unwrap()).with(&["--run", "sandbox", "--require-run"]).with(arguments).run()
    }
}

/// Runs one platform of an image around busybox.
fn run(platform: &str, layers: impl IntoIterator<Item = Layer>, arguments: &[&str]) -> Outcome {
    Place::with(&Index::new().image(image(platform, layers)).forge()).run(arguments)
}

/// The findings of the group `run`: rule, path and message.
fn run_findings(outcome: &Outcome) -> Vec<(String, String, String)> {
    let findings = outcome.report["findings"].as_array().cloned().unwrap_or_default();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or("-").to_owned();
    findings
        .iter()
        .filter(|finding| text(finding, "rule").starts_with("run/"))
        .map(|finding| (text(finding, "rule"), text(finding, "path"), text(finding, "message")))
        .collect()
}

fn rules(outcome: &Outcome) -> Vec<String> {
    run_findings(outcome).into_iter().map(|(rule, ..)| rule).collect()
}

/// # Panics
/// Where running found anything, or did not run.
fn assert_ran(outcome: &Outcome) {
    assert_eq!(rules(outcome), Vec::<String>::new(), "{}", outcome.all());
    for platform in outcome.platforms() {
        let check = platform["checks"].as_array().unwrap().iter().find(|check| check["name"] == "run").unwrap().clone();
        assert_eq!(check["status"], "passed", "{}", outcome.all());
    }
}

#[rstest]
#[case("busybox")]
#[case("userland")]
fn seven_platforms_say_what_they_are(#[case] name: &str) {
    let outcome = Check::of(real_image(name).to_str().unwrap()).with(&["--run", "sandbox", "--require-run"]).run();
    outcome.assert_clean(7);
    assert_ran(&outcome);
    let told: BTreeMap<String, (String, String, bool)> = outcome
        .platforms()
        .iter()
        .map(|platform| {
            let run = &platform["run"];
            assert_eq!(run["runner"], "sandbox");
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let emulator = text(&run["emulator"]);
            (text(&platform["platform"]), (text(&run["how"]), text(&run["machine"]), emulator.starts_with("qemu-")))
        })
        .collect();
    let native = |machine: &str| ("native".to_owned(), machine.to_owned(), false);
    let emulated = |machine: &str| ("emulated".to_owned(), machine.to_owned(), true);
    let wanted = [
        ("linux/386", native("x86_64")),
        ("linux/amd64", native("x86_64")),
        ("linux/arm/v7", emulated("armv7l")),
        ("linux/arm64", emulated("aarch64")),
        ("linux/ppc64le", emulated("ppc64le")),
        ("linux/riscv64", emulated("riscv64")),
        ("linux/s390x", emulated("s390x")),
    ];
    assert_eq!(told, wanted.map(|(name, told)| (name.to_owned(), told)).into());
}

#[test]
fn the_emulator_is_told_with_its_version() {
    let outcome = run("linux/arm64", [], &[]);
    let emulator = outcome.platforms()[0]["run"]["emulator"].as_str().unwrap().to_owned();
    let version = emulator.strip_prefix("qemu-aarch64 ").unwrap();
    assert!(version.starts_with(|c: char| c.is_ascii_digit()) && version.contains('.'), "{emulator}");
}

/// `movw r0, #0; movw r7, #1; svc 0`: movw came with ARMv6T2, which the ARM1176 is not (ARM DDI 0406C, A8.8.102).
const ARMV7_EXIT: [u8; 12] = [0x00, 0x00, 0x00, 0xe3, 0x01, 0x70, 0x00, 0xe3, 0x00, 0x00, 0x00, 0xef];

/// `vpxor ymm0, ymm0, ymm0` (AVX2, so x86-64-v3); `mov eax, 60; xor edi, edi; syscall`.
const AVX2_EXIT: [u8; 13] = [0xc5, 0xfd, 0xef, 0xc0, 0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05];

#[test]
fn code_for_a_newer_variant_ends_on_the_baseline_processor_and_only_there() {
    let arm = Layer::new().dirs(&["usr/local/bin"]).program("usr/local/bin/tool", instructions("arm/v7", &ARMV7_EXIT));
    let image = Image::new("linux/arm/v6").env("PATH=/usr/local/bin").layer(arm).cmd(&["tool"]);
    let place = Place::with(&Index::new().image(image).forge());
    let outcome = place.run(&["--cpu", "baseline", "--command", "tool"]);
    assert_eq!(rules(&outcome), ["run/illegal-instruction"], "{}", outcome.all());
    assert_eq!(outcome.platforms()[0]["run"]["machine"], "armv6l");
    assert_ran(&place.run(&["--command", "tool"]));
}

#[test]
fn the_hosts_own_architecture_can_be_taken_back_to_its_baseline() {
    let layer = Layer::new().dirs(&["usr/local/bin"]).program("usr/local/bin/tool", instructions("amd64", &AVX2_EXIT));
    let place = Place::with(&Index::new().image(image("linux/amd64", [layer])).forge());
    let outcome = place.run(&["--cpu", "baseline", "--command", "sh -c tool"]);
    assert_eq!(rules(&outcome), ["run/illegal-instruction"], "{}", outcome.all());
    assert_eq!(outcome.platforms()[0]["run"]["how"], "emulated");
    if std::fs::read_to_string("/proc/cpuinfo").unwrap().contains(" avx2 ") {
        assert_ran(&place.run(&["--command", "tool"]));
    }
}

/// An "emulator" for the host that answers for the probe and dies of everything else.
///
/// `mov rax, [rsp+16]; cmp byte [rax+5], 'm'; jne crash; write(1, text, 10); exit(42); crash: mov [0], eax`
fn frail_emulator() -> Vec<u8> {
    let mut code = vec![
        0x48, 0x8b, 0x44, 0x24, 0x10, 0x80, 0x78, 0x05, b'm', 0x75, 0x20, 0xb8, 1, 0, 0, 0, 0xbf, 1, 0, 0, 0, 0x48,
        0x8d, 0x35, 0x17, 0, 0, 0, 0xba, 10, 0, 0, 0, 0x0f, 0x05, 0xb8, 60, 0, 0, 0, 0x6a, 42, 0x5f, 0x0f, 0x05, 0x89,
        0x04, 0x25, 0, 0, 0, 0,
    ];
    // The displacements above: jne to `mov [0]`, and lea to the text behind it.
    let crash = 45;
    code[10] = crash - 11;
    let text = u8::try_from(code.len()).unwrap();
    code[24] = text - 28;
    code.extend(b"aarch64\nx\n");
    instructions("amd64", &code)
}

#[test]
fn an_emulator_that_dies_says_nothing_about_the_image() {
    let bin = tempfile::tempdir().unwrap();
    let path = bin.path().join("qemu-aarch64-static");
    std::fs::write(&path, frail_emulator()).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let place = Place::with(&Index::new().image(image("linux/arm64", [])).forge());
    let check = Check::of(place.path().to_str().unwrap()).path(bin.path());
    let outcome = check.with(&["--run", "sandbox"]).run();
    assert_eq!(rules(&outcome), ["run/emulator-crashed"], "{}", outcome.all());
    assert_eq!(outcome.report["findings"][0]["severity"], "warning");
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    let run = outcome.platforms()[0]["checks"].as_array().unwrap().iter().find(|c| c["name"] == "run").unwrap().clone();
    assert_eq!(run["status"], "skipped");
    // Where it had to be run, that is not enough.
    let check = Check::of(place.path().to_str().unwrap()).path(bin.path());
    assert_eq!(check.with(&["--run", "sandbox", "--require-run"]).run().code, 3);
}

#[test]
fn an_image_without_a_shell_is_asked_by_the_probe() {
    let program = mpcheck::probe::probe(Architecture::by_name("arm64").unwrap()).unwrap();
    let image = Image::new("linux/arm64").layer(Layer::new().program("app", program)).entrypoint(&["/app"]);
    let place = Place::with(&Index::new().image(image).forge());
    let outcome = place.run(&["--command", "/app", "--expect-exit", "42", "--expect-stdout", "(?m)^/app$"]);
    assert_ran(&outcome);
    assert_eq!(outcome.platforms()[0]["run"]["machine"], "aarch64");
}

#[test]
fn user_directory_and_environment_are_the_images() {
    let accounts = Layer::new()
        .file("etc/passwd", 0o644, "root:x:0:0::/root:/bin/sh\napp:x:1234:99::/srv/app:/bin/sh\n")
        .file("etc/group", 0o644, "root:x:0:\nstaff:x:50:\n")
        .dirs(&["srv/app"]);
    let forged = |user: &str| {
        let image = image("linux/arm64", [accounts.clone()]).user(user).workdir("/srv/app").env("FOO=b a r");
        Place::with(&Index::new().image(image).forge())
    };
    let command = "sh -c 'echo $(id -u):$(id -g):$(pwd):$FOO:$HOME'";
    for (user, wanted) in [
        ("", "0:0:/srv/app:b a r:/root"),
        ("app", "1234:99:/srv/app:b a r:/srv/app"),
        ("app:staff", "1234:50:/srv/app:b a r:/srv/app"),
        ("1000:1000", "1000:1000:/srv/app:b a r:/"),
    ] {
        let pattern = format!("^{wanted}\n$");
        assert_ran(&forged(user).run(&["--command", command, "--expect-stdout", &pattern]));
    }
    let outcome = forged("nobody").run(&[]);
    // No engine would start anything as a user who is not there.
    assert!(outcome.said().contains("user `nobody` is not in the image's /etc/passwd"), "{}", outcome.all());
    assert!(outcome.said().contains("run/command-failed"), "{}", outcome.all());
    assert_eq!(outcome.code, 1);
}

#[rstest]
#[case::the_root_is_read_only("sh -c 'touch /x'", false)]
#[case::tmp_is_not("sh -c 'touch /tmp/x && touch /dev/shm/x'", true)]
#[case::there_is_no_network(
    "sh -c 'test $(ls /sys/class/net 2>/dev/null | wc -l) -le 1 && ! wget -q http://1.1.1.1/'",
    true
)]
#[case::no_capabilities("sh -c 'cat /proc/self/status' ", true)]
#[case::no_mounts("sh -c 'busybox mount -t tmpfs none /tmp'", false)]
#[case::nobody_else_is_seen("sh -c 'test $(ls -d /proc/[0-9]* | wc -l) -lt 8'", true)]
#[case::devices("sh -c 'echo x > /dev/null && dd if=/dev/zero of=/dev/null count=1 && ls /dev/fd/0'", true)]
#[case::stdin_is_empty("sh -c 'test -z \"$(cat)\"'", true)]
#[case::first_process_cannot_be_read("cat /proc/1/environ", false)]
fn a_container_is_restricted(#[case] command: &str, #[case] succeeds: bool) {
    for platform in ["linux/amd64", "linux/arm64"] {
        let outcome = run(platform, [], &["--command", command]);
        assert_eq!(rules(&outcome).is_empty(), succeeds, "{}", outcome.all());
    }
}

#[test]
fn capabilities_are_none() {
    let none = "(?m)^CapEff:\\s+0+\nCapBnd:\\s+0+\nCapAmb:\\s+0+\nNoNewPrivs:\\s+1$";
    assert_ran(&run("linux/amd64", [], &["--command", "cat /proc/self/status", "--expect-stdout", none]));
}

#[test]
fn memory_is_limited_for_all_processes_together() {
    // `tail` keeps the last line, and /dev/zero has one without an end.
    let hogs = "sh -c 'tail -n 1 /dev/zero & tail -n 1 /dev/zero & tail -n 1 /dev/zero & wait; exit 1'";
    let outcome = run("linux/amd64", [], &["--command", hogs, "--command", "true"]);
    let findings = run_findings(&outcome);
    let [(rule, _, message)] = findings.as_slice() else { panic!("{}", outcome.all()) };
    assert_eq!(rule, "run/command-failed");
    assert!(message.contains("more memory") || message.contains("exited with 1"), "{message}");
}

#[test]
fn a_flood_of_output_is_read_and_dropped() {
    let outcome = run("linux/amd64", [], &["--command", "dd if=/dev/zero bs=1M count=1000"]);
    assert_ran(&outcome);
}

#[test]
fn layers_cannot_write_outside_of_their_root() {
    let outside = tempfile::tempdir().unwrap();
    let out = outside.path().to_str().unwrap();
    let hostile = Layer::new()
        .symlink("a", out)
        .file("a/evil", 0o644, "x")
        .symlink("b", format!("../../../../../../../..{out}"))
        .file("b/evil", 0o644, "x")
        .symlink("c", "d")
        .symlink("d", "c")
        .symlink("proc", out)
        .hardlink("e", "a/evil");
    let outcome =
        run("linux/amd64", [hostile], &["--command", "sh -c 'ls /a/ /b/; cat /e'", "--expect-stdout", "evil"]);
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0, "{}", outcome.all());
    // The image replaced /proc by a link; whatever came of running it, nothing was mounted or written elsewhere.
    assert!(!std::fs::read_to_string("/proc/self/mountinfo").unwrap().contains(out));
}

#[test]
fn whiteouts_and_opaque_directories_hide_what_is_below() {
    let layers = [
        Layer::new()
            .dirs(&["old", "kept"])
            .file("old/a", 0o644, "a")
            .file("kept/b", 0o644, "b")
            .file("gone", 0o644, "c"),
        Layer::new().dirs(&["old"]).opaque("old").file("old/new", 0o644, "n").whiteout("gone"),
    ];
    let command = "sh -c 'ls /old; ls /kept; test ! -e /gone'";
    assert_ran(&run("linux/amd64", layers, &["--command", command, "--expect-stdout", "^new\nb\n$"]));
}

#[test]
fn the_same_layer_twice_is_no_trouble() {
    let layer = Layer::new().file("same", 0o644, "x");
    let layers = [layer.clone(), Layer::new().whiteout("same"), layer];
    assert_ran(&run("linux/amd64", layers, &["--command", "cat /same"]));
}

fn qemu_aarch64() -> PathBuf {
    Path::new(&part("MPCHECK_QEMU")).join("qemu-aarch64-static")
}

#[test]
fn emulators_can_come_out_of_an_image() {
    let qemu =
        ["/usr/bin/qemu-aarch64-static", "/usr/bin/qemu-aarch64"].into_iter().find(|path| Path::new(path).exists());
    let qemu = std::fs::read(qemu.unwrap()).unwrap();
    let layer = Layer::new().dirs(&["usr/bin"]).program("usr/bin/qemu-aarch64", qemu);
    let emulators = Place::with(&Index::new().image(Image::new("linux/amd64").layer(layer)).forge());
    let place = Place::with(&Index::new().image(image("linux/arm64", [])).forge());
    let from = format!("oci:{}", emulators.path().display());
    assert_ran(&place.run(&["--emulators", &from]));
    let outcome = place.run(&["--emulators", &format!("oci:{}", place.path().display())]);
    assert_eq!(outcome.code, 3, "{}", outcome.all());
    assert!(outcome.said().contains("--emulators") && outcome.said().contains("linux/amd64"), "{}", outcome.all());
}

#[rstest]
#[case::removed(Layer::new().whiteout("tmp").whiteout("proc").whiteout("dev"))]
#[case::a_link(Layer::new().whiteout("tmp").dirs(&["var"]).symlink("tmp", "var").symlink("proc", "var"))]
#[case::a_file(Layer::new().file("tmp", 0o644, "x"))]
#[case::all_below(Layer::new().opaque("").dirs(&["bin"]).program("bin/busybox", busybox("linux/arm64")).symlink("bin/sh", "busybox").symlink("bin/touch", "busybox"))]
fn places_for_mounts_are_there_whatever_the_image_has(#[case] layer: Layer) {
    let command = "sh -c 'touch /tmp/x /dev/shm/x; test -e /proc/self && test ! -e /bin/uname || test -e /bin/uname'";
    assert_ran(&run("linux/arm64", [layer], &["--command", command]));
}

#[test]
fn an_opaque_root_hides_all_layers_below() {
    let below = Layer::new().file("below", 0o644, "x");
    let above = userland("linux/arm64").opaque("");
    assert_ran(&run("linux/arm64", [below, above], &["--command", "sh -c 'test ! -e /below && test -e /bin/uname'"]));
}

#[test]
fn the_working_directory_leads_to_nothing_of_mpchecks() {
    for directory in (3..16).map(|fd| format!("/proc/self/fd/{fd}")) {
        let image = image("linux/arm64", []).workdir(&directory);
        let outcome = Place::with(&Index::new().image(image).forge()).run(&["--command", "sh -c 'test ! -e register'"]);
        assert!(!rules(&outcome).contains(&"run/native-leak".to_owned()));
        let failed = run_findings(&outcome).iter().any(|(_, _, message)| message.contains("exited with 1"));
        assert!(!failed, "{directory}: {}", outcome.all());
    }
}

#[test]
fn a_higher_level_of_the_hosts_architecture_runs_natively() {
    let outcome = run("linux/amd64/v2", [], &[]);
    assert_ran(&outcome);
    assert_eq!(outcome.platforms()[0]["run"]["how"], "native");
}

/// `mmap(0, 3 GiB, READ|WRITE, SHARED|ANONYMOUS)`, and a write to each of its pages; then it waits.
const SHARED_HOG: &[u8] = &[
    0xb8, 9, 0, 0, 0, 0x31, 0xff, 0xbe, 0, 0, 0, 0xc0, 0xba, 3, 0, 0, 0, 0x41, 0xba, 0x21, 0, 0, 0, 0x49, 0xc7, 0xc0,
    0xff, 0xff, 0xff, 0xff, 0x45, 0x31, 0xc9, 0x0f, 0x05, 0xbb, 0, 0, 0x0c, 0, 0xc6, 0x00, 1, 0x48, 0x05, 0, 0x10, 0,
    0, 0xff, 0xcb, 0x75, 0xf3, 0xb8, 34, 0, 0, 0, 0x0f, 0x05,
];

#[test]
fn shared_memory_counts() {
    let layer = Layer::new().program("usr/local/bin/hog", instructions("amd64", SHARED_HOG));
    let outcome = run("linux/amd64", [layer], &["--timeout", "50s", "--command", "hog"]);
    let findings = run_findings(&outcome);
    let [(_, _, message)] = findings.as_slice() else { panic!("{}", outcome.all()) };
    assert!(message.contains("more memory"), "{message}");
}

#[test]
fn an_unprivileged_user_gets_the_same() {
    let layer = Layer::new().dirs(&["usr/local/bin"]).program("usr/local/bin/tool", busybox("linux/amd64"));
    let place = Place::with(&Index::new().image(image("linux/arm64", [layer]).user("1000")).forge());
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    // The program may lie where only root gets through.
    let mpcheck = home.path().join("mpcheck");
    std::fs::copy(env!("CARGO_BIN_EXE_mpcheck"), &mpcheck).unwrap();
    let own = home.path().join("home");
    std::fs::create_dir(&own).unwrap();
    std::os::unix::fs::chown(&own, Some(54321), Some(54321)).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=54321", "--regid=54321", "--clear-groups"])
        .arg(&mpcheck)
        .args(["--run", "sandbox", "--require-run", "--format", "json", "--command", "sh -c 'id -u; tool'"])
        .arg(place.path())
        .env("HOME", &own)
        .env_remove("XDG_CACHE_HOME")
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let outcome = Outcome {
        code: output.status.code().unwrap_or(-1),
        report,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    assert_eq!(rules(&outcome), ["run/native-leak"], "{}", outcome.all());
    assert_eq!(outcome.platforms()[0]["run"]["machine"], "aarch64");
}

#[test]
fn a_second_run_takes_layers_from_the_cache_and_says_the_same() {
    let place = Place::with(&Index::new().image(image("linux/arm64", [])).forge());
    let home = tempfile::tempdir().unwrap();
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mpcheck"));
        command.args(["--run", "sandbox", "--require-run"]).arg(place.path()).env("XDG_CACHE_HOME", home.path());
        command.output().unwrap()
    };
    assert!(run().status.success());
    let layers = || {
        let entries = std::fs::read_dir(home.path().join("mpcheck/sandbox/root/layers")).unwrap().flatten();
        entries
            .map(|entry| (entry.file_name(), std::os::unix::fs::MetadataExt::ino(&entry.metadata().unwrap())))
            .collect::<Vec<_>>()
    };
    let before = layers();
    assert_eq!(before.len(), 1);
    assert!(run().status.success());
    assert_eq!(layers(), before);
}

#[test]
fn every_platform_runs_on_its_baseline_processor() {
    let outcome = Check::of(real_image("busybox").to_str().unwrap())
        .with(&["--run", "sandbox", "--require-run", "--cpu", "baseline"])
        .run();
    outcome.assert_clean(7);
    assert_ran(&outcome);
    assert!(outcome.platforms().iter().all(|platform| platform["run"]["how"] == "emulated"), "{}", outcome.all());
}
