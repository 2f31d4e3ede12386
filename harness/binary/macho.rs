//! Mach-O: macOS' executables and libraries, thin and universal.
//!
//! Source: Apple, `mach-o/loader.h` and `mach-o/fat.h`.

use super::content::Fingerprint;
use goblin::mach::{fat, header};
use serde::{Deserialize, Serialize};

/// What is known of a Mach-O file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachO {
    /// The processor types (`CPU_TYPE_*`), one for a thin file, several for a universal one.
    pub cpu_types: Vec<u32>,
    /// Equal for equal files.
    pub fingerprint: Fingerprint,
}

/// More architectures than any universal binary has; Java's class files share
/// the magic, and have their format's version (45 and up) in the same place.
const MAX_FAT_ARCHITECTURES: u32 = 32;

/// Whether the first bytes are one of Mach-O's magics.
pub(super) fn is_macho(head: &[u8]) -> bool {
    let Some(magic) = head.first_chunk::<4>() else { return false };
    matches!(
        u32::from_le_bytes(*magic),
        header::MH_MAGIC | header::MH_MAGIC_64 | header::MH_CIGAM | header::MH_CIGAM_64
    ) || u32::from_be_bytes(*magic) == fat::FAT_MAGIC
}

/// Reads the header out of a file's first bytes; `None` where it is none after all.
pub(super) fn parse(head: &[u8], fingerprint: Fingerprint) -> Option<MachO> {
    let magic = head.first_chunk::<4>()?;
    let cpu_types = if u32::from_be_bytes(*magic) == fat::FAT_MAGIC { universal(head)? } else { vec![thin(head)?] };
    Some(MachO { cpu_types, fingerprint })
}

fn thin(head: &[u8]) -> Option<u32> {
    let (_, ctx) = goblin::mach::parse_magic_and_ctx(head, 0).ok()?;
    let cpu: [u8; 4] = *head.get(4..8)?.first_chunk()?;
    Some(if ctx?.le.is_little() { u32::from_le_bytes(cpu) } else { u32::from_be_bytes(cpu) })
}

fn universal(head: &[u8]) -> Option<Vec<u32>> {
    let count = fat::FatHeader::parse(head).ok()?.nfat_arch;
    if count == 0 || count > MAX_FAT_ARCHITECTURES {
        return None;
    }
    (0..count as usize)
        .map(|i| {
            let offset = fat::SIZEOF_FAT_HEADER + i * fat::SIZEOF_FAT_ARCH;
            fat::FatArch::parse(head, offset).ok().map(|arch| arch.cputype)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const NOTHING: Fingerprint = Fingerprint(0);

    #[rstest]
    #[case::arm64(b"\xcf\xfa\xed\xfe\x0c\0\0\x01\0\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", vec![0x0100_000c])]
    #[case::ppc_big_endian(b"\xfe\xed\xfa\xce\0\0\0\x12\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0", vec![0x12])]
    #[case::universal(
        b"\xca\xfe\xba\xbe\0\0\0\x02\x01\0\0\x07\0\0\0\x03\0\0\x10\0\0\0\0\x10\0\0\0\x0c\x01\0\0\x0c\0\0\0\0\0\0\x20\0\0\0\0\x10\0\0\0\x0c",
        vec![0x0100_0007, 0x0100_000c]
    )]
    fn processors_are_read(#[case] head: &[u8], #[case] cpu_types: Vec<u32>) {
        assert!(is_macho(head));
        assert_eq!(parse(head, NOTHING).map(|m| m.cpu_types), Some(cpu_types));
    }

    #[rstest]
    #[case::java_class(b"\xca\xfe\xba\xbe\0\0\0\x41\0\x10\0\0\0\0\0\0")]
    #[case::cut_short(b"\xca\xfe\xba\xbe\0\0\0\x02\x01\0")]
    #[case::magic_only(b"\xcf\xfa\xed\xfe")]
    fn others_are_not_taken_for_mach_o(#[case] head: &[u8]) {
        assert_eq!(parse(head, NOTHING), None);
    }
}
