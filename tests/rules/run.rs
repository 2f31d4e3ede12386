//! The group `run`: from what commands did to findings. Nothing is run here; what a runner says is written by hand.

use super::scratch;
use crate::checked::Given;
use mpcheck::check::run::{Attempt, Expectation, Smoke, SmokeKind};
use mpcheck::platform::Platform;
use mpcheck::run::{Command, Cpu, Ended, Exit, NotReady, Output, Ran, Refused, StartError};
use mpcheck_kit::elf::Elf;
use mpcheck_kit::image::Image;
use mpcheck_kit::layer::Layer;
use regex::Regex;
use std::time::Duration;

/// An image, and how running it went.
pub(super) struct Told {
    image: Image,
    ran: Ran,
    smokes: Vec<Smoke>,
    cpu: Cpu,
    required: bool,
}

/// What each platform's machine is called under qemu, and by qemu.
const EMULATED: [(&str, &str, &str); 8] = [
    ("linux/386", "i686", "i386"),
    ("linux/amd64", "x86_64", "x86_64"),
    ("linux/arm/v5", "armv7l", "arm"),
    ("linux/arm/v6", "armv7l", "arm"),
    ("linux/arm/v7", "armv7l", "arm"),
    ("linux/arm64", "aarch64", "aarch64"),
    ("linux/riscv64", "riscv64", "riscv64"),
    ("linux/s390x", "s390x", "s390x"),
];

/// A good image with a `uname` that says what it should, under qemu.
pub(super) fn emulated(platform: &str) -> Told {
    let (_, machine, qemu) = EMULATED.iter().find(|row| row.0 == platform).unwrap();
    Told::new(platform, machine, Some(format!("qemu-{qemu} 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)")))
}

/// The same on the host's own processor.
pub(super) fn native(platform: &str, machine: &str) -> Told {
    Told::new(platform, machine, None)
}

fn with_uname(platform: &str) -> Image {
    scratch(platform).layer(Layer::new().program("bin/uname", Elf::program(platform).build()))
}

fn output(bytes: impl AsRef<[u8]>) -> Output {
    Output { bytes: bytes.as_ref().to_vec(), total: bytes.as_ref().len() as u64 }
}

/// A command's end, with what it wrote to standard output and standard error.
pub(super) fn end(exit: Exit, stdout: impl AsRef<[u8]>, stderr: impl AsRef<[u8]>) -> Ended {
    Ended { exit, stdout: output(stdout), stderr: output(stderr), took: Duration::from_millis(5) }
}

pub(super) fn code(code: i32) -> Ended {
    end(Exit::Code(code), "", "")
}

pub(super) fn signal(signal: i32) -> Ended {
    end(Exit::Signal(signal), "", "")
}

pub(super) fn refused_to_start(error: StartError) -> Ended {
    end(Exit::NotStarted(error), "", "")
}

fn smoke(words: &[&str], kind: SmokeKind) -> Smoke {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    let command = Command::new(words, Duration::from_millis(1500));
    Smoke { command, expect: Expectation::default(), kind }
}

impl Told {
    fn new(platform: &str, machine: &str, emulator: Option<String>) -> Self {
        let ran = Ran {
            machine: machine.to_owned(),
            emulator,
            started: Some(Platform::parse(platform).unwrap()),
            ended: vec![end(Exit::Code(0), format!("{machine}\n"), "")],
            refused: Vec::new(),
            interrupted: None,
        };
        let smokes = vec![smoke(&["uname", "-m"], SmokeKind::Machine)];
        Self { image: with_uname(platform), ran, smokes, cpu: Cpu::Max, required: false }
    }

    /// Another image of the platform.
    pub(super) fn image(mut self, image: Image) -> Self {
        self.image = image;
        self
    }

    /// What the probe says of the machine.
    fn machine(mut self, machine: &str) -> Self {
        machine.clone_into(&mut self.ran.machine);
        self
    }

    /// What became of `uname -m`.
    pub(super) fn uname(mut self, ended: Ended) -> Self {
        self.ran.ended[0] = ended;
        self
    }

    fn says(self, machine: &str) -> Self {
        self.uname(end(Exit::Code(0), format!("{machine}\n"), ""))
    }

    fn started(mut self, platform: &str) -> Self {
        self.ran.started = Some(Platform::parse(platform).unwrap());
        self
    }

    /// One more command, `app --check`, and what became of it.
    pub(super) fn app(self, ended: Ended) -> Self {
        self.command(&["app", "--check"], ended)
    }

    pub(super) fn command(mut self, words: &[&str], ended: Ended) -> Self {
        self.smokes.push(smoke(words, SmokeKind::Asked));
        self.ran.ended.push(ended);
        self
    }

