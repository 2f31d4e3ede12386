//! The proof against servers that are no proper engine: they refuse, break off, or fall silent in the middle.

use super::tests::{listen, respond};
use super::*;
use crate::image::source::engine::Endpoint;
use rstest::rstest;
use std::sync::Mutex;

/// What the server was asked for, a line each.
type Asked = Arc<Mutex<Vec<String>>>;

fn short() -> Patience {
    let patience = Duration::from_millis(300);
    Patience { answer: patience, program: patience, whole: Duration::from_secs(60), removal: patience }
}

/// Asks an engine that answers as told, and nothing where it is told nothing.
fn proved(
    patience: Patience,
    answer: impl Fn(&str) -> Option<String> + Send + Clone + 'static,
) -> (NotReady, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let asked = Asked::default();
    let noted = Arc::clone(&asked);
    let socket = listen(directory.path(), move |line| {
        noted.lock().unwrap().push(line.to_owned());
        answer(line).unwrap_or_else(|| {
            std::thread::sleep(Duration::from_secs(3600));
            String::new()
        })
    });
    let engine = Engine {
        endpoint: Endpoint::Unix(socket),
        version: "1".to_owned(),
        api: "1.45".to_owned(),
        oldest_api: "1.24".to_owned(),
        kernel: "6.1".to_owned(),
        store: Store::Classic,
        os: "linux".to_owned(),
        architecture: "amd64".to_owned(),
    };
    let rows = ["amd64", "arm64"].map(|name| Architecture::by_name(name).unwrap());
    let error = prove(&engine, &rows, patience).unwrap_err();
    let asked = asked.lock().unwrap().clone();
    (error, asked)
}

fn created(line: &str) -> Option<String> {
    if line.starts_with("POST /containers/create") {
        return Some(respond("201 Created", r#"{"Id":"c","Warnings":[]}"#));
    }
    line.contains("/start").then(|| "HTTP/1.1 204 No Content\r\n\r\n".to_owned())
}

fn gone(line: &str) -> Option<String> {
    line.starts_with("DELETE /containers")
        .then(|| "HTTP/1.1 204 No Content\r\n\r\n".to_owned())
        .or_else(|| line.starts_with("DELETE /images").then(|| respond("200 OK", "[]")))
}

fn loaded(line: &str) -> Option<String> {
    line.contains("/images/load").then(|| respond("200 OK", "{}"))
}

#[test]
fn an_engine_that_refuses_the_image_is_told_in_its_words() {
    let full = || respond("500 Internal Server Error", r#"{"message":"no space left on device"}"#);
    let (error, _) = proved(Patience::default(), move |line| gone(line).or_else(|| Some(full())));
    assert!(error.why.contains("no space left on device") && error.hint.contains("label=mpcheck"), "{error:?}");
}

#[rstest]
#[case::while_it_loads(|line: &str| gone(line), "given an image")]
#[case::while_it_creates(|line: &str| gone(line).or_else(|| loaded(line)), "asked for a container")]
#[case::while_it_executes(
    |line: &str| gone(line).or_else(|| loaded(line)).or_else(|| created(line)),
    "asked to start a program"
)]
fn an_engine_that_falls_silent_is_given_up(#[case] answer: fn(&str) -> Option<String>, #[case] words: &str) {
    let (error, asked) = proved(short(), answer);
    assert!(error.why.contains(words) && error.why.contains("has not answered"), "{error:?}");
    // What may be there all the same is removed.
    assert!(asked.iter().any(|line| line.starts_with("DELETE /images/mpcheck.invalid")), "{asked:#?}");
    if !words.contains("image") {
        assert!(asked.iter().any(|line| line.starts_with("DELETE /containers/mpcheck-host-")), "{asked:#?}");
    }
}

/// Not even the removal is answered.
#[test]
fn an_engine_that_is_silent_for_ever_is_given_up() {
    let (error, _) = proved(short(), |_| None);
    assert!(error.why.contains("has not answered"), "{error:?}");
}

/// The whole has an end too, however often there is an answer.
#[test]
fn slow_answers_have_an_end() {
    let patience = Patience { whole: Duration::from_millis(500), ..Patience::default() };
    let patience = Patience { removal: Duration::from_millis(300), ..patience };
    let (error, _) = proved(patience, loaded);
    assert!(error.why.contains("could not be proved"), "{error:?}");
}

#[test]
fn a_container_that_is_gone_proves_nothing() {
    let conflict = || respond("409 Conflict", r#"{"message":"container c is not running"}"#);
    let answer = move |line: &str| {
        let known = gone(line).or_else(|| loaded(line)).or_else(|| created(line));
        known.or_else(|| Some(conflict()))
    };
    let (error, asked) = proved(Patience::default(), answer);
    assert!(error.why.contains("is not running"), "{error:?}");
    assert!(asked.iter().any(|line| line.starts_with("DELETE /containers/mpcheck-host-")), "{asked:#?}");
}

#[rstest]
#[case("sparc64")]
#[case("")]
fn an_engine_of_an_unknown_architecture_is_told(#[case] architecture: &str) {
    let engine = Engine {
        endpoint: Endpoint::Unix("/nowhere".into()),
        version: "1".to_owned(),
        api: "1.45".to_owned(),
        oldest_api: String::new(),
        kernel: String::new(),
        store: Store::Classic,
        os: "linux".to_owned(),
        architecture: architecture.to_owned(),
    };
    let error = prove(&engine, &[], Patience::default()).unwrap_err();
    assert!(error.why.contains("no probe program for the engine's own architecture"), "{error:?}");
}
