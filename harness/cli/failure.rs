//! Why a run ended without a result.

use std::fmt;

/// A message for a person, its next step, and the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    message: String,
    hint: Option<String>,
    exit_code: u8,
}

impl Failure {
    /// Wrong arguments or files that the user gave.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, exit_code: 2 }
    }

    /// Something could not be examined.
    pub(super) fn unexamined(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, exit_code: 3 }
    }

    /// A suite that is wrong, whose text has its next steps already.
    pub(super) fn of_suite(message: impl Into<String>, exit_code: u8) -> Self {
        Self { message: message.into(), hint: None, exit_code }
    }

    /// Adds the next step.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The exit code: `harness/README.md` says when which of them is given.
    pub(super) const fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// The next step, where there is one to name.
    pub(super) fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
