//! Who asks: tokens, passwords, and that neither goes where it does not belong.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rstest::rstest;
use tempfile::TempDir;

const TOKEN_PATH: &str = "/token?scope=repository%3Aapp%3Apull&service=scripted";

fn basic_header() -> String {
    format!("Basic {}", STANDARD.encode("user:pass:word"))
}

/// A Docker configuration with one entry for a registry.
fn logged_in(host: &str, entry: &serde_json::Value) -> (RegistryOptions, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let config = serde_json::json!({ "auths": { host: entry } });
    std::fs::write(directory.path().join("config.json"), config.to_string()).unwrap();
    let credentials =
        CredentialEnvironment { docker_config: Some(directory.path().to_owned()), ..CredentialEnvironment::default() };
    (RegistryOptions { credentials, ..options().0 }, directory)
}

fn password() -> serde_json::Value {
    serde_json::json!({ "auth": STANDARD.encode("user:pass:word") })
}

fn challenge(request: &Request) -> Reply {
    let host = request.header("host").unwrap();
    Reply::error(401, "UNAUTHORIZED", "authentication required")
        .header("WWW-Authenticate", format!("Bearer realm=\"http://{host}/token\",service=\"scripted\",scope=\"all\""))
}

/// A registry that gives the token `t1`, then `t2`, ..., and serves to one of them.
fn with_tokens(accepted: &'static str) -> FaultRegistry {
    serve(move |request| {
        if request.target.starts_with("/token") {
            return Reply::ok(format!("{{\"token\":\"t{}\"}}", request.earlier + 1));
        }
        match request.header("authorization") {
            Some(value) if value == accepted => Reply::ok("{}"),
            _ => challenge(request),
        }
    })
}

#[test]
fn a_public_image_is_read_with_an_anonymous_token() {
    let registry = with_tokens("Bearer t1");
    let (source, _) = source(&registry);
    assert_eq!(source.root().unwrap().bytes, b"{}");
    assert_eq!(read(&source, &descriptor(b"{}")).unwrap(), b"{}");
    let targets: Vec<_> = registry.requests().iter().map(|request| request.target.clone()).collect();
    let blob = format!("/v2/app/blobs/{}", Digest::of(b"{}"));
    assert_eq!(targets, ["/v2/app/manifests/1", TOKEN_PATH, "/v2/app/manifests/1", &blob]);
    assert!(registry.requests()[1].header("authorization").is_none());
}

#[test]
fn a_token_is_got_with_a_password() {
    let registry = with_tokens("Bearer t1");
    let (options, _directory) = logged_in(&registry.host(), &password());
    open(&format!("{}/app:1", registry.host()), options).root().unwrap();
    let sent: Vec<_> = registry.requests().iter().map(|r| r.header("authorization").map(ToOwned::to_owned)).collect();
    assert_eq!(sent, [None, Some(basic_header()), Some("Bearer t1".to_owned())]);
}

#[test]
fn a_token_that_expires_is_renewed_once() {
    let registry = with_tokens("Bearer t2");
    let (source, _) = source(&registry);
    // The first token is no good, which is the end of the first request ...
    let error = source.root().unwrap_err();
    assert!(matches!(error, SourceError::Unauthorized { .. }), "{error:?}");
    // ... and to the next one it is an expired one.
    assert_eq!(source.root().unwrap().bytes, b"{}");
}

#[test]
fn a_token_that_expires_in_the_middle_of_a_blob_is_renewed() {
    let registry = serve(|request| {
        if request.target.starts_with("/token") {
            return Reply::ok(format!("{{\"access_token\":\"t{}\"}}", request.earlier + 1));
        }
        match (request.header("authorization"), request.range_start()) {
            (Some("Bearer t1"), None) => Reply::ranged(&blob(), request).break_after(1000),
            (Some("Bearer t2"), Some(_)) => Reply::ranged(&blob(), request),
            _ => challenge(request),
        }
    });
    assert_eq!(read(&source(&registry).0, &descriptor(&blob())).unwrap(), blob());
}

