//! What is alike, told once.

use std::collections::HashMap;
use std::hash::Hash;

use crate::model::{Finding, Severity};

/// One finding, with every platform on which it is the same.
#[derive(Debug)]
pub(super) struct Occurrence<'r> {
    /// The finding as it is on the first of the platforms.
    pub(super) finding: &'r Finding,
    /// The platforms; empty where the whole image is meant.
    pub(super) platforms: Vec<&'r str>,
    /// Whether the layer has the same digest on each of them.
    pub(super) one_layer: bool,
}

impl<'r> Occurrence<'r> {
    /// The digest of its layer, where there is one digest to name.
    pub(super) fn layer_digest(&self) -> Option<&'r str> {
        self.finding.layer.as_ref().filter(|_| self.one_layer).map(|layer| layer.digest.as_str())
    }

    fn layer_index(&self) -> Option<u64> {
        self.finding.layer.as_ref().map(|layer| layer.index)
    }
}

/// Findings that differ in nothing but their platform become one.
///
/// Two builds of one instruction are two layers, so the digest of the layer may
/// differ; the layer's place and instruction may not.
pub(super) fn across_platforms<'r>(findings: &[&'r Finding]) -> Vec<Occurrence<'r>> {
    let groups = grouped(findings.iter().copied(), |finding: &&'r Finding| {
        let finding: &'r Finding = finding;
        (
            (finding.severity, &finding.rule, &finding.path, finding.layer.as_ref().map(|layer| layer.index)),
            (&finding.message, &finding.hint, &finding.cause, &finding.instruction),
            // Without a platform a finding is about the image, and stays apart.
            (&finding.expected, &finding.observed, &finding.reached_by, finding.platform.is_some()),
        )
    });
    groups.iter().filter_map(|same| occurrence(same)).collect()
}

fn occurrence<'r>(same: &[&'r Finding]) -> Option<Occurrence<'r>> {
    let finding = *same.first()?;
    let mut platforms: Vec<&str> = same.iter().filter_map(|finding| finding.platform.as_deref()).collect();
    platforms.dedup();
    Some(Occurrence { finding, platforms, one_layer: same.iter().all(|other| other.layer == finding.layer) })
}

/// Occurrences that one block can tell: the same rule with the same cause, from
/// the same layer, on the same platforms. Only files fold: two messages without
/// a path are two things to know. What a container would start comes first.
pub(super) fn into_blocks<'r>(occurrences: Vec<Occurrence<'r>>) -> Vec<Vec<Occurrence<'r>>> {
    let mut blocks = grouped(occurrences, |occurrence: &Occurrence<'r>| {
        let finding = occurrence.finding;
        (
            (finding.severity, &finding.rule, &finding.cause),
            (occurrence.layer_index(), occurrence.layer_digest(), &finding.instruction),
            (occurrence.platforms.clone(), finding.path.is_none().then_some(&finding.message)),
        )
    });
    for block in &mut blocks {
        block.sort_by_key(|occurrence| occurrence.finding.reached_by.is_none());
    }
    blocks
}

/// Notes fold further: one rule on one layer of the same platforms, whatever the cause.
pub(super) fn into_notes<'r>(occurrences: Vec<Occurrence<'r>>) -> Vec<Vec<Occurrence<'r>>> {
    grouped(occurrences, |occurrence: &Occurrence<'r>| {
        let finding = occurrence.finding;
        (&finding.rule, occurrence.layer_index(), occurrence.layer_digest(), occurrence.platforms.clone())
    })
}

/// Whether it is one that never fails a run.
pub(super) fn is_note(occurrence: &Occurrence<'_>) -> bool {
    occurrence.finding.severity == Severity::Note
}

