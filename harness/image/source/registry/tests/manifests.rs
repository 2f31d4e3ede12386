//! The root document.

use super::*;
use crate::image::source::MAX_DOCUMENT_BYTES;
use rstest::rstest;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST_PATH: &str = "/v2/app/manifests/1";

#[rstest]
#[case(INDEX, Some(INDEX))]
#[case("Application/VND.oci.image.index.v1+JSON; charset=utf-8", Some(INDEX))]
#[case("application/json", None)]
#[case("text/plain; charset=utf-8", None)]
#[case("application/x-other", Some("application/x-other"))]
fn the_root_has_the_media_type_that_the_registry_states(#[case] header: &'static str, #[case] expected: Option<&str>) {
    let registry =
        serve(move |_| Reply::ok("{}").header("Content-Type", header).header("Docker-Content-Digest", "sha256:lie"));
    let root = source(&registry).0.root().unwrap();
    assert_eq!((root.bytes.as_slice(), root.media_type.as_deref(), root.digest), (b"{}".as_slice(), expected, None));
}

#[test]
fn all_kinds_of_manifests_are_accepted_and_nothing_compressed() {
    let registry = serve(|_| Reply::ok("{}"));
    source(&registry).0.root().unwrap();
    let requests = registry.requests();
    assert_eq!(requests.len(), 1);
    let accepted: Vec<_> =
        requests[0].headers.iter().filter(|(name, _)| name == "accept").map(|(_, v)| v.as_str()).collect();
    for kind in [INDEX, "application/vnd.docker.distribution.manifest.v1+prettyjws"] {
        assert!(accepted.contains(&kind), "{accepted:?}");
    }
    assert_eq!(requests[0].header("accept-encoding"), Some("identity"));
    assert!(requests[0].header("user-agent").unwrap().starts_with("mpcheck/"));
}

#[test]
fn a_digest_is_asked_for_and_claimed_for_the_root() {
    let registry = serve(|_| Reply::ok("{}"));
    let digest = Digest::of(b"{}");
    let reference = format!("{}/app:1@{digest}", registry.host());
    let root = open(&reference, options().0).root().unwrap();
    assert_eq!(root.digest, Some(digest.clone()));
    assert_eq!(registry.requests()[0].target, format!("/v2/app/manifests/{digest}"));
}

