//! Images made of Debian's packages for seven architectures: right as they are, found when one file leaks, and the same
//! after the tools that people convert images with.

use crate::check::Check;
use crate::parts::{done, real_image, registry, skopeo_copy};
use mpcheck_kit::digest::sha256;
use mpcheck_kit::layer::Layer;
use rstest::rstest;
use serde_json::{Value, json};
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

const PLATFORMS: usize = 7;

#[rstest]
fn a_real_image_has_no_fault(#[values("busybox", "userland")] image: &str) {
    let outcome = Check::of(format!("oci:{}:latest", real_image(image).display())).run();
    outcome.assert_clean(PLATFORMS);
}

#[rstest]
fn a_real_image_in_a_registry_has_no_fault(
    #[values("busybox", "userland")] image: &str,
    #[values(&[] as &[&str], &["--dest-compress-format", "zstd"], &["--format", "v2s2"])] how: &[&str],
) {
    let name = format!("{}/converted/{image}:{}", registry(), how.last().unwrap_or(&"plain"));
    let mut copy = skopeo_copy();
    copy.args(how).arg("--dest-tls-verify=false");
    done(copy.arg(format!("oci:{}:latest", real_image(image).display())).arg(format!("docker://{name}")));
    let outcome = Check::of(&name).run();
    outcome.assert_clean(PLATFORMS);
    let media_type = outcome.report["images"][0]["media_type"].as_str().unwrap();
    let expected = if how.contains(&"v2s2") { "docker.distribution.manifest.list.v2" } else { "oci.image.index.v1" };
    assert!(media_type.contains(expected), "{media_type}");
}

/// A layout of the test's own, to be changed.
pub(crate) struct Layout {
    pub(crate) directory: tempfile::TempDir,
}

impl Layout {
    pub(crate) fn copy_of(image: &Path) -> Layout {
        let directory = tempfile::tempdir().unwrap();
        done(Command::new("cp").arg("--recursive").arg(image.join(".")).arg(directory.path()));
        Layout { directory }
    }

    fn check(&self) -> Check {
        Check::of(format!("oci:{}", self.directory.path().display()))
    }

    pub(crate) fn blob(&self, digest: &Value) -> Vec<u8> {
        let name = digest.as_str().unwrap().replacen(':', "/", 1);
        fs::read(self.directory.path().join("blobs").join(name)).unwrap()
    }

    pub(crate) fn json(&self, descriptor: &Value) -> Value {
        serde_json::from_slice(&self.blob(&descriptor["digest"])).unwrap()
    }

    /// Stores a blob and makes the descriptor say so.
    pub(crate) fn store(&self, descriptor: &mut Value, bytes: &[u8]) {
        let digest = sha256(bytes);
        fs::write(self.directory.path().join("blobs").join(digest.replacen(':', "/", 1)), bytes).unwrap();
        descriptor["digest"] = digest.into();
        descriptor["size"] = bytes.len().into();
    }

    /// Changes the manifest and the config of each platform, and everything that names them.
    pub(crate) fn edit(&self, edit: impl Fn(&Layout, &Value, &mut Value, &mut Value)) {
        let top_file = self.directory.path().join("index.json");
        let mut top: Value = serde_json::from_slice(&fs::read(&top_file).unwrap()).unwrap();
        let mut index = self.json(&top["manifests"][0]);
        for entry in index["manifests"].as_array_mut().unwrap() {
            let mut manifest = self.json(entry);
            let mut config = self.json(&manifest["config"]);
            edit(self, &entry["platform"], &mut manifest, &mut config);
            self.store(&mut manifest["config"], config.to_string().as_bytes());
            self.store(entry, manifest.to_string().as_bytes());
        }
        self.store(&mut top["manifests"][0], index.to_string().as_bytes());
        fs::write(top_file, top.to_string()).unwrap();
    }

    /// Adds a layer to the platform of an architecture, and to no other.
    pub(crate) fn add_layer(&self, architecture: &str, layer: &Layer, created_by: &str) {
        let layer = layer.build();
        self.edit(|layout, platform, manifest, config| {
            if platform["architecture"] == architecture {
                let mut descriptor = json!({ "mediaType": layer.media_type });
                layout.store(&mut descriptor, &layer.bytes);
                manifest["layers"].as_array_mut().unwrap().push(descriptor);
                config["rootfs"]["diff_ids"].as_array_mut().unwrap().push(layer.diff_id.clone().into());
                config["history"].as_array_mut().unwrap().push(json!({ "created_by": created_by }));
            }
        });
    }

