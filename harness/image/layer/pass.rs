//! The one pass over a layer: blob digest and size, decompression, diff_id, entries.

use super::{Fault, LayerFacts, Limits, Unpacking, archive, decompress};
use crate::image::descriptor::Descriptor;
use crate::image::digest::{Algorithm, Digest, HashingReader};
use std::io::{self, BufRead, BufReader, Read};

/// Bytes that are decompressed and hashed at a time. After each step a decoder saves its window (32 KiB for
/// gzip), so that small steps cost a copy of everything; more than this no longer fits the processor's cache.
const BLOCK_BYTES: usize = 256 * 1024;

/// What a pass over a layer found.
#[derive(Debug)]
pub struct LayerRead {
    /// The facts; `None` where the layer could not be read to its end, or its bytes have another digest.
    pub facts: Option<LayerFacts>,
    /// How the blob differs from its descriptor, or is broken in itself.
    pub faults: Vec<Fault>,
    /// Why it could not be decided: the source failed on the way. Then there are no faults.
    pub undecided: Option<String>,
}

/// Reads a layer once, from start to end, in bounded memory.
///
/// `progress` is told the number of compressed bytes of each step; its files are also written
/// to `unpacking`, where there is one, before it is known whether the digests are right. Whether the
/// diff_id is the config's is for the caller to compare: one layer may serve several configs.
pub fn read(
    descriptor: &Descriptor,
    blob: Box<dyn Read + Send>,
    limits: &Limits,
    unpacking: Option<&mut Unpacking>,
    progress: &dyn Fn(u64),
) -> LayerRead {
    let mut tap = Tap { inner: blob, left: descriptor.size.saturating_add(1), failure: None, progress };
    let mut compressed = HashingReader::new(&mut tap, descriptor.digest.algorithm());
    let unpacked = unpack(&mut compressed, limits, unpacking);
    // What the archive did not need still belongs to the digest.
    let drained = io::copy(&mut compressed, &mut io::sink());
    let (digest, bytes) = compressed.finish();
    if let Some(why) = tap.failure.or_else(|| drained.err().map(|e| e.to_string())) {
        return LayerRead { facts: None, faults: Vec::new(), undecided: Some(why) };
    }
    let is_its_own = digest == descriptor.digest;
    let (facts, layer_fault) = match unpacked {
        // Other bytes than the image's say nothing about the image, however well they unpack.
        Ok(_) if !is_its_own => (None, None),
        Ok(facts) => (Some(facts), None),
        Err(fault) => (None, Some(fault)),
    };
    // A blob with other bytes than it should have explains that it does not unpack.
    let faults = blob_fault(descriptor, digest, bytes).or(layer_fault).into_iter().collect();
    LayerRead { facts, faults, undecided: None }
}

/// Reads a blob only to compare its size and digest: what it holds is known.
///
/// The result has no facts.
pub fn verify(descriptor: &Descriptor, blob: Box<dyn Read + Send>, progress: &dyn Fn(u64)) -> LayerRead {
    let tap = Tap { inner: blob, left: descriptor.size.saturating_add(1), failure: None, progress };
    let mut blocks = BufReader::with_capacity(BLOCK_BYTES, HashingReader::new(tap, descriptor.digest.algorithm()));
    let drained = drain(&mut blocks);
    let (digest, bytes) = blocks.into_inner().finish();
    match drained {
        Err(error) => LayerRead { facts: None, faults: Vec::new(), undecided: Some(error.to_string()) },
        Ok(()) => LayerRead {
            facts: None,
            faults: blob_fault(descriptor, digest, bytes).into_iter().collect(),
            undecided: None,
        },
    }
}

/// How the bytes that were read differ from the descriptor.
fn blob_fault(descriptor: &Descriptor, digest: Digest, bytes: u64) -> Option<Fault> {
    if bytes != descriptor.size {
        Some(Fault::Size { observed: bytes, more: bytes > descriptor.size })
    } else if digest != descriptor.digest {
        Some(Fault::Digest { observed: digest })
    } else {
        None
    }
}

fn unpack(compressed: impl Read, limits: &Limits, unpacking: Option<&mut Unpacking>) -> Result<LayerFacts, Fault> {
    let corrupt = |e: &io::Error| Fault::Corrupt(e.to_string().escape_debug().to_string());
    let decompressed = decompress::reader(compressed).map_err(|e| corrupt(&e))?;
    let bounded = decompressed.take(limits.bytes.saturating_add(1));
    let mut blocks = BufReader::with_capacity(BLOCK_BYTES, HashingReader::new(bounded, Algorithm::Sha256));
    let entries = archive::walk(&mut blocks, limits, unpacking);
    // Padding after the archive's end still belongs to the diff_id; a broken archive has none to compare.
    let drained = if entries.is_ok() { drain(&mut blocks) } else { Ok(()) };
    let (diff_id, bytes) = blocks.into_inner().finish();
    if bytes > limits.bytes {
        return Err(Fault::TooLarge(format!("it decompresses to more than {} bytes", limits.bytes)));
    }
    let entries = entries?;
    drained.map_err(|e| corrupt(&e))?;
    Ok(LayerFacts { diff_id, bytes, entries })
}

/// Reads to the end, block by block.
fn drain(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        match reader.fill_buf()?.len() {
            0 => return Ok(()),
            n => reader.consume(n),
        }
    }
}

/// The blob as it comes from the source: bounded, counted, and its failures remembered.
///
/// A decoder turns every error into one of its own; whether the source failed or
/// the layer is broken must stay apart.
struct Tap<'a> {
    inner: Box<dyn Read + Send>,
    left: u64,
    failure: Option<String>,
    progress: &'a dyn Fn(u64),
}

impl Read for Tap<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        match self.inner.read(buffer.get_mut(..most).unwrap_or_default()) {
            Ok(n) => {
                self.left -= n as u64;
                (self.progress)(n as u64);
                Ok(n)
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Err(e),
            Err(e) => {
                self.failure = Some(e.to_string());
                Err(e)
            }
        }
    }
}
