//! Arm, 64 bits. System calls: the number in x8, arguments from x0, x1, x2, x3, the result in x0.
//!
//! Only what ARMv8.0 had.

use super::Code;
use crate::probe::elf::Instructions;

pub(super) const CODE: Code = Code { flags: 0, probe: PROBE, waiter: WAITER, refuser: Some(REFUSER) };

#[rustfmt::skip]
const PROBE: Instructions = Instructions::Words(&[
    0x9100_03f3, // mov x19, sp
    0x5282_2094, // movz w20, #0x1104
    0x72a0_0854, // movk w20, #0x42, lsl #16
    0xd104_1280, // sub x0, x20, #0x104
    0xd280_1408, // mov x8, #160 ; uname
    0xd400_0001, // svc #0
    0xaa14_03e1, // mov x1, x20
    // line:
    0xd280_0002, // mov x2, #0
    // next:
    0x3862_6829, // ldrb w9, [x1, x2]
    0x3400_0069, // cbz w9, end
    0x9100_0442, // add x2, x2, #1
    0x17ff_fffd, // b next
    // end:
    0x5280_0149, // mov w9, #10
    0x3822_6829, // strb w9, [x1, x2]
    0x9100_0442, // add x2, x2, #1
    0xd280_0020, // mov x0, #1
    0xd280_0808, // mov x8, #64 ; write
    0xd400_0001, // svc #0
    0xeb14_003f, // cmp x1, x20
    0x5400_00a1, // b.ne done
    0xf940_0661, // ldr x1, [x19, #8]
    0xf100_003f, // cmp x1, #0
    0x9a81_0261, // csel x1, x19, x1, eq
    0x17ff_fff0, // b line
    // done:
    0xd280_0540, // mov x0, #42
    0xd280_0ba8, // mov x8, #93 ; exit
    0xd400_0001, // svc #0
]);

#[rustfmt::skip]
const WAITER: Instructions = Instructions::Words(&[
    0x5280_2013, // movz w19, #0x100
    0x72a0_0853, // movk w19, #0x42, lsl #16
    // again:
    0xaa13_03e0, // mov x0, x19
    0xaa13_03e1, // mov x1, x19
    0xd280_0ca8, // mov x8, #101 ; nanosleep
    0xd400_0001, // svc #0
    0xb100_101f, // cmn x0, #4
    0x54ff_ff60, // b.eq again
    0xd280_0ba8, // mov x8, #93 ; exit
    0xd400_0001, // svc #0
]);

#[rustfmt::skip]
const REFUSER: Instructions = Instructions::Words(&[
    0x5280_2013, // movz w19, #0x100
    0x72a0_0853, // movk w19, #0x42, lsl #16
    0xf940_0bea, // ldr x10, [sp, #16]
    0xf940_03e9, // ldr x9, [sp]
    0xf100_093f, // cmp x9, #2
    0x5400_0042, // b.hs given
    0xf940_126a, // ldr x10, [x19, #32]
    // given:
    0xd280_000b, // mov x11, #0
    // next:
    0xf13f_fd7f, // cmp x11, #4095
    0x5400_00a0, // b.eq end
    0x386b_6949, // ldrb w9, [x10, x11]
    0x3400_0069, // cbz w9, end
    0x9100_056b, // add x11, x11, #1
    0x17ff_fffb, // b next
    // end:
    0xa901_2e6a, // stp x10, x11, [x19, #16]
    0xa904_2e6a, // stp x10, x11, [x19, #64]
    0x9280_0c60, // mov x0, #-100
    0x9101_8261, // add x1, x19, #96
    0xd280_8022, // mov x2, #0x401
    0xd280_0708, // mov x8, #56 ; openat
    0xd400_0001, // svc #0
    0xb7f8_0220, // tbnz x0, #63, say
    0xaa00_03f4, // mov x20, x0
    0x913c_0260, // add x0, x19, #0xf00
    0xd282_0001, // mov x1, #4096
    0xd280_0228, // mov x8, #17 ; getcwd
    0xd400_0001, // svc #0
    0xf100_001f, // cmp x0, #0
    0x9a9f_c400, // csinc x0, x0, xzr, gt
    0xf900_0660, // str x0, [x19, #8]
    0xaa14_03e0, // mov x0, x20
    0xaa13_03e1, // mov x1, x19
    0xd280_0062, // mov x2, #3
    0xd280_0848, // mov x8, #66 ; writev
    0xd400_0001, // svc #0
    0xaa14_03e0, // mov x0, x20
    0xd280_0728, // mov x8, #57 ; close
    0xd400_0001, // svc #0
    // say:
    0xd280_0040, // mov x0, #2
    0x9100_c261, // add x1, x19, #48
    0xd280_0062, // mov x2, #3
    0xd280_0848, // mov x8, #66 ; writev
    0xd400_0001, // svc #0
    0xd280_0fc0, // mov x0, #126
    0xd280_0ba8, // mov x8, #93 ; exit
    0xd400_0001, // svc #0
]);
