//! Sends one attempt.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::StatusCode;
use jiff::Timestamp;
use posthaste_delivery_config as config;
use reqwest::{Method, Response};
use rustls::RootCertStore;

use super::{
    Attempt, FailureClass, Report, Verdict,
    address_policy::{AddressPolicy, Blocked, literal},
    classify,
    clients::{Clients, ClientsError, bundled_roots},
    failure,
    request::{self, Request, RequestError},
    resolve::Resolve,
    retry_after::retry_after,
    system_resolver::SystemResolver,
};
use crate::endpoint::Endpoint;

/// Most bytes of a response's body that are read. What is longer is left unread, and its connection closed.
pub const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// Sends attempts under one address policy. Connections are kept and shared by all endpoints; to change the policy,
/// make another sender, so that none of them outlives the rules that it was opened under.
pub struct Sender {
    policy: Arc<AddressPolicy>,
    clients: Clients,
}

/// Why there is no sender.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The resolver.
    #[error("names cannot be resolved: {0}")]
    Resolver(#[from] hickory_resolver::net::NetError),
    /// The HTTP clients.
    #[error(transparent)]
    Clients(#[from] ClientsError),
}

impl Sender {
    /// A sender that resolves names as the system does and trusts the bundled roots.
    ///
    /// # Errors
    /// Only when the resolver or the HTTP client cannot be set up on this machine at all.
    pub fn new(policy: &config::AddressPolicy) -> Result<Self, SetupError> {
        Self::with_resolver(policy, SystemResolver::new()?)
    }

    /// A sender with a resolver of the caller's.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_resolver(policy: &config::AddressPolicy, resolver: impl Resolve) -> Result<Self, SetupError> {
        Self::assemble(policy, resolver, bundled_roots())
    }

    pub(super) fn assemble(
        policy: &config::AddressPolicy,
        resolver: impl Resolve,
        roots: RootCertStore,
    ) -> Result<Self, SetupError> {
        let policy = Arc::new(AddressPolicy::compile(policy));
        let resolver: Arc<dyn Resolve> = Arc::new(resolver);
        let clients = Clients::new(&resolver, &policy, roots)?;
        Ok(Self { policy, clients })
    }

    /// Sends one attempt and waits for what comes of it, at most for the endpoint's timeout. Dropping the future
    /// abandons the attempt; the receiver may have got it.
    pub async fn attempt(&self, attempt: Attempt<'_>) -> Report {
        let started = Instant::now();
        let verdict = self.verdict(&attempt, started).await;
        Report { verdict, elapsed: started.elapsed() }
    }

    async fn verdict(&self, attempt: &Attempt<'_>, started: Instant) -> Verdict {
        let endpoint = attempt.endpoint;
        let request = match request::build(attempt) {
            Ok(request) => request,
            Err(problem) => return failed(failure::unsendable(&problem), class_of(&problem)),
        };
        if let Err(blocked) = self.check_literal(endpoint) {
            return failed(failure::blocked(blocked), FailureClass::Retry);
        }

        let mut answer = None;
        let exchange = async {
            let mut response = self.clients.of(endpoint.kind).execute(post(endpoint, request)).await?;
            let now = later(attempt.now, started.elapsed());
            answer = Some((response.status(), retry_after(response.headers(), now)));
            read(&mut response).await
        };
        let ended = tokio::time::timeout(endpoint.timeout, exchange).await;

        let status = match answer {
            // A failure's status says more than what became of its body.
            Some((status, wait)) if ended.as_ref().is_ok_and(Result::is_ok) || !status.is_success() => {
                return classify::answer(status, wait);
            }
            answer => answer.map(|(status, _): (StatusCode, _)| status.as_u16()),
        };
        let failure = match ended {
            Ok(Err(error)) => failure::from_client(&error, status),
            _ => failure::timed_out(endpoint.timeout, status),
        };
        failed(failure, FailureClass::Retry)
    }

    /// The client asks the resolver for names only; an address in the URL is checked here.
    fn check_literal(&self, endpoint: &Endpoint) -> Result<(), Blocked> {
        literal(&endpoint.url).map_or(Ok(()), |address| self.policy.check(address, endpoint.kind))
    }
}

fn post(endpoint: &Endpoint, Request { headers, body }: Request) -> reqwest::Request {
    let mut post = reqwest::Request::new(Method::POST, endpoint.url.clone());
    *post.headers_mut() = headers;
    *post.body_mut() = Some(body.into());
    post
}

/// Reads the body to its end, so that its connection can be used again, or until it is longer than it may be.
async fn read(response: &mut Response) -> reqwest::Result<()> {
    let mut bytes = 0;
    while let Some(chunk) = response.chunk().await? {
        bytes += chunk.len();
        if bytes > MAX_RESPONSE_BYTES {
            break;
        }
    }
    Ok(())
}

/// A key can be added or a wrong notAfter corrected, while the same template gives the same text for ever.
fn class_of(problem: &RequestError) -> FailureClass {
    match problem {
        RequestError::NoKey => FailureClass::Retry,
        RequestError::Render(_) | RequestError::Id(_) => FailureClass::Permanent,
    }
}

fn failed(failure: posthaste_journal::Failure, class: FailureClass) -> Verdict {
    Verdict::Failed { failure, retry_after: None, class }
}

fn later(time: Timestamp, elapsed: Duration) -> Timestamp {
    jiff::SignedDuration::try_from(elapsed).ok().and_then(|by| time.checked_add(by).ok()).unwrap_or(time)
}
