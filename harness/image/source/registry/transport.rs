//! One HTTP request: TLS, proxies, redirects, timeouts, and what a failed connection means.

use super::super::SourceError;
use super::RegistryOptions;
use super::address::is_loopback;
use super::retry::{Cause, Failure, Trouble};
use super::shorten;
use bytes::Bytes;
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Certificate, Client, Method, Response, Url};
use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many redirects are followed, as browsers and other registry clients do it.
const MAX_REDIRECTS: usize = 10;
/// The fewest bytes that a connection must bring while one read timeout is waited for it:
/// a byte now and then would otherwise keep it alive for ever.
const MIN_BYTES_PER_WINDOW: u64 = 16 * 1024;
/// How many read timeouts a whole document may take.
const DOCUMENT_WINDOWS: u32 = 4;
/// The largest file of CA certificates that is read; the whole of Mozilla's list has 250 KiB.
const MAX_CA_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    /// Sent to the URL's own origin only, never along a redirect to another one.
    pub(super) authorization: Option<HeaderValue>,
    /// A form to post; such a request follows no redirect.
    pub(super) form: Option<String>,
}

impl Request {
    pub(super) fn get(url: Url) -> Self {
        Self { method: Method::GET, url, headers: HeaderMap::new(), authorization: None, form: None }
    }
}

/// What came back, whatever its status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) response: Response,
    /// The host that answered, where a redirect led to another origin.
    pub(super) elsewhere: Option<String>,
}

/// Sends requests.
#[derive(Debug)]
pub(super) struct Transport {
    user_agent: String,
    connect_timeout: Duration,
    read_timeout: Duration,
    plain_http: bool,
    insecure: bool,
    ca_cert: Option<PathBuf>,
    clients: Mutex<HashMap<Route, Client>>,
}

/// What a client differs by: certificates are loaded only where TLS is spoken, and no proxy is asked for this
/// machine's own addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Route {
    tls: bool,
    loopback: bool,
}

impl Transport {
    pub(super) fn new(options: &RegistryOptions) -> Self {
        Self {
            user_agent: options.user_agent.clone(),
            connect_timeout: options.connect_timeout,
            read_timeout: options.read_timeout,
            plain_http: options.plain_http,
            insecure: options.insecure,
            ca_cert: options.ca_cert.clone(),
            clients: Mutex::new(HashMap::new()),
        }
    }

    /// Whether credentials may travel to this URL: with TLS, or in the clear where that was asked for or stays
    /// within this machine.
    pub(super) fn may_carry_secrets(&self, url: &Url) -> bool {
        url.scheme() == "https" || self.plain_http || url.host_str().is_some_and(is_loopback)
    }

    /// How long an answer's body may keep silent.
    pub(super) fn pace(&self) -> Pace {
        Pace { window: self.read_timeout, waited: Duration::ZERO, bytes: 0 }
    }

    /// Sends a request and follows its redirects.
    pub(super) async fn send(&self, request: &Request) -> Result<Answer, Failure> {
        let mut url = request.url.clone();
        let mut authorization = request.authorization.clone();
        let mut elsewhere = None;
        let mut seen = vec![url.clone()];
        loop {
            let response = self.send_once(request, &url, authorization.as_ref()).await?;
            let next = match redirect_target(&response, &url) {
                Some(next) if request.form.is_none() => next?,
                _ => return Ok(Answer { response, elsewhere }),
            };
            self.allow_redirect(&request.url, &url, &next, &seen)?;
            if next.origin() != url.origin() {
                authorization = None;
            }
            elsewhere = (next.origin() != request.url.origin()).then(|| host_of(&next));
            seen.push(next.clone());
            url = next;
        }
    }

    fn allow_redirect(&self, first: &Url, from: &Url, to: &Url, seen: &[Url]) -> Result<(), SourceError> {
        let wrong = |why: String, hint: &str| {
            Err(SourceError::Invalid { what: format!("registry {}", host_of(first)), why, hint: hint.to_owned() })
        };
        if seen.contains(to) {
            let why = format!("its redirects go in a loop: {} leads back to {}", host_of(from), host_of(to));
            return wrong(why, "this is a fault of the registry, or of a proxy before it: tell who runs it");
        }
        if seen.len() > MAX_REDIRECTS {
            let why = format!("it redirects more than {MAX_REDIRECTS} times, lastly to {}", host_of(to));
            return wrong(why, "this is a fault of the registry, or of a proxy before it: tell who runs it");
        }
        match to.scheme() {
            "https" => Ok(()),
            "http" if from.scheme() == "http" || self.plain_http => Ok(()),
            "http" => {
                let why = format!("it redirects from HTTPS to plain HTTP, to {}", host_of(to));
                wrong(why, "nobody between could be told from the registry: if that is meant, pass --plain-http")
            }
            other => {
                wrong(format!("it redirects to an address of the kind `{}`", shorten(other, 20)), "tell who runs it")
            }
        }
    }

