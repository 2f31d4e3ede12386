//! What the tools' words mean: why a build, a builder or a push did not work.
//!
//! The words are those of docker/cli, moby/moby, moby/buildkit, docker/buildx and distribution; each is looked for
//! where it was seen, in lower case. What none of them explains stays a failure with its last lines.

use super::command::{Done, End};
use crate::platform::Platform;

/// How much of what a command said is shown.
const SHOWN_LINES: usize = 12;
const SHOWN_WIDTH: usize = 300;
/// How far above a failing instruction its place stands.
const MAX_ABOVE: usize = 40;

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Building.
    Build,
    /// Running what was built.
    Run,
    /// Making or asking a builder.
    Builder,
    /// Pushing, or joining and reading what was pushed.
    Push,
}

/// Why it did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// A program for another architecture could not be started: no emulator there.
    NoEmulator,
    /// It took longer than it may.
    TimedOut,
    /// The base image cannot be had: no network, no such image, no right to it.
    NoBase,
    /// The base image is there, and not for the platform.
    BaseLacksPlatform,
    /// The registry wants a login, or refuses this one.
    Refused,
    /// The registry cannot be reached, or the connection broke.
    Unreachable,
    /// The registry speaks plain HTTP, and HTTPS was tried.
    PlainHttp,
    /// `docker manifest create` was given a list: an image that was pushed with its provenance.
    IsList,
    /// There is no builder of that name.
    NoBuilder,
    /// What was built says that it is another machine, or nothing that a machine says.
    WrongMachine,
    /// Anything else.
    Other,
}

/// What did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What was being done.
    pub doing: Doing,
    /// Why it did not work.
    pub cause: Cause,
    /// The platform, where it is known.
    pub platform: Option<Platform>,
    /// The command, as it can be typed into a shell.
    pub line: String,
    /// How it ended, as the second half of a sentence: `exit code 1`.
    pub ended: String,
    /// The instruction that failed, with its place in the Dockerfile, where the builder says it.
    pub instruction: Option<String>,
    /// The last lines of what it said that are worth reading.
    pub said: String,
}

/// Words, and what they mean while something is done.
const WORDS: &[(&str, &[Doing], Cause)] = &[
    ("exec format error", &[Doing::Build, Doing::Run], Cause::NoEmulator),
    ("is a manifest list", &[Doing::Push], Cause::IsList),
    ("gave http response to https client", &[Doing::Push, Doing::Build], Cause::PlainHttp),
    ("no match for platform in manifest", &[Doing::Build], Cause::BaseLacksPlatform),
    ("no matching manifest for", &[Doing::Build], Cause::BaseLacksPlatform),
    ("does not match the specified platform", &[Doing::Build, Doing::Run], Cause::BaseLacksPlatform),
    ("no basic auth credentials", &[Doing::Push], Cause::Refused),
    ("unauthorized", &[Doing::Push], Cause::Refused),
    ("authentication required", &[Doing::Push], Cause::Refused),
    ("access denied", &[Doing::Push], Cause::Refused),
    ("requested access to the resource is denied", &[Doing::Push], Cause::Refused),
    ("insufficient_scope", &[Doing::Push], Cause::Refused),
    ("403 forbidden", &[Doing::Push], Cause::Refused),
    ("405 method not allowed", &[Doing::Push], Cause::Refused),
    ("connection refused", &[Doing::Push], Cause::Unreachable),
    ("connection reset", &[Doing::Push], Cause::Unreachable),
    ("broken pipe", &[Doing::Push], Cause::Unreachable),
    ("no such host", &[Doing::Push], Cause::Unreachable),
    ("i/o timeout", &[Doing::Push], Cause::Unreachable),
    ("tls handshake timeout", &[Doing::Push], Cause::Unreachable),
    ("no route to host", &[Doing::Push], Cause::Unreachable),
    ("server closed", &[Doing::Push], Cause::Unreachable),
    ("unexpected eof", &[Doing::Push], Cause::Unreachable),
    // A line of its own, where docker push has nothing else to say.
    ("\neof", &[Doing::Push], Cause::Unreachable),
    (": eof", &[Doing::Push], Cause::Unreachable),
    ("pull access denied", &[Doing::Build], Cause::NoBase),
    ("failed to resolve source metadata", &[Doing::Build], Cause::NoBase),
    ("manifest unknown", &[Doing::Build], Cause::NoBase),
    // The old builder: `Get "https://registry.example/v2/": dial tcp ..`.
    ("/v2/\": ", &[Doing::Build], Cause::NoBase),
    ("no builder \"", &[Doing::Build, Doing::Builder], Cause::NoBuilder),
    ("error getting credentials", &[Doing::Push], Cause::Refused),
];

