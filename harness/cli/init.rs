//! `mpcheck init`: a suite from what an image is today.

use super::arguments::{Color, InitArguments};
use super::check::{located, reader};
use super::console;
use super::failure::Failure;
use super::progress::Progress;
use crate::check::date::Date;
use crate::check::run::{Attempt, Expectation, Smoke, SmokeKind, Wish, attempt};
use crate::image::ImageFacts;
use crate::image::examine::Unpack;
use crate::image::parallel::in_parallel;
use crate::image::reader::{Depth, Reader};
use crate::image::reference::Location;
use crate::image::source::Source;
use crate::image::source::registry::check_ca_file;
use crate::platform::{Platform, Selection};
use crate::run::choose::How;
use crate::run::set::RunnerSet;
use crate::run::{Command, Cpu, Exit, Freedom, Limits, cleanup};
use crate::suite::draft::{Facts, PlatformFacts, Said, draft, version_commands};
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// How long a program may take to say its version.
const TIMEOUT: Duration = Duration::from_secs(20);

/// How much of what a program says is looked at for a version.
const LOOKED_AT: usize = 4096;

/// Examines the image, runs it, and writes the suite.
pub(super) fn run(arguments: &InitArguments, color: Color) -> Result<u8, Failure> {
    if let Some(file) = &arguments.source.ca_cert {
        check_ca_file(file).map_err(|error| Failure::usage(format!("--ca-cert: {error}")))?;
    }
    let location = located(&arguments.image)?;
    // Made before the image is read: whoever waited for that wants no error about a name then.
    let mut file = arguments.output.as_deref().map(create).transpose()?;
    cleanup::on_signal().map_err(|error| Failure::unexamined(format!("signals cannot be caught: {error}")))?;
    let drafted = drafted(arguments, &location, color);
    let Some((path, file)) = arguments.output.as_ref().zip(file.as_mut()) else {
        return console::print(&drafted?);
    };
    let written = drafted.and_then(|text| {
        let failed = |error| Failure::usage(format!("{} cannot be written: {error}", path.display()));
        file.write_all(text.as_bytes()).map_err(failed)
    });
    if written.is_err() {
        // An empty file would be in the way of the next try.
        let _ = std::fs::remove_file(path);
    }
    written?;
    if !arguments.quiet {
        let shown = path.display();
        console::note(&format!("wrote {shown}: read it, change it, then run `mpcheck test {shown}`"), color);
    }
    Ok(0)
}

/// A new file. What is there already is never written over.
fn create(path: &Path) -> Result<File, Failure> {
    File::create_new(path).map_err(|error| {
        let shown = path.display();
        match error.kind() {
            ErrorKind::AlreadyExists => Failure::usage(format!("{shown} is there already, and is not written over"))
                .hint("name another file with --output, or move that one away"),
            _ => Failure::usage(format!("{shown} cannot be written: {error}"))
                .hint("check the path and its directory's permissions"),
        }
    })
}

fn drafted(arguments: &InitArguments, location: &Location, color: Color) -> Result<String, Failure> {
    let reader = reader(&arguments.reading, &arguments.source);
    let how: How = arguments.run.into();
    let set = RunnerSet::new(&[how], &reader, false);
    let progress = Progress::new(arguments.quiet);
    let read = read(&reader, location, how, &set, &progress);
    let known = read.as_ref().ok().map(|(facts, source)| {
        progress.running(facts.platforms.len());
        platforms(facts, source.as_ref(), location, how, &set, reader.jobs)
    });
    let warnings = progress.finish();
    if !arguments.quiet {
        warnings.iter().for_each(|warning| console::warn(warning, color));
    }
    let (facts, _) = read.map_err(|error| {
        let failure = Failure::unexamined(format!("{} could not be examined: {error}", arguments.image));
        match reader.next_step(&arguments.image, location, &error) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })?;
    let platforms = known.unwrap_or_default();
    if platforms.is_empty() {
        return Err(Failure::unexamined(format!("{} has no platforms of a container image", arguments.image))
            .hint("a suite is about images that can be run; `mpcheck IMAGE` says what this one has"));
    }
    Ok(draft(&Facts {
        reference: reference(&arguments.image, location, arguments.output.as_deref()),
        digest: facts.digest.to_string(),
        today: Date::of(SystemTime::now()),
        platforms,
    }))
}

