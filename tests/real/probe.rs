//! The forged programs of every architecture, under Debian's emulators: with all that an emulator has, on the
//! architecture's baseline CPU, and on that of each variant.

use crate::parts::part;
use mpcheck::platform::{ARCHITECTURES, Architecture};
use mpcheck::probe::{PROBE_EXIT, REFUSALS, REFUSED_EXIT, marked, probe, refuser, waiter};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

/// A way to run programs of an architecture.
struct Machine {
    row: &'static Architecture,
    /// The model for `QEMU_CPU`; none for all that the emulator has.
    cpu: Option<&'static str>,
    /// What `uname -m` may say.
    names: &'static [&'static str],
}

/// Every architecture that has an emulator, on every CPU that the table names.
fn machines() -> Vec<Machine> {
    let mut all = Vec::new();
    for row in ARCHITECTURES {
        let Some(emulator) = row.emulator else { continue };
        all.push(Machine { row, cpu: None, names: row.uname.emulated });
        if let Some(cpu) = emulator.baseline_cpu {
            all.push(Machine { row, cpu: Some(cpu), names: row.uname(None).emulated });
        }
        for variant in row.variants.iter().filter(|variant| variant.qemu_cpu.is_some()) {
            all.push(Machine { row, cpu: variant.qemu_cpu, names: row.uname(Some(variant.name)).emulated });
        }
    }
    all
}

/// What became of a program: its exit code or signal, and what it wrote.
#[derive(Debug, PartialEq)]
struct Ended {
    code: Option<i32>,
    signal: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn with(code: i32, stdout: impl Into<String>, stderr: impl Into<String>) -> Self {
        Self { code: Some(code), signal: None, stdout: stdout.into(), stderr: stderr.into() }
    }
}

/// A directory with a program in it.
struct Directory(tempfile::TempDir);

impl Directory {
    fn with(program: &[u8]) -> Self {
        let directory = Self(tempfile::tempdir().unwrap());
        fs::write(directory.program(), program).unwrap();
        fs::set_permissions(directory.program(), fs::Permissions::from_mode(0o755)).unwrap();
        directory
    }

    fn program(&self) -> PathBuf {
        self.0.path().join("program")
    }
}

impl Machine {
    fn emulator(&self) -> PathBuf {
        let name = self.row.emulator.unwrap().name;
        Path::new(&part("MPCHECK_QEMU")).join(format!("qemu-{name}-static"))
    }

    fn run(&self, program: &[u8], arg0: &str, arguments: &[&str]) -> Ended {
        let directory = Directory::with(program);
        let mut command = Command::new(self.emulator());
        command.args(["-0", arg0]).arg(directory.program()).args(arguments);
        self.done(&mut command)
    }

