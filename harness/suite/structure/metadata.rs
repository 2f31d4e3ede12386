//! The image's config: environment, labels, ports and the like.

use super::super::error::shown;
use super::pattern::Pattern;
use crate::check::run::output;
use crate::image::document::Config;

/// A test of the config.
#[derive(Debug, Clone)]
pub struct MetadataTest {
    pub(super) environment: Vec<(String, Entry)>,
    pub(super) not_environment: Vec<String>,
    pub(super) labels: Vec<(String, Entry)>,
    pub(super) entrypoint: Option<Vec<String>>,
    pub(super) command: Option<Vec<String>>,
    pub(super) ports: Vec<String>,
    pub(super) not_ports: Vec<String>,
    pub(super) volumes: Vec<String>,
    pub(super) not_volumes: Vec<String>,
    pub(super) working_directory: Option<String>,
    pub(super) user: Option<String>,
}

/// What a variable or a label should be.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    Exactly(String),
    Matching(Pattern),
}

impl MetadataTest {
    pub(super) fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.environment.iter().chain(&self.labels).filter_map(|(_, entry)| match entry {
            Entry::Matching(pattern) => Some(pattern),
            Entry::Exactly(_) => None,
        })
    }

    /// What is wrong with the config.
    #[must_use]
    pub fn judge(&self, config: &Config) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, entry) in &self.environment {
            wrong.extend(compared("variable", name, entry, config.variable(name)));
        }
        for name in self.not_environment.iter().filter(|name| config.variable(name).is_some()) {
            wrong.push(format!("the variable `{}` is set, and should not be", shown(name)));
        }
        for (name, entry) in &self.labels {
            wrong.extend(compared("label", name, entry, config.labels.get(name).map(String::as_str)));
        }
        for (what, expected, observed) in
            [("command", &self.command, &config.command), ("entrypoint", &self.entrypoint, &config.entrypoint)]
        {
            if let Some(expected) = expected.as_ref().filter(|expected| *expected != observed) {
                wrong.push(format!("the {what} is {} instead of {}", words(observed), words(expected)));
            }
        }
        for (what, expected, observed) in [
            ("working directory", &self.working_directory, &config.working_directory),
            ("user", &self.user, &config.user),
        ] {
            if let Some(expected) = expected.as_ref().filter(|expected| *expected != observed) {
                wrong.push(format!("the {what} is `{}` instead of `{}`", shown(observed), shown(expected)));
            }
        }
        let has_port = |port: &String| config.ports.iter().any(|exposed| is_port(exposed, port));
        wrong.extend(listed("port", "exposed", &self.ports, &self.not_ports, &has_port));
        let has_volume = |volume: &String| config.volumes.contains(volume);
        wrong.extend(listed("volume", "declared", &self.volumes, &self.not_volumes, &has_volume));
        wrong
    }
}

/// Ports are exposed with their protocol, TCP without one; a test that names none means any.
fn is_port(exposed: &str, asked: &str) -> bool {
    let (number, protocol) = exposed.split_once('/').unwrap_or((exposed, "tcp"));
    match asked.split_once('/') {
        Some((port, of)) => port == number && of == protocol,
        None => asked == number,
    }
}

fn compared(what: &str, name: &str, entry: &Entry, observed: Option<&str>) -> Option<String> {
    let Some(observed) = observed else { return Some(format!("there is no {what} `{}`", shown(name))) };
    let is_it = match entry {
        Entry::Exactly(expected) => expected == observed,
        Entry::Matching(pattern) => match pattern.is_in(observed) {
            Ok(is_it) => is_it,
            Err(why) => return Some(why),
        },
    };
    let expected = match entry {
        Entry::Exactly(expected) => format!("instead of `{}`", shown(expected)),
        Entry::Matching(pattern) => format!("which `{}` does not match", pattern.shown()),
    };
    (!is_it).then(|| format!("the {what} `{}` is `{}` {expected}", shown(name), shown(observed)))
}

fn listed(
    what: &str,
    how: &str,
    expected: &[String],
    excluded: &[String],
    has: &dyn Fn(&String) -> bool,
) -> Vec<String> {
    let missing = expected.iter().filter(|one| !has(one));
    let missing = missing.map(|one| format!("the {what} `{}` is not {how}", shown(one)));
    let surplus = excluded.iter().filter(|one| has(one));
    missing.chain(surplus.map(|one| format!("the {what} `{}` is {how}, and should not be", shown(one)))).collect()
}

fn words(words: &[String]) -> String {
    if words.is_empty() { "empty".to_owned() } else { format!("`{}`", output::shown(words)) }
}
