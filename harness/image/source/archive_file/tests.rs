use super::*;
use crate::image::source::MAX_DOCUMENT_BYTES;
use rstest::rstest;
use std::io::Write;

/// A tar of plain members, one after the other.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn entry(mut self, kind: u8, name: &str, link: &str, size: u64, content: &[u8]) -> Self {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_size(size);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.entry(b'0', name, "", content.len() as u64, content.as_bytes())
    }

    fn symlink(self, name: &str, target: &str) -> Self {
        self.entry(b'2', name, target, 0, b"")
    }

    fn end(mut self) -> Self {
        self.0.extend_from_slice(&[0; 1024]);
        self
    }

    fn scan(&self) -> Result<ArchiveFile, TarError> {
        ArchiveFile::scan(self.in_file())
    }

    fn in_file(&self) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&self.0).unwrap();
        file
    }
}

fn pax(records: &[(&str, &str)]) -> String {
    let record = |(key, value): &(&str, &str)| {
        let rest = key.len() + value.len() + 3;
        let length = (1..).map(|digits| rest + digits).find(|l| l.to_string().len() + rest == *l).unwrap();
        format!("{length} {key}={value}\n")
    };
    records.iter().map(record).collect()
}

fn read(archive: &ArchiveFile, name: &str) -> Result<String, FileError> {
    archive.read(name, MAX_DOCUMENT_BYTES).map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn members_are_read_in_any_order_and_by_several_readers_at_once() {
    let archive = Tar::default().file("a", "first").file("./b/c", "second").file("b//d", "third").end().scan().unwrap();
    let mut readers: Vec<_> = ["b/d", "a", "b/c"].iter().map(|n| archive.open(n).unwrap().reader).collect();
    let mut texts = vec![String::new(); 3];
    for _ in 0..6 {
        for (reader, text) in readers.iter_mut().zip(&mut texts) {
            let mut byte = [0];
            if reader.read(&mut byte).unwrap() == 1 {
                text.push(byte[0] as char);
            }
        }
    }
    assert_eq!(texts, ["third", "first", "second"]);
    assert_eq!(archive.size("./a"), Ok(5));
    assert_eq!(read(&archive, "none"), Err(FileError::Absent));
    assert_eq!(read(&archive, "b"), Err(FileError::Absent));
}

#[test]
fn of_two_members_with_one_name_the_later_counts() {
    let archive = Tar::default().file("a", "old").file("./a", "new").end().scan().unwrap();
    assert_eq!(read(&archive, "a").unwrap(), "new");
}

#[rstest]
#[case::gnu(Tar::default().entry(b'L', "././@LongLink", "", 201, format!("{}\0", "n".repeat(200)).as_bytes()))]
#[case::pax({
    let records = pax(&[("mtime", "1"), ("path", &"n".repeat(200))]);
    Tar::default().entry(b'x', "PaxHeader", "", records.len() as u64, records.as_bytes())
})]
fn long_names_are_taken_from_extended_headers(#[case] tar: Tar) {
    let archive = tar.file("short", "content").file("next", "other").end().scan().unwrap();
    assert_eq!(read(&archive, &"n".repeat(200)).unwrap(), "content");
    assert_eq!(read(&archive, "next").unwrap(), "other");
    assert_eq!(read(&archive, "short"), Err(FileError::Absent));
}

#[test]
fn a_size_in_a_pax_header_wins() {
    let records = pax(&[("size", "3")]);
    let tar = Tar::default().entry(b'x', "PaxHeader", "", records.len() as u64, records.as_bytes());
    let archive = tar.entry(b'0', "a", "", 0, b"abc").file("b", "next").end().scan().unwrap();
    assert_eq!((read(&archive, "a").unwrap(), read(&archive, "b").unwrap()), ("abc".into(), "next".into()));
}

#[rstest]
// As Docker before 25 stores a layer that two images share; the target may come later.
#[case("x/layer.tar", Ok("content"))]
#[case("absolute", Ok("content"))]
#[case("chain", Ok("content"))]
#[case("hard", Ok("content"))]
#[case("y/hard", Ok("content"))]
#[case("loop", Err(FileError::Unusable("it is a loop of links".into())))]
#[case("self", Err(FileError::Unusable("it is a loop of links".into())))]
#[case("out", Err(FileError::Absent))]
#[case("dangling", Err(FileError::Absent))]
#[case("directory", Err(FileError::Unusable("it is no regular file".into())))]
#[case("fifo", Err(FileError::Unusable("it is no regular file".into())))]
#[case("../y/layer.tar", Err(FileError::Absent))]
fn links_are_followed_inside_the_archive(#[case] name: &str, #[case] expected: Result<&str, FileError>) {
    let archive = Tar::default()
        .symlink("x/layer.tar", "../y/layer.tar")
        .file("y/layer.tar", "content")
        .symlink("absolute", "/y/layer.tar")
        .symlink("chain", "./x/layer.tar")
        .entry(b'1', "hard", "y/layer.tar", 0, b"")
        .entry(b'1', "y/hard", "./y/layer.tar", 0, b"")
        .symlink("loop", "pool")
        .symlink("pool", "loop")
        .symlink("self", "self")
        .symlink("out", "../../etc/passwd")
        .symlink("dangling", "nowhere")
        .entry(b'5', "directory/", "", 0, b"")
        .entry(b'6', "fifo", "", 0, b"")
        .end()
        .scan()
        .unwrap();
    assert_eq!(read(&archive, name), expected.map(str::to_owned));
}

