//! Attempts against real servers on loopback, which the policy is opened for where the test is not about the policy.

mod answers;
mod blocked;
mod delivery;
mod dns;
mod names;
mod receiver;
mod timeouts;
mod tls;

use std::sync::Arc;

use jiff::Timestamp;
use posthaste_delivery_config::{self as config, Redacted, TargetKind};
use rustls::RootCertStore;

use super::{Attempt, FailureClass, Report, Sender, Verdict, resolve::Resolve};
use crate::{
    endpoint::{Endpoint, fixture as configured},
    render::fixture,
};
use names::Names;

/// A policy with these networks allowed.
fn policy(allow: &[&str]) -> config::AddressPolicy {
    let allow = allow.iter().map(|network| network.parse().unwrap()).collect();
    config::AddressPolicy { allow, deny: vec![] }
}

/// A sender that may connect to loopback and knows no names.
fn sender() -> Sender {
    sender_with(&["127.0.0.0/8", "::1/128"], Names::none())
}

fn sender_with(allow: &[&str], names: Names) -> Sender {
    Sender::with_resolver(&policy(allow), names).unwrap()
}

/// A sender that trusts these roots only.
fn sender_trusting(roots: RootCertStore, names: Names) -> Sender {
    Sender::assemble(&policy(&["127.0.0.0/8"]), names, roots).unwrap()
}

/// An endpoint at this URL, with a timeout that no test reaches.
fn config_of(url: &str) -> config::Endpoint {
    let mut endpoint = configured::endpoint();
    endpoint.target.url = Redacted::new(url);
    endpoint.delivery.timeout_ms = 60_000;
    endpoint
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint::compile(&config_of(url)).unwrap()
}

/// An endpoint that is reached only as a Service may be.
fn service(url: &str) -> Endpoint {
    let mut endpoint = config_of(url);
    endpoint.target.kind = TargetKind::Service;
    Endpoint::compile(&endpoint).unwrap()
}

fn impatient(url: &str, timeout_ms: u64) -> Endpoint {
    let mut endpoint = config_of(url);
    endpoint.delivery.timeout_ms = timeout_ms;
    Endpoint::compile(&endpoint).unwrap()
}

/// Attempts to send the usual event now.
async fn attempt(sender: &Sender, endpoint: &Endpoint) -> Report {
    let event = fixture::event();
    sender.attempt(Attempt { now: Timestamp::now(), ..fixture::attempt(endpoint, &event) }).await
}

/// Reason and message of an attempt that must fail and be retried.
async fn failure(sender: &Sender, endpoint: &Endpoint) -> (String, String) {
    match attempt(sender, endpoint).await.verdict {
        Verdict::Failed { failure, class: FailureClass::Retry, .. } => (failure.reason, failure.message),
        other => panic!("{other:?}"),
    }
}
