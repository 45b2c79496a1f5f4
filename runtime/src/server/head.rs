//! What HTTP/1.1 asks of a request's head and hyper lets pass: lines end in CR LF, and `Host` stands there once
//! (RFC 9112, 2.2 and 3.2). Whoever stands before this server must not read another request in the same bytes.
//!
//! hyper alone knows how long a body is, so it says where the next head begins.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{Request, Version};
use hyper::body::Body;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::patience::{Patience, Reading};
use crate::api::error::ApiError;

/// Bytes of a request's head.
pub(super) const HEAD_MAX: usize = 16 * 1024;

/// The head that was read last has not been taken yet.
const UNTAKEN: u64 = u64::MAX;
/// The body has no length: no other head follows on this connection.
const LAST: u64 = u64::MAX - 1;

/// What a stream and whoever is given its requests tell each other.
#[derive(Clone)]
pub(super) struct Framing(Arc<Known>);

struct Known {
    /// Bytes of the body behind the head that was taken last.
    body: AtomicU64,
    /// Bytes of that head.
    head: AtomicUsize,
}

impl Framing {
    /// Notes how the body of a request ends. False where no other head can follow it on this connection: a body
    /// without a length.
    pub(super) fn take(&self, request: &Request<impl Body>) -> bool {
        let length = request.body().size_hint().exact();
        let body = length.unwrap_or(LAST);
        self.0.body.store(body, Ordering::Relaxed);
        length.is_some()
    }

    /// Why the head that was read last is refused.
    pub(super) fn refusal<B>(&self, request: &Request<B>) -> Option<ApiError> {
        if self.0.head.load(Ordering::Relaxed) > HEAD_MAX {
            return Some(ApiError::HeadTooLarge(HEAD_MAX));
        }
        refusal(request)
    }
}

/// Why a request's head is refused.
fn refusal<B>(request: &Request<B>) -> Option<ApiError> {
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
    /// Bytes so far.
    bytes: usize,
}

impl Lines {
    /// Steps over a byte; true at the end of the head. A line feed that no carriage return stands before becomes
    /// NUL, which is in no head, so that the head is answered as malformed.
    fn step(&mut self, byte: &mut u8) -> bool {
        if *byte == b'\n' && self.last != b'\r' {
            *byte = 0;
        }
        self.last = *byte;
        self.bytes += 1;
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
    patience: Patience,
}

impl<S> Guarded<S> {
    /// The connection, and what is to be told of its bodies.
    pub(super) fn new(stream: S, patience: Patience) -> (Self, Framing) {
        let framing = Framing(Arc::new(Known {
            body: AtomicU64::new(UNTAKEN),
            head: AtomicUsize::new(0),
        }));
        let guarded = Self {
            stream,
            place: Place::Head(Lines::default()),
            framing: framing.clone(),
            behind: Vec::new(),
            patience,
        };
        (guarded, framing)
    }

    /// How many bytes may be read next.
    fn arrive(&mut self) -> io::Result<usize> {
        if matches!(self.place, Place::Behind) {
            self.place = match self.framing.0.body.swap(UNTAKEN, Ordering::Relaxed) {
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

    fn reading(&self) -> Reading {
        match &self.place {
            Place::Head(lines) if !lines.begun => Reading::Request,
            Place::Head(_) => Reading::Head,
            Place::Behind | Place::Body(_) => Reading::Body,
        }
    }

    /// Steps over what came; how much of it belongs to the head or body that is read.
    fn pass(&mut self, came: &mut [u8]) -> usize {
        match &mut self.place {
            Place::Head(lines) => match came.iter_mut().position(|byte| lines.step(byte)) {
                Some(end) => {
                    let bytes = lines.bytes;
                    self.framing.0.head.store(bytes, Ordering::Relaxed);
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
            if Pin::new(&mut this.stream)
                .poll_read(context, &mut read)?
                .is_pending()
            {
                let reading = this.reading();
                return this.patience.nothing_came(reading, context);
            }
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
        this.patience.came(this.reading());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let taken = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.patience.offered(bytes.len(), taken, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let taken = Pin::new(&mut this.stream).poll_write_vectored(context, bytes);
        let offered = bytes.iter().map(|slice| slice.len()).sum();
        this.patience.offered(offered, taken, context)
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
