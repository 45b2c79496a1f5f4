//! A peer on loopback that reads requests as bytes, answers as it is told, and notes every connection.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// One request as it stood on the wire.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Which connection it came on, counted from 0.
    pub connection: usize,
    /// Where that came from.
    pub source: SocketAddr,
    /// From the request line to the empty line.
    pub head: String,
    /// As long as `content-length` says.
    pub body: Vec<u8>,
}

/// What to do after a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Write these bytes and wait for the next request.
    Bytes(Vec<u8>),
    /// Write these bytes and close.
    Close(Vec<u8>),
    /// Write these bytes one by one, one every 20 ms.
    Drip(Vec<u8>),
    /// Write these bytes again and again.
    Endless(Vec<u8>),
    /// Write nothing and keep the connection open.
    Silence,
}

impl Reply {
    /// A whole response with a body.
    #[must_use]
    pub fn ok(body: &str) -> Self {
        Self::Bytes(
            format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        )
    }
}

#[derive(Default)]
struct Log {
    arrivals: Mutex<Vec<Arrival>>,
    /// Connections opened, connections closed, requests read.
    counts: watch::Sender<(usize, usize, usize)>,
}

/// A running peer.
#[derive(Clone)]
pub struct Peer {
    /// Where it listens.
    pub address: SocketAddr,
    log: Arc<Log>,
}

impl Peer {
    /// Starts a peer that speaks in clear.
    pub async fn start(reply: impl Fn(&Arrival) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), None, reply).await
    }

    /// Starts a peer that speaks TLS.
    pub async fn start_tls(
        tls: TlsAcceptor,
        reply: impl Fn(&Arrival) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Some(tls), reply).await
    }

    /// Starts a peer at one address.
    pub async fn start_at(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        reply: impl Fn(&Arrival) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let log = Arc::new(Log::default());
        let (shared, reply) = (Arc::clone(&log), Arc::new(reply));
        tokio::spawn(async move {
            let mut connection = 0;
            while let Ok((stream, source)) = listener.accept().await {
                let (log, reply, tls) = (Arc::clone(&shared), Arc::clone(&reply), tls.clone());
                log.counts.send_modify(|counts| counts.0 += 1);
                tokio::spawn(async move {
                    serve(stream, tls, connection, source, &log, reply.as_ref()).await;
                    log.counts.send_modify(|counts| counts.1 += 1);
                });
                connection += 1;
            }
        });
        Self { address, log }
    }

    /// Every request, in the order in which they were read whole.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.log.arrivals.lock().expect("no panic").clone()
    }

    /// Connections that were accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.log.counts.borrow().0
    }

    /// Until so many connections were closed.
    pub async fn closed(&self, count: usize) {
        let mut counts = self.log.counts.subscribe();
        counts
            .wait_for(|counts| counts.1 >= count)
            .await
            .expect("the peer runs");
    }

    /// Until so many requests were read.
    pub async fn received(&self, count: usize) {
        let mut counts = self.log.counts.subscribe();
        counts
            .wait_for(|counts| counts.2 >= count)
            .await
            .expect("the peer runs");
    }

    /// The addresses that requests came from.
    #[must_use]
    pub fn sources(&self) -> Vec<IpAddr> {
        self.arrivals()
            .iter()
            .map(|arrival| arrival.source.ip())
            .collect()
    }
}

async fn serve(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    connection: usize,
    source: SocketAddr,
    log: &Log,
    reply: &(impl Fn(&Arrival) -> Reply + Sync),
) {
    match tls {
        None => talk(stream, connection, source, log, reply).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                talk(stream, connection, source, log, reply).await;
            }
        }
    }
}

async fn talk(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    source: SocketAddr,
    log: &Log,
    reply: &(impl Fn(&Arrival) -> Reply + Sync),
) {
    let mut buffer = Vec::new();
    while let Some((head, body)) = read_request(&mut stream, &mut buffer).await {
        let arrival = Arrival {
            connection,
            source,
            head,
            body,
        };
        let reply = reply(&arrival);
        log.arrivals.lock().expect("no panic").push(arrival);
        log.counts.send_modify(|counts| counts.2 += 1);
        let (bytes, last) = match reply {
            Reply::Bytes(bytes) => (bytes, false),
            Reply::Close(bytes) => (bytes, true),
            Reply::Silence => (Vec::new(), false),
            Reply::Drip(bytes) => {
                let mut ticks = tokio::time::interval(Duration::from_millis(20));
                for byte in bytes {
                    ticks.tick().await;
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                }
                (Vec::new(), false)
            }
            Reply::Endless(bytes) => {
                while stream.write_all(&bytes).await.is_ok() {}
                return;
            }
        };
        if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() || last {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

async fn read_request(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
) -> Option<(String, Vec<u8>)> {
    loop {
        let end = buffer.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end.map(|end| end + 4) {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().expect("a number"));
            if buffer.len() >= end + length {
                let body = buffer[end..end + length].to_vec();
                buffer.drain(..end + length);
                return Some((head, body));
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}
