//! Arm, 32 bits, not Thumb. System calls: the number in r7, arguments from r0, r1, r2, the result in r0.
//!
//! Only what ARMv5 had, so nothing of `movw`. Constants are eight bits, shifted: hence the sums.

use super::Code;
use crate::probe::elf::Instructions;

/// EABI5: 64-bit kernels start nothing else. No float ABI, as there are no calls.
const FLAGS: u32 = 0x0500_0000;

pub(super) const CODE: Code = Code { flags: FLAGS, probe: PROBE, waiter: WAITER, refuser: None };

#[rustfmt::skip]
const PROBE: Instructions = Instructions::Words(&[
    0xe1a0_400d, // mov r4, sp
    0xe3a0_5842, // mov r5, #0x420000
    0xe285_0a01, // add r0, r5, #0x1000
    0xe3a0_707a, // mov r7, #122 ; uname
    0xef00_0000, // svc #0
    0xe285_5c11, // add r5, r5, #0x1100
    0xe285_5004, // add r5, r5, #4
    0xe1a0_1005, // mov r1, r5
    // line:
    0xe3a0_2000, // mov r2, #0
    // next:
    0xe7d1_3002, // ldrb r3, [r1, r2]
    0xe353_0000, // cmp r3, #0
    0x0a00_0001, // beq end
    0xe282_2001, // add r2, r2, #1
    0xeaff_fffa, // b next
    // end:
    0xe3a0_300a, // mov r3, #10
    0xe7c1_3002, // strb r3, [r1, r2]
    0xe282_2001, // add r2, r2, #1
    0xe3a0_0001, // mov r0, #1
    0xe3a0_7004, // mov r7, #4 ; write
    0xef00_0000, // svc #0
    0xe151_0005, // cmp r1, r5
    0x1a00_0003, // bne done
    0xe594_1004, // ldr r1, [r4, #4]
    0xe351_0000, // cmp r1, #0
    0x01a0_1004, // moveq r1, r4
    0xeaff_ffed, // b line
    // done:
    0xe3a0_002a, // mov r0, #42
    0xe3a0_7001, // mov r7, #1 ; exit
    0xef00_0000, // svc #0
]);

#[rustfmt::skip]
const WAITER: Instructions = Instructions::Words(&[
    0xe3a0_4842, // mov r4, #0x420000
    0xe284_4c01, // add r4, r4, #0x100
    // again:
    0xe1a0_0004, // mov r0, r4
    0xe1a0_1004, // mov r1, r4
    0xe3a0_70a2, // mov r7, #162 ; nanosleep
    0xef00_0000, // svc #0
    0xe370_0004, // cmn r0, #4
    0x0aff_fff9, // beq again
    0xe3a0_7001, // mov r7, #1 ; exit
    0xef00_0000, // svc #0
]);
