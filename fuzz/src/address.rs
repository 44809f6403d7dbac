//! Any spelling of a host, and any address: what the address policy lets through is never in a range that is refused.
//!
//! The expectation is computed in a second way: from a list of networks in text, and by reading spellings of IPv4
//! addresses as the C library does, which is what a resolver would do with a name that passed for one.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::LazyLock,
};

use ipnet::IpNet;
use posthaste_delivery_config::{self as config, TargetKind};
use posthaste_delivery_sidecar::send::address_policy::{AddressPolicy, literal};
use url::{Host, Url};

use crate::Choices;

/// Never a receiver, whatever leads there.
static NEVER: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    networks(
        "0.0.0.0/8 127.0.0.0/8 169.254.0.0/16 192.0.0.0/24 192.88.99.0/24 224.0.0.0/4 255.255.255.255/32 \
         100.100.100.200/32 168.63.129.16/32 ::/127 fe80::/10 ff00::/8 64:ff9b:1::/48 100::/64 5f00::/16 fd00:ec2::/32",
    )
});
/// Not for URLs, but where a Service may be.
static INSIDE: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    networks(
        "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 198.18.0.0/15 240.0.0.0/4 192.0.2.0/24 198.51.100.0/24 \
         203.0.113.0/24 fc00::/7 fec0::/10 2001:db8::/32 3fff::/20",
    )
});

/// An input is a choice between an address, in 4 or 16 bytes, and the text of a URL's host.
pub fn address(input: &[u8]) {
    let mut choices = Choices(input);
    match choices.byte() {
        0 => address_of_bytes(choices.0),
        1 => host(&String::from_utf8_lossy(choices.0)),
        _ => host(&String::from_utf8_lossy(input)),
    }
}

fn address_of_bytes(bytes: &[u8]) {
    if let Some(bytes) = bytes.first_chunk::<16>() {
        judged(Ipv6Addr::from(*bytes).into());
    } else if let Some(bytes) = bytes.first_chunk::<4>() {
        judged(Ipv4Addr::from(*bytes).into());
    }
}

fn host(text: &str) {
    let Ok(url) = Url::parse(&format!("http://{text}/")) else { return };
    if let Some(address) = literal(&url) {
        // Where both can read it, they read the same.
        if let Some(read) = as_the_c_library(text) {
            assert_eq!(address, IpAddr::from(read), "{text:?}");
        }
        judged(address);
    } else if let Some(Host::Domain(name)) = url.host() {
        // It goes to the resolver, whose answers are judged: it must be no address to anybody.
        let name = name.strip_suffix('.').unwrap_or(name);
        assert!(name.parse::<IpAddr>().is_err(), "{text:?} is the address {name:?}");
        assert!(as_the_c_library(name).is_none(), "{text:?} is an address to the C library");
    }
}

fn judged(address: IpAddr) {
    let all: IpNet = "0.0.0.0/0".parse().expect("a network");
    let open = AddressPolicy::compile(&config::AddressPolicy { allow: vec![all], deny: vec![] });
    let closed = AddressPolicy::default();
    for reached in reached(address) {
        let within = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&reached));
        let (never, inside) = (within(&NEVER), within(&INSIDE));
        let permitted = |kind| closed.check(address, kind).is_ok();
        assert!(!(never || inside) || !permitted(TargetKind::Url), "a URL may lead to {address}");
        assert!(!never || !permitted(TargetKind::Service), "a Service may be at {address}");
        let on_purpose = never && !is_for_protocols(reached);
        assert!(!on_purpose || open.check(address, TargetKind::Url).is_err(), "allowing everything opens {address}");
    }
}

/// Reserved, but nothing that gives away more than another public address does: opened with all others.
fn is_for_protocols(address: IpAddr) -> bool {
    networks("192.0.0.0/24 192.88.99.0/24").iter().any(|network| network.contains(&address))
        && address != IpAddr::from([192, 0, 0, 192])
}

/// Everything that a connection to an address may end at.
fn reached(address: IpAddr) -> Vec<IpAddr> {
    let IpAddr::V6(v6) = address else { return vec![address] };
    let bits = v6.to_bits();
    let at = |shift: u32| Ipv4Addr::from_bits(u32::try_from((bits >> shift) & 0xffff_ffff).expect("32 bits"));
    if bits >> 96 == 0x2001_0000 {
        return vec![at(64).into(), Ipv4Addr::from_bits(!at(0).to_bits()).into()];
    }
    let translated = [0, 0xffff, 0xffff_0000, 0x0064_ff9b << 64].contains(&(bits >> 32)) && bits > 1;
    let first = match bits >> 112 {
        _ if translated => at(0).into(),
        0x2002 => at(80).into(),
        _ => address,
    };
    let isatap = [0x5efe, 0x0200_5efe].contains(&at(32).to_bits());
    [first].into_iter().chain(isatap.then(|| at(0).into())).collect()
}

/// inet_aton(3): one to four numbers, each decimal, octal or hexadecimal; the last fills the rest.
fn as_the_c_library(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u64> = text.split('.').map(number).collect::<Option<_>>()?;
    let (last, bytes) = parts.split_last()?;
    if bytes.len() > 3 || bytes.iter().any(|byte| *byte > 0xff) || *last >> (8 * (4 - bytes.len())) != 0 {
        return None;
    }
    let leading = bytes.iter().zip([24, 16, 8]).map(|(byte, shift)| byte << shift).sum::<u64>();
    Some(Ipv4Addr::from_bits(u32::try_from(leading + last).ok()?))
}

fn number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u64::from_str_radix(digits, radix).ok()).flatten()
}

fn networks(text: &str) -> Vec<IpNet> {
    text.split_whitespace().map(|network| network.parse().expect("a network")).collect()
}
