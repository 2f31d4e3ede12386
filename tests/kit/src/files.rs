//! Other files that images hold: scripts, and what only looks like a program.

use crate::elf::Elf;

/// A script: the line `#!INTERPRETER` and a body.
#[must_use]
pub fn script(interpreter: &str, body: &str) -> Vec<u8> {
    format!("#!{interpreter}\n{body}\n").into_bytes()
}

/// The same with the line ends of Windows, for which the kernel looks for `INTERPRETER\r`.
#[must_use]
pub fn script_crlf(interpreter: &str, body: &str) -> Vec<u8> {
    format!("#!{interpreter}\r\n{}\r\n", body.replace('\n', "\r\n")).into_bytes()
}

/// A web page, as it is saved when a download was answered with an error or a redirect.
#[must_use]
pub fn html_page() -> Vec<u8> {
    b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head>\n<body>Not Found</body></html>\n".to_vec()
}

/// An archive that nobody unpacked: a gzip file of some text.
#[must_use]
pub fn gzip(body: &[u8]) -> Vec<u8> {
    crate::compress::gzip(body)
}

/// A Java class file of this major version (61 is Java 17). It starts like a fat Mach-O file: `CAFEBABE`, where then
/// comes the number of machines, here come minor and major version.
#[must_use]
pub fn java_class(major: u16) -> Vec<u8> {
    let mut out = vec![0xca, 0xfe, 0xba, 0xbe, 0, 0];
    out.extend(major.to_be_bytes());
    // Constants: class #2, utf8 "A", class #4, utf8 "java/lang/Object".
    out.extend([0, 5, 7, 0, 2, 1, 0, 1, b'A', 7, 0, 4, 1, 0, 16]);
    out.extend(b"java/lang/Object");
    // Public super class #1 extends #3; no interfaces, fields, methods, attributes.
    out.extend([0, 0x21, 0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0]);
    out
}

/// A WebAssembly module without content.
#[must_use]
pub fn wasm() -> Vec<u8> {
    b"\0asm\x01\0\0\0".to_vec()
}

/// A static library: an ar archive of one relocatable object.
#[must_use]
pub fn static_library(arch: &str) -> Vec<u8> {
    let object = Elf::object(arch).build();
    let mut out = b"!<arch>\n".to_vec();
    out.extend(format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", "a.o/", 0, 0, 0, "100644", object.len()).bytes());
    let odd = object.len() % 2 == 1;
    out.extend(object);
    if odd {
        out.push(b'\n');
    }
    out
}

/// A zip archive with one stored file: what jars, wheels and Python zipapps are.
#[must_use]
pub fn zip(name: &str, body: &[u8]) -> Vec<u8> {
    let crc = crc32(body);
    let sizes = [body.len() as u32, body.len() as u32];
    // Version 1.0, no flags, stored, 1980-01-01.
    let common: Vec<u8> = [10u16, 0, 0, 0, 0x21].iter().flat_map(|half| half.to_le_bytes()).collect();
    let mut out = b"PK\x03\x04".to_vec();
    let describe = |out: &mut Vec<u8>| {
        out.extend(&common);
        out.extend(crc.to_le_bytes());
        out.extend(sizes.iter().flat_map(|size| size.to_le_bytes()));
        out.extend((name.len() as u16).to_le_bytes());
        out.extend([0, 0]);
    };
    describe(&mut out);
    out.extend(name.as_bytes());
    out.extend(body);
    let directory = out.len() as u32;
    out.extend(b"PK\x01\x02\x14\x03");
    describe(&mut out);
    out.extend([0; 14]);
    out.extend(name.as_bytes());
    let size = out.len() as u32 - directory;
    out.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    out.extend(size.to_le_bytes());
    out.extend(directory.to_le_bytes());
    out.extend([0, 0]);
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_static_library_holds_an_object() {
        let bytes = static_library("riscv64");
        let archive = goblin::archive::Archive::parse(&bytes).expect("an ar archive");
        let member = archive.extract("a.o", &bytes).expect("the member");
        assert_eq!(goblin::elf::Elf::parse(member).expect("an object").header.e_machine, 243);
    }

    #[test]
    fn a_class_file_is_no_fat_macho() {
        let bytes = java_class(61);
        assert_eq!(bytes[..8], [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 61]);
    }
}
