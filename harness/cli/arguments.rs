//! What can be typed.

use super::quantity::Quantity;
use crate::image::layer::Limits;
use crate::image::source::{MAX_DOCUMENT_BYTES, MAX_SPOOLED_BYTES};
use clap::{Args, Parser, Subcommand, ValueEnum};
use mpcheck_reports::FailOn;
use std::path::PathBuf;

/// Check that a multi-platform container image is what it says it is.
///
/// Reads every manifest, config, blob and binary of an image and compares them with
/// the platforms that the image declares. Then runs each platform, in a sandbox that
/// needs neither Docker nor root, or in Docker.
#[derive(Debug, Parser)]
#[command(name = "mpcheck", version, args_conflicts_with_subcommands = true, arg_required_else_help = true)]
#[command(after_help = AFTER_HELP, after_long_help = after_long_help())]
pub(super) struct CommandLine {
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: Color,

    #[command(subcommand)]
    pub(super) command: Option<Command>,

    #[command(flatten)]
    pub(super) check: CheckArguments,
}

const AFTER_HELP: &str = "\
Images: NAME or docker://NAME (registry), docker-daemon:NAME (Docker engine or Podman's socket), oci:DIR[:TAG], \
oci-archive:FILE[:TAG], docker-archive:FILE[:NAME], or the path of a layout or archive.

Exit codes: 0 passed; 1 findings; 2 wrong usage; 3 could not be examined; 4 nothing was checked.";

