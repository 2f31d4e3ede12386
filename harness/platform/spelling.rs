//! Reading platforms, their canonical form, and writing them.

use super::architecture::{Alias, AliasVariant, Architecture, DefaultVariant};
use super::error::shown;
use super::{Platform, PlatformError};
use std::fmt::{self, Write as _};

/// The most bytes that a whole spelling may have. Features of an operating system can be many and long.
pub(super) const MAX_LENGTH: usize = 4096;

/// The most bytes that an operating system, an architecture or a variant may have.
const MAX_PART: usize = 64;

/// Go's operating systems, as containerd's `database.go` has them.
const KNOWN_SYSTEMS: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "windows",
    "zos",
];

/// Go's other architectures, which no row describes: reserved, retired, or never seen in a container.
const OTHER_ARCHITECTURES: &[&str] =
    &["amd64p32", "armbe", "arm64be", "mips64p32", "mips64p32le", "ppc", "riscv", "s390", "sparc", "sparc64"];

impl Platform {
    /// Reads what a person wrote: `os/architecture[/variant]` in containerd's or crane's spelling, or an
    /// architecture alone.
    ///
    /// # Errors
    /// When it is not that; see the [module](super) for what is accepted, and how it differs from containerd.
    pub fn parse(text: &str) -> Result<Self, PlatformError> {
        check_whole(text)?;
        // crane appends the version to the end; nothing else in a platform has a colon.
        let (body, version) = match text.split_once(':') {
            Some((_, "")) => return Err(PlatformError::EmptyPart(shown(text))),
            Some((body, version)) => (body, Some(plain_version(version, text)?)),
            None => (text, None),
        };
        let parts: Vec<&str> = body.splitn(4, '/').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(PlatformError::EmptyPart(shown(text)));
        }
        let (mut fields, given) = match parts.as_slice() {
            [word] => (bare_word(word, version.is_some(), text)?, ""),
            [system, architecture] => (Fields::read(system, architecture, text)?, ""),
            [system, architecture, variant] => (Fields::read(system, architecture, text)?, *variant),
            _ => return Err(PlatformError::TooManyParts(shown(text))),
        };
        if version.is_some() && !fields.os_version.is_empty() {
            return Err(PlatformError::TwoOsVersions(shown(text)));
        }
        fields.os_version = version.unwrap_or(fields.os_version);
        given.clone_into(&mut fields.variant);
        fields.platform(text.to_owned())
    }

    /// The platform that an index entry or a config declares. What is not there is given as empty.
    ///
    /// # Errors
    /// When it is no usable platform: without an operating system or architecture, with `unknown` for one
    /// (as attestations have it), or with characters that no platform has.
    pub fn declared(
        os: &str,
        architecture: &str,
        variant: &str,
        os_version: &str,
        os_features: &[String],
    ) -> Result<Self, PlatformError> {
        let raw = joined(os, architecture, variant, os_version, os_features);
        let length = raw.len();
        if length > MAX_LENGTH {
            return Err(PlatformError::TooLong { spelling: shown(&raw), length, limit: MAX_LENGTH });
        }
        for option in os_features.iter().map(String::as_str).chain([os_version]) {
            if !option.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(PlatformError::OsOption { option: shown(option), spelling: shown(&raw) });
            }
        }
        let fields = Fields {
            os: os.to_owned(),
            os_version: os_version.to_owned(),
            os_features: os_features.to_vec(),
            architecture: architecture.to_owned(),
            variant: variant.to_owned(),
        };
        fields.platform(raw)
    }

    /// The platform of the machine that this program runs on, for the word `native` and nothing else.
    ///
    /// It is the one that the program was built for: the level of the CPU is not looked at.
    #[must_use]
    pub fn host() -> Self {
        let data = if cfg!(target_endian = "big") { super::Data::Big } else { super::Data::Little };
        let architecture = super::ARCHITECTURES
            .iter()
            .find(|row| row.rust == std::env::consts::ARCH && row.elf.is_none_or(|elf| elf.data == data))
            .map_or(std::env::consts::ARCH, |row| row.name);
        let raw = format!("{}/{architecture}", std::env::consts::OS);
        Fields::new(std::env::consts::OS, architecture).canonical(raw)
    }

    /// The same platform with the version and features of its operating system, as containerd's `FormatAll`
    /// writes it: `windows(10.0.17763+win32k)/amd64`. [`Platform::parse`] reads it back to an equal platform.
    #[must_use]
    pub fn specifier(&self) -> String {
        joined(
            &self.os,
            &self.architecture,
            self.variant().unwrap_or_default(),
            self.os_version().unwrap_or_default(),
            &self.os_features,
        )
    }

    /// The same platform, with another spelling for messages.
    pub(super) fn spelled(mut self, raw: &str) -> Self {
        raw.clone_into(&mut self.raw);
        self
    }

    /// The same platform, with the version of its operating system.
    pub(super) fn with_os_version(mut self, version: &str, raw: String) -> Result<Self, PlatformError> {
        if self.os_version.is_some() {
            return Err(PlatformError::TwoOsVersions(shown(&raw)));
        }
        self.os_version = Some(plain_version(version, &raw)?);
        self.raw = raw;
        Ok(self)
    }
}

