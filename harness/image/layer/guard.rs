//! A reader that allows only so many bytes at a time.
//!
//! The crate `tar` reads extension headers (long names, PAX records, sparse maps)
//! whole into memory, whatever size they claim. The guard below it is told before
//! each step how much may be read, so that a claim of eight exabytes ends there.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// The allowance, shared between the reader and the one who grants it.
#[derive(Debug, Clone, Default)]
pub(super) struct Allowance(Rc<Cell<u64>>);

impl Allowance {
    /// Allows so many bytes from now on.
    pub(super) fn grant(&self, bytes: u64) {
        self.0.set(bytes);
    }

    /// How many bytes are still allowed.
    pub(super) fn left(&self) -> u64 {
        self.0.get()
    }
}

/// The error of a read beyond the allowance.
#[derive(Debug, thiserror::Error)]
#[error("the headers before one entry are larger than {} KiB", super::MAX_EXTENSION_BYTES >> 10)]
pub(super) struct Exceeded;

/// Reads as long as the allowance lasts.
#[derive(Debug)]
pub(super) struct Guard<R> {
    inner: R,
    allowance: Allowance,
}

impl<R: Read> Guard<R> {
    pub(super) fn new(inner: R, allowance: Allowance) -> Self {
        Self { inner, allowance }
    }
}

impl<R: Read> Read for Guard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.allowance.0.get();
        if left == 0 && !buffer.is_empty() {
            return Err(io::Error::other(Exceeded));
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let n = self.inner.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.allowance.0.set(left - n as u64);
        Ok(n)
    }
}
