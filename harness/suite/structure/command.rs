//! Commands: what to start in a container of the image, and whether it did what it should.

use super::Schema;
use super::assemble::Variables;
use super::expand::expand;
use super::files::excerpt;
use super::pattern::{Pattern, text};
use crate::check::run::output::{is_cut, shown, without_warnings_of_qemu};
use crate::image::document::Config;
use crate::run::{Ended, Exit, Freedom, Output};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A test of a command.
#[derive(Debug, Clone)]
pub struct CommandTest {
    pub(super) setup: Vec<Vec<String>>,
    pub(super) words: Vec<String>,
    pub(super) environment: Variables,
    pub(super) exit_code: i64,
    pub(super) expected_output: Vec<Pattern>,
    pub(super) excluded_output: Vec<Pattern>,
    pub(super) expected_error: Vec<Pattern>,
    pub(super) excluded_error: Vec<Pattern>,
    pub(super) shared: Arc<Shared>,
}

/// What all commands of a file have.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) schema: Schema,
    pub(super) global: Variables,
    /// What `containerRunOptions` set.
    pub(super) environment: Variables,
    /// What could not be read of that.
    pub(super) remark: Option<String>,
    pub(super) user: Option<String>,
    pub(super) freedom: Freedom,
}

/// What to start, all in one fresh container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// First these, one after the other; how they end does not matter, as long as they start.
    pub setup: Vec<Start>,
    /// Then this.
    pub command: Start,
    /// Who runs them; `None`: the image's user.
    pub user: Option<String>,
    /// What the container has: a root that can be written, as there, and what the file asks for.
    pub freedom: Freedom,
}

/// One command to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// Variables besides the image's, and instead of those of the same name.
    pub environment: Vec<(String, String)>,
}

impl CommandTest {
    /// What to start for an image with this config.
    #[must_use]
    pub fn plan(&self, config: &Config) -> Plan {
        let pairs = config.environment.iter().filter_map(|entry| entry.split_once('='));
        let mut known: BTreeMap<String, String> = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let global = expanded(&self.shared.global, &known);
        let mut environment = Variables::new();
        let setup_environment = match self.shared.schema {
            Schema::V2 => {
                known.extend(global.iter().cloned());
                environment.extend(global.iter().cloned());
                merged([&global, &expanded(&self.environment, &known)])
            }
            // There, only the setup has the global ones.
            Schema::V1 => merged([&global, &expanded(&self.environment, &known)]),
        };
        if !self.setup.is_empty() {
            // It becomes an image, with its environment.
            known.extend(setup_environment.iter().cloned());
            environment.extend(setup_environment.iter().cloned());
        }
        let value = |name: &str| known.get(name).cloned();
        let setup = self.setup.iter();
        Plan {
            setup: setup.map(|words| Start { words: words.clone(), environment: setup_environment.clone() }).collect(),
            command: Start {
                words: self.words.iter().map(|word| expand(word, &value)).collect(),
                environment: merged([&environment, &self.environment, &self.shared.environment]),
            },
            user: self.shared.user.clone(),
            freedom: self.shared.freedom.clone(),
        }
    }

    pub(super) fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        let lists = [&self.expected_output, &self.excluded_output, &self.expected_error, &self.excluded_error];
        lists.into_iter().flatten()
    }

    /// What is wrong with what it did: `ended` is the setup's and then the command's own end, as [`Self::plan`] has them.
    /// `emulated`: warnings of qemu on standard error are not the command's.
    #[must_use]
    pub fn judge(&self, ended: &[Ended], emulated: bool) -> Vec<String> {
        let mut wrong = Vec::new();
        for (words, ended) in self.setup.iter().zip(ended) {
            if let Some(why) = unended(&ended.exit) {
                wrong.push(format!("the setup `{}` {why}", shown(words)));
                break;
            }
        }
        match ended.get(self.setup.len()) {
            Some(ended) if wrong.is_empty() => self.command(ended, emulated, &mut wrong),
            Some(_) => {}
            None if wrong.is_empty() => wrong.push("it was not run".to_owned()),
            None => {}
        }
        if let (false, Some(remark)) = (wrong.is_empty(), &self.shared.remark) {
            wrong.push(remark.clone());
        }
        wrong
    }

    fn command(&self, ended: &Ended, emulated: bool, wrong: &mut Vec<String>) {
        if let Some(why) = unended(&ended.exit) {
            wrong.push(format!("the command `{}` {why}", shown(&self.words)));
            return;
        }
        let code = match ended.exit {
            Exit::Code(code) => i64::from(code),
            // As a shell and an engine say it.
            Exit::Signal(signal) => 128 + i64::from(signal),
            _ => return,
        };
        let stderr = text(&ended.stderr.bytes);
        let stderr = if emulated { without_warnings_of_qemu(stderr) } else { stderr };
        let stdout = text(&ended.stdout.bytes);
        if code != self.exit_code {
            let said = if stderr.trim().is_empty() { &stdout } else { &stderr };
            wrong.push(format!("it exited with {code} instead of {}: {}", self.exit_code, excerpt(said)));
        }
        let streams = [
            ("standard error", &stderr, &ended.stderr, &self.expected_error, &self.excluded_error),
            ("standard output", &stdout, &ended.stdout, &self.expected_output, &self.excluded_output),
        ];
        for (stream, text, output, expected, excluded) in streams {
            let stream = format!("its {stream}");
            wrong.extend(compared(&stream, text, expected, excluded));
            if is_cut(output) && (!expected.is_empty() || !excluded.is_empty()) {
                wrong.push(cut(&stream, output));
            }
        }
    }
}

fn cut(stream: &str, output: &Output) -> String {
    format!(
        "{stream} has {} bytes, of which only the first {} were kept and looked at",
        output.total,
        output.bytes.len()
    )
}

/// Why there is no exit code.
fn unended(exit: &Exit) -> Option<String> {
    match exit {
        Exit::Code(_) | Exit::Signal(_) => None,
        Exit::TimedOut => Some("did not end in time".to_owned()),
        Exit::OutOfMemory => Some("took more memory than it may".to_owned()),
        Exit::NotStarted(error) => Some(format!("could not be started: {error}")),
    }
}

/// What is wrong with a text, by the patterns that must and must not be in it.
pub(super) fn compared(what: &str, text: &str, expected: &[Pattern], excluded: &[Pattern]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (patterns, must) in [(expected, true), (excluded, false)] {
        for pattern in patterns {
            match pattern.is_in(text) {
                Ok(is_in) if is_in == must => {}
                Ok(false) => {
                    wrong.push(format!("nothing in {what} matches `{}`: {}", pattern.shown(), excerpt(text)));
                }
                Ok(true) => {
                    wrong.push(format!("{what} matches `{}`, and must not: {}", pattern.shown(), excerpt(text)));
                }
                Err(why) => wrong.push(why),
            }
        }
    }
    wrong
}

fn expanded(variables: &Variables, known: &BTreeMap<String, String>) -> Variables {
    let value = |name: &str| known.get(name).cloned();
    variables.iter().map(|(name, text)| (name.clone(), expand(text, &value))).collect()
}

/// Each name once, with its last value.
fn merged<const N: usize>(all: [&Variables; N]) -> Variables {
    let merged: BTreeMap<_, _> = all.into_iter().flatten().cloned().collect();
    merged.into_iter().collect()
}
