//! Dials exactly a judged address, from the source address.

use std::io;
use std::net::{IpAddr, SocketAddr};

use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};

use super::EgressError;

/// Tries the judged addresses in turn, those of the source's family only, before `end`.
/// `trying` learns of each before it is dialled.
pub(super) async fn dial(
    addresses: &[IpAddr],
    port: u16,
    source: Option<IpAddr>,
    end: Instant,
    mut trying: impl FnMut(SocketAddr),
) -> Result<TcpStream, EgressError> {
    let same_family =
        |address: &&IpAddr| source.is_none_or(|source| source.is_ipv4() == address.is_ipv4());
    let usable: Vec<_> = addresses.iter().filter(same_family).collect();
    let mut problem = "no address of the egress source's family".to_owned();
    for (index, address) in usable.iter().enumerate() {
        let peer = SocketAddr::new(**address, port);
        trying(peer);
        // A silent address must not use up the time of those after it.
        let now = Instant::now();
        let share = if index + 1 < usable.len() { 2 } else { 1 };
        let until = now + end.saturating_duration_since(now) / share;
        problem = match timeout_at(until, connect(peer, source)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error.kind().to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
    }
    Err(EgressError::Connect(problem))
}

async fn connect(peer: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = if peer.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if let Some(source) = source {
        // Else a port is taken at bind, and one source address has 28,000 in all instead of 28,000 a peer.
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        socket.bind(SocketAddr::new(source, 0))?;
    }
    socket.set_nodelay(true)?;
    let stream = socket.connect(peer).await?;
    if stream.peer_addr()? != peer {
        return Err(io::ErrorKind::AddrNotAvailable.into());
    }
    Ok(stream)
}
