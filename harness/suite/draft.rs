//! A suite made of what an image is today, for a person to edit: facts in, commented YAML out.
//!
//! Every text of the image is quoted, and its dollars are kept from being variables, so that whatever an image says of
//! itself stays a text.

use super::error::shown;
use super::schema::SCHEMA_ID;
use super::value;
use crate::check::date::Date;
use crate::image::document::Config;
use crate::platform::Platform;
use regex::Regex;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The most bytes of a label, a word or another text that is worth keeping.
const MAX_KEPT: usize = 400;

/// The most labels, ports and volumes that are kept of each.
const MAX_ITEMS: usize = 20;

/// Labels that stay the same from release to release (OCI image spec, annotations.md). Version, revision and time of
/// creation do not.
const LASTING_LABELS: [&str; 6] = [
    "org.opencontainers.image.documentation",
    "org.opencontainers.image.licenses",
    "org.opencontainers.image.source",
    "org.opencontainers.image.title",
    "org.opencontainers.image.url",
    "org.opencontainers.image.vendor",
];

/// What is known of an image.
#[derive(Debug, Clone)]
pub struct Facts {
    /// How the suite is to call it.
    pub reference: String,
    /// Its digest.
    pub digest: String,
    /// The day on which it was looked at.
    pub today: Date,
    /// Its platforms.
    pub platforms: Vec<PlatformFacts>,
}

/// What is known of one platform.
#[derive(Debug, Clone)]
pub struct PlatformFacts {
    /// The platform.
    pub platform: Platform,
    /// Its config, where it could be read.
    pub config: Option<Config>,
    /// What [`version_commands`] said, as far as they exited with 0; or why they could not be asked.
    pub said: Result<Vec<Said>, String>,
}

/// What a program said to `--version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// Commands by which an image may say its version, the best first.
///
/// An entrypoint is a program, or a script that runs its arguments; the command is its arguments, or the program.
#[must_use]
pub fn version_commands(config: &Config) -> Vec<Vec<String>> {
    let entrypoint = config.entrypoint.as_slice();
    let program = config.command.first().map(std::slice::from_ref).unwrap_or_default();
    let mut commands: Vec<Vec<String>> = Vec::new();
    for words in [entrypoint.to_vec(), [entrypoint, program].concat(), program.to_vec()] {
        // What a shell is given after its text is no argument of the program in the text.
        let is_text = words.get(1).is_some_and(|flags| flags.starts_with('-') && flags.ends_with('c'));
        let is_usable = words.first().is_some_and(|program| !program.is_empty() && !is_text);
        let words = [words, vec!["--version".to_owned()]].concat();
        let is_kept = words.iter().all(|word| word.len() <= MAX_KEPT && !word.contains('\0'));
        if is_usable && is_kept && !commands.contains(&words) {
            commands.push(words);
        }
    }
    commands
}

/// The suite, as text.
#[must_use]
pub fn draft(facts: &Facts) -> String {
    let mut text = format!(
        "# yaml-language-server: $schema={SCHEMA_ID}\n\
         # What {} was on {}: {}.\n\
         # Take out what may change, add what has to stay. `mpcheck schema suite` describes every key.\n\
         version: 1\nimages:\n  - image: {}\n",
        commented(&facts.reference),
        facts.today,
        commented(&facts.digest),
        quoted(&facts.reference),
    );
    let (known, unknown): (Vec<_>, Vec<_>) =
        facts.platforms.iter().partition(|facts| value::platform(&facts.platform.to_string()).is_ok());
    platforms(&mut text, &known, &unknown);
    commands(&mut text, &known);
    metadata(&mut text, &known);
    text
}

fn platforms(text: &mut String, known: &[&PlatformFacts], unknown: &[&PlatformFacts]) {
    let mut names: Vec<String> = known.iter().map(|facts| facts.platform.to_string()).collect();
    names.sort();
    names.dedup();
    text.push_str("    # Each of these has to be there, and is checked.\n    platforms:\n");
    for name in names {
        let _ = writeln!(text, "      - {name}");
    }
    for facts in unknown {
        let _ = writeln!(text, "      # {} is there too, and nobody knows it.", commented(&facts.platform.to_string()));
    }
    if unknown.is_empty() {
        text.push_str("    # And no other.\n    exact: true\n");
    }
}