fn after_long_help() -> String {
    let mib = |bytes: u64| bytes >> 20;
    let limits = crate::run::Limits::default();
    format!(
        "{AFTER_HELP}

Limits: an index, manifest or config has at most {} MiB; a layer at most {} GiB when decompressed and {} entries \
(--max-layer-bytes and --max-layer-entries change these) with at most {} MiB of names; an engine's export at most {} GiB.

Examples:
  mpcheck registry.example/app:1.2 --require linux/amd64,linux/arm64
  mpcheck oci:./out --platform linux/arm64 --format json
  mpcheck app:new --baseline app:old --report json=report.json
  mpcheck app:1.2 --command 'python3 --version' --expect-stdout 'Python 3' --require-run
  mpcheck app:1.2 --run sandbox --cpu baseline

A command in a container may use {} processes, {} GiB of memory and {} MiB of /tmp; it has no network, a read-only root, \
no capabilities. Of each output {} MiB are looked at.",
        mib(MAX_DOCUMENT_BYTES),
        mib(Limits::BYTES) >> 10,
        Quantity(Limits::ENTRIES),
        mib(Limits::NAME_BYTES),
        mib(MAX_SPOOLED_BYTES) >> 10,
        limits.processes,
        mib(limits.memory) >> 10,
        mib(limits.temporary),
        limits.output >> 20,
    )
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check images (the default, when an image is named without a command)
    #[command(arg_required_else_help = true, after_help = AFTER_HELP, after_long_help = after_long_help())]
    Check(Box<CheckArguments>),
    /// Write a suite from what an image is today, for you to edit
    #[command(arg_required_else_help = true)]
    Init(Box<InitArguments>),
    /// Run suites: what images should be, asked of every platform
    #[command(arg_required_else_help = true, after_help = super::test::AFTER_HELP)]
    Test(Box<super::test::TestArguments>),
    /// Work with the JSON reports of earlier runs
    Report {
        #[command(subcommand)]
        command: super::report::ReportCommand,
    },
    /// Say which platforms this host runs, what is wrong with it, and how to mend it
    #[command(after_help = AFTER_HOST)]
    Host(Box<HostArguments>),
    /// Rehearse how this host builds and publishes for several platforms; or build a Dockerfile, and check what comes out
    #[command(after_help = super::build::AFTER_HELP)]
    Build(Box<super::build::BuildArguments>),
    /// Say what a rule means, why it matters and how to fix it
    Explain {
        /// Its name as findings show it (binary/foreign-architecture), the half after the slash, or a group (binary)
        rule: String,
    },
    /// List all rules
    Rules,
    /// Print a JSON Schema
    Schema {
        /// Of what
        what: Schema,
    },
    /// Print the completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

const AFTER_HOST: &str = "\
Each platform is proved by running a tiny program for it: as any program of the host, in an empty root as a container has \
it, in mpcheck's sandbox, and in a container of the Docker engine, where one answers, which is removed again. Nothing is \
changed on the host. A platform is its architecture here: the instructions of a \
variant are not tried.

Exit codes: 0 all that is required runs; 1 something that is required does not; 2 wrong usage; 3 a required platform \
could not be tried; 4 nothing could be tried.";

/// Where the result goes, and when it is a failure.
#[derive(Debug, Args)]
pub(super) struct ResultArguments {
    /// The lowest severity that fails the run: error or warning
    #[arg(long, value_name = "SEVERITY", default_value = "error", value_parser = |text: &str| text.parse::<FailOn>())]
    pub(super) fail_on: FailOn,

    /// The format of the result on standard output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,

    /// Also write the result to a file, in any of the formats; may be repeated
    #[arg(long, value_name = "FORMAT=FILE", value_parser = report_file)]
    pub(super) report: Vec<(Format, PathBuf)>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct HostArguments {
    #[command(subcommand)]
    pub(super) command: Option<super::install::HostCommand>,

    /// Platforms that must run here; without it none is required
    #[arg(long, value_name = "PLATFORM,..")]
    pub(super) require: Vec<String>,

    /// Try each platform so often: a handler that comes and goes is seen
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) repeat: u32,

    /// How long to wait between two tries
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = timeout)]
    pub(super) interval: std::time::Duration,

    /// An earlier JSON report of this host: say what changed, and which platforms were lost
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,

    #[command(flatten)]
    pub(super) result: ResultArguments,

    /// Show all handlers, whole versions, and why the sandbox does not run a platform
    #[arg(long, short)]
    pub(super) verbose: bool,

    /// The Docker engine's address (unix:///PATH, tcp://HOST:PORT), instead of DOCKER_HOST and DOCKER_CONTEXT
    #[arg(long, value_name = "ADDRESS")]
    pub(super) host: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Schema {
    /// A suite file
    Suite,
    /// The JSON report
    Report,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// mpcheck.report/v1, see `mpcheck schema report`
    Json,
    /// JUnit XML, for CI systems
    Junit,
    /// Of `mpcheck host`: metrics for node_exporter's textfile collector
    Prometheus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Run {
    /// The sandbox where it works, else Docker
    Auto,
    /// The Docker engine (or Podman's socket)
    Docker,
    /// mpcheck's own sandbox: no Docker, no root; needs Linux 6.7 and, for foreign platforms, static qemu
    Sandbox,
    /// Run nothing of the image
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Processor {
    /// The host's own, or all that the emulator has
    Max,
    /// What every machine of the platform has and no more: code for a newer one ends in run/illegal-instruction
    Baseline,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum EntrypointWith {
    /// --help
    Help,
    /// --version
    Version,
}

#[derive(Debug, Args)]
// What the expectations are of.
#[command(group = clap::ArgGroup::new("started").multiple(true).args(["command", "entrypoint"]))]
pub(super) struct RunArguments {
    /// Whether and where to run the image on its platforms: `uname -m`, or mpcheck's probe in images without it, and
    /// the commands below
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub(super) run: Run,

    /// Also run this command of the image on each platform, such as 'python3 --version'; may be repeated.
    /// Words as in a shell, but no shell: write sh -c '..' for one
    #[arg(long, value_name = "COMMAND", value_parser = words)]
    pub(super) command: Vec<Words>,

    /// Also start the image's own entrypoint with --help or --version
    #[arg(long, value_name = "WITH")]
    pub(super) entrypoint: Option<EntrypointWith>,

    /// The exit code that the commands, and the entrypoint, should have
    #[arg(long, value_name = "CODE", default_value_t = 0, requires = "started")]
    pub(super) expect_exit: u8,

    /// A regular expression that should match somewhere in the standard output of each; may be repeated
    #[arg(long, value_name = "REGEX", requires = "started")]
    pub(super) expect_stdout: Vec<regex::Regex>,

    /// The same for standard error
    #[arg(long, value_name = "REGEX", requires = "started")]
    pub(super) expect_stderr: Vec<regex::Regex>,

    /// How long each command may take: 30s, 2m
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = timeout)]
    pub(super) timeout: std::time::Duration,

    /// The processor that platforms are run on
    #[arg(long, value_name = "CPU", default_value = "max")]
    pub(super) cpu: Processor,

    /// A platform that could not be run fails the check, where it would be skipped
    #[arg(long)]
    pub(super) require_run: bool,

    /// Take the sandbox's emulators out of this image (tonistiigi/binfmt) instead of the host's qemu; kept in the cache
    #[arg(long, value_name = "IMAGE")]
    pub(super) emulators: Option<String>,
}

/// A command line, split as a shell splits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words(pub(super) Vec<String>);

fn words(text: &str) -> Result<Words, String> {
    let words = shlex::split(text).ok_or("a quote is not closed")?;
    if words.is_empty() { Err("it is empty".to_owned()) } else { Ok(Words(words)) }
}

pub(super) fn timeout(text: &str) -> Result<std::time::Duration, String> {
    let long = std::time::Duration::from_secs(24 * 60 * 60);
    let time =
        humantime::parse_duration(text).map_err(|_| "it is a number and a unit, such as 30s or 2m".to_owned())?;
    if time.is_zero() || time > long { Err("it is between 1ms and 1day".to_owned()) } else { Ok(time) }
}

#[derive(Debug, Args)]
pub(super) struct InitArguments {
    /// The image
    #[arg(value_name = "IMAGE")]
    pub(super) image: String,

    /// Write the suite to this new file instead of standard output; what is there already is not written over
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,

    /// How the image is asked for its version on each platform: its entrypoint and its command, with --version
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub(super) run: Run,

    /// No progress and no notes on standard error
    #[arg(long, short)]
    pub(super) quiet: bool,

    #[command(flatten, next_help_heading = "Reading")]
    pub(super) reading: ReadingArguments,

    #[command(flatten, next_help_heading = "Registries and engines")]
    pub(super) source: SourceArguments,
}

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// The images to check
    #[arg(required = true, value_name = "IMAGE")]
    pub(super) images: Vec<String>,

    /// Check only these platforms: linux/arm64, arm64, linux/arm/v7, all, native; commas and repeats are fine
    /// [environment: DOCKER_DEFAULT_PLATFORM]
    // Not clap's `env`: a variable that is set and empty counts as unset, as it does to Docker.
    #[arg(long, value_name = "PLATFORM,..")]
    pub(super) platform: Vec<String>,

    /// Platforms that the image must have
    #[arg(long, value_name = "PLATFORM,..")]
    pub(super) require: Vec<String>,

    /// The image may have no platforms but the required ones
    #[arg(long, requires = "require")]
    pub(super) exact: bool,

    /// An earlier image: none of its platforms may be missing here
    #[arg(long, value_name = "IMAGE")]
    pub(super) baseline: Option<String>,

    #[command(flatten)]
    pub(super) result: ResultArguments,

    /// Show all paths and where the time went
    #[arg(long, short, conflicts_with = "quiet")]
    pub(super) verbose: bool,

    /// No progress and no warnings on standard error
    #[arg(long, short)]
    pub(super) quiet: bool,

    #[command(flatten, next_help_heading = "Running")]
    pub(super) running: RunArguments,

    #[command(flatten, next_help_heading = "Reading")]
    pub(super) reading: ReadingArguments,

    #[command(flatten, next_help_heading = "Registries and engines")]
    pub(super) source: SourceArguments,
}

