//! Registries that misbehave, as the program meets them. What a registry's client does in detail is tested there.

use super::{Machine, Run, broken, good};
use mpcheck_kit::fault_registry::{FaultRegistry, Reply, Request};
use mpcheck_kit::store::Forged;
use rstest::rstest;

/// A registry that has this image as `app:1`.
pub(crate) fn holding(forged: Forged) -> impl Fn(&Request) -> Reply + Send + Sync {
    move |request| {
        let last = request.target.rsplit('/').next().unwrap_or_default();
        let digest = if last == "1" { forged.root.digest.as_str() } else { last };
        match forged.blobs.get(digest) {
            _ if request.target == "/v2/" => Reply::ok("{}"),
            None => Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
            Some(bytes) if request.target.contains("/manifests/") => {
                let document: serde_json::Value = serde_json::from_slice(bytes).unwrap();
                Reply::ok(bytes.clone())
                    .header("Content-Type", document["mediaType"].as_str().unwrap())
                    .header("Docker-Content-Digest", digest)
            }
            Some(bytes) => Reply::ranged(bytes, request),
        }
    }
}

fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> FaultRegistry {
    FaultRegistry::start(script).unwrap()
}

fn run(registry: &FaultRegistry, name: &str) -> Run {
    Machine::new().run(&[&format!("{}/{name}", registry.host())])
}

#[test]
fn an_image_of_a_registry_is_checked() {
    let registry = start(holding(good()));
    run(&registry, "app:1").says(0, &["linux/amd64", "linux/arm64"]);
    let registry = start(holding(broken()));
    run(&registry, "app:1").says(1, &["binary/foreign-architecture"]);
    let digest = broken().root.digest;
    run(&registry, &format!("app@{digest}")).says(1, &["binary/foreign-architecture"]);
}

#[test]
fn a_registry_gives_the_same_findings_as_a_layout() {
    let registry = start(holding(broken()));
    let machine = Machine::with(&broken());
    let name = format!("{}/app:1", registry.host());
    let (mut remote, mut local) = (machine.report(&[&name, "--no-cache"]), machine.report(&["image", "--no-cache"]));
    for report in [&mut remote, &mut local] {
        for finding in report["findings"].as_array_mut().unwrap() {
            finding["image"] = "".into();
        }
    }
    assert_eq!(remote["findings"], local["findings"]);
    assert_eq!(remote["images"][0]["platforms"], local["images"][0]["platforms"]);
}

#[rstest]
#[case::no_such_tag("app:2", "app:2", "not found")]
#[case::no_such_repository("other:1", "other:1", "not found")]
fn what_is_not_there_is_not_found(#[case] name: &str, #[case] what: &str, #[case] said: &str) {
    let registry = start(|request| match request.target.as_str() {
        "/v2/" => Reply::ok("{}"),
        _ => Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
    });
    run(&registry, name).says(3, &[what, said]);
}

#[rstest]
#[case::unauthorised(
    |_: &Request| Reply::error(401, "UNAUTHORIZED", "log in").header("WWW-Authenticate", "Basic realm=\"x\""),
    "not authorised"
)]
#[case::forbidden(
    |_: &Request| Reply::error(403, "DENIED", "requested access is denied"),
    "requested access is denied"
)]
#[case::html(
    |_: &Request| Reply::ok("<!DOCTYPE html><html>Please sign in</html>").header("Content-Type", "text/html"),
    "HTML"
)]
#[case::redirect_loop(|request: &Request| Reply::redirect(307, request.target.clone()), "redirect")]
#[case::no_http(|_: &Request| Reply::raw(b"SSH-2.0-OpenSSH_9.2\r\n".as_slice()), "")]
#[case::endless(|_: &Request| Reply::status(200).endless(), "")]
fn a_registry_that_does_not_serve_is_told_from_a_broken_image(
    #[case] script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    #[case] said: &str,
) {
    let registry = start(script);
    let result = run(&registry, "app:1");
    result.says(3, &[said]);
    assert!(result.stdout.contains(&registry.host()), "{result:#?}");
}

#[test]
fn a_registry_that_is_not_there_is_unreachable() {
    let host = start(|_| Reply::status(500)).host();
    Machine::new().run(&[&format!("{host}/app:1")]).says(3, &[&host, "could not be reached"]);
}

/// A document that is none is the image's fault, wherever it comes from.
#[test]
fn what_is_no_document_is_a_finding() {
    let registry = start(|_| Reply::ok("hello").header("Content-Type", "text/plain"));
    run(&registry, "app:1").says(1, &["manifest/invalid"]);
}

/// The registry itself says that the blob is this short.
#[test]
fn a_blob_cut_short_is_a_finding() {
    let layer = good().layers_of("linux/arm64").remove(0);
    let inner = holding(good());
    let registry =
        start(move |request| if request.target.ends_with(&layer) { Reply::ok([0x1f; 10]) } else { inner(request) });
    run(&registry, "app:1").says(1, &["blob/size-mismatch", "10 bytes"]);
}

/// A connection that breaks in the middle is taken up where it broke.
#[test]
fn a_layer_that_breaks_once_is_read_on() {
    let layer = good().layers_of("linux/arm64").remove(0);
    let (inner, target) = (holding(good()), layer.clone());
    let registry = start(move |request| {
        let reply = inner(request);
        if request.target.ends_with(&target) && request.earlier == 0 { reply.break_after(100) } else { reply }
    });
    run(&registry, "app:1").says(0, &[]);
    let ranges: Vec<_> =
        registry.requests().iter().filter(|r| r.target.ends_with(&layer)).map(Request::range_start).collect();
    assert_eq!(ranges, [None, Some(100)]);
}

#[test]
fn a_blob_that_the_registry_lost_is_a_finding() {
    let forged = good();
    let layer = forged.layers_of("linux/arm64").remove(0);
    let registry = start(holding(forged.drop_blob(&layer)));
    run(&registry, "app:1").says(1, &["blob/missing", "linux/arm64"]);
}

#[test]
fn other_bytes_than_were_asked_for_are_a_finding() {
    let forged = good();
    let layer = forged.layers_of("linux/arm64").remove(0);
    let registry = start(holding(forged.corrupt_blob(&layer)));
    run(&registry, "app:1").says(1, &["blob/digest-mismatch", "linux/arm64"]);
}

/// A warm cache asks whether the layers are there, and reads none of them.
#[test]
fn a_second_run_asks_for_no_layer() {
    let registry = start(holding(good()));
    let machine = Machine::new();
    let name = format!("{}/app:1", registry.host());
    machine.run(&[&name]).says(0, &[]);
    let first = registry.requests().len();
    machine.run(&[&name]).says(0, &[]);
    let layers: Vec<String> = ["linux/amd64", "linux/arm64"].iter().flat_map(|p| good().layers_of(p)).collect();
    let read: Vec<String> = registry.requests()[first..]
        .iter()
        .filter(|request| {
            request.method == "GET" && layers.iter().any(|layer| request.target.ends_with(layer.as_str()))
        })
        .map(|request| request.target.clone())
        .collect();
    assert!(read.is_empty(), "{read:?}");
}
