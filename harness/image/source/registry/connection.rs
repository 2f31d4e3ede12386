//! The registry's API: manifests and blobs of one repository, with authorization and retries.
//!
//! Source: OCI distribution spec, sections "Pulling manifests" and "Pulling blobs".

use super::super::{MAX_DOCUMENT_BYTES, SourceError};
use super::RegistryOptions;
use super::address::{Address, is_loopback};
use super::authority::Authority;
use super::refusal::{self, content_type, is_html};
use super::retry::{Attempts, Failure, RetryPolicy, Trouble};
use super::transport::{Answer, Pace, Request, Transport, spoke_tls};
use crate::image::descriptor::{Descriptor, media_type};
use crate::image::digest::Digest;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, RANGE};
use reqwest::{Method, Url};
use std::sync::atomic::{AtomicBool, Ordering};

/// What a manifest may be. Schema 1 is asked for only so that it can be named as unsupported.
const MANIFEST_TYPES: [&str; 6] = [
    media_type::OCI_INDEX,
    media_type::OCI_MANIFEST,
    media_type::DOCKER_LIST,
    media_type::DOCKER_MANIFEST,
    media_type::DOCKER_SCHEMA1_SIGNED,
    media_type::DOCKER_SCHEMA1,
];

/// Content types that say nothing of a document: static file servers give these to manifests.
const GENERIC_TYPES: [&str; 5] =
    ["application/json", "application/octet-stream", "binary/octet-stream", "text/plain", "text/html"];

/// A blob, or a manifest by its digest.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) digest: Digest,
    pub(super) size: u64,
    manifest: bool,
    /// Whether its absence says nothing about the image.
    kept_elsewhere: bool,
}

impl Wanted {
    pub(super) fn new(descriptor: &Descriptor) -> Self {
        let kind = descriptor.media_type.as_str();
        Self {
            digest: descriptor.digest.clone(),
            size: descriptor.size,
            manifest: descriptor.is_manifest_or_index(),
            kept_elsewhere: !descriptor.urls.is_empty()
                || kind.contains(".foreign.")
                || kind.contains(".layer.nondistributable."),
        }
    }

    fn missing(&self, why: &str) -> SourceError {
        let digest = self.digest.clone();
        if self.kept_elsewhere {
            let why = format!("it may not be distributed, and its urls are not fetched; the registry {why}");
            return SourceError::NotHeld { digest, why };
        }
        SourceError::BlobMissing { digest, why: format!("the registry {why}") }
    }
}

/// One repository of a registry.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) address: Address,
    transport: Transport,
    authority: Authority,
    retry: RetryPolicy,
    plain_http: bool,
    /// Set when a registry on this machine turned out to speak TLS.
    tls: AtomicBool,
}

impl Connection {
    pub(super) fn new(address: Address, options: RegistryOptions) -> Self {
        let loopback = is_loopback(address.api_host());
        Self {
            transport: Transport::new(&options),
            tls: AtomicBool::new(!options.plain_http && !loopback),
            plain_http: options.plain_http,
            authority: Authority::new(options.credentials),
            retry: options.retry,
            address,
        }
    }

    /// As if a TLS registry were on this machine.
    #[cfg(test)]
    pub(super) fn speak_tls(&self) {
        self.tls.store(true, Ordering::Relaxed);
    }

    pub(super) fn pace(&self) -> Pace {
        self.transport.pace()
    }

