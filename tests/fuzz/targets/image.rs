//! A whole image: documents and layer from the fuzzer, through every rule to the report.
//!
//! The input is the config's JSON, a NUL, and the layer as a tar. The index and the
//! manifest are right, so that the rules of all groups are reached.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mpcheck::check::{self, Requirements, Runs};
use mpcheck::image::descriptor::{Descriptor, media_type};
use mpcheck::image::digest::Digest;
use mpcheck::image::examine::{self, Options};
use mpcheck::image::observe::Silent;
use mpcheck::image::source::{Root, Source, SourceError};
use mpcheck::platform::Selection;
use mpcheck_fuzz::tree::LIMITS;
use mpcheck_reports::{FailOn, Report, SCHEMA, Status, TextOptions, Tool, Verdict, to_json, to_text, verdict};
use std::collections::BTreeMap;
use std::io::{Cursor, Read};

/// A source in memory.
#[derive(Default)]
struct Memory {
    blobs: BTreeMap<Digest, Vec<u8>>,
    root: Vec<u8>,
}

impl Memory {
    /// Keeps a blob, and gives its descriptor as JSON, without the closing brace.
    fn add(&mut self, media_type: &str, bytes: &[u8]) -> String {
        let digest = Digest::of(bytes);
        let opened = format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{}"#, bytes.len());
        self.blobs.insert(digest, bytes.to_vec());
        opened
    }

    /// Two platforms that share all: each is wrong for one of them.
    fn of(config: &[u8], layer: &[u8]) -> Self {
        let mut memory = Self::default();
        let config = memory.add(media_type::OCI_CONFIG, config);
        let layer = memory.add(media_type::OCI_LAYER, layer);
        let manifest = format!(r#"{{"schemaVersion":2,"config":{config}}},"layers":[{layer}}}]}}"#);
        let manifest = memory.add(media_type::OCI_MANIFEST, manifest.as_bytes());
        let entry = |platform: &str| format!(r#"{manifest},"platform":{{"os":"linux",{platform}}}}}"#);
        let entries = [entry(r#""architecture":"amd64""#), entry(r#""architecture":"arm64","variant":"v8""#)];
        memory.root = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(",")).into_bytes();
        memory
    }
}

impl Source for Memory {
    fn name(&self) -> String {
        "memory".to_owned()
    }

    fn root(&self) -> Result<Root, SourceError> {
        Ok(Root { bytes: self.root.clone(), media_type: None, digest: None, platform: None })
    }

    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, SourceError> {
        let missing =
            || SourceError::BlobMissing { digest: descriptor.digest.clone(), why: "it was not put in".to_owned() };
        Ok(Box::new(Cursor::new(self.blobs.get(&descriptor.digest).cloned().ok_or_else(missing)?)))
    }
}

fn report(source: &Memory) -> Report {
    let selection = Selection::all();
    let options = Options { selection: &selection, limits: LIMITS, jobs: 1, cache: None, layers: true, unpack: None };
    let facts = examine::examine(source, &options, &Silent).expect("the index is right");
    let checked = check::image(&facts, "fuzzed", &Requirements::default(), &Runs::default());
    let mut report = Report {
        schema: SCHEMA.to_owned(),
        tool: Tool { name: "mpcheck".to_owned(), version: "0".to_owned() },
        started: "2026-01-01T00:00:00Z".to_owned(),
        duration_ms: 0,
        verdict: Verdict::Error,
        images: vec![checked.image],
        host: None,
        findings: checked.findings,
        steps: Vec::new(),
        trials: Vec::new(),
        shard: None,
        timings: Vec::new(),
    };
    report.verdict = verdict(&report, FailOn::Error);
    report.sort();
    report
}

fuzz_target!(|input: &[u8]| {
    let Some(end) = input.iter().position(|&b| b == 0) else { return };
    let source = Memory::of(&input[..end], &input[end + 1..]);
    let report = report(&source);
    assert_eq!(report.images[0].platforms.len(), 2);
    for platform in &report.images[0].platforms {
        assert_eq!(platform.checks.len(), 5);
        for check in &platform.checks {
            // Whatever is not passed says why.
            assert_eq!(check.status == Status::Passed, check.reason.is_none(), "{check:?}");
        }
    }
    let text = to_text(&report, &TextOptions { color: false, width: 100, unicode: true, verbose: true });
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "a control character reaches the terminal");
    let json = to_json(&report);
    assert_eq!(mpcheck_reports::from_json(&json).expect("a report can be read"), report);
});
