//! Suites: what images should be, written down once and asked of every platform.

pub mod case;
pub mod filter;
mod judge;
pub mod plan;
pub mod session;
