//! Which image of which registry a name means, and whether that registry is this very machine.

use super::super::SourceError;
use crate::image::digest::Digest;
use std::net::{IpAddr, Ipv6Addr};

/// The registry of a name without one.
const DOCKER_HUB: &str = "docker.io";
/// The host that serves Docker Hub's API.
const DOCKER_HUB_API: &str = "index.docker.io";
/// The longest name, of registry and repository together.
const MAX_NAME_LENGTH: usize = 255;
/// The longest tag.
const MAX_TAG_LENGTH: usize = 128;

const FORM: &str =
    "Write it as [HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST], for example `debian:13` or `ghcr.io/owner/app:1.2`.";

/// An image in a registry: `HOST/REPOSITORY:TAG@DIGEST`, with Docker's defaults filled in.
#[derive(Debug, Clone)]
pub(super) struct Address {
    /// The registry as people call it, with its port: `docker.io`, `127.0.0.1:5000`.
    pub(super) registry: String,
    /// The host that serves its API; Docker Hub's is another than its name.
    pub(super) api_host: String,
    /// The repository: `library/ubuntu`.
    pub(super) repository: String,
    /// The tag, where one was given or neither tag nor digest was.
    pub(super) tag: Option<String>,
    /// The digest, which wins over the tag.
    pub(super) digest: Option<Digest>,
}

/// What is wrong with a reference, and the next step.
type Wrong = (String, &'static str);

impl Address {
    /// Reads a reference as Docker does: `ubuntu` is `docker.io/library/ubuntu:latest`.
    ///
    /// The grammar is that of distribution's `reference` package. It is read by hand: oci-client's regular expression
    /// for it takes longer to be compiled than a registry takes to answer.
    pub(super) fn parse(reference: &str) -> Result<Self, SourceError> {
        Self::read(reference).map_err(|(why, hint)| SourceError::Reference {
            reference: super::shorten(reference, 200),
            why,
            hint: hint.to_owned(),
        })
    }

    fn read(reference: &str) -> Result<Self, Wrong> {
        if let Some((scheme, _)) = reference.split_once("://") {
            let why = format!("it starts with `{}://`, and a reference has no scheme", super::shorten(scheme, 20));
            return Err((why, "Leave the scheme out: `ghcr.io/owner/app:1.2`."));
        }
        let (name, digest) = match reference.split_once('@') {
            Some((name, digest)) => (name, Some(read_digest(digest)?)),
            None => (reference, None),
        };
        let (name, tag) = match name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
            Some((name, tag)) => (name, Some(read_tag(tag)?)),
            None => (name, None),
        };
        let (registry, repository) = split_registry(name)?;
        check_repository(&repository)?;
        if registry.len() + 1 + repository.len() > MAX_NAME_LENGTH {
            return Err((format!("its name is longer than {MAX_NAME_LENGTH} characters"), FORM));
        }
        let tag = tag.or_else(|| digest.is_none().then(|| "latest".to_owned()));
        let api_host = if registry == DOCKER_HUB { DOCKER_HUB_API } else { &registry }.to_owned();
        Ok(Self { registry, api_host, repository, tag, digest })
    }

    /// The path of the root's manifest below `/v2/`.
    pub(super) fn root_path(&self) -> String {
        let reference = self.digest.as_ref().map_or_else(|| self.tag.as_deref().unwrap_or("latest"), Digest::as_str);
        format!("{}/manifests/{reference}", self.repository)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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

fn read_digest(text: &str) -> Result<Digest, Wrong> {
    Digest::parse(text)
        .map_err(|error| (error.to_string(), "After `@` comes the whole digest: `sha256:` and 64 hexadecimal digits."))
}

fn read_tag(tag: &str) -> Result<String, Wrong> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if tag.starts_with(word) && tag.len() <= MAX_TAG_LENGTH && tag.chars().all(|c| word(c) || matches!(c, '.' | '-')) {
        return Ok(tag.to_owned());
    }
    let why = format!("`{}` is no tag", super::shorten(tag, 140));
    Err((why, "A tag has up to 128 letters, digits, `_`, `.` and `-`, and starts with none of the last two."))
}

/// The registry and the repository of a name. The first part is a registry only where it looks like one
/// (distribution's `splitDockerDomain`): by a dot, a port, a capital letter, or as `localhost`.
fn split_registry(name: &str) -> Result<(String, String), Wrong> {
    let looks_like_one = |first: &str| {
        first.contains(['.', ':']) || first == "localhost" || first.contains(|c: char| c.is_ascii_uppercase())
    };
    let (registry, repository) = match name.split_once('/').filter(|(first, _)| looks_like_one(first)) {
        Some((registry, repository)) if is_host(registry) => (registry, repository),
        Some((registry, _)) => return Err((format!("`{}` is no host", super::shorten(registry, 80)), FORM)),
        None => (DOCKER_HUB, name),
    };
    if registry != DOCKER_HUB && registry != DOCKER_HUB_API {
        return Ok((registry.to_owned(), repository.to_owned()));
    }
    // Docker Hub keeps the images without an owner in `library`.
    let owner = if repository.contains('/') { "" } else { "library/" };
    Ok((DOCKER_HUB.to_owned(), format!("{owner}{repository}")))
}

/// A host name, an IPv4 address or an IPv6 address in brackets, with or without a port.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err() || port.starts_with('+')) {
        return false;
    }
    if let Some(inner) = host.strip_prefix('[') {
        return inner.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    host.split('.').all(|part| {
        part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.ends_with(|c: char| c.is_ascii_alphanumeric())
    })
}