#[test]
fn requests_that_are_refused_together_renew_once() {
    let registry = with_tokens("Bearer t1");
    let (source, _) = source(&registry);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(|| read(&source, &descriptor(b"{}")))).collect();
        assert!(threads.into_iter().all(|thread| thread.join().unwrap().is_ok()));
    });
    assert_eq!(registry.requests().iter().filter(|request| request.target.starts_with("/token")).count(), 1);
}

#[test]
fn an_identity_token_is_posted_and_not_shown() {
    let registry = serve(|request| match (request.method.as_str(), request.header("authorization")) {
        ("POST", None) if request.target == "/token" => Reply::ok("{\"access_token\":\"fresh\"}"),
        ("GET", Some("Bearer fresh")) => Reply::ok("{}"),
        _ => challenge(request),
    });
    let (options, _directory) = logged_in(&registry.host(), &serde_json::json!({ "identitytoken": "re+fresh me" }));
    let source = open(&format!("{}/app:1", registry.host()), options);
    source.root().unwrap();
    let body = &registry.requests()[1].body;
    assert_eq!(
        body,
        "scope=repository%3Aapp%3Apull&service=scripted&grant_type=refresh_token&client_id=mpcheck&refresh_token=re%2Bfresh+me"
    );
    assert!(!format!("{source:?}").contains("fresh"), "{source:?}");
}

fn basic_only(request: &Request) -> Reply {
    match request.header("authorization") {
        Some(value) if value == basic_header() => Reply::ok("{}"),
        _ => Reply::error(401, "UNAUTHORIZED", "who are you?").header("WWW-Authenticate", "Basic realm=\"scripted\""),
    }
}

#[test]
fn a_password_is_sent_where_the_registry_asks_for_it() {
    let registry = serve(basic_only);
    let (options, _directory) = logged_in(&registry.host(), &password());
    open(&format!("{}/app:1", registry.host()), options).root().unwrap();
    assert!(registry.requests()[0].header("authorization").is_none());
}

#[rstest]
#[case::none(None, "without credentials", "docker login")]
#[case::wrong(Some(serde_json::json!({ "username": "eve", "password": "s3cret" })), "password of `eve`", "may pull")]
fn a_refusal_says_who_asked_and_what_to_do(
    #[case] entry: Option<serde_json::Value>,
    #[case] who: &str,
    #[case] hint: &str,
) {
    let registry = serve(basic_only);
    let (options, _directory) = logged_in(&registry.host(), &entry.unwrap_or_default());
    let error = open(&format!("{}/app:1", registry.host()), options).root().unwrap_err();
    assert!(matches!(error, SourceError::Unauthorized { .. }), "{error:?}");
    assert!(error.to_string().contains("who are you?") && error.to_string().contains(who), "{error}");
    assert!(error.hint().unwrap().contains(hint), "{error:?}");
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
}

#[rstest]
#[case(403)]
#[case(401)]
fn a_refusal_without_a_challenge_is_told(#[case] status: u16) {
    let registry = serve(move |_| Reply::error(status, "DENIED", "requested access to the resource is denied"));
    let error = source(&registry).0.root().unwrap_err();
    assert!(matches!(error, SourceError::Unauthorized { .. }), "{error:?}");
    assert!(error.to_string().contains("DENIED"), "{error}");
    assert_eq!(registry.requests().len(), 1);
}

#[test]
fn nothing_secret_goes_along_a_redirect_to_another_port() {
    let storage = serve(|_| Reply::ok("{}"));
    let address = format!("http://{}/blob", storage.host());
    let registry = serve(move |request| match basic_only(request) {
        _ if request.header("authorization").is_some() => Reply::redirect(307, &address),
        refusal => refusal,
    });
    let (options, _directory) = logged_in(&registry.host(), &password());
    let source = open(&format!("{}/app:1", registry.host()), options);
    assert_eq!(read(&source, &descriptor(b"{}")).unwrap(), b"{}");
    assert!(registry.requests()[1].header("authorization").is_some());
    assert_eq!(storage.requests()[0].header("authorization"), None);
}

