use super::*;

/// One address a line: what a URL and what a Service may reach. Its comments say which block an address is of.
const TABLE: &str = include_str!("table.txt");

fn policy(allow: &[&str], deny: &[&str]) -> AddressPolicy {
    let networks = |list: &[&str]| list.iter().map(|network| network.parse().unwrap()).collect();
    AddressPolicy::compile(&config::AddressPolicy { allow: networks(allow), deny: networks(deny) })
}

fn check(policy: &AddressPolicy, address: &str, kind: TargetKind) -> Result<(), Blocked> {
    policy.check(address.parse().unwrap(), kind)
}

#[test]
fn without_openings_each_address_of_the_table_is_judged_as_it_says() {
    let policy = AddressPolicy::default();
    let mut checked = 0;
    for line in TABLE.lines() {
        let words: Vec<&str> = line.split('#').next().unwrap().split_whitespace().collect();
        let [address, url, service] = words[..] else { continue };
        for (expected, kind) in [(url, TargetKind::Url), (service, TargetKind::Service)] {
            let permitted = check(&policy, address, kind).is_ok();
            assert_eq!(permitted, expected == "ok", "{kind:?}: {line}");
        }
        checked += 1;
    }
    assert!(checked > 200, "only {checked} lines were understood");
}

#[test]
fn an_allowed_network_opens_what_it_contains_and_no_more() {
    let policy = policy(&["10.1.0.0/16", "203.0.113.7/32", "fd12::/16"], &[]);
    for (address, permitted) in [
        ("10.1.0.0", true),
        ("10.1.255.255", true),
        ("10.2.0.0", false),
        ("10.0.255.255", false),
        ("203.0.113.7", true),
        ("203.0.113.8", false),
        ("fd12::1", true),
        ("fd13::1", false),
        ("::ffff:10.1.2.3", true),
        ("64:ff9b::10.1.2.3", true),
        ("64:ff9b::10.2.2.3", false),
        ("127.0.0.1", false),
    ] {
        assert_eq!(check(&policy, address, TargetKind::Url).is_ok(), permitted, "{address}");
    }
}

#[test]
fn allowing_everything_does_not_open_loopback_and_metadata() {
    let policy = policy(&["0.0.0.0/0", "::/0"], &[]);
    for kind in [TargetKind::Url, TargetKind::Service] {
        for address in ["10.0.0.1", "192.168.0.1", "100.64.0.1", "198.18.0.1", "fd00::1", "2001:db8::1", "8.8.8.8"] {
            assert_eq!(check(&policy, address, kind), Ok(()), "{address}");
        }
        for address in [
            "127.0.0.1",
            "0.0.0.0",
            "169.254.169.254",
            "169.254.1.1",
            "100.100.100.200",
            "168.63.129.16",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "64:ff9b::169.254.169.254",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(check(&policy, address, kind).is_err(), "{address}");
        }
    }
}

#[test]
fn loopback_is_opened_by_a_network_within_it() {
    let policy = policy(&["127.0.0.0/8", "::1/128"], &[]);
    for kind in [TargetKind::Url, TargetKind::Service] {
        for address in ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(check(&policy, address, kind), Ok(()), "{address}");
        }
        assert!(check(&policy, "0.0.0.0", kind).is_err());
    }
}

#[test]
fn link_local_does_not_open_the_metadata_inside_of_it() {
    let link_local = policy(&["169.254.0.0/16"], &[]);
    assert_eq!(check(&link_local, "169.254.1.1", TargetKind::Url), Ok(()));
    assert!(check(&link_local, "169.254.169.254", TargetKind::Url).is_err());
    let metadata = policy(&["169.254.169.254/32"], &[]);
    assert_eq!(check(&metadata, "169.254.169.254", TargetKind::Url), Ok(()));
}

#[test]
fn a_denied_network_is_refused_to_urls_and_not_to_services() {
    let policy = policy(&[], &["198.200.0.0/16", "2a00:db::/32", "10.96.0.0/12"]);
    for address in ["198.200.3.4", "2a00:db::1", "10.96.0.1", "::ffff:198.200.3.4", "2002:c6c8:304::1"] {
        assert_eq!(check(&policy, address, TargetKind::Url), Err(Blocked::Denied), "{address}");
    }
    for address in ["198.200.3.4", "2a00:db::1", "10.96.0.1"] {
        assert_eq!(check(&policy, address, TargetKind::Service), Ok(()), "{address}");
    }
    assert_eq!(check(&policy, "198.201.3.4", TargetKind::Url), Ok(()));
}

#[test]
fn a_denied_ipv6_network_holds_for_addresses_that_stand_for_ipv4() {
    let policy = policy(&[], &["64:ff9b::/96"]);
    assert_eq!(check(&policy, "64:ff9b::8.8.8.8", TargetKind::Url), Err(Blocked::Denied));
    assert_eq!(check(&policy, "8.8.8.8", TargetKind::Url), Ok(()));
}

#[test]
fn an_allowed_network_opens_a_part_of_a_denied_one() {
    let policy = policy(&["198.200.3.4/32"], &["198.200.0.0/16"]);
    assert_eq!(check(&policy, "198.200.3.4", TargetKind::Url), Ok(()));
    assert_eq!(check(&policy, "198.200.3.5", TargetKind::Url), Err(Blocked::Denied));
}

#[test]
fn the_message_names_the_range_and_not_the_address() {
    let blocked = check(&AddressPolicy::default(), "10.20.30.40", TargetKind::Url).unwrap_err();
    assert_eq!(blocked.to_string(), "the address policy refuses private addresses (10.0.0.0/8)");
}

mod laws {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_mapped_address_is_judged_as_the_address_inside(bits in any::<u32>()) {
            let policy = policy(&["10.0.0.0/9"], &["8.0.0.0/8"]);
            let v4 = Ipv4Addr::from_bits(bits);
            for kind in [TargetKind::Url, TargetKind::Service] {
                prop_assert_eq!(policy.check(v4.to_ipv6_mapped().into(), kind), policy.check(v4.into(), kind));
            }
        }

        #[test]
        fn a_service_may_be_wherever_a_url_may(v6 in any::<u128>(), v4 in any::<u32>()) {
            let policy = AddressPolicy::default();
            let addresses: [IpAddr; 2] = [Ipv6Addr::from_bits(v6).into(), Ipv4Addr::from_bits(v4).into()];
            for address in addresses {
                if policy.check(address, TargetKind::Url).is_ok() {
                    prop_assert_eq!(policy.check(address, TargetKind::Service), Ok(()));
                }
            }
        }
    }
}
