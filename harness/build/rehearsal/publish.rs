//! Publishing an index of all platforms that one build made, and reading it back.

use super::super::fault::Doing;
use super::super::registry::Registry;
use super::super::step::{Outcome, Stop, Wrong};
use super::{Rehearsal, named, shown};
use crate::platform::Platform;

impl Rehearsal<'_> {
    pub(super) fn publish(&mut self) {
        self.registry();
        let (name, title) = ("publish/index", "Build all platforms at once and push them as one index");
        let Some(registry) = &self.registry else {
            return self.recorder.skip(name, title, None, "there is no registry to push to");
        };
        let Some((builder, _)) = self.several.clone() else {
            let why = self.no_builder();
            return self.recorder.skip(name, title, None, &why);
        };
        let (tag, all, context) = (registry.name("index"), self.all(), shown(&self.site.context()));
        let (insecure, platforms) = (registry.insecure, &self.plan.platforms);
        // An engine that keeps whole images keeps what it pushed as well.
        self.leftovers.image(&tag);
        let published = &mut self.published;
        self.recorder.step(name, title, None, |work| {
            work.push(
                &["buildx", "build", "--builder", &builder, "--platform", &all, "--tag", &tag, "--push", &context],
                &tag,
            )?;
            let mut inspect = vec!["manifest", "inspect"];
            inspect.extend(insecure.then_some("--insecure"));
            inspect.push(&tag);
            let listed = work.must(Doing::Push, None, &inspect)?.stdout;
            has_all("docker manifest inspect", &listed, platforms)?;
            let listed = work.must(Doing::Push, None, &["buildx", "imagetools", "inspect", "--raw", &tag])?.stdout;
            has_all("docker buildx imagetools inspect", &listed, platforms)?;
            let (inspected, told) = work.passes(&named(tag.clone(), platforms)?)?;
            published.push(("index".to_owned(), inspected.content));
            Ok(told)
        });
    }

    /// A registry to push to.
    fn registry(&mut self) {
        let title = "Find a registry to push to";
        if let Some(given) = &self.plan.registry {
            let registry = Registry::given(given, &self.site.name, self.plan.insecure);
            let told = format!("{}, as it was given", registry.repository);
            self.registry = Some(registry);
            self.recorder.step("registry", title, None, |_| Ok(Some(told)));
            return;
        }
        let (site, leftovers) = (self.site, &self.leftovers);
        let mut started = None;
        self.recorder.step("registry", title, None, |work| {
            let (registry, told) = Registry::start(work, site, leftovers)?;
            started = Some(registry);
            Ok(Some(told))
        });
        self.registry = started;
    }

    /// Why no builder builds several platforms at once.
    fn no_builder(&self) -> String {
        let why = |step: &&super::Step| match &step.outcome {
            Outcome::Passed(_) => None,
            Outcome::Skipped(why) => Some(why.clone()),
            Outcome::Failed(_) | Outcome::Wrong(_) | Outcome::Undecided(_) => {
                Some(format!("the step `{}` did not work", step.name))
            }
        };
        let tried = self.recorder.steps.iter().filter(|step| matches!(step.name.as_str(), "several" | "builder"));
        let reasons: Vec<String> = tried.filter_map(|step| why(&step)).collect();
        format!("no builder builds several platforms at once: {}", reasons.join("; "))
    }
}

/// What the tools list of an index has every platform.
fn has_all(by: &str, listed: &str, platforms: &[Platform]) -> Result<(), Stop> {
    let index: serde_json::Value =
        serde_json::from_str(listed).map_err(|error| Stop::Undecided(format!("`{by}` did not print JSON: {error}")))?;
    let entries = index.get("manifests").and_then(serde_json::Value::as_array).map_or(&[][..], Vec::as_slice);
    let has = |platform: &&Platform| {
        let same = |entry: &serde_json::Value| {
            let of = |key: &str| {
                entry.pointer(&format!("/platform/{key}")).and_then(|value| value.as_str()).unwrap_or_default()
            };
            of("os") == platform.os() && of("architecture") == platform.architecture()
        };
        entries.iter().any(same)
    };
    match platforms.iter().find(|platform| !has(platform)) {
        None => Ok(()),
        Some(lost) => Err(Stop::Wrong(Wrong::Image(format!("`{by}` lists no {lost}")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_must_be_listed() {
        let listed = r#"{"manifests":[{"platform":{"os":"linux","architecture":"amd64"}},{"digest":"x"}]}"#;
        let platforms = ["linux/amd64", "linux/arm64"].map(|text| Platform::parse(text).unwrap());
        assert!(has_all("it", listed, &platforms[..1]).is_ok());
        let stop = has_all("it", listed, &platforms).unwrap_err();
        assert!(matches!(&stop, Stop::Wrong(Wrong::Image(why)) if why == "`it` lists no linux/arm64"), "{stop:?}");
        assert!(matches!(has_all("it", "no JSON", &platforms), Err(Stop::Undecided(_))));
        // A manifest of one platform is no index.
        assert!(matches!(has_all("it", r#"{"layers":[]}"#, &platforms), Err(Stop::Wrong(_))));
    }
}
