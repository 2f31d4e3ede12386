//! Suites: what images should be, written down once and asked of every platform.
//!
//! | file | what it does |
//! |---|---|
//! | `load.rs` | files and directories to suites |
//! | `yaml.rs` | text to documents, and what is wrong with the YAML |
//! | `format.rs`, `items.rs`, `located.rs` | the format: types with their places, and what the schema says of them |
//! | `variable.rs` | `${NAME}` |
//! | `value.rs`, `name.rs` | what single texts mean, and the names of trials |
//! | `resolve.rs`, `resolve/` | documents to suites: defaults, variables, names, and what is wrong with the values |
//! | `plan.rs` | the resolved suite, which is all that others look at |
//! | `gather.rs` | everything that was named on a command line, as one set of suites |
//! | `case.rs`, `filter.rs` | suites to trials: names, and which of them are meant |
//! | `session/` | running trials: images read once, platforms run once |
//! | `judge.rs` | what a suite says of files and configs, against what is there |
//! | `draft.rs` | a suite from what an image is, for `mpcheck init` |
//! | `structure/` | files of container-structure-test: reading and judging |
//! | `bridge.rs` | trials as tests of `cargo test` |
//! | `cases.rs` | one image on one platform, for tests in code |
//! | `error.rs` | what is wrong, where, and what to write instead |

mod bridge;
pub mod case;
mod cases;
pub mod draft;
mod error;
pub mod filter;
mod format;
mod gather;
mod items;
mod judge;
mod load;
mod located;
mod name;
pub mod plan;
mod resolve;
pub mod schema;
pub mod session;
pub mod structure;
mod value;
mod variable;
mod yaml;

pub use bridge::main;
pub use cases::{Checked, Fault, check};
pub use error::{Problem, SuiteError};
pub use gather::{About, Gathered, gather, is_structure};
pub use load::{Kind, kind_of, load};
pub use located::Place;
pub use yaml::MAX_FILE_BYTES;
