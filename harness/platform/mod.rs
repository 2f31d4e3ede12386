//! Platforms, and the one table of architectures.
