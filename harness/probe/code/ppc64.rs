//! POWER, 64 bits, in either byte order. System calls: the number in r0, arguments from r3, r4, r5, r6, the result in
//! r3; r0 and r3 to r12 are lost. An error is a positive number, with the bit SO of the condition register set.

use super::Code;
use crate::probe::elf::Instructions;

/// ELFv2 also in big-endian files: `e_entry` is the code itself, and not a descriptor of it.
const FLAGS: u32 = 2;

pub(super) const CODE: Code = Code { flags: FLAGS, probe: PROBE, waiter: WAITER, refuser: Some(REFUSER) };

#[rustfmt::skip]
const PROBE: Instructions = Instructions::Words(&[
    0x7c2e_0b78, // mr r14, r1
    0x3de0_0042, // lis r15, 0x42
    0x386f_1000, // addi r3, r15, 0x1000
    0x3800_007a, // li r0, 122 ; uname
    0x4400_0002, // sc
    0x39ef_1104, // addi r15, r15, 0x1104
    0x7df0_7b78, // mr r16, r15
    // line:
    0x3a20_0000, // li r17, 0
    // next:
    0x7d30_88ae, // lbzx r9, r16, r17
    0x2c09_0000, // cmpwi r9, 0
    0x4182_000c, // beq end
    0x3a31_0001, // addi r17, r17, 1
    0x4bff_fff0, // b next
    // end:
    0x3920_000a, // li r9, 10
    0x7d30_89ae, // stbx r9, r16, r17
    0x3860_0001, // li r3, 1
    0x7e04_8378, // mr r4, r16
    0x38b1_0001, // addi r5, r17, 1
    0x3800_0004, // li r0, 4 ; write
    0x4400_0002, // sc
    0x7c30_7840, // cmpld r16, r15
    0x4082_0018, // bne done
    0xea0e_0008, // ld r16, 8(r14)
    0x2c30_0000, // cmpdi r16, 0
    0x4082_ffbc, // bne line
    0x7dd0_7378, // mr r16, r14
    0x4bff_ffb4, // b line
    // done:
    0x3860_002a, // li r3, 42
    0x3800_0001, // li r0, 1 ; exit
    0x4400_0002, // sc
]);

#[rustfmt::skip]
const WAITER: Instructions = Instructions::Words(&[
    0x3dc0_0042, // lis r14, 0x42
    0x39ce_0100, // addi r14, r14, 0x100
    // again:
    0x7dc3_7378, // mr r3, r14
    0x7dc4_7378, // mr r4, r14
    0x3800_00a2, // li r0, 162 ; nanosleep
    0x4400_0002, // sc
    0x2c03_0004, // cmpwi r3, 4
    0x4182_ffec, // beq again
    0x3800_0001, // li r0, 1 ; exit
    0x4400_0002, // sc
]);

#[rustfmt::skip]
const REFUSER: Instructions = Instructions::Words(&[
    0x3dc0_0042, // lis r14, 0x42
    0x39ce_0100, // addi r14, r14, 0x100
    0xe921_0000, // ld r9, 0(r1)
    0xe9e1_0010, // ld r15, 16(r1)
    0x2829_0002, // cmpldi r9, 2
    0x4080_0008, // bge given
    0xe9ee_0020, // ld r15, 32(r14)
    // given:
    0x3a00_0000, // li r16, 0
    // next:
    0x2830_0fff, // cmpldi r16, 4095
    0x4182_0018, // beq end
    0x7d2f_80ae, // lbzx r9, r15, r16
    0x2c09_0000, // cmpwi r9, 0
    0x4182_000c, // beq end
    0x3a10_0001, // addi r16, r16, 1
    0x4bff_ffe8, // b next
    // end:
    0xf9ee_0010, // std r15, 16(r14)
    0xfa0e_0018, // std r16, 24(r14)
    0xf9ee_0040, // std r15, 64(r14)
    0xfa0e_0048, // std r16, 72(r14)
    0x3860_ff9c, // li r3, -100
    0x388e_0060, // addi r4, r14, 96
    0x38a0_0401, // li r5, 0x401
    0x3800_011e, // li r0, 286 ; openat
    0x4400_0002, // sc
    0x4183_0044, // bso say
    0x7c71_1b78, // mr r17, r3
    0x386e_0f00, // addi r3, r14, 0xf00
    0x3880_1000, // li r4, 4096
    0x3800_00b6, // li r0, 182 ; getcwd
    0x4400_0002, // sc
    0x4083_0008, // bns known
    0x3860_0001, // li r3, 1
    // known:
    0xf86e_0008, // std r3, 8(r14)
    0x7e23_8b78, // mr r3, r17
    0x7dc4_7378, // mr r4, r14
    0x38a0_0003, // li r5, 3
    0x3800_0092, // li r0, 146 ; writev
    0x4400_0002, // sc
    0x7e23_8b78, // mr r3, r17
    0x3800_0006, // li r0, 6 ; close
    0x4400_0002, // sc
    // say:
    0x3860_0002, // li r3, 2
    0x388e_0030, // addi r4, r14, 48
    0x38a0_0003, // li r5, 3
    0x3800_0092, // li r0, 146 ; writev
    0x4400_0002, // sc
    0x3860_007e, // li r3, 126
    0x3800_0001, // li r0, 1 ; exit
    0x4400_0002, // sc
]);
