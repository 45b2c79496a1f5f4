//! Asks a proxy for a connection to one judged address: SOCKS5 (RFC 1928, RFC 1929) or HTTP `CONNECT`
//! (RFC 9110, 9.3.6).
//!
//! `CONNECT` is written here and not taken from hyper-util: its tunnel reads on past the proxy's answer, and
//! loses the greeting of a mail server, which speaks first.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::source::{Proxy, ProxyKind};

/// The head of an answer to `CONNECT`.
const HEAD_MAX: usize = 8 << 10;
/// Its header fields.
const FIELDS_MAX: usize = 64;

/// Why a proxy made no connection. Holds none of its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// It does not answer at its address.
    #[error("the proxy cannot be reached")]
    Unreachable,
    /// The source's user and password, or their lack.
    #[error("the proxy refuses the source's credentials")]
    Credentials,
    /// It was asked, and has not answered in time: its own attempt may still wait.
    #[error("the proxy made no connection in time")]
    Timeout,
    /// It will not or cannot reach the destination.
    #[error("the proxy does not reach the destination")]
    Refused,
    /// What it answers is none of its protocol, or more than it may say.
    #[error("the proxy broke its protocol")]
    Protocol,
}

impl ProxyError {
    /// Whether every destination would meet it: then the source is of no use while that lasts.
    pub(super) const fn is_the_proxys(self) -> bool {
        matches!(self, Self::Unreachable | Self::Credentials | Self::Protocol)
    }
}

/// Turns a connection to the proxy into one to `peer`. Reads no byte of the peer's.
pub(super) async fn ask(
    tcp: TcpStream,
    proxy: &Proxy,
    peer: SocketAddr,
) -> Result<TcpStream, ProxyError> {
    match proxy.kind {
        ProxyKind::Socks5 => socks5(tcp, proxy, peer).await,
        ProxyKind::HttpConnect => connect(tcp, proxy, peer).await,
    }
}

fn password(proxy: &Proxy) -> &str {
    proxy.password.as_ref().map_or("", Secret::expose)
}

async fn socks5(tcp: TcpStream, proxy: &Proxy, peer: SocketAddr) -> Result<TcpStream, ProxyError> {
    use tokio_socks::Error;
    let asked = match &proxy.user {
        None => Socks5Stream::connect_with_socket(tcp, peer).await,
        Some(user) => {
            Socks5Stream::connect_with_password_and_socket(tcp, peer, user, password(proxy)).await
        }
    };
    asked
        .map(Socks5Stream::into_inner)
        .map_err(|error| match error {
            Error::AuthorizationRequired
            | Error::NoAcceptableAuthMethods
            | Error::PasswordAuthFailure(_)
            | Error::InvalidAuthValues(_) => ProxyError::Credentials,
            Error::GeneralSocksServerFailure
            | Error::ConnectionNotAllowedByRuleset
            | Error::NetworkUnreachable
            | Error::HostUnreachable
            | Error::ConnectionRefused
            | Error::TtlExpired
            | Error::AddressTypeNotSupported => ProxyError::Refused,
            _ => ProxyError::Protocol,
        })
}

async fn connect(
    mut tcp: TcpStream,
    proxy: &Proxy,
    peer: SocketAddr,
) -> Result<TcpStream, ProxyError> {
    let mut head = Zeroizing::new(format!("CONNECT {peer} HTTP/1.1\r\nHost: {peer}\r\n"));
    if let Some(user) = &proxy.user {
        let plain = Zeroizing::new(format!("{user}:{}", password(proxy)));
        let encoded = Zeroizing::new(STANDARD.encode(plain.as_bytes()));
        head.push_str(&format!("Proxy-Authorization: Basic {}\r\n", *encoded));
    }
    head.push_str("\r\n");
    let broken = |_| ProxyError::Protocol;
    tcp.write_all(head.as_bytes()).await.map_err(broken)?;
    match read_status(&mut tcp).await? {
        200..300 => Ok(tcp),
        // tinyproxy says 401 to a wrong password.
        401 | 407 => Err(ProxyError::Credentials),
        _ => Err(ProxyError::Refused),
    }
}

/// Reads the head of an answer to its last byte and no further: what follows is the peer's.
async fn read_status(tcp: &mut TcpStream) -> Result<u16, ProxyError> {
    let broken = |_| ProxyError::Protocol;
    let (mut head, mut buffer) = (Vec::new(), [0; 1 << 10]);
    loop {
        let before = head.len();
        let seen = tcp.peek(&mut buffer).await.map_err(broken)?;
        let seen = buffer.get(..seen).unwrap_or_default();
        if seen.is_empty() || before + seen.len() > HEAD_MAX {
            return Err(ProxyError::Protocol);
        }
        head.extend_from_slice(seen);
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut answer = httparse::Response::new(&mut fields);
        let parsed = answer.parse(&head).map_err(|_| ProxyError::Protocol)?;
        let (taken, status) = match parsed {
            httparse::Status::Complete(end) => (end.saturating_sub(before), answer.code),
            httparse::Status::Partial => (head.len() - before, None),
        };
        let own = buffer.get_mut(..taken).unwrap_or_default();
        tcp.read_exact(own).await.map_err(broken)?;
        if parsed.is_complete() {
            return status.ok_or(ProxyError::Protocol);
        }
    }
}
