//! Sparse files in the PAX format 1.0: the map stands before the data.
//!
//! Source: GNU tar manual, "Storing Sparse Files", "PAX Format, Version 1.0". The
//! crate `tar` expands GNU's older format itself and leaves this one as it stands.

use std::io::{self, Read};
use std::ops::Range;

/// The largest map that is read, in bytes: some 25,000 segments.
const MAX_MAP_BYTES: usize = 1 << 19;

/// The size of a tar block; the map is padded to a multiple of it.
const BLOCK: usize = 512;

/// Reads a sparse file as the file that it stands for, holes as zeros.
#[derive(Debug)]
pub(super) struct Expanded<R> {
    data: R,
    segments: std::vec::IntoIter<Range<u64>>,
    current: Option<Range<u64>>,
    position: u64,
    size: u64,
}

impl<R: Read> Expanded<R> {
    /// Reads the map. `size` is the expanded file's size, from the PAX records.
    ///
    /// # Errors
    /// When the map is broken, too large or out of order.
    pub(super) fn new(mut data: R, size: u64) -> io::Result<Self> {
        let mut segments = read_map(&mut data)?.into_iter();
        let current = segments.next();
        Ok(Self { data, segments, current, position: 0, size })
    }
}

impl<R: Read> Read for Expanded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.as_ref().is_some_and(|c| c.end <= self.position) {
            self.current = self.segments.next();
        }
        let clip = |end: u64, buffer: usize| usize::try_from(end - self.position).unwrap_or(usize::MAX).min(buffer);
        let n = match &self.current {
            Some(segment) if segment.start <= self.position => {
                let most = clip(segment.end, buffer.len());
                self.data.read(buffer.get_mut(..most).unwrap_or_default())?
            }
            other => {
                let end = other.as_ref().map_or(self.size, |s| s.start).max(self.position);
                let most = clip(end, buffer.len());
                buffer.get_mut(..most).unwrap_or_default().fill(0);
                most
            }
        };
        self.position += n as u64;
        Ok(n)
    }
}

/// The map: the number of segments, then offset and length of each, a decimal number a line.
fn read_map(data: &mut impl Read) -> io::Result<Vec<Range<u64>>> {
    let broken = || io::Error::other("the map of a sparse file is broken");
    let mut text = Vec::new();
    let mut wanted = None;
    let mut lines = 0;
    let mut block = [0; BLOCK];
    loop {
        data.read_exact(&mut block)?;
        text.extend_from_slice(&block);
        lines += block.iter().filter(|&&b| b == b'\n').count() as u64;
        if wanted.is_none() && lines > 0 {
            let count = number(text.split(|&b| b == b'\n').next().unwrap_or_default()).ok_or_else(broken)?;
            wanted = Some(count.checked_mul(2).and_then(|n| n.checked_add(1)).ok_or_else(broken)?);
        }
        match wanted {
            Some(n) if lines >= n => break,
            _ if text.len() >= MAX_MAP_BYTES => return Err(broken()),
            _ => {}
        }
    }
    let most = usize::try_from(wanted.unwrap_or_default()).map_err(|_| broken())?;
    let numbers: Vec<u64> =
        text.split(|&b| b == b'\n').take(most).skip(1).map(number).collect::<Option<_>>().ok_or_else(broken)?;
    let mut end = 0;
    numbers
        .chunks_exact(2)
        .map(|pair| match *pair {
            [offset, length] if offset >= end => {
                end = offset.checked_add(length).ok_or_else(broken)?;
                Ok(offset..end)
            }
            _ => Err(broken()),
        })
        .collect()
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(map: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = map.as_bytes().to_vec();
        bytes.resize(bytes.len().div_ceil(BLOCK) * BLOCK, 0);
        bytes.extend_from_slice(data);
        bytes
    }

    #[test]
    fn holes_are_zeros() {
        let stored = file("2\n2\n3\n8\n1\n", b"abcd");
        let mut out = Vec::new();
        Expanded::new(&stored[..], 10).unwrap().read_to_end(&mut out).unwrap();
        assert_eq!(out, b"\0\0abc\0\0\0d\0");
    }

    #[test]
    fn broken_maps_are_errors() {
        for map in ["x\n", "1\n5\n", "2\n5\n5\n1\n1\n", "99999999999999999999\n", "1\n18446744073709551615\n2\n"] {
            assert!(Expanded::new(&file(map, b"")[..], 10).is_err(), "{map:?}");
        }
    }
}
