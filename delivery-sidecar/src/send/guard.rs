//! Stands between the HTTP client and the resolver and lets only permitted addresses through: what the client connects
//! to has always been checked, however often a name changes its addresses.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use posthaste_delivery_config::TargetKind;
use reqwest::dns::{Addrs, Name, Resolve as ClientResolve, Resolving};

use super::{
    address_policy::AddressPolicy,
    exchange::Stopwatch,
    resolve::{Resolve, ResolveError},
};

/// Most addresses of a name that are tried. The time for connecting is divided among them.
const MAX_ADDRESSES: usize = 8;

/// A resolver for targets of one kind.
pub struct Guard {
    resolver: Arc<dyn Resolve>,
    policy: Arc<AddressPolicy>,
    kind: TargetKind,
}

impl Guard {
    pub fn new(resolver: Arc<dyn Resolve>, policy: Arc<AddressPolicy>, kind: TargetKind) -> Self {
        Self { resolver, policy, kind }
    }
}

impl ClientResolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (resolver, policy, kind) = (Arc::clone(&self.resolver), Arc::clone(&self.policy), self.kind);
        let (stopwatch, begun) = (Stopwatch::current(), Instant::now());
        Box::pin(async move {
            let found = resolver.resolve(name.as_str()).await;
            if let Some(stopwatch) = stopwatch {
                stopwatch.resolved(begun);
            }
            let found = found?;
            let permitted = permitted(&found, &policy, kind)?;
            // The port is the URL's.
            Ok(Box::new(permitted.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

/// The addresses that may be connected to, in their order. When none may, why the first may not.
fn permitted(
    found: &[IpAddr],
    policy: &AddressPolicy,
    kind: TargetKind,
) -> Result<Vec<IpAddr>, Box<dyn std::error::Error + Send + Sync>> {
    let first = *found.first().ok_or(ResolveError::NoAddress)?;
    let permitted: Vec<_> =
        found.iter().copied().filter(|address| policy.check(*address, kind).is_ok()).take(MAX_ADDRESSES).collect();
    if permitted.is_empty() {
        policy.check(first, kind)?;
    }
    Ok(permitted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::send::address_policy::Blocked;

    fn run(found: &[&str], kind: TargetKind) -> Result<Vec<String>, Box<dyn std::error::Error + Send + Sync>> {
        let found: Vec<IpAddr> = found.iter().map(|address| address.parse().unwrap()).collect();
        Ok(permitted(&found, &AddressPolicy::default(), kind)?.iter().map(IpAddr::to_string).collect())
    }

    #[test]
    fn only_permitted_addresses_are_left_in_their_order() {
        let found = ["10.0.0.1", "2606:4700::1", "127.0.0.1", "8.8.8.8", "::1"];
        assert_eq!(run(&found, TargetKind::Url).unwrap(), ["2606:4700::1", "8.8.8.8"]);
        assert_eq!(run(&found, TargetKind::Service).unwrap(), ["10.0.0.1", "2606:4700::1", "8.8.8.8"]);
    }

    #[test]
    fn when_none_is_permitted_the_rule_against_the_first_is_the_error() {
        let error = run(&["127.0.0.1", "10.0.0.1"], TargetKind::Url).unwrap_err();
        let Some(Blocked::BuiltIn { what, .. }) = error.downcast_ref() else { panic!("{error}") };
        assert_eq!(*what, "loopback addresses");
    }

    #[test]
    fn a_name_without_addresses_is_no_matter_of_policy() {
        let error = run(&[], TargetKind::Url).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&ResolveError::NoAddress));
    }

    #[test]
    fn the_number_of_addresses_is_bounded() {
        assert_eq!(run(&["8.8.8.8"; 100], TargetKind::Url).unwrap().len(), MAX_ADDRESSES);
    }
}