#[derive(Debug, Args)]
pub(super) struct ReadingArguments {
    /// Neither use nor keep what is known of layers (in $XDG_CACHE_HOME/mpcheck)
    #[arg(long)]
    pub(super) no_cache: bool,

    /// How many layers are read at a time [default: the number of processors, at least 2]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) jobs: Option<u16>,

    /// The most bytes of one layer when decompressed; K, M, G, T are powers of 1000, Ki, Mi, Gi, Ti of 1024
    #[arg(long, value_name = "BYTES", default_value_t = Quantity(Limits::BYTES))]
    pub(super) max_layer_bytes: Quantity,

    /// The most entries of one layer, with the same suffixes
    #[arg(long, value_name = "N", default_value_t = Quantity(Limits::ENTRIES))]
    pub(super) max_layer_entries: Quantity,
}

#[derive(Debug, Args)]
pub(super) struct SourceArguments {
    /// Speak HTTP without TLS to registries (loopback registries may always)
    #[arg(long)]
    pub(super) plain_http: bool,

    /// Trust this certificate authority too, a PEM file
    #[arg(long, value_name = "FILE")]
    pub(super) ca_cert: Option<PathBuf>,

    /// Accept any certificate
    #[arg(long)]
    pub(super) insecure: bool,

    /// The Docker engine's address (unix:///PATH, tcp://HOST:PORT), instead of DOCKER_HOST and DOCKER_CONTEXT
    #[arg(long, value_name = "ADDRESS")]
    pub(super) host: Option<String>,
}