    /// What is expected of the last command.
    pub(super) fn expecting(mut self, code: i32, stdout: &[&str], stderr: &[&str]) -> Self {
        let patterns = |texts: &[&str]| texts.iter().map(|text| Regex::new(text).unwrap().into()).collect();
        let last = self.smokes.last_mut().unwrap();
        last.expect = Expectation { code, stdout: patterns(stdout), stderr: patterns(stderr), ..last.expect.clone() };
        self
    }

    /// What the last command should write nowhere.
    pub(super) fn without(mut self, stdout: &[&str], stderr: &[&str]) -> Self {
        let patterns = |texts: &[&str]| texts.iter().map(|text| Regex::new(text).unwrap().into()).collect();
        let expect = &mut self.smokes.last_mut().unwrap().expect;
        (expect.not_stdout, expect.not_stderr) = (patterns(stdout), patterns(stderr));
        self
    }

    /// The last command started this program, and was refused.
    pub(super) fn refused(mut self, path: impl AsRef<[u8]>) -> Self {
        let command = self.smokes.len() - 1;
        self.ran.refused.push(Refused { path: path.as_ref().to_vec(), command });
        self
    }

    pub(super) fn baseline(mut self) -> Self {
        self.cpu = Cpu::Baseline;
        self
    }

    /// The sandbox came to an end before all commands had run.
    pub(super) fn interrupted(mut self, why: &str) -> Self {
        self.ran.interrupted = Some(NotReady::new(why, "see there"));
        self
    }

