//! Authorization: who asks, and with which token.
//!
//! Sources: RFC 9110, section 11; distribution's "Token Authentication Specification" and "OAuth2 Token
//! Authentication". oci-client's own exchange is not used: it reads a token server's answer whole whatever its size,
//! knows no identity tokens, and does not tell a refusal from a 429 that passes.

use super::super::SourceError;
use super::address::Address;
use super::credentials::{CredentialEnvironment, Credentials, Lookup, look_up};
use super::refusal;
use super::retry::{Cause, Failure, Trouble};
use super::shorten;
use super::transport::{Answer, Request, Transport, host_of};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_auth::parser::ChallengeParser;
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;
use tokio::sync::{Mutex, MutexGuard};

/// The largest answer of a token server. Tokens with many claims have some kilobytes.
const MAX_TOKEN_BYTES: u64 = 1024 * 1024;

/// Keeps the authorization for one repository, and renews it.
#[derive(Debug)]
pub(super) struct Authority {
    environment: CredentialEnvironment,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    header: Option<HeaderValue>,
    /// Counts the renewals, so that of several requests that are refused together only one renews.
    generation: u64,
    lookup: Option<Lookup>,
}

/// What a request is sent with.
#[derive(Debug, Clone)]
pub(super) struct Pass {
    pub(super) header: Option<HeaderValue>,
    generation: u64,
}

/// One way to authorize, as the other side offers it.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    Bearer { realm: String, service: Option<String> },
    Basic,
}

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
}

impl Authority {
    pub(super) fn new(environment: CredentialEnvironment) -> Self {
        Self { environment, state: Mutex::new(State::default()) }
    }

    /// What to send now: nothing at first, as most images are public.
    pub(super) async fn pass(&self) -> Pass {
        let state = self.state.lock().await;
        Pass { header: state.header.clone(), generation: state.generation }
    }

    /// Files and helpers that could not be asked.
    pub(super) async fn problems(&self) -> Vec<String> {
        self.state.lock().await.lookup.as_ref().map(|lookup| lookup.problems.clone()).unwrap_or_default()
    }

    /// Gets a new authorization after a 401 to a request that was sent with `pass`.
    pub(super) async fn renew(
        &self,
        transport: &Transport,
        address: &Address,
        pass: &Pass,
        refusal: Answer,
    ) -> Result<(), Failure> {
        let mut state = self.state.lock().await;
        if state.generation != pass.generation {
            return Ok(());
        }
        if state.lookup.is_none() {
            state.lookup = Some(self.look_up(address).await);
        }
        let credentials =
            state.lookup.as_ref().and_then(|lookup| lookup.found.as_ref()).map(|(found, _)| found.clone());
        let url = refusal.response.url().clone();
        let challenges = challenges(refusal.response.headers());
        let header = match (choose(challenges), credentials) {
            (Some(Challenge::Bearer { .. }), Some(Credentials::RegistryToken(token))) => {
                bearer(&token, &host_of(&url))?
            }
            (Some(Challenge::Bearer { realm, service }), credentials) => {
                let exchange = Exchange { transport, address, realm: &realm, service: service.as_deref() };
                match exchange.token(&url, credentials.as_ref()).await? {
                    Ok(token) => bearer(&token, &host_of(&url))?,
                    Err(why) => return Err(refused(address, &state, &why).into()),
                }
            }
            (Some(Challenge::Basic), Some(Credentials::Basic { username, password }))
                if transport.may_carry_secrets(&url) =>
            {
                basic(&username, &password, &host_of(&url))?
            }
            _ => {
                let why = refusal::describe(refusal, transport.pace()).await;
                return Err(refused(address, &state, &format!("the registry {why}")).into());
            }
        };
        if pass.header.as_ref() == Some(&header) {
            let why = refusal::describe(refusal, transport.pace()).await;
            return Err(refused(address, &state, &format!("the registry {why}")).into());
        }
        state.header = Some(header);
        state.generation += 1;
        Ok(())
    }

