//! The name of an image in a registry or an engine: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`.
//!
//! Source: the grammar of distribution/reference (`reference.go`, `normalize.go`),
//! which the OCI distribution spec's `<name>` and `<reference>` agree with.

use crate::image::digest::{Digest, DigestError};
use std::fmt;

/// Where names without a registry point.
const DEFAULT_REGISTRY: &str = "docker.io";
/// Where names of one component on [`DEFAULT_REGISTRY`] point.
const OFFICIAL: &str = "library";
/// Repository names may have this many characters, host included.
const MAX_NAME: usize = 255;
/// Tags may have this many characters.
const MAX_TAG: usize = 128;

/// An image's name, with what a short name leaves out filled in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageName {
    /// `docker.io`, `registry.example:5000`, `[::1]:5000`.
    pub registry: String,
    /// `library/debian`, `team/app`.
    pub repository: String,
    /// The tag; `None` where there is a digest and no tag. A name with neither has `latest`.
    pub tag: Option<String>,
    /// The digest, which wins over the tag.
    pub digest: Option<Digest>,
}

/// Why a text is no image name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing, or nothing before the tag.
    #[error("it has no repository")]
    NoRepository,
    /// An upper-case letter in the repository.
    #[error("the repository `{0}` has upper-case letters, and repositories are lower-case")]
    UpperCase(String),
    /// A component of the repository breaks the grammar.
    #[error(
        "`{0}` is no repository component: lower-case letters and digits, with single `.`, `_`, `__` or dashes between them"
    )]
    Component(String),
    /// The host before the first slash breaks the grammar.
    #[error("`{0}` is no registry host: HOST, HOST:PORT or [IPV6]:PORT")]
    Host(String),
    /// The tag breaks the grammar.
    #[error("`{0}` is no tag: a letter, digit or `_`, then up to 127 letters, digits, `_`, `.` or `-`")]
    Tag(String),
    /// What follows the `@` is no digest.
    #[error("{0}")]
    Digest(DigestError),
    /// Longer than any registry takes.
    #[error("it has more than {MAX_NAME} characters before the tag")]
    TooLong,
    /// 64 hexadecimal digits: an image id, which is no name.
    #[error("64 hexadecimal digits are an image id, and an id is no name")]
    Id,
}

impl ImageName {
    /// Reads a name as `docker pull` does: without a registry it is Docker Hub's,
    /// without a tag and digest it is `latest`.
    ///
    /// # Errors
    /// When the text breaks the grammar.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(Digest::parse(digest).map_err(NameError::Digest)?)),
            None => (text, None),
        };
        let (name, tag) = split_tag(rest);
        if name.chars().count() > MAX_NAME {
            return Err(NameError::TooLong);
        }
        if name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(NameError::Id);
        }
        let (registry, repository) = split_registry(name)?;
        check_repository(&repository)?;
        if let Some(tag) = tag {
            check_tag(tag)?;
        }
        let tag = match (tag, &digest) {
            (Some(tag), _) => Some(tag.to_owned()),
            (None, Some(_)) => None,
            (None, None) => Some("latest".to_owned()),
        };
        Ok(Self { registry, repository, tag, digest })
    }

    /// The name as people write it: without `docker.io/` and `library/`, where what is left is still read
    /// as the same image. `docker.io/library/a/b` is another image than `a/b`, and in
    /// `docker.io/example.com/a` the second part would be taken for the registry.
    #[must_use]
    pub fn familiar(&self) -> String {
        let full = self.to_string();
        let short = full.strip_prefix("docker.io/").unwrap_or(&full);
        let official = short.strip_prefix("library/").unwrap_or(short);
        let same = |text: &&str| Self::parse(text).as_ref() == Ok(self);
        [official, short].into_iter().find(same).unwrap_or(&full).to_owned()
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// The tag is what follows the last colon, unless a slash follows it too: then that colon was a port's.
fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (text, None),
    }
}

/// The first component is a host when it has a dot or a colon, has an upper-case
/// letter, or is `localhost`; otherwise the name is Docker Hub's.
fn split_registry(name: &str) -> Result<(String, String), NameError> {
    if name.is_empty() {
        return Err(NameError::NoRepository);
    }
    if let Some((first, rest)) = name.split_once('/') {
        let is_host = first.contains(['.', ':', '['])
            || first == "localhost"
            || first.chars().any(|c| c.is_ascii_uppercase()) && rest.chars().all(|c| !c.is_ascii_uppercase());
        if is_host {
            check_host(first)?;
            let registry = if first == "index.docker.io" { DEFAULT_REGISTRY } else { first };
            let repository = if registry == DEFAULT_REGISTRY && !rest.contains('/') {
                format!("{OFFICIAL}/{rest}")
            } else {
                rest.to_owned()
            };
            return Ok((registry.to_owned(), repository));
        }
        return Ok((DEFAULT_REGISTRY.to_owned(), name.to_owned()));
    }
    Ok((DEFAULT_REGISTRY.to_owned(), format!("{OFFICIAL}/{name}")))
}

fn check_host(host: &str) -> Result<(), NameError> {
    let error = || NameError::Host(shown(host));
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']').ok_or_else(error)?;
            let literal = !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
            if !literal {
                return Err(error());
            }
            match after.strip_prefix(':') {
                Some(port) => ("v6", Some(port)),
                None if after.is_empty() => ("v6", None),
                None => return Err(error()),
            }
        }
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    let label = |l: &str| {
        !l.is_empty()
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let port_is_fine = port.is_none_or(|p| p.bytes().all(|b| b.is_ascii_digit()) && p.parse::<u16>().is_ok());
    if name.split('.').all(label) && port_is_fine { Ok(()) } else { Err(error()) }
}

