//! Registering emulators in this machine's kernel, and removing them.
//!
//! Each is proved by the probe afterwards. What runs already is left as it is, whoever registered it; and an entry that is
//! no emulator's is never touched: one is an emulator's when it takes programs of an architecture of the table.
//!
//! An entry is registered as `qemu-NAME`, as Debian, Fedora and the image tonistiigi/binfmt call it, and one of that name
//! that does not do is replaced. Entries of other names that take the same programs and do not do are switched off: they
//! stay registered, for whoever made them.
//!
//! | file | what |
//! |---|---|
//! | `asked.rs` | which architectures are asked for |
//! | `entry.rs` | what an entry is, and what is wrong with it |
//! | `plan.rs` | what there is to do for one architecture |
//! | `step.rs` | one change, as a command and done |
//! | `boot.rs` | the files for the next boot |
//! | `candidate.rs` | an emulator that can be registered |
//! | `work.rs` | plans, changes and proofs, one architecture after the other |
//! | `undo.rs` | what is put back where its successor does not do |
//! | `removal.rs` | the way back |
//! | `engine.rs` | the same on an engine's host, by a privileged container |

mod asked;
mod boot;
mod candidate;
pub mod engine;
mod entry;
mod plan;
mod removal;
mod step;
mod undo;
mod work;

pub use asked::{Asked, NotAsked, is_own};
pub use removal::uninstall;
pub use work::{Change, Done, Emulators, Order, Outcome, Stop, install, nobody_reads_at_boot};
