//! MIPS, 32 bits, in either byte order. System calls: the number in v0, arguments from a0, a1, a2, the result in v0; a3
//! is 0 unless that is an error, which is a positive number. All but the s registers may be lost.
//!
//! Only what MIPS II had and MIPS32 Release 6 still has. The instruction after a branch is carried out before it.
//! The probe counts the NUL too, where `\n` goes.

use super::Code;
use crate::probe::elf::Instructions;

/// EF_MIPS_ARCH_32, EF_MIPS_ABI_O32, EF_MIPS_NOREORDER.
const FLAGS: u32 = 0x5000_1001;

pub(super) const CODE: Code = Code { flags: FLAGS, probe: PROBE, waiter: WAITER, refuser: None };

#[rustfmt::skip]
const PROBE: Instructions = Instructions::Words(&[
    0x03a0_8025, // or $s0, $sp, $zero
    0x3c11_0042, // lui $s1, 0x42
    0x2624_1000, // addiu $a0, $s1, 0x1000
    0x2402_101a, // addiu $v0, $zero, 4122 ; uname
    0x0000_000c, // syscall
    0x2631_1104, // addiu $s1, $s1, 0x1104
    0x0220_9025, // or $s2, $s1, $zero
    // line:
    0x0240_9825, // or $s3, $s2, $zero
    // next:
    0x9274_0000, // lbu $s4, 0($s3)
    0x2673_0001, // addiu $s3, $s3, 1
    0x1680_fffd, // bne $s4, $zero, next
    0x0000_0000, // nop ; in the delay slot
    0x2414_000a, // addiu $s4, $zero, 10
    0xa274_ffff, // sb $s4, -1($s3)
    0x2404_0001, // addiu $a0, $zero, 1
    0x0240_2825, // or $a1, $s2, $zero
    0x0272_3023, // subu $a2, $s3, $s2
    0x2402_0fa4, // addiu $v0, $zero, 4004 ; write
    0x0000_000c, // syscall
    0x1651_0006, // bne $s2, $s1, done
    0x0000_0000, // nop ; in the delay slot
    0x8e12_0004, // lw $s2, 4($s0)
    0x1640_fff0, // bne $s2, $zero, line
    0x0000_0000, // nop ; in the delay slot
    0x1000_ffee, // beq $zero, $zero, line
    0x0200_9025, // or $s2, $s0, $zero ; in the delay slot
    // done:
    0x2404_002a, // addiu $a0, $zero, 42
    0x2402_0fa1, // addiu $v0, $zero, 4001 ; exit
    0x0000_000c, // syscall
]);

#[rustfmt::skip]
const WAITER: Instructions = Instructions::Words(&[
    0x3c10_0042, // lui $s0, 0x42
    0x2610_0100, // addiu $s0, $s0, 0x100
    0x2411_0004, // addiu $s1, $zero, 4
    // again:
    0x0200_2025, // or $a0, $s0, $zero
    0x0200_2825, // or $a1, $s0, $zero
    0x2402_1046, // addiu $v0, $zero, 4166 ; nanosleep
    0x0000_000c, // syscall
    0x1051_fffb, // beq $v0, $s1, again
    0x0040_2025, // or $a0, $v0, $zero ; in the delay slot
    0x2402_0fa1, // addiu $v0, $zero, 4001 ; exit
    0x0000_000c, // syscall
]);