fn commands(text: &mut String, known: &[&PlatformFacts]) {
    text.push_str("    run:\n");
    text.push_str("      # A platform that cannot be run here is skipped. This makes it an error:\n");
    text.push_str("      # required: true\n");
    // One command for all platforms that said the same.
    let mut said: BTreeMap<Asked, (Vec<String>, String)> = BTreeMap::new();
    let mut silent: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for facts in known {
        let platform = facts.platform.to_string();
        let version = facts.said.as_ref().map_err(Clone::clone).and_then(|said| {
            let mut versions = said.iter().filter_map(|said| Some((said, version(said)?)));
            versions.next().ok_or_else(|| "nothing said a version to --version".to_owned())
        });
        match version {
            Ok((told, version)) => {
                let words = told.words.clone();
                let entry = said.entry((words, version.stream, version.pattern)).or_default();
                entry.0.push(platform);
                entry.1 = version.line;
            }
            Err(why) => silent.entry(commented(&why)).or_default().push(platform),
        }
    }
    for (why, platforms) in silent {
        let _ = writeln!(text, "      # No command was found for {}: {why}.", platforms.join(", "));
    }
    if said.is_empty() {
        text.push_str("      # commands:\n      #   - command: [app, --version]\n      #     stdout: '^app 1\\.'\n");
        return;
    }
    text.push_str("      commands:\n");
    for ((words, stream, pattern), (platforms, line)) in &said {
        let _ = writeln!(text, "        # It said {}", commented(line));
        let _ = writeln!(text, "        - command: {}", list(words));
        let _ = writeln!(text, "          {stream}: {}", quoted(pattern));
        if platforms.len() < known.len() {
            let _ = writeln!(text, "          platforms: [{}]", platforms.join(", "));
        }
    }
}

/// A command, the stream on which it says its version, and a pattern for that.
type Asked = (Vec<String>, &'static str, String);

/// A version that a program said.
struct Version {
    stream: &'static str,
    /// The line in which it is.
    line: String,
    /// A pattern for the line up to the first number of the version.
    pattern: String,
}

/// The version in what a program said: on standard output, or where java and others say it.
fn version(said: &Said) -> Option<Version> {
    let number = Regex::new(r"[0-9]+\.[0-9]").ok()?;
    let found = |stream: &'static str, text: &str| {
        let line = text.lines().map(str::trim_end).find(|line| number.is_match(line))?;
        let start = number.find(line)?.start();
        let before = line.get(..start)?;
        let major: String = line.get(start..)?.chars().take_while(char::is_ascii_digit).collect();
        let plain = before.chars().count() <= 80 && before.chars().all(|c| c == ' ' || c.is_ascii_graphic());
        let pattern =
            if plain { format!(r"(?m)^{}{major}\.", regex::escape(before)) } else { r"[0-9]+\.[0-9]".to_owned() };
        Some(Version { stream, line: line.to_owned(), pattern })
    };
    found("stdout", &said.stdout).or_else(|| found("stderr", &said.stderr))
}

/// What all configs say alike.
fn metadata(text: &mut String, known: &[&PlatformFacts]) {
    let configs: Vec<&Config> = known.iter().filter_map(|facts| facts.config.as_ref()).collect();
    let Some(first) = configs.first().filter(|_| configs.len() == known.len()) else { return };
    text.push_str("    metadata:\n");
    let mut line = |key: &str, alike: bool, value: Option<String>| {
        let _ = match (alike, value) {
            (false, _) => writeln!(text, "      # {key} differs from platform to platform."),
            (true, Some(value)) => writeln!(text, "      {key}: {value}"),
            (true, None) => Ok(()),
        };
    };
    let words = |words: &[String]| words.iter().all(|word| word.len() <= MAX_KEPT).then(|| list(words));
    let some = |value: &str| (!value.is_empty() && value.len() <= MAX_KEPT).then(|| quoted(value));
    let alike = |same: &dyn Fn(&Config) -> bool| configs.iter().all(|config| same(config));
    line("entrypoint", alike(&|config| config.entrypoint == first.entrypoint), words(&first.entrypoint));
    line("command", alike(&|config| config.command == first.command), words(&first.command));
    line("user", alike(&|config| config.user == first.user), some(&first.user));
    let workdir = &first.working_directory;
    line("workdir", alike(&|config| config.working_directory == *workdir), some(workdir));
    let ports: Vec<String> = first.ports.iter().filter_map(|port| value::port(port).ok()).take(MAX_ITEMS).collect();
    line("ports", alike(&|config| config.ports == first.ports), (!ports.is_empty()).then(|| list(&ports)));
    let is_path = |path: &&String| path.len() <= MAX_KEPT && value::absolute(path).is_ok();
    let volumes: Vec<String> = first.volumes.iter().filter(is_path).take(MAX_ITEMS).cloned().collect();
    line("volumes", alike(&|config| config.volumes == first.volumes), (!volumes.is_empty()).then(|| list(&volumes)));
    labels(text, &configs);
}