#[test]
fn nothing_secret_comes_back_from_another_port_either() {
    let storage = Arc::new(Mutex::new(None::<FaultRegistry>));
    let home = Arc::clone(&storage);
    let registry = serve(move |request| match request.target.as_str() {
        "/back" => Reply::ok(request.header("authorization").unwrap_or("nothing")),
        _ if request.header("authorization").is_none() => basic_only(request),
        _ => {
            let back = format!("http://{}/back", request.header("host").unwrap());
            let other = serve(move |_| Reply::redirect(307, &back));
            let address = format!("http://{}/", other.host());
            *home.lock().unwrap() = Some(other);
            Reply::redirect(307, address)
        }
    });
    let (options, _directory) = logged_in(&registry.host(), &password());
    let source = open(&format!("{}/app:1", registry.host()), options);
    assert_eq!(source.root().unwrap().bytes, b"nothing");
}

#[test]
fn a_redirect_within_the_registry_keeps_the_authorization() {
    let registry = serve(|request| match (request.target.as_str(), basic_only(request)) {
        ("/v2/app/manifests/1", _) if request.header("authorization").is_some() => Reply::redirect(308, "/moved"),
        (_, reply) => reply,
    });
    let (options, _directory) = logged_in(&registry.host(), &password());
    let source = open(&format!("{}/app:1", registry.host()), options);
    assert_eq!(source.root().unwrap().bytes, b"{}");
}

#[test]
fn credentials_are_not_sent_to_a_token_server_in_the_clear() {
    let registry = serve(|_| {
        Reply::status(401).header("WWW-Authenticate", "Bearer realm=\"http://registry.invalid/token\",service=\"x\"")
    });
    let (options, _directory) = logged_in(&registry.host(), &password());
    let error = open(&format!("{}/app:1", registry.host()), options).root().unwrap_err();
    assert!(error.to_string().contains("registry.invalid speaks plain HTTP"), "{error}");
}

#[rstest]
#[case::none("{}", "without a token")]
#[case::html("<html>", "without a token")]
#[case::empty("{\"token\":\"\"}", "without a token")]
#[case::odd("{\"token\":\"a\\nb\"}", "characters that no header can have")]
fn a_token_server_that_gives_none_is_named(#[case] answer: &'static str, #[case] why: &str) {
    let registry =
        serve(move |request| if request.target.starts_with("/token") { Reply::ok(answer) } else { challenge(request) });
    let error = source(&registry).0.root().unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
}

#[test]
fn a_token_server_that_refuses_is_told_and_one_in_trouble_is_asked_again() {
    let registry = serve(|request| match (request.target.starts_with("/token"), request.earlier) {
        (true, 0) => Reply::status(503),
        (true, _) => Reply::error(401, "UNAUTHORIZED", "incorrect username or password"),
        (false, _) => challenge(request),
    });
    let error = source(&registry).0.root().unwrap_err();
    assert!(matches!(error, SourceError::Unauthorized { .. }), "{error:?}");
    assert!(error.to_string().contains("token server") && error.to_string().contains("incorrect username"), "{error}");
    assert_eq!(registry.requests().iter().filter(|request| request.target == TOKEN_PATH).count(), 2);
}

#[test]
fn an_endless_token_is_not_read_whole() {
    let registry =
        serve(
            |request| {
                if request.target.starts_with("/token") { Reply::status(200).endless() } else { challenge(request) }
            },
        );
    source(&registry).0.root().unwrap_err();
    // That it ends says that it is not read whole. Five attempts of 1 MiB, and the buffers of sockets, which the kernel
    // lets grow when the machine is busy.
    assert!(registry.body_bytes_sent() < 256 * 1024 * 1024, "{}", registry.body_bytes_sent());
}

#[test]
fn a_broken_configuration_is_no_matter_for_a_public_image_and_named_for_a_private_one() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("config.json"), "{\"auths\": 3}").unwrap();
    let credentials =
        CredentialEnvironment { docker_config: Some(directory.path().to_owned()), ..CredentialEnvironment::default() };
    let open = |registry: &FaultRegistry| {
        let options = RegistryOptions { credentials: credentials.clone(), ..options().0 };
        open(&format!("{}/app:1", registry.host()), options)
    };
    let public = with_tokens("Bearer t1");
    let source = open(&public);
    source.root().unwrap();
    assert!(matches!(source.warnings().as_slice(), [one] if one.contains("config.json is not valid at line 1")));
    let private = serve(basic_only);
    let error = open(&private).root().unwrap_err();
    assert!(error.to_string().contains("config.json is not valid at line 1"), "{error}");
}