    pub(super) fn attempts(&self) -> Attempts<'_> {
        Attempts::new(&self.retry, self.address.registry())
    }

    pub(super) async fn problems(&self) -> Vec<String> {
        self.authority.problems().await
    }

    /// The root document and what kind it is said to be.
    pub(super) async fn root(&self) -> Result<(Vec<u8>, Option<String>), SourceError> {
        let mut attempts = self.attempts();
        loop {
            match self.root_once().await {
                Ok(root) => return Ok(root),
                Err(failure) => attempts.wait_after(failure).await?,
            }
        }
    }

    async fn root_once(&self) -> Result<(Vec<u8>, Option<String>), Failure> {
        let mut answer = self.exchange(Method::GET, &self.address.root_path(), &accept_manifests()).await?;
        match answer.response.status().as_u16() {
            200 => {}
            404 => {
                let why = refusal::describe(answer, self.pace()).await;
                return Err(self.not_found(&why).into());
            }
            _ => return Err(self.judge(answer).await),
        }
        let html = is_html(&answer.response);
        let kind = content_type(&answer.response).filter(|kind| !GENERIC_TYPES.contains(&kind.as_str()));
        let bytes = match answer.response.content_length() {
            Some(length) if length > MAX_DOCUMENT_BYTES => {
                return Err(self.too_large(&format!("{length} bytes")).into());
            }
            _ => self.pace().read(&mut answer, MAX_DOCUMENT_BYTES).await?,
        };
        if bytes.len() as u64 > MAX_DOCUMENT_BYTES {
            return Err(self.too_large("more").into());
        }
        if html && bytes.trim_ascii_start().starts_with(b"<") {
            return Err(Failure::Final(SourceError::Invalid {
                what: format!("the manifest of {}", self.address),
                why: "the answer is an HTML page (text/html)".to_owned(),
                hint: "this address is no registry, or a proxy or login page answers for it: check the host name and \
                       HTTPS_PROXY"
                    .to_owned(),
            }));
        }
        Ok((bytes, kind))
    }

    fn too_large(&self, size: &str) -> SourceError {
        SourceError::Invalid {
            what: format!("the manifest of {}", self.address),
            why: format!("it has {size}, and at most {MAX_DOCUMENT_BYTES} bytes are read"),
            hint: "no builder makes such manifests, and registries refuse them: check what was pushed there".to_owned(),
        }
    }

    fn not_found(&self, why: &str) -> SourceError {
        let (registry, repository) = (self.address.registry(), self.address.repository());
        let hint = match self.address.digest() {
            Some(_) => format!(
                "check the digest, and that {repository} on {registry} is where it was pushed to: some registries delete \
                 a digest with its last tag"
            ),
            None => format!(
                "check the repository {repository} on {registry} and the tag `{}`: tags are case-sensitive, and it may \
                 not have been pushed yet",
                self.address.tag()
            ),
        };
        SourceError::NotFound { what: self.address.to_string(), why: format!("the registry {why}"), hint }
    }

    /// Asks for a blob until there is an answer with its first byte.
    pub(super) async fn first(&self, wanted: &Wanted) -> Result<Answer, SourceError> {
        let mut attempts = self.attempts();
        loop {
            match self.ask(wanted, None).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => attempts.wait_after(failure).await?,
            }
        }
    }

    /// Asks once for a blob, or for its rest from an offset on. The answer's status is 200, and with an offset also
    /// 206 or 416.
    pub(super) async fn ask(&self, wanted: &Wanted, from: Option<u64>) -> Result<Answer, Failure> {
        let mut headers = if wanted.manifest { accept_manifests() } else { HeaderMap::new() };
        if let Some(from) = from
            && let Ok(range) = HeaderValue::try_from(format!("bytes={from}-"))
        {
            headers.insert(RANGE, range);
        }
        let answer = self.exchange(Method::GET, &self.path(wanted), &headers).await?;
        match answer.response.status().as_u16() {
            200 => Ok(answer),
            206 | 416 if from.is_some() => Ok(answer),
            404 => Err(wanted.missing(&refusal::describe(answer, self.pace()).await).into()),
            _ => Err(self.judge(answer).await),
        }
    }

    /// Whether the blob is there.
    pub(super) async fn probe(&self, wanted: &Wanted) -> Result<(), SourceError> {
        let mut attempts = self.attempts();
        let headers = if wanted.manifest { accept_manifests() } else { HeaderMap::new() };
        loop {
            let failure = match self.exchange(Method::HEAD, &self.path(wanted), &headers).await {
                Ok(answer) => match answer.response.status().as_u16() {
                    200 => return Ok(()),
                    404 => return Err(wanted.missing(&refusal::describe(answer, self.pace()).await)),
                    405 | 501 => return self.first(wanted).await.map(drop),
                    // What a registry redirects to can be signed for GET alone.
                    _ if answer.elsewhere.is_some() => return self.first(wanted).await.map(drop),
                    _ => self.judge(answer).await,
                },
                Err(failure) => failure,
            };
            attempts.wait_after(failure).await?;
        }
    }

    fn path(&self, wanted: &Wanted) -> String {
        let kind = if wanted.manifest { "manifests" } else { "blobs" };
        format!("{}/{kind}/{}", self.address.repository(), wanted.digest)
    }

    /// What an answer means that is neither what was asked for nor a 404.
    async fn judge(&self, answer: Answer) -> Failure {
        let status = answer.response.status().as_u16();
        if matches!(status, 401 | 403) && answer.elsewhere.is_none() {
            return self.authority.refuse(&self.transport, &self.address, answer).await.into();
        }
        let trouble = refusal::trouble(&answer.response, answer.elsewhere.as_deref());
        let why = refusal::describe(answer, self.pace()).await;
        match trouble {
            Some(trouble) => Trouble { why, ..trouble }.into(),
            None => self.unexpected(&why).into(),
        }
    }

    fn unexpected(&self, why: &str) -> SourceError {
        SourceError::Invalid {
            what: format!("registry {}", self.address.registry()),
            why: format!("it {why}"),
            hint: "check the image's name; a proxy or a policy of the registry may also be the reason".to_owned(),
        }
    }

    /// One request, with a second one where the first finds that a registry on this machine speaks TLS: plain HTTP
    /// is what most of them speak, and needs no certificates.
    async fn exchange(&self, method: Method, path: &str, headers: &HeaderMap) -> Result<Answer, Failure> {
        match self.authorized(&method, path, headers).await {
            Err(Failure::SpokeTls(_)) if !self.plain_http && is_loopback(self.address.api_host()) => {
                self.tls.store(true, Ordering::Relaxed);
                self.authorized(&method, path, headers).await
            }
            other => other,
        }
    }

    /// One request, with a second one where the first brings the challenge, or finds that a token has expired.
    async fn authorized(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<Answer, Failure> {
        let url = self.url(path)?;
        let mut renewed = false;
        loop {
            let pass = self.authority.pass().await;
            let request = Request {
                method: method.clone(),
                url: url.clone(),
                headers: headers.clone(),
                authorization: pass.header.clone(),
                form: None,
            };
            let mut answer = self.transport.send(&request).await?;
            let here = answer.elsewhere.is_none();
            match answer.response.status().as_u16() {
                401 if here && !renewed => {
                    self.authority.renew(&self.transport, &self.address, &pass, answer).await?;
                    renewed = true;
                }
                400 if here && url.scheme() == "http" => {
                    let body = refusal::body(&mut answer, &mut self.pace()).await;
                    if refusal::wants_tls(&body) {
                        return Err(Failure::SpokeTls(spoke_tls(self.address.registry())));
                    }
                    return Err(self.unexpected(&refusal::tell(&answer, &body)).into());
                }
                _ => return Ok(answer),
            }
        }
    }

    fn url(&self, path: &str) -> Result<Url, SourceError> {
        let scheme = if self.tls.load(Ordering::Relaxed) { "https" } else { "http" };
        Url::parse(&format!("{scheme}://{}/v2/{path}", self.address.api_host())).map_err(|error| SourceError::Invalid {
            what: self.address.to_string(),
            why: format!("it makes no address: {error}"),
            hint: "check the host name and the port".to_owned(),
        })
    }
}

fn accept_manifests() -> HeaderMap {
    MANIFEST_TYPES.iter().map(|kind| (ACCEPT, HeaderValue::from_static(kind))).collect()
}
