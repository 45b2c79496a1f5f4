//! Dials exactly a judged address, from the source's address or through its proxy.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};

use super::EgressError;
use super::proxy::{self, ProxyError};
use crate::source::{EgressSource, Family};

/// The two ends of a connection as its receiver knows them: behind a proxy they are not those of the socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    /// Where it leaves from; behind a proxy what the operator says that it leaves from.
    pub(super) local: SocketAddr,
    /// The judged address.
    pub(super) peer: SocketAddr,
    /// What is sent in clear passes a proxy's hands.
    pub(super) proxied: bool,
    /// When they were connected.
    pub(super) opened: Instant,
}

impl Ends {
    /// Those of a stream in memory.
    pub(super) fn none() -> Self {
        let none = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
        Self {
            local: none,
            peer: none,
            proxied: false,
            opened: Instant::now(),
        }
    }
}

/// Why one address was not reached.
enum Miss {
    /// The source's address is not on this machine.
    Source,
    Proxy(ProxyError),
    /// Of the connection itself.
    Io(io::ErrorKind),
    Timeout,
}

impl From<io::Error> for Miss {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

/// Tries the judged addresses in turn, those of the source's family only, before `end`.
/// `trying` learns of each before it is dialled.
pub(super) async fn dial(
    addresses: &[IpAddr],
    port: u16,
    source: Option<&EgressSource>,
    end: Instant,
    mut trying: impl FnMut(SocketAddr),
) -> Result<(TcpStream, Ends), EgressError> {
    let family = source.map(EgressSource::family);
    let same_family = |address: &&IpAddr| family.is_none_or(|own| own == Family::of(**address));
    let usable: Vec<_> = addresses.iter().filter(same_family).collect();
    if let (Some(family), []) = (family, usable.as_slice()) {
        return Err(EgressError::Family(family));
    }
    let mut problem = EgressError::Connect("the name has no address".to_owned());
    for (index, address) in usable.iter().enumerate() {
        let peer = SocketAddr::new(**address, port);
        trying(peer);
        // A silent address must not use up the time of those after it.
        let now = Instant::now();
        let share = if index + 1 < usable.len() { 2 } else { 1 };
        let until = now + end.saturating_duration_since(now) / share;
        problem = match reach(peer, source, until).await {
            Ok(reached) => return Ok(reached),
            Err(Miss::Source) => return Err(EgressError::SourceMissing),
            Err(Miss::Proxy(error)) if error.is_the_proxys() => return Err(error.into()),
            Err(Miss::Proxy(error)) => error.into(),
            Err(Miss::Io(kind)) => EgressError::Connect(kind.to_string()),
            Err(Miss::Timeout) => EgressError::Connect("no answer in time".to_owned()),
        };
    }
    Err(problem)
}

async fn reach(
    peer: SocketAddr,
    source: Option<&EgressSource>,
    until: Instant,
) -> Result<(TcpStream, Ends), Miss> {
    let Some((source, proxy)) = source.and_then(|s| s.proxy.as_ref().map(|proxy| (s, proxy)))
    else {
        let local = source.map(|source| source.address);
        return direct(peer, local, until).await;
    };
    let unreachable = |_| Miss::Proxy(ProxyError::Unreachable);
    let (tcp, _) = direct(proxy.address, None, until)
        .await
        .map_err(unreachable)?;
    let asked = timeout_at(until, proxy::ask(tcp, proxy, peer)).await;
    let tcp = asked
        .unwrap_or(Err(ProxyError::Timeout))
        .map_err(Miss::Proxy)?;
    let ends = Ends {
        local: SocketAddr::new(source.address, 0),
        peer,
        proxied: true,
        opened: Instant::now(),
    };
    Ok((tcp, ends))
}

async fn direct(
    peer: SocketAddr,
    local: Option<IpAddr>,
    until: Instant,
) -> Result<(TcpStream, Ends), Miss> {
    let tcp = match timeout_at(until, connect(peer, local)).await {
        Ok(connected) => connected?,
        Err(_) => return Err(Miss::Timeout),
    };
    let ends = Ends {
        local: tcp.local_addr()?,
        peer,
        proxied: false,
        opened: Instant::now(),
    };
    Ok((tcp, ends))
}

async fn connect(peer: SocketAddr, local: Option<IpAddr>) -> Result<TcpStream, Miss> {
    let socket = if peer.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if let Some(local) = local {
        // Else a port is taken at bind, and one source address has 28,000 in all instead of 28,000 a peer.
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true).map_err(io::Error::from)?;
        socket
            .bind(SocketAddr::new(local, 0))
            .map_err(|error| match error.kind() {
                io::ErrorKind::AddrNotAvailable => Miss::Source,
                kind => Miss::Io(kind),
            })?;
    }
    socket.set_nodelay(true)?;
    let stream = socket.connect(peer).await?;
    if stream.peer_addr()? != peer {
        return Err(Miss::Io(io::ErrorKind::AddrNotAvailable));
    }
    Ok(stream)
}

/// Whether an address is on this machine now. Nothing is sent.
pub(super) fn is_here(address: IpAddr) -> bool {
    let bound = UdpSocket::bind(SocketAddr::new(address, 0));
    !bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable)
}
