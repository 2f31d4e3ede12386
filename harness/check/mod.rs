//! The checks: functions from facts to findings.
//!
//! [`image`] is the way in: it takes what was read of an image and what is
//! required of it, and gives the image's part of the report; [`host::host`] does the same for a host. One file per group
//! of rules; a finding is data, and text is made of it elsewhere.

mod address;
pub mod binary;
mod blob;
pub mod build;
pub mod date;
pub(crate) mod draft;
pub mod host;
mod identical;
mod listing;
mod manifest;
mod outcome;
pub mod pattern;
pub mod policy;
pub mod rule;
pub mod run;

pub use manifest::Requirements;
pub use outcome::{Checked, Runs, image, unread};
