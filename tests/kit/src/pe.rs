//! PE files: Windows programs, and the .NET assemblies that lie in Linux images too.

/// `IMAGE_FILE_MACHINE_AMD64`.
pub const AMD64: u16 = 0x8664;
/// `IMAGE_FILE_MACHINE_I386`, which managed assemblies for any machine carry as well.
pub const I386: u16 = 0x014c;
/// `IMAGE_FILE_MACHINE_ARM64`.
pub const ARM64: u16 = 0xaa64;
/// `IMAGE_FILE_MACHINE_ARMNT`.
pub const ARM: u16 = 0x01c4;
/// What .NET xors into the machine of assemblies compiled ahead for Linux (runtime `pedecoder.h`,
/// `IMAGE_FILE_MACHINE_OS_MASK_LINUX`).
pub const LINUX_MASK: u16 = 0x7b79;

/// One PE file to be.
#[derive(Clone, Debug)]
pub struct Pe {
    machine: u16,
    managed: bool,
    dll: bool,
    salt: String,
}

impl Pe {
    /// A console program for this machine.
    #[must_use]
    pub fn program(machine: u16) -> Pe {
        Pe { machine, managed: false, dll: false, salt: String::new() }
    }

    /// A .NET assembly for any machine: i386 headers and only intermediate language.
    #[must_use]
    pub fn any_cpu() -> Pe {
        Pe::program(I386).managed().dll()
    }

    /// Adds the CLR header directory of a .NET assembly.
    #[must_use]
    pub fn managed(mut self) -> Pe {
        self.managed = true;
        self
    }

    /// Makes it a library.
    #[must_use]
    pub fn dll(mut self) -> Pe {
        self.dll = true;
        self
    }

    /// Writes a text into the file, so that two otherwise equal files differ.
    #[must_use]
    pub fn salt(mut self, salt: &str) -> Pe {
        self.salt = salt.to_owned();
        self
    }

    /// The bytes of the file: headers of 512 bytes and one section of 512.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let wide = matches!(self.machine, AMD64 | ARM64) || matches!(self.machine ^ LINUX_MASK, AMD64 | ARM64);
        let mut out = vec![0u8; 0x80];
        out[..2].copy_from_slice(b"MZ");
        out[0x3c] = 0x80;
        out.extend(b"PE\0\0");
        let optional: u16 = if wide { 240 } else { 224 };
        half(&mut out, &[self.machine, 1]);
        word(&mut out, &[0, 0, 0]);
        half(&mut out, &[optional, 0x0022 | if self.dll { 0x2000 } else { 0 }]);
        self.optional_header(&mut out, wide);
        out.extend(b".text\0\0\0");
        word(&mut out, &[0x200, 0x1000, 0x200, 0x200, 0, 0, 0, 0x6000_0020]);
        out.resize(0x200, 0);
        if self.managed {
            // IMAGE_COR20_HEADER: size, runtime 2.5, where the metadata is, flags ILONLY; then the metadata root
            // (ECMA-335, II.24.2.1): signature, version 1.1, the runtime's version, no streams.
            word(&mut out, &[72]);
            half(&mut out, &[2, 5]);
            word(&mut out, &[0x1050, 32, 1]);
            out.resize(0x250, 0);
            out.extend(b"BSJB\x01\0\x01\0\0\0\0\0\x0c\0\0\0v4.0.30319\0\0\0\0\0\0");
        } else {
            // xor eax,eax; ret
            out.extend([0x31, 0xc0, 0xc3]);
        }
        out.resize(0x300, 0);
        out.extend(self.salt.as_bytes());
        out.resize(0x400, 0);
        out
    }

    fn optional_header(&self, out: &mut Vec<u8>, wide: bool) {
        half(out, &[if wide { 0x20b } else { 0x10b }, 0]);
        // Sizes of code and data, entry point, base of code.
        word(out, &[0x200, 0, 0, 0x1000, 0x1000]);
        if wide {
            word(out, &[0x4000_0000, 1]);
        } else {
            word(out, &[0, 0x40_0000]);
        }
        word(out, &[0x1000, 0x200]);
        half(out, &[6, 0, 0, 0, 6, 0]);
        word(out, &[0, 0x2000, 0x200, 0]);
        half(out, &[3, 0x8540]);
        let limits: &[u32] = if wide {
            &[0x10_0000, 0, 0x1000, 0, 0x10_0000, 0, 0x1000, 0]
        } else {
            &[0x10_0000, 0x1000, 0x10_0000, 0x1000]
        };
        word(out, limits);
        word(out, &[0, 16]);
        for directory in 0..16 {
            // 14 is the CLR runtime header.
            let place = if directory == 14 && self.managed { [0x1000, 72] } else { [0, 0] };
            word(out, &place);
        }
    }
}

fn half(out: &mut Vec<u8>, values: &[u16]) {
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

fn word(out: &mut Vec<u8>, values: &[u32]) {
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Pe::program(AMD64), AMD64, false)]
    #[case(Pe::program(ARM64), ARM64, false)]
    #[case(Pe::program(I386), I386, false)]
    #[case(Pe::any_cpu(), I386, true)]
    #[case(Pe::program(AMD64 ^ LINUX_MASK).managed().dll(), 0xfd1d, true)]
    fn goblin_reads_it(#[case] pe: Pe, #[case] machine: u16, #[case] managed: bool) {
        let bytes = pe.build();
        let parsed = goblin::pe::PE::parse(&bytes).expect("a valid file");
        assert_eq!(parsed.header.coff_header.machine, machine);
        let directories = parsed.header.optional_header.unwrap().data_directories;
        assert_eq!(directories.get_clr_runtime_header().is_some(), managed);
    }
}