fn check_repository(repository: &str) -> Result<(), NameError> {
    // What Docker Hub's short names leave out was never typed, so it is not shown.
    let typed = repository.strip_prefix("library/").unwrap_or(repository);
    if typed.is_empty() {
        return Err(NameError::NoRepository);
    }
    if repository.chars().any(|c| c.is_ascii_uppercase()) {
        return Err(NameError::UpperCase(shown(typed)));
    }
    match repository.split('/').find(|c| !is_component(c)) {
        Some(component) => Err(NameError::Component(shown(component))),
        None => Ok(()),
    }
}

/// Runs of letters and digits, with one separator between two runs: `.`, `_`, `__` or any number of dashes.
fn is_component(component: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    let ends = bytes.first().is_some_and(|b| alphanumeric(*b)) && bytes.last().is_some_and(|b| alphanumeric(*b));
    ends && component
        .split(|c: char| c.is_ascii() && alphanumeric(c as u8))
        .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-'))
}

fn check_tag(tag: &str) -> Result<(), NameError> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let fine = tag.len() <= MAX_TAG
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'));
    if fine { Ok(()) } else { Err(NameError::Tag(shown(tag))) }
}

/// A text from the command line or an image, fit for a message.
pub(crate) fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(160).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.chars().flat_map(|c| if c.is_control() { c.escape_debug().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[rstest]
    #[case("debian", "docker.io/library/debian:latest", "debian:latest")]
    #[case("app:1.2", "docker.io/library/app:1.2", "app:1.2")]
    #[case("team/app", "docker.io/team/app:latest", "team/app:latest")]
    #[case("localhost/app", "localhost/app:latest", "localhost/app:latest")]
    #[case("localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app:latest")]
    #[case("localhost:5000/a/b-c/d__e:v1", "localhost:5000/a/b-c/d__e:v1", "localhost:5000/a/b-c/d__e:v1")]
    #[case("[::1]:5000/app:1", "[::1]:5000/app:1", "[::1]:5000/app:1")]
    #[case("ghcr.io/o/app", "ghcr.io/o/app:latest", "ghcr.io/o/app:latest")]
    #[case("docker.io/debian:13", "docker.io/library/debian:13", "debian:13")]
    #[case("index.docker.io/library/debian:13", "docker.io/library/debian:13", "debian:13")]
    #[case("Registry/app", "Registry/app:latest", "Registry/app:latest")]
    #[case("app:5000", "docker.io/library/app:5000", "app:5000")]
    #[case("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest")]
    #[case("docker.io/example.com/a", "docker.io/example.com/a:latest", "docker.io/example.com/a:latest")]
    #[case("docker.io/localhost/a", "docker.io/localhost/a:latest", "docker.io/localhost/a:latest")]
    #[case("docker.io/library/localhost/a", "docker.io/library/localhost/a:latest", "library/localhost/a:latest")]
    fn names_are_filled_in_as_docker_does(#[case] text: &str, #[case] full: &str, #[case] familiar: &str) {
        let name = ImageName::parse(text).unwrap();
        assert_eq!(name.to_string(), full);
        assert_eq!(name.familiar(), familiar);
    }

    #[test]
    fn a_digest_leaves_the_tag_out_and_keeps_one_that_is_there() {
        let name = ImageName::parse(&format!("app@sha256:{HEX}")).unwrap();
        assert_eq!(name.tag, None);
        assert_eq!(name.digest.as_ref().unwrap().hex(), HEX);
        let both = ImageName::parse(&format!("registry.example/app:1@sha256:{HEX}")).unwrap();
        assert_eq!(both.tag.as_deref(), Some("1"));
        assert_eq!(both.to_string(), format!("registry.example/app:1@sha256:{HEX}"));
    }

    #[rstest]
    #[case("", NameError::NoRepository)]
    #[case(":1", NameError::NoRepository)]
    #[case("registry.example/", NameError::NoRepository)]
    #[case("MyApp", NameError::UpperCase("MyApp".into()))]
    #[case("ghcr.io/Org/app", NameError::UpperCase("Org/app".into()))]
    #[case("Org/App", NameError::UpperCase("Org/App".into()))]
    #[case("a//b", NameError::Component(String::new()))]
    #[case("a b", NameError::Component("a b".into()))]
    #[case("a..b", NameError::Component("a..b".into()))]
    #[case("a___b", NameError::Component("a___b".into()))]
    #[case("-a", NameError::Component("-a".into()))]
    #[case("a\u{7}b", NameError::Component("a\\u{7}b".into()))]
    #[case("app:", NameError::Tag(String::new()))]
    #[case("app:.x", NameError::Tag(".x".into()))]
    #[case("host:port/app", NameError::Host("host:port".into()))]
    #[case("host:99999/app", NameError::Host("host:99999".into()))]
    #[case("[::1/app", NameError::Host("[::1".into()))]
    #[case("a..b/app", NameError::Host("a..b".into()))]
    #[case(HEX, NameError::Id)]
    fn what_breaks_the_grammar_is_named(#[case] text: &str, #[case] error: NameError) {
        assert_eq!(ImageName::parse(text), Err(error));
    }

    #[test]
    fn lengths_are_bounded() {
        assert_eq!(ImageName::parse(&"a".repeat(256)), Err(NameError::TooLong));
        assert!(ImageName::parse(&format!("app:{}", "t".repeat(128))).is_ok());
        assert!(matches!(ImageName::parse(&format!("app:{}", "t".repeat(129))), Err(NameError::Tag(_))));
        assert!(matches!(ImageName::parse("app@sha256:abc"), Err(NameError::Digest(_))));
    }
}
