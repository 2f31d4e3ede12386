//! `mpcheck host install` with real emulators: in a user namespace of an unprivileged user, whose registry is its own, and
//! on this machine as root, for an architecture that nobody else here emulates.
//!
//! Needs Linux 6.7, user namespaces, root, and Debian's qemu-user-static.

mod machine;
mod on_engine;
mod wrong;

use mpcheck::platform::Architecture;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Somebody without rights.
const NOBODY: u32 = 54321;
/// The kernel's registry.
const REGISTRY: &str = "/proc/sys/fs/binfmt_misc";

/// What commands came to.
#[derive(Debug)]
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().unwrap_or(-1);
        Self { code, stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// The exit code, and what standard output has.
    #[track_caller]
    fn says(&self, code: i32, parts: &[&str]) -> &Self {
        assert_eq!(self.code, code, "{self:#?}");
        for part in parts {
            assert!(self.stdout.contains(part), "{part} is not in {self:#?}");
        }
        self
    }

    /// What standard error has.
    #[track_caller]
    fn complains(&self, parts: &[&str]) -> &Self {
        for part in parts {
            assert!(self.stderr.contains(part), "{part} is not in {self:#?}");
        }
        self
    }
}

/// A directory that an unprivileged user may use, with the program in it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // The program may lie where only root gets through.
        fs::copy(env!("CARGO_BIN_EXE_mpcheck"), place.path().join("mpcheck")).unwrap();
        for own in ["own", "tmp"] {
            fs::create_dir(place.path().join(own)).unwrap();
            std::os::unix::fs::chown(place.path().join(own), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        Self(place)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A file in it, executable.
    fn program(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// A command as an unprivileged user, in this place.
    fn unprivileged(&self, words: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        let user = format!("{NOBODY}");
        command.args(["--reuid", &user, "--regid", &user, "--clear-groups"]).args(words);
        command.current_dir(self.path().join("own")).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("HOME", self.path().join("own")).env("TMPDIR", self.path().join("tmp"));
        // No engine of the machine's.
        command.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
        command
    }

    /// Runs commands of a shell as an unprivileged user who is root of a user namespace. There `$R` is an empty registry,
    /// and what is read at boot is empty and can be written. `$M` is mpcheck.
    fn in_namespace(&self, commands: &str) -> Ended {
        self.in_namespace_with(|_| {}, commands)
    }

    fn in_namespace_with(&self, change: impl FnOnce(&mut Command), commands: &str) -> Ended {
        let script = format!(
            "set -u; R={REGISTRY}; M=\"$1\"; set -e
             mount -t binfmt_misc binfmt_misc $R
             mount -t tmpfs -o mode=755 none /etc; mkdir /etc/binfmt.d; mount -t tmpfs -o mode=755 none /usr/local
             for d in /usr/lib/binfmt.d /var/lib/binfmts /run/binfmt.d; do [ ! -d $d ] || mount -t tmpfs none $d; done
             set +e
             {commands}"
        );
        let mut command =
            self.unprivileged(&["unshare", "--user", "--map-root-user", "--mount", "bash", "-c", &script, "bash"]);
        change(command.arg(self.path().join("mpcheck")));
        Ended::of(&mut command)
    }
}

/// A line for the registry: the table's magic and mask, the mask changed by `change`.
fn line(architecture: &str, name: &str, interpreter: &str, flags: &str, change: fn(&mut [u8; 20])) -> String {
    let emulator = Architecture::by_name(architecture).unwrap().emulator.unwrap();
    let mut mask = emulator.mask;
    change(&mut mask);
    let escaped = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    format!(":{name}:M:0:{}:{}:{interpreter}:{flags}", escaped(&emulator.magic), escaped(&mask))
}

/// The command that registers a line.
fn register(line: &str) -> String {
    format!("printf %s '{line}' > {REGISTRY}/register")
}

const AS_IT_IS: fn(&mut [u8; 20]) = |_| {};

/// What `mpcheck host --format json` says of platforms, without what is different for each emulator's file.
fn readiness(report: &str) -> Vec<(String, Value, Value, Value)> {
    let report: Value = serde_json::from_str(report).unwrap_or_else(|error| panic!("{error}: {report}"));
    let rows = report["host"]["platforms"].as_array().unwrap();
    let row = |row: &Value| {
        let platform = row["platform"].as_str().unwrap().to_owned();
        (platform, row["status"].clone(), row["emulator"].clone(), row["ways"].clone())
    };
    rows.iter().map(row).collect()
}

/// The state of one platform.
fn status(report: &str, platform: &str) -> String {
    let rows = readiness(report);
    let row = rows.iter().find(|row| row.0 == platform).unwrap();
    row.1.as_str().unwrap().to_owned()
}

/// Twice the same, then gone: in one namespace, so that each step sees what the one before left.
#[test]
fn what_is_installed_runs_and_is_there_once_and_is_removed() {
    let ended = Place::new().in_namespace(
        "$M host install arm64,linux/s390x; echo code $?; $M host install aarch64,s390x; echo code $?; cat $R/qemu-aarch64
         $M host --format json > report; echo code $?; cat report >&2
         $M host uninstall arm64,s390x; echo code $?; $M host uninstall all; echo code $?; ls $R",
    );
    let lines: Vec<&str> = ended.stdout.lines().collect();
    let count = |part: &str| lines.iter().filter(|line| line.contains(part)).count();
    ended.says(0, &["linux/arm64 ✓ installed, qemu-aarch64 ", " (F, C, P), registered again at boot: no"]);
    assert_eq!((count("✓ installed"), count("✓ already there"), count("✓ removed")), (2, 2, 2), "{ended:#?}");
    assert!(count("was not there") > 5 && count("flags: POCF") == 1 && count("code 0") == 5, "{ended:#?}");
    assert_eq!(&lines[lines.len() - 2..], ["register", "status"]);
    for platform in ["linux/arm64", "linux/s390x"] {
        assert_eq!(status(&ended.stderr, platform), "emulated");
    }
}

/// What tonistiigi/binfmt's stand-in registers, what mpcheck does, and what a person does who types what it says.
#[test]
fn the_usual_way_and_a_dry_runs_commands_end_in_the_same_readiness() {
    let place = Place::new();
    let stand_in = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parts/installer.sh")).unwrap();
    place.program("binfmt", &stand_in);
    for name in ["aarch64", "ppc64le"] {
        let qemu = fs::read(format!("/usr/bin/qemu-{name}-static")).unwrap();
        place.program(&format!("qemu/qemu-{name}"), &qemu);
        let conf = fs::read(format!("/usr/lib/binfmt.d/qemu-{name}.conf")).unwrap();
        place.program(&format!("lines/qemu-{name}.conf"), &conf);
    }
    let report = |commands: &str| {
        let set = |command: &mut Command| {
            command.env("QEMU_BINARY_PATH", place.path().join("qemu"));
            command.env("STAND_IN_BINFMT_D", place.path().join("lines")).env("STAND_IN_PROBES", "/nowhere");
        };
        let ended = place.in_namespace_with(set, &format!("{{ {commands}; }} >&2 || exit 9; $M host --format json"));
        assert!([0, 1].contains(&ended.code), "{ended:#?}");
        readiness(&ended.stdout)
    };
    let usual = report("../binfmt --install arm64,ppc64le");
    assert!(usual.iter().any(|row| row.0 == "linux/ppc64le" && row.1 == "emulated"), "{usual:#?}");
    assert_eq!(report("$M host install arm64,ppc64le"), usual);
    assert_eq!(report("$M host install arm64,ppc64le --dry-run > todo && sh -e todo"), usual);
    assert_ne!(report("true"), usual);
}

#[test]
fn a_dry_run_changes_nothing_and_needs_no_rights() {
    let place = Place::new();
    let words = ["host", "install", "loong64,arm64", "--persist", "--dry-run", "--emulators", "tonistiigi/binfmt"];
    let program = place.path().join("mpcheck");
    let program = program.to_str().unwrap();
    let ended = Ended::of(&mut place.unprivileged(&[&[program], &words[..]].concat()));
    ended.says(0, &[
        "# usr/bin/qemu-loongarch64 of the image tonistiigi/binfmt is copied to /usr/local/lib/mpcheck/emulators/qemu-loongarch64",
        ":/usr/local/lib/mpcheck/emulators/qemu-loongarch64:FCP' > /proc/sys/fs/binfmt_misc/register",
        "> /etc/binfmt.d/zz-mpcheck-qemu-loongarch64.conf",
    ]);
    let left = |name: &str| fs::read_dir(place.path().join(name)).unwrap().count();
    assert_eq!((left("own"), left("tmp")), (0, 0), "{ended:#?}");
    let ended = place.in_namespace(
        "echo 0 > $R/status; mount -t tmpfs none /proc/sys/fs/binfmt_misc
         $M host install arm64 --persist --dry-run; echo code $?; ls -A $R /etc/binfmt.d /usr/local; umount $R; cat $R/status",
    );
    ended.says(
        0,
        &[
            "mount -t binfmt_misc -o nosuid,nodev,noexec binfmt_misc /proc/sys/fs/binfmt_misc\n",
            "code 0",
            "/usr/local:\ndisabled",
        ],
    );
}

#[test]
fn without_rights_the_next_command_is_named_and_nothing_else_is_said() {
    let place = Place::new();
    let program = place.path().join("mpcheck");
    for command in [["install", "mips64,loong64"], ["uninstall", "loong64"]] {
        let words = [program.to_str().unwrap(), "host", command[0], command[1]];
        // Of what is registered as root, so that there is something to remove.
        let _entry = machine::Entry::new("loong64", "mpcheck-test-denied", "/usr/bin/qemu-loongarch64-static", "POCF");
        let ended = Ended::of(&mut place.unprivileged(&words));
        let next = format!("`sudo mpcheck host {} {}`", command[0], command[1]);
        let engine = format!("`mpcheck host {} {} --engine`", command[0], command[1]);
        ended.says(3, &[]).complains(&["may not be changed", "Permission denied", &next, &engine]);
        assert_eq!((ended.stdout.as_str(), ended.stderr.lines().count()), ("", 2), "{ended:#?}");
    }
}

/// As in a container: root that may not write there.
#[test]
fn a_registry_that_is_read_only_is_told_once_and_nothing_is_downloaded() {
    let ended = Place::new().in_namespace(
        "mount -o remount,ro,bind $R; $M host install s390x; echo code $?
         $M host install s390x --emulators 127.0.0.1:1/no:1; echo code $?; ls $R",
    );
    ended.says(0, &["code 3\ncode 3\nregister\nstatus\n"]);
    let told =
        "error: the kernel's handlers may not be changed from here: /proc/sys/fs/binfmt_misc/register: Read-only";
    assert_eq!(ended.stderr.matches(told).count(), 2, "{ended:#?}");
    ended.complains(&["`mpcheck host install s390x`; or as a user of Docker: `mpcheck host install s390x --engine`"]);
}

#[test]
fn what_is_persistent_is_written_once_and_removed() {
    let ended = Place::new().in_namespace(
        "$M host install s390x --persist; echo code $?; cat /etc/binfmt.d/zz-mpcheck-qemu-s390x.conf
         cp -p /etc/binfmt.d/zz-mpcheck-qemu-s390x.conf before; $M host install s390x --persist --quiet
         [ before -ot /etc/binfmt.d/zz-mpcheck-qemu-s390x.conf ] && echo written again
         echo ':qemu-arm:M::x::/q:F' > /etc/binfmt.d/zz-mpcheck-qemu-arm.conf
         $M host install arm --persist --quiet; echo arm $?; $M host uninstall s390x,arm; ls -A /etc/binfmt.d /usr/local $R",
    );
    ended.says(
        0,
        &[
            "# Written by `mpcheck host install --persist`",
            "\n:qemu-s390x:M:0:\\x7f\\x45",
            ":/usr/bin/qemu-s390x-static:FCP\n",
            "registered again at boot: ",
            "/etc/binfmt.d/zz-mpcheck-qemu-s390x.conf",
            // Somebody else's file stays, and is said to be in the way.
            "linux/arm ✗ /etc/binfmt.d/zz-mpcheck-qemu-arm.conf is there, and mpcheck did not write it",
            "arm 3",
            "/etc/binfmt.d:\nzz-mpcheck-qemu-arm.conf\n\n",
            "register\nstatus\n\n/usr/local:\n",
        ],
    );
    assert!(!ended.stdout.contains("written again"), "{ended:#?}");
}

/// Out of an image, as a layout here: the emulator is where it will be at the next boot, and goes with the entry.
#[test]
fn emulators_of_an_image_are_kept_where_the_next_boot_finds_them() {
    use mpcheck_kit::image::Image;
    use mpcheck_kit::index::Index;
    use mpcheck_kit::layer::Layer;
    let place = Place::new();
    let qemu = fs::read("/usr/bin/qemu-riscv64-static").unwrap();
    let layer = Layer::new().dirs(&["usr/bin"]).program("usr/bin/qemu-riscv64", qemu);
    let host = mpcheck::platform::Platform::host().to_string();
    let image = Index::new().image(Image::new(&host).layer(layer)).forge();
    image.write_layout(&place.path().join("image"), Some("latest")).unwrap();
    let ended = place.in_namespace(
        "$M host install riscv64 --emulators oci:../image:latest --persist --quiet; echo code $?
         stat -c '%a %U' /usr/local/lib/mpcheck/emulators/qemu-riscv64 | sed 's/UNKNOWN/root/'; grep interpreter $R/qemu-riscv64
         cat /etc/binfmt.d/*; $M host install riscv64 --emulators oci:../image:latest --quiet
         $M host install arm64 --emulators oci:../image:latest --quiet; echo code $?
         $M host uninstall riscv64; find /usr/local /etc/binfmt.d -type f; ls /usr/local/lib",
    );
    ended.says(
        0,
        &[
            "linux/riscv64 ✓ installed, qemu-riscv64 ",
            "755 root",
            "interpreter /usr/local/lib/mpcheck/emulators/qemu-riscv64\n",
            ":/usr/local/lib/mpcheck/emulators/qemu-riscv64:FCP\n",
            "linux/riscv64 ✓ already there",
            "linux/arm64 ✗ there is no static qemu-aarch64 in the image oci:../image:latest@sha256:",
            "code 3",
        ],
    );
    assert!(ended.stdout.ends_with("linux/riscv64 ✓ removed\n"), "{ended:#?}");
}