#[test]
fn a_missing_image_says_what_to_check() {
    let registry = serve(|_| Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"));
    let (source, delays) = source(&registry);
    let error = source.root().unwrap_err();
    assert!(matches!(error, SourceError::NotFound { .. }), "{error:?}");
    assert!(error.to_string().contains("404 Not Found: MANIFEST_UNKNOWN, manifest unknown"), "{error}");
    assert!(error.hint().unwrap().contains("the tag `1`"), "{error:?}");
    assert!(delays.all().is_empty());
}

#[rstest]
#[case::length(Reply::ok(vec![b' '; 100_000_000]), 0)]
#[case::chunked(Reply::status(200).endless(), MAX_DOCUMENT_BYTES)]
fn a_manifest_above_the_limit_is_not_read_whole(#[case] reply: Reply, #[case] most: u64) {
    let registry = serve(move |_| reply.clone());
    let error = source(&registry).0.root().unwrap_err();
    assert!(error.to_string().contains(&format!("at most {MAX_DOCUMENT_BYTES} bytes")), "{error}");
    assert_eq!(registry.requests().len(), 1);
    // Beyond that only what the buffers of sockets hold, which the kernel lets grow when the machine is busy.
    let sent = registry.body_bytes_sent();
    assert!(sent < most + 64 * 1024 * 1024, "{sent}");
}

#[test]
fn an_html_page_is_called_so() {
    let registry = serve(|_| {
        Reply::ok("\n<!DOCTYPE html><title>Log in</title>").header("Content-Type", "text/html; charset=utf-8")
    });
    let error = source(&registry).0.root().unwrap_err();
    assert!(error.to_string().contains("text/html"), "{error}");
}

#[test]
fn too_many_requests_are_waited_for_as_asked() {
    let registry = serve(|request| match request.earlier {
        0 => Reply::status(429).header("Retry-After", "7"),
        1 => Reply::status(503).header("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"),
        _ => Reply::ok("{}"),
    });
    let (source, delays) = source(&registry);
    assert_eq!(source.root().unwrap().bytes, b"{}");
    let delays = delays.all();
    assert_eq!(delays[0], Duration::from_secs(7));
    assert!(delays[1] < Duration::from_secs(7), "{delays:?}");
    assert_eq!(delays.len(), 2);
}

#[rstest]
#[case(429, "docker login")]
#[case(500, "try again later")]
#[case(502, "try again later")]
#[case(503, "try again later")]
fn trouble_for_ever_ends_after_five_attempts(#[case] status: u16, #[case] hint: &str) {
    let registry = serve(move |_| Reply::error(status, "TOOMANYREQUESTS", "slow down"));
    let (source, delays) = source(&registry);
    let error = source.root().unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
    assert!(
        text.contains(&status.to_string()) && text.contains("slow down") && text.contains("tried 5 times"),
        "{text}"
    );
    assert!(error.hint().unwrap().contains(hint), "{error:?}");
    assert_eq!((registry.requests().len(), delays.all().len()), (5, 4));
}

#[rstest]
#[case(400)]
#[case(412)]
#[case(204)]
#[case(501)]
fn other_answers_are_not_tried_again(#[case] status: u16) {
    let registry = serve(move |_| Reply::status(status));
    let error = source(&registry).0.root().unwrap_err();
    assert!(matches!(error, SourceError::Invalid { .. }), "{error:?}");
    assert!(error.to_string().contains(&status.to_string()), "{error}");
    assert_eq!(registry.requests().len(), 1);
}

#[test]
fn a_document_that_breaks_off_is_read_again() {
    let registry = serve(|request| match request.earlier {
        0 => Reply::ok("{\"a\":1}").break_after(3),
        _ => Reply::ok("{\"a\":1}"),
    });
    assert_eq!(source(&registry).0.root().unwrap().bytes, b"{\"a\":1}");
}

#[rstest]
#[case::body(Reply::ok(vec![b' '; 10_000]).drip(Duration::from_millis(20)))]
#[case::silence(Reply::ok("{}").drip(Duration::from_secs(5)))]
fn a_registry_that_hardly_moves_is_given_up(#[case] reply: Reply) {
    let registry = serve(move |_| reply.clone());
    let (options, _) = options();
    let options = RegistryOptions { read_timeout: Duration::from_millis(100), ..options };
    let error = open(&format!("{}/app", registry.host()), options).root().unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("bytes in 0.1 s (tried 5 times)"), "{error}");
}

#[test]
fn a_redirect_loop_is_called_so() {
    let registry = serve(|request| {
        let other = if request.target == MANIFEST_PATH { "/elsewhere" } else { MANIFEST_PATH };
        Reply::redirect(307, other)
    });
    let error = source(&registry).0.root().unwrap_err();
    assert!(error.to_string().contains("loop"), "{error}");
    assert_eq!(registry.requests().len(), 2);
}

#[test]
fn redirects_without_end_are_followed_ten_times() {
    let registry = serve(|request| Reply::redirect(302, format!("{}x", request.target)));
    let error = source(&registry).0.root().unwrap_err();
    assert!(error.to_string().contains("more than 10 times"), "{error}");
    assert_eq!(registry.requests().len(), 11);
}

#[rstest]
#[case("ftp://127.0.0.1/x", "kind `ftp`")]
#[case("http://", "no address")]
#[case("file:///etc/passwd", "no address")]
fn a_redirect_out_of_http_is_refused(#[case] location: &'static str, #[case] why: &str) {
    let registry = serve(move |_| Reply::redirect(302, location));
    let error = source(&registry).0.root().unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
}