    async fn send_once(
        &self,
        request: &Request,
        url: &Url,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response, Failure> {
        let client = self.client(url)?;
        let mut builder = client
            .request(request.method.clone(), url.clone())
            .headers(request.headers.clone())
            // A blob's digest is that of its bytes as they are stored.
            .header(ACCEPT_ENCODING, "identity");
        if let Some(value) = authorization {
            builder = builder.header(AUTHORIZATION, value.clone());
        }
        if let Some(form) = &request.form {
            builder = builder.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.clone());
        }
        let deadline = self.connect_timeout.saturating_add(self.read_timeout);
        match tokio::time::timeout(deadline, builder.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(read_error(&error, url)),
            Err(_) => {
                let why = format!("{} gave no answer for {}", host_of(url), seconds(deadline));
                Err(Trouble::new(Cause::Connection, why).into())
            }
        }
    }

    fn client(&self, url: &Url) -> Result<Client, SourceError> {
        let route = Route { tls: url.scheme() == "https", loopback: url.host_str().is_some_and(is_loopback) };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&route) {
            return Ok(client.clone());
        }
        let client = self.build(route)?;
        clients.insert(route, client.clone());
        Ok(client)
    }

    fn build(&self, route: Route) -> Result<Client, SourceError> {
        // Fails where there is a provider already, which is then the one that is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(&self.user_agent)
            .connect_timeout(self.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            // Blobs are read in parallel and at the pace of their readers: on one HTTP/2 connection a reader that
            // waits holds up the window of all others.
            .http1_only();
        if route.loopback {
            builder = builder.no_proxy();
        }
        if !route.tls {
            builder = builder.tls_certs_only([]);
        } else if self.insecure {
            builder = builder.tls_danger_accept_invalid_certs(true);
        } else if let Some(path) = &self.ca_cert {
            builder = builder.tls_certs_merge(read_ca_file(path)?);
        }
        builder.build().map_err(|error| SourceError::Invalid {
            what: "the HTTPS client".to_owned(),
            why: deepest(&error),
            hint:
                "install the system's CA certificates (package ca-certificates), or name a file of them with --ca-cert"
                    .to_owned(),
        })
    }
}

/// Whether a file has CA certificates that can be trusted: what [`RegistryOptions::ca_cert`] names.
///
/// # Errors
/// When it cannot be read or has none.
pub fn check_ca_file(path: &Path) -> Result<(), SourceError> {
    read_ca_file(path).map(drop)
}

fn read_ca_file(path: &Path) -> Result<Vec<Certificate>, SourceError> {
    let wrong = |why: String| SourceError::Invalid {
        what: format!("the CA file {}", path.display()),
        why,
        hint: "--ca-cert takes a file of certificates in PEM form (-----BEGIN CERTIFICATE-----)".to_owned(),
    };
    let mut pem = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
    file.take(MAX_CA_FILE_BYTES).read_to_end(&mut pem).map_err(|error| wrong(error.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(deepest(&error)))?;
    if certificates.is_empty() {
        return Err(wrong("there is no certificate in it".to_owned()));
    }
    Ok(certificates)
}

/// Where a redirect leads, for an answer that is one.
fn redirect_target(response: &Response, url: &Url) -> Option<Result<Url, SourceError>> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?;
    let target = location.to_str().ok().and_then(|text| url.join(text).ok()).filter(Url::has_host);
    Some(target.ok_or_else(|| SourceError::Invalid {
        what: format!("registry {}", host_of(url)),
        why: "it redirects to something that is no address".to_owned(),
        hint: "this is a fault of the registry, or of a proxy before it: tell who runs it".to_owned(),
    }))
}

/// `HOST[:PORT]` of a URL: all of it that a message may show, as paths and queries can be signed.
pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("an address without a host");
    let shown = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    shorten(&shown, 120)
}

pub(super) fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f32())
}

/// What a request that brought no answer means.
fn read_error(error: &reqwest::Error, url: &Url) -> Failure {
    let host = host_of(url);
    if let Some(tls) = tls_error(error) {
        return tls_failure(&tls, &host).into();
    }
    let why = deepest(error);
    if url.scheme() == "http" && speaks_tls(&why) {
        return Failure::SpokeTls(spoke_tls(&host));
    }
    if error.is_builder() {
        return Failure::Final(SourceError::Invalid {
            what: format!("the address of {host}"),
            why,
            hint: "check the image's name".to_owned(),
        });
    }
    let (cause, why) = match (error.is_connect(), error.is_timeout()) {
        (true, true) => (Cause::Connect, format!("{host} did not accept a connection in time")),
        (true, false) => (Cause::Connect, format!("no connection to {host}: {why}")),
        (false, _) => (Cause::Connection, format!("the connection to {host} broke: {why}")),
    };
    Trouble::new(cause, why).into()
}

