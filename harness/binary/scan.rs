//! Looks at a file while its bytes go by, once and in bounded memory.

use super::content::{Content, Fingerprint, sniff};
use super::{elf, macho, pe, script};
use memchr::memmem;
use std::ops::Range;
use std::sync::LazyLock;
use xxhash_rust::xxh3::Xxh3;

/// How many of a file's first bytes are kept.
///
/// Linkers and `patchelf` put the program headers and the interpreter's path
/// within the first page or, if they grew, at the end of the file: both are covered.
pub const HEAD_BYTES: usize = 16 * 1024;

/// A string that every qemu-user has, as the name of an environment variable
/// (`linux-user/main.c`, `arg_table`), and hardly a program besides.
const QEMU_MARK: &[u8] = b"QEMU_LD_PREFIX";

static QEMU_FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(QEMU_MARK));

/// Looks at one regular file. Feed it the bytes in order, then [`Scanner::finish`] it.
///
/// Memory: [`HEAD_BYTES`], and at most 64 KiB more for an ELF file whose program
/// headers lie further in, whatever the size of the file.
pub struct Scanner {
    file_bytes: u64,
    position: u64,
    head: Vec<u8>,
    state: State,
}

enum State {
    /// Still within the head.
    Head,
    /// A file whose head says all there is to know.
    Settled,
    /// PE or Mach-O: the rest only goes into the fingerprint.
    Whole(Box<Xxh3>),
    /// ELF: the rest goes into the fingerprint and is searched.
    Elf(Box<ElfScan>),
}

struct ElfScan {
    hash: Xxh3,
    start: Result<elf::Start, String>,
    table: Window,
    segments: Option<Result<elf::Segments, String>>,
    interpreter: Window,
    qemu: bool,
    /// The end of the bytes so far, in which a mark could have begun.
    tail: Vec<u8>,
}

/// A range of the file to be kept as it goes by.
enum Window {
    Unwanted,
    Wanted { range: Range<u64>, kept: Vec<u8> },
    Missed,
}

/// Whether a file that begins like this is a binary, executable or not.
///
/// Where this says no and the file is not executable either, nobody asks what it is.
#[must_use]
pub fn is_binary_magic(head: &[u8]) -> bool {
    head.starts_with(b"\x7fELF") || head.starts_with(b"MZ") || head.starts_with(b"#!") || macho::is_macho(head)
}

impl std::fmt::Debug for Scanner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scanner").field("file_bytes", &self.file_bytes).field("position", &self.position).finish()
    }
}

impl Scanner {
    /// Begins with a file of so many bytes. `head` lends its allocation, to be had back from [`Scanner::finish`].
    #[must_use]
    pub fn new(file_bytes: u64, mut head: Vec<u8>) -> Self {
        head.clear();
        Self { file_bytes, position: 0, head, state: State::Head }
    }

    /// Takes the next bytes. Says whether more are wanted: `false` means that the
    /// rest of the file can be skipped.
    pub fn feed(&mut self, chunk: &[u8]) -> bool {
        let mut rest = chunk;
        if matches!(self.state, State::Head) {
            let room = HEAD_BYTES.saturating_sub(self.head.len()).min(rest.len());
            let (taken, after) = rest.split_at(room);
            self.head.extend_from_slice(taken);
            self.position += taken.len() as u64;
            rest = after;
            if self.head.len() < HEAD_BYTES && self.position < self.file_bytes {
                return true;
            }
            self.leave_head();
        }
        match &mut self.state {
            State::Head | State::Settled => return false,
            State::Whole(hash) => hash.update(rest),
            State::Elf(scan) => scan.feed(&self.head, self.position, rest),
        }
        self.position += rest.len() as u64;
        true
    }

    fn leave_head(&mut self) {
        let hash = || {
            let mut hash = Xxh3::new();
            hash.update(&self.head);
            hash
        };
        self.state = if self.head.starts_with(b"\x7fELF") {
            State::Elf(Box::new(ElfScan::new(&self.head, self.file_bytes, hash())))
        } else if self.head.starts_with(b"MZ") || macho::is_macho(&self.head) {
            State::Whole(Box::new(hash()))
        } else {
            State::Settled
        };
    }

    /// What the file is, and the allocation that [`Scanner::new`] was lent.
    #[must_use]
    pub fn finish(mut self) -> (Content, Vec<u8>) {
        if matches!(self.state, State::Head) {
            self.leave_head();
        }
        let content = match self.state {
            State::Head | State::Settled if self.head.starts_with(b"#!") => Content::Script(script::parse(&self.head)),
            State::Head | State::Settled => sniff(&self.head),
            State::Whole(hash) => {
                let fingerprint = Fingerprint(hash.digest128());
                pe::parse(&self.head, fingerprint)
                    .map(Content::Pe)
                    .or_else(|| macho::parse(&self.head, fingerprint).map(Content::MachO))
                    .unwrap_or_else(|| sniff(&self.head))
            }
            State::Elf(scan) => scan.finish(),
        };
        (content, self.head)
    }
}

