//! What an error means. Pure.
//!
//! Errors are told apart by their types, found along the chain of their sources, and never by their texts. A message
//! is made here and from nothing that the error says of names, addresses or URLs, which may be secret.

use std::{error::Error, io, time::Duration};

use posthaste_crds::conditions::healthy;
use posthaste_journal::Failure;
use rustls::CertificateError;

use super::{address_policy::Blocked, request::RequestError, resolve::ResolveError};

/// Why no usable answer came, from the client's error. `status` is that of the answer, if one had begun.
pub fn from_client(error: &reqwest::Error, status: Option<u16>) -> Failure {
    for cause in causes(error) {
        if let Some(blocked) = cause.downcast_ref::<Blocked>() {
            return failure(status, healthy::BLOCKED_ADDRESS, blocked.to_string());
        }
        if let Some(unresolved) = cause.downcast_ref::<ResolveError>() {
            return failure(status, healthy::DNS_ERROR, unresolved.to_string());
        }
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return failure(status, healthy::TLS_ERROR, tls_message(tls));
        }
    }
    if error.is_connect() { connecting(error) } else { exchanging(error, status) }
}

/// The attempt's time was used up: before an answer came (no `status`), or before its body ended.
pub fn timed_out(limit: Duration, status: Option<u16>) -> Failure {
    let message = match status {
        None => format!("no response within {limit:?}"),
        Some(_) => format!("the response's body did not end within {limit:?}"),
    };
    failure(status, healthy::TIMEOUT, message)
}

/// The policy refuses an address that is written in the URL.
pub fn blocked(blocked: Blocked) -> Failure {
    failure(None, healthy::BLOCKED_ADDRESS, blocked.to_string())
}

/// The request cannot be made.
pub fn unsendable(problem: &RequestError) -> Failure {
    failure(None, healthy::RENDER_ERROR, problem.to_string())
}

fn failure(status: Option<u16>, reason: &str, message: impl Into<String>) -> Failure {
    Failure { status, reason: reason.to_owned(), message: message.into() }
}

/// There was no connection.
fn connecting(error: &reqwest::Error) -> Failure {
    use io::ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable, TimedOut, UnexpectedEof,
    };
    let message = match io_kind(error) {
        // Opening a TCP connection has no end of file: this is the handshake's.
        Some(UnexpectedEof) => {
            let message = "the connection was closed during the TLS handshake";
            return failure(None, healthy::TLS_ERROR, message);
        }
        Some(ConnectionRefused) => "connection refused",
        Some(ConnectionReset) => "connection reset",
        Some(HostUnreachable) => "host unreachable",
        Some(NetworkUnreachable) => "network unreachable",
        Some(TimedOut) => "connection timed out",
        _ if error.is_timeout() => "connection timed out",
        _ => "no connection",
    };
    failure(None, healthy::CONNECT_ERROR, message)
}

/// There was a connection, and what came over it was no whole answer.
fn exchanging(error: &reqwest::Error, status: Option<u16>) -> Failure {
    let http = causes(error).find_map(|cause| cause.downcast_ref::<hyper::Error>());
    let message = match http {
        Some(http) if http.is_parse_too_large() => "the response's head is too large",
        Some(http) if http.is_parse() => "the response is not HTTP",
        Some(http) if http.is_incomplete_message() => "the connection was closed before the response was complete",
        _ if io_kind(error).is_some() => "the connection broke before the response was complete",
        _ => "the response broke off",
    };
    failure(status, healthy::SERVER_ERROR, message)
}

/// The error and what it came from, outermost first.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error: &&'e (dyn Error + 'static)| {
        // The source of an io::Error is that of the error inside of it, which would be passed by.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

/// The kind of the innermost I/O error.
fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last().map(io::Error::kind)
}

fn tls_message(error: &rustls::Error) -> String {
    use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage, PeerIncompatible};
    match error {
        InvalidCertificate(problem) => certificate_message(problem).to_owned(),
        AlertReceived(alert) => format!("the receiver broke off the TLS handshake ({alert:?})"),
        InvalidMessage(_) => "the receiver does not speak TLS".to_owned(),
        PeerIncompatible(_) => {
            "the receiver offers no TLS version or cipher that is safe (1.2 and later are)".to_owned()
        }
        _ => "the TLS handshake failed".to_owned(),
    }
}

fn certificate_message(problem: &CertificateError) -> &'static str {
    use CertificateError::{
        BadEncoding, BadSignature, Expired, ExpiredContext, InvalidPurpose, InvalidPurposeContext, NotValidForName,
        NotValidForNameContext, NotValidYet, NotValidYetContext, Revoked, UnknownIssuer,
    };
    match problem {
        Expired | ExpiredContext { .. } => "certificate expired",
        NotValidYet | NotValidYetContext { .. } => "certificate not valid yet",
        NotValidForName | NotValidForNameContext { .. } => "certificate is not for this host",
        UnknownIssuer => "certificate is signed by an unknown authority",
        Revoked => "certificate revoked",
        BadSignature => "certificate has a bad signature",
        BadEncoding => "certificate is malformed",
        InvalidPurpose | InvalidPurposeContext { .. } => "certificate is not for servers",
        _ => "certificate is not valid",
    }
}
