//! i386. System calls: the number in eax, arguments from ebx, ecx, edx, the result in eax.
//!
//! Only what an 80386 had: it knows no `cmov`.

use super::Code;
use crate::probe::elf::Instructions;

pub(super) const CODE: Code = Code { flags: 0, probe: PROBE, waiter: WAITER, refuser: None };

#[rustfmt::skip]
const PROBE: Instructions = Instructions::Bytes(&[
    0x89, 0xe6,                         // mov esi, esp
    0xbb, 0x00, 0x10, 0x42, 0x00,       // mov ebx, 0x421000
    0xb8, 0x7a, 0x00, 0x00, 0x00,       // mov eax, 122 ; uname
    0xcd, 0x80,                         // int 0x80
    0xb9, 0x04, 0x11, 0x42, 0x00,       // mov ecx, 0x421104
    // line:
    0x31, 0xd2,                         // xor edx, edx
    // next:
    0x80, 0x3c, 0x11, 0x00,             // cmp byte ptr [ecx+edx], 0
    0x74, 0x03,                         // je end
    0x42,                               // inc edx
    0xeb, 0xf7,                         // jmp next
    // end:
    0xc6, 0x04, 0x11, 0x0a,             // mov byte ptr [ecx+edx], 10
    0x42,                               // inc edx
    0xbb, 0x01, 0x00, 0x00, 0x00,       // mov ebx, 1
    0xb8, 0x04, 0x00, 0x00, 0x00,       // mov eax, 4 ; write
    0xcd, 0x80,                         // int 0x80
    0x81, 0xf9, 0x04, 0x11, 0x42, 0x00, // cmp ecx, 0x421104
    0x75, 0x0b,                         // jne done
    0x8b, 0x4e, 0x04,                   // mov ecx, [esi+4]
    0x85, 0xc9,                         // test ecx, ecx
    0x75, 0xd5,                         // jne line
    0x89, 0xf1,                         // mov ecx, esi
    0xeb, 0xd1,                         // jmp line
    // done:
    0xbb, 0x2a, 0x00, 0x00, 0x00,       // mov ebx, 42
    0xb8, 0x01, 0x00, 0x00, 0x00,       // mov eax, 1 ; exit
    0xcd, 0x80,                         // int 0x80
]);

#[rustfmt::skip]
const WAITER: Instructions = Instructions::Bytes(&[
    // again:
    0xbb, 0x00, 0x01, 0x42, 0x00, // mov ebx, 0x420100
    0xb9, 0x00, 0x01, 0x42, 0x00, // mov ecx, 0x420100
    0xb8, 0xa2, 0x00, 0x00, 0x00, // mov eax, 162 ; nanosleep
    0xcd, 0x80,                   // int 0x80
    0x83, 0xf8, 0xfc,             // cmp eax, -4
    0x74, 0xea,                   // je again
    0x89, 0xc3,                   // mov ebx, eax
    0xb8, 0x01, 0x00, 0x00, 0x00, // mov eax, 1 ; exit
    0xcd, 0x80,                   // int 0x80
]);