/// How hyper says that what should be HTTP begins otherwise, as the alert of a TLS server does.
fn speaks_tls(why: &str) -> bool {
    why.contains("invalid HTTP version") || why.contains("HTTP/0.9")
}

/// A TLS server was spoken to in the clear.
pub(super) fn spoke_tls(host: &str) -> SourceError {
    SourceError::Invalid {
        what: format!("registry {host}"),
        why: "it was asked in plain HTTP and speaks HTTPS".to_owned(),
        hint: "leave out --plain-http".to_owned(),
    }
}

fn tls_failure(error: &rustls::Error, host: &str) -> SourceError {
    let what = format!("registry {host}");
    let shown = shorten(&error.to_string(), 300);
    match error {
        rustls::Error::InvalidMessage(_) => SourceError::Invalid {
            what,
            why: "it was asked in HTTPS and does not speak it".to_owned(),
            hint: "if the registry is meant to speak plain HTTP, pass --plain-http".to_owned(),
        },
        rustls::Error::InvalidCertificate(_) => SourceError::Invalid {
            what,
            why: format!("its certificate is not trusted: {shown}"),
            hint:
                "name the file of the CA that signed it with --ca-cert, or, where nothing is at stake, pass --insecure"
                    .to_owned(),
        },
        _ => SourceError::Invalid {
            what,
            why: format!("TLS failed: {shown}"),
            hint: "check the host name and the port; a proxy on the way may be in between".to_owned(),
        },
    }
}

fn tls_error(error: &reqwest::Error) -> Option<rustls::Error> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(tls.clone());
        }
        next = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            // An io::Error's `source` is its inner error's source: the inner error itself is only here.
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// The innermost message of an error, which is the one that says what happened; the outer ones repeat the URL.
fn deepest(error: &reqwest::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    if last.is::<reqwest::Error>() {
        // The outermost is the only one, and would show the URL.
        return match (error.is_timeout(), error.is_builder()) {
            (true, _) => "it took too long".to_owned(),
            (_, true) => "it cannot be built".to_owned(),
            _ => "it failed".to_owned(),
        };
    }
    shorten(&last.to_string(), 300)
}

/// Reads an answer's body, and gives up on one that hardly moves.
///
/// Only the time that is spent waiting for the other side counts, not that of a slow reader here.
#[derive(Debug)]
pub(super) struct Pace {
    window: Duration,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// The next bytes; `None` at the end.
    pub(super) async fn next(&mut self, answer: &mut Answer) -> Result<Option<Bytes>, Trouble> {
        loop {
            let started = Instant::now();
            let left = self.window.saturating_sub(self.waited);
            let chunk = tokio::time::timeout(left, answer.response.chunk()).await;
            self.waited = self.waited.saturating_add(started.elapsed());
            match chunk {
                Ok(Ok(Some(bytes))) => {
                    self.bytes = self.bytes.saturating_add(bytes.len() as u64);
                    return Ok(Some(bytes));
                }
                Ok(Ok(None)) => return Ok(None),
                Ok(Err(error)) => {
                    let host = host_of(answer.response.url());
                    let why = format!("the connection to {host} broke in the middle: {}", deepest(&error));
                    return Err(Trouble::new(Cause::Connection, why));
                }
                Err(_) if self.bytes >= MIN_BYTES_PER_WINDOW => {
                    self.waited = Duration::ZERO;
                    self.bytes = 0;
                }
                Err(_) => {
                    let host = host_of(answer.response.url());
                    let why = format!("{host} sent {} bytes in {}", self.bytes, seconds(self.window));
                    return Err(Trouble::new(Cause::Connection, why));
                }
            }
        }
    }

    /// The body up to `limit` bytes and one more, by which the caller sees that it is longer.
    pub(super) async fn read(&mut self, answer: &mut Answer, limit: u64) -> Result<Vec<u8>, Trouble> {
        let host = host_of(answer.response.url());
        let deadline = self.window.saturating_mul(DOCUMENT_WINDOWS);
        tokio::time::timeout(deadline, self.read_all(answer, limit)).await.unwrap_or_else(|_| {
            let why = format!("{host} did not send a whole document in {}", seconds(deadline));
            Err(Trouble::new(Cause::Connection, why))
        })
    }

    async fn read_all(&mut self, answer: &mut Answer, limit: u64) -> Result<Vec<u8>, Trouble> {
        let mut body = Vec::new();
        while let Some(chunk) = self.next(answer).await? {
            let room = limit.saturating_add(1).saturating_sub(body.len() as u64);
            let take = usize::try_from(room).unwrap_or(usize::MAX).min(chunk.len());
            body.extend_from_slice(chunk.get(..take).unwrap_or_default());
            if body.len() as u64 > limit {
                break;
            }
        }
        Ok(body)
    }
}
