//! The groups `blob` and `layer`: whether every blob is what its descriptor says,
//! and every layer what the config says.

use super::draft::Draft;
use super::rule::{self, Rule};
use crate::image::descriptor::Descriptor;
use crate::image::digest::{Algorithm, Digest};
use crate::image::fetch::Unread;
use crate::image::layer::Fault;
use crate::image::rootfs::RootFs;
use crate::image::{ImageFacts, PlatformFacts};
use mpcheck_reports::Finding;

const PUSH_AGAIN: &str = "bring the image again from where it was built (push, save or copy it anew); if that does not help, what stores it is damaged";
const REBUILD: &str = "build the image again; `mpcheck explain` of this rule tells how it happens";

/// Findings about the root document and indexes below it.
pub(super) fn of_image(image: &ImageFacts) -> Vec<Finding> {
    let faults = image.faults.iter();
    faults.filter_map(|(digest, fault)| of_fault(fault, "an index", &Named::digest(digest)).map(Draft::done)).collect()
}

/// Findings about one platform's manifest, config and layers.
pub(super) fn of_platform(platform: &PlatformFacts, rootfs: Option<&RootFs<'_>>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |draft: Option<Draft>| found.extend(draft.map(|draft| draft.on(platform).done()));
    if let Err(Unread::Fault(fault)) = &platform.manifest {
        add(of_fault(fault, "the platform's manifest", &Named::of(&platform.descriptor)));
    }
    if let (Ok(manifest), Err(Unread::Fault(fault))) = (&platform.manifest, &platform.config) {
        add(of_fault(fault, "the platform's config", &Named::of(&manifest.config)));
    }
    for (index, layer) in platform.layers.iter().enumerate() {
        let what = format!("layer {index}");
        for fault in &layer.faults {
            add(of_fault(fault, &what, &Named::of(&layer.descriptor)).map(|draft| draft.layer(platform, index)));
        }
        let observed = layer.facts.as_ref().map(|facts| &facts.diff_id);
        let expected = platform.config.as_ref().ok().and_then(|config| config.diff_ids.get(index));
        if let (Some(observed), Some(expected)) = (observed, expected)
            && expected.algorithm() == Algorithm::Sha256
            && observed != expected
        {
            let message = format!("{what} decompresses to other bytes than the config lists");
            let draft = Draft::new(&rule::LAYER_DIFF_ID_MISMATCH, message, REBUILD).layer(platform, index);
            add(Some(draft.instead(expected.to_string(), observed.to_string())));
        }
    }
    for problem in rootfs.map(RootFs::problems).unwrap_or_default() {
        let message = format!("layer {} cannot be applied: {}", problem.layer, problem.why);
        add(Some(Draft::new(&rule::LAYER_CORRUPT, message, REBUILD).layer(platform, problem.layer)));
    }
    found
}

/// What a blob was listed as.
struct Named {
    digest: String,
    size: Option<u64>,
}

impl Named {
    fn of(descriptor: &Descriptor) -> Self {
        Self { digest: descriptor.digest.to_string(), size: Some(descriptor.size) }
    }

    fn digest(digest: &Digest) -> Self {
        Self { digest: digest.to_string(), size: None }
    }
}

/// The finding for a fault; `None` for those that the group `manifest` reports.
fn of_fault(fault: &Fault, what: &str, named: &Named) -> Option<Draft> {
    let draft = |rule: &Rule, message: String, hint: &str| Draft::new(rule, message, hint);
    let listed = || named.size.map_or_else(String::new, |size| format!("{size} bytes"));
    Some(match fault {
        Fault::Missing(why) => {
            draft(&rule::BLOB_MISSING, format!("the blob of {what} is not there: {why}"), PUSH_AGAIN)
                .instead(named.digest.clone(), "nothing")
        }
        Fault::Digest { observed } => {
            draft(&rule::BLOB_DIGEST_MISMATCH, format!("the blob of {what} has another digest than listed"), PUSH_AGAIN)
                .instead(named.digest.clone(), observed.to_string())
        }
        Fault::Size { observed, more } => {
            let observed = if *more { format!("at least {observed} bytes") } else { format!("{observed} bytes") };
            draft(&rule::BLOB_SIZE_MISMATCH, format!("the blob of {what} has another size than listed"), PUSH_AGAIN)
                .instead(listed(), observed)
        }
        Fault::Corrupt(why) => draft(&rule::LAYER_CORRUPT, format!("{what} cannot be unpacked: {why}"), REBUILD),
        Fault::TooLarge(why) => draft(
            &rule::LAYER_TOO_LARGE,
            format!("{what} was not read to its end: {why}"),
            "if the layer is meant to be that large, raise the limit (`mpcheck check --help` lists them); else build the image again",
        ),
        Fault::Invalid(_) => return None,
    })
}