impl Fault {
    /// What a command that did not end well means. `platform` is what it was for, where that is one.
    #[must_use]
    pub fn of(done: &Done, doing: Doing, platform: Option<&Platform>) -> Self {
        let cause = match done.end {
            End::TimedOut(_) => Cause::TimedOut,
            _ => cause(&done.said, doing),
        };
        let ended = match &done.end {
            End::Exited(code) => format!("exit code {code}"),
            End::Killed(signal) => format!("killed by signal {signal}"),
            End::TimedOut(after) => format!("not done after {}", humantime::format_duration(*after)),
            End::NotStarted(why) => why.clone(),
        };
        Self {
            doing,
            cause,
            platform: platform.cloned().or_else(|| platform_in(&done.said)),
            line: done.line.clone(),
            ended,
            instruction: (doing == Doing::Build).then(|| instruction_in(&done.said)).flatten(),
            said: last_lines(&done.said),
        }
    }
}

fn cause(said: &str, doing: Doing) -> Cause {
    let said = said.to_lowercase();
    let means = |(words, when, _): &&(&str, &[Doing], Cause)| when.contains(&doing) && said.contains(words);
    WORDS.iter().find(means).map_or(Cause::Other, |(_, _, cause)| cause.clone())
}

/// Which platform's part of a build failed: BuildKit heads it with ` > [linux/arm64 build 2/3] RUN make:`.
fn platform_in(said: &str) -> Option<Platform> {
    let head = said.lines().rev().find_map(|line| line.trim_start().strip_prefix("> ["))?;
    let platform = Platform::parse(head.split([' ', ']']).next().filter(|word| word.contains('/'))?).ok()?;
    // `[2/3]` is no platform.
    platform.row().is_some().then_some(platform)
}

/// The instruction that failed, with its place: BuildKit shows lines of the Dockerfile below `Dockerfile:7`, those of the
/// instruction behind `>>>`.
fn instruction_in(said: &str) -> Option<String> {
    let lines: Vec<&str> = said.lines().collect();
    let of_instruction = |line: &str| Some(line.split_once(" | >>> ")?.1.trim().to_owned());
    let first = lines.iter().rposition(|line| of_instruction(line).is_some())?;
    let first = lines.get(..first)?.iter().rposition(|line| of_instruction(line).is_none())? + 1;
    let is_place = |line: &&&str| line.rsplit_once(':').is_some_and(|(_, number)| number.parse::<u32>().is_ok());
    let place = lines.get(..first)?.iter().rev().take(MAX_ABOVE).find(is_place)?;
    let words = lines.get(first..)?.iter().map_while(|line| of_instruction(line)).collect::<Vec<_>>().join(" ");
    Some(format!("{place}: {words}").chars().take(SHOWN_WIDTH).flat_map(escaped).collect())
}

/// The last lines that say something, escaped and bounded.
fn last_lines(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim_end).filter(|line| says_something(line)).collect();
    let from = lines.len().saturating_sub(SHOWN_LINES);
    let shown = lines.get(from..).unwrap_or_default().iter().map(|line| {
        let cut: String = line.chars().take(SHOWN_WIDTH).flat_map(escaped).collect();
        if line.chars().nth(SHOWN_WIDTH).is_some() { format!("{cut}…") } else { cut }
    });
    shown.collect::<Vec<_>>().join("\n")
}

/// Rulers and advertisements do not.
fn says_something(line: &str) -> bool {
    !line.is_empty() && !line.chars().all(|c| c == '-') && !line.starts_with("View build details:")
}

