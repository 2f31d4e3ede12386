//! The layers of an image: each read once, the largest first, however many platforms share it.

use super::{MAX_FACTS_BYTES, Reading};
use crate::image::descriptor::{Descriptor, media_type};
use crate::image::digest::Digest;
use crate::image::facts::{LayerHow, LayerState};
use crate::image::fetch::Unread;
use crate::image::layer::{self, Fault, LayerFacts, LayerRead};
use crate::image::lock::Lock;
use crate::image::observe::{Event, Observer};
use crate::image::parallel::in_parallel;
use crate::image::store::Store;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// What is known of a layer before its blob is read.
struct Known<'a> {
    /// What it holds.
    facts: Option<LayerFacts>,
    /// Whether its bytes at this very place were verified before.
    sealed: bool,
    /// Where it is to be unpacked to, where it is not.
    store: Option<&'a Store>,
}

impl<'a> Reading<'a> {
    /// Reads each layer of the selected platforms once.
    pub(super) fn layers(&mut self, observer: &dyn Observer) -> Vec<Arc<LayerState>> {
        let mut unique: BTreeMap<(Digest, u64), (Descriptor, bool)> = BTreeMap::new();
        for platform in self.platforms.iter().filter(|p| p.selected && p.artifact.is_none()) {
            let unpack = self.options.unpack.is_some_and(|unpack| (unpack.of)(&platform.platform));
            for layer in platform.manifest.iter().flat_map(|m| &m.layers) {
                let known = unique.entry((layer.digest.clone(), layer.size)).or_insert_with(|| (layer.clone(), false));
                known.1 |= unpack;
            }
        }
        let mut todo: Vec<(Descriptor, bool)> = unique.into_values().collect();
        // The largest first, so that none of them is left alone at the end.
        todo.sort_by(|(a, _), (b, _)| b.size.cmp(&a.size).then_with(|| a.digest.cmp(&b.digest)));
        let bytes = todo.iter().map(|(layer, _)| layer.size).fold(0, u64::saturating_add);
        observer.observe(Event::Layers { count: todo.len(), bytes });
        let states = in_parallel(&todo, self.options.jobs, |(descriptor, unpack)| {
            observer.observe(Event::LayerStarted(descriptor));
            let state = Arc::new(self.layer(descriptor, *unpack, observer));
            observer.observe(Event::LayerFinished(descriptor));
            state
        });
        let by_blob: BTreeMap<(&Digest, u64), &Arc<LayerState>> =
            states.iter().map(|state| ((&state.descriptor.digest, state.descriptor.size), state)).collect();
        for platform in self.platforms.iter_mut().filter(|p| p.selected && p.artifact.is_none()) {
            let layers = platform.manifest.iter().flat_map(|m| &m.layers);
            platform.layers = layers.filter_map(|l| by_blob.get(&(&l.digest, l.size)).map(|s| Arc::clone(s))).collect();
        }
        states
    }

    fn layer(&self, descriptor: &Descriptor, unpack: bool, observer: &dyn Observer) -> LayerState {
        let begun = Instant::now();
        let mut state = LayerState {
            descriptor: descriptor.clone(),
            facts: None,
            faults: Vec::new(),
            unread: None,
            how: LayerHow::Read,
            took: Duration::ZERO,
        };
        if let Err(unread) = self.fill(&mut state, unpack, observer) {
            match unread {
                Unread::Fault(Fault::Missing(_)) if is_not_distributed(descriptor) => {
                    state.unread = Some(Unread::NotHeld("it may not be distributed, and is not held here".to_owned()));
                }
                Unread::Fault(fault) => state.faults.push(fault),
                other => state.unread = Some(other),
            }
        }
        if let Some(weight) = state.facts.as_ref().map(|facts| facts.weight())
            && self.weight.fetch_add(weight, Ordering::Relaxed).saturating_add(weight) > MAX_FACTS_BYTES
        {
            self.weight.fetch_sub(weight, Ordering::Relaxed);
            state.facts = None;
            let why = "with it, the image's layers have more names and programs than are kept in memory".to_owned();
            state.faults.push(Fault::TooLarge(why));
        }
        state.took = begun.elapsed();
        state
    }

