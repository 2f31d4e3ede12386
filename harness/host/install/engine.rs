//! Registering emulators on an engine's host, by a privileged container of the image tonistiigi/binfmt or another of its
//! kind.
//!
//! What that program takes and says is in its `cmd/binfmt/main.go`: `--install arm64,arm`, `--uninstall qemu-arm` (a name of
//! an entry, or a pattern of names); a line for each on standard error, and at the end, as JSON, what the kernel runs now,
//! which it proves by starting programs. It exits with 0 whatever happened.

use super::asked::{Asked, is_own};
use super::work::{Done, Outcome};
use crate::host::engine::EngineFacts;
use crate::host::readiness::Probed;
use crate::image::reference::EngineImage;
use crate::image::reference::name::shown;
use crate::platform::{Architecture, Platform};
use crate::run::NotReady;
use crate::run::docker::{Docker, Said};
use serde_json::Value;

/// What the container is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// To register.
    Install,
    /// To remove.
    Uninstall,
}

/// The container's arguments.
#[must_use]
pub fn arguments(change: Change, asked: &Asked) -> Vec<String> {
    let names = |of: fn(&Architecture) -> String| asked.rows.iter().map(|row| of(row)).collect::<Vec<_>>().join(",");
    match change {
        Change::Install if asked.all => vec!["--install".to_owned(), "all".to_owned()],
        Change::Install => vec!["--install".to_owned(), names(|row| row.name.to_owned())],
        Change::Uninstall => vec!["--uninstall".to_owned(), names(entry)],
    }
}

/// What the image calls an architecture's entry.
fn entry(row: &Architecture) -> String {
    format!("qemu-{}", row.emulator.map_or(row.name, |emulator| emulator.name))
}

/// Runs the container. `pulling` is told the name of an image that has to be pulled.
///
/// # Errors
/// When it could not be run, or did not do what such an image does.
pub fn run(
    docker: &Docker,
    image: &EngineImage,
    asked: &Asked,
    change: Change,
    pulling: &dyn Fn(&str),
) -> Result<Vec<Done>, NotReady> {
    let (engine, architecture) = docker.described()?;
    let host = Architecture::by_name(&architecture);
    if let (Change::Install, Some(host)) = (change, host)
        && let Some(row) = asked.rows.iter().find(|row| !asked.all && is_own(host, row))
    {
        let why = format!("{} is what the host of the {engine} runs itself: it would be many times slower", row.name);
        return Err(NotReady::new(why, "leave it out, or write all"));
    }
    let said = docker.privileged(image, &arguments(change, asked), pulling)?;
    read(&said, image, asked, change)
}

/// Has the engine start the probe of what was installed: what the image says of itself is no proof.
///
/// Where the engine cannot be asked for that, what the image said stands.
pub fn confirm(done: &mut [Done], engine: &EngineFacts) {
    for one in done {
        let Outcome::OnEngine(what) = &one.outcome else { continue };
        let Some(Ok(Probed::Failed(failure))) = engine.proved(one.row).map(|proved| &proved.probed) else { continue };
        let why = format!(
            "{what} as the image says, but in a container there the probe {failure}; replace it: {}",
            again(one.row)
        );
        one.outcome = Outcome::Broken(why);
    }
}

/// The commands that replace what is there.
fn again(row: &Architecture) -> String {
    format!("`mpcheck host uninstall {0} --engine`, then `mpcheck host install {0} --engine`", row.name)
}