impl ElfScan {
    fn new(head: &[u8], file_bytes: u64, hash: Xxh3) -> Self {
        let mut scan = Self {
            hash,
            start: elf::Start::parse(head, file_bytes),
            table: Window::Unwanted,
            segments: None,
            interpreter: Window::Unwanted,
            qemu: QEMU_FINDER.find(head).is_some(),
            tail: head.get(head.len().saturating_sub(QEMU_MARK.len() - 1)..).unwrap_or_default().to_vec(),
        };
        match scan.start.as_ref().map(elf::Start::program_headers) {
            Ok(Ok(Some(range))) => scan.table = Window::open(range, head),
            Ok(Ok(None)) => scan.segments = Some(Ok(elf::Segments::default())),
            Ok(Err(why)) => scan.segments = Some(Err(why)),
            Err(_) => {}
        }
        scan.follow_table(head);
        scan
    }

    fn feed(&mut self, head: &[u8], position: u64, chunk: &[u8]) {
        self.hash.update(chunk);
        self.search(chunk);
        self.table.feed(position, chunk);
        self.interpreter.feed(position, chunk);
        // Where the table ended in this very chunk, the path may lie in it as well.
        let before = matches!(self.interpreter, Window::Unwanted);
        self.follow_table(head);
        if before {
            self.interpreter.feed(position, chunk);
        }
    }

    /// Reads the program headers once they are complete, and asks for what they name.
    fn follow_table(&mut self, head: &[u8]) {
        let (None, Some(table), Ok(start)) = (&self.segments, self.table.complete(), &self.start) else { return };
        let segments = start.segments(table);
        if let (Ok(elf::Segments { interpreter: Some(range), .. }), Window::Wanted { range: of_table, .. }) =
            (&segments, &self.table)
        {
            // What lies between the head and the end of the table has gone by, or has not,
            // as the bytes came; it must not depend on that.
            self.interpreter = Window::open(range.clone(), head).after(of_table.end);
        }
        self.segments = Some(segments);
    }

    /// Looks for the mark, also across the border of two chunks.
    fn search(&mut self, chunk: &[u8]) {
        if self.qemu {
            return;
        }
        let border = chunk.get(..chunk.len().min(QEMU_MARK.len() - 1)).unwrap_or_default();
        self.tail.extend_from_slice(border);
        self.qemu = QEMU_FINDER.find(&self.tail).is_some() || QEMU_FINDER.find(chunk).is_some();
        if border.len() < chunk.len() {
            self.tail.clear();
            self.tail
                .extend_from_slice(chunk.get(chunk.len().saturating_sub(QEMU_MARK.len() - 1)..).unwrap_or_default());
        } else {
            let excess = self.tail.len().saturating_sub(QEMU_MARK.len() - 1);
            self.tail.drain(..excess);
        }
    }

    fn finish(self) -> Content {
        let start = match self.start {
            Ok(start) => start,
            Err(why) => return Content::MalformedElf(why),
        };
        let segments = match self.segments {
            Some(Ok(segments)) => segments,
            Some(Err(why)) => return Content::MalformedElf(why),
            None => return Content::MalformedElf("the file ends in the middle of its program headers".to_owned()),
        };
        let fingerprint = Fingerprint(self.hash.digest128());
        Content::Elf(Box::new(start.finish(segments, self.interpreter.complete(), self.qemu, fingerprint)))
    }
}

impl Window {
    /// Asks for a range, of which the bytes of `head` are already there.
    fn open(range: Range<u64>, head: &[u8]) -> Self {
        let mut window = Self::Wanted { range, kept: Vec::new() };
        window.feed(0, head);
        window
    }

    /// Keeps what belongs to the range. A range that began before the bytes that
    /// are still to come is missed.
    fn feed(&mut self, position: u64, chunk: &[u8]) {
        let Self::Wanted { range, kept } = self else { return };
        let next = range.start + kept.len() as u64;
        let end = position + chunk.len() as u64;
        if next >= range.end || next >= end {
            return;
        }
        if next < position {
            *self = Self::Missed;
            return;
        }
        let from = usize::try_from(next - position).unwrap_or(usize::MAX);
        let to = usize::try_from(range.end.min(end) - position).unwrap_or(usize::MAX);
        kept.extend_from_slice(chunk.get(from..to).unwrap_or_default());
    }

    /// The same, if nothing of it that is still to come lies before a position.
    fn after(self, position: u64) -> Self {
        match self {
            Self::Wanted { range, kept } => {
                let next = range.start + kept.len() as u64;
                if next < range.end && next < position { Self::Missed } else { Self::Wanted { range, kept } }
            }
            other => other,
        }
    }