    fn fill(&self, state: &mut LayerState, unpack: bool, observer: &dyn Observer) -> Result<(), Unread> {
        let descriptor = &state.descriptor;
        if !is_layer(&descriptor.media_type) {
            let name: String = descriptor.media_type.chars().take(120).collect();
            let why = format!("a layer has the media type `{}`, which is not supported", name.escape_debug());
            return Err(Unread::Fault(Fault::Invalid(why)));
        }
        // The seal comes first: what changes afterwards no longer fits it.
        let seal = self.source.seal(descriptor);
        let mut known = self.known(descriptor, unpack, seal.as_deref(), None);
        // Whoever reads the blob at this moment is waited for; what they learnt need not be read again. Without a seal
        // every process hashes the blob for itself, and only its unpacking is saved.
        let _locks = if known.sealed || known.facts.is_some() && seal.is_none() {
            None
        } else {
            let locks = self.locks(descriptor, unpack);
            known = self.known(descriptor, unpack, seal.as_deref(), known.facts);
            // Others may hash at the same time.
            (known.facts.is_none() || seal.is_some()).then_some(locks)
        };
        let Known { facts: cached, sealed, store } = known;
        if let (true, Some(facts)) = (sealed, &cached) {
            // The content is known; that the blob is there is another matter.
            self.source.probe(descriptor)?;
            observer.observe(Event::LayerBytes(descriptor, descriptor.size));
            state.how = LayerHow::Cached;
            state.facts = Some(Arc::new(facts.clone()));
            return Ok(());
        }
        let blob = match &descriptor.data {
            Some(data) => Box::new(std::io::Cursor::new(data.clone())),
            None => self.source.open(descriptor)?,
        };
        let progress = |n| observer.observe(Event::LayerBytes(descriptor, n));
        let read = match cached {
            Some(facts) => {
                state.how = LayerHow::Verified;
                let read = layer::verify(descriptor, blob, &progress);
                LayerRead { facts: Some(facts).filter(|_| read.faults.is_empty()), ..read }
            }
            None => self.read(descriptor, blob, store, &progress),
        };
        if let Some(why) = read.undecided {
            return Err(Unread::Undecided(why));
        }
        if let (Some(cache), Some(facts), []) = (self.options.cache, &read.facts, read.faults.as_slice()) {
            let stored = if state.how == LayerHow::Read { cache.store(descriptor, facts) } else { Ok(()) };
            let sealed = stored.and_then(|()| seal.map_or(Ok(()), |seal| cache.seal(descriptor, &seal)));
            if let Err(error) = sealed {
                let why = format!("the cache in {} cannot be written: {error}", cache.directory().display());
                observer.observe(Event::CacheUnusable(&why));
            }
        }
        state.faults = read.faults;
        state.facts = read.facts.map(Arc::new);
        Ok(())
    }

    /// What the cache has of a layer. `facts` are what it had a moment ago, which need not be read again.
    fn known(&self, descriptor: &Descriptor, unpack: bool, seal: Option<&str>, facts: Option<LayerFacts>) -> Known<'a> {
        let store = self.options.unpack.map(|unpack| unpack.store).filter(|store| unpack && !store.has(descriptor));
        let cache = self.options.cache.filter(|_| store.is_none());
        // Facts from before a limit was lowered: reading the layer again says which limit it exceeds.
        let facts = facts.filter(|_| store.is_none()).or_else(|| cache?.load(descriptor));
        let facts = facts.filter(|facts| self.options.limits.allow(facts));
        let sealed = facts.is_some() && seal.zip(cache).is_some_and(|(seal, cache)| cache.is_sealed(descriptor, seal));
        Known { facts, sealed, store }
    }

    /// Waits for whoever reads or unpacks the same blob. In this order, so that nobody waits for one who waits for them.
    fn locks(&self, descriptor: &Descriptor, unpack: bool) -> [Option<Lock>; 2] {
        let cache = self.options.cache.and_then(|cache| cache.lock(descriptor));
        let store = self.options.unpack.filter(|_| unpack).and_then(|unpack| unpack.store.lock(descriptor));
        [cache, store]
    }

    /// Reads a layer, and unpacks it on the way where somebody wants it.
    ///
    /// What cannot be unpacked is checked all the same; who wants to run it finds it missing.
    fn read(
        &self,
        descriptor: &Descriptor,
        blob: Box<dyn std::io::Read + Send>,
        store: Option<&Store>,
        progress: &dyn Fn(u64),
    ) -> LayerRead {
        let mut pending = store.and_then(|store| store.begin(descriptor).ok());
        let unpacking = pending.as_mut().map(|pending| &mut pending.unpacking);
        let read = layer::read(descriptor, blob, &self.options.limits, unpacking, progress);
        if let Some(pending) = pending {
            if read.facts.is_some() && read.faults.is_empty() {
                let _ = pending.commit();
            } else {
                pending.discard();
            }
        }
        read
    }
}

/// The media types of layers: OCI's and Docker's, with any of the compressions.
fn is_layer(media_type: &str) -> bool {
    const BASES: [&str; 4] = [
        media_type::OCI_LAYER,
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        media_type::DOCKER_LAYER,
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
    ];
    BASES
        .iter()
        .filter_map(|base| media_type.strip_prefix(base))
        .any(|rest| matches!(rest, "" | "+gzip" | "+zstd" | ".gzip" | ".zstd"))
}

/// Layers that licences forbid to push, which registries therefore may lack.
fn is_not_distributed(descriptor: &Descriptor) -> bool {
    !descriptor.urls.is_empty()
        || descriptor.media_type.contains(".nondistributable.")
        || descriptor.media_type.contains(".foreign.")
}