#[test]
fn names_that_lead_out_of_the_archive_or_are_not_utf_8_are_left_out() {
    let mut tar = Tar::default().file("../up", "x").file("a/../../up", "x").file("a/../inside", "y");
    tar = tar.file("odd", "z");
    let at = tar.0.len() - 1024;
    tar.0[at] = 0xff;
    let mut header = tar::Header::from_byte_slice(&tar.0[at..at + 512]).clone();
    header.set_cksum();
    tar.0[at..at + 512].copy_from_slice(header.as_bytes());
    let archive = tar.end().scan().unwrap();
    assert_eq!(archive.count(), 1);
    assert_eq!(read(&archive, "inside").unwrap(), "y");
}

#[test]
fn sparse_members_are_refused_and_stepped_over() {
    let records = pax(&[("GNU.sparse.major", "1")]);
    let mut sparse = tar::Header::new_gnu();
    sparse.as_mut_bytes()[..3].copy_from_slice(b"old");
    sparse.set_entry_type(tar::EntryType::GNUSparse);
    sparse.set_size(4);
    sparse.as_gnu_mut().unwrap().set_is_extended(true);
    sparse.set_cksum();
    let mut tar = Tar::default();
    tar.0.extend_from_slice(sparse.as_bytes());
    tar.0.extend_from_slice(&[0; 512]);
    tar.0.extend_from_slice(b"data");
    tar.0.resize(1536, 0);
    let tar = tar.entry(b'x', "PaxHeader", "", records.len() as u64, records.as_bytes()).file("new", "map");
    let archive = tar.file("next", "whole").end().scan().unwrap();
    for name in ["old", "new"] {
        let Err(FileError::Unusable(why)) = read(&archive, name) else { panic!("{name}") };
        assert!(why.contains("sparse"), "{why}");
    }
    assert_eq!(read(&archive, "next").unwrap(), "whole");
}

#[test]
fn an_end_without_zeros_and_without_padding_is_an_end() {
    let mut tar = Tar::default().file("a", "first").file("b", "second");
    tar.0.truncate(tar.0.len() - 512 + 6);
    assert_eq!(read(&tar.scan().unwrap(), "b").unwrap(), "second");
    assert_eq!(Tar::default().scan().unwrap().count(), 0);
}

#[rstest]
#[case::cut_in_a_member({ let mut t = Tar::default().file("blob", &"x".repeat(5000)); t.0.truncate(2000); t },
    "it is cut short: blob should have 5000 bytes from byte 512, and the file ends at 2000")]
#[case::cut_in_a_header({ let mut t = Tar::default().file("a", "x").file("b", "y"); t.0.truncate(1100); t },
    "it is cut short: a header should have 512 bytes from byte 1024, and the file ends at 1100")]
#[case::eight_exabytes(Tar::default().entry(b'0', "huge", "", 8 << 60, b""),
    "it is cut short: huge should have 9223372036854775808 bytes from byte 512, and the file ends at 512")]
#[case::sum_overflows(Tar::default().entry(b'0', "huge", "", u64::MAX, b""),
    "it is cut short: huge should have 18446744073709551615 bytes from byte 512, and the file ends at 512")]
#[case::text({ let mut t = Tar::default().file("a", "x"); t.0.extend_from_slice("<html>".repeat(100).as_bytes()); t },
    "there is no tar header at byte 1024, where one should be")]
#[case::long_name(Tar::default().entry(b'L', "././@LongLink", "", 1 << 40, b""),
    "the tar header at byte 512 is broken: an extended header is larger than any real one")]
#[case::pax_nonsense(Tar::default().entry(b'x', "PaxHeader", "", 11, b"99 path=a\n\n").file("a", ""),
    "the tar header at byte 0 is broken: its pax records are broken")]
#[case::pax_size({ let r = pax(&[("size", "-1")]); Tar::default().entry(b'x', "PaxHeader", "", r.len() as u64, r.as_bytes()).file("a", "") },
    "the tar header at byte 0 is broken: its pax records are broken")]
#[case::size_no_number({
    let mut t = Tar::default().file("a", "");
    t.0[124..136].copy_from_slice(b"zzzzzzzzzzz\0");
    let mut h = tar::Header::from_byte_slice(&t.0[..512]).clone();
    h.set_cksum();
    t.0[..512].copy_from_slice(h.as_bytes());
    t
}, "the tar header at byte 0 is broken: its size is no number")]
fn broken_tars_are_named(#[case] tar: Tar, #[case] message: &str) {
    assert_eq!(tar.scan().unwrap_err().to_string(), message);
}

#[test]
fn the_number_of_members_is_bounded() {
    let mut tar = Tar::default();
    let one = Tar::default().file("a", "").0;
    tar.0 = one.repeat(100);
    assert_eq!(ArchiveFile::scan_at_most(tar.in_file(), 100).unwrap().count(), 1);
    assert_eq!(ArchiveFile::scan_at_most(tar.in_file(), 99).unwrap_err(), TarError::TooMany);
}