    fn complete(&self) -> Option<&[u8]> {
        match self {
            Self::Wanted { range, kept } if kept.len() as u64 == range.end - range.start => Some(kept),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binary::{ElfKind, Interpreter};
    use rstest::rstest;

    /// A 64-bit little-endian ELF file: program headers and interpreter where the test wants them.
    fn elf(table_at: usize, path_at: usize, length: usize) -> Vec<u8> {
        let path = b"/lib/ld.so.1\0";
        let mut file = vec![0u8; length];
        file[..20].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\xb7\0");
        file[32..40].copy_from_slice(&(table_at as u64).to_le_bytes());
        file[54..58].copy_from_slice(&[56, 0, 1, 0]);
        file[table_at..table_at + 4].copy_from_slice(&3u32.to_le_bytes());
        file[table_at + 8..table_at + 16].copy_from_slice(&(path_at as u64).to_le_bytes());
        file[table_at + 32..table_at + 40].copy_from_slice(&(path.len() as u64).to_le_bytes());
        file[path_at..path_at + path.len()].copy_from_slice(path);
        file
    }

    fn scan(file: &[u8], chunk: usize) -> Content {
        let mut scanner = Scanner::new(file.len() as u64, Vec::new());
        for piece in file.chunks(chunk) {
            if !scanner.feed(piece) {
                break;
            }
        }
        scanner.finish().0
    }

    #[rstest]
    #[case::as_linkers_do(64, 400, 5000)]
    #[case::table_at_the_end(90_000, 400, 100_000)]
    #[case::path_at_the_end(64, 90_000, 100_000)]
    #[case::both_at_the_end(90_000, 95_000, 100_000)]
    #[case::both_in_one_chunk(65_000, 65_100, 100_000)]
    #[case::across_the_head(64, HEAD_BYTES - 5, 100_000)]
    fn interpreters_are_found(
        #[case] table: usize,
        #[case] path: usize,
        #[case] length: usize,
        #[values(1, 7, 512, 65_536, 1 << 20)] chunk: usize,
    ) {
        let Content::Elf(elf) = scan(&elf(table, path, length), chunk) else { panic!("no ELF") };
        assert_eq!(elf.interpreter, Interpreter::Path(b"/lib/ld.so.1".to_vec()));
        assert_eq!((elf.machine, elf.bits(), elf.kind), (183, 64, ElfKind::Shared));
    }

    #[rstest]
    #[case::far_before(90_000, 50_000)]
    #[case::just_before(90_000, 89_980)]
    fn a_path_before_a_late_table_and_after_the_head_is_unknown_and_not_absent(
        #[case] table: usize,
        #[case] path: usize,
        #[values(1, 4096, 1 << 20)] chunk: usize,
    ) {
        let Content::Elf(elf) = scan(&elf(table, path, 100_000), chunk) else { panic!("no ELF") };
        assert_eq!(elf.interpreter, Interpreter::Unknown);
    }

    #[rstest]
    #[case::short(b"\x7fELF", "in the middle of its ELF header")]
    #[case::class(b"\x7fELF\x07\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\xb7\0", "class is 7")]
    #[case::data(b"\x7fELF\x02\x09\x01\0\0\0\0\0\0\0\0\0\x03\0\xb7\0", "byte order is 9")]
    fn broken_headers_say_what_is_wrong(#[case] file: &[u8], #[case] why: &str) {
        let Content::MalformedElf(said) = scan(file, 4096) else { panic!("not malformed") };
        assert!(said.contains(why), "{said}");
    }

    #[test]
    fn every_prefix_and_every_changed_byte_is_survived() {
        let whole = elf(64, 400, 600);
        for length in 0..whole.len() {
            scan(&whole[..length], 64);
        }
        for at in 0..200 {
            for value in [0, 1, 0x7f, 0xff] {
                let mut file = whole.clone();
                file[at] = value;
                scan(&file, 64);
            }
        }
    }

    #[rstest]
    fn qemu_is_known_by_its_mark_wherever_it_lies(
        #[values(500, HEAD_BYTES - 7, HEAD_BYTES, 65_530, 80_000)] at: usize,
        #[values(1, 5, 4096, 65_536)] chunk: usize,
    ) {
        let mut file = elf(64, 400, 100_000);
        file[at..at + QEMU_MARK.len()].copy_from_slice(QEMU_MARK);
        let Content::Elf(elf) = scan(&file, chunk) else { panic!("no ELF") };
        assert!(elf.is_qemu_user);
    }

    #[test]
    fn equal_files_have_equal_fingerprints_however_they_are_cut() {
        let file = elf(64, 400, 50_000);
        let mut other = file.clone();
        other[49_999] = 1;
        assert_eq!(scan(&file, 100).fingerprint(), scan(&file, 65_536).fingerprint());
        assert_ne!(scan(&file, 100).fingerprint(), scan(&other, 100).fingerprint());
    }
}