fn labels(text: &mut String, configs: &[&Config]) {
    let mut lasting = Vec::new();
    for name in LASTING_LABELS {
        let value = configs.first().and_then(|config| config.labels.get(name));
        let alike = configs.iter().all(|config| config.labels.get(name) == value);
        lasting.extend(value.filter(|value| alike && value.len() <= MAX_KEPT).map(|value| (name, value)));
    }
    if lasting.is_empty() {
        return;
    }
    text.push_str("      labels:\n");
    for (name, value) in lasting {
        // The word `absent` would mean that there is none.
        let value = if value == "absent" { "{is: absent}".to_owned() } else { quoted(value) };
        let _ = writeln!(text, "        {name}: {value}");
    }
}

fn list(words: &[String]) -> String {
    format!("[{}]", words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(", "))
}

/// A text in double quotes (YAML 1.2.2, section 5.7), with a second dollar where one would begin a variable.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '$' if rest.peek() == Some(&'{') => quoted.push_str("$$"),
            c if is_plain(c) => quoted.push(c),
            c => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
        }
    }
    quoted.push('"');
    quoted
}

/// Whether a character can stand in a text as it is, for YAML and for a terminal: letters and signs of any script, no
/// control characters, no marks that change the direction of writing, nothing that is no character.
fn is_plain(c: char) -> bool {
    c == ' ' || c.is_ascii_graphic() || (c.is_alphanumeric() && u32::from(c) < 0xFFFE)
}