    /// A file of a platform's first layer, which is gzip.
    pub(crate) fn file(&self, architecture: &str, path: &str) -> Vec<u8> {
        let top: Value = serde_json::from_slice(&fs::read(self.directory.path().join("index.json")).unwrap()).unwrap();
        let index = self.json(&top["manifests"][0]);
        let entries = index["manifests"].as_array().unwrap();
        let entry = entries.iter().find(|entry| entry["platform"]["architecture"] == architecture).unwrap();
        let layer = self.blob(&self.json(entry)["layers"][0]["digest"]);
        let mut archive = tar::Archive::new(flate2::read::MultiGzDecoder::new(layer.as_slice()));
        let mut entries = archive.entries().unwrap().map(Result::unwrap);
        let mut found = entries.find(|entry| entry.path().unwrap() == Path::new(path)).unwrap();
        let mut bytes = Vec::new();
        found.read_to_end(&mut bytes).unwrap();
        bytes
    }
}

/// `COPY --from=build /usr/bin/busybox`, where the stage was built for the machine that builds.
#[test]
fn a_program_that_leaked_into_a_real_image_is_found_with_its_cause() {
    let layout = Layout::copy_of(&real_image("busybox"));
    let instruction = "COPY --from=build /usr/bin/busybox /usr/local/bin/tool";
    let leaked = layout.file("amd64", "usr/bin/busybox");
    let layer = Layer::new().program("usr/local/bin/tool", leaked);
    layout.add_layer("arm64", &layer, &format!("{instruction} # buildkit"));
    let outcome = layout.check().run();
    assert_eq!(outcome.code, 1, "{}", outcome.all());
    assert_eq!(outcome.faults(), ["error binary/foreign-architecture linux/arm64 /usr/local/bin/tool"]);
    let finding = &outcome.report["findings"][0];
    assert!(finding["cause"].as_str().unwrap().contains("the same file is in linux/amd64"), "{finding:#}");
    assert_eq!(finding["instruction"], instruction);
    assert_eq!(finding["observed"], "linux/amd64");
}

/// Layers without compression: what `docker save` and some builders write.
#[test]
fn a_real_image_with_uncompressed_layers_has_no_fault() {
    let layout = Layout::copy_of(&real_image("busybox"));
    layout.edit(|layout, _, manifest, _| {
        for layer in manifest["layers"].as_array_mut().unwrap() {
            let mut plain = Vec::new();
            let packed = layout.blob(&layer["digest"]);
            flate2::read::MultiGzDecoder::new(packed.as_slice()).read_to_end(&mut plain).unwrap();
            layout.store(layer, &plain);
            layer["mediaType"] = "application/vnd.oci.image.layer.v1.tar".into();
        }
    });
    layout.check().run().assert_clean(PLATFORMS);
}

/// umoci writes layers of its own, with the digests that it reckons.
#[test]
fn an_image_that_umoci_changed_has_no_fault() {
    let work = tempfile::tempdir().unwrap();
    let image = format!("{}:arm64", work.path().join("layout").display());
    let mut copy = Command::new("skopeo");
    copy.args(["--insecure-policy", "--override-arch", "arm64", "--override-variant", "v8", "copy", "--quiet"]);
    done(copy.arg(format!("oci:{}:latest", real_image("busybox").display())).arg(format!("oci:{image}")));
    let bundle = work.path().join("bundle");
    done(Command::new("umoci").args(["unpack", "--image", &image]).arg(&bundle));
    fs::write(bundle.join("rootfs/etc/motd"), "repacked\n").unwrap();
    fs::remove_file(bundle.join("rootfs/usr/bin/vi")).unwrap();
    done(Command::new("umoci").args(["repack", "--image", &image]).arg(&bundle));
    let outcome = Check::of(format!("oci:{image}")).run();
    outcome.assert_clean(1);
    assert_eq!(outcome.platforms()[0]["layers"], 2);
}
