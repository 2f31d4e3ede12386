//! Layers in the store of unpacked ones, whoever unpacked them: the reading of the image, or what needs them now.

use super::LayerState;
use super::layer;
use super::source::Source;
use super::store::{Held, Store};

/// Keeps a layer in the store as long as the result lives. One that is missing is unpacked first.
///
/// # Errors
/// Why it cannot be, as half a sentence.
pub fn hold(store: &Store, layer: &LayerState, source: &dyn Source) -> Result<Held, String> {
    let held = || store.hold(&layer.descriptor).map_err(|error| error.to_string());
    if let Some(held) = held()? {
        return Ok(held);
    }
    // Whoever unpacks it at this moment is waited for.
    let _lock = store.lock(&layer.descriptor);
    if let Some(held) = held()? {
        return Ok(held);
    }
    unpack(store, layer, source)?;
    held()?.ok_or_else(|| "it vanished from the cache".to_owned())
}

fn unpack(store: &Store, layer: &LayerState, source: &dyn Source) -> Result<(), String> {
    let descriptor = &layer.descriptor;
    let blob = match &descriptor.data {
        Some(data) => Box::new(std::io::Cursor::new(data.clone())),
        None => source.open(descriptor).map_err(|error| error.to_string())?,
    };
    let mut pending = store.begin(descriptor).map_err(|error| error.to_string())?;
    let read = layer::read(descriptor, blob, &layer::Limits::default(), Some(&mut pending.unpacking), &|_| {});
    if read.facts.is_some() && read.faults.is_empty() {
        pending.commit().map_err(|error| error.to_string())
    } else {
        pending.discard();
        Err(read.undecided.unwrap_or_else(|| "it is broken, see the findings".to_owned()))
    }
}