    fn done(&self, command: &mut Command) -> Ended {
        command.env_remove("QEMU_CPU").envs(self.cpu.map(|cpu| ("QEMU_CPU", cpu)));
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Ended {
            code: output.status.code(),
            signal: output.status.signal(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: without_warnings(&String::from_utf8(output.stderr).unwrap()),
        }
    }
}

/// Standard error without what qemu says of features that it does not emulate: Haswell has some, of no use to programs.
fn without_warnings(stderr: &str) -> String {
    stderr
        .split_inclusive('\n')
        .filter(|line| !line.contains("warning: TCG doesn't support requested feature"))
        .collect()
}

/// Runs a program on all machines that have it, at once, and fails with all that went wrong. Returns the architectures.
fn everywhere(
    forge: impl Fn(&Architecture) -> Option<Vec<u8>>,
    judge: impl Fn(&Machine, &[u8]) -> Result<(), Ended> + Sync,
) -> Vec<&'static str> {
    let all: Vec<(Machine, Vec<u8>)> =
        machines().into_iter().filter_map(|machine| forge(machine.row).map(|program| (machine, program))).collect();
    let wrong: Vec<String> = thread::scope(|scope| {
        let judge = &judge;
        let runs: Vec<_> =
            all.iter().map(|(machine, program)| (machine, scope.spawn(move || judge(machine, program)))).collect();
        let ended = runs.into_iter().map(|(machine, run)| (machine, run.join().unwrap()));
        ended
            .filter_map(|(machine, result)| result.err().map(|ended| (machine, ended)))
            .map(|(machine, ended)| format!("{} with QEMU_CPU={:?}: {ended:?}", machine.row.name, machine.cpu))
            .collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut on: Vec<&str> = all.iter().map(|(machine, _)| machine.row.name).collect();
    on.dedup();
    on
}

/// Nothing, or what happened where something else was expected.
fn expect(ended: Ended, expected: &Ended) -> Result<(), Ended> {
    if ended == *expected { Ok(()) } else { Err(ended) }
}

#[test]
fn the_probe_says_machine_and_own_name_on_every_architecture() {
    let on = everywhere(probe, |machine, program| {
        for arg0 in ["probe", "", &"long/".repeat(200)] {
            let ended = machine.run(program, arg0, &["ignored"]);
            let Some(name) = machine.names.iter().find(|name| ended.stdout.starts_with(&format!("{name}\n"))) else {
                return Err(ended);
            };
            expect(ended, &Ended::with(PROBE_EXIT, format!("{name}\n{arg0}\n"), ""))?;
        }
        Ok(())
    });
    let emulated: Vec<&str> = ARCHITECTURES.iter().filter(|row| row.emulator.is_some()).map(|row| row.name).collect();
    assert_eq!(on, emulated);
}

#[test]
fn a_marked_probe_runs_on_every_architecture() {
    let forge = |row: &Architecture| probe(row).map(|mut program| marked(&mut program).then_some(program).unwrap());
    everywhere(forge, |machine, program| {
        let ended = machine.run(program, "probe", &[]);
        if ended.code == Some(PROBE_EXIT) { Ok(()) } else { Err(ended) }
    });
}

#[test]
fn the_waiter_ends_well_on_every_architecture() {
    for seconds in [0, 1] {
        everywhere(
            |row| waiter(row, seconds),
            |machine, program| expect(machine.run(program, "waiter", &[]), &Ended::with(0, "", "")),
        );
    }
}

/// Without a file for its record.
#[test]
fn the_refuser_says_what_it_refused_on_every_host() {
    let on = everywhere(refuser, |machine, program| {
        for (arguments, path) in [(&["/usr/bin/leaked", "leaked", "argument"] as &[&str], "/usr/bin/leaked"), (&[], "")]
        {
            let ended = machine.run(program, "refuser", arguments);
            let said = ended.stderr.starts_with(&format!("mpcheck: refused {path}: ")) && ended.stderr.ends_with('\n');
            if !said || ended.stderr.matches('\n').count() != 1 {
                return Err(ended);
            }
            let stderr = ended.stderr.clone();
            expect(ended, &Ended::with(REFUSED_EXIT, "", stderr))?;
        }
        Ok(())
    });
    for host in ["amd64", "arm64", "riscv64", "ppc64le", "s390x"] {
        assert!(on.contains(&host), "{host} is not in {on:?}");
    }
}

/// Starts a command in the current directory with a path, and in one that is removed with another, and shows what was
/// recorded. The file is in a `/dev` that nobody else sees.
const RECORDING: &str = r#"
mount -t tmpfs none /dev && mkdir /dev/mpcheck && : > "$1" || exit
record=$1; shift
"$@" /usr/bin/leaked leaked 2>&-
mkdir gone && cd gone && rmdir ../gone
"$@" "$LONG" leaked 2>&-
cat "$record"
"#;

#[test]
fn the_refuser_leaves_a_record_on_every_host() {
    let longest = "x".repeat(4095);
    everywhere(refuser, |machine, program| {
        let directory = Directory::with(program);
        let place = fs::canonicalize(directory.0.path()).unwrap();
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", RECORDING, "sh", REFUSALS]);
        command.arg(machine.emulator()).arg(directory.program()).env("LONG", format!("{longest}x")).current_dir(&place);
        let expected = format!("{}\0/usr/bin/leaked\0\0{longest}\0", place.display());
        expect(machine.done(&mut command), &Ended::with(0, expected, ""))
    });
}
