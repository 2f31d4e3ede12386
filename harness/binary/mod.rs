//! What a file is: ELF, PE, Mach-O, a script, or something else.
