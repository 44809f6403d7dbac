//! Addresses that the policy refuses are not connected to, however they are spelt and whatever name leads to them.

use std::net::Ipv4Addr;

use super::{
    receiver::{Receiver, Then},
    *,
};

async fn is_blocked(sender: &Sender, endpoint: &Endpoint) {
    let (reason, message) = failure(sender, endpoint).await;
    assert_eq!(reason, "BlockedAddress", "{message}");
    assert!(message.starts_with("the address policy refuses "), "{message}");
}

#[tokio::test]
async fn loopback_is_refused_in_every_spelling() {
    let mut receiver = Receiver::status("200 OK").await;
    let port = receiver.address.port();
    let sender = sender_with(&[], Names::none());
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "0",
        "0.0.0.0",
        "0x",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "１２７.0.0.1",
        "127。0。0。1",
        "%31%32%37.0.0.1",
        "127%2e0%2E0.1",
        "①②⑦.⓪.⓪.①",
        "127\u{ad}.0.0.1",
        "00000177.00.0.01",
        "0X7F.0x0.0X1",
        "127.0x1",
        "[2a00:1450::5efe:127.0.0.1]",
    ] {
        let url = format!("http://{host}:{port}/");
        is_blocked(&sender, &endpoint(&url)).await;
        is_blocked(&sender, &service(&url)).await;
    }
    assert!(receiver.is_done());
}

#[test]
fn what_no_parser_should_have_to_guess_at_is_no_url() {
    for host in ["[fe80::1%25eth0]", "[fe80::1%eth0]", "[::1", "127.0.0.1.0.1", "256.256.256.256", "4294967296", "08.1"]
    {
        let compiled = Endpoint::compile(&config_of(&format!("http://{host}/")));
        if let Ok(endpoint) = compiled {
            panic!("{host} is {:?}", endpoint.url.host());
        }
    }
}

#[tokio::test]
async fn metadata_and_private_addresses_are_refused_before_anything_is_sent() {
    let sender = sender_with(&[], Names::none());
    for host in ["169.254.169.254", "[fd00:ec2::254]", "10.96.0.1", "192.168.1.1", "100.64.0.1", "[fd12::1]"] {
        is_blocked(&sender, &endpoint(&format!("http://{host}/latest/meta-data/"))).await;
    }
    for host in ["169.254.169.254", "[fd00:ec2::254]"] {
        is_blocked(&sender, &service(&format!("http://{host}/"))).await;
    }
}

#[tokio::test]
async fn a_name_for_a_refused_address_is_refused() {
    let mut receiver = Receiver::status("200 OK").await;
    let url = format!("http://innocent.example:{}/", receiver.address.port());
    for addresses in [&["127.0.0.1"][..], &["::1", "127.0.0.1"], &["10.0.0.1"], &["::ffff:127.0.0.1"], &["0.0.0.0"]] {
        let sender = sender_with(&[], Names::answering(&[addresses]));
        is_blocked(&sender, &endpoint(&url)).await;
    }
    assert!(receiver.is_done());
}

#[tokio::test]
async fn the_systems_own_names_for_loopback_are_refused() {
    let mut receiver = Receiver::status("200 OK").await;
    let port = receiver.address.port();
    let sender = Sender::new(&policy(&[])).unwrap();
    for host in ["localhost", "LOCALHOST", "localhost."] {
        is_blocked(&sender, &endpoint(&format!("http://{host}:{port}/"))).await;
        is_blocked(&sender, &service(&format!("http://{host}:{port}/"))).await;
    }
    assert!(receiver.is_done());
}

#[tokio::test]
async fn localhost_is_reached_when_loopback_is_opened() {
    let mut receiver = Receiver::status("200 OK").await;
    let sender = Sender::new(&policy(&["127.0.0.0/8", "::1/128"])).unwrap();
    let url = format!("http://localhost:{}/", receiver.address.port());
    assert_eq!(attempt(&sender, &endpoint(&url)).await.verdict, Verdict::Succeeded { status: 200 });
    receiver.next();
}

/// A name that is permitted at first and then points inside: each connection's address is checked, not the name's.
#[tokio::test]
async fn a_name_that_changes_its_address_is_refused_at_the_next_connection() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let mut outside = Receiver::answering_at(Ipv4Addr::new(127, 0, 0, 2), answer, Then::Close).await;
    let sender = sender_with(&["127.0.0.2/32"], Names::answering(&[&["127.0.0.2"], &["127.0.0.1"]]));
    let endpoint = endpoint(&format!("http://rebinding.example:{}/", outside.address.port()));

    assert_eq!(attempt(&sender, &endpoint).await.verdict, Verdict::Succeeded { status: 200 });
    outside.next();
    is_blocked(&sender, &endpoint).await;
    assert!(outside.is_done());
}

#[tokio::test]
async fn of_several_addresses_only_the_permitted_are_tried() {
    let mut inside = Receiver::status("200 OK").await;
    let port = inside.address.port();
    // Nothing listens at the permitted address, and the refused ones are no way out.
    let names = Names::answering(&[&["127.0.0.1", "127.0.0.2", "127.0.0.1"]]);
    let sender = sender_with(&["127.0.0.2/32"], names);
    let (reason, _) = failure(&sender, &endpoint(&format!("http://mixed.example:{port}/"))).await;
    assert_eq!(reason, "ConnectError");
    assert!(inside.is_done());
}
