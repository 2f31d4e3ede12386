//! What to do about an image that could not be read.

use super::examine::ExamineError;
use super::reference::{ImageName, Location, PathKind};
use super::source::SourceError;
use std::path::Path;

/// The next step, as what follows the error and a `; `.
///
/// `reference` is what was typed, `kind` says what lies at a path, and `engine_has`
/// whether the engine has an image: it is asked only where that could help.
pub(super) fn after(
    error: &ExamineError,
    reference: &str,
    location: &Location,
    kind: &dyn Fn(&Path) -> PathKind,
    engine_has: impl FnOnce(&ImageName) -> bool,
) -> Option<String> {
    let error = match error {
        ExamineError::Source(error) => error,
        ExamineError::Artifact(_) => return Some("name an image, as mpcheck checks nothing else".to_owned()),
    };
    let hint = error.hint().map(str::to_owned);
    let Location::Registry { name } = location else { return hint };
    if !may_be_elsewhere(error) {
        return hint;
    }
    // `docker://` says that a registry is meant, and nothing here.
    let plain = Some(reference).filter(|typed| !typed.contains("://"));
    if let Some(written) = plain.and_then(|typed| as_path(typed, kind)) {
        return Some(written);
    }
    if engine_has(name) {
        return Some(format!("the Docker engine has it: write `docker-daemon:{}`", name.familiar()));
    }
    let looks_like_a_path = plain
        .and_then(|typed| typed.split_once('/'))
        .is_some_and(|(first, _)| matches!(kind(Path::new(first)), PathKind::Directory | PathKind::Layout));
    let looked = "there is no such file here, so it was looked for in a registry";
    match hint {
        Some(hint) if looks_like_a_path => Some(format!("{looked}; {hint}")),
        None if looks_like_a_path => Some(looked.to_owned()),
        hint => hint,
    }
}

/// Whether an image that a registry did not give may be found somewhere else.
const fn may_be_elsewhere(error: &SourceError) -> bool {
    matches!(error, SourceError::NotFound { .. } | SourceError::Unauthorized { .. } | SourceError::Unreachable { .. })
}

/// How to write `DIR:TAG` where DIR is a layout or an archive here: it reads as a registry's name.
fn as_path(typed: &str, kind: &dyn Fn(&Path) -> PathKind) -> Option<String> {
    let (path, selector) = match typed.split_once('@') {
        Some((path, digest)) => (path, format!("@{digest}")),
        None => typed.rsplit_once(':').map(|(path, tag)| (path, format!(":{tag}")))?,
    };
    match kind(Path::new(path)) {
        PathKind::Layout => Some(format!("`{path}` is an OCI layout here: write `oci:{path}{selector}`")),
        PathKind::Archive => Some(format!("`{path}` is an archive here: write `./{path}{selector}`")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const WHAT: &str = "registry docker.io";
    const HINT: &str = "check the name";

    fn not_found() -> SourceError {
        SourceError::NotFound { what: WHAT.into(), why: "404".into(), hint: HINT.into() }
    }

    fn unauthorized() -> SourceError {
        SourceError::Unauthorized { what: WHAT.into(), why: "401".into(), hint: HINT.into() }
    }

    fn unreachable() -> SourceError {
        SourceError::Unreachable { what: WHAT.into(), why: "no connection".into(), hint: HINT.into() }
    }

    fn invalid() -> SourceError {
        SourceError::Invalid { what: WHAT.into(), why: "HTML".into(), hint: HINT.into() }
    }

    /// A small world: what lies where.
    fn kind(path: &Path) -> PathKind {
        match path.to_str().unwrap() {
            "all" | "demo" => PathKind::Directory,
            "all/good" | "out" => PathKind::Layout,
            "saved" => PathKind::Archive,
            _ => PathKind::Missing,
        }
    }

    fn told(error: SourceError, reference: &str, engine_has: bool) -> Option<String> {
        let location = Location::parse_with(reference, &|_| PathKind::Missing).unwrap();
        after(&error.into(), reference, &location, &kind, |_| engine_has)
    }

    #[rstest]
    #[case(not_found())]
    #[case(unauthorized())]
    #[case(unreachable())]
    fn the_engine_is_asked_where_the_registry_does_not_help(#[case] error: SourceError) {
        let hint = told(error.clone(), "app:1", true);
        assert_eq!(hint.as_deref(), Some("the Docker engine has it: write `docker-daemon:app:1`"));
        assert_eq!(told(error, "app:1", false).as_deref(), Some(HINT));
    }

    #[test]
    fn the_engine_is_not_asked_about_what_is_broken() {
        assert_eq!(told(invalid(), "app:1", true).as_deref(), Some(HINT));
        let location = Location::parse_with("docker-daemon:app", &kind).unwrap();
        let asked = after(&unreachable().into(), "docker-daemon:app", &location, &kind, |_| panic!("it is the engine"));
        assert_eq!(asked.as_deref(), Some(HINT));
    }

    #[rstest]
    #[case("all/good:latest", "`all/good` is an OCI layout here: write `oci:all/good:latest`")]
    #[case("out:v1", "`out` is an OCI layout here: write `oci:out:v1`")]
    #[case("saved:v1", "`saved` is an archive here: write `./saved:v1`")]
    fn a_tag_of_a_layout_that_lies_here_is_told(#[case] reference: &str, #[case] hint: &str) {
        assert_eq!(told(unreachable(), reference, true).as_deref(), Some(hint));
        assert_eq!(told(unreachable(), &format!("docker://{reference}"), false).as_deref(), Some(HINT));
    }

    #[test]
    fn a_digest_of_a_layout_that_lies_here_is_told() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let hint = told(not_found(), &format!("out@{digest}"), false).unwrap();
        assert!(hint.ends_with(&format!("write `oci:out@{digest}`")), "{hint}");
    }

    #[rstest]
    #[case("demo/nothere", true)]
    #[case("demo/a/b:1", true)]
    #[case("docker://demo/nothere", false)]
    #[case("elsewhere/app", false)]
    #[case("app", false)]
    fn what_looks_like_a_path_is_told_to_be_none(#[case] reference: &str, #[case] path: bool) {
        let hint = told(unreachable(), reference, false).unwrap();
        let looked = "there is no such file here, so it was looked for in a registry; check the name";
        assert_eq!(hint, if path { looked } else { HINT });
    }

    #[test]
    fn an_artifact_is_no_image() {
        let location = Location::parse_with("app", &kind).unwrap();
        let hint = after(&ExamineError::Artifact("x".into()), "app", &location, &kind, |_| true);
        assert_eq!(hint.as_deref(), Some("name an image, as mpcheck checks nothing else"));
    }
}
