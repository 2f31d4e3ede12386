//! A finding in the making: the rule and the message first, the rest where it is known.

use super::rule::Rule;
use crate::image::PlatformFacts;
use crate::image::descriptor::Descriptor;
use crate::platform::Platform;
use mpcheck_reports::{Finding, LayerRef, Severity};

/// A finding that is being put together.
#[derive(Debug)]
pub(crate) struct Draft(Finding);

impl Draft {
    /// Begins with what every finding has. The image's name is added when all are collected.
    pub(crate) fn new(rule: &Rule, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self(Finding {
            rule: rule.name.to_owned(),
            severity: rule.severity,
            image: String::new(),
            platform: None,
            path: None,
            layer: None,
            instruction: None,
            expected: None,
            observed: None,
            reached_by: None,
            cause: None,
            message: message.into(),
            hint: hint.into(),
        })
    }

    /// Says how bad it is here, where that differs from the rule.
    pub(crate) fn severity(mut self, severity: Severity) -> Self {
        self.0.severity = severity;
        self
    }

    /// The platform.
    pub(crate) fn on(mut self, platform: &PlatformFacts) -> Self {
        self.0.platform = Some(platform.platform.to_string());
        self
    }

    /// The platform, where there is no image's.
    pub(crate) fn named(mut self, platform: &Platform) -> Self {
        self.0.platform = Some(platform.to_string());
        self
    }

    /// The file of the host.
    pub(crate) fn file(mut self, path: impl Into<String>) -> Self {
        self.0.path = Some(path.into());
        self
    }

    /// The file.
    pub(crate) fn path(mut self, path: &[u8]) -> Self {
        self.0.path = Some(shown_path(path));
        self
    }

    /// The layer, by its place in the platform's manifest, and the instruction that made it.
    pub(crate) fn layer(mut self, platform: &PlatformFacts, index: usize) -> Self {
        self.0.layer = platform.layers.get(index).map(|layer| layer_ref(index, &layer.descriptor));
        let instruction = platform.config.as_ref().ok().and_then(|config| config.instruction_of(index));
        self.0.instruction = instruction.map(str::to_owned);
        self
    }

    /// The instruction, where no layer has it.
    pub(crate) fn instruction(mut self, instruction: impl Into<String>) -> Self {
        self.0.instruction = Some(instruction.into());
        self
    }

    /// What the rule wants, and what is there.
    pub(crate) fn instead(mut self, expected: impl Into<String>, observed: impl Into<String>) -> Self {
        self.0.expected = Some(expected.into());
        self.0.observed = Some(observed.into());
        self
    }

    /// What is there.
    pub(crate) fn observed(mut self, observed: impl Into<String>) -> Self {
        self.0.observed = Some(observed.into());
        self
    }

    /// The way to the file.
    pub(crate) fn reached_by(mut self, way: Option<String>) -> Self {
        self.0.reached_by = way;
        self
    }

    /// The likely cause.
    pub(crate) fn cause(mut self, cause: Option<String>) -> Self {
        self.0.cause = cause;
        self
    }

    /// The finding.
    pub(crate) fn done(self) -> Finding {
        self.0
    }
}

fn layer_ref(index: usize, descriptor: &Descriptor) -> LayerRef {
    LayerRef { index: index as u64, digest: descriptor.digest.to_string() }
}

/// A path of the root filesystem as reports write it: absolute, and what is not UTF-8 as `\xNN`.
///
/// A backslash stays as it is unless it could be taken for such an escape.
#[must_use]
pub(crate) fn shown_path(path: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(path.len() + 1);
    text.push('/');
    for chunk in path.utf8_chunks() {
        text.push_str(&chunk.valid().replace("\\x", "\\x5cx"));
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::shown_path;
    use rstest::rstest;

    #[rstest]
    #[case(b"usr/bin/env", "/usr/bin/env")]
    #[case("caf\u{e9}".as_bytes(), "/caf\u{e9}")]
    #[case(b"caf\xe9/x", "/caf\\xe9/x")]
    #[case(b"a\\b", "/a\\b")]
    #[case(b"a\\xe9", "/a\\x5cxe9")]
    fn paths_are_shown_without_loss(#[case] path: &[u8], #[case] text: &str) {
        assert_eq!(shown_path(path), text);
    }
}
