//! `mpcheck host install` and `uninstall`.

use super::arguments::{Color, SourceArguments};
use super::console;
use super::failure::Failure;
use crate::host::install::{self, Asked, Change, Done, Emulators, Order, Outcome, Stop, engine, is_own};
use crate::host::system::System;
use crate::image::cache::Cache;
use crate::image::reference::{EngineImage, Location};
use crate::image::source::SourceOptions;
use crate::platform::Platform;
use crate::run::{NotReady, cleanup, set};
use clap::{Args, Subcommand};

/// What can be done to a host.
#[derive(Debug, Subcommand)]
pub(super) enum HostCommand {
    /// Register emulators in the kernel, and prove that they run
    #[command(arg_required_else_help = true, after_help = AFTER_INSTALL)]
    Install(Box<InstallArguments>),
    /// Remove emulators from the kernel, and what install wrote
    #[command(arg_required_else_help = true, after_help = AFTER_UNINSTALL)]
    Uninstall(Box<UninstallArguments>),
}

const AFTER_INSTALL: &str = "\
What runs already is left as it is. Entries that are no emulators' are never touched; an emulator's that does not do \
(without flag F, with a wrong mask, switched off) is replaced, or switched off where it has another name, and put back \
where the new one does not run. The entries are \
called qemu-NAME, and have the flags F (containers need it), C (sudo and the like work) and P (argv[0] is kept) where the \
emulator knows it. Emulators out of an image are kept in /usr/local/lib/mpcheck/emulators.

Exit codes: 0 all of them run; 1 one was registered, does not run, and was taken away again; 2 wrong usage; 3 something \
could not be done.

Examples:
  sudo mpcheck host install arm64,arm --persist
  sudo mpcheck host install all --emulators tonistiigi/binfmt
  mpcheck host install arm64 --dry-run
  mpcheck host install arm64,arm --engine";

const AFTER_UNINSTALL: &str = "\
Entries that are no emulators' are never touched, whatever they are called. `all` leaves out the host's own architecture.

Exit codes: 0 nothing is left of them; 2 wrong usage; 3 something could not be done.";

#[derive(Debug, Args)]
pub(super) struct InstallArguments {
    #[command(flatten)]
    what: What,

    /// Take the emulators out of this image (tonistiigi/binfmt) instead of the host's qemu-NAME-static
    #[arg(long, value_name = "IMAGE")]
    emulators: Option<String>,

    /// Also write /etc/binfmt.d/zz-mpcheck-qemu-NAME.conf, so that they are registered again at boot
    #[arg(long)]
    persist: bool,

    #[command(flatten, next_help_heading = "Registries and engines")]
    source: SourceArguments,
}

#[derive(Debug, Args)]
pub(super) struct UninstallArguments {
    #[command(flatten)]
    what: What,

    /// With --engine: the image, if it is not tonistiigi/binfmt
    #[arg(long, value_name = "IMAGE", requires = "engine")]
    emulators: Option<String>,

    /// The Docker engine's address (unix:///PATH, tcp://HOST:PORT), instead of DOCKER_HOST and DOCKER_CONTEXT
    #[arg(long, value_name = "ADDRESS", requires = "engine")]
    host: Option<String>,
}

#[derive(Debug, Args)]
struct What {
    /// For which architectures: arm64, linux/arm64, aarch64, commas and repeats; or all
    #[arg(required = true, value_name = "ARCH,..")]
    architectures: Vec<String>,

    /// On the host of the Docker engine, also a remote one, by a privileged container of tonistiigi/binfmt (or of the
    /// image that --emulators names); needs no root here
    #[arg(long)]
    engine: bool,

    /// Only print what would be done, as commands; needs no root
    #[arg(long)]
    dry_run: bool,

    /// No warnings on standard error
    #[arg(long, short)]
    quiet: bool,
}

impl What {
    fn asked(&self) -> Result<Asked, Failure> {
        // An engine's host may be of any architecture.
        let host = Platform::host().row().filter(|_| !self.engine);
        Asked::parse(&self.architectures, host).map_err(|error| {
            let failure = Failure::usage(error.why);
            if error.hint.is_empty() { failure } else { failure.hint(error.hint) }
        })
    }
}

/// Does it, tells what became of each architecture, and gives the exit code.
pub(super) fn run(command: &HostCommand, color: Color) -> Result<u8, Failure> {
    match command {
        HostCommand::Install(arguments) => install(arguments, color),
        HostCommand::Uninstall(arguments) => uninstall(arguments, color),
    }
}

