//! Building for several platforms: what a Dockerfile asks for.

pub mod dockerfile;
