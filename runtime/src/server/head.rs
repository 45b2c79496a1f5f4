//! What HTTP/1.1 asks of a request's head and hyper lets pass: lines end in CR LF, and `Host` stands there once
//! (RFC 9112, 2.2 and 3.2). Whoever stands before this server must not read another request in the same bytes.
//!
//! hyper alone knows how long a body is, so it says where the next head begins.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{Request, Version};
use hyper::body::Body;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::api::error::ApiError;

/// The head that was read last has not been taken yet.
const UNTAKEN: u64 = u64::MAX;
/// The body has no length: no other head follows on this connection.
const LAST: u64 = u64::MAX - 1;

/// Bytes of the body behind the head that was taken last: told to the stream by whoever is given the request.
#[derive(Clone)]
pub(super) struct Framing(Arc<AtomicU64>);

impl Framing {
    /// Notes how the body of a request ends. False where no other head can follow it on this connection: a body
    /// without a length.
    pub(super) fn take(&self, request: &Request<impl Body>) -> bool {
        let length = request.body().size_hint().exact();
        self.0.store(length.unwrap_or(LAST), Ordering::Relaxed);
        length.is_some()
    }
}

/// Why a request's head is refused.
pub(super) fn refusal<B>(request: &Request<B>) -> Option<ApiError> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let is_good = match (hosts.next(), hosts.next()) {
        (None, _) => request.version() < Version::HTTP_11,
        (Some(host), None) => {
            let host = host.as_bytes();
            host.is_empty() || (Authority::try_from(host).is_ok() && !host.contains(&b'@'))
        }
        (Some(_), Some(_)) => false,
    };
    (!is_good).then(|| {
        ApiError::BadRequest("the head must hold one Host field, with a host in it".to_owned())
    })
}

/// Where a stream is.
enum Place {
    /// In a head.
    Head(Lines),
    /// Behind one, until it is taken.
    Behind,
    /// In a body, with this many bytes to come.
    Body(u64),
}

/// Finds the empty line that ends a head.
#[derive(Default)]
struct Lines {
    last: u8,
    /// Whether the line holds anything.
    filled: bool,
    /// Whether any line did. Before the first, empty ones are skipped (RFC 9112, 2.2).
    begun: bool,
}

impl Lines {
    /// Steps over a byte; true at the end of the head. A line feed that no carriage return stands before becomes
    /// NUL, which is in no head, so that the head is answered as malformed.
    fn step(&mut self, byte: &mut u8) -> bool {
        if *byte == b'\n' && self.last != b'\r' {
            *byte = 0;
        }
        self.last = *byte;
        match *byte {
            b'\n' => !std::mem::take(&mut self.filled) && self.begun,
            b'\r' => false,
            _ => {
                self.filled = true;
                self.begun = true;
                false
            }
        }
    }
}

/// A connection whose heads are looked through.
pub(super) struct Guarded<S> {
    stream: S,
    place: Place,
    framing: Framing,
    /// Read from the stream behind a head, before anybody knew what it belongs to.
    behind: Vec<u8>,
}

impl<S> Guarded<S> {
    /// The connection, and what is to be told of its bodies.
    pub(super) fn new(stream: S) -> (Self, Framing) {
        let framing = Framing(Arc::new(AtomicU64::new(UNTAKEN)));
        let guarded = Self {
            stream,
            place: Place::Head(Lines::default()),
            framing: framing.clone(),
            behind: Vec::new(),
        };
        (guarded, framing)
    }

    /// How many bytes may be read next.
    fn arrive(&mut self) -> io::Result<usize> {
        if matches!(self.place, Place::Behind) {
            self.place = match self.framing.0.swap(UNTAKEN, Ordering::Relaxed) {
                UNTAKEN => return Err(io::Error::from(io::ErrorKind::InvalidData)),
                0 => Place::Head(Lines::default()),
                length => Place::Body(length),
            };
        }
        Ok(match self.place {
            Place::Body(left) => usize::try_from(left).unwrap_or(usize::MAX),
            Place::Head(_) | Place::Behind => usize::MAX,
        })
    }

    /// Steps over what came; how much of it belongs to the head or body that is read.
    fn pass(&mut self, came: &mut [u8]) -> usize {
        match &mut self.place {
            Place::Head(lines) => match came.iter_mut().position(|byte| lines.step(byte)) {
                Some(end) => {
                    self.place = Place::Behind;
                    end + 1
                }
                None => came.len(),
            },
            Place::Body(LAST) | Place::Behind => came.len(),
            Place::Body(left) => {
                *left = left.saturating_sub(came.len() as u64);
                if *left == 0 {
                    self.place = Place::Head(Lines::default());
                }
                came.len()
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let most = this.arrive()?.min(out.remaining());
        if this.behind.is_empty() {
            let room = out.initialize_unfilled_to(most);
            let mut read = ReadBuf::new(room);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut read))?;
            let came = read.filled_mut();
            let own = this.pass(came);
            this.behind = came.get(own..).unwrap_or_default().to_vec();
            out.advance(own);
        } else {
            let mut came = std::mem::take(&mut this.behind);
            let later = came.split_off(most.min(came.len()));
            let own = this.pass(&mut came);
            out.put_slice(came.get(..own).unwrap_or_default());
            came.drain(..own);
            came.extend(later);
            this.behind = came;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