impl fmt::Display for Platform {
    /// The canonical `os/architecture[/variant]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

/// The fields as they were written, empty where there is nothing.
struct Fields {
    os: String,
    os_version: String,
    os_features: Vec<String>,
    architecture: String,
    variant: String,
}

impl Fields {
    fn new(os: &str, architecture: &str) -> Self {
        Self {
            os: os.to_owned(),
            os_version: String::new(),
            os_features: Vec::new(),
            architecture: architecture.to_owned(),
            variant: String::new(),
        }
    }

    /// Reads `os(version+feature…)` beside an architecture.
    fn read(system: &str, architecture: &str, whole: &str) -> Result<Self, PlatformError> {
        let wrong = || PlatformError::Os { part: shown(system), spelling: shown(whole) };
        let Some((os, options)) = system.split_once('(') else {
            return Ok(Self::new(system, architecture));
        };
        let options = options.strip_suffix(')').ok_or_else(wrong)?;
        let mut options = options.split('+').map(|option| encoded_option(option, whole));
        Ok(Self {
            os_version: options.next().transpose()?.unwrap_or_default(),
            os_features: options.collect::<Result<_, _>>()?,
            ..Self::new(os, architecture)
        })
    }

    /// Checks the fields, and brings them into canonical form.
    fn platform(self, raw: String) -> Result<Platform, PlatformError> {
        for (what, value) in [("operating system", &self.os), ("architecture", &self.architecture)] {
            let problem = match value.as_str() {
                "" => "missing",
                value if value.eq_ignore_ascii_case("unknown") => "unknown",
                _ => continue,
            };
            return Err(PlatformError::Unusable { what, problem, spelling: shown(&raw) });
        }
        if !is_part(&self.os) || self.os.contains('.') {
            return Err(PlatformError::Os { part: shown(&self.os), spelling: shown(&raw) });
        }
        for (what, value) in [("architecture", &self.architecture), ("variant", &self.variant)] {
            if !value.is_empty() && !is_part(value) {
                let (part, spelling) = (shown(value), shown(&raw));
                return Err(PlatformError::Part { what, part, spelling, limit: MAX_PART });
            }
        }
        Ok(self.canonical(raw))
    }