/// What became of each architecture, by what the container said.
fn read(said: &Said, image: &EngineImage, asked: &Asked, change: Change) -> Result<Vec<Done>, NotReady> {
    let verb = if change == Change::Install { "installing: " } else { "uninstalling: " };
    let lines: Vec<&str> = said.stderr.lines().chain(said.stdout.lines()).collect();
    let told: Vec<(&str, &str)> = lines.iter().filter_map(|line| line.strip_prefix(verb)?.split_once(' ')).collect();
    // Removing by a pattern says nothing where there is nothing.
    if told.is_empty() && (change == Change::Install || !said.stdout.contains("\"supported\"")) {
        let all = shown(&lines.join("; "));
        let why = format!("a privileged container of {image} ended with {} and did nothing: \"{all}\"", said.code);
        return Err(NotReady::new(why, "tonistiigi/binfmt, and images of its kind, register emulators"));
    }
    let supported = supported(&said.stdout);
    let done = |row: &'static Architecture| {
        let name = if change == Change::Install { row.name.to_owned() } else { entry(row) };
        let word = told.iter().find(|(named, _)| *named == name).map(|(_, word)| *word);
        let outcome = match change {
            Change::Install => installed(row, word, supported.as_deref(), image),
            Change::Uninstall => removed(word, asked.all),
        };
        Done { row, outcome, commands: Vec::new(), notes: Vec::new() }
    };
    let named = |row: &&'static Architecture| {
        !asked.all || told.iter().any(|(named, _)| *named == row.name || *named == entry(row))
    };
    Ok(asked.rows.iter().copied().filter(named).map(done).collect())
}