/// Groups in the order of their first members, members in the order they came in.
pub(super) fn grouped<T, K: Eq + Hash>(items: impl IntoIterator<Item = T>, key: impl Fn(&T) -> K) -> Vec<Vec<T>> {
    let mut places: HashMap<K, usize> = HashMap::new();
    let mut groups: Vec<Vec<T>> = Vec::new();
    for item in items {
        let place = *places.entry(key(&item)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(item),
            None => groups.push(vec![item]),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LayerRef;
    use crate::sample;
    use rstest::rstest;

    fn on(platform: &str, path: &str) -> Finding {
        let message = format!("{path} is wrong");
        Finding { platform: Some(platform.into()), path: Some(path.into()), message, ..sample::finding() }
    }

    /// The blocks, each as its platforms and paths.
    fn blocks(findings: &[Finding]) -> Vec<(Vec<String>, Vec<String>)> {
        let findings: Vec<&Finding> = findings.iter().collect();
        into_blocks(across_platforms(&findings))
            .into_iter()
            .map(|block| {
                let platforms = block[0].platforms.iter().map(|&name| name.to_owned()).collect();
                (platforms, block.iter().map(|o| o.finding.path.clone().unwrap_or_default()).collect())
            })
            .collect()
    }

    fn block(platforms: &[&str], paths: &[&str]) -> (Vec<String>, Vec<String>) {
        (platforms.iter().map(|&s| s.into()).collect(), paths.iter().map(|&s| s.into()).collect())
    }

    #[test]
    fn one_finding_on_two_platforms_is_one_block() {
        let found = blocks(&[on("linux/arm/v7", "/a"), on("linux/arm64", "/a"), on("linux/arm64", "/b")]);
        assert_eq!(found, [block(&["linux/arm/v7", "linux/arm64"], &["/a"]), block(&["linux/arm64"], &["/b"])]);
    }

    #[test]
    fn a_layer_built_per_platform_folds_and_has_no_digest_to_name() {
        let mut other = on("linux/arm64", "/a");
        other.layer = Some(LayerRef { index: 3, digest: sample::digest(0x44) });
        let both = [&on("linux/amd64", "/a"), &other];
        let folded = across_platforms(&both);
        assert_eq!((folded.len(), folded[0].layer_digest()), (1, None));
        assert_eq!(across_platforms(&both[..1])[0].layer_digest(), Some(&*sample::digest(0x33)));
    }

    type Change = fn(&mut Finding);

    #[rstest]
    #[case(|f: &mut Finding| f.rule = "binary/malformed".into())]
    #[case(|f: &mut Finding| f.severity = Severity::Warning)]
    #[case(|f: &mut Finding| f.cause = None)]
    #[case(|f: &mut Finding| f.layer = None)]
    #[case(|f: &mut Finding| f.layer = Some(LayerRef { index: 4, digest: sample::digest(0x33) }))]
    #[case(|f: &mut Finding| f.platform = None)]
    #[case(|f: &mut Finding| f.instruction = None)]
    fn what_differs_in_what_a_block_says_once_does_not_fold(#[case] change: Change) {
        let mut other = on("linux/arm64", "/b");
        assert_eq!(blocks(&[on("linux/arm64", "/a"), other.clone()]).len(), 1);
        change(&mut other);
        assert_eq!(blocks(&[on("linux/arm64", "/a"), other]).len(), 2);
    }

    #[test]
    fn findings_without_a_path_fold_only_with_their_like() {
        let missing = |name: &str| Finding {
            path: None,
            platform: None,
            message: format!("{name} is missing"),
            ..sample::finding()
        };
        assert_eq!(blocks(&[missing("linux/arm64"), missing("linux/s390x")]).len(), 2);
    }

    #[test]
    fn what_a_container_would_start_leads_its_block() {
        let mut unreached = on("linux/arm64", "/a");
        unreached.reached_by = None;
        assert_eq!(blocks(&[unreached, on("linux/arm64", "/b")]), [block(&["linux/arm64"], &["/b", "/a"])]);
    }

    #[test]
    fn notes_fold_over_causes_but_not_over_layers() {
        let note = |path: &str, cause: &str, layer: u64| Finding {
            severity: Severity::Note,
            cause: Some(cause.into()),
            layer: Some(LayerRef { index: layer, digest: sample::digest(1) }),
            ..on("linux/arm64", path)
        };
        let notes = [note("/a", "one", 1), note("/b", "two", 1), note("/c", "one", 2)];
        let notes: Vec<&Finding> = notes.iter().collect();
        let sizes: Vec<usize> = into_notes(across_platforms(&notes)).iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 1]);
    }
}
