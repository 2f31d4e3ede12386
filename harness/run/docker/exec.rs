//! One program in a running container, and what became of it.

use crate::run::{Exit, Output, StartError, emulator_version};
use crate::{probe::PROBE_EXIT, run::docker::cut};
use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::StartExecResults;
use bollard::models::ExecConfig;
use futures_util::StreamExt;
use std::time::{Duration, Instant};

/// How often it is asked whether a program still runs whose output is still open: a child that it left behind may
/// hold that.
const LOOK: Duration = Duration::from_secs(1);
/// How long the output of a program that ended may still come.
const AFTER_END: Duration = Duration::from_millis(300);
/// Between two questions for the exit code of a program whose output ended.
const PAUSE: Duration = Duration::from_millis(5);

/// What is to be started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order<'a> {
    /// The program and its arguments.
    pub(super) words: &'a [String],
    /// Variables beside the container's.
    pub(super) environment: &'a [String],
    /// As whom; `None` as the container's user.
    pub(super) user: Option<&'a str>,
    /// Whether it has all capabilities, as its container.
    pub(super) privileged: bool,
    /// Whether it has a terminal.
    pub(super) terminal: bool,
    /// How long it may take.
    pub(super) timeout: Duration,
    /// How many bytes of each stream are kept.
    pub(super) keep: usize,
    /// Whether the engine still tells the process number of a program that ended, and so whether there was one:
    /// Docker does (20.10 and 26.1).
    pub(super) numbered: bool,
}

/// How it ended, as the engine tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// With this code.
    Exited { code: i64 },
    /// The engine could not start it, and says why.
    Refused { message: String },
    /// It took too long, and still runs.
    TimedOut,
}

/// What became of it.
#[derive(Debug, Clone)]
pub(super) struct Executed {
    pub(super) end: End,
    pub(super) stdout: Output,
    pub(super) stderr: Output,
    /// Whether standard output and standard error are one, with a terminal's line ends.
    pub(super) terminal: bool,
    pub(super) took: Duration,
}

/// Starts a program in a container and follows it to its end.
///
/// # Errors
/// When the engine cannot be asked, or the container does not run.
pub(super) async fn execute(docker: &Docker, container: &str, order: &Order<'_>) -> Result<Executed, Error> {
    let config = ExecConfig {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(order.words.to_vec()),
        env: Some(order.environment.to_vec()),
        user: order.user.map(str::to_owned),
        privileged: Some(order.privileged),
        // The stream is not told of it: it stays in frames then, whatever the program writes.
        tty: Some(order.terminal),
        ..ExecConfig::default()
    };
    let terminal = order.terminal;
    let began = Instant::now();
    let (mut stdout, mut stderr) = (Output::default(), Output::default());
    let id = match docker.create_exec(container, config).await {
        Ok(created) => created.id,
        // Of the container: it is gone (404), or does not run (409). Anything else is about the program, as
        // Podman looks for the user at this point already.
        Err(Error::DockerResponseServerError { status_code: 400 | 500, message }) => {
            return Ok(Executed { end: End::Refused { message }, stdout, stderr, terminal, took: began.elapsed() });
        }
        Err(error) => return Err(error),
    };
    let followed = follow(docker, &id, order, &mut stdout, &mut stderr);
    let end = match tokio::time::timeout(order.timeout, followed).await {
        Ok(end) => end?,
        Err(_) => End::TimedOut,
    };
    let mut executed = Executed { end, stdout, stderr, terminal, took: began.elapsed() };
    if let End::Refused { message } = &mut executed.end
        && message.is_empty()
    {
        *message = executed.stdout.text();
    }
    Ok(executed)
}

