//! Asks a proxy for a connection to one judged address: SOCKS5 (RFC 1928, RFC 1929) or HTTP `CONNECT`
//! (RFC 9110, 9.3.6).
//!
//! `CONNECT` is written here and not taken from hyper-util: its tunnel reads on past the proxy's answer, and
//! loses the greeting of a mail server, which speaks first.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
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
    /// Its greeting is none of its protocol: no destination was named yet.
    #[error("the proxy broke its protocol")]
    Protocol,
    /// It was asked for the destination, and broke off, said more than it may, or what is none of its protocol. Some
    /// do for a destination that they cannot reach.
    #[error("the proxy has no proper answer for the destination")]
    Answer,
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
    let mut told = Told::new(tcp);
    let asked = match &proxy.user {
        None => Socks5Stream::connect_with_socket(&mut told, peer).await,
        Some(user) => {
            let password = password(proxy);
            Socks5Stream::connect_with_password_and_socket(&mut told, peer, user, password).await
        }
    };
    match asked.map(drop) {
        Ok(()) => Ok(told.tcp),
        Err(error) => Err(match error {
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
            _ if told.destination => ProxyError::Answer,
            _ => ProxyError::Protocol,
        }),
    }
}

/// A connection to a SOCKS5 proxy, and whether it was told the destination: greeting and request begin with the
/// protocol's version, 5, and a password with its own, 1.
struct Told {
    tcp: TcpStream,
    greeted: bool,
    destination: bool,
}

impl Told {
    const fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            greeted: false,
            destination: false,
        }
    }
}

impl AsyncRead for Told {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Told {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        if written.is_ready() && bytes.first() == Some(&5) {
            self.destination = self.greeted;
            self.greeted = true;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
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
    let broken = |_| ProxyError::Answer;
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
    let broken = |_| ProxyError::Answer;
    let (mut head, mut buffer) = (Vec::new(), [0; 1 << 10]);
    loop {
        let before = head.len();
        let seen = tcp.peek(&mut buffer).await.map_err(broken)?;
        let seen = buffer.get(..seen).unwrap_or_default();
        if seen.is_empty() || before + seen.len() > HEAD_MAX {
            return Err(ProxyError::Answer);
        }
        head.extend_from_slice(seen);
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut answer = httparse::Response::new(&mut fields);
        let parsed = answer.parse(&head).map_err(|_| ProxyError::Answer)?;
        let (taken, status) = match parsed {
            httparse::Status::Complete(end) => (end.saturating_sub(before), answer.code),
            httparse::Status::Partial => (head.len() - before, None),
        };
        let own = buffer.get_mut(..taken).unwrap_or_default();
        tcp.read_exact(own).await.map_err(broken)?;
        if parsed.is_complete() {
            return status.ok_or(ProxyError::Answer);
        }
    }
}
