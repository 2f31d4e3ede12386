//! `manifest/identical-content`: platforms of different architecture that are one and the same.

use super::binary::{Subject, has_unexplained_foreign_code};
use super::draft::Draft;
use super::rule;
use mpcheck_reports::Finding;

/// Compares all platforms with each other.
///
/// Content that fits both (scripts, data, programs for several architectures in
/// places that say so) may well be shared; it takes machine code that one of the
/// two cannot execute.
pub(super) fn findings(subjects: &[Subject<'_>]) -> Vec<Finding> {
    let wrong: Vec<bool> = subjects.iter().map(has_unexplained_foreign_code).collect();
    let mut found = Vec::new();
    for (i, (subject, is_wrong)) in subjects.iter().zip(&wrong).enumerate() {
        for (other, other_is_wrong) in subjects.iter().zip(&wrong).take(i) {
            let (one, two) = (&other.platform.platform, &subject.platform.platform);
            if (one.os(), one.architecture()) == (two.os(), two.architecture()) || !(*is_wrong || *other_is_wrong) {
                continue;
            }
            let Some(shared) = shared(other, subject) else { continue };
            let message = format!("{one} and {two} have the same content: {shared}");
            let hint = "one build was published for both: build each platform (`docker buildx build --platform`), and keep --platform=$BUILDPLATFORM and single-platform digests out of the last stage's FROM";
            // The one that is wrong is the one to be looked at.
            let named = if *is_wrong { subject } else { other };
            let expected = "different content for different architectures";
            let draft = Draft::new(&rule::IDENTICAL_CONTENT, message, hint).on(named.platform);
            found.push(draft.instead(expected, shared).done());
        }
    }
    found
}

/// What two platforms share, if it is all they have.
fn shared(one: &Subject<'_>, two: &Subject<'_>) -> Option<String> {
    if one.platform.descriptor.digest == two.platform.descriptor.digest {
        return Some(format!("both are the manifest {}", one.platform.descriptor.digest.short()));
    }
    let (first, second) = (&one.platform.layers, &two.platform.layers);
    let same = first.len() == second.len()
        && first.iter().zip(second).all(|(a, b)| a.descriptor.digest == b.descriptor.digest);
    (!first.is_empty() && same).then(|| format!("all of their {} layers", first.len()))
}
