//! Images: references, descriptors, manifests, configs, layers, and the merged root filesystem.

pub mod archive_format;
pub mod descriptor;
pub mod digest;
pub mod reference;
pub mod source;