    /// The error for an answer that refuses the request for good.
    pub(super) async fn refuse(&self, transport: &Transport, address: &Address, refusal: Answer) -> SourceError {
        let why = refusal::describe(refusal, transport.pace()).await;
        let state = self.state.lock().await;
        refused(address, &state, &format!("the registry {why}"))
    }

    async fn look_up(&self, address: &Address) -> Lookup {
        let (environment, registry) = (self.environment.clone(), address.registry().to_owned());
        let repository = address.repository().to_owned();
        // Helpers are programs that may take their time.
        let search = tokio::task::spawn_blocking(move || look_up(&environment, &registry, &repository));
        search.await.unwrap_or_default()
    }
}

/// The one message for all that is not allowed.
fn refused(address: &Address, state: &MutexGuard<'_, State>, why: &str) -> SourceError {
    let lookup = state.lookup.clone().unwrap_or_default();
    let with = match &lookup.found {
        Some((credentials, origin)) => format!("asked with {} from {origin}", credentials.whose()),
        None => "asked without credentials".to_owned(),
    };
    let problems: String = lookup.problems.iter().map(|problem| format!("; {problem}")).collect();
    let host = address.registry();
    let hint = if lookup.found.is_some() {
        format!(
            "check that the account may pull {}/{} and that the name is right; `docker login {host}` renews the credentials",
            host,
            address.repository()
        )
    } else {
        format!(
            "if the image is private, log in with `docker login {host}`; check the name too, as registries answer like \
             this for repositories that do not exist"
        )
    };
    SourceError::Unauthorized { what: address.to_string(), why: format!("{why} ({with}{problems})"), hint }
}

/// All challenges of an answer that can be read; what follows a broken one in the same header cannot.
fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let parsed = values.flat_map(|value| ChallengeParser::new(value).map_while(Result::ok));
    parsed
        .filter_map(|challenge| {
            let parameter = |name: &str| {
                let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.to_unescaped())
            };
            if challenge.scheme.eq_ignore_ascii_case("bearer") {
                return Some(Challenge::Bearer { realm: parameter("realm")?, service: parameter("service") });
            }
            challenge.scheme.eq_ignore_ascii_case("basic").then_some(Challenge::Basic)
        })
        .collect()
}

/// A token before a password: it is good for this repository only.
fn choose(challenges: Vec<Challenge>) -> Option<Challenge> {
    let mut basic = None;
    for challenge in challenges {
        match challenge {
            Challenge::Bearer { .. } => return Some(challenge),
            Challenge::Basic => basic = Some(challenge),
        }
    }
    basic
}

fn bearer(token: &str, host: &str) -> Result<HeaderValue, SourceError> {
    secret_header(format!("Bearer {token}"), host)
}

fn basic(username: &str, password: &str, host: &str) -> Result<HeaderValue, SourceError> {
    secret_header(format!("Basic {}", STANDARD.encode(format!("{username}:{password}"))), host)
}

