//! The kinds of content that matter to a checker of programs.

use super::{Elf, Interpreter, MachO, Pe, Script};
use serde::{Deserialize, Serialize};

/// What a regular file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// Nothing: a file of zero bytes.
    Empty,
    /// An ELF file with headers that could be read.
    Elf(Box<Elf>),
    /// ELF magic, but headers that cannot be parsed: why.
    MalformedElf(String),
    /// A Windows program or library, or a .NET assembly.
    Pe(Pe),
    /// A macOS program or library, thin or universal.
    MachO(MachO),
    /// A file that starts with `#!`.
    Script(Script),
    /// A WebAssembly module.
    Wasm,
    /// An archive or a compressed file, by the name of its format.
    Archive(Archive),
    /// An HTML or XML page, or the bare text of a web server's error.
    Markup,
    /// Text without a `#!` line, which a shell may still run.
    Text,
    /// Something else.
    Data,
}

/// Formats that are sometimes saved under a program's name by a download that was never unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Archive {
    /// gzip (RFC 1952).
    Gzip,
    /// ZIP, and with it JAR, wheel and so on.
    Zip,
    /// xz.
    Xz,
    /// bzip2.
    Bzip2,
    /// Zstandard (RFC 8878).
    Zstd,
    /// POSIX or GNU tar.
    Tar,
    /// `ar`: a static library or a Debian package.
    Ar,
    /// An RPM package.
    Rpm,
    /// 7-Zip.
    SevenZip,
}

impl Archive {
    /// The format's name, with its article.
    #[must_use]
    pub const fn described(self) -> &'static str {
        match self {
            Self::Gzip => "a gzip file",
            Self::Zip => "a zip archive",
            Self::Xz => "an xz file",
            Self::Bzip2 => "a bzip2 file",
            Self::Zstd => "a zstd file",
            Self::Tar => "a tar archive",
            Self::Ar => "an ar archive (a static library or a Debian package)",
            Self::Rpm => "an RPM package",
            Self::SevenZip => "a 7-Zip archive",
        }
    }

    /// Endings under which such a file is what it says, and no program gone wrong.
    #[must_use]
    pub const fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Gzip => &[".gz", ".tgz", ".svgz", ".apk", ".crate", ".dump", ".cpio"],
            Self::Zip => &[
                ".zip", ".jar", ".war", ".ear", ".whl", ".egg", ".pyz", ".pex", ".aar", ".apk", ".nupkg", ".xpi",
                ".docx", ".xlsx", ".odt", ".phar", ".vsix", ".jmod",
            ],
            Self::Xz => &[".xz", ".txz", ".lzma"],
            Self::Bzip2 => &[".bz2", ".tbz", ".tbz2"],
            Self::Zstd => &[".zst", ".zstd", ".tzst"],
            Self::Tar => &[".tar", ".gem", ".ova"],
            Self::Ar => &[".a", ".lib", ".deb", ".udeb", ".rlib"],
            Self::Rpm => &[".rpm"],
            Self::SevenZip => &[".7z"],
        }
    }
}

impl Content {
    /// Whether this is a binary in the word's meaning here: ELF, PE, Mach-O or a script.
    #[must_use]
    pub const fn is_binary(&self) -> bool {
        matches!(self, Self::Elf(_) | Self::MalformedElf(_) | Self::Pe(_) | Self::MachO(_) | Self::Script(_))
    }

    /// Whether this is machine code: a binary that is no script.
    #[must_use]
    pub const fn is_machine_code(&self) -> bool {
        matches!(self, Self::Elf(_) | Self::Pe(_) | Self::MachO(_))
    }

    /// How many bytes of the file's own text are kept: an interpreter's path, a first line.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        match self {
            Self::Elf(elf) => match &elf.interpreter {
                Interpreter::Path(path) => path.len(),
                Interpreter::None | Interpreter::Broken(_) | Interpreter::Unknown => 0,
            },
            Self::Script(script) => script.interpreter.len() + script.argument.as_ref().map_or(0, Vec::len),
            _ => 0,
        }
    }

    /// Equal for equal files of machine code; `None` for everything else.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        match self {
            Self::Elf(elf) => Some(elf.fingerprint),
            Self::Pe(pe) => Some(pe.fingerprint),
            Self::MachO(macho) => Some(macho.fingerprint),
            _ => None,
        }
    }
}

/// 128 bits of XXH3 over a whole file: tells equal files of two platforms.
///
/// Not a cryptographic digest: it supports the likely *cause* in a finding and
/// never decides whether there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fingerprint(pub u128);

