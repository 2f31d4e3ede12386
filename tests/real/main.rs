//! Tests against real parts: Docker engines, registries, images made of Debian's packages, and the tools that people
//! make images with. `tests/parts/run.sh` starts the parts and says where they are; without them these tests fail.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a slip in a test should stop that test"
)]

mod build;
mod build_suites;
mod buildkit;
mod check;
mod container;
mod dockerfile;
mod engine;
mod host;
mod host_engine;
mod host_install;
mod images;
mod packaging;
mod parts;
mod probe;
mod release_gate;
mod run_docker;
mod run_sandbox;
mod serve;
mod sources;
mod structure;
mod suites;