fn report_file(text: &str) -> Result<(Format, PathBuf), String> {
    let (format, file) = text.split_once('=').ok_or("it is FORMAT=FILE, such as json=report.json")?;
    let Ok(known) = Format::from_str(format, false) else {
        let formats = Format::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<String> = formats.map(|format| format.get_name().to_owned()).collect();
        return Err(format!("`{}` is no format; the formats are {}", format.escape_debug(), listed(&names)));
    };
    if file.is_empty() {
        return Err("the file's name is missing after `=`".to_owned());
    }
    Ok((known, PathBuf::from(file)))
}

/// "a, b and c".
fn listed(names: &[String]) -> String {
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;
    use rstest::rstest;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn the_bare_form_is_check() {
        let bare = CommandLine::try_parse_from(["mpcheck", "alpine:3", "--require", "linux/arm64"]).unwrap();
        assert!(bare.command.is_none());
        assert_eq!(bare.check.images, ["alpine:3"]);
        let named = CommandLine::try_parse_from(["mpcheck", "check", "alpine:3"]).unwrap();
        assert!(matches!(named.command, Some(Command::Check(check)) if check.images == ["alpine:3"]));
    }

    /// The text of a help page, without its line breaks.
    fn help(words: &[&str]) -> String {
        let error = CommandLine::try_parse_from(words).unwrap_err();
        assert_eq!(error.kind(), clap::error::ErrorKind::DisplayHelp);
        error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[rstest]
    #[case(&["mpcheck", "--help"])]
    #[case(&["mpcheck", "check", "--help"])]
    fn help_names_images_exit_codes_limits_and_examples(#[case] words: &[&str]) {
        let help = help(words);
        for part in ["Images: NAME", "Exit codes: 0 passed", "Limits: an index", "Examples: mpcheck registry.example"] {
            assert!(help.contains(part), "{part}: {help}");
        }
    }

    #[rstest]
    #[case(&["mpcheck", "-h"])]
    #[case(&["mpcheck", "check", "-h"])]
    fn short_help_names_images_defaults_and_exit_codes(#[case] words: &[&str]) {
        let help = help(words);
        for part in
            ["Images: NAME", "Exit codes: 0 passed", "[default: 256Gi]", "[default: 1M]", "DOCKER_DEFAULT_PLATFORM"]
        {
            assert!(help.contains(part), "{part}: {help}");
        }
    }

    #[test]
    fn limits_have_suffixes() {
        let parsed = CommandLine::try_parse_from(["mpcheck", "app", "--max-layer-bytes", "4Gi"]).unwrap();
        assert_eq!(parsed.check.reading.max_layer_bytes, Quantity(4 << 30));
        assert_eq!(parsed.check.reading.max_layer_entries, Quantity(Limits::ENTRIES));
        let error =
            CommandLine::try_parse_from(["mpcheck", "app", "--max-layer-bytes", "4GB"]).unwrap_err().to_string();
        assert!(error.contains("--max-layer-bytes") && error.contains("such as 64Gi"), "{error}");
    }

    #[rstest]
    #[case("json", "it is FORMAT=FILE")]
    #[case("xml=x", "`xml` is no format; the formats are text, json, junit and prometheus")]
    #[case("json=", "the file's name is missing")]
    fn a_report_is_a_format_and_a_file(#[case] text: &str, #[case] why: &str) {
        let error = report_file(text).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}
