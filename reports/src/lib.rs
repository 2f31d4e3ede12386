//! The report of mpcheck: plain data, its JSON Schema, and one file per format.
//!
//! A [`Report`] is what a run found, complete and sorted. A format is a pure
//! function of it: nothing here reads a clock, an environment or a terminal;
//! what a format needs to know of these comes in as an argument.

mod json;
mod junit;
mod machine;
mod merge;
mod model;
mod order;
mod prometheus;
#[cfg(test)]
mod sample;
mod schema;
mod text;
mod verdict;

pub use json::{JsonError, from_json, to_json};
pub use junit::{to_junit, told};
pub use machine::{
    BinfmtMisc, Builder, BuilderNode, Buildx, Change, Engine, Handler, HostPlatform, HostStatus, InEngine, Machine,
    Since, Tries,
};
pub use merge::{MergeError, merge};
pub use model::{
    Check, Finding, Image, LayerRef, Platform, Report, RunHow, RunSummary, SCHEMA, Severity, Shard, Status, Step,
    StepCommand, Timing, Tool, Trial, Verdict,
};
pub use prometheus::to_prometheus;
pub use schema::{SCHEMA_ID, report_schema, schema_text};
pub use text::{TextOptions, to_text};
pub use verdict::{FailOn, Outcome, UnknownFailOn, exit_code, verdict};
