//! What the fuzz targets share: the bound on memory, and what holds of every layer and tree.

pub mod memory;
pub mod tree;

/// Whether a text for a person is short and moves no cursor.
pub fn assert_readable(text: &str) {
    assert!(text.chars().count() < 4000, "a message of {} characters", text.chars().count());
    assert!(!text.contains(char::is_control), "a control character in {text:?}");
}