fn secret_header(text: String, host: &str) -> Result<HeaderValue, SourceError> {
    let mut value = HeaderValue::try_from(text).map_err(|_| SourceError::Invalid {
        what: format!("the token for {host}"),
        why: "it has characters that no header can have".to_owned(),
        hint: "log in again, so that a new one is made".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// One exchange with a token server.
struct Exchange<'a> {
    transport: &'a Transport,
    address: &'a Address,
    realm: &'a str,
    service: Option<&'a str>,
}

impl Exchange<'_> {
    /// The token, or in words why there is none.
    async fn token(
        &self,
        registry: &Url,
        credentials: Option<&Credentials>,
    ) -> Result<Result<String, String>, Failure> {
        let realm = match registry.join(self.realm) {
            Ok(realm) if matches!(realm.scheme(), "http" | "https") && realm.has_host() => realm,
            _ => return Ok(Err(format!("the registry names `{}` as its token server", shorten(self.realm, 80)))),
        };
        if credentials.is_some() && !self.transport.may_carry_secrets(&realm) {
            let why = format!(
                "its token server {} speaks plain HTTP, and credentials are not sent over that",
                host_of(&realm)
            );
            return Ok(Err(why));
        }
        let mut answer = self.transport.send(&self.request(&realm, credentials)?).await?;
        let host = host_of(&realm);
        match answer.response.status() {
            StatusCode::OK => {}
            _ => {
                let trouble = refusal::trouble(&answer.response, answer.elsewhere.as_deref());
                let why = format!("the token server {host} {}", refusal::describe(answer, self.transport.pace()).await);
                return match trouble {
                    Some(trouble) => Err(Trouble { why, ..trouble }.into()),
                    None => Ok(Err(why)),
                };
            }
        }
        let body = self.transport.pace().read(&mut answer, MAX_TOKEN_BYTES).await?;
        let parsed = serde_json::from_slice::<TokenAnswer>(&body).ok().filter(|_| body.len() as u64 <= MAX_TOKEN_BYTES);
        let token = parsed.and_then(|answer| answer.token.filter(|t| !t.is_empty()).or(answer.access_token));
        match token.filter(|token| !token.is_empty()) {
            Some(token) => Ok(Ok(token)),
            None => {
                Err(Trouble::new(Cause::Server, format!("the token server {host} answered without a token")).into())
            }
        }
    }

    fn request(&self, realm: &Url, credentials: Option<&Credentials>) -> Result<Request, SourceError> {
        let scope = format!("repository:{}:pull", self.address.repository());
        let mut parameters = vec![("scope", scope.as_str())];
        if let Some(service) = self.service {
            parameters.push(("service", service));
        }
        if let Some(Credentials::IdentityToken(token)) = credentials {
            parameters.extend([("grant_type", "refresh_token"), ("client_id", "mpcheck"), ("refresh_token", token)]);
            // A URL's query has the encoding of a form, so one is borrowed to make the other.
            let mut form = realm.clone();
            form.query_pairs_mut().clear().extend_pairs(parameters);
            let form = form.query().unwrap_or_default().to_owned();
            return Ok(Request { method: Method::POST, form: Some(form), ..Request::get(realm.clone()) });
        }
        let mut url = realm.clone();
        url.query_pairs_mut().extend_pairs(parameters);
        let authorization = match credentials {
            Some(Credentials::Basic { username, password }) => Some(basic(username, password, &host_of(realm))?),
            _ => None,
        };
        Ok(Request { authorization, ..Request::get(url) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&["Bearer realm=\"https://auth.example/token\",service=\"r\",scope=\"a,b\""], Some(("https://auth.example/token", Some("r"))))]
    #[case(&["Basic realm=\"r\", Bearer realm=\"https://a/\""], Some(("https://a/", None)))]
    #[case(&["Basic realm=\"r\"", "bearer Realm=\"https://a/\""], Some(("https://a/", None)))]
    #[case(&["Bearer realm=\"https://a/\", Negotiate YWJj=="], Some(("https://a/", None)))]
    #[case(&["Bearer service=\"no realm\""], None)]
    #[case(&["Negotiate"], None)]
    #[case(&[], None)]
    fn a_bearer_challenge_is_found_among_others(
        #[case] headers: &[&str],
        #[case] expected: Option<(&str, Option<&str>)>,
    ) {
        let mut map = HeaderMap::new();
        for header in headers {
            map.append(WWW_AUTHENTICATE, HeaderValue::from_str(header).unwrap());
        }
        let expected = expected.map(|(realm, service)| Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(ToOwned::to_owned),
        });
        assert_eq!(choose(challenges(&map)), expected);
    }

    #[test]
    fn basic_is_taken_where_nothing_else_is_offered() {
        let mut map = HeaderMap::new();
        map.append(WWW_AUTHENTICATE, HeaderValue::from_static("Digest realm=\"x\", nonce=\"y\""));
        map.append(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"x\""));
        assert_eq!(choose(challenges(&map)), Some(Challenge::Basic));
    }
}
