//! One command of the host's own tools: run to its end, with all that it says in a log.

use crate::run::cleanup;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The most bytes of one log: a build may print without end.
const MAX_LOG: u64 = 8 * 1024 * 1024;
/// How much of what a command said last is kept for messages.
const MAX_TAIL: usize = 64 * 1024;
/// How much of its standard output is kept.
const MAX_STDOUT: usize = 1024 * 1024;
/// How often it is looked whether its output ended.
const PAUSE: Duration = Duration::from_millis(5);
/// How long output is waited for that somebody outside the command's group still holds open.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A command to be run.
#[derive(Debug, Clone, Default)]
pub(super) struct Order {
    /// The program and its arguments.
    pub(super) words: Vec<OsString>,
    /// What is set in its environment besides what this process has.
    pub(super) environment: Vec<(String, String)>,
    /// How long it may take.
    pub(super) timeout: Duration,
}

impl Order {
    /// A command with these words.
    pub(super) fn new(words: impl IntoIterator<Item = impl AsRef<OsStr>>, timeout: Duration) -> Self {
        let words = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
        Self { words, environment: Vec::new(), timeout }
    }

    /// As it can be typed into a shell.
    pub(super) fn line(&self) -> String {
        let set = self.environment.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
        let words = self.words.iter().map(|word| quoted(&word.to_string_lossy()));
        set.chain(words).collect::<Vec<_>>().join(" ")
    }

    fn command(&self) -> std::process::Command {
        let mut words = self.words.iter();
        let mut command = std::process::Command::new(words.next().map_or_else(OsString::new, Clone::clone));
        command.args(words);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// A word as a shell takes it; what needs no quotes gets none.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    shlex::try_quote(word).map_or_else(|_| format!("{word:?}"), |word| word.into_owned())
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Exited(i32),
    /// By a signal of this number.
    Killed(i32),
    /// It took longer than this, and was killed.
    TimedOut(Duration),
    /// It could not be started, or not be waited for.
    NotStarted(String),
}

/// A command that was run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// As it can be typed into a shell.
    pub line: String,
    /// How it ended.
    pub end: End,
    /// How long it took.
    pub took: Duration,
    /// Its standard output, or the beginning of it.
    pub stdout: String,
    /// The end of what it said, standard output and error in the order in which they came.
    pub said: String,
}

impl Done {
    /// Whether it ended with 0.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.end == End::Exited(0)
    }

    /// Its exit code; `None` where it did not end by itself.
    #[must_use]
    pub const fn exit(&self) -> Option<i32> {
        match self.end {
            End::Exited(code) => Some(code),
            End::Killed(_) | End::TimedOut(_) | End::NotStarted(_) => None,
        }
    }
}

/// Where all that the commands of one step say is written.
#[derive(Debug)]
pub(super) struct Log {
    sink: Arc<Mutex<Sink>>,
}

#[derive(Debug)]
struct Sink {
    file: File,
    left: u64,
    tail: VecDeque<u8>,
}

impl Sink {
    fn take(&mut self, bytes: &[u8]) {
        let fits = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        // A log that cannot be written is missed by nobody but the reader of a failure, who still has the last lines.
        let _ = self.file.write_all(bytes.get(..fits).unwrap_or_default());
        self.left -= fits as u64;
        if fits < bytes.len() && fits > 0 {
            let _ = self.file.write_all(b"\n[the rest is left out]\n");
        }
        self.tail.extend(bytes);
        let over = self.tail.len().saturating_sub(MAX_TAIL);
        self.tail.drain(..over);
    }
}

