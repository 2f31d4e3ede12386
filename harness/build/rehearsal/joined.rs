//! The other way to an index: one build and one push for each platform, joined afterwards.

use super::super::fault::{Cause, Doing, Fault};
use super::super::step::{Content, Stop, Work, Wrong};
use super::{Rehearsal, named, slug};
use crate::image::source::Store;
use crate::platform::Platform;

/// An image of one platform in the registry.
struct Part {
    platform: Platform,
    tag: String,
    build: Vec<String>,
}

impl Rehearsal<'_> {
    pub(super) fn joined(&mut self) {
        self.without_provenance();
        self.with_provenance();
    }

    /// The parts of an index, to be built with these options.
    fn parts(&self, what: &str, options: &[&str]) -> Option<Vec<Part>> {
        let registry = self.registry.as_ref()?;
        let part = |platform: &Platform| {
            let tag = registry.name(&format!("{what}-{}", slug(platform)));
            self.leftovers.image(&tag);
            Part { platform: platform.clone(), build: self.build_one(platform, options, &tag), tag }
        };
        Some(self.plan.platforms.iter().map(part).collect())
    }

    fn without_provenance(&mut self) {
        let (name, title) =
            ("publish/manifest", "Build and push each platform by itself, and join them with docker manifest");
        // The old builder makes none, and does not know the option.
        let options: &[&str] = if self.recorder.tools.buildkit.is_ok() { &["--provenance=false"] } else { &[] };
        let Some((parts, registry)) = self.parts("plain", options).zip(self.registry.as_ref()) else {
            return self.recorder.skip(name, title, None, "there is no registry to push to");
        };
        let (list, insecure, platforms) = (registry.name("manifest"), registry.insecure, &self.plan.platforms);
        self.leftovers.manifest(&list);
        let (published, all_pushed) = (&mut self.published, &mut self.pushed);
        self.recorder.step(name, title, None, |work| {
            push_all(work, &parts)?;
            all_pushed.push("plain");
            let done = work.docker(&create(&list, insecure, &parts));
            work.well(Doing::Push, None, done)?;
            for part in &parts {
                work.must(Doing::Push, None, &annotate(&list, part))?;
            }
            let mut words = vec!["manifest", "push", "--purge"];
            words.extend(insecure.then_some("--insecure"));
            words.push(&list);
            work.push(&words, &list)?;
            let (inspected, told) = work.passes(&named(list.clone(), platforms)?)?;
            published.push(("manifest".to_owned(), inspected.content));
            Ok(told)
        });
    }

    /// What BuildKit pushes with provenance is an index already, which `docker manifest create` cannot join.
    fn with_provenance(&mut self) {
        let names = ["publish/provenance", "publish/imagetools"];
        let titles = [
            "Try docker manifest create with images that were pushed with their provenance",
            "Join them with docker buildx imagetools create",
        ];
        let why = self.no_provenance();
        // imagetools joins what has no provenance just as well.
        let (what, option) =
            if why.is_some() { ("plain", "--provenance=false") } else { ("provenance", "--provenance=mode=max") };
        let options: &[&str] = if self.recorder.tools.buildkit.is_ok() { &[option] } else { &[] };
        let Some((parts, registry)) = self.parts(what, options).zip(self.registry.as_ref()) else {
            names.iter().zip(titles).for_each(|(name, title)| {
                self.recorder.skip(name, title, None, "there is no registry to push to");
            });
            return;
        };
        let (list, insecure) = (registry.name("refused"), registry.insecure);
        let joined = registry.name("imagetools");
        match &why {
            Some(why) => self.recorder.skip(names[0], titles[0], None, why),
            None => {
                self.leftovers.manifest(&list);
                let all_pushed = &mut self.pushed;
                self.recorder.step(names[0], titles[0], None, |work| {
                    push_all(work, &parts)?;
                    all_pushed.push(what);
                    refused(work, &create(&list, insecure, &parts))
                });
            }
        }
        if let Err(why) = &self.recorder.tools.buildx {
            return self.recorder.skip(names[1], titles[1], None, &format!("there is no buildx: {why}"));
        }
        if !self.pushed.contains(&what) {
            return self.recorder.skip(names[1], titles[1], None, "the images to be joined could not all be pushed");
        }
        let (platforms, published) = (&self.plan.platforms, &mut self.published);
        self.recorder.step(names[1], titles[1], None, |work| {
            let mut words = vec!["buildx", "imagetools", "create", "--tag", &joined];
            words.extend(parts.iter().map(|part| part.tag.as_str()));
            work.push(&words, &joined)?;
            let (inspected, told) = work.passes(&named(joined.clone(), platforms)?)?;
            published.push(("imagetools".to_owned(), inspected.content));
            Ok(told)
        });
    }

    fn no_provenance(&self) -> Option<String> {
        let tools = self.recorder.tools;
        match (&tools.buildkit, tools.store) {
            (Err(why), _) => Some(format!("provenance needs BuildKit: {why}")),
            (Ok(()), Store::Containerd) => None,
            (Ok(()), _) => Some("the engine's image store keeps no attestations: what it pushes has none".to_owned()),
        }
    }

    /// Whatever way an index was published, it has the same programs. (The old builder leaves mount points behind.)
    pub(super) fn compare(&mut self) {
        let (name, title) = ("publish/compare", "Compare what the ways of publishing gave");
        let published = &self.published;
        if published.len() < 2 {
            let why = format!("{} of the ways came to an end, so there is nothing to compare", published.len());
            return self.recorder.skip(name, title, None, &why);
        }
        self.recorder.step(name, title, None, |_| {
            let Some(((first, content), others)) = published.split_first() else { return Ok(None) };
            for (other, of_other) in others {
                if let Some(what) = difference(content, of_other) {
                    return Err(Stop::Wrong(Wrong::Differs(format!("`{first}` and `{other}` differ: {what}"))));
                }
            }
            let names: Vec<&str> = published.iter().map(|(name, _)| name.as_str()).collect();
            let platforms: Vec<&str> = content.keys().map(String::as_str).collect();
            Ok(Some(format!("{} have the same programs in {}", names.join(", "), platforms.join(", "))))
        });
    }
}

