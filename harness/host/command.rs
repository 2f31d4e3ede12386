//! Another program of the host, asked something: with an end to its time and to what it says.

use crate::run::cleanup;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// The most bytes that are kept of each of its streams.
const MAX_OUTPUT: u64 = 256 * 1024;

/// What a program said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// Whether it ended with 0.
    pub(super) well: bool,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs a program to its end; with all that it started it is killed where that takes too long.
///
/// # Errors
/// Why it could not be run to its end, as what completes its name.
pub(super) fn ask(mut command: Command, timeout: Duration) -> Result<Said, String> {
    let deadline = Instant::now() + timeout;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = cleanup::start(&mut command);
    let (mut child, guard) = started.map_err(|error| format!("could not be started: {error}"))?;
    let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let ended = cleanup::has_ended(&child, deadline);
    // What it left behind may hold its output open, and is not wanted either. The number of the group stays its own
    // until its end is taken notice of.
    drop(guard);
    let status = child.wait().map_err(|error| format!("could not be waited for: {error}"))?;
    if !ended {
        return Err(format!("did not end within {} seconds", timeout.as_secs()));
    }
    let text = |from: Receiver<Vec<u8>>| {
        // Everybody who could write is dead, or has left the group: then what is there is not waited for.
        let bytes = from.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok(Said { well: status.success(), stdout: text(stdout), stderr: text(stderr) })
}

/// Reads to the end and keeps the beginning, on a thread of its own.
fn reader(from: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut from) = from {
            let _ = from.by_ref().take(MAX_OUTPUT).read_to_end(&mut kept);
            let _ = std::io::copy(&mut from, &mut std::io::sink());
        }
        let _ = sender.send(kept);
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, timeout: Duration) -> Result<Said, String> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        ask(command, timeout)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_a_program_says_is_kept_apart() {
        let said = shell("echo out; echo err >&2; exit 3", LONG).unwrap();
        assert_eq!(said, Said { well: false, stdout: "out\n".to_owned(), stderr: "err\n".to_owned() });
    }

    #[test]
    fn endless_output_has_an_end_and_blocks_nobody() {
        let said = shell("head -c 3000000 /dev/zero; echo end >&2", LONG).unwrap();
        assert!(said.well && said.stdout.len() as u64 == MAX_OUTPUT && said.stderr == "end\n");
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_what_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("child");
        let script = format!("sleep 1000 & echo $! > {}; wait", file.display());
        let error = shell(&script, Duration::from_secs(5)).unwrap_err();
        assert_eq!(error, "did not end within 5 seconds");
        let number = std::fs::read_to_string(&file).unwrap();
        let stat = || std::fs::read_to_string(format!("/proc/{}/stat", number.trim()));
        // A zombie is dead too, until somebody looks after it.
        while stat().is_ok_and(|stat| !stat.contains(") Z ")) {
            thread::yield_now();
        }
    }

    #[test]
    fn a_child_that_holds_the_output_open_is_not_waited_for() {
        let said = shell("sleep 1000 & echo done", LONG).unwrap();
        assert_eq!(said.stdout, "done\n");
    }

    #[test]
    fn a_program_that_is_not_there_is_told() {
        let error = ask(Command::new("/nowhere/program"), LONG).unwrap_err();
        assert!(error.starts_with("could not be started: "), "{error}");
    }
}
