//! Suites: what images should be, written down once and asked of every platform.

pub mod error;
pub mod located;
pub mod plan;
pub mod structure;
