//! IPv6 addresses that stand for IPv4 addresses: a gateway or the kernel sends their packets there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What comes before an IPv4 address that is the end of an IPv6 address.
const PREFIXES: [[u16; 6]; 4] = [
    [0, 0, 0, 0, 0, 0],         // IPv4-compatible (RFC 4291, 2.5.5.1)
    [0, 0, 0, 0, 0, 0xffff],    // IPv4-mapped (RFC 4291, 2.5.5.2)
    [0, 0, 0, 0, 0xffff, 0],    // IPv4-translated (RFC 2765)
    [0x64, 0xff9b, 0, 0, 0, 0], // NAT64 (RFC 6052)
];

/// What a connection to the address reaches: the address itself, or the IPv4 addresses inside of it. Teredo has two:
/// the relay's server and the client behind it. An ISATAP address is both: only who routes its prefix knows whether
/// there is a tunnel behind it, so that it is judged as what it is and as what is inside.
pub fn stands_for(address: IpAddr) -> (IpAddr, Option<IpAddr>) {
    let IpAddr::V6(v6) = address else { return (address, None) };
    // These two look like IPv4-compatible addresses and are none.
    if v6 == Ipv6Addr::UNSPECIFIED || v6 == Ipv6Addr::LOCALHOST {
        return (address, None);
    }
    let [s0, s1, s2, s3, s4, s5, s6, s7] = v6.segments();
    match [s0, s1, s2, s3, s4, s5] {
        prefix if PREFIXES.contains(&prefix) => (ipv4(s6, s7), None),
        // 6to4 (RFC 3056).
        [0x2002, ..] => (ipv4(s1, s2), isatap([s4, s5, s6, s7])),
        // Teredo (RFC 4380): the client's address has its bits flipped.
        [0x2001, 0, ..] => (ipv4(s2, s3), Some(ipv4(!s6, !s7))),
        _ => (address, isatap([s4, s5, s6, s7])),
    }
}

/// The IPv4 address at the end of an ISATAP address (RFC 5214, section 6.1), by the address's second half: with the bit
/// for addresses that are unique in the world, or without it.
fn isatap([s4, s5, s6, s7]: [u16; 4]) -> Option<IpAddr> {
    (matches!(s4, 0 | 0x200) && s5 == 0x5efe).then(|| ipv4(s6, s7))
}

fn ipv4(high: u16, low: u16) -> IpAddr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_gives_the_ipv4_address_inside() {
        for (text, first, second) in [
            ("203.0.113.9", "203.0.113.9", None),
            ("::ffff:10.1.2.3", "10.1.2.3", None),
            ("::10.1.2.3", "10.1.2.3", None),
            ("::ffff:0:10.1.2.3", "10.1.2.3", None),
            ("64:ff9b::10.1.2.3", "10.1.2.3", None),
            ("2002:a01:203::1", "10.1.2.3", None),
            ("2001:0:a01:203:8000:ffff:f5fe:fdfc", "10.1.2.3", Some("10.1.2.3")),
            ("::", "::", None),
            ("::1", "::1", None),
            ("64:ff9b:1::10.1.2.3", "64:ff9b:1::10.1.2.3", None),
            ("2001:db8::10.1.2.3", "2001:db8::10.1.2.3", None),
            ("2a00::5efe:10.1.2.3", "2a00::5efe:10.1.2.3", Some("10.1.2.3")),
            ("2002:a01:203::5efe:10.4.5.6", "10.1.2.3", Some("10.4.5.6")),
            ("2a00::200:5efe:10.1.2.3", "2a00::200:5efe:10.1.2.3", Some("10.1.2.3")),
            ("2a00::100:5efe:10.1.2.3", "2a00::100:5efe:10.1.2.3", None),
        ] {
            let parsed = |text: &str| text.parse::<IpAddr>().unwrap();
            assert_eq!(stands_for(parsed(text)), (parsed(first), second.map(parsed)), "{text}");
        }
    }
}