/// What a file that is no ELF, PE, Mach-O or script holds, by its first bytes.
#[must_use]
pub(super) fn sniff(head: &[u8]) -> Content {
    if head.is_empty() {
        return Content::Empty;
    }
    if head.starts_with(b"\0asm") {
        return Content::Wasm;
    }
    if let Some(archive) = archive(head) {
        return Content::Archive(archive);
    }
    if is_markup(head) {
        return Content::Markup;
    }
    if is_text(head) { Content::Text } else { Content::Data }
}

fn archive(head: &[u8]) -> Option<Archive> {
    const MAGIC: &[(&[u8], Archive)] = &[
        (b"\x1f\x8b\x08", Archive::Gzip),
        (b"PK\x03\x04", Archive::Zip),
        (b"PK\x05\x06", Archive::Zip),
        (b"\xfd7zXZ\0", Archive::Xz),
        (b"BZh", Archive::Bzip2),
        (b"\x28\xb5\x2f\xfd", Archive::Zstd),
        (b"!<arch>\n", Archive::Ar),
        (b"!<thin>\n", Archive::Ar),
        (b"\xed\xab\xee\xdb", Archive::Rpm),
        (b"7z\xbc\xaf\x27\x1c", Archive::SevenZip),
    ];
    // bzip2's magic is three letters that a text may begin with: its block size digit follows.
    if head.starts_with(b"BZh") && !matches!(head.get(3), Some(b'1'..=b'9')) {
        return None;
    }
    if head.get(257..262) == Some(b"ustar") {
        return Some(Archive::Tar);
    }
    MAGIC.iter().find(|(magic, _)| head.starts_with(magic)).map(|&(_, archive)| archive)
}

/// HTML or XML, after white space and a byte-order mark, in any case.
fn is_markup(head: &[u8]) -> bool {
    const OPENINGS: [&[u8]; 6] = [b"<!doctype html", b"<html", b"<?xml", b"<head", b"<body", b"<error>"];
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let opens = |opening: &[u8]| text.get(..opening.len()).is_some_and(|t| t.eq_ignore_ascii_case(opening));
    // What GitHub and others answer instead of the file, saved as the file.
    let bare =
        [&b"not found"[..], b"404: not found", b"404 not found", b"403 forbidden", b"access denied", b"{\"message\":"];
    OPENINGS.into_iter().any(opens) || (text.len() < 512 && bare.into_iter().any(opens))
}

/// Text that a shell could read: no NUL and hardly a control character in the first bytes.
///
/// The shells' own rule for a file without `#!` is the same in kind: bash takes
/// one with a NUL in its first line for binary (`check_binary_file`).
fn is_text(head: &[u8]) -> bool {
    let head = head.get(..1024).unwrap_or(head);
    let control = head.iter().filter(|b| matches!(b, 1..=6 | 14..=26 | 28..=31 | 127)).count();
    !head.contains(&0) && control * 50 <= head.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::empty(b"", Content::Empty)]
    #[case::wasm(b"\0asm\x01\0\0\0", Content::Wasm)]
    #[case::gzip(b"\x1f\x8b\x08\0", Content::Archive(Archive::Gzip))]
    #[case::jar(b"PK\x03\x04\x14", Content::Archive(Archive::Zip))]
    #[case::html(b"<!DOCTYPE html><html>", Content::Markup)]
    #[case::html_after_space(b"\n\n  <HTML>", Content::Markup)]
    #[case::html_after_mark(b"\xef\xbb\xbf<html>", Content::Markup)]
    #[case::s3_error(b"<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code>", Content::Markup)]
    #[case::text(b"exec java -jar app.jar\n", Content::Text)]
    #[case::not_found(b"Not Found", Content::Markup)]
    #[case::not_found_script(b"not_found() { exit 1; }", Content::Text)]
    #[case::utf8("# \u{e9}t\u{e9}\necho\n".as_bytes(), Content::Text)]
    #[case::bzip_word(b"BZhello", Content::Text)]
    #[case::java(b"\xca\xfe\xba\xbe\0\0\0\x41\0\x10", Content::Data)]
    #[case::pyc(b"\xa7\r\r\n\0\0\0\0\x01\x02\x03", Content::Data)]
    fn first_bytes_tell(#[case] head: &[u8], #[case] content: Content) {
        assert_eq!(sniff(head), content);
    }

    #[test]
    fn a_tar_archive_is_told_by_its_magic_at_257() {
        let mut head = vec![b'a'; 512];
        head[257..262].copy_from_slice(b"ustar");
        assert_eq!(sniff(&head), Content::Archive(Archive::Tar));
    }
}
