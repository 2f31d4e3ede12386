//! Mach-O files, thin and fat.

/// `CPU_TYPE_X86_64`.
pub const X86_64: u32 = 0x0100_0007;
/// `CPU_TYPE_ARM64`.
pub const ARM64: u32 = 0x0100_000c;
/// `CPU_TYPE_I386`.
pub const I386: u32 = 7;

/// A program for one machine: header and an `LC_UUID` command.
#[must_use]
pub fn thin(cputype: u32) -> Vec<u8> {
    let wide = cputype & 0x0100_0000 != 0;
    let mut out = Vec::new();
    let magic: u32 = if wide { 0xfeed_facf } else { 0xfeed_face };
    // Subtype "all", MH_EXECUTE, one command of 24 bytes, no flags.
    for value in [magic, cputype, if cputype == ARM64 { 0 } else { 3 }, 2, 1, 24, 0] {
        out.extend(value.to_le_bytes());
    }
    if wide {
        out.extend([0; 4]);
    }
    for value in [0x1b_u32, 24] {
        out.extend(value.to_le_bytes());
    }
    out.extend(crate::filler(&cputype.to_le_bytes(), 16));
    out
}

/// A universal file of programs for these machines.
#[must_use]
pub fn fat(cputypes: &[u32]) -> Vec<u8> {
    let mut out = vec![0xca, 0xfe, 0xba, 0xbe];
    out.extend((cputypes.len() as u32).to_be_bytes());
    let mut bodies = Vec::new();
    for (position, cputype) in cputypes.iter().enumerate() {
        let body = thin(*cputype);
        let offset = 0x1000 * (position as u32 + 1);
        for value in [*cputype, if *cputype == ARM64 { 0 } else { 3 }, offset, body.len() as u32, 12] {
            out.extend(value.to_be_bytes());
        }
        bodies.push((offset as usize, body));
    }
    for (offset, body) in bodies {
        out.resize(offset, 0);
        out.extend(body);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use goblin::mach::{Mach, SingleArch};

    #[test]
    fn goblin_reads_a_thin_file() {
        for cputype in [X86_64, ARM64, I386] {
            let bytes = thin(cputype);
            let Mach::Binary(parsed) = Mach::parse(&bytes).expect("a valid file") else { panic!("not thin") };
            assert_eq!((parsed.header.cputype, parsed.load_commands.len()), (cputype, 1));
        }
    }

    #[test]
    fn goblin_reads_a_fat_file() {
        let bytes = fat(&[X86_64, ARM64]);
        let Mach::Fat(parsed) = Mach::parse(&bytes).expect("a valid file") else { panic!("not fat") };
        let cputypes: Vec<u32> = (0..parsed.narches)
            .map(|arch| match parsed.get(arch).expect("an entry") {
                SingleArch::MachO(thin) => thin.header.cputype,
                SingleArch::Archive(_) => 0,
            })
            .collect();
        assert_eq!(cputypes, [X86_64, ARM64]);
    }
}