fn check_repository(repository: &str) -> Result<(), Wrong> {
    if repository.is_empty() || repository == "library/" {
        return Err(("there is no repository in it".to_owned(), FORM));
    }
    if repository.contains(|c: char| c.is_ascii_uppercase()) {
        let hint = "Write the repository in lower case; only tags may have capital letters.";
        return Err(("repository names are lower-case".to_owned(), hint));
    }
    if let Some(part) = repository.split('/').find(|part| !is_path_component(part)) {
        let why = format!("`{}` is no part of a repository's name", super::shorten(part, 80));
        return Err((why, FORM));
    }
    let id = repository.strip_prefix("library/").unwrap_or_default();
    if id.len() == 64 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        let why = "it is an image's ID, and registries know none".to_owned();
        return Err((why, "Name the repository too: `ghcr.io/owner/app@sha256:...`."));
    }
    Ok(())
}

/// Lower-case letters and digits, with one `.`, one or two `_`, or any number of `-` between them.
fn is_path_component(part: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    part.starts_with(alphanumeric)
        && part.ends_with(alphanumeric)
        && part
            .split(alphanumeric)
            .all(|between| matches!(between, "" | "." | "_" | "__") || between.bytes().all(|b| b == b'-'))
}

/// Whether a registry's host, with or without a port, is this machine itself: `localhost`, `*.localhost`
/// (RFC 6761, section 6.3), 127.0.0.0/8 or `[::1]`. Such registries may speak plain HTTP.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(inner) => inner.split(']').next().unwrap_or_default(),
        // Without brackets several colons are an IPv6 address, one is a port.
        None if host.matches(':').count() > 1 => host,
        None => host.split(':').next().unwrap_or_default(),
    };
    if let Ok(address) = name.parse::<IpAddr>() {
        return address.to_canonical().is_loopback();
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[rstest]
    #[case("ubuntu", "docker.io", "index.docker.io", "library/ubuntu/manifests/latest")]
    #[case("owner/app:1", "docker.io", "index.docker.io", "owner/app/manifests/1")]
    #[case("ghcr.io/a/b:V1", "ghcr.io", "ghcr.io", "a/b/manifests/V1")]
    #[case("127.0.0.1:5000/app", "127.0.0.1:5000", "127.0.0.1:5000", "app/manifests/latest")]
    #[case("[::1]:5000/a/b:1", "[::1]:5000", "[::1]:5000", "a/b/manifests/1")]
    #[case("[::1]/app", "[::1]", "[::1]", "app/manifests/latest")]
    #[case("localhost/app", "localhost", "localhost", "app/manifests/latest")]
    #[case("index.docker.io/app", "docker.io", "index.docker.io", "library/app/manifests/latest")]
    #[case("docker.io/a/b", "docker.io", "index.docker.io", "a/b/manifests/latest")]
    #[case("test.com:5000", "docker.io", "index.docker.io", "library/test.com/manifests/5000")]
    #[case("test:5000/repo", "test:5000", "test:5000", "repo/manifests/latest")]
    #[case("Test/repo", "Test", "Test", "repo/manifests/latest")]
    #[case("foo_bar.com:8080", "docker.io", "index.docker.io", "library/foo_bar.com/manifests/8080")]
    #[case("foo/foo_bar.com:8080", "docker.io", "index.docker.io", "foo/foo_bar.com/manifests/8080")]
    #[case("xn--n3h.com/my__image/a---b.c:_x", "xn--n3h.com", "xn--n3h.com", "my__image/a---b.c/manifests/_x")]
    fn names_are_read_as_docker_reads_them(
        #[case] reference: &str,
        #[case] registry: &str,
        #[case] api_host: &str,
        #[case] path: &str,
    ) {
        let address = Address::parse(reference).unwrap();
        assert_eq!(
            (address.registry.as_str(), address.api_host.as_str(), address.root_path().as_str()),
            (registry, api_host, path)
        );
    }

    #[test]
    fn a_digest_wins_over_a_tag() {
        let address = Address::parse(&format!("ghcr.io/a/b:1@sha256:{HEX}")).unwrap();
        assert_eq!(address.root_path(), format!("a/b/manifests/sha256:{HEX}"));
        assert_eq!(address.to_string(), format!("ghcr.io/a/b:1@sha256:{HEX}"));
    }

    #[rstest]
    #[case("", "no repository")]
    #[case(":1", "no repository")]
    #[case("ghcr.io/", "no repository")]
    #[case("ghcr.io//app", "`` is no part")]
    #[case("https://ghcr.io/a/b", "starts with `https://`")]
    #[case("ghcr.io/Owner/app", "lower-case")]
    #[case("App", "lower-case")]
    #[case("a b", "`a b` is no part")]
    #[case("a..b", "is no part")]
    #[case("a___b", "is no part")]
    #[case("a-_b", "is no part")]
    #[case("-a", "is no part")]
    #[case("a/b/", "is no part")]
    #[case("caf\u{e9}", "is no part")]
    #[case("../../etc/passwd", "`..` is no host")]
    #[case("a/../b", "`..` is no part")]
    #[case("app:", "`` is no tag")]
    #[case("app:.x", "is no tag")]
    #[case("app:a b", "is no tag")]
    #[case("app:a?b", "is no tag")]
    #[case("user@host.example/app", "is no digest")]
    #[case("app@sha256:abcd", "64 lower-case")]
    #[case("app@", "is no digest")]
    #[case("app@sha256:ABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCD", "lower-case hexadecimal")]
    #[case(HEX, "image's ID")]
    #[case("host.example:99999/app", "is no host")]
    #[case("host.example:/app", "is no host")]
    #[case("host.example:+1/app", "is no host")]
    #[case("host..example/app", "is no host")]
    #[case("-host.example/app", "is no host")]
    #[case("host.example#/app", "is no host")]
    #[case("[::1/app", "is no host")]
    #[case("[::1]:99999/app", "is no host")]
    #[case("[::1]", "is no")]
    fn a_name_that_is_none_is_refused_with_the_reason(#[case] reference: &str, #[case] why: &str) {
        let error = Address::parse(reference).unwrap_err();
        assert!(matches!(&error, SourceError::Reference { why: said, .. } if said.contains(why)), "{error}");
        assert!(error.hint().is_some_and(|hint| !hint.is_empty()));
    }

    #[test]
    fn a_name_has_a_longest_length() {
        assert!(Address::parse(&format!("r.example/{}", "a".repeat(245))).is_ok());
        assert!(Address::parse(&format!("r.example/{}", "a".repeat(246))).is_err());
        assert!(Address::parse(&format!("app:{}", "a".repeat(128))).is_ok());
        assert!(Address::parse(&format!("app:{}", "a".repeat(129))).is_err());
    }

    #[rstest]
    #[case("localhost", true)]
    #[case("localhost:5000", true)]
    #[case("LOCALHOST:5000", true)]
    #[case("registry.localhost:5000", true)]
    #[case("127.0.0.1", true)]
    #[case("127.3.2.1:80", true)]
    #[case("[::1]:5000", true)]
    #[case("::1", true)]
    #[case("[::ffff:127.0.0.1]:5000", true)]
    #[case("localhost.example", false)]
    #[case("notlocalhost", false)]
    #[case("127.0.0.1.example:5000", false)]
    #[case("128.0.0.1", false)]
    #[case("10.0.0.1:5000", false)]
    #[case("0.0.0.0:5000", false)]
    #[case("[::2]:5000", false)]
    #[case("", false)]
    fn loopback_is_this_machine_only(#[case] host: &str, #[case] expected: bool) {
        assert_eq!(is_loopback(host), expected);
    }
}
