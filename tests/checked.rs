//! A forged image, read and checked by the library.

use mpcheck::check::run::Attempt;
use mpcheck::check::{self, Checked, Requirements, Runs};
use mpcheck::image::examine::{self, Options};
use mpcheck::image::layer::Limits;
use mpcheck::image::observe::Silent;
use mpcheck::image::reference::Location;
use mpcheck::image::source::{SourceOptions, open_image};
use mpcheck::platform::{Platform, Selection};
use mpcheck_kit::image::Image;
use mpcheck_kit::index::Index;
use mpcheck_kit::layer::Layer;
use mpcheck_kit::store::Forged;
use mpcheck_reports::{Finding, Severity};

/// An image, and what is asked of it.
pub(crate) struct Given {
    forged: Forged,
    requirements: Requirements,
    limits: Limits,
    attempt: Option<Attempt>,
    run_required: bool,
}

impl Given {
    /// What came of running each of its platforms; nothing is run here.
    pub(crate) fn attempted(mut self, attempt: Attempt) -> Self {
        self.attempt = Some(attempt);
        self
    }

    /// As under `--require-run`.
    pub(crate) fn run_required(mut self) -> Self {
        self.run_required = true;
        self
    }

    /// Platforms that it must have, separated by commas.
    pub(crate) fn require(mut self, platforms: &str) -> Self {
        self.requirements.required = parse(platforms);
        self
    }

    /// Platforms that it must have, and no others.
    pub(crate) fn exactly(mut self, platforms: &str) -> Self {
        self.requirements.exact = true;
        self.require(platforms)
    }

    /// The platforms of the image before it.
    pub(crate) fn after(mut self, platforms: &str) -> Self {
        self.requirements.baseline = Some(("before".to_owned(), parse(platforms)));
        self
    }

    /// Other limits on its layers.
    pub(crate) fn within(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Reads it from an OCI layout, without a cache, and checks it.
    pub(crate) fn check(&self) -> Checked {
        let directory = tempfile::tempdir().unwrap();
        self.forged.write_layout(directory.path(), Some("latest")).unwrap();
        let location = Location::parse(&format!("oci:{}", directory.path().display())).unwrap();
        let source = open_image(&location, &SourceOptions::default()).unwrap();
        let selection = Selection::all();
        let options =
            Options { selection: &selection, limits: self.limits, jobs: 2, cache: None, layers: true, unpack: None };
        let facts = examine::examine(source.as_ref(), &options, &Silent).unwrap();
        let attempts = self.attempt.iter().flat_map(|attempt| vec![attempt.clone(); facts.platforms.len()]).collect();
        let runs = Runs { attempts, required: self.run_required };
        check::image(&facts, "image", &self.requirements, &runs)
    }

    /// What is found, in one line each: see [`line`].
    pub(crate) fn findings(&self) -> Vec<String> {
        lines(&self.check().findings)
    }
}

/// What is asked of an image, where that is more than itself.
pub(crate) fn given(forged: impl Into<Given>) -> Given {
    forged.into()
}

fn parse(platforms: &str) -> Vec<Platform> {
    Selection::parse([platforms]).unwrap().platforms().to_vec()
}

/// All findings in a fixed order.
pub(crate) fn lines(findings: &[Finding]) -> Vec<String> {
    let mut lines: Vec<String> = findings.iter().map(line).collect();
    lines.sort();
    lines
}

/// `error binary/malformed linux/arm64 /usr/bin/app`; a dash where no platform is meant, nothing where no file is.
fn line(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let platform = finding.platform.as_deref().unwrap_or("-");
    let path = finding.path.as_deref().map_or_else(String::new, |path| format!(" {path}"));
    format!("{severity} {} {platform}{path}", finding.rule)
}

impl From<Forged> for Given {
    fn from(forged: Forged) -> Self {
        let (requirements, limits) = (Requirements::default(), Limits::default());
        Self { forged, requirements, limits, attempt: None, run_required: false }
    }
}

impl From<Index> for Given {
    fn from(index: Index) -> Self {
        index.forge().into()
    }
}

impl From<Image> for Given {
    fn from(image: Image) -> Self {
        image.forge().into()
    }
}

/// A layer on a good image for linux/arm64.
impl From<Layer> for Given {
    fn from(layer: Layer) -> Self {
        crate::rules::scratch("linux/arm64").layer(layer).into()
    }
}
