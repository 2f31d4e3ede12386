//! LoongArch, 64 bits. System calls: the number in a7, arguments from a0, a1, a2, a3, the result in a0; the t registers
//! are lost.
//!
//! Only the base instructions, none of the floating-point unit.

use super::Code;
use crate::probe::elf::Instructions;

/// OBJABI_V1 and soft-float.
const FLAGS: u32 = 0x41;

pub(super) const CODE: Code = Code { flags: FLAGS, probe: PROBE, waiter: WAITER, refuser: Some(REFUSER) };

#[rustfmt::skip]
const PROBE: Instructions = Instructions::Words(&[
    0x0015_0077, // or $s0, $sp, $zero
    0x1400_8438, // lu12i.w $s1, 0x421
    0x0015_0304, // or $a0, $s1, $zero
    0x02c2_800b, // addi.d $a7, $zero, 160 ; uname
    0x002b_0000, // syscall 0
    0x02c4_1318, // addi.d $s1, $s1, 0x104
    0x0015_0305, // or $a1, $s1, $zero
    // line:
    0x0015_0006, // or $a2, $zero, $zero
    // next:
    0x3820_18b9, // ldx.bu $s2, $a1, $a2
    0x5800_0f20, // beq $s2, $zero, end
    0x02c0_04c6, // addi.d $a2, $a2, 1
    0x53ff_f7ff, // b next
    // end:
    0x02c0_2819, // addi.d $s2, $zero, 10
    0x3810_18b9, // stx.b $s2, $a1, $a2
    0x02c0_04c6, // addi.d $a2, $a2, 1
    0x02c0_0404, // addi.d $a0, $zero, 1
    0x02c1_000b, // addi.d $a7, $zero, 64 ; write
    0x002b_0000, // syscall 0
    0x5c00_14b8, // bne $a1, $s1, done
    0x28c0_22e5, // ld.d $a1, $s0, 8
    0x5fff_cca0, // bne $a1, $zero, line
    0x0015_02e5, // or $a1, $s0, $zero
    0x53ff_c7ff, // b line
    // done:
    0x02c0_a804, // addi.d $a0, $zero, 42
    0x02c1_740b, // addi.d $a7, $zero, 93 ; exit
    0x002b_0000, // syscall 0
]);

#[rustfmt::skip]
const WAITER: Instructions = Instructions::Words(&[
    0x1400_8417, // lu12i.w $s0, 0x420
    0x0384_02f7, // ori $s0, $s0, 0x100
    0x02ff_f018, // addi.d $s1, $zero, -4
    // again:
    0x0015_02e4, // or $a0, $s0, $zero
    0x0015_02e5, // or $a1, $s0, $zero
    0x02c1_940b, // addi.d $a7, $zero, 101 ; nanosleep
    0x002b_0000, // syscall 0
    0x5bff_f098, // beq $a0, $s1, again
    0x02c1_740b, // addi.d $a7, $zero, 93 ; exit
    0x002b_0000, // syscall 0
]);

#[rustfmt::skip]
const REFUSER: Instructions = Instructions::Words(&[
    0x1400_8417, // lu12i.w $s0, 0x420
    0x0384_02f7, // ori $s0, $s0, 0x100
    0x28c0_0078, // ld.d $s1, $sp, 0
    0x28c0_4079, // ld.d $s2, $sp, 16
    0x02c0_081a, // addi.d $s3, $zero, 2
    0x6c00_0b1a, // bgeu $s1, $s3, given
    0x28c0_82f9, // ld.d $s2, $s0, 32
    // given:
    0x0015_001a, // or $s3, $zero, $zero
    0x03bf_fc1b, // ori $s4, $zero, 4095
    // next:
    0x5800_175b, // beq $s3, $s4, end
    0x3820_6b3c, // ldx.bu $s5, $s2, $s3
    0x5800_0f80, // beq $s5, $zero, end
    0x02c0_075a, // addi.d $s3, $s3, 1
    0x53ff_f3ff, // b next
    // end:
    0x29c0_42f9, // st.d $s2, $s0, 16
    0x29c0_62fa, // st.d $s3, $s0, 24
    0x29c1_02f9, // st.d $s2, $s0, 64
    0x29c1_22fa, // st.d $s3, $s0, 72
    0x02fe_7004, // addi.d $a0, $zero, -100
    0x02c1_82e5, // addi.d $a1, $s0, 96
    0x02d0_0406, // addi.d $a2, $zero, 0x401
    0x02c0_e00b, // addi.d $a7, $zero, 56 ; openat
    0x002b_0000, // syscall 0
    0x6000_4480, // blt $a0, $zero, say
    0x0015_0098, // or $s1, $a0, $zero
    0x1400_8424, // lu12i.w $a0, 0x421
    0x1400_0025, // lu12i.w $a1, 1
    0x02c0_440b, // addi.d $a7, $zero, 17 ; getcwd
    0x002b_0000, // syscall 0
    0x6000_0804, // blt $zero, $a0, known
    0x02c0_0404, // addi.d $a0, $zero, 1
    // known:
    0x29c0_22e4, // st.d $a0, $s0, 8
    0x0015_0304, // or $a0, $s1, $zero
    0x0015_02e5, // or $a1, $s0, $zero
    0x02c0_0c06, // addi.d $a2, $zero, 3
    0x02c1_080b, // addi.d $a7, $zero, 66 ; writev
    0x002b_0000, // syscall 0
    0x0015_0304, // or $a0, $s1, $zero
    0x02c0_e40b, // addi.d $a7, $zero, 57 ; close
    0x002b_0000, // syscall 0
    // say:
    0x02c0_0804, // addi.d $a0, $zero, 2
    0x02c0_c2e5, // addi.d $a1, $s0, 48
    0x02c0_0c06, // addi.d $a2, $zero, 3
    0x02c1_080b, // addi.d $a7, $zero, 66 ; writev
    0x002b_0000, // syscall 0
    0x02c1_f804, // addi.d $a0, $zero, 126
    0x02c1_740b, // addi.d $a7, $zero, 93 ; exit
    0x002b_0000, // syscall 0
]);
