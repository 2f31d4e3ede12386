//! Content digests, and a reader that computes one while the bytes go by.
//!
//! Source: OCI image spec, `descriptor.md`, section "Digests".

use serde::{Deserialize, Serialize};
use sha2::digest::DynDigest;
use std::fmt;
use std::io::{self, Read};

/// The algorithms that the OCI image spec registers and that this crate can compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Algorithm {
    /// SHA-256, the one in use.
    Sha256,
    /// SHA-384, which the spec reserves.
    Sha384,
    /// SHA-512, which implementations may support.
    Sha512,
}

impl Algorithm {
    const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// The name before the colon.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    const fn hex_length(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha384 => 96,
            Self::Sha512 => 128,
        }
    }
}

/// Why a string is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// No colon, or nothing on one side of it.
    #[error("`{0}` is no digest: it is not ALGORITHM:HEX")]
    Form(String),
    /// An algorithm that this crate cannot compute.
    #[error("`{0}` is no digest that can be checked: the algorithms are sha256, sha384 and sha512")]
    Algorithm(String),
    /// The wrong number of digits, an upper-case digit or something else.
    #[error("`{0}` is no digest: it needs {1} lower-case hexadecimal digits")]
    Hex(String, usize),
}

/// A digest: an algorithm and a value, `sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    text: Box<str>,
}

impl Digest {
    /// Reads `ALGORITHM:HEX`.
    ///
    /// # Errors
    /// When the text has another form, an unknown algorithm, or not exactly the
    /// algorithm's number of lower-case digits. The text may come from an image,
    /// so it is shortened in the message.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        let shown = || text.chars().take(160).collect::<String>().escape_debug().to_string();
        let (name, hex) = text.split_once(':').ok_or_else(|| DigestError::Form(shown()))?;
        if name.is_empty() || hex.is_empty() {
            return Err(DigestError::Form(shown()));
        }
        let algorithm =
            Algorithm::ALL.into_iter().find(|a| a.name() == name).ok_or_else(|| DigestError::Algorithm(shown()))?;
        let digits = hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !digits || hex.len() != algorithm.hex_length() {
            return Err(DigestError::Hex(shown(), algorithm.hex_length()));
        }
        Ok(Self { algorithm, text: text.into() })
    }

    /// The SHA-256 digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(bytes);
        hasher.finish()
    }

    /// The algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The value, as lower-case hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.text.split_once(':').map_or("", |(_, hex)| hex)
    }

    /// The whole text, `sha256:…`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text with the first 12 digits only, for messages.
    #[must_use]
    pub fn short(&self) -> String {
        let hex = self.hex();
        format!("{}:{}", self.algorithm.name(), hex.get(..12).unwrap_or(hex))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Computes one digest over bytes that come in pieces.
pub struct Hasher {
    algorithm: Algorithm,
    state: Box<dyn DynDigest + Send>,
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl Hasher {
    /// An empty computation.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        let state: Box<dyn DynDigest + Send> = match algorithm {
            Algorithm::Sha256 => Box::new(sha2::Sha256::default()),
            Algorithm::Sha384 => Box::new(sha2::Sha384::default()),
            Algorithm::Sha512 => Box::new(sha2::Sha512::default()),
        };
        Self { algorithm, state }
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
    }

    /// The digest of all bytes so far, which ends the computation.
    #[must_use]
    pub fn finish(self) -> Digest {
        use fmt::Write as _;
        let mut text = format!("{}:", self.algorithm.name());
        for byte in self.state.finalize() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Digest { algorithm: self.algorithm, text: text.into() }
    }
}

/// Hashes and counts what is read through it.
#[derive(Debug)]
pub struct HashingReader<R> {
    inner: R,
    hasher: Hasher,
    bytes: u64,
}

impl<R: Read> HashingReader<R> {
    /// Wraps a reader.
    pub fn new(inner: R, algorithm: Algorithm) -> Self {
        Self { inner, hasher: Hasher::new(algorithm), bytes: 0 }
    }

    /// How many bytes went by.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The digest of all bytes that went by, and their number.
    pub fn finish(self) -> (Digest, u64) {
        (self.hasher.finish(), self.bytes)
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        if let Some(read) = buffer.get(..n) {
            self.hasher.update(read);
        }
        self.bytes += n as u64;
        Ok(n)
    }
}
