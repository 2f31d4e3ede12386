//! Images: references, descriptors, manifests, configs, layers, and the merged root filesystem.
//!
//! A [`source::Source`] gives bytes; [`examine`](examine::examine) turns them into
//! [`ImageFacts`]: verified, parsed, every layer read once. The checks look at
//! these facts and at nothing else.

pub mod archive_format;
pub mod cache;
pub mod contents;
pub mod descriptor;
pub mod digest;
pub mod document;
pub mod examine;
pub mod facts;
pub mod fetch;
pub mod layer;
mod lock;
mod next_step;
pub mod observe;
pub(crate) mod parallel;
pub mod reader;
pub mod reference;
pub mod rootfs;
pub mod source;
pub mod store;
pub mod unpacked;

pub use facts::{ImageFacts, LayerState, PlatformFacts};
