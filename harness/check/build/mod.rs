//! Building and publishing: from the steps to findings, and the checks that look at what came out.

mod findings;
mod inspection;

pub use findings::{Told, told};
pub use inspection::Inspection;
