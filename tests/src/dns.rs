//! A DNS server on loopback (RFC 1035) that answers as it is told and notes what it was asked.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
const SERVFAIL: u8 = 2;

/// What to answer to one query.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The addresses of the query's family, each with a time to live of zero.
    Addresses(Vec<IpAddr>),
    /// A chain of names that ends in addresses.
    Chain(Vec<String>, Vec<IpAddr>),
    /// `SERVFAIL`.
    Failure,
    /// The addresses of the query's family; no reply at all where there is none of it.
    OneFamily(Vec<IpAddr>),
    /// No reply at all.
    Silence,
}

/// A running server.
#[derive(Clone, Debug)]
pub struct DnsServer {
    /// Where it listens.
    pub address: SocketAddr,
    queries: Arc<Mutex<Vec<(String, u16)>>>,
}

impl DnsServer {
    /// Starts a server. `reply` gets the name, without its final dot, and how often the same name and type
    /// were asked before.
    pub async fn start(reply: impl Fn(&str, usize) -> Reply + Send + 'static) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), reply).await
    }

    /// The same at one address.
    pub async fn start_at(
        address: SocketAddr,
        reply: impl Fn(&str, usize) -> Reply + Send + 'static,
    ) -> Self {
        let socket = UdpSocket::bind(address).await.expect("a port");
        let address = socket.local_addr().expect("an address");
        let queries = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&queries);
        tokio::spawn(async move {
            let mut buffer = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let packet = &buffer[..length];
                let (name, kind, end) = question(packet);
                let before = {
                    let mut seen = seen.lock().expect("no panic");
                    let asked = (name.clone(), kind);
                    let before = seen.iter().filter(|query| **query == asked).count();
                    seen.push(asked);
                    before
                };
                if let Some(answer) = answer(packet, kind, end, &reply(&name, before)) {
                    socket.send_to(&answer, from).await.expect("sent");
                }
            }
        });
        Self { address, queries }
    }

    /// The names that were asked for an IPv4 address, in order.
    #[must_use]
    pub fn queries(&self) -> Vec<String> {
        self.asked(A)
    }

    /// The names that were asked for an IPv6 address, in order.
    #[must_use]
    pub fn queries_v6(&self) -> Vec<String> {
        self.asked(AAAA)
    }

    fn asked(&self, kind: u16) -> Vec<String> {
        let queries = self.queries.lock().expect("no panic");
        let own = queries.iter().filter(|(_, asked)| *asked == kind);
        own.map(|(name, _)| name.clone()).collect()
    }
}

/// The question's name and type, and where it ends.
fn question(packet: &[u8]) -> (String, u16, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while packet[at] != 0 {
        let length = usize::from(packet[at]);
        labels.push(String::from_utf8_lossy(&packet[at + 1..=at + length]).to_ascii_lowercase());
        at += 1 + length;
    }
    let kind = u16::from_be_bytes([packet[at + 1], packet[at + 2]]);
    (labels.join("."), kind, at + 5)
}

fn answer(packet: &[u8], kind: u16, question_end: usize, reply: &Reply) -> Option<Vec<u8>> {
    let (chain, addresses): (&[String], &[IpAddr]) = match reply {
        Reply::Silence => return None,
        Reply::OneFamily(addresses)
            if !addresses.iter().any(|found| found.is_ipv4() == (kind == A)) =>
        {
            return None;
        }
        Reply::Failure => (&[], &[]),
        Reply::Addresses(addresses) | Reply::OneFamily(addresses) => (&[], addresses),
        Reply::Chain(chain, addresses) => (chain, addresses),
    };
    let mut records = Vec::new();
    let mut owner = packet[12..question_end - 4].to_vec();
    for next in chain {
        let target = encode(next);
        records.push(record(&owner, CNAME, &target));
        owner = target;
    }
    for address in addresses {
        match address {
            IpAddr::V4(v4) if kind == A => records.push(record(&owner, A, &v4.octets())),
            IpAddr::V6(v6) if kind == AAAA => records.push(record(&owner, AAAA, &v6.octets())),
            _ => {}
        }
    }
    let code = if matches!(reply, Reply::Failure) {
        SERVFAIL
    } else {
        0
    };
    let count = u16::try_from(records.len()).expect("few").to_be_bytes();
    let mut out = packet[..2].to_vec();
    out.extend([0x81, 0x80 | code, 0, 1, count[0], count[1], 0, 0, 0, 0]);
    out.extend(&packet[12..question_end]);
    records.iter().for_each(|record| out.extend(record));
    Some(out)
}

fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let mut out = owner.to_vec();
    out.extend(kind.to_be_bytes());
    out.extend([0, 1, 0, 0, 0, 0]);
    out.extend(u16::try_from(data.len()).expect("short").to_be_bytes());
    out.extend(data);
    out
}

fn encode(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.') {
        out.push(u8::try_from(label.len()).expect("short"));
        out.extend(label.as_bytes());
    }
    out.push(0);
    out
}
