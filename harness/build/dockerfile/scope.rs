//! The variables: platform ARGs, global ARGs, and those of a stage.

use super::expand::expand;
use super::{Dockerfile, Instruction};
use crate::platform::Platform;
use std::collections::BTreeMap;

/// All values of one scope may have this many bytes together; what comes after counts as not set.
const MAX_TOTAL: usize = 128 << 10;

/// What a build is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The platform that is built for.
    pub target: &'a Platform,
    /// The platform that builds.
    pub build: &'a Platform,
    /// `--build-arg`.
    pub build_args: &'a BTreeMap<String, String>,
}

/// Variables and their values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables {
    values: BTreeMap<String, String>,
    total: usize,
}

impl Variables {
    /// The value, where there is one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Sets one.
    pub fn set(&mut self, name: &str, value: String) {
        self.unset(name);
        let total = self.total + name.len() + value.len();
        if total <= MAX_TOTAL {
            self.total = total;
            self.values.insert(name.to_owned(), value);
        }
    }

    /// Takes a new value; one that is said and not known replaces the old one all the same.
    fn take(&mut self, (name, value, is_said): (String, Option<String>, bool)) {
        match value {
            Some(value) => self.set(&name, value),
            None if is_said => self.unset(&name),
            None => {}
        }
    }

    fn unset(&mut self, name: &str) {
        if let Some(old) = self.values.remove(name) {
            self.total -= name.len() + old.len();
        }
    }

    /// The platform ARGs ("Automatic platform ARGs in the global scope" of the Dockerfile reference).
    fn of_platforms(scope: &Scope<'_>) -> Self {
        let mut variables = Self::default();
        for (prefix, platform) in [("TARGET", scope.target), ("BUILD", scope.build)] {
            let variant = platform.variant().unwrap_or_default();
            let (os, architecture) = (platform.os(), platform.architecture());
            variables.set(&format!("{prefix}PLATFORM"), platform.to_string());
            variables.set(&format!("{prefix}OS"), os.to_owned());
            variables.set(&format!("{prefix}ARCH"), architecture.to_owned());
            variables.set(&format!("{prefix}VARIANT"), variant.to_owned());
        }
        variables
    }
}

impl Dockerfile {
    /// The variables that FROM sees: the platform ARGs and the ARGs before the first FROM. A default replaces the
    /// value of a platform ARG too (BuildKit's `buildMetaArgs`).
    #[must_use]
    pub fn global_variables(&self, scope: &Scope<'_>) -> Variables {
        let mut variables = Variables::of_platforms(scope);
        for (name, default) in self.globals.iter().flat_map(|arg| arg.pairs(self.escape)) {
            let value = match scope.build_args.get(&name) {
                Some(given) => Some(given.clone()),
                None => default.and_then(|text| expand(&text, &variables, self.escape).ok()).map(|value| value.text),
            };
            if let Some(value) = value {
                variables.set(&name, value);
            }
        }
        variables
    }

    /// What an instruction of a stage does to the stage's variables (BuildKit's `dispatchArg` and `dispatchEnv`):
    /// an ARG without a default and without `--build-arg` takes the global one, and a default wins over that.
    pub fn apply(&self, instruction: &Instruction, scope: &Scope<'_>, globals: &Variables, variables: &mut Variables) {
        let is_arg = instruction.is("ARG");
        if !is_arg && !instruction.is("ENV") {
            return;
        }
        let set = |(name, text): (String, Option<String>), variables: &Variables| {
            let expanded = |text: &str| {
                let expanded = expand(text, variables, self.escape).ok()?;
                // The base image may set it, and that is not known here.
                expanded.unset.is_empty().then_some(expanded.text)
            };
            let given = scope.build_args.get(&name).filter(|_| is_arg).cloned();
            let value = match (given, &text) {
                (Some(given), _) => Some(given),
                (None, Some(text)) => expanded(text),
                (None, None) => globals.get(&name).map(str::to_owned),
            };
            (name, value, text.is_some())
        };
        let pairs = instruction.pairs(self.escape).into_iter();
        if is_arg {
            pairs.for_each(|pair| {
                let new = set(pair, variables);
                variables.take(new);
            });
        } else {
            // All of one ENV see the values from before it.
            let new: Vec<_> = pairs.map(|pair| set(pair, variables)).collect();
            new.into_iter().for_each(|new| variables.take(new));
        }
    }
}
