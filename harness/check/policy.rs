//! What somebody who knows an image has decided about its findings: foreign files that are meant to be there, and how
//! bad a broken rule is.

use super::date::Date;
use crate::platform::Architecture;
use globset::GlobMatcher;
use mpcheck_reports::{Finding, Severity};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

/// The decisions about one image.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Foreign files that are meant to be there.
    pub allowed: Vec<Allowed>,
    /// How bad a broken rule is, where that is not what the rule says.
    pub severities: Severities,
}

impl Policy {
    /// The decision that lets a foreign file be where it is.
    #[must_use]
    pub fn allows(&self, path: &[u8], architecture: Option<&str>) -> Option<&Allowed> {
        self.allowed.iter().find(|allowed| allowed.covers(path, architecture))
    }
}

/// Makes findings as bad as was decided, and drops those that nobody wants.
///
/// What a check already saw milder than its rule is (a foreign file that its place explains) gets no worse by that.
pub fn apply(severities: &Severities, findings: &mut Vec<Finding>) {
    findings.retain_mut(|finding| {
        let Some(level) = severities.get(finding.rule.as_str()) else { return true };
        let Some(decided) = level.severity() else { return false };
        let own = super::rule::RULES.iter().find(|rule| rule.name == finding.rule).map(|rule| rule.severity);
        // The order of severities is from the worst on.
        finding.severity = if own == Some(finding.severity) { decided } else { decided.max(finding.severity) };
        true
    });
}

/// How bad broken rules are: a rule's name, as [`super::rule::Rule::name`] has it, and what was decided.
pub type Severities = BTreeMap<&'static str, Level>;

/// Foreign files that are meant to be there.
#[derive(Debug, Clone)]
pub struct Allowed {
    /// The files, by their absolute paths: `*` is of one directory, `**` of all below.
    pub path: GlobMatcher,
    /// The architecture that they may be for; `None` is any.
    pub architecture: Option<&'static Architecture>,
    /// Why they are there.
    pub reason: String,
    /// The last day on which they may be.
    pub expires: Option<Date>,
}

impl Allowed {
    /// Whether a file may be there: its path from the root, with or without the slash before it, and the name of the
    /// architecture that it is for.
    #[must_use]
    pub fn covers(&self, path: &[u8], architecture: Option<&str>) -> bool {
        let fits = self.architecture.is_none_or(|wanted| architecture == Some(wanted.name));
        let mut absolute = vec![b'/'];
        absolute.extend_from_slice(path.strip_prefix(b"/").unwrap_or(path));
        fits && self.path.is_match(OsStr::from_bytes(&absolute))
    }
}

/// How bad a broken rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It fails the run.
    Error,
    /// It fails the run where warnings do.
    Warning,
    /// It is shown and fails nothing.
    Note,
    /// It is not looked at: no finding is made.
    Off,
}

impl Level {
    /// The severity of the finding; `None` where there is to be none.
    #[must_use]
    pub const fn severity(self) -> Option<Severity> {
        match self {
            Self::Error => Some(Severity::Error),
            Self::Warning => Some(Severity::Warning),
            Self::Note => Some(Severity::Note),
            Self::Off => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use globset::GlobBuilder;
    use rstest::rstest;

    #[rstest]
    // As bad as its rule, whose severity is error.
    #[case(Severity::Error, Some(Level::Warning), Some(Severity::Warning))]
    #[case(Severity::Error, Some(Level::Off), None)]
    #[case(Severity::Error, None, Some(Severity::Error))]
    // A check saw it milder.
    #[case(Severity::Note, Some(Level::Error), Some(Severity::Note))]
    #[case(Severity::Note, Some(Level::Warning), Some(Severity::Note))]
    #[case(Severity::Warning, Some(Level::Note), Some(Severity::Note))]
    fn a_decision_makes_nothing_worse_that_was_seen_milder(
        #[case] severity: Severity,
        #[case] level: Option<Level>,
        #[case] wanted: Option<Severity>,
    ) {
        let rule = &crate::check::rule::FOREIGN_ARCHITECTURE;
        let finding = crate::check::draft::Draft::new(rule, "", "").severity(severity).done();
        let severities = level.map(|level| (rule.name, level)).into_iter().collect();
        let mut findings = vec![finding];
        apply(&severities, &mut findings);
        assert_eq!(findings.first().map(|finding| finding.severity), wanted);
    }

    #[test]
    fn a_note_can_be_made_an_error() {
        let rule = &crate::check::rule::EMULATOR_LEFT_BEHIND;
        let mut findings = vec![crate::check::draft::Draft::new(rule, "", "").done()];
        apply(&[(rule.name, Level::Error)].into(), &mut findings);
        assert_eq!(findings[0].severity, Severity::Error);
    }

    #[rstest]
    #[case("/opt/probes/**", None, "opt/probes/a/b", Some("arm"), true)]
    #[case("/opt/probes/**", None, "/opt/probes/a", None, true)]
    #[case("/opt/probes/*", None, "opt/probes/a/b", Some("arm"), false)]
    #[case("/opt/probes/*", Some("amd64"), "opt/probes/a", Some("amd64"), true)]
    #[case("/opt/probes/*", Some("amd64"), "opt/probes/a", Some("arm64"), false)]
    #[case("/opt/probes/*", Some("amd64"), "opt/probes/a", None, false)]
    #[case("/opt/probes/*", None, "srv/opt/probes/a", None, false)]
    fn a_path_and_an_architecture_are_allowed(
        #[case] glob: &str,
        #[case] architecture: Option<&str>,
        #[case] path: &str,
        #[case] is_for: Option<&str>,
        #[case] wanted: bool,
    ) {
        let allowed = Allowed {
            path: GlobBuilder::new(glob).literal_separator(true).build().unwrap().compile_matcher(),
            architecture: architecture.and_then(Architecture::by_name),
            reason: String::new(),
            expires: None,
        };
        assert_eq!(allowed.covers(path.as_bytes(), is_for), wanted);
    }
}
