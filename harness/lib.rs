//! mpcheck: is a multi-platform container image what it says it is?
//!
//! The way in is `harness/README.md`: the words, the rooms and the life of a run.

pub mod binary;
pub mod build;
pub mod check;
pub mod cli;
pub mod host;
pub mod image;
pub mod platform;
pub mod probe;
pub mod run;
pub mod suite;
