//! Which image of which registry a name means, and whether that registry is this very machine.

use super::super::SourceError;
use crate::image::digest::Digest;
use oci_client::{ParseError, Reference};
use std::net::IpAddr;

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

impl Address {
    /// Reads a reference as Docker does: `ubuntu` is `docker.io/library/ubuntu:latest`.
    pub(super) fn parse(reference: &str) -> Result<Self, SourceError> {
        let shown = || super::shorten(reference, 200);
        let wrong = |why: String, hint: &str| SourceError::Reference { reference: shown(), why, hint: hint.to_owned() };
        let (ipv6, rest) = split_ipv6(reference);
        let parsed = match ipv6 {
            // oci-client's grammar has no addresses in brackets, Docker's has:
            // any other host stands in for it.
            Some(_) => Reference::try_from(format!("ipv6.invalid{rest}").as_str()),
            None => Reference::try_from(reference),
        }
        .map_err(|error| {
            let (why, hint) = explain(reference, &error);
            wrong(why, hint)
        })?;
        let digest = parsed.digest().map(Digest::parse).transpose().map_err(|error| {
            wrong(error.to_string(), "Copy the whole digest, as `docker buildx imagetools inspect` shows it.")
        })?;
        let registry = ipv6.unwrap_or_else(|| parsed.registry());
        Ok(Self {
            registry: registry.to_owned(),
            api_host: ipv6.unwrap_or_else(|| parsed.resolve_registry()).to_owned(),
            repository: parsed.repository().to_owned(),
            tag: parsed.tag().map(ToOwned::to_owned),
            digest,
        })
    }

    /// The path of the root's manifest below `/v2/`.
    pub(super) fn root_path(&self) -> String {
        let reference = self.digest.as_ref().map_or_else(|| self.tag.as_deref().unwrap_or("latest"), Digest::as_str);
        format!("{}/manifests/{reference}", self.repository)
    }

    /// The host of the registry, in the form that `docker login` takes.
    pub(super) fn login_host(&self) -> &str {
        &self.registry
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

/// `[::1]:5000/app` as (`[::1]:5000`, `/app`), where the brackets hold an address and what follows is a port.
fn split_ipv6(reference: &str) -> (Option<&str>, &str) {
    let parts = || {
        let inner = reference.strip_prefix('[')?;
        let (address, _) = inner.split_once(']')?;
        address.parse::<std::net::Ipv6Addr>().ok()?;
        let (host, rest) = reference.split_at_checked(reference.find('/')?)?;
        let port = host.rsplit_once(']')?.1;
        let has_port = port.strip_prefix(':').is_some_and(|p| p.parse::<u16>().is_ok());
        (port.is_empty() || has_port).then_some((host, rest))
    };
    parts().map_or((None, reference), |(host, rest)| (Some(host), rest))
}

/// What is wrong with a reference, and what to write instead.
fn explain(reference: &str, error: &ParseError) -> (String, &'static str) {
    const FORM: &str = "Write it as [HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST], for example `debian:13` or \
                        `ghcr.io/owner/app:1.2`.";
    let name = reference.split(['@']).next().unwrap_or_default();
    if reference.is_empty() {
        return ("it is empty".to_owned(), FORM);
    }
    if let Some((scheme, _)) = reference.split_once("://") {
        let why = format!("it starts with `{}://`, and a reference has no scheme", super::shorten(scheme, 20));
        return (why, "Leave the scheme out: `ghcr.io/owner/app:1.2`.");
    }
    if reference.contains(char::is_whitespace) {
        return ("it has a space in it".to_owned(), FORM);
    }
    let repository = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(name, |(before, _)| before);
    let path = repository.split_once('/').map_or(repository, |(_, path)| path);
    if path.chars().any(|c| c.is_ascii_uppercase()) {
        return (
            "repository names are lower-case".to_owned(),
            "Write the repository in lower case; tags may be upper-case.",
        );
    }
    match error {
        ParseError::DigestInvalidFormat | ParseError::DigestInvalidLength | ParseError::DigestUnsupported => {
            (error.to_string(), "Give the whole digest: `@sha256:` and 64 hexadecimal digits.")
        }
        _ if reference.contains('@') => {
            (error.to_string(), "After `@` comes the whole digest: `sha256:` and 64 hexadecimal digits.")
        }
        _ => (error.to_string(), FORM),
    }
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
    #[case("", "empty")]
    #[case("https://ghcr.io/a/b", "starts with `https://`")]
    #[case("ghcr.io/Owner/app", "lower-case")]
    #[case("a b", "space")]
    #[case("app:", "invalid reference format")]
    #[case("app@sha256:abcd", "invalid reference format")]
    #[case("app@sha256:0123456789abcdef0123456789abcdef", "digest length")]
    #[case("app@sha256:ABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCD", "lower-case hexadecimal")]
    #[case("[::1/app", "invalid reference format")]
    #[case("[::1]:99999/app", "invalid reference format")]
    #[case("../../etc/passwd", "invalid reference format")]
    fn a_name_that_is_none_is_refused_with_the_reason(#[case] reference: &str, #[case] why: &str) {
        let error = Address::parse(reference).unwrap_err();
        assert!(matches!(&error, SourceError::Reference { why: said, .. } if said.contains(why)), "{error}");
        assert!(error.hint().is_some_and(|hint| !hint.is_empty()));
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
