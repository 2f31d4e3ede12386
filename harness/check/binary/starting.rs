//! `binary/entrypoint-missing` and `binary/entrypoint-not-executable`.

use super::Subject;
use super::start::{Found, Start, in_volume, quoted};
use crate::check::draft::Draft;
use crate::check::rule;
use mpcheck_reports::{Finding, Severity};

/// All findings of both rules.
pub(super) fn findings(subject: &Subject<'_>, starts: &[Start]) -> Vec<Finding> {
    starts.iter().filter(|start| start.is_certain).filter_map(|start| finding(subject, start)).collect()
}

fn finding(subject: &Subject<'_>, start: &Start) -> Option<Finding> {
    let name = quoted(&start.name);
    let shown = name.escape_debug();
    let draft = match &start.found {
        Found::Program(_) => return None,
        Found::Missing(why) => {
            let message = format!("the image starts `{shown}`, which is not in it: {why}");
            let hint = "copy the program to where the image starts it, or correct ENTRYPOINT, CMD, WORKDIR or PATH; mind a COPY that fails only for some platforms";
            Draft::new(&rule::ENTRYPOINT_MISSING, message, hint).instead(name, "nothing")
        }
        Found::NotExecutable(real, why) => {
            let message = format!("the image starts `{shown}`, which cannot be executed: {why}");
            let hint = "make it executable in the build (`COPY --chmod=755`, or `RUN chmod +x`); a checkout on Windows and some artifact stores lose the bit";
            let draft = Draft::new(&rule::ENTRYPOINT_NOT_EXECUTABLE, message, hint).path(real).observed(why.clone());
            match subject.rootfs.get(real) {
                Some(node) => draft.layer(subject.platform, node.layer),
                None => draft,
            }
        }
    };
    // What lies in a volume may be brought when the container is run.
    let severity = if in_volume(subject.config, &start.name) { Severity::Warning } else { Severity::Error };
    Some(draft.severity(severity).on(subject.platform).reached_by(Some(start.place.clone())).done())
}