fn installed(
    row: &Architecture,
    word: Option<&str>,
    supported: Option<&[&'static str]>,
    image: &EngineImage,
) -> Outcome {
    let again = again(row);
    let what = match word {
        Some("OK") => "installed on the engine's host",
        Some(word) if word.ends_with("already registered") => "already there on the engine's host",
        Some(word) => {
            let why = format!("{image} could not register it: {}", shown(word));
            return Outcome::NotDone(NotReady::new(why, ""));
        }
        None => return Outcome::NotDone(NotReady::new(format!("{image} said nothing of it"), "")),
    };
    match supported {
        Some(runs) if runs.contains(&row.name) => {
            Outcome::OnEngine(format!("{what}, and runs there until its next boot"))
        }
        Some(_) => {
            Outcome::Broken(format!("it is {what}, and by the test of {image} does not run there; replace it: {again}"))
        }
        None => Outcome::OnEngine(format!("{what}; {image} does not say whether it runs there")),
    }
}

fn removed(word: Option<&str>, all: bool) -> Outcome {
    match word {
        Some("OK") => Outcome::Removed,
        Some("not found") => Outcome::NotThere,
        None if all => Outcome::NotThere,
        Some(word) => Outcome::NotDone(NotReady::new(format!("it could not be removed: {}", shown(word)), "")),
        None => Outcome::NotDone(NotReady::new("the container said nothing of it", "")),
    }
}

/// The architectures that run there, as the program found by trying; `None` where it does not say.
fn supported(stdout: &str) -> Option<Vec<&'static str>> {
    let start = stdout.find('{')?;
    let status: Value = serde_json::Deserializer::from_str(stdout.get(start..)?).into_iter().next()?.ok()?;
    let platforms = status.get("supported")?.as_array()?;
    let rows = platforms.iter().filter_map(|platform| Platform::parse(platform.as_str()?).ok()?.row());
    Some(rows.map(|row| row.name).collect())
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::row;
    use super::*;
    use crate::host::engine::tests::of_nobody;
    use crate::host::engine::{InEngine, Proof};
    use crate::image::reference::ImageName;
    use rstest::rstest;

    fn asked(names: &[&str], all: bool) -> Asked {
        Asked { rows: names.iter().map(|name| row(name)).collect(), all }
    }

    fn image() -> EngineImage {
        EngineImage::Name(ImageName::parse("tonistiigi/binfmt").unwrap())
    }

    /// What became of each, as one word each.
    fn words(stderr: &str, stdout: &str, asked: &Asked, change: Change) -> Result<Vec<String>, NotReady> {
        let said = Said { stdout: stdout.to_owned(), stderr: stderr.to_owned(), code: 0 };
        let word = |done: Done| match done.outcome {
            Outcome::OnEngine(_) => "ready".to_owned(),
            Outcome::Broken(_) => "broken".to_owned(),
            Outcome::NotDone(why) => why.why,
            Outcome::Removed => "removed".to_owned(),
            Outcome::NotThere => "not there".to_owned(),
            other => format!("{other:?}"),
        };
        read(&said, &image(), asked, change).map(|done| done.into_iter().map(word).collect())
    }

    const STATUS: &str = "{\n  \"supported\": [\n    \"linux/amd64\",\n    \"linux/arm64\",\n    \"linux/arm/v7\"\n  ],\n  \"emulators\": []\n}\n";

    #[rstest]
    #[case("installing: arm64 OK\n", STATUS, &["ready"])]
    #[case("installing: arm64 qemu-aarch64 already registered\n", STATUS, &["ready"])]
    #[case("installing: arm64 OK\n", "", &["ready"])]
    #[case("installing: arm64 OK\n", "{\"supported\": [\"linux/amd64\"]}", &["broken"])]
    #[case("installing: arm64 unsupported architecture: arm64\n", STATUS,
        &["tonistiigi/binfmt:latest could not register it: unsupported architecture: arm64"])]
    #[case("installing: arm OK\n", STATUS, &["tonistiigi/binfmt:latest said nothing of it"])]
    fn what_was_said_is_what_became_of_it(#[case] stderr: &str, #[case] stdout: &str, #[case] wanted: &[&str]) {
        assert_eq!(words(stderr, stdout, &asked(&["arm64"], false), Change::Install).unwrap(), wanted);
    }

    #[rstest]
    #[case("uninstalling: qemu-aarch64 OK\n", &["removed"])]
    #[case("uninstalling: qemu-aarch64 not found\n", &["not there"])]
    #[case("uninstalling: qemu-aarch64 open /proc: permission denied\n",
        &["it could not be removed: open /proc: permission denied"])]
    fn what_was_removed(#[case] stderr: &str, #[case] wanted: &[&str]) {
        assert_eq!(words(stderr, STATUS, &asked(&["arm64"], false), Change::Uninstall).unwrap(), wanted);
    }

    #[test]
    fn of_all_those_are_told_that_something_was_done_for() {
        let some = asked(&["arm64", "s390x"], true);
        assert_eq!(words("installing: arm64 OK\n", STATUS, &some, Change::Install).unwrap(), ["ready"]);
        assert_eq!(words("", STATUS, &some, Change::Uninstall).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn an_image_of_another_kind_is_told_with_what_it_said() {
        let error =
            words("sh: --install: not found\x1b[31m", "", &asked(&["arm64"], false), Change::Install).unwrap_err();
        assert!(error.why.contains("--install: not found") && !error.why.contains('\x1b'), "{error:?}");
    }

    #[test]
    fn the_container_is_asked_in_its_own_words() {
        let some = asked(&["arm64", "mips64le"], false);
        assert_eq!(arguments(Change::Install, &some), ["--install", "arm64,mips64le"]);
        assert_eq!(arguments(Change::Uninstall, &some), ["--uninstall", "qemu-aarch64,qemu-mips64el"]);
        let all = asked(&["arm64"], true);
        assert_eq!(arguments(Change::Install, &all), ["--install", "all"]);
        // Not by a pattern: entries that are no emulators' may have such names.
        assert_eq!(arguments(Change::Uninstall, &all), ["--uninstall", "qemu-aarch64"]);
    }

    #[rstest]
    #[case(Some(Ok(Probed::Ran { machine: "aarch64".to_owned(), own_name: true })), "ready")]
    #[case(Some(Ok(Probed::Failed(crate::host::readiness::Failure::ExecFormat))), "broken")]
    #[case(Some(Err(NotReady::new("it was not tried", ""))), "ready")]
    #[case(None, "ready")]
    fn what_the_image_says_is_proved(#[case] probed: Option<Result<Probed, NotReady>>, #[case] wanted: &str) {
        let outcome = Outcome::OnEngine("installed".to_owned());
        let mut done = [Done { row: row("arm64"), outcome, commands: Vec::new(), notes: Vec::new() }];
        let proved = probed.map(|probed| InEngine { row: row("arm64"), probed, emulator: None });
        let facts = of_nobody(Proof::Proved(proved.into_iter().collect()));
        confirm(&mut done, &facts);
        let word = if matches!(done[0].outcome, Outcome::OnEngine(_)) { "ready" } else { "broken" };
        assert_eq!(word, wanted, "{:?}", done[0].outcome);
    }
}
