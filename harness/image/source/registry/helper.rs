//! Credential helpers: `docker-credential-NAME get`.
//!
//! Source: docker-credential-helpers, README, "Development": the server's address on standard input, a JSON object
//! with `Username` and `Secret` on standard output, and exit code 1 with a message there where there is none.

use super::credentials::{CredentialEnvironment, Credentials};
use super::shorten;
use serde::Deserialize;
use std::ffi::OsStr;
use std::io::{Read, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How much of a helper's output is read.
const MAX_OUTPUT_BYTES: u64 = 1024 * 1024;
/// How often a helper that has closed its output is looked at.
const EXIT_POLL: Duration = Duration::from_millis(5);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    #[serde(default)]
    username: String,
    secret: String,
}

/// Asks a helper for a server's credentials; `None` where it has none.
///
/// # Errors
/// What is wrong with the helper, in a sentence that names it and holds no secret.
pub(super) fn ask(
    helper: &str,
    server: &str,
    environment: &CredentialEnvironment,
) -> Result<Option<Credentials>, String> {
    let program = format!("docker-credential-{helper}");
    let shown = shorten(&program, 80);
    let Some(path) = find(&program, environment.path.as_deref()) else {
        return Err(format!("the credential helper {shown} is not in the PATH"));
    };
    let mut command = Command::new(path);
    if let Some(search) = &environment.path {
        command.env("PATH", search);
    }
    let mut child = command
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("the credential helper {shown} cannot be started: {error}"))?;
    let finished = converse(&mut child, server, environment.helper_timeout);
    let Some((success, stdout, stderr)) = finished else {
        // Errors here mean that it is gone already.
        let _ = child.kill();
        let _ = child.wait();
        let waited = environment.helper_timeout.as_secs_f32();
        return Err(format!("the credential helper {shown} gave no answer in {waited} s"));
    };
    if success {
        return read_output(&stdout)
            .ok_or_else(|| format!("the credential helper {shown} did not answer with credentials"));
    }
    let said = if stdout.trim_ascii().is_empty() { stderr } else { stdout };
    let said = shorten(String::from_utf8_lossy(&said).trim(), 200);
    // The wording of docker-credential-helpers' `credentials/error.go`, by which Docker tells it too.
    if said.to_ascii_lowercase().contains("credentials not found") {
        return Ok(None);
    }
    Err(format!("the credential helper {shown} failed: {said}"))
}

/// `Some(None)` where the helper says that it has nothing by two empty fields.
#[allow(clippy::option_option, reason = "no answer and an answer of nothing differ")]
fn read_output(stdout: &[u8]) -> Option<Option<Credentials>> {
    let Output { username, secret } = serde_json::from_slice(stdout).ok()?;
    Some(match (username.as_str(), secret.is_empty()) {
        ("", true) => None,
        // Docker's mark of a refresh token.
        ("<token>", _) => Some(Credentials::IdentityToken(secret)),
        _ => Some(Credentials::Basic { username, password: secret }),
    })
}

fn find(program: &str, path: Option<&OsStr>) -> Option<PathBuf> {
    if program.contains(['/', '\\']) {
        return None;
    }
    let names = [program.to_owned(), format!("{program}{}", std::env::consts::EXE_SUFFIX)];
    let mut candidates = std::env::split_paths(path?)
        .flat_map(|directory| names.iter().map(move |name| directory.join(name)).collect::<Vec<_>>());
    candidates.find(|candidate| candidate.is_file())
}

/// Hands the server over and collects what comes back, unless that takes too long.
fn converse(child: &mut Child, server: &str, timeout: Duration) -> Option<(bool, Vec<u8>, Vec<u8>)> {
    let deadline = Instant::now() + timeout;
    // A pipe holds more than a server's name, so this cannot block; a helper that does not read it is judged by
    // what it says.
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(server.as_bytes());
    }
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let left = || deadline.saturating_duration_since(Instant::now());
    let stdout = stdout.recv_timeout(left()).ok()?;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if !left().is_zero() => thread::sleep(EXIT_POLL),
            _ => return None,
        }
    };
    // A process that it left behind may hold this one open.
    let stderr = stderr.recv_timeout(left().min(Duration::from_secs(1))).unwrap_or_default();
    Some((status.success(), stdout, stderr))
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            // What came before an error is judged like any other answer.
            let _ = pipe.take(MAX_OUTPUT_BYTES).read_to_end(&mut bytes);
        }
        // Nobody listens any more where the time was over.
        let _ = sender.send(bytes);
    });
    receiver
}
