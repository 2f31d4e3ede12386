//! What an answer that is not a success means.

use super::retry::{Cause, Trouble, retry_after};
use super::shorten;
use super::transport::{Answer, Pace};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use std::time::SystemTime;

/// How much of an error's body is read.
const MAX_ERROR_BYTES: u64 = 16 * 1024;

/// The errors of the OCI distribution spec, section "Error Codes".
#[derive(Deserialize)]
struct ErrorBody {
    errors: Vec<ErrorEntry>,
}

#[derive(Deserialize)]
struct ErrorEntry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// The body of an error, or what of it can be read: it is a courtesy, and the status says enough.
pub(super) async fn body(answer: &mut Answer, pace: &mut Pace) -> Vec<u8> {
    pace.read(answer, MAX_ERROR_BYTES).await.unwrap_or_default()
}

/// `answered 404 Not Found: MANIFEST_UNKNOWN, manifest unknown`, from an answer and its body.
pub(super) async fn describe(mut answer: Answer, mut pace: Pace) -> String {
    let body = body(&mut answer, &mut pace).await;
    tell(&answer, &body)
}

/// As [`describe`], where the body is here already.
pub(super) fn tell(answer: &Answer, body: &[u8]) -> String {
    let status = shown_status(answer.response.status());
    // After a redirect it is not the registry itself that answers.
    let who = answer.elsewhere.as_deref().map_or_else(String::new, |host| format!("redirected to {host}, which "));
    match summary(body, is_html(&answer.response)) {
        Some(text) => format!("{who}answered {status}: {text}"),
        None => format!("{who}answered {status}"),
    }
}

/// Whether the body of a 400 is a TLS server's to a request in plain HTTP: Go's `net/http` and nginx say it so.
pub(super) fn wants_tls(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body).to_ascii_lowercase();
    text.contains("http request to an https server") || text.contains("plain http request was sent to https port")
}

/// The trouble that an answer is, where it is worth another attempt.
pub(super) fn trouble(response: &Response, elsewhere: Option<&str>) -> Option<Trouble> {
    let status = response.status();
    let cause = match status.as_u16() {
        429 => Cause::TooMany,
        408 | 500 | 502..=504 | 506..=599 => Cause::Server,
        // What a registry redirects to is signed for a short time only.
        400 | 401 | 403 if elsewhere.is_some() => Cause::Server,
        _ => return None,
    };
    let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = header.and_then(|value| retry_after(value, SystemTime::now()));
    Some(Trouble { cause, why: String::new(), retry_after })
}

/// Whether the answer says that it is an HTML page.
pub(super) fn is_html(response: &Response) -> bool {
    content_type(response).is_some_and(|kind| kind == "text/html" || kind == "application/xhtml+xml")
}

/// The media type of an answer, in lower case and without parameters.
pub(super) fn content_type(response: &Response) -> Option<String> {
    let value = response.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    (!kind.is_empty()).then(|| shorten(&kind, 200))
}

fn shown_status(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

/// What an error's body says, in one short line.
pub(super) fn summary(body: &[u8], html: bool) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    if html || text.starts_with('<') {
        return Some("an HTML page, so perhaps no registry, or a proxy or login page before it".to_owned());
    }
    let Ok(parsed) = serde_json::from_str::<ErrorBody>(text) else {
        return Some(shorten(&text.split_whitespace().collect::<Vec<_>>().join(" "), 200));
    };
    let entries = parsed.errors.iter().take(3).map(|entry| match (entry.code.as_str(), entry.message.as_str()) {
        (code, "") => code.to_owned(),
        ("", message) => message.to_owned(),
        (code, message) => format!("{code}, {message}"),
    });
    let joined = entries.filter(|entry| !entry.is_empty()).collect::<Vec<_>>().join("; ");
    (!joined.is_empty()).then(|| shorten(&joined, 300))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(b"", None)]
    #[case(b"  \n", None)]
    #[case(br#"{"errors":[{"code":"DENIED","message":"no\u001b[31m way"}]}"#, Some(r"DENIED, no\u{1b}[31m way"))]
    #[case(br#"{"errors":[{"code":"A"},{"message":"b"}]}"#, Some("A; b"))]
    #[case(br#"{"errors":[]}"#, None)]
    #[case(br#"{"errors":3}"#, Some(r#"{"errors":3}"#))]
    #[case(b"slow\n  down\x07", Some(r"slow down\u{7}"))]
    #[case(b"<html>x", Some("an HTML page, so perhaps no registry, or a proxy or login page before it"))]
    #[case(b"\xff\xfe", Some("\u{fffd}\u{fffd}"))]
    fn an_error_is_told_in_one_harmless_line(#[case] body: &[u8], #[case] expected: Option<&str>) {
        assert_eq!(summary(body, false).as_deref(), expected);
    }

    #[test]
    fn a_long_error_is_shortened() {
        let told = summary("x".repeat(10_000).as_bytes(), false).unwrap();
        assert!(told.chars().count() <= 201, "{}", told.len());
    }
}
