//! Which addresses may be connected to. Pure: knows neither names nor sockets.
//!
//! Whoever can create an endpoint chooses where this process connects to; without a policy that reaches the cluster's
//! own services, the cloud's metadata and this process itself. So every address is judged just before a connection to
//! it is made, whatever name led to it.
//!
//! The order of judgement: what the administrator allowed; what the administrator denied; the built-in
//! ranges. An IPv6 address that stands for an IPv4 address is judged as that.

mod embedded;
mod ranges;

use std::net::IpAddr;

use ipnet::IpNet;
use posthaste_delivery_config::{self as config, TargetKind};
use url::{Host, Url};

use ranges::Range;

/// A compiled address policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    allow: Vec<IpNet>,
    deny: Vec<IpNet>,
}

/// An address is refused. Tells which range it is in and not the address: it may have come from a secret URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Blocked {
    /// By a built-in rule.
    #[error("the address policy refuses {what} ({range})")]
    BuiltIn {
        /// What the range is for.
        what: &'static str,
        /// The range.
        range: IpNet,
    },
    /// By a network that the administrator denies.
    #[error("the address policy refuses this address: the cluster's administrator denies its network")]
    Denied,
}

impl AddressPolicy {
    /// Compiles the administrator's openings; host bits in their networks do not matter.
    pub fn compile(policy: &config::AddressPolicy) -> Self {
        let networks = |list: &[IpNet]| list.iter().map(IpNet::trunc).collect();
        Self { allow: networks(&policy.allow), deny: networks(&policy.deny) }
    }

    /// Whether a target of this kind may be at this address.
    ///
    /// An allowed network opens what it contains, denied networks included. Loopback, link-local, metadata and other
    /// addresses that no outside receiver can have are opened only by a network that lies within their range, such as
    /// `127.0.0.0/8`: so `0.0.0.0/0` opens private networks and does not hand out the cloud's credentials.
    ///
    /// Denied networks are for URLs only: they are the cluster's own, which is where Services are.
    ///
    /// # Errors
    /// [`Blocked`], with the rule.
    pub fn check(&self, address: IpAddr, kind: TargetKind) -> Result<(), Blocked> {
        let (first, second) = embedded::stands_for(address);
        if first != address {
            self.check_denied(address, kind)?;
        }
        self.check_plain(first, kind)?;
        second.map_or(Ok(()), |second| self.check_plain(second, kind))
    }

    /// Judges an address that stands for itself.
    fn check_plain(&self, address: IpAddr, kind: TargetKind) -> Result<(), Blocked> {
        let range = ranges::containing(address);
        if self.allow.iter().any(|allowed| allowed.contains(&address) && opens(allowed, range)) {
            return Ok(());
        }
        self.check_denied(address, kind)?;
        match range {
            Some(range) if kind == TargetKind::Url || !range.services => {
                Err(Blocked::BuiltIn { what: range.what, range: range.network })
            }
            _ => Ok(()),
        }
    }

    fn check_denied(&self, address: IpAddr, kind: TargetKind) -> Result<(), Blocked> {
        if kind == TargetKind::Url && self.deny.iter().any(|denied| denied.contains(&address)) {
            return Err(Blocked::Denied);
        }
        Ok(())
    }
}

/// The address that a URL names outright, if it names one. The URL parser has read its every spelling: `2130706433`,
/// `0x7f.1`, `127.0.0.1.` and `１２７.0.0.1` are all 127.0.0.1. What is no address here is a name to the resolver.
pub fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// Whether an allowed network that contains an address opens the built-in range that the address is in.
fn opens(allowed: &IpNet, range: Option<&Range>) -> bool {
    range.is_none_or(|range| !range.explicit || range.network.contains(allowed))
}

#[cfg(test)]
mod tests;
