//! Names to addresses. What may be connected to is not decided here.

use std::net::IpAddr;

use futures::future::BoxFuture;

/// Finds the addresses of a host. Tests bring their own; the sidecar has that of the system.
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of a host, in the order in which they are to be tried. The host is never an address itself. A
    /// name that does not end in a dot may be searched for in the system's search domains.
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveError>>;
}

/// Why a name has no addresses. Does not tell the name, which may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The name is not one that DNS can hold.
    #[error("the host is not a valid DNS name")]
    Invalid,
    /// The name servers know that there is no such name.
    #[error("the host's name does not exist")]
    NotFound,
    /// The name exists and has neither an IPv4 nor an IPv6 address.
    #[error("the host's name has no address")]
    NoAddress,
    /// The name servers answered that they cannot tell.
    #[error("the name server cannot resolve the host's name ({0})")]
    Refused(&'static str),
    /// No name server answered in time.
    #[error("no name server answered")]
    NoAnswer,
}
