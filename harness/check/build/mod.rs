//! Building and publishing: from the steps to findings, and the checks that look at what came out.

pub mod dockerfile;
mod findings;
mod inspection;
mod place;

pub use findings::{Told, told};
pub use inspection::{Found, Inspection};
pub use place::place;
