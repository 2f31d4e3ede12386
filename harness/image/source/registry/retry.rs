//! When and how often a request is tried again.

use super::super::SourceError;
use super::address::is_loopback;
use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How a task waits; tests put a recorder here, so that no test ever sleeps.
#[derive(Clone)]
pub struct Sleeper(Arc<dyn Fn(Duration) -> Asleep + Send + Sync>);

/// A wait that ends by itself.
type Asleep = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Sleeper {
    /// Waits for real.
    #[must_use]
    pub fn clock() -> Self {
        Self(Arc::new(|delay| Box::pin(tokio::time::sleep(delay))))
    }

    /// Does not wait, and hands every delay to `record`.
    pub fn instead(record: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |delay| {
            record(delay);
            Box::pin(std::future::ready(()))
        }))
    }

    async fn sleep(&self, delay: Duration) {
        (self.0)(delay).await;
    }
}

impl fmt::Debug for Sleeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sleeper")
    }
}

/// When and how often a request is tried again.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// Attempts in a row that bring nothing, the first one included.
    pub attempts: u32,
    /// Attempts in a row at a connection that cannot be made at all: a wrong name or port does not get better.
    pub connect_attempts: u32,
    /// Attempts for one document or blob altogether, however much each of them brought.
    pub total_attempts: u32,
    /// The first delay; it doubles from attempt to attempt, and up to as much again is added by chance.
    pub min_delay: Duration,
    /// The longest delay that this chooses itself.
    pub max_delay: Duration,
    /// The longest `Retry-After` that is waited for. A registry that asks for more is not waited for at all.
    pub max_retry_after: Duration,
    /// How to wait.
    pub sleeper: Sleeper,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 5,
            connect_attempts: 3,
            total_attempts: 30,
            min_delay: Duration::from_millis(400),
            max_delay: Duration::from_secs(8),
            max_retry_after: Duration::from_secs(60),
            sleeper: Sleeper::clock(),
        }
    }
}

/// Why an attempt failed, where another one may succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// No connection.
    Connect,
    /// A connection that broke or stalled.
    Connection,
    /// 429.
    TooMany,
    /// 5xx, or a storage behind the registry that refused what the registry had signed.
    Server,
}

/// An attempt that failed, where another one may succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) cause: Cause,
    /// What happened: `answered 503 Service Unavailable`.
    pub(super) why: String,
    /// How long the other side asks to be left alone.
    pub(super) retry_after: Option<Duration>,
}

impl Trouble {
    pub(super) fn new(cause: Cause, why: impl Into<String>) -> Self {
        Self { cause, why: why.into(), retry_after: None }
    }
}

/// How an attempt failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another attempt may succeed.
    Again(Trouble),
    /// No other attempt will.
    Final(SourceError),
    /// Nor this one, in plain HTTP: the other side speaks TLS.
    SpokeTls(SourceError),
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self::Final(error)
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Again(trouble)
    }
}

/// The attempts at one document or blob.
pub(super) struct Attempts<'a> {
    policy: &'a RetryPolicy,
    /// The registry, for messages.
    registry: &'a str,
    backoff: ExponentialBackoff,
    in_a_row: u32,
    altogether: u32,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(policy: &'a RetryPolicy, registry: &'a str) -> Self {
        Self { policy, registry, backoff: policy.backoff(), in_a_row: 0, altogether: 0 }
    }

    /// The last attempt brought something.
    pub(super) fn progressed(&mut self) {
        self.in_a_row = 0;
        self.backoff = self.policy.backoff();
    }

    /// Waits for the time of the next attempt, or says why there is none.
    pub(super) async fn wait_after(&mut self, failure: Failure) -> Result<(), SourceError> {
        let trouble = match failure {
            Failure::Again(trouble) => trouble,
            Failure::Final(error) | Failure::SpokeTls(error) => return Err(error),
        };
        self.in_a_row += 1;
        self.altogether += 1;
        let allowed = match trouble.cause {
            Cause::Connect => self.policy.connect_attempts.min(self.policy.attempts),
            _ => self.policy.attempts,
        };
        if self.in_a_row >= allowed || self.altogether >= self.policy.total_attempts {
            return Err(self.give_up(&trouble, &times(self.altogether)));
        }
        let asked = trouble.retry_after.unwrap_or_default();
        if asked > self.policy.max_retry_after {
            return Err(self.give_up(&trouble, &format!("it asks to wait {} s", asked.as_secs())));
        }
        let delay = self.backoff.next().unwrap_or(self.policy.max_delay).max(asked);
        self.policy.sleeper.sleep(delay).await;
        Ok(())
    }

    fn give_up(&self, trouble: &Trouble, how: &str) -> SourceError {
        let host = self.registry;
        let hint = match trouble.cause {
            // Neither TLS nor a proxy stands between this machine and itself.
            Cause::Connect if is_loopback(host) => {
                "check the port, and that the registry runs on this very machine (in a container, that is the container)".to_owned()
            }
            Cause::Connect => {
                "check the host name and the port, the network, and HTTPS_PROXY; a registry without TLS that is not on \
                 this machine needs --plain-http"
                    .to_owned()
            }
            Cause::Connection => {
                "the network or a proxy on the way breaks the transfer: try again, or from nearer".to_owned()
            }
            Cause::TooMany => {
                format!("try again later, or log in with `docker login {host}`: known users usually have higher limits")
            }
            Cause::Server => {
                "the registry has a fault of its own: try again later, or look at its status page".to_owned()
            }
        };
        SourceError::Unreachable { what: format!("registry {host}"), why: format!("{} ({how})", trouble.why), hint }
    }
}

