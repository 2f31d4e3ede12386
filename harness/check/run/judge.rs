//! From what commands did to findings.

use super::super::draft::{Draft, shown_path};
use super::super::pattern::Pattern;
use super::super::rule::{self, Rule};
use super::attempt::{Smoke, SmokeKind};
use super::output::{around, escaped, excerpt, is_cut, shown, tail, text};
use crate::image::PlatformFacts;
use crate::image::rootfs::RootFs;
use crate::run::{Cpu, Ended, Exit, Output, Ran, StartError};
use mpcheck_reports::{Finding, Severity};

/// Signals by which a processor, or an emulator of one, says that it cannot go on (signal(7)).
const SIGILL: i32 = 4;
const SIGTRAP: i32 = 5;
const SIGABRT: i32 = 6;
const SIGBUS: i32 = 7;
const SIGSEGV: i32 = 11;

/// How many refused programs of one command become findings: an image can start any number of them.
const SHOWN_LEAKS: usize = 20;

/// How many characters of a machine's name are shown.
const SHOWN_MACHINE: usize = 80;

/// What commands tell of an image.
#[derive(Default)]
pub(super) struct Judged {
    /// What the image itself said of its machine, or else the probe.
    pub(super) machine: String,
    /// What is said of the platform itself, `uname -m` with it.
    pub(super) platform: Part,
    /// What each command says that was asked for and ended, in their order.
    pub(super) asked: Vec<Part>,
}

/// What one command tells.
#[derive(Default)]
pub(super) struct Part {
    pub(super) findings: Vec<Finding>,
    /// Why it could not be told, where an emulator stood in the way.
    pub(super) undecided: Option<String>,
}

/// Judges all commands of one platform.
pub(super) fn judge(
    platform: &PlatformFacts,
    rootfs: Option<&RootFs<'_>>,
    ran: &Ran,
    smokes: &[Smoke],
    cpu: Cpu,
) -> Judged {
    let mut judge = Judge { platform, rootfs, ran, cpu, machine: ran.machine.clone(), part: Part::default() };
    judge.started();
    judge.machine_is_right(&ran.machine, "the kernel");
    let mut of_platform = std::mem::take(&mut judge.part);
    let mut asked = Vec::new();
    for (index, (smoke, ended)) in smokes.iter().zip(&ran.ended).enumerate() {
        judge.command(index, smoke, ended);
        let part = std::mem::take(&mut judge.part);
        match smoke.kind {
            SmokeKind::Machine => {
                of_platform.findings.extend(part.findings);
                of_platform.undecided = of_platform.undecided.or(part.undecided);
            }
            SmokeKind::Asked => asked.push(part),
        }
    }
    Judged { machine: judge.machine, platform: of_platform, asked }
}

struct Judge<'a> {
    platform: &'a PlatformFacts,
    rootfs: Option<&'a RootFs<'a>>,
    ran: &'a Ran,
    cpu: Cpu,
    machine: String,
    /// What is found of the command that is being judged.
    part: Part,
}

