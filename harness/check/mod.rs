//! The rules, and the checks that find where they are broken.

pub mod rule;
