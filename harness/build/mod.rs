//! Building and publishing for several platforms with the host's own tools, and what became of it.
//!
//! [`rehearsal`] does each of the ways once, with programs that mpcheck makes itself; [`own`] builds somebody's
//! Dockerfile. Both are steps: commands that a person could type, each logged, with an end to its time. What comes
//! out is looked at by an [`Inspector`]: the checks, which are no part of this room. [`dockerfile`] reads what a Dockerfile
//! asks for, before anything is built.

mod command;
mod context;
pub mod dockerfile;
pub mod fault;
pub mod own;
mod registry;
pub mod rehearsal;
mod site;
mod step;
mod tools;

pub use command::{Done, End};
pub use site::Site;
pub use step::{Content, Inspected, Inspector, Made, Outcome, Step, Wrong};
pub use tools::Tools;
