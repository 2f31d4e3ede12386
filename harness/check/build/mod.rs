//! Findings about building for several platforms.

pub mod dockerfile;