    pub(super) fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

impl From<Told> for Given {
    fn from(told: Told) -> Self {
        let attempt = Attempt::Ran {
            runner: "sandbox",
            why: "the sandbox works here".to_owned(),
            ran: told.ran,
            smokes: told.smokes,
            cpu: told.cpu,
        };
        let given = Given::from(told.image).attempted(attempt);
        if told.required { given.run_required() } else { given }
    }
}

/// An arm64 image whose second layer brings an amd64 tini.
pub(super) fn with_tini() -> Image {
    let tini = Layer::new().program("usr/share/tini", Elf::program("amd64").build());
    with_uname("linux/arm64").layer(tini).history("RUN curl -o /usr/share/tini https://example.org/tini-amd64", false)
}

/// What qemu says of a program that a signal ended.
pub(super) const UNCAUGHT: &str = "qemu: uncaught target signal 11 (Segmentation fault) - core dumped\n";

/// What qemu says of itself.
pub(super) const INTERNAL: &str = "QEMU internal SIGSEGV {code=MAPERR, addr=0x20}\n";

const ARM64_WRONG: &str = "error run/wrong-machine linux/arm64";
const TINI_NOTE: &str = "note binary/foreign-architecture linux/arm64 /usr/share/tini";
const LEAK: &str = "error run/native-leak linux/arm64 /usr/share/tini";
const FORMAT: &str = "error run/exec-format-error linux/arm64";
const FAILED: &str = "error run/command-failed linux/arm64";
const MISMATCH: &str = "error run/output-mismatch linux/arm64";
const TIMEOUT: &str = "error run/timeout linux/arm64";
const CRASHED: &str = "warning run/emulator-crashed linux/arm64";

rows! {
    WRONG_MACHINE {
        right: emulated("linux/arm64") => [];
        uname_of_the_build_machine: emulated("linux/arm64").says("x86_64") => [ARM64_WRONG];
        probe_too_is_told_once: emulated("linux/arm64").machine("x86_64").says("x86_64") => [ARM64_WRONG];
        probe_and_uname_disagree: emulated("linux/arm64").machine("x86_64") => [ARM64_WRONG];
        uname_says_nothing: emulated("linux/arm64").uname(code(0)) => [];
        uname_says_nothing_and_the_probe_is_wrong: emulated("linux/arm64").machine("x86_64").uname(code(0))
            => [ARM64_WRONG];
        engine_started_another: emulated("linux/arm64").started("linux/amd64") => [ARM64_WRONG];
        engine_names_the_variant: emulated("linux/arm64").started("linux/arm64/v8") => [];
        no_uname_in_the_image: emulated("linux/arm64").image(scratch("linux/arm64"))
            .uname(refused_to_start(StartError::NotFound)) => [];
        i386_on_its_own_kernel: native("linux/386", "i686") => [];
        i386_on_a_64_bit_kernel: native("linux/386", "x86_64") => [];
        i386_on_an_arm: native("linux/386", "aarch64") => ["error run/wrong-machine linux/386"];
        i386_under_qemu: emulated("linux/386") => [];
        i386_under_qemu_for_another: emulated("linux/386").says("x86_64") => ["error run/wrong-machine linux/386"];
        armv6_on_any_cpu_of_qemu: emulated("linux/arm/v6") => [];
        armv6_on_its_baseline: emulated("linux/arm/v6").baseline().machine("armv6l").says("armv6l") => [];
        armv7_under_qemu: emulated("linux/arm/v7") => [];
        armv7_on_a_64_bit_kernel: native("linux/arm/v7", "aarch64") => [];
        armv7_on_a_64_bit_kernel_in_32_bit: native("linux/arm/v7", "armv8l") => [];
        armv7_on_armv6: native("linux/arm/v7", "armv6l") => ["error run/wrong-machine linux/arm/v7"];
    }
    NATIVE_LEAK {
        started: emulated("linux/arm64").image(with_tini()).app(code(0)).refused("/usr/share/tini") => [LEAK, TINI_NOTE];
        what_fails_then_follows: emulated("linux/arm64").image(with_tini()).app(code(126)).refused("/usr/share/tini")
            => [LEAK, TINI_NOTE];
        by_uname: emulated("linux/arm64").image(with_tini()).says("x86_64").refused("/usr/share/tini")
            => [LEAK, TINI_NOTE];
        unpacked_at_run_time: emulated("linux/arm64").app(code(0)).refused("/tmp/jna.so")
            => ["error run/native-leak linux/arm64 /tmp/jna.so"];
        of_another_command: emulated("linux/arm64").image(with_tini()).app(code(0)).refused("/usr/share/tini")
            .app(code(1)) => [FAILED, LEAK, TINI_NOTE];
        there_and_not_started: emulated("linux/arm64").image(with_tini()).app(code(0)) => [TINI_NOTE];
    }
    EXEC_FORMAT_ERROR {
        refused_by_the_kernel: emulated("linux/arm64").app(refused_to_start(StartError::ExecFormat)) => [FORMAT];
        uname_itself: emulated("linux/arm64").uname(refused_to_start(StartError::ExecFormat)) => [FORMAT];
        told_by_bash: emulated("linux/arm64")
            .app(end(Exit::Code(126), "", "bash: /app: cannot execute binary file: Exec format error\n")) => [FORMAT];
        told_by_a_shell_with_another_code: emulated("linux/arm64")
            .app(end(Exit::Code(2), "", "sh: 1: /app: Exec format error\n")) => [FORMAT];
        not_there: emulated("linux/arm64").app(refused_to_start(StartError::NotFound)) => [FAILED];
        expected: emulated("linux/arm64").app(end(Exit::Code(126), "", "Exec format error\n"))
            .expecting(126, &[], &[]) => [];
    }
    COMMAND_FAILED {
        exits_with_0: emulated("linux/arm64").app(code(0)) => [];
        exits_with_1: emulated("linux/arm64").app(code(1)) => [FAILED];
        exits_as_expected: emulated("linux/arm64").app(code(3)).expecting(3, &[], &[]) => [];
        exits_with_0_and_should_not: emulated("linux/arm64").app(code(0)).expecting(3, &[], &[]) => [FAILED];
        output_of_a_failure_is_not_looked_at: emulated("linux/arm64").app(code(1)).expecting(0, &["x"], &["y"])
            => [FAILED];
        killed: emulated("linux/arm64").app(signal(9)) => [FAILED];
        killed_natively: native("linux/arm64", "aarch64").app(signal(11)) => [FAILED];
        a_signal_that_is_expected: emulated("linux/arm64").app(signal(9)).expecting(137, &[], &[]) => [];
        out_of_memory: emulated("linux/arm64").app(end(Exit::OutOfMemory, "", "")) => [FAILED];
        its_interpreter_is_missing: emulated("linux/arm64").uname(refused_to_start(StartError::NotFound)) => [FAILED];
        not_executable: emulated("linux/arm64").app(refused_to_start(StartError::NotExecutable)) => [FAILED];
        cannot_be_started: emulated("linux/arm64").app(refused_to_start(StartError::Other("too long".into())))
            => [FAILED];
        uname_fails: emulated("linux/arm64").uname(code(1)) => [FAILED];
        every_command_counts: emulated("linux/arm64").app(code(1)).command(&["b"], code(2)) => [FAILED, FAILED];
    }
    OUTPUT_MISMATCH {
        matches: emulated("linux/arm64").app(end(Exit::Code(0), "app 1.2\n", "ok\n"))
            .expecting(0, &["^app", r"1\.2"], &["(?m)^ok$"]) => [];
        one_of_two_does_not: emulated("linux/arm64").app(end(Exit::Code(0), "app 1.2\n", ""))
            .expecting(0, &["app", r"1\.3"], &[]) => [MISMATCH];
        on_the_other_stream: emulated("linux/arm64").app(end(Exit::Code(0), "", "app 1.2\n"))
            .expecting(0, &["app"], &["app"]) => [MISMATCH];
        with_the_expected_code: emulated("linux/arm64").app(end(Exit::Code(2), "usage", ""))
            .expecting(2, &["app"], &[]) => [MISMATCH];
        what_should_not_be_there: emulated("linux/arm64").app(end(Exit::Code(0), "x\nTraceback\n", ""))
            .without(&["^x", "Trace"], &["Trace"]) => [MISMATCH, MISMATCH];
        what_should_not_be_on_the_other_stream: emulated("linux/arm64").app(end(Exit::Code(0), "Traceback", "a warning"))
            .without(&["warning"], &["Trace"]) => [];
        what_qemu_warns_of: emulated("linux/arm64")
            .app(end(Exit::Code(0), "", "qemu-aarch64-static: warning: TCG doesn't support requested feature: x\n"))
            .expecting(0, &[], &["^$"]) => [];
        what_qemu_warns_of_natively: native("linux/arm64", "aarch64")
            .app(end(Exit::Code(0), "", "qemu-aarch64: warning: made up\n")).expecting(0, &[], &["^$"]) => [MISMATCH];
        what_the_program_warns_of: emulated("linux/arm64").app(end(Exit::Code(0), "", "app: warning: old\n"))
            .expecting(0, &[], &["^$"]) => [MISMATCH];
        invalid_utf8: emulated("linux/arm64").app(end(Exit::Code(0), b"\xff\xfe app", "")).expecting(0, &["app"], &[])
            => [];
    }
    TIMEOUT {
        took_too_long: emulated("linux/arm64").app(end(Exit::TimedOut, "starting\n", "")) => [TIMEOUT];
        uname_took_too_long: emulated("linux/arm64").uname(end(Exit::TimedOut, "", "")) => [TIMEOUT];
        ended_in_time: emulated("linux/arm64").app(code(0)) => [];
    }
    ILLEGAL_INSTRUCTION {
        on_the_baseline: emulated("linux/arm/v6").baseline().app(signal(4))
            => ["error run/illegal-instruction linux/arm/v6"];
        on_the_baseline_of_the_host: emulated("linux/amd64").baseline().app(signal(4))
            => ["error run/illegal-instruction linux/amd64"];
        told_by_a_shell: emulated("linux/arm/v6").baseline().app(end(Exit::Code(132), "", "Illegal instruction\n"))
            => ["error run/illegal-instruction linux/arm/v6"];
        on_all_that_qemu_has: emulated("linux/arm64").app(signal(4))
            => ["warning run/illegal-instruction linux/arm64"];
        on_the_hosts_own: native("linux/amd64", "x86_64").app(signal(4))
            => ["warning run/illegal-instruction linux/amd64"];
        a_code_that_nobody_explains: emulated("linux/arm64").baseline().app(code(132)) => [FAILED];
        expected: emulated("linux/arm64").baseline().app(signal(4)).expecting(132, &[], &[]) => [];
        none: emulated("linux/arm64").baseline().app(code(0)) => [];
    }
    EMULATOR_CRASHED {
        without_a_word: emulated("linux/arm64").app(signal(11)) => [CRASHED];
        aborted: emulated("linux/arm64").app(signal(6)) => [CRASHED];
        with_a_word_about_itself: emulated("linux/arm64").app(end(Exit::Signal(11), "", INTERNAL)) => [CRASHED];
        below_a_shell: emulated("linux/arm64").app(end(Exit::Code(139), "", "Segmentation fault\n")) => [CRASHED];
        the_program_below_a_shell: emulated("linux/arm64")
            .app(end(Exit::Code(139), "", format!("{UNCAUGHT}Segmentation fault\n"))) => [FAILED];
        the_program: emulated("linux/arm64").app(end(Exit::Signal(11), "", UNCAUGHT)) => [FAILED];
        the_program_where_qemu_is_silent: emulated("linux/riscv64").app(signal(11))
            => ["error run/command-failed linux/riscv64"];
        where_qemu_is_silent_about_programs: emulated("linux/riscv64").app(end(Exit::Signal(11), "", INTERNAL))
            => ["warning run/emulator-crashed linux/riscv64"];
        no_emulator: native("linux/arm64", "aarch64").app(end(Exit::Signal(11), "", INTERNAL)) => [FAILED];
        nothing_crashed: emulated("linux/arm64").app(code(0)) => [];
    }
}
