//! What resolving needs to know, what it found wrong, and the values that many keys have in common.

use super::super::error::{Problem, shown};
use super::super::format::{Exception as Written, RuleLevel};
use super::super::located::{At, Pairs, Place, Texts};
use super::super::plan::Exception;
use super::super::value::{self, Wrong};
use super::super::variable::{VariableError, expand};
use crate::check::date::Date;
use crate::check::pattern::{BytePattern, Pattern};
use crate::check::policy::{Level, Severities};
use crate::check::rule;
use crate::platform::Platform;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// How many problems are collected; far more than are told.
const MAX_PROBLEMS: usize = 1000;

/// Resolves the values of one file.
pub(in super::super) struct Resolver<'a> {
    pub(super) file: &'a Path,
    /// What paths in the file are relative to.
    pub(super) directory: PathBuf,
    environment: &'a dyn Fn(&str) -> Option<String>,
    today: Date,
    /// The document's own variables.
    pub(super) variables: HashMap<String, String>,
    /// The patterns so far: the same one is often asked of many commands, and compiled once.
    patterns: HashMap<String, Pattern>,
    /// The platforms of the image that is looked at; none where that is none, or where they are wrong.
    pub(super) of_image: Vec<Platform>,
    /// What is said of single platforms, by its place: what is wrong where no image that has it has the platform. What
    /// images have in common may be about a platform that not each of them has.
    applied: BTreeMap<Place, Option<String>>,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(file: &'a Path, environment: &'a dyn Fn(&str) -> Option<String>, today: Date) -> Self {
        Self {
            file,
            directory: file.parent().map(Path::to_owned).unwrap_or_default(),
            environment,
            today,
            variables: HashMap::new(),
            patterns: HashMap::new(),
            of_image: Vec::new(),
            applied: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    pub(super) fn wrong(&mut self, place: Place, message: impl Into<String>, hint: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem::new(self.file, message, hint).at(place));
        }
    }

    /// The value, or what is wrong with it.
    pub(super) fn right<T>(&mut self, place: Place, value: Result<T, Wrong>) -> Option<T> {
        value.map_err(|(message, hint)| self.wrong(place, message, hint)).ok()
    }

    /// A text with its variables put in.
    pub(super) fn text(&mut self, text: &At<String>) -> Option<At<String>> {
        if !text.value.contains('$') {
            return Some(text.clone());
        }
        // What CI systems do not know they set to nothing, so an empty variable is as good as none.
        let set = |name: &str| (self.environment)(name).filter(|value| !value.is_empty());
        let value = |name: &str| set(name).or_else(|| self.variables.get(name).cloned());
        match expand(&text.value, &value) {
            Ok(expanded) => Some(At { value: expanded, place: text.place }),
            Err(error) => {
                let error = match error {
                    VariableError::Missing(name) if (self.environment)(&name).is_some() => VariableError::Empty(name),
                    other => other,
                };
                let hint = error.hint();
                self.wrong(text.place, error.to_string(), hint);
                None
            }
        }
    }

    pub(super) fn texts(&mut self, texts: Option<&Texts>) -> Vec<At<String>> {
        texts.map(Texts::as_slice).unwrap_or_default().iter().filter_map(|text| self.text(text)).collect()
    }

    /// What each of these texts means.
    pub(super) fn each<T>(
        &mut self,
        texts: Option<&Texts>,
        meaning: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Vec<(T, Place)> {
        let texts = self.texts(texts);
        texts.into_iter().filter_map(|text| Some((self.right(text.place, meaning(&text.value))?, text.place))).collect()
    }

    /// What this text means.
    pub(super) fn one<T>(
        &mut self,
        text: Option<&At<String>>,
        meaning: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let text = self.text(text?)?;
        self.right(text.place, meaning(&text.value))
    }

    pub(super) fn platforms(&mut self, texts: Option<&Texts>) -> Vec<Platform> {
        self.placed_platforms(texts).into_iter().map(|(platform, _)| platform).collect()
    }

    /// Some of the image's platforms.
    pub(super) fn platforms_of_image(&mut self, texts: Option<&Texts>) -> Vec<Platform> {
        let platforms = self.placed_platforms(texts);
        for (platform, place) in platforms.iter().filter(|_| !self.of_image.is_empty()) {
            // By the relation that decides where a trial is ignored or left out.
            if self.of_image.iter().any(|of| of.satisfies(platform)) {
                self.applied.insert(*place, None);
            } else {
                let all = self.of_image.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                let message = || Some(format!("{platform} is none of this image's platforms ({all})"));
                self.applied.entry(*place).or_insert_with(message);
            }
        }
        platforms.into_iter().map(|(platform, _)| platform).collect()
    }

    /// Tells what is said of platforms that no image has.
    pub(super) fn tell_unapplied(&mut self) {
        for (place, message) in std::mem::take(&mut self.applied) {
            if let Some(message) = message {
                self.wrong(place, message, "write one of those, or leave it out: nothing would be done with it");
            }
        }
    }

    fn placed_platforms(&mut self, texts: Option<&Texts>) -> Vec<(Platform, Place)> {
        let mut platforms: Vec<(Platform, Place)> = Vec::new();
        for (platform, place) in self.each(texts, value::platform) {
            match platforms.iter().find(|(other, _)| *other == platform) {
                Some((_, first)) => {
                    let message = format!("{platform} is named twice: here, and in line {}", first.line);
                    self.wrong(place, message, "leave one of them out");
                }
                None => platforms.push((platform, place)),
            }
        }
        platforms
    }

    /// Patterns for what commands write.
    pub(super) fn patterns(&mut self, texts: Option<&Texts>) -> Vec<Pattern> {
        let texts = self.written_patterns(texts);
        texts.iter().filter_map(|text| self.pattern(text)).collect()
    }

    /// The texts of patterns; at least one, where they are written at all.
    fn written_patterns(&mut self, texts: Option<&Texts>) -> Vec<At<String>> {
        if let Some(texts) = texts.filter(|texts| texts.as_slice().is_empty()) {
            self.wrong(texts.place(), "a list of no patterns checks nothing", "write a pattern, or leave the key out");
        }
        self.texts(texts)
    }

    /// One pattern, whose variables are put in already.
    pub(super) fn pattern(&mut self, text: &At<String>) -> Option<Pattern> {
        if let Some(known) = self.patterns.get(&text.value) {
            return Some(known.clone());
        }
        let pattern = self.right(text.place, value::pattern(&text.value, Pattern::new(&text.value)))?;
        self.patterns.insert(text.value.clone(), pattern.clone());
        Some(pattern)
    }

    /// Patterns for what is in files.
    pub(super) fn byte_patterns(&mut self, texts: Option<&Texts>) -> Vec<BytePattern> {
        let texts = self.written_patterns(texts);
        let made = |text: &At<String>| value::pattern(&text.value, BytePattern::new(&text.value));
        texts.iter().filter_map(|text| self.right(text.place, made(text))).collect()
    }

    /// The pairs with the variables of their keys put in.
    pub(super) fn keyed<'p, V>(&mut self, pairs: Option<&'p Pairs<V>>) -> Vec<(At<String>, &'p V)> {
        let mut keyed = Vec::new();
        let mut lines: HashMap<String, u64> = HashMap::new();
        for (key, value) in pairs.into_iter().flat_map(|pairs| &pairs.0) {
            let Some(key) = self.text(key) else { continue };
            if let Some(line) = lines.insert(key.value.clone(), key.place.line) {
                let message = format!("`{}` is there twice: here, and in line {line}", shown(&key.value));
                self.wrong(key.place, message, "leave one of them out");
            }
            keyed.push((key, value));
        }
        keyed
    }

    /// A reason, which somebody has to read one day.
    pub(super) fn reason(&mut self, reason: &At<String>) -> Option<String> {
        let text = self.text(reason)?;
        if text.value.trim().is_empty() {
            self.wrong(text.place, "the reason is empty", "write why, for whoever reads this next year");
            return None;
        }
        Some(text.value)
    }

    /// The last day of something, which is not over.
    pub(super) fn expires(&mut self, day: Option<&At<String>>, what: &str) -> Option<Date> {
        let text = self.text(day?)?;
        let date = text.value.parse::<Date>().map_err(|error| {
            let message = format!("`{}` is no day: {error}", shown(&text.value));
            (message, "write it as in 2027-01-31".to_owned())
        });
        let date = self.right(text.place, date)?;
        if date < self.today {
            let message = format!("{what} expired: its last day was {date}, and today is {}", self.today);
            let hint = "look whether its reason still holds: then write a later day, otherwise take it out";
            self.wrong(text.place, message, hint);
            return None;
        }
        Some(date)
    }

    pub(super) fn exceptions(&mut self, exceptions: Option<&Vec<Written>>) -> Vec<Exception> {
        let mut resolved = Vec::new();
        for exception in exceptions.into_iter().flatten() {
            let place = exception.platforms.place();
            let platforms = self.platforms_of_image(Some(&exception.platforms));
            if exception.platforms.as_slice().is_empty() {
                self.wrong(place, "this exception is for no platform", "name its platforms");
            }
            let reason = self.reason(&exception.reason);
            let expires = self.expires(exception.expires.as_ref(), "this exception");
            if let Some(reason) = reason {
                resolved.push(Exception { platforms, reason, expires, line: place.line });
            }
        }
        resolved
    }

    /// How bad broken rules are: of a host or of an image.
    pub(super) fn severities(&mut self, pairs: Option<&Pairs<RuleLevel>>, of_host: bool) -> Severities {
        let mut severities = Severities::new();
        for (key, level) in pairs.into_iter().flat_map(|pairs| &pairs.0) {
            let Some(rule) = rule::explain(&key.value) else {
                let hint = match rule::nearest(&key.value) {
                    Some(near) => format!("write `{}`; `mpcheck rules` lists them all", near.name),
                    None => "`mpcheck rules` lists them".to_owned(),
                };
                self.wrong(key.place, format!("no rule is called `{}`", shown(&key.value)), hint);
                continue;
            };
            if rule.name.starts_with("host/") == of_host {
                severities.insert(rule.name, (*level).into());
            } else if of_host {
                self.wrong(
                    key.place,
                    format!("{} is a rule of images", rule.name),
                    "move it to an image's `severities`",
                );
            } else {
                self.wrong(key.place, format!("{} is a rule of the host", rule.name), "move it to `host: severities`");
            }
        }
        severities
    }
}

impl From<RuleLevel> for Level {
    fn from(level: RuleLevel) -> Self {
        match level {
            RuleLevel::Error => Self::Error,
            RuleLevel::Warning => Self::Warning,
            RuleLevel::Note => Self::Note,
            RuleLevel::Off => Self::Off,
        }
    }
}
