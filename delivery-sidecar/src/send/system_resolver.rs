//! Names by the system's configuration: `/etc/resolv.conf` (name servers, search domains, `ndots`, attempts) and
//! `/etc/hosts`, both read once.
//!
//! It differs from the C library's resolver in that the hosts file is asked for each name of the search list when its
//! turn comes, not for the bare name before all; and that names under `localhost` which the hosts file does not have
//! are loopback without a question to DNS (RFC 6761).

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use hickory_resolver::{
    TokioResolver,
    config::{LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts},
    net::{DnsError, NetError, NoRecords, runtime::TokioRuntimeProvider},
    proto::op::ResponseCode,
    system_conf,
};
use tracing::warn;

use super::resolve::{Resolve, ResolveError};

/// Longest wait for one answer of a name server, so that a lost packet leaves time for another.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest time for one name, its search list included.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(6);
/// Most answers that are remembered.
const CACHE_ENTRIES: u64 = 4096;
/// For how long an address is remembered at most: receivers move.
const MAX_TTL: Duration = Duration::from_mins(5);
/// For how long is remembered that a name does not exist: less than the least delay of the default retry schedule, so
/// that a second attempt asks again.
const MAX_NEGATIVE_TTL: Duration = Duration::from_secs(4);

/// The system's resolver, with a cache.
pub struct SystemResolver(TokioResolver);

impl SystemResolver {
    /// Reads the system's configuration. Where there is none, the name server is on this machine, as resolv.conf(5)
    /// has it.
    ///
    /// # Errors
    /// When the resolver cannot be set up with this configuration.
    pub fn new() -> Result<Self, NetError> {
        match system_conf::read_system_conf() {
            Ok((config, options)) => Self::with(config, options),
            Err(error) => {
                warn!(%error, "the system's DNS configuration cannot be used; asking 127.0.0.1");
                let local = NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into());
                Self::with(ResolverConfig::from_parts(None, vec![], vec![local]), ResolverOpts::default())
            }
        }
    }

    pub(super) fn with(config: ResolverConfig, options: ResolverOpts) -> Result<Self, NetError> {
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = bounded(options);
        Ok(Self(builder.build()?))
    }
}

/// Bounds what the system's configuration leaves open.
fn bounded(options: ResolverOpts) -> ResolverOpts {
    let mut bounded = options;
    bounded.timeout = bounded.timeout.min(QUERY_TIMEOUT);
    bounded.cache_size = CACHE_ENTRIES;
    bounded.positive_max_ttl = Some(MAX_TTL);
    bounded.negative_max_ttl = Some(MAX_NEGATIVE_TTL);
    // Few pods have IPv6 to the outside; those that have get its addresses too.
    bounded.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    bounded
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveError>> {
        async move {
            match tokio::time::timeout(LOOKUP_TIMEOUT, self.0.lookup_ip(host)).await {
                Ok(Ok(found)) => Ok(found.iter().collect()),
                Ok(Err(error)) => Err(reason(&error)),
                Err(_) => Err(ResolveError::NoAnswer),
            }
        }
        .boxed()
    }
}

fn reason(error: &NetError) -> ResolveError {
    match error {
        NetError::Proto(_) => ResolveError::Invalid,
        NetError::Dns(
            DnsError::NoRecordsFound(NoRecords { response_code, .. }) | DnsError::ResponseCode(response_code),
        ) => match response_code {
            ResponseCode::NXDomain => ResolveError::NotFound,
            ResponseCode::NoError => ResolveError::NoAddress,
            other => ResolveError::Refused(other.to_str()),
        },
        _ => ResolveError::NoAnswer,
    }
}