/// A text of the image in a comment: on one line, and not long.
fn commented(text: &str) -> String {
    shown(text).chars().map(|c| if is_plain(c) || c == '…' { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::super::plan::{Suite, ValuePlan};
    use super::*;
    use rstest::rstest;

    fn said(words: &[&str], stdout: &str, stderr: &str) -> Result<Said, String> {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Ok(Said { words, stdout: stdout.to_owned(), stderr: stderr.to_owned() })
    }

    fn facts(platforms: &[(&str, Config, Result<Said, String>)]) -> Facts {
        let platforms = platforms.iter().map(|(platform, config, said)| PlatformFacts {
            platform: Platform::parse(platform).unwrap(),
            config: Some(config.clone()),
            said: said.clone().map(|said| vec![said]),
        });
        Facts {
            reference: "registry.example/team/app:1.2".to_owned(),
            digest: "sha256:0".to_owned(),
            today: "2026-11-23".parse().unwrap(),
            platforms: platforms.collect(),
        }
    }

    fn loaded(facts: &Facts) -> (String, Suite) {
        let text = draft(facts);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("draft.yaml");
        std::fs::write(&file, &text).unwrap();
        let mut suites = load(&file, &|_| None, facts.today).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(suites.len(), 1);
        (text, suites.remove(0))
    }

    #[test]
    fn a_draft_says_what_the_image_is() {
        let config = Config {
            entrypoint: vec!["python3".to_owned()],
            command: vec!["-m".to_owned(), "app".to_owned()],
            user: "1000:1000".to_owned(),
            working_directory: "/srv".to_owned(),
            ports: vec!["53/udp".to_owned(), "8080".to_owned()],
            volumes: vec!["/data".to_owned()],
            labels: [("org.opencontainers.image.title", "App"), ("org.opencontainers.image.version", "1.2")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..Config::default()
        };
        let other = Config { user: "root".to_owned(), ..config.clone() };
        let python = |version: &str| said(&["python3", "--version"], &format!("Python 3.11.{version}\n"), "");
        let facts = facts(&[
            ("linux/arm64", config.clone(), python("2")),
            ("linux/amd64", config.clone(), python("4")),
            ("linux/arm/v7", other, Err("no emulator".to_owned())),
        ]);
        let (text, suite) = loaded(&facts);
        let image = &suite.images[0];
        assert_eq!(image.reference, facts.reference);
        let platforms: Vec<String> = image.platforms.iter().map(ToString::to_string).collect();
        assert_eq!(platforms, ["linux/amd64", "linux/arm/v7", "linux/arm64"]);
        assert!(image.exact);
        let [command] = image.run.commands.as_slice() else { panic!("{text}") };
        assert_eq!(command.words, ["python3", "--version"]);
        assert_eq!(command.expect.stdout[0].as_str(), r"(?m)^Python 3\.");
        assert!(command.expect.stdout[0].is_match("Python 3.13.0\n"));
        assert_eq!(command.platforms.len(), 2);
        assert!(text.contains("# No command was found for linux/arm/v7: no emulator."), "{text}");
        let metadata = image.metadata.as_ref().unwrap();
        assert_eq!(metadata.entrypoint.as_deref().unwrap(), ["python3"]);
        assert_eq!(metadata.user, None);
        assert!(text.contains("# user differs from platform to platform."), "{text}");
        assert_eq!(metadata.ports, ["53/udp", "8080/tcp"]);
        assert_eq!(metadata.volumes, ["/data"]);
        assert_eq!(metadata.labels.len(), 1);
    }

    /// Whatever an image says of itself stays a text, and comes back as it was.
    #[rstest]
    #[case("\"]\n- image: evil")]
    #[case("a: b # c")]
    #[case("${HOME} $${A} $HOME $$ $")]
    #[case("\u{0}\u{1b}[31m\u{85}\u{2028}\u{202e}\u{feff}\u{fffe}\u{10ffff}")]
    #[case("\\x41 'single' {{braces}} [list] &a *a !t %d @x `y`")]
    #[case("größe 木 🐍")]
    #[case("absent")]
    #[case("~")]
    #[case("")]
    #[case("# yaml-language-server: x\r\n---\n...\n")]
    fn hostile_texts_stay_texts(#[case] hostile: &str) {
        let title = "org.opencontainers.image.title".to_owned();
        let config = Config {
            entrypoint: vec![hostile.to_owned(), "b".to_owned()],
            command: vec![hostile.to_owned()],
            user: hostile.to_owned(),
            working_directory: hostile.to_owned(),
            volumes: vec![hostile.to_owned(), "/a".to_owned()],
            ports: vec![hostile.to_owned()],
            labels: [(title.clone(), hostile.to_owned()), (hostile.to_owned(), title.clone())].into(),
            ..Config::default()
        };
        let commands = version_commands(&config);
        let words: Vec<&str> = commands.first().iter().flat_map(|words| words.iter().map(String::as_str)).collect();
        let asked = match words.as_slice() {
            [] => Err("it has no program".to_owned()),
            words => said(words, &format!("{hostile} 1.2"), ""),
        };
        let mut facts = facts(&[("linux/amd64", config, asked)]);
        facts.digest = hostile.to_owned();
        let (text, suite) = loaded(&facts);
        let metadata = suite.images[0].metadata.as_ref().unwrap();
        assert_eq!(metadata.entrypoint.as_deref().unwrap(), [hostile, "b"], "{text}");
        assert_eq!(metadata.command.as_deref().unwrap(), [hostile]);
        assert_eq!(metadata.user.as_deref().unwrap_or_default(), hostile);
        assert_eq!(metadata.labels.len(), 1);
        let ValuePlan::Exact(label) = &metadata.labels[0].1 else { panic!("{text}") };
        assert_eq!(label, hostile);
        assert_eq!(suite.images.len(), 1);
        assert!(text.chars().all(|c| c == '\n' || c == '…' || is_plain(c)), "{text:?}");
    }

    #[rstest]
    #[case::nginx("", "nginx version: nginx/1.22.1\n", Some(("stderr", r"(?m)^nginx version: nginx/1\.")))]
    #[case::second_line("app\nversion 2.0 (c)\n", "", Some(("stdout", r"(?m)^version 2\.")))]
    #[case::colour("\u{1b}[1mapp\u{1b}[0m 1.2\n", "", Some(("stdout", r"[0-9]+\.[0-9]")))]
    #[case::no_version("usage: app FILE\n", "", None)]
    #[case::nothing("", "", None)]
    fn a_version_makes_a_pattern(#[case] stdout: &str, #[case] stderr: &str, #[case] wanted: Option<(&str, &str)>) {
        let found = version(&said(&["app"], stdout, stderr).unwrap());
        assert_eq!(found.as_ref().map(|found| (found.stream, found.pattern.as_str())), wanted);
        if let Some(found) = found {
            assert!(Regex::new(&found.pattern).unwrap().is_match(&format!("{stdout}{stderr}")));
        }
    }

    #[rstest]
    #[case(&["/app"], &["serve"], &["/app --version", "/app serve --version", "serve --version"])]
    #[case(&["entry.sh"], &["python3", "-m", "x"], &["entry.sh --version", "entry.sh python3 --version", "python3 --version"])]
    #[case(&[], &["nginx", "-g"], &["nginx --version"])]
    #[case(&["/bin/sh", "-c", "exec app"], &["x"], &["x --version"])]
    #[case(&["a\0"], &[], &[])]
    #[case(&[""], &[""], &[])]
    #[case(&[], &[], &[])]
    fn an_image_is_asked_in_several_ways(
        #[case] entrypoint: &[&str],
        #[case] command: &[&str],
        #[case] wanted: &[&str],
    ) {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let config = Config { entrypoint: words(entrypoint), command: words(command), ..Config::default() };
        let commands: Vec<String> = version_commands(&config).iter().map(|words| words.join(" ")).collect();
        assert_eq!(commands, wanted);
    }

    #[test]
    fn a_platform_that_nobody_knows_is_told_and_left_out() {
        let config = Config::default;
        let not = || Err("it is not run".to_owned());
        let (text, suite) = loaded(&facts(&[("linux/amd64", config(), not()), ("linux/quantum", config(), not())]));
        assert_eq!(suite.images[0].platforms.len(), 1);
        assert!(!suite.images[0].exact);
        assert!(text.contains("# linux/quantum is there too"), "{text}");
    }
}