    fn canonical(mut self, raw: String) -> Platform {
        let (architecture, variant, states_variant) = canonical_architecture(&self.architecture, &self.variant);
        self.os_features.retain(|feature| !feature.is_empty());
        self.os_features.sort_unstable();
        self.os_features.dedup();
        Platform {
            os: canonical_os(&self.os),
            architecture,
            variant,
            os_version: Some(self.os_version).filter(|version| !version.is_empty()),
            os_features: self.os_features,
            states_variant,
            raw,
        }
    }
}

fn canonical_os(os: &str) -> String {
    let os = os.to_ascii_lowercase();
    if os == "macos" { "darwin".to_owned() } else { os }
}

/// The canonical architecture and variant, and whether the spelling names a variant.
fn canonical_architecture(architecture: &str, variant: &str) -> (String, Option<String>, bool) {
    let variant = variant.to_ascii_lowercase();
    let Some(row) = Architecture::by_name(architecture) else {
        let states_variant = !variant.is_empty();
        return (architecture.to_ascii_lowercase(), Some(variant).filter(|_| states_variant), states_variant);
    };
    let variant = match row.alias(architecture) {
        Some(Alias { variant: AliasVariant::Dropped, .. }) => String::new(),
        Some(Alias { variant: AliasVariant::Is(name), .. }) => (*name).to_owned(),
        Some(Alias { variant: AliasVariant::AsGiven, .. }) | None => variant,
    };
    let states_variant = !variant.is_empty();
    let named = Some(variant.as_str()).filter(|_| states_variant);
    let canonical = row.variant(named).map(|known| known.name).or(named);
    let canonical = match row.default_variant {
        DefaultVariant::Omitted(default) => canonical.filter(|name| *name != default),
        DefaultVariant::Written(_) | DefaultVariant::Unnamed => canonical,
    };
    (row.name.to_owned(), canonical.map(str::to_owned), states_variant)
}

fn check_whole(text: &str) -> Result<(), PlatformError> {
    let length = text.len();
    if text.is_empty() {
        Err(PlatformError::Empty)
    } else if length > MAX_LENGTH {
        Err(PlatformError::TooLong { spelling: shown(text), length, limit: MAX_LENGTH })
    } else if text.contains('*') {
        Err(PlatformError::Wildcard(shown(text)))
    } else {
        Ok(())
    }
}

/// One word alone: an architecture, since an operating system alone is no platform here.
fn bare_word(word: &str, has_version: bool, whole: &str) -> Result<Fields, PlatformError> {
    let fields = Fields::read(word, "", whole)?;
    let os = canonical_os(&fields.os);
    let is_architecture = Architecture::by_name(&os).is_some() || OTHER_ARCHITECTURES.contains(&os.as_str());
    let has_options = has_version || fields.os != word;
    if KNOWN_SYSTEMS.contains(&os.as_str()) {
        Err(PlatformError::NoArchitecture { spelling: shown(whole), os })
    } else if is_architecture && has_options {
        let example = format!("windows(10.0.17763)/{os}");
        Err(PlatformError::OsOptionWithoutOs { spelling: shown(whole), example })
    } else if is_architecture {
        Ok(Fields::new("linux", &os))
    } else if !is_part(&fields.os) {
        Err(PlatformError::Os { part: shown(word), spelling: shown(whole) })
    } else {
        let advice = match Architecture::by_spelling(&os) {
            Some(row) => format!("container platforms call it linux/{}", row.name),
            None => "write os/architecture, for example linux/arm64".to_owned(),
        };
        Err(PlatformError::UnknownWord { spelling: shown(whole), advice })
    }
}

/// Whether this can be an operating system, an architecture or a variant.
fn is_part(part: &str) -> bool {
    part.len() <= MAX_PART
        && part.bytes().all(is_plain)
        // `..` would be a step up in a file name.
        && part.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// A version as crane and regctl write it, without any encoding.
fn plain_version(version: &str, whole: &str) -> Result<String, PlatformError> {
    if version.bytes().all(|byte| is_plain(byte) || byte == b'+') {
        return Ok(version.to_owned());
    }
    Err(PlatformError::OsOption { option: shown(version), spelling: shown(whole) })
}

/// A version or feature as containerd writes it, where `%2B` stands for `+` and so on.
fn encoded_option(option: &str, whole: &str) -> Result<String, PlatformError> {
    let wrong = || PlatformError::OsOption { option: shown(option), spelling: shown(whole) };
    if !option.bytes().all(|byte| is_plain(byte) || byte == b'%') {
        return Err(wrong());
    }
    let mut pieces = option.split('%');
    let mut decoded = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2).ok_or_else(wrong)?;
        let byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        if !byte.is_ascii_graphic() {
            return Err(wrong());
        }
        decoded.push(char::from(byte));
        decoded.push_str(rest);
    }
    Ok(decoded)
}

/// Whether a character stands for itself everywhere in a specifier.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

/// Writes the fields as one specifier. Whatever is in a version or feature, what is written there is plain.
fn joined(os: &str, architecture: &str, variant: &str, os_version: &str, os_features: &[String]) -> String {
    let mut options = String::new();
    encode_into(&mut options, os_version);
    for feature in os_features.iter().filter(|feature| !feature.is_empty()) {
        options.push('+');
        encode_into(&mut options, feature);
    }
    let mut text = os.to_owned();
    if !options.is_empty() {
        text = format!("{text}({options})");
    }
    text = format!("{text}/{architecture}");
    if !variant.is_empty() {
        text = format!("{text}/{variant}");
    }
    text
}

fn encode_into(text: &mut String, option: &str) {
    for byte in option.bytes() {
        if is_plain(byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
#[path = "spelling_tests.rs"]
mod tests;