fn read(
    reader: &Reader,
    location: &Location,
    how: How,
    set: &RunnerSet,
    progress: &Progress,
) -> Result<(ImageFacts, Box<dyn Source>), crate::image::examine::ExamineError> {
    let wanted = |platform: &Platform| set.wants_unpacked(how, Cpu::Max, platform);
    let unpack = set.store().filter(|_| how != How::Never).map(|store| Unpack { store, of: &wanted });
    let depth = if how == How::Never { Depth::Documents } else { Depth::Layers(unpack) };
    reader.read(location, &Selection::all(), depth, progress)
}

/// What each platform is, and what it says to `--version`.
fn platforms(
    facts: &ImageFacts,
    source: &dyn Source,
    location: &Location,
    how: How,
    set: &RunnerSet,
    jobs: usize,
) -> Vec<PlatformFacts> {
    let smoke = |words: Vec<String>| Smoke {
        command: Command::new(words, TIMEOUT),
        expect: Expectation::default(),
        kind: SmokeKind::Asked,
    };
    let wish = |commands: Vec<Vec<String>>| Wish {
        machine: false,
        commands: commands.into_iter().map(smoke).collect(),
        entrypoint_with: None,
        entrypoint_expect: Expectation::default(),
        timeout: TIMEOUT,
        limits: Limits::default(),
        user: None,
    };
    let runners = set.runners(how, Cpu::Max, Freedom::none());
    let images: Vec<_> = facts.platforms.iter().filter(|platform| platform.artifact.is_none()).collect();
    let attempts = in_parallel(&images, jobs, |platform| {
        let commands = platform.config.as_ref().map(version_commands).unwrap_or_default();
        if commands.is_empty() {
            return Attempt::Skipped("it has neither an entrypoint nor a command that could be asked".to_owned());
        }
        attempt(&runners, &wish(commands), platform, source, location)
    });
    let known = images.iter().zip(attempts).map(|(platform, attempt)| PlatformFacts {
        platform: platform.platform.clone(),
        config: platform.config.as_ref().ok().cloned(),
        said: said(attempt),
    });
    known.collect()
}

/// What was said with an exit code of 0; why nothing could be.
fn said(attempt: Attempt) -> Result<Vec<Said>, String> {
    let (ran, smokes) = match attempt {
        Attempt::Skipped(why) => return Err(why),
        Attempt::NotRun(not_ready) => return Err(not_ready.why),
        Attempt::Ran { ran, smokes, .. } => (ran, smokes),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes.get(..LOOKED_AT).unwrap_or(bytes)).into_owned();
    let ended = smokes.into_iter().zip(&ran.ended).filter(|(_, ended)| ended.exit == Exit::Code(0));
    let said = ended.map(|(smoke, ended)| Said {
        words: smoke.command.words,
        stdout: text(&ended.stdout.bytes),
        stderr: text(&ended.stderr.bytes),
    });
    Ok(said.collect())
}

/// How the suite calls the image. A path in a suite is relative to the suite's file.
fn reference(typed: &str, location: &Location, output: Option<&Path>) -> String {
    let (Location::Layout { path, .. } | Location::Archive { path, .. }) = location else { return typed.to_owned() };
    // `oci:` and the like stand before it, and may be spelt like it.
    let (transport, rest) = match typed.split_once(':') {
        Some((transport, rest)) if path.to_str().is_some_and(|path| rest.starts_with(path)) => (Some(transport), rest),
        _ => (None, typed),
    };
    let beside = output.and_then(Path::parent).is_none_or(|directory| directory.as_os_str().is_empty());
    let (Some(relative), Ok(absolute)) = (path.to_str(), std::path::absolute(path)) else { return typed.to_owned() };
    if beside || path.is_absolute() {
        return typed.to_owned();
    }
    let written = rest.replacen(relative, &absolute.display().to_string(), 1);
    match transport {
        Some(transport) => format!("{transport}:{written}"),
        None => written,
    }
}
