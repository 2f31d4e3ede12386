//! Suites: what images should be, written down once and asked of every platform.

pub mod plan;
