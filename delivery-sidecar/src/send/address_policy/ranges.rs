//! The built-in ranges.
//!
//! From the IANA special-purpose registries for
//! [IPv4](https://www.iana.org/assignments/iana-ipv4-special-registry) and
//! [IPv6](https://www.iana.org/assignments/iana-ipv6-special-registry): every block that is not globally reachable, and
//! the few of those that are which no receiver of webhooks can be in (such as 192.0.0.0/24 and 2001::/23); the
//! multicast, reserved and future-use blocks; and the addresses at which clouds hand out credentials, some of which
//! are in public space.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A block of addresses that is refused.
#[derive(Debug)]
pub struct Range {
    /// Its addresses.
    pub network: IpNet,
    /// What it is for, in the plural.
    pub what: &'static str,
    /// A Service's address can be in it.
    pub services: bool,
    /// Only an allowed network that lies within it opens it.
    pub explicit: bool,
}

impl Range {
    /// Never a receiver: opened only on purpose.
    const fn never(network: IpNet, what: &'static str) -> Self {
        Self { network, what, services: false, explicit: true }
    }

    /// Not the internet, but where a cluster may be.
    const fn inside(network: IpNet, what: &'static str) -> Self {
        Self { network, what, services: true, explicit: false }
    }

    /// Neither the internet nor where a cluster is.
    const fn reserved(network: IpNet, what: &'static str) -> Self {
        Self { network, what, services: false, explicit: false }
    }
}

const METADATA: &str = "cloud metadata addresses";
const DOCUMENTATION: &str = "addresses for documentation";

/// The narrower before the wider: the first that contains an address decides.
const IPV4: [Range; 20] = [
    Range::never(v4([169, 254, 169, 254], 32), METADATA),
    Range::never(v4([100, 100, 100, 200], 32), METADATA), // Alibaba
    Range::never(v4([168, 63, 129, 16], 32), METADATA),   // Azure
    Range::never(v4([192, 0, 0, 192], 32), METADATA),     // Oracle
    Range::never(v4([0, 0, 0, 0], 8), "addresses of \"this network\""), // a connection to 0.0.0.0 reaches loopback
    Range::never(v4([127, 0, 0, 0], 8), "loopback addresses"),
    Range::never(v4([169, 254, 0, 0], 16), "link-local addresses"),
    Range::never(v4([224, 0, 0, 0], 4), "multicast addresses"),
    Range::never(v4([255, 255, 255, 255], 32), "the broadcast address"),
    Range::inside(v4([10, 0, 0, 0], 8), "private addresses"),
    Range::inside(v4([172, 16, 0, 0], 12), "private addresses"),
    Range::inside(v4([192, 168, 0, 0], 16), "private addresses"),
    Range::inside(v4([100, 64, 0, 0], 10), "shared (carrier-grade NAT) addresses"),
    // Clusters that ran out of private addresses use these for pods.
    Range::inside(v4([198, 18, 0, 0], 15), "addresses for benchmarks"),
    Range::inside(v4([240, 0, 0, 0], 4), "reserved addresses"),
    Range::inside(v4([192, 0, 2, 0], 24), DOCUMENTATION),
    Range::inside(v4([198, 51, 100, 0], 24), DOCUMENTATION),
    Range::inside(v4([203, 0, 113, 0], 24), DOCUMENTATION),
    Range::reserved(v4([192, 0, 0, 0], 24), "addresses for protocols"),
    Range::reserved(v4([192, 88, 99, 0], 24), "6to4 relay addresses"),
];

/// As [`IPV4`]; the last holds what is in none of the others and not global unicast.
const IPV6: [Range; 18] = [
    Range::never(v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32), METADATA), // Amazon
    Range::never(v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128), METADATA), // Google
    Range::never(v6([0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe], 128), METADATA), // Oracle
    Range::never(v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128), METADATA), // Scaleway
    Range::never(v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "the unspecified address"),
    Range::never(v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "the loopback address"),
    Range::never(v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "link-local addresses"),
    Range::never(v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "multicast addresses"),
    Range::inside(v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "unique local addresses"),
    Range::inside(v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "site-local addresses"),
    Range::inside(v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), DOCUMENTATION),
    Range::inside(v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), DOCUMENTATION),
    Range::reserved(v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), "addresses for protocols"),
    Range::reserved(v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), "addresses of local translators"),
    Range::reserved(v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), "addresses to be discarded"),
    Range::reserved(v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64), "addresses for testing"),
    Range::reserved(v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16), "segment identifiers"),
    Range::reserved(v6([0, 0, 0, 0, 0, 0, 0, 0], 0), "addresses that are not global unicast"),
];

/// The global unicast addresses of IPv6.
const GLOBAL_UNICAST: IpNet = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// The range that an address is in, if it is in one.
pub fn containing(address: IpAddr) -> Option<&'static Range> {
    let (specific, rest): (&[Range], Option<&Range>) = match address {
        IpAddr::V4(_) => (&IPV4, None),
        IpAddr::V6(_) => {
            let (rest, specific) = IPV6.split_last().expect("the table is not empty");
            (specific, (!GLOBAL_UNICAST.contains(&address)).then_some(rest))
        }
    };
    specific.iter().find(|range| range.network.contains(&address)).or(rest)
}

const fn v4(o: [u8; 4], prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(o[0], o[1], o[2], o[3]), prefix))
}

const fn v6(s: [u16; 8], prefix: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]), prefix))
}
