//! Blobs, and what goes wrong in the middle of them.

use super::*;
use rstest::rstest;

#[test]
fn a_blob_is_read_whole_and_from_its_own_address() {
    let registry = serve(|_| Reply::ok(blob()));
    let wanted = descriptor(&blob());
    assert_eq!(read(&source(&registry).0, &wanted).unwrap(), blob());
    assert_eq!(registry.requests()[0].target, format!("/v2/app/blobs/{}", wanted.digest));
}

#[test]
fn a_manifest_is_read_by_its_digest() {
    let registry = serve(|_| Reply::ok("{}"));
    let wanted =
        Descriptor { media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(), ..descriptor(b"{}") };
    assert_eq!(read(&source(&registry).0, &wanted).unwrap(), b"{}");
    let request = &registry.requests()[0];
    assert_eq!(request.target, format!("/v2/app/manifests/{}", wanted.digest));
    assert!(request.headers.iter().any(|(name, value)| name == "accept" && value == &wanted.media_type));
}

#[test]
fn a_blob_that_breaks_off_goes_on_where_it_broke() {
    let registry = serve(|request| match request.earlier {
        // Longer and longer pieces, so that several attempts bring something.
        n @ 0..=6 => Reply::ranged(&blob(), request).break_after(20_000 + n),
        _ => Reply::ranged(&blob(), request),
    });
    let (source, delays) = source(&registry);
    assert_eq!(read(&source, &descriptor(&blob())).unwrap(), blob());
    let starts: Vec<_> = registry.requests().iter().map(|request| request.range_start().unwrap_or(0)).collect();
    assert_eq!(starts, [0, 20_000, 40_001, 60_003, 80_006, 100_010, 120_015, 140_021]);
    // Each attempt brought something, so each delay is a first one.
    assert!(delays.all().iter().all(|delay| *delay <= RetryPolicy::default().min_delay * 2), "{:?}", delays.all());
}

#[test]
fn a_server_without_ranges_sends_it_all_again_and_the_known_part_is_skipped() {
    let registry = serve(|request| match request.earlier {
        0 => Reply::ok(blob()).break_after(123_456),
        1 => Reply::ok(blob()).break_after(100_000),
        _ => Reply::ok(blob()),
    });
    assert_eq!(read(&source(&registry).0, &descriptor(&blob())).unwrap(), blob());
    assert_eq!(registry.requests().len(), 3);
}

#[rstest]
#[case::another_start(Some("bytes 999-299999/300000"))]
#[case::none(None)]
#[case::nonsense(Some("bytes one-two/three"))]
#[case::another_unit(Some("lines 1000-299999/300000"))]
fn another_part_than_was_asked_for_is_an_error(#[case] range: Option<&'static str>) {
    let registry = serve(move |request| match (request.earlier, range) {
        (0, _) => Reply::ok(blob()).break_after(1000),
        (_, Some(range)) => Reply::status(206).header("Content-Range", range).body(&blob()[1000..]),
        (_, None) => Reply::status(206).body(&blob()[1000..]),
    });
    let error = read(&source(&registry).0, &descriptor(&blob())).unwrap_err();
    assert!(error.contains("from byte 1000 on") && error.contains("another part"), "{error}");
}

#[test]
fn a_part_that_is_gone_is_an_error() {
    let registry = serve(|request| match request.earlier {
        0 => Reply::ok(blob()).break_after(1000),
        _ => Reply::status(416).header("Content-Range", "bytes */5"),
    });
    let error = read(&source(&registry).0, &descriptor(&blob())).unwrap_err();
    assert!(error.contains("no such part"), "{error}");
}

#[test]
fn a_blob_that_always_breaks_at_the_same_place_is_given_up() {
    let registry = serve(|request| match request.earlier {
        0 => Reply::ok(blob()).break_after(1000),
        _ => Reply::ranged(&blob(), request).break_after(0),
    });
    let mut reader = source(&registry).0.open(&descriptor(&blob())).unwrap();
    let mut bytes = Vec::new();
    let error = reader.read_to_end(&mut bytes).unwrap_err();
    assert_eq!(bytes, blob()[..1000]);
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<SourceError>());
    assert!(matches!(inner, Some(SourceError::Unreachable { .. })), "{error:?}");
    assert!(
        error.to_string().contains("broke in the middle") && error.to_string().contains("tried 5 times"),
        "{error}"
    );
    // Once more gives the error once more, and never an end that looks like a good one.
    assert!(reader.read(&mut [0]).is_err());
}

#[test]
fn a_blob_that_breaks_after_every_byte_is_given_up_in_the_end() {
    let registry = serve(|request| Reply::ranged(&blob(), request).break_after(1));
    let error = read(&source(&registry).0, &descriptor(&blob())).unwrap_err();
    assert!(error.contains("tried 30 times"), "{error}");
    assert_eq!(registry.requests().len(), 30);
}

#[test]
fn a_blob_cut_short_cleanly_ends_early_and_is_not_asked_for_again() {
    let registry = serve(|_| Reply::ok(&blob()[..1000]));
    assert_eq!(read(&source(&registry).0, &descriptor(&blob())).unwrap(), blob()[..1000]);
    assert_eq!(registry.requests().len(), 1);
}

#[test]
fn a_blob_without_a_length_that_ends_early_may_have_a_rest() {
    let registry = serve(|request| match request.earlier {
        0 => Reply::ok(&blob()[..1000]).until_close(),
        _ => Reply::ranged(&blob(), request),
    });
    assert_eq!(read(&source(&registry).0, &descriptor(&blob())).unwrap(), blob());
}

