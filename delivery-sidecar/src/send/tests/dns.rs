//! The system's resolver against a name server of the test's: search list, cache and errors.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Mutex,
    time::Duration,
};

use hickory_resolver::{
    config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts},
    proto::{
        op::{Message, ResponseCode},
        rr::{Name, RData, Record, RecordType, rdata::SOA},
    },
};
use tokio::{net::UdpSocket, task::JoinHandle};

use super::*;
use crate::send::{resolve::ResolveError, system_resolver::SystemResolver};

/// What the name server knows: `receiver.shop.svc.cluster.local`, names that are empty, names that fail.
fn answer(query: &mut Message) {
    let question = query.queries[0].clone();
    let code = match question.name().to_ascii().as_str() {
        "receiver.shop.svc.cluster.local." if question.query_type() == RecordType::A => {
            let address = RData::A(Ipv4Addr::new(10, 96, 7, 7).into());
            query.add_answer(Record::from_rdata(question.name().clone(), 30, address));
            ResponseCode::NoError
        }
        "receiver.shop.svc.cluster.local." | "empty.example." => ResponseCode::NoError,
        "broken.example." => ResponseCode::ServFail,
        _ => ResponseCode::NXDomain,
    };
    let root = Name::root();
    let soa = SOA::new(root.clone(), root.clone(), 1, 3600, 600, 86_400, 3600);
    query.add_authority(Record::from_rdata(root, 3600, RData::SOA(soa)));
    query.metadata.response_code = code;
}

struct NameServer {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl NameServer {
    async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (port, asked) = (socket.local_addr().unwrap().port(), Arc::<Mutex<Vec<String>>>::default());
        let log = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut packet = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                let mut message = Message::from_vec(&packet[..length]).unwrap();
                log.lock().unwrap().push(message.queries[0].name().to_ascii());
                message = message.into_response();
                answer(&mut message);
                socket.send_to(&message.to_vec().unwrap(), from).await.unwrap();
            }
        });
        Self { port, asked, task }
    }

    /// Configured as in a pod.
    fn resolver(&self) -> SystemResolver {
        self.resolver_waiting(Duration::from_secs(2))
    }

    /// One that waits for this long for an answer.
    fn resolver_waiting(&self, timeout: Duration) -> SystemResolver {
        let mut connection = ConnectionConfig::udp();
        connection.port = self.port;
        let server = NameServerConfig::new(Ipv4Addr::LOCALHOST.into(), true, vec![connection]);
        let search = ["shop.svc.cluster.local.", "svc.cluster.local.", "cluster.local."];
        let search = search.iter().map(|name| name.parse().unwrap()).collect();
        let mut options = ResolverOpts::default();
        options.ndots = 5;
        options.timeout = timeout;
        SystemResolver::with(ResolverConfig::from_parts(None, search, vec![server]), options).unwrap()
    }

    /// The names that were asked for since the last time, each once, in order.
    fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.dedup();
        asked
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn service_address() -> Vec<IpAddr> {
    vec![Ipv4Addr::new(10, 96, 7, 7).into()]
}

#[tokio::test]
async fn a_short_name_is_found_in_the_search_domains() {
    let server = NameServer::start().await;
    let resolver = server.resolver();
    for host in ["receiver", "receiver.shop", "receiver.shop.svc", "receiver.shop.svc.cluster.local"] {
        assert_eq!(resolver.resolve(host).await, Ok(service_address()), "{host}");
    }
    assert_eq!(resolver.resolve("receiver.shop.svc.cluster.local.").await, Ok(service_address()));
    assert_eq!(resolver.resolve("receiver.").await, Err(ResolveError::NotFound));
}

#[tokio::test]
async fn answers_are_remembered_good_and_bad() {
    let server = NameServer::start().await;
    let resolver = server.resolver();
    resolver.resolve("receiver.shop.svc").await.unwrap();
    let first = server.asked();
    assert_eq!(
        first,
        [
            "receiver.shop.svc.shop.svc.cluster.local.",
            "receiver.shop.svc.svc.cluster.local.",
            "receiver.shop.svc.cluster.local."
        ]
    );
    resolver.resolve("receiver.shop.svc").await.unwrap();
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn each_way_of_not_resolving_has_its_error() {
    let server = NameServer::start().await;
    let resolver = server.resolver();
    let too_long = "x".repeat(64);
    for (host, error) in [
        ("nobody.example.", ResolveError::NotFound),
        ("nobody.example", ResolveError::NotFound),
        ("empty.example.", ResolveError::NoAddress),
        ("broken.example.", ResolveError::Refused("Server Failure")),
        (too_long.as_str(), ResolveError::Invalid),
    ] {
        assert_eq!(resolver.resolve(host).await, Err(error), "{host}");
    }
}

#[tokio::test]
async fn a_silent_name_server_is_no_answer() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server =
        NameServer { port: silent.local_addr().unwrap().port(), asked: Arc::default(), task: tokio::spawn(async {}) };
    assert_eq!(
        server.resolver_waiting(Duration::from_millis(20)).resolve("receiver.example.").await,
        Err(ResolveError::NoAnswer)
    );
}
