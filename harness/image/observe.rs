//! What happens while an image is read, for whoever wants to watch.
//!
//! Watching changes nothing: the facts are the same with and without.

use super::descriptor::Descriptor;

/// One thing that happened.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// The layers that will be read, each once, and their compressed bytes together.
    Layers {
        /// How many.
        count: usize,
        /// Their bytes.
        bytes: u64,
    },
    /// A layer is being opened.
    LayerStarted(&'a Descriptor),
    /// So many more compressed bytes of it were read.
    LayerBytes(&'a Descriptor, u64),
    /// It is done with.
    LayerFinished(&'a Descriptor),
    /// Facts could not be kept in the cache: why.
    CacheUnusable(&'a str),
}

/// Somebody who watches. Called from several threads at once.
pub trait Observer: Sync {
    /// Something happened.
    fn observe(&self, event: Event<'_>);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Observer for Silent {
    fn observe(&self, _: Event<'_>) {}
}
