//! What registers handlers again at the next boot: binfmt.d(5), and update-binfmts(8) of Debian.

use super::binfmt::{Handler, Takes};
use crate::platform::Architecture;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

/// Where systemd-binfmt looks, what comes first wins over a file of the same name in what comes later (binfmt.d(5)).
const DIRECTORIES: [&str; 4] = ["etc/binfmt.d", "run/binfmt.d", "usr/local/lib/binfmt.d", "usr/lib/binfmt.d"];
/// The database of update-binfmts: a file for each handler that it enables.
const DEBIAN: &str = "var/lib/binfmts";
/// The most bytes that are read of one file, and the most files.
const MAX_FILE: u64 = 64 * 1024;
const MAX_FILES: usize = 4096;

/// A handler that will be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The file that says so.
    pub file: String,
    /// What it is known to be.
    pub what: Registered,
}

/// What is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// All of it.
    Handler(Handler),
    /// Its name alone.
    Name(String),
}

impl Registration {
    /// Whether it is for programs of an architecture.
    #[must_use]
    pub fn is_for(&self, row: &Architecture) -> bool {
        match &self.what {
            Registered::Handler(handler) => handler.is_for(row),
            Registered::Name(name) => {
                row.emulator.is_some_and(|emulator| name.strip_prefix("qemu-") == Some(emulator.name))
            }
        }
    }
}

/// Reads them below a root directory.
#[must_use]
pub fn read(root: &Path) -> Vec<Registration> {
    let mut files = BTreeMap::new();
    for directory in DIRECTORIES {
        for entry in entries(&root.join(directory)) {
            let name = entry.file_name();
            if Path::new(&name).extension().is_some_and(|ending| ending == "conf") {
                files.entry(name).or_insert_with(|| entry.path());
            }
        }
    }
    let mut found = Vec::new();
    for path in files.values() {
        // A link to /dev/null says that there is to be none; it reads as empty.
        let mut bytes = Vec::new();
        let read = fs::metadata(path).ok().filter(|meta| meta.is_file()).and_then(|_| fs::File::open(path).ok());
        if read.is_some_and(|file| file.take(MAX_FILE).read_to_end(&mut bytes).is_ok()) {
            let file = path.display().to_string();
            let of = |handler| Registration { file: file.clone(), what: Registered::Handler(handler) };
            found.extend(parse(&String::from_utf8_lossy(&bytes)).into_iter().map(of));
        }
    }
    for entry in entries(&root.join(DEBIAN)) {
        let name = entry.file_name().to_string_lossy().into_owned();
        found.push(Registration { file: entry.path().display().to_string(), what: Registered::Name(name) });
    }
    found
}

fn entries(directory: &Path) -> Vec<fs::DirEntry> {
    let mut entries: Vec<_> = fs::read_dir(directory).into_iter().flatten().flatten().take(MAX_FILES).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    entries
}

/// The handlers that a file of binfmt.d registers; lines that the kernel would refuse are left out.
#[must_use]
pub fn parse(text: &str) -> Vec<Handler> {
    text.lines().filter_map(|line| registered(line.trim())).collect()
}

/// One line as the kernel takes it: its first character divides its fields.
fn registered(line: &str) -> Option<Handler> {
    let divider = line.chars().next().filter(|c| !matches!(c, '#' | ';'))?;
    let mut fields = line.split(divider).skip(1);
    let mut next = || fields.next();
    let (name, kind, offset) = (next()?, next()?, next()?);
    let (magic, mask, interpreter, flags) = (next()?, next()?, next()?, next().unwrap_or_default());
    if name.is_empty() || interpreter.is_empty() {
        return None;
    }
    let takes = match kind {
        "M" => {
            let offset = if offset.is_empty() { 0 } else { offset.parse().ok()? };
            let mask = if mask.is_empty() { None } else { Some(unescaped(mask)?) };
            Takes::magic(offset, unescaped(magic)?, mask).ok()?
        }
        "E" => Takes::Extension(magic.to_owned()),
        _ => return None,
    };
    Some(Handler {
        name: name.to_owned(),
        enabled: true,
        interpreter: interpreter.to_owned(),
        flags: flags.to_owned(),
        takes,
    })
}

/// `\x7fELF` as the kernel reads it: `\xNN` is a byte, and all else itself.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.as_bytes().first() {
        match rest.strip_prefix("\\x") {
            Some(digits) => {
                bytes.push(u8::from_str_radix(digits.get(..2)?, 16).ok()?);
                rest = digits.get(2..)?;
            }
            None => {
                bytes.push(*first);
                // Bytes, not characters: what is left of one is no boundary, and no magic that the kernel would take.
                rest = rest.get(1..)?;
            }
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::binfmt::Programs;
    use rstest::rstest;

    const ARM64: &str = r":qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/qemu-aarch64-static:OCF";

    fn row(name: &str) -> &'static Architecture {
        Architecture::by_name(name).unwrap()
    }

    #[test]
    fn a_line_is_a_handler() {
        let found = parse(&format!("# a comment\n\n{ARM64}\n"));
        let [handler] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((handler.name.as_str(), handler.flags.as_str()), ("qemu-aarch64", "OCF"));
        assert_eq!(handler.interpreter, "/usr/bin/qemu-aarch64-static");
        assert!(Programs::of(row("arm64")).iter().all(|program| program.taken_by(handler)));
        assert!(!Programs::of(row("amd64")).iter().any(|program| program.taken_by(handler)));
    }

    #[rstest]
    #[case::empty("")]
    #[case::short(":a:M:")]
    #[case::no_name("::M::\\x7f::/i:")]
    #[case::no_interpreter(":a:M::\\x7f:::")]
    #[case::a_cut_escape(":a:M::\\x7:\\xff:/i:")]
    #[case::another_length(":a:M::\\x7fE:\\xff:/i:")]
    #[case::an_offset_that_is_none(":a:M:-1:\\x7f::/i:")]
    #[case::another_type(":a:X::\\x7f::/i:")]
    #[case::beyond_ascii(":a:M::é::/i:")]
    #[case::a_divider_beyond_ascii("éaéMé")]
    fn lines_that_are_none_are_left_out(#[case] line: &str) {
        assert_eq!(parse(line), []);
    }

    #[test]
    fn a_file_of_etc_hides_that_of_usr_and_null_hides_too() {
        let root = tempfile::tempdir().unwrap();
        for directory in ["etc/binfmt.d", "usr/lib/binfmt.d", "var/lib/binfmts"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let usr = root.path().join("usr/lib/binfmt.d");
        fs::write(usr.join("a.conf"), ARM64).unwrap();
        assert!(read(root.path()).iter().any(|found| found.is_for(row("arm64"))));
        std::os::unix::fs::symlink("/dev/null", root.path().join("etc/binfmt.d/a.conf")).unwrap();
        assert_eq!(read(root.path()), []);
        fs::write(root.path().join("var/lib/binfmts/qemu-aarch64"), "").unwrap();
        let found = read(root.path());
        assert!(found.iter().any(|found| found.is_for(row("arm64"))), "{found:?}");
        assert!(!found.iter().any(|found| found.is_for(row("arm"))), "{found:?}");
    }
}