impl Judge<'_> {
    fn draft(&self, rule: &Rule, message: String, hint: impl Into<String>) -> Draft {
        Draft::new(rule, message, hint).on(self.platform)
    }

    fn push(&mut self, draft: Draft) {
        self.part.findings.push(draft.done());
    }

    fn undecided(&mut self, why: String) {
        self.part.undecided.get_or_insert(why);
    }

    /// The platform that the runner started must be the one that was asked for.
    fn started(&mut self) {
        let Some(started) = self.ran.started.as_ref().filter(|started| !started.same_as(&self.platform.platform))
        else {
            return;
        };
        let message = format!("the engine started {started} where {} was asked for", self.platform.platform);
        let hint = "the engine takes the platform from the image's config: see manifest/config-mismatch";
        let draft = self.draft(&rule::WRONG_MACHINE, message, hint);
        self.push(draft.instead(self.platform.platform.to_string(), started.to_string()));
    }

    fn machine_is_right(&mut self, machine: &str, who: &str) {
        let Some(row) = self.platform.platform.row() else { return };
        let uname = row.uname(self.platform.platform.variant());
        let allowed = if self.ran.emulator.is_some() { uname.emulated } else { uname.native };
        if allowed.contains(&machine) || (self.ran.emulator.is_none() && uname.linux32.contains(&machine)) {
            return;
        }
        let shown = escaped(&machine.chars().take(SHOWN_MACHINE).collect::<String>());
        let message = format!("{who} says that this is {shown}, which {} is not", self.platform.platform);
        let hint = "a program of another architecture answered: look at the findings of the group binary, and at the \
                    image's `uname`";
        let draft = self.draft(&rule::WRONG_MACHINE, message, hint);
        self.push(draft.instead(allowed.join(" or "), shown));
    }

    fn command(&mut self, index: usize, smoke: &Smoke, ended: &Ended) {
        let words = shown(&smoke.command.words);
        let leaks: Vec<&[u8]> =
            self.ran.refused.iter().filter(|refused| refused.command == index).map(|refused| &*refused.path).collect();
        for path in leaks.iter().take(SHOWN_LEAKS) {
            self.leak(path, &words);
        }
        if !leaks.is_empty() {
            // Whatever else went wrong came of that.
            return;
        }
        match &ended.exit {
            // An engine tells a signal from such a code, and what is expected is the code.
            Exit::Signal(signal) if signal.checked_add(128) == Some(smoke.expect.code) => {
                self.wrote(smoke, &words, ended);
            }
            Exit::NotStarted(error) => self.not_started(smoke, &words, error),
            Exit::TimedOut => {
                let seconds = smoke.command.timeout.as_secs_f64();
                let message = format!("`{words}` did not end within {seconds} s");
                let hint = "a server does not end by itself: give a command that does, or more time with --timeout";
                let draft = self.draft(&rule::TIMEOUT, message, hint).observed(self.tail(ended));
                self.push(draft);
            }
            Exit::OutOfMemory => {
                self.failed(&words, "its processes took more memory than they may", ended);
            }
            Exit::Signal(signal) => self.signal(*signal, &words, ended),
            Exit::Code(code) => self.code(*code, smoke, &words, ended),
        }
    }

    fn leak(&mut self, path: &[u8], words: &str) {
        let shown = shown_path(path.strip_prefix(b"/").unwrap_or(path));
        let message = format!(
            "`{words}` started {shown}, a program for this machine's own processor that no {} machine can run",
            self.platform.platform
        );
        let hint = "build it for the platform, or copy it from a stage that is: `mpcheck explain run/native-leak`";
        let mut draft = self.draft(&rule::NATIVE_LEAK, message, hint).path(path.strip_prefix(b"/").unwrap_or(path));
        if let Some((_, node)) = self.rootfs.and_then(|rootfs| rootfs.lookup(path).ok()) {
            draft = draft.layer(self.platform, node.layer);
        }
        self.push(draft.observed("refused by the sandbox"));
    }

    fn not_started(&mut self, smoke: &Smoke, words: &str, error: &StartError) {
        let program = smoke.command.words.first().map(String::as_str).unwrap_or_default();
        if smoke.kind == SmokeKind::Machine && *error == StartError::NotFound && !self.has_program(program) {
            // An image without a shell and tools: the probe's answer stands.
            return;
        }
        let (rule, hint) = match error {
            StartError::ExecFormat => (
                &rule::EXEC_FORMAT_ERROR,
                "it is for another architecture, or is no program: see the findings of the group binary",
            ),
            StartError::NotFound => (
                &rule::COMMAND_FAILED,
                "where the file is there, its interpreter is not: see its first line, or `readelf -l`",
            ),
            StartError::NotExecutable => {
                (&rule::COMMAND_FAILED, "look at its mode and at those of the directories above it")
            }
            StartError::Other(_) => (
                &rule::COMMAND_FAILED,
                "where it names a user or a directory: that is USER or WORKDIR in the Dockerfile, or what the command \
                 asked for",
            ),
        };
        let draft = self.draft(rule, format!("`{words}` could not be started: {error}"), hint);
        self.push(draft);
    }

    /// Whether the image has an executable of this name in one of its PATH's directories.
    fn has_program(&self, name: &str) -> bool {
        let (Some(rootfs), Ok(config)) = (self.rootfs, &self.platform.config) else { return false };
        if config.variable("PATH") == Some("") {
            // Nothing is looked up anywhere then.
            return false;
        }
        super::super::binary::path_directories(config)
            .into_iter()
            .any(|directory| rootfs.lookup(format!("{directory}/{name}").as_bytes()).is_ok())
    }

    fn tail(&self, ended: &Ended) -> String {
        tail(ended, self.ran.emulator.is_some())
    }

    fn signal(&mut self, signal: i32, words: &str, ended: &Ended) {
        match signal {
            SIGILL => self.illegal_instruction(words, ended),
            SIGSEGV | SIGABRT | SIGBUS | SIGTRAP if self.is_emulators_fault(ended) => {
                self.emulator_crashed(words, signal, ended);
            }
            _ => self.failed(words, &format!("it was ended by {}", signal_name(signal)), ended),
        }
    }

    /// Whether it was the emulator, and not its program, that a signal ended.
    fn is_emulators_fault(&self, ended: &Ended) -> bool {
        if self.ran.emulator.is_none() {
            return false;
        }
        let stderr = text(&ended.stderr, false);
        // Since qemu 8.2 it says so (`die_from_signal` in `linux-user/signal.c`).
        if stderr.contains("QEMU internal SIG") {
            return true;
        }
        // Of a program that a signal ends it says "uncaught target signal" (`dump_core_and_abort`, the same file).
        let emulator = self.platform.platform.row().and_then(|row| row.emulator);
        let announces = emulator.is_some_and(|emulator| emulator.announces_signals);
        announces && !is_cut(&ended.stderr) && !stderr.contains("uncaught target signal")
    }

    fn illegal_instruction(&mut self, words: &str, ended: &Ended) {
        let platform = &self.platform.platform;
        let baseline = self.cpu == Cpu::Baseline;
        let processor = match (&self.ran.emulator, baseline) {
            (_, true) => format!("a processor that is {platform} and no more"),
            (Some(emulator), false) => format!("the processor of {emulator}"),
            (None, false) => "this machine's processor".to_owned(),
        };
        let message = format!("`{words}` has an instruction that {processor} does not have (SIGILL)");
        let hint = if baseline {
            "build it for the platform's own level: GOARM, GOAMD64, -march and the like in the instruction that builds it"
        } else {
            "run it with `--cpu baseline`: that tells whether the image or this processor is to blame"
        };
        let draft = self.draft(&rule::ILLEGAL_INSTRUCTION, message.clone(), hint).observed(self.tail(ended));
        if baseline {
            self.push(draft);
        } else {
            // It may be too new a program or too old a processor.
            self.push(draft.severity(Severity::Warning));
            self.undecided(message);
        }
    }

    fn emulator_crashed(&mut self, words: &str, signal: i32, ended: &Ended) {
        let emulator = self.ran.emulator.as_deref().unwrap_or("the emulator");
        let message = format!("{emulator} died of {} while it ran `{words}`", signal_name(signal));
        let hint = "that says nothing about the image: try another version of qemu, or a machine of this architecture";
        let draft = self.draft(&rule::EMULATOR_CRASHED, message.clone(), hint).observed(self.tail(ended));
        self.push(draft);
        self.undecided(message);
    }

    fn code(&mut self, code: i32, smoke: &Smoke, words: &str, ended: &Ended) {
        if code == smoke.expect.code {
            self.wrote(smoke, words, ended);
            return;
        }
        let stderr = text(&ended.stderr, false).into_owned();
        // A shell tells of a signal by 128 and its number (POSIX, "Exit Status for Commands"), and in words.
        match code.checked_sub(128) {
            Some(SIGILL) if stderr.contains("llegal instruction") => self.illegal_instruction(words, ended),
            Some(signal @ (SIGSEGV | SIGABRT | SIGBUS | SIGTRAP))
                if stderr.contains(shells_word(signal)) && self.is_emulators_fault(ended) =>
            {
                self.emulator_crashed(words, signal, ended);
            }
            // bash, dash and busybox say it in these words.
            _ if matches!(code, 2 | 126 | 127) && stderr.contains("xec format error") => {
                let hint = "what it starts is for another architecture, or is no program: see the group binary";
                let draft = self.draft(&rule::EXEC_FORMAT_ERROR, format!("`{words}` met an exec format error"), hint);
                self.push(draft.observed(self.tail(ended)));
            }
            _ => self.failed(words, &format!("it exited with {code} instead of {}", smoke.expect.code), ended),
        }
    }

    /// Looks at the outputs of a command that exited as it should.
    fn wrote(&mut self, smoke: &Smoke, words: &str, ended: &Ended) {
        if smoke.kind == SmokeKind::Machine {
            self.named_by_the_image(&text(&ended.stdout, false));
        }
        let emulated = self.ran.emulator.is_some();
        let expect = &smoke.expect;
        let streams = [
            ("standard output", &expect.stdout, &expect.not_stdout, &ended.stdout, false),
            ("standard error", &expect.stderr, &expect.not_stderr, &ended.stderr, emulated),
        ];
        for (stream, patterns, unwanted, output, emulated) in streams {
            let text = text(output, emulated);
            self.wrote_nothing_unwanted(words, stream, unwanted, output, &text);
            for pattern in patterns.iter().filter(|pattern| !pattern.is_match(&text)) {
                let cut = if is_cut(output) {
                    format!(", of which the first {} bytes were looked at", output.bytes.len())
                } else {
                    String::new()
                };
                let message = format!("`{words}`: nothing on its {stream} matches `{pattern}`{cut}");
                let hint = "patterns are regular expressions that may match anywhere; with `(?m)`, `^` and `$` are \
                            those of lines";
                let draft = self.draft(&rule::OUTPUT_MISMATCH, message, hint);
                self.push(draft.instead(pattern.as_str(), excerpt(output, emulated)));
            }
        }
    }

    /// Looks for what should be nowhere in an output.
    fn wrote_nothing_unwanted(&mut self, words: &str, stream: &str, unwanted: &[Pattern], output: &Output, text: &str) {
        for pattern in unwanted {
            if let Some(found) = pattern.find(text) {
                let message = format!("`{words}`: its {stream} has what should not be there: `{pattern}` matches");
                let hint = "look at the matching words below; a pattern may match anywhere, also within a word";
                let draft = self.draft(&rule::OUTPUT_MISMATCH, message, hint);
                self.push(draft.instead(format!("nothing that matches {pattern}"), around(text, found)));
            } else if is_cut(output) {
                let looked_at = output.bytes.len();
                self.undecided(format!(
                    "`{words}`: only the first {looked_at} bytes of its {stream} were looked at for `{pattern}`"
                ));
            }
        }
    }

    /// What `uname -m` of the image said.
    fn named_by_the_image(&mut self, said: &str) {
        let said: String = said.trim().chars().take(SHOWN_MACHINE).collect();
        // A stub in the place of `uname`: the probe's answer stands.
        if said.is_empty() {
            return;
        }
        // What the probe said already is judged already.
        if said != self.ran.machine {
            self.machine_is_right(&said, "`uname -m`");
        }
        self.machine = escaped(&said);
    }

    fn failed(&mut self, words: &str, how: &str, ended: &Ended) {
        let hint = "run it by hand on this platform: `mpcheck explain run/command-failed` says how";
        let draft = self.draft(&rule::COMMAND_FAILED, format!("`{words}` failed: {how}"), hint);
        self.push(draft.observed(self.tail(ended)));
    }
}

/// What shells say of a command that a signal ended: strsignal(3), without its first letter.
fn shells_word(signal: i32) -> &'static str {
    match signal {
        SIGSEGV => "egmentation fault",
        SIGABRT => "bort",
        SIGBUS => "us error",
        _ => "race/breakpoint trap",
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        SIGILL => "SIGILL",
        SIGTRAP => "SIGTRAP",
        SIGABRT => "SIGABRT",
        SIGBUS => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        SIGSEGV => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        31 => "SIGSYS",
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}