fn escaped(c: char) -> Vec<char> {
    if c.is_control() { c.escape_debug().collect() } else { vec![c] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::time::Duration;

    fn done(end: End, said: &str) -> Done {
        let (line, said) = ("docker build .".to_owned(), said.to_owned());
        Done { line, end, took: Duration::ZERO, stdout: String::new(), said }
    }

    #[rstest]
    #[case(Doing::Build, "#8 0.1 exec /bin/sh: exec format error", Cause::NoEmulator)]
    #[case(Doing::Run, "exec /bin/probe: exec format error", Cause::NoEmulator)]
    #[case(Doing::Build, "process \"/bin/sh -c false\" did not complete successfully: exit code: 1", Cause::Other)]
    // What a program of the user's prints while it is built says nothing of a registry.
    #[case(Doing::Build, "test: connection refused", Cause::Other)]
    #[case(Doing::Build, "ERROR: alpine: no match for platform in manifest: not found", Cause::BaseLacksPlatform)]
    #[case(Doing::Build, "failed to resolve source metadata for docker.io/library/x: dial tcp", Cause::NoBase)]
    #[case(Doing::Build, "Get \"https://registry-1.docker.io/v2/\": dial tcp: no such host", Cause::NoBase)]
    #[case(Doing::Push, "sha256:0401: pushed, then something else", Cause::Other)]
    #[case(Doing::Push, "no basic auth credentials", Cause::Refused)]
    #[case(Doing::Push, "dial tcp 127.0.0.1:1: connect: connection refused", Cause::Unreachable)]
    #[case(Doing::Push, "5f70bf18a086: Pushing\nEOF\n", Cause::Unreachable)]
    #[case(Doing::Push, "http: server gave HTTP response to HTTPS client", Cause::PlainHttp)]
    #[case(Doing::Push, "127.0.0.1:5000/a:1 is a manifest list", Cause::IsList)]
    fn words_have_their_meaning(#[case] doing: Doing, #[case] said: &str, #[case] cause: Cause) {
        assert_eq!(Fault::of(&done(End::Exited(1), said), doing, None).cause, cause);
    }

    #[test]
    fn a_time_that_ran_out_is_the_cause_whatever_was_said() {
        let end = End::TimedOut(Duration::from_secs(5));
        let fault = Fault::of(&done(end, "exec format error"), Doing::Build, None);
        assert_eq!((fault.cause, fault.ended.as_str()), (Cause::TimedOut, "not done after 5s"));
    }

    #[rstest]
    #[case("------\n > [linux/arm64 build 2/3] RUN make:\n#8 1.0 no\n------\n", Some("linux/arm64"))]
    #[case(" > [linux/arm/v7 2/3] RUN make:", Some("linux/arm/v7"))]
    #[case(" > [build 2/3] RUN make:", None)]
    #[case(" > [2/3] RUN make:", None)]
    #[case("nothing", None)]
    fn the_platform_stands_in_the_summary(#[case] said: &str, #[case] platform: Option<&str>) {
        let fault = Fault::of(&done(End::Exited(1), said), Doing::Build, None);
        assert_eq!(fault.platform.map(|platform| platform.to_string()).as_deref(), platform);
    }

    #[test]
    fn the_instruction_stands_below_its_place() {
        let said = "#9 ERROR: x\n------\n > [2/3] RUN a:\n------\ndocker/Dockerfile:5\n--------------------\n   4 |     COPY a b\n   \
                    5 | >>> RUN a \\\n   6 | >>>   b\n   7 |     \n--------------------\nERROR: failed to solve: x\n";
        let of = |said: &str| Fault::of(&done(End::Exited(1), said), Doing::Build, None).instruction;
        assert_eq!(of(said).as_deref(), Some("docker/Dockerfile:5: RUN a \\ b"));
        assert_eq!(of("   5 | >>> RUN a\n"), None);
        assert_eq!(of("nothing"), None);
    }

    #[test]
    fn the_last_lines_are_bounded_and_escaped() {
        let said =
            format!("{}\n----\n\n\u{1b}[31mred\nView build details: x\n{}\n", "first\n".repeat(50), "x".repeat(400));
        let fault = Fault::of(&done(End::Exited(1), &said), Doing::Build, None);
        assert_eq!(fault.said.lines().count(), SHOWN_LINES);
        assert!(!fault.said.contains('\u{1b}') && fault.said.contains("\\u{1b}[31mred"), "{}", fault.said);
        assert!(fault.said.ends_with('…') && !fault.said.contains("View build") && !fault.said.contains("----"));
    }
}