fn push_all(work: &mut Work<'_>, parts: &[Part]) -> Result<(), Stop> {
    for part in parts {
        work.must(Doing::Build, Some(&part.platform), &part.build)?;
        work.push(&["push", &part.tag], &part.tag)?;
    }
    Ok(())
}

fn create(list: &str, insecure: bool, parts: &[Part]) -> Vec<String> {
    let words = ["manifest", "create"].into_iter().chain(insecure.then_some("--insecure")).chain([list]);
    words.chain(parts.iter().map(|part| part.tag.as_str())).map(str::to_owned).collect()
}

fn annotate(list: &str, part: &Part) -> Vec<String> {
    let platform = &part.platform;
    let mut words = vec!["manifest", "annotate", "--os", platform.os(), "--arch", platform.architecture()];
    if let Some(variant) = platform.variant() {
        words.extend(["--variant", variant]);
    }
    words.extend([list, &part.tag]);
    words.into_iter().map(str::to_owned).collect()
}

/// It must be refused for the reason that is known; a docker that can do it is as well.
fn refused(work: &mut Work<'_>, words: &[String]) -> super::super::step::Ended {
    let done = work.docker(words);
    if done.is_well() {
        return Ok(Some("this docker joins them".to_owned()));
    }
    let fault = Fault::of(&done, Doing::Push, None);
    if fault.cause == Cause::IsList {
        let told = "refused, as is known: \"is a manifest list\" (`mpcheck explain build/manifest-list`); build with \
                    --provenance=false, or join them with docker buildx imagetools create";
        return Ok(Some(told.to_owned()));
    }
    Err(Stop::Failed(Box::new(fault)))
}

/// The first thing in which two images differ.
fn difference(one: &Content, other: &Content) -> Option<String> {
    let names = |content: &Content| content.keys().cloned().collect::<Vec<_>>().join(", ");
    if !one.keys().eq(other.keys()) {
        return Some(format!("one has {}, the other {}", names(one), names(other)));
    }
    one.iter().zip(other.values()).find_map(|((platform, files), others)| {
        let differs = |path: &&Vec<u8>| files.get(*path) != others.get(*path);
        let path = files.keys().chain(others.keys()).find(differs)?;
        Some(format!("{} of {platform}", String::from_utf8_lossy(path).escape_debug()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(platform: &str, files: &[(&str, &str)]) -> Content {
        let files = files.iter().map(|(path, digest)| (path.as_bytes().to_vec(), (*digest).to_owned())).collect();
        [(platform.to_owned(), files)].into()
    }

    #[test]
    fn what_differs_is_named() {
        let one = content("linux/arm64", &[("/a", "1"), ("/b", "2")]);
        assert_eq!(difference(&one, &one), None);
        let changed = content("linux/arm64", &[("/a", "1"), ("/b", "3")]);
        assert_eq!(difference(&one, &changed).as_deref(), Some("/b of linux/arm64"));
        let more = content("linux/arm64", &[("/a", "1"), ("/b", "2"), ("/c", "3")]);
        assert_eq!(difference(&one, &more).as_deref(), Some("/c of linux/arm64"));
        assert_eq!(difference(&more, &one).as_deref(), Some("/c of linux/arm64"));
        let other = content("linux/amd64", &[("/a", "1"), ("/b", "2")]);
        assert_eq!(difference(&one, &other).as_deref(), Some("one has linux/arm64, the other linux/amd64"));
    }
}
