//! Receivers, each at an address of its own as receivers are, on loopback. They do as little as possible: what they
//! cost is taken from the same two cores.

mod answer;
mod receipts;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinHandle,
};

pub use receipts::Receipts;

/// Most receivers.
const MOST: usize = 62_500;

/// What a receiver does with a delivery.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// Answers 200 at once and counts it.
    Answer(Arc<Receipts>),
    /// Answers 200 after this time.
    AnswerAfter(Duration),
    /// Takes the connection and never answers.
    Hang,
    /// Resets the connection.
    Reset,
    /// Refuses connections, as a machine does on which nothing runs.
    Refuse,
}

/// A receiver. Ends when dropped; connections end with their other end.
pub struct Receiver {
    address: SocketAddr,
    /// What must live as long as the receiver.
    _listening: Box<dyn Send + Sync>,
}

struct Aborted(JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Receiver {
    /// The receiver of this index, which decides its address.
    pub async fn start(index: usize, behaviour: Behaviour) -> anyhow::Result<Self> {
        let wanted = SocketAddr::new(IpAddr::V4(address(index)?), 0);
        match behaviour {
            // Connections wait in its queue, which costs the benchmark nothing.
            Behaviour::Hang => {
                let listener = std::net::TcpListener::bind(wanted).context("bind a receiver")?;
                Ok(Self { address: listener.local_addr()?, _listening: Box::new(listener) })
            }
            // Bound, so that nobody else gets the port, and not listening.
            Behaviour::Refuse => {
                let socket = TcpSocket::new_v4()?;
                socket.bind(wanted).context("bind a receiver")?;
                Ok(Self { address: socket.local_addr()?, _listening: Box::new(socket) })
            }
            behaviour => {
                let listener = TcpListener::bind(wanted).await.context("bind a receiver")?;
                let address = listener.local_addr()?;
                let task = Aborted(tokio::spawn(answer::accept(listener, behaviour)));
                Ok(Self { address, _listening: Box::new(task) })
            }
        }
    }

    /// `count` receivers from index `first` on.
    pub async fn start_many(first: usize, count: usize, behaviour: &Behaviour) -> anyhow::Result<Vec<Self>> {
        let mut receivers = Vec::with_capacity(count);
        for index in first..first + count {
            receivers.push(Self::start(index, behaviour.clone()).await?);
        }
        Ok(receivers)
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// 127.1.0.1, 127.1.0.2, ...: no two receivers share a host.
fn address(index: usize) -> anyhow::Result<Ipv4Addr> {
    let index = u16::try_from(index).ok().filter(|index| usize::from(*index) < MOST);
    let index = index.with_context(|| format!("at most {MOST} receivers"))?;
    let [third, fourth] = [index / 250, index % 250 + 1].map(|octet| u8::try_from(octet).expect("below 251"));
    Ok(Ipv4Addr::new(127, 1, third, fourth))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_receiver_has_a_loopback_address_of_its_own() {
        assert_eq!(address(0).unwrap(), Ipv4Addr::new(127, 1, 0, 1));
        assert_eq!(address(250).unwrap(), Ipv4Addr::new(127, 1, 1, 1));
        let all: std::collections::HashSet<_> = (0..MOST).map(|index| address(index).unwrap()).collect();
        assert_eq!(all.len(), MOST);
        assert!(all.iter().all(Ipv4Addr::is_loopback));
        assert!(address(MOST).is_err());
    }

    #[tokio::test]
    async fn a_receiver_that_refuses_keeps_its_port_and_takes_no_connection() {
        let receiver = Receiver::start(0, Behaviour::Refuse).await.unwrap();
        let connected = tokio::net::TcpStream::connect(receiver.address()).await;
        assert_eq!(connected.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    }
}