#[test]
fn a_blob_without_a_length_that_has_no_rest_ends_early() {
    let registry = serve(|request| match request.earlier {
        0 => Reply::ok(&blob()[..1000]).until_close(),
        _ => Reply::ranged(&blob()[..1000], request),
    });
    assert_eq!(read(&source(&registry).0, &descriptor(&blob())).unwrap(), blob()[..1000]);
}

#[rstest]
#[case::endless(Reply::status(200).endless())]
#[case::longer(Reply::ok(vec![0; 50_000_000]))]
fn a_blob_that_is_too_long_ends_one_byte_after_its_size(#[case] reply: Reply) {
    let registry = serve(move |_| reply.clone());
    assert_eq!(read(&source(&registry).0, &descriptor(&[0; 1000])).unwrap().len(), 1001);
    assert!(registry.body_bytes_sent() < 16 * 1024 * 1024, "{}", registry.body_bytes_sent());
}

#[test]
fn a_reader_that_is_dropped_stops_the_download_and_one_that_waits_holds_it_up() {
    let registry = serve(|_| Reply::status(200).endless());
    let (source, _) = source(&registry);
    let mut reader = source.open(&Descriptor { size: u64::MAX, ..descriptor(b"") }).unwrap();
    reader.read_exact(&mut [0; 10]).unwrap();
    drop(source);
    reader.read_exact(&mut [0; 500_000]).unwrap();
    drop(reader);
    assert!(registry.wait_until_left());
    let sent = registry.body_bytes_sent();
    assert!(sent < 32 * 1024 * 1024, "{sent}");
}

#[test]
fn several_blobs_are_read_at_once_from_plain_threads() {
    let registry = serve(|_| Reply::ok(blob()));
    let (source, _) = source(&registry);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| read(&source, &descriptor(&blob())))).collect();
        assert!(threads.into_iter().all(|thread| thread.join().unwrap().unwrap() == blob()));
    });
}

#[rstest]
#[case::blob(descriptor(b"x"), false)]
#[case::with_urls(Descriptor { urls: vec!["https://elsewhere.example/x".to_owned()], ..descriptor(b"x") }, true)]
#[case::foreign(
    Descriptor { media_type: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip".to_owned(), ..descriptor(b"x") },
    true
)]
#[case::nondistributable(
    Descriptor { media_type: "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd".to_owned(), ..descriptor(b"x") },
    true
)]
fn a_blob_that_is_not_there_is_missing_or_was_never_held(#[case] wanted: Descriptor, #[case] elsewhere: bool) {
    let registry = serve(|_| Reply::error(404, "BLOB_UNKNOWN", "blob unknown to registry"));
    let (source, _) = source(&registry);
    for error in [source.open(&wanted).err().unwrap(), source.probe(&wanted).unwrap_err()] {
        match &error {
            SourceError::NotHeld { why, .. } if elsewhere => assert!(why.contains("urls are not fetched"), "{why}"),
            SourceError::BlobMissing { why, .. } if !elsewhere => assert!(why.contains("404 Not Found"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_probe_reads_nothing() {
    let registry = serve(|_| Reply::ok(blob()));
    source(&registry).0.probe(&descriptor(&blob())).unwrap();
    let requests = registry.requests();
    assert_eq!((requests.len(), requests[0].method.as_str()), (1, "HEAD"));
}

#[test]
fn a_registry_without_head_is_probed_otherwise() {
    let registry = serve(|request| if request.method == "HEAD" { Reply::status(405) } else { Reply::ok(blob()) });
    source(&registry).0.probe(&descriptor(&blob())).unwrap();
    assert_eq!(registry.requests().len(), 2);
}

#[test]
fn a_signed_address_for_get_alone_is_probed_otherwise() {
    let storage = serve(|request| if request.method == "HEAD" { Reply::status(403) } else { Reply::ok(blob()) });
    let address = format!("http://{}/signed", storage.host());
    let registry = serve(move |_| Reply::redirect(307, &address));
    source(&registry).0.probe(&descriptor(&blob())).unwrap();
}

#[test]
fn a_resumed_blob_goes_through_the_registry_again() {
    let storage = serve(|request| match (request.target.as_str(), request.earlier) {
        ("/signed?n=0", _) => Reply::ranged(&blob(), request).break_after(1000),
        // The first signature has expired while the blob was read.
        ("/signed?n=1", _) => Reply::status(403),
        _ => Reply::ranged(&blob(), request),
    });
    let address = format!("http://{}/signed", storage.host());
    let registry = serve(move |request| Reply::redirect(307, format!("{address}?n={}", request.earlier)));
    assert_eq!(read(&source(&registry).0, &descriptor(&blob())).unwrap(), blob());
    assert_eq!(registry.requests().len(), 3);
}

#[test]
fn a_storage_that_refuses_for_ever_is_no_matter_of_logging_in() {
    let storage = serve(|_| Reply::status(403).body("<Error><Code>AccessDenied</Code></Error>"));
    let (address, host) = (format!("http://{}/signed?signature=s3cret", storage.host()), storage.host());
    let registry = serve(move |_| Reply::redirect(307, &address));
    let error = source(&registry).0.open(&descriptor(b"x")).err().unwrap();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains(&host) && error.to_string().contains("403"), "{error}");
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
}