impl Log {
    /// A new log.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        let file = File::create_new(path)?;
        let sink = Sink { file, left: MAX_LOG, tail: VecDeque::new() };
        Ok(Self { sink: Arc::new(Mutex::new(sink)) })
    }

    /// Runs a command to its end; with all that it started it is killed where that takes too long.
    pub(super) fn run(&self, order: &Order) -> Done {
        let line = order.line();
        let begun = Instant::now();
        {
            let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
            sink.take(format!("$ {line}\n").as_bytes());
            sink.tail.clear();
        }
        let (end, stdout) = self.end(order, begun + order.timeout);
        let took = begun.elapsed();
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let said = String::from_utf8_lossy(sink.tail.make_contiguous()).into_owned();
        let told = match &end {
            End::Exited(code) => format!("exit code {code}"),
            End::Killed(signal) => format!("ended by signal {signal}"),
            End::TimedOut(after) => format!("killed after {}", humantime::format_duration(*after)),
            End::NotStarted(why) => why.clone(),
        };
        sink.take(format!("[{told}]\n\n").as_bytes());
        Done { line, end, took, stdout: String::from_utf8_lossy(&stdout).into_owned(), said }
    }

    fn end(&self, order: &Order, deadline: Instant) -> (End, Vec<u8>) {
        let mut command = order.command();
        let (mut child, guard) = match cleanup::start(&mut command) {
            Ok(started) => started,
            Err(error) => return (End::NotStarted(format!("could not be started: {error}")), Vec::new()),
        };
        let stdout = self.reader(child.stdout.take(), MAX_STDOUT);
        let stderr = self.reader(child.stderr.take(), 0);
        let ended = cleanup::has_ended(&child, deadline);
        // What it left behind may hold its output open, and is not wanted either. The number of the group stays its own
        // until its end is taken notice of.
        drop(guard);
        let status = child.wait();
        let stdout = finished(stdout);
        finished(stderr);
        let end = match status {
            _ if !ended => End::TimedOut(order.timeout),
            Ok(status) => match (status.code(), status.signal()) {
                (Some(code), _) => End::Exited(code),
                (None, signal) => End::Killed(signal.unwrap_or_default()),
            },
            Err(error) => End::NotStarted(format!("could not be waited for: {error}")),
        };
        (end, stdout)
    }

    /// Copies to the log as it comes, and keeps the beginning, on a thread of its own.
    fn reader(&self, from: Option<impl Read + Send + 'static>, keep: usize) -> JoinHandle<Vec<u8>> {
        let sink = Arc::clone(&self.sink);
        thread::spawn(move || {
            let mut kept = Vec::new();
            let Some(mut from) = from else { return kept };
            let mut buffer = [0; 8192];
            loop {
                let bytes = match from.read(&mut buffer) {
                    Ok(0) => return kept,
                    Ok(read) => buffer.get(..read).unwrap_or_default(),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(_) => return kept,
                };
                sink.lock().unwrap_or_else(PoisonError::into_inner).take(bytes);
                let room = keep.saturating_sub(kept.len()).min(bytes.len());
                kept.extend_from_slice(bytes.get(..room).unwrap_or_default());
            }
        })
    }
}

/// Everybody who could write is dead, or has left the group: then what is there is not waited for.
fn finished(reader: JoinHandle<Vec<u8>>) -> Vec<u8> {
    let until = Instant::now() + LAST_WORDS;
    while !reader.is_finished() && Instant::now() < until {
        thread::sleep(PAUSE);
    }
    if reader.is_finished() { reader.join().unwrap_or_default() } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str, timeout: Duration) -> (Done, String) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let done = Log::new(&path).unwrap().run(&Order::new(["sh", "-c", script], timeout));
        let text = std::fs::read(path).unwrap();
        (done, String::from_utf8_lossy(&text).into_owned())
    }

    #[test]
    fn what_a_command_says_is_logged_and_its_standard_output_kept_apart() {
        let (done, log) = shell("echo out; echo err >&2; exit 3", LONG);
        assert_eq!((done.end.clone(), done.stdout.as_str()), (End::Exited(3), "out\n"));
        assert_eq!(done.exit(), Some(3));
        assert!(done.said.contains("out\n") && done.said.contains("err\n"), "{done:?}");
        assert!(
            log.starts_with("$ sh -c 'echo out; ") && log.contains("err\n") && log.contains("[exit code 3]"),
            "{log}"
        );
    }

    #[test]
    fn endless_output_has_an_end_and_the_last_lines_are_kept() {
        let (done, log) = shell("head -c 20000000 /dev/zero; echo the last line >&2", LONG);
        assert!(done.is_well() && done.stdout.len() == MAX_STDOUT && done.said.len() == MAX_TAIL);
        assert!(log.len() < 9_000_000 && log.contains("[the rest is left out]"));
    }

    #[test]
    fn a_command_that_hangs_is_killed_with_what_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("child");
        let script = format!("echo before; sleep 1000 & echo $! > {}; wait", file.display());
        let (done, log) = shell(&script, Duration::from_secs(3));
        assert_eq!(done.end, End::TimedOut(Duration::from_secs(3)));
        assert!(done.said.contains("before") && log.contains("[killed after 3s]"), "{log}");
        let number = std::fs::read_to_string(&file).unwrap();
        let stat = || std::fs::read_to_string(format!("/proc/{}/stat", number.trim()));
        // A zombie is dead too, until somebody looks after it.
        while stat().is_ok_and(|stat| !stat.contains(") Z ")) {
            thread::yield_now();
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_told_and_a_signal_too() {
        let directory = tempfile::tempdir().unwrap();
        let log = Log::new(&directory.path().join("log")).unwrap();
        let done = log.run(&Order::new(["/nowhere/program"], LONG));
        assert!(matches!(&done.end, End::NotStarted(why) if why.starts_with("could not be started: ")), "{done:?}");
        assert_eq!(done.exit(), None);
        assert_eq!(shell("kill -9 $$", LONG).0.end, End::Killed(9));
    }

    #[test]
    fn a_line_can_be_typed_again() {
        let mut order = Order::new(["docker", "build", "--tag", "a b", "$x"], LONG);
        order.environment.push(("DOCKER_HOST".to_owned(), "unix:///a b".to_owned()));
        assert_eq!(order.line(), "DOCKER_HOST='unix:///a b' docker build --tag 'a b' '$x'");
        let plain = Order::new(["docker", "--output=type=oci,dest=/a.tar", ""], LONG);
        assert_eq!(plain.line(), "docker --output=type=oci,dest=/a.tar ''");
    }
}
