//! A file's content is the same however its bytes arrive.
//!
//! The first four bytes of the input say how the rest, the file, is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mpcheck::binary::{Content, Scanner};

fn scan(file: &[u8], mut size: impl FnMut() -> usize) -> Content {
    let mut scanner = Scanner::new(file.len() as u64, Vec::new());
    let mut rest = file;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(size().clamp(1, rest.len()));
        if !scanner.feed(chunk) {
            break;
        }
        rest = after;
    }
    scanner.finish().0
}

fuzz_target!(|input: &[u8]| {
    let Some((seed, file)) = input.split_first_chunk::<4>() else { return };
    let mut state = u32::from_le_bytes(*seed) | 1;
    let mut sizes = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        // Mostly small ones, now and then one that spans all there is.
        (state as usize >> 3) % (1 << (state & 7) * 2)
    };
    let whole = scan(file, || file.len());
    assert_eq!(whole, scan(file, &mut sizes), "the cut changes what the file is");
    assert_eq!(whole, scan(file, || 4096));
    assert_eq!(whole.is_binary(), mpcheck::binary::is_binary_magic(file) && whole.is_binary());
    if let Content::MalformedElf(why) = &whole {
        mpcheck_fuzz::assert_readable(why);
    }
    // A file that is said to be longer than it is.
    let mut scanner = Scanner::new(u64::MAX, Vec::new());
    scanner.feed(file);
    let _ = scanner.finish();
});