impl RetryPolicy {
    fn backoff(&self) -> ExponentialBackoff {
        ExponentialBuilder::new()
            .with_min_delay(self.min_delay)
            .with_max_delay(self.max_delay)
            .with_jitter()
            .without_max_times()
            .build()
    }
}

fn times(attempts: u32) -> String {
    if attempts == 1 { "tried once".to_owned() } else { format!("tried {attempts} times") }
}

/// The value of a `Retry-After` header: seconds or a date (RFC 9110, section 10.2.3).
pub(super) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::sync::Mutex;

    #[rstest]
    #[case("7", Some(7))]
    #[case(" 0 ", Some(0))]
    #[case("99999999999", Some(99_999_999_999))]
    #[case("Thu, 01 Jan 1970 00:01:40 GMT", Some(40))]
    #[case("Thu, 01 Jan 1970 00:00:01 GMT", Some(0))]
    #[case("soon", None)]
    #[case("-1", None)]
    #[case("1.5", None)]
    fn retry_after_is_seconds_or_a_date(#[case] value: &str, #[case] seconds: Option<u64>) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(60);
        assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs));
    }

    fn recorded() -> (RetryPolicy, Arc<Mutex<Vec<Duration>>>) {
        let delays = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&delays);
        let sleeper = Sleeper::instead(move |delay| record.lock().unwrap().push(delay));
        (RetryPolicy { sleeper, ..RetryPolicy::default() }, delays)
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn delays_double_with_jitter_and_end() {
        let (policy, delays) = recorded();
        let mut attempts = Attempts::new(&policy, "registry.example");
        let end = run(async {
            loop {
                if let Err(end) = attempts.wait_after(Trouble::new(Cause::Server, "answered 500").into()).await {
                    return end;
                }
            }
        });
        assert!(end.to_string().contains("answered 500 (tried 5 times)"), "{end}");
        let delays = delays.lock().unwrap();
        assert_eq!(delays.len(), 4);
        for (n, delay) in delays.iter().enumerate() {
            let base = policy.min_delay * 2_u32.pow(u32::try_from(n).unwrap());
            assert!((base..=base * 2).contains(delay), "delay {n} is {delay:?}");
        }
    }

    #[test]
    fn progress_starts_the_count_anew_but_not_for_ever() {
        let (policy, delays) = recorded();
        let mut attempts = Attempts::new(&policy, "registry.example");
        let end = run(async {
            loop {
                attempts.progressed();
                if let Err(end) = attempts.wait_after(Trouble::new(Cause::Connection, "broke").into()).await {
                    return end;
                }
            }
        });
        assert!(end.to_string().contains("tried 30 times"), "{end}");
        assert_eq!(delays.lock().unwrap().len(), 29);
    }

    #[rstest]
    #[case("registry.example", &["--plain-http", "HTTPS_PROXY"], &[])]
    #[case("localhost:5000", &["check the port"], &["--plain-http", "HTTPS_PROXY"])]
    #[case("127.0.0.1:5000", &["check the port"], &["--plain-http", "HTTPS_PROXY"])]
    fn what_stands_between_is_told_only_where_something_does(
        #[case] host: &str,
        #[case] told: &[&str],
        #[case] untold: &[&str],
    ) {
        let (policy, _) = recorded();
        let policy = RetryPolicy { attempts: 1, ..policy };
        let trouble = Trouble::new(Cause::Connect, "no connection");
        let end = run(Attempts::new(&policy, host).wait_after(trouble.into())).unwrap_err();
        let hint = end.hint().unwrap();
        assert!(told.iter().all(|part| hint.contains(part)), "{hint}");
        assert!(!untold.iter().any(|part| hint.contains(part)), "{hint}");
    }

    #[rstest]
    #[case(Cause::Connect)]
    #[case(Cause::Connection)]
    #[case(Cause::TooMany)]
    #[case(Cause::Server)]
    fn hints_are_fragments_that_follow_an_error(#[case] cause: Cause) {
        let (policy, _) = recorded();
        let policy = RetryPolicy { attempts: 1, ..policy };
        let end = run(Attempts::new(&policy, "registry.example").wait_after(Trouble::new(cause, "x").into()));
        let hint = end.unwrap_err().hint().unwrap().to_owned();
        assert!(hint.starts_with(char::is_lowercase) && !hint.ends_with('.'), "{hint}");
    }

    #[test]
    fn a_longer_retry_after_than_is_bearable_ends_at_once() {
        let (policy, delays) = recorded();
        let trouble =
            Trouble { retry_after: Some(Duration::from_secs(21_600)), ..Trouble::new(Cause::TooMany, "answered 429") };
        let end = run(Attempts::new(&policy, "registry.example").wait_after(trouble.into())).unwrap_err();
        assert!(end.to_string().contains("it asks to wait 21600 s"), "{end}");
        assert!(end.hint().unwrap().contains("docker login registry.example"));
        assert!(delays.lock().unwrap().is_empty());
    }
}
