//! RISC-V, 64 bits. System calls: the number in a7, arguments from a0, a1, a2, a3, the result in a0.
//!
//! Only the base instructions (RV64I), none of them compressed. The probe counts the NUL too, where `\n` goes.

use super::Code;
use crate::probe::elf::Instructions;

/// No compressed instructions, and no float ABI that would matter.
const FLAGS: u32 = 0;

pub(super) const CODE: Code = Code { flags: FLAGS, probe: PROBE, waiter: WAITER, refuser: Some(REFUSER) };

#[rustfmt::skip]
const PROBE: Instructions = Instructions::Words(&[
    0x0001_0413, // mv s0, sp
    0x0042_14b7, // lui s1, 0x421
    0x0004_8513, // mv a0, s1
    0x0a00_0893, // li a7, 160 ; uname
    0x0000_0073, // ecall
    0x1044_8493, // addi s1, s1, 0x104
    0x0004_8593, // mv a1, s1
    // line:
    0x0000_0613, // li a2, 0
    0x0005_8293, // mv t0, a1
    // next:
    0x0002_c303, // lbu t1, 0(t0)
    0x0012_8293, // addi t0, t0, 1
    0x0016_0613, // addi a2, a2, 1
    0xfe03_1ae3, // bnez t1, next
    0x00a0_0313, // li t1, 10
    0xfe62_8fa3, // sb t1, -1(t0)
    0x0010_0513, // li a0, 1
    0x0400_0893, // li a7, 64 ; write
    0x0000_0073, // ecall
    0x0095_9a63, // bne a1, s1, done
    0x0084_3583, // ld a1, 8(s0)
    0xfc05_96e3, // bnez a1, line
    0x0004_0593, // mv a1, s0
    0xfc5f_f06f, // j line
    // done:
    0x02a0_0513, // li a0, 42
    0x05d0_0893, // li a7, 93 ; exit
    0x0000_0073, // ecall
]);

#[rustfmt::skip]
const WAITER: Instructions = Instructions::Words(&[
    0x0042_0437, // lui s0, 0x420
    0x1004_0413, // addi s0, s0, 0x100
    // again:
    0x0004_0513, // mv a0, s0
    0x0004_0593, // mv a1, s0
    0x0650_0893, // li a7, 101 ; nanosleep
    0x0000_0073, // ecall
    0xffc0_0293, // li t0, -4
    0xfe55_06e3, // beq a0, t0, again
    0x05d0_0893, // li a7, 93 ; exit
    0x0000_0073, // ecall
]);

#[rustfmt::skip]
const REFUSER: Instructions = Instructions::Words(&[
    0x0042_0437, // lui s0, 0x420
    0x1004_0413, // addi s0, s0, 0x100
    0x0001_3283, // ld t0, 0(sp)
    0x0101_3303, // ld t1, 16(sp)
    0x0020_0393, // li t2, 2
    0x0072_f463, // bgeu t0, t2, given
    0x0204_3303, // ld t1, 32(s0)
    // given:
    0x0000_0393, // li t2, 0
    0x0003_0e13, // mv t3, t1
    0x0000_1eb7, // lui t4, 1
    0xfffe_8e93, // addi t4, t4, -1
    // next:
    0x01d3_8c63, // beq t2, t4, end
    0x000e_4283, // lbu t0, 0(t3)
    0x0002_8863, // beqz t0, end
    0x001e_0e13, // addi t3, t3, 1
    0x0013_8393, // addi t2, t2, 1
    0xfedf_f06f, // j next
    // end:
    0x0064_3823, // sd t1, 16(s0)
    0x0074_3c23, // sd t2, 24(s0)
    0x0464_3023, // sd t1, 64(s0)
    0x0474_3423, // sd t2, 72(s0)
    0xf9c0_0513, // li a0, -100
    0x0604_0593, // addi a1, s0, 96
    0x4010_0613, // li a2, 0x401
    0x0380_0893, // li a7, 56 ; openat
    0x0000_0073, // ecall
    0x0405_4263, // bltz a0, say
    0x0005_0493, // mv s1, a0
    0x0042_1537, // lui a0, 0x421
    0x0000_15b7, // lui a1, 1
    0x0110_0893, // li a7, 17 ; getcwd
    0x0000_0073, // ecall
    0x00a0_4463, // bgtz a0, known
    0x0010_0513, // li a0, 1
    // known:
    0x00a4_3423, // sd a0, 8(s0)
    0x0004_8513, // mv a0, s1
    0x0004_0593, // mv a1, s0
    0x0030_0613, // li a2, 3
    0x0420_0893, // li a7, 66 ; writev
    0x0000_0073, // ecall
    0x0004_8513, // mv a0, s1
    0x0390_0893, // li a7, 57 ; close
    0x0000_0073, // ecall
    // say:
    0x0020_0513, // li a0, 2
    0x0304_0593, // addi a1, s0, 48
    0x0030_0613, // li a2, 3
    0x0420_0893, // li a7, 66 ; writev
    0x0000_0073, // ecall
    0x07e0_0513, // li a0, 126
    0x05d0_0893, // li a7, 93 ; exit
    0x0000_0073, // ecall
]);
