//! Which image of which registry a name means, and whether that registry is this very machine.

use crate::image::digest::Digest;
use crate::image::reference::ImageName;
use std::fmt;
use std::net::IpAddr;

/// Docker Hub's name, and the host that serves its API.
const DOCKER_HUB: (&str, &str) = ("docker.io", "index.docker.io");

/// An image in a registry.
#[derive(Debug, Clone)]
pub(super) struct Address(ImageName);

impl Address {
    pub(super) const fn new(name: ImageName) -> Self {
        Self(name)
    }

    /// The registry as people and `docker login` call it, with its port: `docker.io`, `127.0.0.1:5000`.
    pub(super) fn registry(&self) -> &str {
        &self.0.registry
    }

    /// The host that serves its API, with its port.
    pub(super) fn api_host(&self) -> &str {
        if self.0.registry == DOCKER_HUB.0 { DOCKER_HUB.1 } else { &self.0.registry }
    }

    /// The repository: `library/ubuntu`.
    pub(super) fn repository(&self) -> &str {
        &self.0.repository
    }

    /// The tag; `latest` where nothing else was said.
    pub(super) fn tag(&self) -> &str {
        self.0.tag.as_deref().unwrap_or("latest")
    }

    /// The digest, which wins over the tag.
    pub(super) const fn digest(&self) -> Option<&Digest> {
        self.0.digest.as_ref()
    }

    /// The path of the root's manifest below `/v2/`.
    pub(super) fn root_path(&self) -> String {
        let reference = self.digest().map_or_else(|| self.tag(), Digest::as_str);
        format!("{}/manifests/{reference}", self.repository())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
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

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[rstest]
    #[case("ubuntu", "docker.io", "index.docker.io", "library/ubuntu/manifests/latest")]
    #[case("ghcr.io/a/b:V1", "ghcr.io", "ghcr.io", "a/b/manifests/V1")]
    #[case("[::1]:5000/app", "[::1]:5000", "[::1]:5000", "app/manifests/latest")]
    fn an_image_is_asked_for_at_its_registry(
        #[case] name: &str,
        #[case] registry: &str,
        #[case] api_host: &str,
        #[case] path: &str,
    ) {
        let address = Address::new(ImageName::parse(name).unwrap());
        assert_eq!((address.registry(), address.api_host(), address.root_path().as_str()), (registry, api_host, path));
    }

    #[test]
    fn a_digest_wins_over_a_tag() {
        let address = Address::new(ImageName::parse(&format!("ghcr.io/a/b:1@{DIGEST}")).unwrap());
        assert_eq!(address.root_path(), format!("a/b/manifests/{DIGEST}"));
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
