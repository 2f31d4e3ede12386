//! Integration tests: one binary, one module per subject.
//!
//! | module | what belongs there |
//! |---|---|
//! | `rules` | for every rule what breaks it and what does not: forged images, findings compared exactly |
//! | `incidents` | images broken as published ones were, and odd images with nothing wrong in them |
//! | `cli` | the program itself as a process: arguments, output, exit codes, cache, bad input |
//! | `arrows` | the direction of the imports between the rooms |
//! | `checked` | how the others read and check a forged image |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests: what is not as they say has to stop them"
)]

mod arrows;
mod checked;
mod cli;
mod incidents;
mod rules;
