//! What a Windows container starts.
//!
//! Windows resolves names without regard to case, with either slash, and by adding
//! endings; layers keep the files below `Files/` (OCI image spec, `layer.md`).
//! Only a full path is followed: a bare name is looked up in a PATH that the
//! registry hive holds.

use super::reach::{Reach, Way};
use super::start::quoted;
use crate::image::document::Config;
use crate::image::rootfs::{NodeKind, RootFs};
use std::collections::BTreeMap;

/// The files that entrypoint and command name by a full path.
pub(super) fn reach(config: &Config, rootfs: &RootFs<'_>) -> Reach {
    let words = config.entrypoint.iter().chain(&config.command);
    let wanted: BTreeMap<String, &str> = words.filter_map(|word| Some((layer_path(word)?, word.as_str()))).collect();
    let mut reach = Reach::default();
    if wanted.is_empty() {
        return reach;
    }
    for (path, node) in rootfs.iter() {
        if !matches!(node.kind, NodeKind::File(_)) {
            continue;
        }
        let name = String::from_utf8_lossy(path).to_lowercase();
        let named = wanted.get(&name).or_else(|| wanted.get(name.strip_suffix(".exe")?));
        if let Some(word) = named {
            let text = format!("entrypoint {:?}", quoted(word));
            reach.start(path.to_vec(), Way { text, is_start: true });
        }
    }
    reach
}

/// `C:\app\app.exe` as a layer has it: `files/app/app.exe`.
fn layer_path(word: &str) -> Option<String> {
    let bytes = word.as_bytes();
    let has_drive = bytes.first().is_some_and(u8::is_ascii_alphabetic) && bytes.get(1) == Some(&b':');
    let rest = if has_drive { word.get(2..)? } else { word };
    let rest = rest.strip_prefix(['\\', '/'])?;
    Some(format!("files/{}", rest.replace('\\', "/").to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::layer_path;
    use rstest::rstest;

    #[rstest]
    #[case(r"C:\app\App.exe", Some("files/app/app.exe"))]
    #[case("c:/app/app.exe", Some("files/app/app.exe"))]
    #[case(r"\app\app", Some("files/app/app"))]
    #[case("cmd", None)]
    #[case("", None)]
    fn full_paths_are_followed(#[case] word: &str, #[case] path: Option<&str>) {
        assert_eq!(layer_path(word).as_deref(), path);
    }
}
