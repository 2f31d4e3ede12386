//! Images: references, descriptors, manifests, configs, layers, and the merged root filesystem.

pub mod descriptor;
pub mod digest;
pub mod document;
pub mod layer;
pub mod rootfs;
pub mod source;
