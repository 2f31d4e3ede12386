//! What a file is: ELF, PE, Mach-O, a script, or none of these.
//!
//! A file is looked at while its layer streams by: [`Scanner`] is fed its bytes
//! once, from start to end, keeps the little that it needs, and says at the end
//! what the [`Content`] is. Whether that is right for the platform is decided
//! elsewhere (`check/binary`), from these facts alone.

pub mod content;
pub mod elf;
pub mod macho;
pub mod pe;
pub mod program;
mod scan;
pub mod script;

pub use content::Content;
pub use elf::{Elf, ElfKind, Interpreter};
pub use macho::MachO;
pub use pe::Pe;
pub use program::{PROGRAM_HEAD_BYTES, Program};
pub use scan::{HEAD_BYTES, Scanner, is_binary_magic};
pub use script::Script;
