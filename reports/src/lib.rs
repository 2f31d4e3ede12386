//! The report of mpcheck: plain data, its JSON Schema, and one file per format.
//!
//! A [`Report`] is what a run found, complete and sorted. A format is a pure
//! function of it: nothing here reads a clock, an environment or a terminal;
//! what a format needs to know of these comes in as an argument.

mod model;

pub use model::{
    Check, Finding, Image, LayerRef, Machine, Platform, Report, RunHow, RunSummary, SCHEMA, Severity, Status, Timing,
    Tool, Verdict,
};