fn install(arguments: &InstallArguments, color: Color) -> Result<u8, Failure> {
    let asked = arguments.what.asked()?;
    if let Some(image) = &arguments.emulators {
        super::run::emulators_location(image)?;
    }
    let mut sources = SourceOptions::default();
    sources.registry.plain_http = arguments.source.plain_http;
    sources.registry.insecure = arguments.source.insecure;
    sources.registry.ca_cert.clone_from(&arguments.source.ca_cert);
    sources.engine.clone_from(&arguments.source.host);
    if arguments.what.engine {
        if arguments.persist {
            return Err(Failure::usage(
                "--persist is not for --engine: a container cannot write the files of an engine's host",
            )
            .hint("run `mpcheck host install --persist` on that host, or this command after each of its boots"));
        }
        return on_engine(
            &arguments.what,
            &asked,
            arguments.emulators.as_deref(),
            &sources,
            engine::Change::Install,
            color,
        );
    }
    let host = Platform::host();
    if let Some(row) = asked.rows.iter().find(|row| host.row().is_some_and(|host| is_own(host, row))) {
        let why =
            format!("{} is this machine's own: under an emulator its programs would run many times slower", row.name);
        return Err(Failure::usage(why).hint(format!("leave it out, or write all; this machine is {host}")));
    }
    cleanup::on_signal().map_err(|error| Failure::unexamined(format!("signals cannot be caught: {error}")))?;
    let done = {
        // What is only told leaves no trace in the cache. And what is registered for everybody, with root's rights, is
        // fetched for that: anybody may have written what lies in a user's cache, and a tag may have moved since.
        let cache = Cache::user_directory(|name| std::env::var_os(name).map(Into::into));
        let cache = cache.filter(|_| !arguments.what.dry_run && arguments.emulators.is_none()).map(Cache::new);
        let mut temporary = None;
        let sandbox =
            set::sandbox(cache.as_ref(), arguments.emulators.is_some(), &mut temporary).map_err(|why| failed(&why))?;
        let image = arguments.emulators.as_deref().unwrap_or_default();
        let fetch = || {
            let location = super::run::emulators_location(image)
                .map_err(|failure| NotReady::new(failure.to_string(), failure.next_step().unwrap_or_default()))?;
            set::fetch_emulators(&sandbox, image, &location, &sources)
                .map_err(|failed| NotReady::new(format!("--emulators {image}: {failed}"), failed.hint))
        };
        let emulators = match &arguments.emulators {
            Some(name) => Emulators::Image { name, fetch: &fetch },
            None => Emulators::Host,
        };
        let order = Order {
            asked: &asked,
            emulators,
            persist: arguments.persist,
            dry_run: arguments.what.dry_run,
            sandbox: &sandbox,
        };
        install::install(&order).map_err(|stop| stopped(stop, "install", &arguments.what))?
    };
    if arguments.persist && !arguments.what.quiet {
        install::nobody_reads_at_boot().iter().for_each(|warning| console::warn(warning, color));
        if let Some(container) = System::read().container {
            let warning = format!("this is a container ({container}): its files say nothing of its host's next boot");
            console::warn(&warning, color);
        }
    }
    tell(&done, &arguments.what, color)
}

fn uninstall(arguments: &UninstallArguments, color: Color) -> Result<u8, Failure> {
    let what = &arguments.what;
    let asked = what.asked()?;
    if what.engine {
        let sources = SourceOptions { engine: arguments.host.clone(), ..SourceOptions::default() };
        return on_engine(what, &asked, arguments.emulators.as_deref(), &sources, engine::Change::Uninstall, color);
    }
    let done = install::uninstall(&asked, what.dry_run).map_err(|stop| stopped(stop, "uninstall", what))?;
    tell(&done, what, color)
}

/// The image that is run on an engine's host where nobody names another.
const INSTALLER: &str = "tonistiigi/binfmt";

fn on_engine(
    what: &What,
    asked: &Asked,
    image: Option<&str>,
    sources: &SourceOptions,
    change: engine::Change,
    color: Color,
) -> Result<u8, Failure> {
    let typed = image.unwrap_or(INSTALLER);
    let image = match super::run::emulators_location(typed)? {
        Location::Registry { name } => EngineImage::Name(name),
        Location::Engine { image } => image,
        Location::Layout { .. } | Location::Archive { .. } => {
            return Err(Failure::usage(format!(
                "--emulators {typed}: an engine runs images of its own, or of a registry"
            ))
            .hint("`docker load` brings it there; then write docker-daemon:NAME"));
        }
    };
    if what.dry_run {
        let quoted =
            |address: &String| shlex::try_quote(address).map_or_else(|_| address.clone(), |word| word.into_owned());
        let at = sources.engine.as_ref().map(|address| format!("--host {} ", quoted(address))).unwrap_or_default();
        let words = engine::arguments(change, asked).join(" ");
        return console::print(&format!("docker {at}run --privileged --rm {image} {words}\n"));
    }
    cleanup::on_signal().map_err(|error| Failure::unexamined(format!("signals cannot be caught: {error}")))?;
    crate::host::engine::reached(&sources.for_engine()).map_err(|why| failed(why.why()))?;
    let pulling = |name: &str| {
        if !what.quiet {
            console::note(&format!("the engine pulls {name}; it is removed afterwards"), color);
        }
    };
    let docker = set::docker(sources);
    let mut done = engine::run(&docker, &image, asked, change, &pulling).map_err(|why| failed(&why))?;
    if change == engine::Change::Install {
        // It answered a moment ago; where it does not now, what the image said stands.
        if let Ok(facts) = crate::host::engine::ask(&sources.for_engine(), &asked.rows, &System::read().kernel) {
            engine::confirm(&mut done, &facts);
        }
    }
    tell(&done, what, color)
}