async fn follow(
    docker: &Docker,
    id: &str,
    order: &Order<'_>,
    stdout: &mut Output,
    stderr: &mut Output,
) -> Result<End, Error> {
    let mut output = match docker.start_exec(id, None).await {
        Ok(StartExecResults::Attached { output, .. }) => output,
        Ok(StartExecResults::Detached) => futures_util::stream::empty().boxed(),
        // Newer engines and Podman tell here that a program could not be started, older ones on its output.
        Err(Error::DockerResponseServerError { message, .. }) => return Ok(End::Refused { message }),
        Err(error) => return Err(error),
    };
    let mut pause = LOOK;
    loop {
        match tokio::time::timeout(pause, output.next()).await {
            Ok(Some(piece)) => match piece? {
                LogOutput::StdErr { message } => stderr.add(&message, order.keep),
                LogOutput::StdOut { message } | LogOutput::Console { message } => stdout.add(&message, order.keep),
                LogOutput::StdIn { .. } => {}
            },
            Ok(None) => break,
            Err(_) if pause == AFTER_END => break,
            Err(_) => {
                if docker.inspect_exec(id).await?.running != Some(true) {
                    pause = AFTER_END;
                }
            }
        }
    }
    loop {
        let seen = docker.inspect_exec(id).await?;
        if let (Some(false), Some(code)) = (seen.running, seen.exit_code) {
            let started = match seen.pid {
                Some(0) if order.numbered => false,
                Some(0) => !is_refusal(&stdout.text()),
                _ => true,
            };
            return Ok(if started { End::Exited { code } } else { End::Refused { message: String::new() } });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether this is the engine's message instead of a program's output.
fn is_refusal(text: &str) -> bool {
    ["OCI runtime exec failed", "exec failed", "unable to find user"].iter().any(|start| text.starts_with(start))
}

impl Output {
    /// Adds what came, and keeps the first bytes.
    pub(super) fn add(&mut self, bytes: &[u8], keep: usize) {
        let room = keep.saturating_sub(self.bytes.len()).min(bytes.len());
        self.bytes.extend_from_slice(bytes.get(..room).unwrap_or_default());
        self.total += bytes.len() as u64;
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl Executed {
    /// How it ended, for the report.
    pub(super) fn exit(&self) -> Exit {
        match &self.end {
            End::TimedOut => Exit::TimedOut,
            End::Refused { message } => Exit::NotStarted(start_error(message)),
            End::Exited { code } => match self.runtime_refusal() {
                Some(error) => Exit::NotStarted(error),
                None => exit_of(*code),
            },
        }
    }

    /// What the runtime said in the place of the program, where it came as far as the last step of a start.
    ///
    /// runc's own process writes `exec /path: exec format error` to the standard error that will be the program's,
    /// and exits with 1 (1.1) or 255 (`libcontainer/init_linux.go`). A missing interpreter ends in the same
    /// way, as `no such file or directory`.
    fn runtime_refusal(&self) -> Option<StartError> {
        let failed = matches!(self.end, End::Exited { code: 1 | 126 | 127 | 255 });
        let (said, other) = if self.terminal { (&self.stdout, &self.stderr) } else { (&self.stderr, &self.stdout) };
        if !failed || other.total != 0 || said.total > said.bytes.len() as u64 {
            return None;
        }
        let text = said.text();
        let line = text.strip_suffix('\n').filter(|line| !line.contains('\n'))?;
        let line = if self.terminal { line.trim_end_matches('\r') } else { line };
        let (what, why) = line.rsplit_once(": ")?;
        let of_runtime = what.strip_prefix("exec ").is_some_and(|path| path.starts_with('/') && !path.contains(": "));
        let of_old_runtime = what.ends_with("exec user process caused");
        (of_runtime || of_old_runtime).then(|| start_error(why))
    }

    /// Everything that it wrote, for messages and for the probe.
    pub(super) fn text(&self) -> String {
        format!("{}{}", self.stdout.text(), self.stderr.text())
    }

    /// What the probe says of the machine, where it ran to its end.
    pub(super) fn machine(&self) -> Option<String> {
        if self.end != (End::Exited { code: i64::from(PROBE_EXIT) }) {
            return None;
        }
        self.first_line()
    }

    /// The emulator and its version, where it says them instead of running the program (`QEMU_VERSION`).
    pub(super) fn emulator(&self) -> Option<String> {
        if self.end != (End::Exited { code: 0 }) {
            return None;
        }
        emulator_version(&self.stdout.bytes)
    }

    fn first_line(&self) -> Option<String> {
        self.stdout.text().lines().next().map(str::trim).filter(|line| !line.is_empty()).map(cut)
    }

    /// How it ended, in words.
    pub(super) fn told(&self) -> String {
        let text = self.text();
        match &self.end {
            End::Exited { code } if text.trim().is_empty() => format!("it ended with code {code} and said nothing"),
            End::Exited { code } => format!("it ended with code {code} and said \"{}\"", text.trim()),
            End::Refused { message } => message.trim().to_owned(),
            End::TimedOut => "it did not end".to_owned(),
        }
    }
}

/// What the engine's code means.
///
/// A shell's convention, which runtimes follow: 128 and the signal's number. A program may as well exit with such
/// a code by itself, so only signals are taken for one that nobody would: those of a crash, and SIGKILL.
fn exit_of(code: i64) -> Exit {
    const SIGNALS: [i32; 8] = [
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGABRT,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGKILL,
        libc::SIGSEGV,
        libc::SIGSYS,
    ];
    let code = i32::try_from(code).unwrap_or(i32::MAX);
    match code.checked_sub(128).filter(|signal| SIGNALS.contains(signal)) {
        Some(signal) => Exit::Signal(signal),
        None => Exit::Code(code),
    }
}

/// Why a program was not started, as the engine or its runtime tells it.
fn start_error(message: &str) -> StartError {
    let lower = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    // First: what stands in the way is not the program.
    if says(&["chdir to cwd", "unable to find user", "unable to find group", "no matching entries", "no users found"]) {
        StartError::Other(cut(message.trim()))
    } else if says(&["exec format error"]) {
        StartError::ExecFormat
    } else if says(&["executable file not found", "no such file or directory", "not a directory"]) {
        StartError::NotFound
    } else if says(&["permission denied", "is a directory"]) {
        StartError::NotExecutable
    } else {
        StartError::Other(cut(message.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn executed(end: End, stdout: &str, stderr: &str) -> Executed {
        let output = |text: &str| Output { bytes: text.into(), total: text.len() as u64 };
        Executed { end, stdout: output(stdout), stderr: output(stderr), terminal: false, took: Duration::ZERO }
    }

    #[rstest]
    #[case(0, Exit::Code(0))]
    #[case(127, Exit::Code(127))]
    #[case(128, Exit::Code(128))]
    #[case(129, Exit::Code(129))]
    #[case(132, Exit::Signal(4))]
    #[case(133, Exit::Signal(5))]
    #[case(134, Exit::Signal(6))]
    #[case(135, Exit::Signal(7))]
    #[case(136, Exit::Signal(8))]
    #[case(137, Exit::Signal(9))]
    #[case(139, Exit::Signal(11))]
    #[case(143, Exit::Code(143))]
    #[case(159, Exit::Signal(31))]
    #[case(255, Exit::Code(255))]
    #[case(-1, Exit::Code(-1))]
    #[case(i64::MAX, Exit::Code(i32::MAX))]
    #[case(i64::MIN, Exit::Code(i32::MAX))]
    fn a_code_is_a_signal_where_nobody_would_exit_with_it(#[case] code: i64, #[case] expected: Exit) {
        assert_eq!(executed(End::Exited { code }, "", "").exit(), expected);
    }

    const RUNC: &str = "OCI runtime exec failed: exec failed: unable to start container process: ";

    #[rstest]
    // What Docker 20.10 and 26.1 say with runc 1.1.
    #[case("exec: \"app\": executable file not found in $PATH: unknown", StartError::NotFound)]
    #[case("exec: \"/app\": stat /app: no such file or directory: unknown", StartError::NotFound)]
    #[case(
        "exec: \"/etc/passwd/x\": stat /etc/passwd/x: not a directory: unknown: Are you trying to mount a directory onto a file (or vice-versa)?",
        StartError::NotFound
    )]
    #[case("exec: \"/etc/passwd\": permission denied: unknown", StartError::NotExecutable)]
    #[case("exec: \"/etc\": is a directory: unknown: permission denied", StartError::NotExecutable)]
    #[case("exec /app: exec format error", StartError::ExecFormat)]
    fn a_refusal_is_told_by_what_the_runtime_says(#[case] said: &str, #[case] expected: StartError) {
        let message = format!("{RUNC}{said}\r\n");
        assert_eq!(executed(End::Refused { message }, "", "").exit(), Exit::NotStarted(expected));
    }

    #[rstest]
    #[case("chdir to cwd (\"/w\") set in config.json failed: no such file or directory: unknown")]
    #[case("unable to find user x: no matching entries in passwd file")]
    #[case("no users found")]
    #[case("something new\u{1b}[2J")]
    fn what_is_not_about_the_program_is_told_in_the_engine_s_words(#[case] said: &str) {
        let exit = executed(End::Refused { message: said.to_owned() }, "", "").exit();
        let Exit::NotStarted(StartError::Other(words)) = exit else { panic!("{exit:?}") };
        assert!(words.starts_with(&said[..8]) && !words.contains('\u{1b}'), "{words}");
    }

    #[rstest]
    #[case(1, "", "exec /app: exec format error\n", Some(StartError::ExecFormat))]
    #[case(255, "", "exec /app: exec format error\n", Some(StartError::ExecFormat))]
    #[case(1, "", "exec /app: no such file or directory\n", Some(StartError::NotFound))]
    #[case(
        1,
        "",
        "standard_init_linux.go:228: exec user process caused: exec format error\n",
        Some(StartError::ExecFormat)
    )]
    // A program's own words.
    #[case(2, "", "exec /app: exec format error\n", None)]
    #[case(1, "started\n", "exec /app: exec format error\n", None)]
    #[case(1, "", "first\nexec /app: exec format error\n", None)]
    #[case(1, "", "sh: exec: line 1: /app: exec format error\n", None)]
    #[case(1, "", "exec format error\n", None)]
    fn what_the_runtime_says_in_the_program_s_place_is_known(
        #[case] code: i64,
        #[case] stdout: &str,
        #[case] stderr: &str,
        #[case] expected: Option<StartError>,
    ) {
        let expected = expected.map_or(Exit::Code(i32::try_from(code).unwrap()), Exit::NotStarted);
        assert_eq!(executed(End::Exited { code }, stdout, stderr).exit(), expected);
    }

    #[rstest]
    #[case("exec /app: exec format error\r\n", Exit::NotStarted(StartError::ExecFormat))]
    #[case("exec /app: exec format error\r\nmore\r\n", Exit::Code(255))]
    fn a_terminal_has_the_runtimes_words_on_its_output(#[case] stdout: &str, #[case] expected: Exit) {
        let executed = Executed { terminal: true, ..executed(End::Exited { code: 255 }, stdout, "") };
        assert_eq!(executed.exit(), expected);
    }

    #[test]
    fn output_is_kept_to_its_limit_and_counted_beyond() {
        let mut output = Output::default();
        for piece in [&b"abc"[..], b"defg", b"h"] {
            output.add(piece, 5);
        }
        assert_eq!((output.bytes.as_slice(), output.total), (&b"abcde"[..], 8));
    }

    #[rstest]
    #[case(42, "aarch64\n/.mpcheck/probe\n", Some("aarch64"))]
    #[case(42, "", None)]
    #[case(0, "qemu-aarch64 version 7.2.22\n", None)]
    #[case(1, "aarch64\n", None)]
    fn the_probe_speaks_for_itself_only_when_it_ran_to_its_end(
        #[case] code: i64,
        #[case] stdout: &str,
        #[case] machine: Option<&str>,
    ) {
        assert_eq!(executed(End::Exited { code }, stdout, "").machine().as_deref(), machine);
    }

    #[rstest]
    #[case(0, "qemu-arm version 7.2.22 (Debian)\nCopyright\n", Some("qemu-arm 7.2.22 (Debian)"))]
    #[case(42, "armv7l\n/.mpcheck/probe\n", None)]
    fn an_emulator_that_says_its_version_is_named(
        #[case] code: i64,
        #[case] stdout: &str,
        #[case] emulator: Option<&str>,
    ) {
        assert_eq!(executed(End::Exited { code }, stdout, "").emulator().as_deref(), emulator);
    }
}