fn failed(why: &NotReady) -> Failure {
    let failure = Failure::unexamined(why.why.clone());
    if why.hint.is_empty() { failure } else { failure.hint(why.hint.clone()) }
}

/// Nothing could be done: the next command, ready to be typed.
fn stopped(stop: Stop, command: &str, what: &What) -> Failure {
    let what_was = match stop {
        Stop::NotReady(why) => return failed(&why),
        Stop::Denied(what_was) => what_was,
    };
    let words = format!("mpcheck host {command} {}", what.architectures.join(","));
    let words: String = words.chars().take(200).flat_map(char::escape_debug).collect();
    let on_engine = format!("as a user of Docker: `{words} --engine`");
    let failure = Failure::unexamined(format!("the kernel's handlers may not be changed from here: {what_was}"));
    failure.hint(if !rustix::process::geteuid().is_root() {
        format!("as root: `sudo {words}`; or {on_engine}")
    } else if System::read().container.is_some() {
        format!("this is a container: on its host, as root: `{words}`; or {on_engine}; or start this one with --privileged")
    } else {
        format!("root has not all rights here, as in a container or user namespace: on the host itself: `{words}`; or {on_engine}")
    })
}

/// Prints what became of each, and gives the exit code.
fn tell(done: &[Done], what: &What, color: Color) -> Result<u8, Failure> {
    let text: String =
        if what.dry_run { planned(done) } else { done.iter().map(|one| format!("{}\n", line(one))).collect() };
    console::print(&text)?;
    if !what.quiet {
        for one in done {
            one.notes.iter().for_each(|note| console::warn(&format!("linux/{}: {note}", one.row.name), color));
        }
    }
    Ok(exit_code(done))
}

/// The commands, for a person or a shell; what there is nothing to do for is a comment.
fn planned(done: &[Done]) -> String {
    let mut text = String::new();
    for one in done {
        let about = match &one.outcome {
            Outcome::Planned if one.commands.is_empty() => Some(format!("{}: already there", one.row.name)),
            Outcome::Planned => Some(one.row.name.to_owned()),
            _ => Some(line(one)),
        };
        about.iter().for_each(|about| text.push_str(&format!("# {about}\n")));
        one.commands.iter().for_each(|command| text.push_str(&format!("{command}\n")));
    }
    text
}

fn line(one: &Done) -> String {
    let (mark, told) = match &one.outcome {
        Outcome::Ready { change, emulator, flags, boot } => {
            let change = match change {
                Change::AlreadyThere => "already there".to_owned(),
                Change::Installed => "installed".to_owned(),
                Change::Replaced(what) => format!("installed in place of {what}"),
                Change::SwitchedOn => "switched on".to_owned(),
            };
            // Its package's version says nothing more.
            let emulator = emulator.split(" (").next().unwrap_or_default();
            let flags: Vec<&str> = ["F", "C", "P"].into_iter().filter(|flag| flags.contains(flag)).collect();
            let boot = match boot {
                Some((file, true)) => format!("yes, by {file}"),
                Some((file, false)) => format!("no, as nothing reads {file} here"),
                None => "no".to_owned(),
            };
            ('✓', format!("{change}, {emulator} ({}), registered again at boot: {boot}", flags.join(", ")))
        }
        Outcome::OnEngine(what) => ('✓', what.clone()),
        Outcome::Native => ('✓', "runs on this machine's own processor; there is nothing to install".to_owned()),
        Outcome::Removed => ('✓', "removed".to_owned()),
        Outcome::NotThere => ('✓', "was not there".to_owned()),
        Outcome::Planned => ('-', "planned".to_owned()),
        Outcome::Broken(why) => ('✗', format!("does not run: {why}")),
        Outcome::NotDone(why) if why.hint.is_empty() => ('✗', why.why.clone()),
        Outcome::NotDone(why) => ('✗', format!("{}; {}", why.why, why.hint)),
        Outcome::LeftOut(why) => ('-', format!("left out: {why}")),
    };
    let told: String =
        told.chars().flat_map(|c| if c.is_control() { c.escape_debug().collect() } else { vec![c] }).collect();
    format!("linux/{} {mark} {told}", one.row.name)
}

/// As in [`AFTER_INSTALL`]. Where `all` has an emulator for nothing, nothing was done.
fn exit_code(done: &[Done]) -> u8 {
    let any = |which: fn(&Outcome) -> bool| done.iter().any(|one| which(&one.outcome));
    let left_out = |one: &Done| matches!(one.outcome, Outcome::LeftOut(_));
    if any(|outcome| matches!(outcome, Outcome::Broken(_))) {
        1
    } else if any(|outcome| matches!(outcome, Outcome::NotDone(_))) || !done.is_empty() && done.iter().all(left_out) {
        3
    } else {
        0
    }
}
